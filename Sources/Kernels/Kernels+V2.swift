internal import KernelsV2

extension Kernels {
    /// Kernels of the KernelsV2 module: every x86-64 and arm64 CPU.
    static let v2 = Kernels(
        variant: .v2,
        gemm: { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch in
            KernelsV2.gemm(layout.rawValue, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch)
        },
        addBias: { KernelsV2.addBias($0, $1, $2, $3) },
        addColumnSums: { KernelsV2.addColumnSums($0, $1, $2, $3) },
        layerNorm: { KernelsV2.layerNorm($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        layerNormBackward: { KernelsV2.layerNormBackward($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        biasGelu: { KernelsV2.biasGelu($0, $1, $2, $3, $4) },
        geluBackward: { KernelsV2.geluBackward($0, $1, $2, $3) },
        dropoutAdd: { x, base, count, rate, stream, counter, y in
            KernelsV2.dropoutAdd(
                x, base, count, Dropout.threshold(rate), 1 / (1 - rate), stream, counter, y)
        },
        attention: { q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, out, ldOut, scratch in
            KernelsV2.attention(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, out, ldOut, scratch)
        },
        attentionBackward: {
            q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, dOut, ldOut, dq, dk, dv, scratch in
            KernelsV2.attentionBackward(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, dOut, ldOut, dq, dk, dv, scratch)
        },
        linearCrossEntropy: { h, rows, dim, e, items, targets, scale, dh, de, scratch in
            CrossEntropyPlan(dim: dim, items: items, scratch: scratch).run(
                h, rows, e, targets, dh, largestNorm: KernelsV2.largestNorm,
                chunk: { plan, h, rows, targets, bound, dh in
                    KernelsV2.crossEntropyChunk(
                        h, rows, dim, e, items, targets, scale, bound, dh, de, plan.probabilities, plan.transposed,
                        plan.gradient, plan.scaled, plan.sums, plan.targetScores, plan.shifts, plan.gemm)
                })
        },
        linearBinaryCrossEntropy: { KernelsV2.binaryCrossEntropy($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        adamW: { p, g, m, v, count, step in
            KernelsV2.adamW(
                p, g, m, v, count, step.beta1, step.beta2, step.epsilon, 1 - step.learningRate * step.weightDecay,
                step.learningRate / step.correction1, 1 / step.correction2.squareRoot())
        },
        sumOfSquares: { KernelsV2.sumOfSquares($0, $1) },
        itemScores: { KernelsV2.itemScores($0, $1, $2, $3, $4, $5) },
        rankCounts: { KernelsV2.rankCounts($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        peak: { rounds in
            _ = KernelsV2.peak(rounds, 0.99)
            return rounds * KernelsV2.peakVectors * 32
        })
}
