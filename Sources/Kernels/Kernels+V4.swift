internal import KernelsV4

extension Kernels {
    /// Kernels of the KernelsV4 module: AVX-512.
    static let v4 = Kernels(
        variant: .v4,
        gemm: { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch in
            KernelsV4.gemm(layout.rawValue, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch)
        },
        addBias: { KernelsV4.addBias($0, $1, $2, $3) },
        addColumnSums: { KernelsV4.addColumnSums($0, $1, $2, $3, $4) },
        addColumnProducts: { KernelsV4.addColumnProducts($0, $1, $2, $3, $4, $5, $6) },
        layerNorm: { KernelsV4.layerNorm($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        layerNormBackward: { KernelsV4.layerNormBackward($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        biasGelu: { KernelsV4.biasGelu($0, $1, $2, $3, $4) },
        geluBackward: { KernelsV4.geluBackward($0, $1, $2, $3) },
        dropoutAdd: { x, base, count, rate, stream, counter, y in
            KernelsV4.dropoutAdd(
                x, base, count, Dropout.threshold(rate), 1 / (1 - rate), stream, counter, y)
        },
        attention: { q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, out, ldOut, scratch in
            KernelsV4.attention(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, out, ldOut, scratch)
        },
        attentionBackward: {
            q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, dOut, ldOut, dq, dk, dv, scratch in
            KernelsV4.attentionBackward(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, dOut, ldOut, dq, dk, dv, scratch)
        },
        shortAttention: { q, k, v, ld, heads, width, packs, scale, rate, stream, out, ldOut, scratch in
            KernelsV4.shortAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, out, ldOut, scratch)
        },
        shortAttentionBackward: {
            q, k, v, ld, heads, width, packs, scale, rate, stream, dOut, ldOut, dq, dk, dv, scratch in
            KernelsV4.shortAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, dOut, ldOut, dq, dk, dv, scratch)
        },
        linearCrossEntropy: { team, h, rows, dim, e, items, targets, scale, dh, de, scratch in
            CrossEntropyPlan(dim: dim, items: items, team: team, scratch: scratch).run(
                h, rows, e, targets, dh, largestNorm: KernelsV4.largestNorm,
                positions: { plan, rows, chunk, largest in
                    KernelsV4.crossEntropyPositions(
                        rows.lowerBound, rows.upperBound, chunk.h, chunk.rows, dim, e, items, chunk.targets, scale,
                        largest, chunk.dh, plan.probabilities, plan.transposed, plan.gradient, plan.scaled, plan.sums,
                        plan.targetScores, plan.shifts)
                },
                items: { plan, range, chunk, scratch in
                    KernelsV4.crossEntropyItems(
                        range.lowerBound, range.upperBound, chunk.rows, dim, items, de, plan.probabilities,
                        plan.scaled, scratch)
                },
                targets: { range in
                    KernelsV4.subtractTargets(range.lowerBound, range.upperBound, h, rows, dim, targets, scale, de)
                })
        },
        linearBinaryCrossEntropy: { KernelsV4.binaryCrossEntropy($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        adamW: { p, g, m, v, count, step in
            KernelsV4.adamW(
                p, g, m, v, count, step.beta1, step.beta2, step.epsilon, 1 - step.learningRate * step.weightDecay,
                step.learningRate / step.correction1, 1 / step.correction2.squareRoot())
        },
        sumOfSquares: { KernelsV4.sumOfSquares($0, $1) },
        itemScores: { KernelsV4.itemScores($0, $1, $2, $3, $4, $5) },
        rankCounts: { KernelsV4.rankCounts($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        rmsNorm: { KernelsV4.rmsNorm($0, $1, $2, $3, $4, $5, $6, $7) },
        rmsNormBackward: { KernelsV4.rmsNormBackward($0, $1, $2, $3, $4, $5, $6, $7) },
        biasGeluTanh: { KernelsV4.biasGeluTanh($0, $1, $2, $3, $4) },
        geluTanhBackward: { KernelsV4.geluTanhBackward($0, $1, $2, $3) },
        biasSilu: { KernelsV4.biasSilu($0, $1, $2, $3, $4) },
        siluBackward: { KernelsV4.siluBackward($0, $1, $2, $3) },
        swiGLU: { KernelsV4.swiGLU($0, $1, $2, $3) },
        swiGLUBackward: { KernelsV4.swiGLUBackward($0, $1, $2, $3, $4) },
        multiply: { KernelsV4.multiply($0, $1, $2, $3, $4, $5, $6, $7) },
        rotary: { KernelsV4.rotary($0, $1, $2, $3, $4, $5, $6, $7) },
        pointwiseAttention: { KernelsV4.pointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) },
        pointwiseAttentionBackward: {
            KernelsV4.pointwiseAttentionBackward($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        },
        newestAttention: { KernelsV4.newestAttention($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        newestPointwiseAttention: { KernelsV4.newestPointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        shortPointwiseAttention: { q, k, v, ld, heads, width, packs, bias, scale, out, ldOut, scratch in
            KernelsV4.shortPointwiseAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, out, ldOut, scratch)
        },
        shortPointwiseAttentionBackward: {
            q, k, v, ld, heads, width, packs, bias, scale, dOut, ldOut, dq, dk, dv, dBias, scratch in
            KernelsV4.shortPointwiseAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, dOut, ldOut, dq, dk,
                dv, dBias, scratch)
        },
        gatherScores: { KernelsV4.gatherScores($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        pairSlopes: { loss, beta, targetScores, scores, rows, perRow, stride, scratch in
            switch loss {
            case .calibrated:
                return KernelsV4.calibratedSlopes(targetScores, scores, rows, perRow, stride, beta)
            case .bpr: return KernelsV4.bprSlopes(targetScores, scores, rows, perRow, stride)
            case .top1: return KernelsV4.top1Slopes(targetScores, scores, rows, perRow, stride)
            case .top1Max: return KernelsV4.top1MaxSlopes(targetScores, scores, rows, perRow, stride)
            case .bprMax:
                KernelsV4.bprMaxSlopes(targetScores, scores, rows, perRow, stride, scratch)
                return SampledLosses.negativeLogs(scratch, rows)
            }
        },
        scatterSlopes: { KernelsV4.scatterSlopes($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) },
        sampledSoftmaxSlopes: { targetScores, scores, rows, count, stride, targets, negatives, corrections, scratch in
            SampledLosses.crossEntropy(targetScores, rows, scratch) { sums, shifts in
                KernelsV4.sampledSoftmaxSlopes(
                    targetScores, scores, rows, count, stride, targets, negatives, corrections, sums, shifts)
            }
        },
        gatherRows: { KernelsV4.gatherRows($0, $1, $2, $3, $4) },
        addRows: { KernelsV4.addRows($0, $1, $2, $3, $4) },
        clearRows: { KernelsV4.clearRows($0, $1, $2, $3) },
        adamWRows: { p, g, m, v, dim, which, count, step in
            KernelsV4.adamWRows(
                p, g, m, v, dim, which, count, step.beta1, step.beta2, step.epsilon,
                1 - step.learningRate * step.weightDecay, step.learningRate / step.correction1,
                1 / step.correction2.squareRoot())
        },
        catchUpRows: { KernelsV4.catchUpRows($0, $1, $2, $3, $4, $5, $6) },
        peak: { rounds in
            _ = KernelsV4.peak(rounds, 0.99)
            return rounds * KernelsV4.peakVectors * 32
        })
}
