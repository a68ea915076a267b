internal import KernelsV3

extension Kernels {
    /// Kernels of the KernelsV3 module: AVX2 and FMA.
    static let v3 = Kernels(
        variant: .v3,
        gemm: { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch in
            KernelsV3.gemm(layout.rawValue, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch)
        },
        addBias: { KernelsV3.addBias($0, $1, $2, $3) },
        addColumnSums: { KernelsV3.addColumnSums($0, $1, $2, $3, $4) },
        addColumnProducts: { KernelsV3.addColumnProducts($0, $1, $2, $3, $4, $5, $6) },
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
        shortAttention: { q, k, v, ld, heads, width, packs, scale, rate, stream, out, ldOut, scratch in
            KernelsV3.shortAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, out, ldOut, scratch)
        },
        shortAttentionBackward: {
            q, k, v, ld, heads, width, packs, scale, rate, stream, dOut, ldOut, dq, dk, dv, scratch in
            KernelsV3.shortAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, dOut, ldOut, dq, dk, dv, scratch)
        },
        linearCrossEntropy: { team, h, rows, dim, e, items, targets, scale, dh, de, scratch in
            CrossEntropyPlan(dim: dim, items: items, team: team, scratch: scratch).run(
                h, rows, e, targets, dh, largestNorm: KernelsV3.largestNorm,
                positions: { plan, rows, chunk, largest in
                    KernelsV3.crossEntropyPositions(
                        rows.lowerBound, rows.upperBound, chunk.h, chunk.rows, dim, e, items, chunk.targets, scale,
                        largest, chunk.dh, plan.probabilities, plan.transposed, plan.gradient, plan.scaled, plan.sums,
                        plan.targetScores, plan.shifts)
                },
                items: { plan, range, chunk, scratch in
                    KernelsV3.crossEntropyItems(
                        range.lowerBound, range.upperBound, chunk.rows, dim, items, de, plan.probabilities,
                        plan.scaled, scratch)
                },
                targets: { range in
                    KernelsV3.subtractTargets(range.lowerBound, range.upperBound, h, rows, dim, targets, scale, de)
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
        rmsNorm: { KernelsV3.rmsNorm($0, $1, $2, $3, $4, $5, $6, $7) },
        rmsNormBackward: { KernelsV3.rmsNormBackward($0, $1, $2, $3, $4, $5, $6, $7) },
        biasGeluTanh: { KernelsV3.biasGeluTanh($0, $1, $2, $3, $4) },
        geluTanhBackward: { KernelsV3.geluTanhBackward($0, $1, $2, $3) },
        biasSilu: { KernelsV3.biasSilu($0, $1, $2, $3, $4) },
        siluBackward: { KernelsV3.siluBackward($0, $1, $2, $3) },
        swiGLU: { KernelsV3.swiGLU($0, $1, $2, $3) },
        swiGLUBackward: { KernelsV3.swiGLUBackward($0, $1, $2, $3, $4) },
        multiply: { KernelsV3.multiply($0, $1, $2, $3, $4, $5, $6, $7) },
        rotary: { KernelsV3.rotary($0, $1, $2, $3, $4, $5, $6, $7) },
        pointwiseAttention: { KernelsV3.pointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) },
        pointwiseAttentionBackward: {
            KernelsV3.pointwiseAttentionBackward($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        },
        newestAttention: { KernelsV3.newestAttention($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        newestPointwiseAttention: { KernelsV3.newestPointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        shortPointwiseAttention: { q, k, v, ld, heads, width, packs, bias, scale, out, ldOut, scratch in
            KernelsV3.shortPointwiseAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, out, ldOut, scratch)
        },
        shortPointwiseAttentionBackward: {
            q, k, v, ld, heads, width, packs, bias, scale, dOut, ldOut, dq, dk, dv, dBias, scratch in
            KernelsV3.shortPointwiseAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, dOut, ldOut, dq, dk,
                dv, dBias, scratch)
        },
        gatherScores: { KernelsV3.gatherScores($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        pairSlopes: { loss, beta, targetScores, scores, rows, perRow, stride, scratch in
            switch loss {
            case .calibrated:
                return KernelsV3.calibratedSlopes(targetScores, scores, rows, perRow, stride, beta)
            case .bpr: return KernelsV3.bprSlopes(targetScores, scores, rows, perRow, stride)
            case .top1: return KernelsV3.top1Slopes(targetScores, scores, rows, perRow, stride)
            case .top1Max: return KernelsV3.top1MaxSlopes(targetScores, scores, rows, perRow, stride)
            case .bprMax:
                KernelsV3.bprMaxSlopes(targetScores, scores, rows, perRow, stride, scratch)
                return SampledLosses.negativeLogs(scratch, rows)
            }
        },
        scatterSlopes: { KernelsV3.scatterSlopes($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) },
        sampledSoftmaxSlopes: { targetScores, scores, rows, count, stride, targets, negatives, corrections, scratch in
            SampledLosses.crossEntropy(targetScores, rows, scratch) { sums, shifts in
                KernelsV3.sampledSoftmaxSlopes(
                    targetScores, scores, rows, count, stride, targets, negatives, corrections, sums, shifts)
            }
        },
        gatherRows: { KernelsV3.gatherRows($0, $1, $2, $3, $4) },
        addRows: { KernelsV3.addRows($0, $1, $2, $3, $4) },
        clearRows: { KernelsV3.clearRows($0, $1, $2, $3) },
        adamWRows: { p, g, m, v, dim, which, count, step in
            KernelsV3.adamWRows(
                p, g, m, v, dim, which, count, step.beta1, step.beta2, step.epsilon,
                1 - step.learningRate * step.weightDecay, step.learningRate / step.correction1,
                1 / step.correction2.squareRoot())
        },
        catchUpRows: { KernelsV3.catchUpRows($0, $1, $2, $3, $4, $5, $6) },
        peak: { rounds in
            _ = KernelsV3.peak(rounds, 0.99)
            return rounds * KernelsV3.peakVectors * 32
        })
}
