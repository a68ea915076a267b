internal import KernelsV3

extension Kernels {
    /// Kernels of the KernelsV3 module: AVX2 and FMA.
    static let v3 = Kernels(
        variant: .v3,
        gemm: { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch in
            KernelsV3.gemm(layout.rawValue, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch)
        },
        addBias: { KernelsV3.addBias($0, $1, $2, $3) },
        addColumnSums: { KernelsV3.addColumnSums($0, $1, $2, $3) },
        layerNorm: { KernelsV3.layerNorm($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        layerNormBackward: { KernelsV3.layerNormBackward($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        biasGelu: { KernelsV3.biasGelu($0, $1, $2, $3, $4) },
        geluBackward: { KernelsV3.geluBackward($0, $1, $2, $3) },
        dropoutAdd: { x, base, count, rate, stream, counter, y in
            KernelsV3.dropoutAdd(
                x, base, count, Dropout.threshold(rate), 1 / (1 - rate), stream, counter, y)
        },
        attention: { q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, out, ldOut, scratch in
            KernelsV3.attention(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, out, ldOut, scratch)
        },
        attentionBackward: {
            q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, dOut, ldOut, dq, dk, dv, scratch in
            KernelsV3.attentionBackward(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, dOut, ldOut, dq, dk, dv, scratch)
        },
        linearCrossEntropy: { h, rows, dim, e, items, targets, scale, dh, de, scratch in
            CrossEntropyPlan(dim: dim, items: items, scratch: scratch).run(
                h, rows, e, targets, dh, largestNorm: KernelsV3.largestNorm,
                chunk: { plan, h, rows, targets, bound, dh in
                    KernelsV3.crossEntropyChunk(
                        h, rows, dim, e, items, targets, scale, bound, dh, de, plan.probabilities, plan.transposed,
                        plan.gradient, plan.scaled, plan.sums, plan.targetScores, plan.shifts, plan.gemm)
                })
        },
        linearBinaryCrossEntropy: { KernelsV3.binaryCrossEntropy($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        adamW: { p, g, m, v, count, step in
            KernelsV3.adamW(
                p, g, m, v, count, step.beta1, step.beta2, step.epsilon, 1 - step.learningRate * step.weightDecay,
                step.learningRate / step.correction1, 1 / step.correction2.squareRoot())
        },
        sumOfSquares: { KernelsV3.sumOfSquares($0, $1) },
        itemScores: { KernelsV3.itemScores($0, $1, $2, $3, $4, $5) },
        rankCounts: { KernelsV3.rankCounts($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        peak: { rounds in
            _ = KernelsV3.peak(rounds, 0.99)
            return rounds * KernelsV3.peakVectors * 32
        })
}
