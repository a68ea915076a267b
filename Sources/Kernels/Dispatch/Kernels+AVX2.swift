internal import KernelsAVX2

extension Kernels {
    /// Kernels of the KernelsAVX2 module: AVX2 and FMA.
    static let avx2 = Kernels(
        variant: .v3,
        gemm: { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch in
            KernelsAVX2.gemm(layout.rawValue, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch)
        },
        addBias: { KernelsAVX2.addBias($0, $1, $2, $3) },
        addColumnSums: { KernelsAVX2.addColumnSums($0, $1, $2, $3, $4) },
        addColumnProducts: { KernelsAVX2.addColumnProducts($0, $1, $2, $3, $4, $5, $6) },
        layerNorm: { KernelsAVX2.layerNorm($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        layerNormBackward: { KernelsAVX2.layerNormBackward($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        biasGelu: { KernelsAVX2.biasGelu($0, $1, $2, $3, $4) },
        geluBackward: { KernelsAVX2.geluBackward($0, $1, $2, $3) },
        dropoutAdd: { x, base, count, rate, stream, counter, y in
            KernelsAVX2.dropoutAdd(
                x, base, count, Dropout.threshold(rate), 1 / (1 - rate), stream, counter, y)
        },
        attention: { q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, out, ldOut, scratch in
            KernelsAVX2.attention(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, out, ldOut, scratch)
        },
        attentionBackward: {
            q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, dOut, ldOut, dq, dk, dv, scratch in
            KernelsAVX2.attentionBackward(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, dOut, ldOut, dq, dk, dv, scratch)
        },
        shortAttention: { q, k, v, ld, heads, width, packs, scale, rate, stream, out, ldOut, scratch in
            KernelsAVX2.shortAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, out, ldOut, scratch)
        },
        shortAttentionBackward: {
            q, k, v, ld, heads, width, packs, scale, rate, stream, dOut, ldOut, dq, dk, dv, scratch in
            KernelsAVX2.shortAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, dOut, ldOut, dq, dk, dv, scratch)
        },
        linearCrossEntropy: { h, rows, dim, e, items, targets, scale, dh, de, scratch in
            CrossEntropyPlan(dim: dim, items: items, scratch: scratch).run(
                h, rows, e, targets, dh, largestNorm: KernelsAVX2.largestNorm,
                positions: { plan, chunk, largest in
                    KernelsAVX2.crossEntropyPositions(
                        0, chunk.rows, chunk.h, chunk.rows, dim, e, items, chunk.targets, scale,
                        largest, chunk.dh, plan.probabilities, plan.transposed, plan.gradient, plan.scaled, plan.sums,
                        plan.targetScores, plan.shifts)
                },
                items: { plan, chunk in
                    KernelsAVX2.crossEntropyItems(
                        0, items, chunk.rows, dim, items, de, plan.probabilities, plan.scaled, plan.gemm)
                },
                targets: { KernelsAVX2.subtractTargets(0, items, h, rows, dim, targets, scale, de) })
        },
        linearBinaryCrossEntropy: { KernelsAVX2.binaryCrossEntropy($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        adamW: { p, g, m, v, count, step in
            KernelsAVX2.adamW(
                p, g, m, v, count, step.beta1, step.beta2, step.epsilon, 1 - step.learningRate * step.weightDecay,
                step.learningRate / step.correction1, 1 / step.correction2.squareRoot())
        },
        sumOfSquares: { KernelsAVX2.sumOfSquares($0, $1) },
        itemScores: { KernelsAVX2.itemScores($0, $1, $2, $3, $4, $5) },
        rankCounts: { KernelsAVX2.rankCounts($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        rmsNorm: { KernelsAVX2.rmsNorm($0, $1, $2, $3, $4, $5, $6, $7) },
        rmsNormBackward: { KernelsAVX2.rmsNormBackward($0, $1, $2, $3, $4, $5, $6, $7) },
        biasGeluTanh: { KernelsAVX2.biasGeluTanh($0, $1, $2, $3, $4) },
        geluTanhBackward: { KernelsAVX2.geluTanhBackward($0, $1, $2, $3) },
        biasSilu: { KernelsAVX2.biasSilu($0, $1, $2, $3, $4) },
        siluBackward: { KernelsAVX2.siluBackward($0, $1, $2, $3) },
        swiGLU: { KernelsAVX2.swiGLU($0, $1, $2, $3) },
        swiGLUBackward: { KernelsAVX2.swiGLUBackward($0, $1, $2, $3, $4) },
        multiply: { KernelsAVX2.multiply($0, $1, $2, $3, $4, $5, $6, $7) },
        rotary: { KernelsAVX2.rotary($0, $1, $2, $3, $4, $5, $6, $7) },
        pointwiseAttention: { KernelsAVX2.pointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) },
        pointwiseAttentionBackward: {
            KernelsAVX2.pointwiseAttentionBackward($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        },
        newestAttention: { KernelsAVX2.newestAttention($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        newestPointwiseAttention: { KernelsAVX2.newestPointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        shortPointwiseAttention: { q, k, v, ld, heads, width, packs, bias, scale, out, ldOut, scratch in
            KernelsAVX2.shortPointwiseAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, out, ldOut, scratch)
        },
        shortPointwiseAttentionBackward: {
            q, k, v, ld, heads, width, packs, bias, scale, dOut, ldOut, dq, dk, dv, dBias, scratch in
            KernelsAVX2.shortPointwiseAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, dOut, ldOut, dq, dk,
                dv, dBias, scratch)
        },
        gatherScores: { KernelsAVX2.gatherScores($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        pairSlopes: { loss, beta, targetScores, scores, rows, perRow, stride, scratch in
            switch loss {
            case .calibrated:
                return KernelsAVX2.calibratedSlopes(targetScores, scores, rows, perRow, stride, beta)
            case .bpr: return KernelsAVX2.bprSlopes(targetScores, scores, rows, perRow, stride)
            case .top1: return KernelsAVX2.top1Slopes(targetScores, scores, rows, perRow, stride)
            case .top1Max: return KernelsAVX2.top1MaxSlopes(targetScores, scores, rows, perRow, stride)
            case .bprMax:
                KernelsAVX2.bprMaxSlopes(targetScores, scores, rows, perRow, stride, scratch)
                return SampledLosses.negativeLogs(scratch, rows)
            }
        },
        scatterSlopes: { KernelsAVX2.scatterSlopes($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) },
        sampledSoftmaxSlopes: { targetScores, scores, rows, count, stride, targets, negatives, corrections, scratch in
            SampledLosses.crossEntropy(targetScores, rows, scratch) { sums, shifts in
                KernelsAVX2.sampledSoftmaxSlopes(
                    targetScores, scores, rows, count, stride, targets, negatives, corrections, sums, shifts)
            }
        },
        gatherRows: { KernelsAVX2.gatherRows($0, $1, $2, $3, $4) },
        addRows: { KernelsAVX2.addRows($0, $1, $2, $3, $4) },
        clearRows: { KernelsAVX2.clearRows($0, $1, $2, $3) },
        adamWRows: { p, g, m, v, dim, which, count, step in
            KernelsAVX2.adamWRows(
                p, g, m, v, dim, which, count, step.beta1, step.beta2, step.epsilon,
                1 - step.learningRate * step.weightDecay, step.learningRate / step.correction1,
                1 / step.correction2.squareRoot())
        },
        catchUpRows: { KernelsAVX2.catchUpRows($0, $1, $2, $3, $4, $5, $6) },
        peak: { rounds in
            _ = KernelsAVX2.peak(rounds, 0.99)
            return rounds * KernelsAVX2.peakVectors * 32
        })
}
