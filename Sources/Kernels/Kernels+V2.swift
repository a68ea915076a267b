internal import KernelsV2

extension Kernels {
    /// Kernels of the KernelsV2 module: every x86-64 and arm64 CPU.
    static let v2 = Kernels(
        variant: .v2,
        gemm: { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch in
            KernelsV2.gemm(layout.rawValue, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch)
        },
        addBias: { KernelsV2.addBias($0, $1, $2, $3) },
        addColumnSums: { KernelsV2.addColumnSums($0, $1, $2, $3, $4) },
        addColumnProducts: { KernelsV2.addColumnProducts($0, $1, $2, $3, $4, $5, $6) },
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
        shortAttention: { q, k, v, ld, heads, width, packs, scale, rate, stream, out, ldOut, scratch in
            KernelsV2.shortAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, out, ldOut, scratch)
        },
        shortAttentionBackward: {
            q, k, v, ld, heads, width, packs, scale, rate, stream, dOut, ldOut, dq, dk, dv, scratch in
            KernelsV2.shortAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, dOut, ldOut, dq, dk, dv, scratch)
        },
        linearCrossEntropy: { team, h, rows, dim, e, items, targets, scale, dh, de, scratch in
            CrossEntropyPlan(dim: dim, items: items, team: team, scratch: scratch).run(
                h, rows, e, targets, dh, largestNorm: KernelsV2.largestNorm,
                positions: { plan, rows, chunk, largest in
                    KernelsV2.crossEntropyPositions(
                        rows.lowerBound, rows.upperBound, chunk.h, chunk.rows, dim, e, items, chunk.targets, scale,
                        largest, chunk.dh, plan.probabilities, plan.transposed, plan.gradient, plan.scaled, plan.sums,
                        plan.targetScores, plan.shifts)
                },
                items: { plan, range, chunk, scratch in
                    KernelsV2.crossEntropyItems(
                        range.lowerBound, range.upperBound, chunk.rows, dim, items, de, plan.probabilities,
                        plan.scaled, scratch)
                },
                targets: { range in
                    KernelsV2.subtractTargets(range.lowerBound, range.upperBound, h, rows, dim, targets, scale, de)
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
        rmsNorm: { KernelsV2.rmsNorm($0, $1, $2, $3, $4, $5, $6, $7) },
        rmsNormBackward: { KernelsV2.rmsNormBackward($0, $1, $2, $3, $4, $5, $6, $7) },
        biasGeluTanh: { KernelsV2.biasGeluTanh($0, $1, $2, $3, $4) },
        geluTanhBackward: { KernelsV2.geluTanhBackward($0, $1, $2, $3) },
        biasSilu: { KernelsV2.biasSilu($0, $1, $2, $3, $4) },
        siluBackward: { KernelsV2.siluBackward($0, $1, $2, $3) },
        swiGLU: { KernelsV2.swiGLU($0, $1, $2, $3) },
        swiGLUBackward: { KernelsV2.swiGLUBackward($0, $1, $2, $3, $4) },
        multiply: { KernelsV2.multiply($0, $1, $2, $3, $4, $5, $6, $7) },
        rotary: { KernelsV2.rotary($0, $1, $2, $3, $4, $5, $6, $7) },
        pointwiseAttention: { KernelsV2.pointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) },
        pointwiseAttentionBackward: {
            KernelsV2.pointwiseAttentionBackward($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        },
        newestAttention: { KernelsV2.newestAttention($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        newestPointwiseAttention: { KernelsV2.newestPointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        shortPointwiseAttention: { q, k, v, ld, heads, width, packs, bias, scale, out, ldOut, scratch in
            KernelsV2.shortPointwiseAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, out, ldOut, scratch)
        },
        shortPointwiseAttentionBackward: {
            q, k, v, ld, heads, width, packs, bias, scale, dOut, ldOut, dq, dk, dv, dBias, scratch in
            KernelsV2.shortPointwiseAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, dOut, ldOut, dq, dk,
                dv, dBias, scratch)
        },
        gatherScores: { KernelsV2.gatherScores($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        pairSlopes: { loss, beta, targetScores, scores, rows, perRow, stride, scratch in
            switch loss {
            case .calibrated:
                return KernelsV2.calibratedSlopes(targetScores, scores, rows, perRow, stride, beta)
            case .bpr: return KernelsV2.bprSlopes(targetScores, scores, rows, perRow, stride)
            case .top1: return KernelsV2.top1Slopes(targetScores, scores, rows, perRow, stride)
            case .top1Max: return KernelsV2.top1MaxSlopes(targetScores, scores, rows, perRow, stride)
            case .bprMax:
                KernelsV2.bprMaxSlopes(targetScores, scores, rows, perRow, stride, scratch)
                return SampledLosses.negativeLogs(scratch, rows)
            }
        },
        scatterSlopes: { KernelsV2.scatterSlopes($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) },
        sampledSoftmaxSlopes: { targetScores, scores, rows, count, stride, targets, negatives, corrections, scratch in
            SampledLosses.crossEntropy(targetScores, rows, scratch) { sums, shifts in
                KernelsV2.sampledSoftmaxSlopes(
                    targetScores, scores, rows, count, stride, targets, negatives, corrections, sums, shifts)
            }
        },
        gatherRows: { KernelsV2.gatherRows($0, $1, $2, $3, $4) },
        addRows: { KernelsV2.addRows($0, $1, $2, $3, $4) },
        clearRows: { KernelsV2.clearRows($0, $1, $2, $3) },
        adamWRows: { p, g, m, v, dim, which, count, step in
            KernelsV2.adamWRows(
                p, g, m, v, dim, which, count, step.beta1, step.beta2, step.epsilon,
                1 - step.learningRate * step.weightDecay, step.learningRate / step.correction1,
                1 / step.correction2.squareRoot())
        },
        catchUpRows: { KernelsV2.catchUpRows($0, $1, $2, $3, $4, $5, $6) },
        peak: { rounds in
            _ = KernelsV2.peak(rounds, 0.99)
            return rounds * KernelsV2.peakVectors * 32
        })
}
