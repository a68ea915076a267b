internal import KernelsAVX512

extension Kernels {
    /// Kernels of the KernelsAVX512 module: AVX-512.
    static let avx512 = Kernels(
        variant: .v4,
        gemm: { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch in
            KernelsAVX512.gemm(layout.rawValue, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch)
        },
        addBias: { KernelsAVX512.addBias($0, $1, $2, $3) },
        addColumnSums: { KernelsAVX512.addColumnSums($0, $1, $2, $3, $4) },
        addColumnProducts: { KernelsAVX512.addColumnProducts($0, $1, $2, $3, $4, $5, $6) },
        layerNorm: { KernelsAVX512.layerNorm($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        layerNormBackward: { KernelsAVX512.layerNormBackward($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        biasGelu: { KernelsAVX512.biasGelu($0, $1, $2, $3, $4) },
        geluBackward: { KernelsAVX512.geluBackward($0, $1, $2, $3) },
        dropoutAdd: { x, base, count, rate, stream, counter, y in
            KernelsAVX512.dropoutAdd(
                x, base, count, Dropout.threshold(rate), 1 / (1 - rate), stream, counter, y)
        },
        attention: { q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, out, ldOut, scratch in
            KernelsAVX512.attention(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, out, ldOut, scratch)
        },
        attentionBackward: {
            q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, dOut, ldOut, dq, dk, dv, scratch in
            KernelsAVX512.attentionBackward(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, dOut, ldOut, dq, dk, dv, scratch)
        },
        shortAttention: { q, k, v, ld, heads, width, packs, scale, rate, stream, out, ldOut, scratch in
            KernelsAVX512.shortAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, out, ldOut, scratch)
        },
        shortAttentionBackward: {
            q, k, v, ld, heads, width, packs, scale, rate, stream, dOut, ldOut, dq, dk, dv, scratch in
            KernelsAVX512.shortAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, dOut, ldOut, dq, dk, dv, scratch)
        },
        linearCrossEntropy: { h, rows, dim, e, items, targets, scale, dh, de, scratch in
            CrossEntropyPlan(dim: dim, items: items, scratch: scratch).run(
                h, rows, e, targets, dh, largestNorm: KernelsAVX512.largestNorm,
                positions: { plan, chunk, largest in
                    KernelsAVX512.crossEntropyPositions(
                        0, chunk.rows, chunk.h, chunk.rows, dim, e, items, chunk.targets, scale,
                        largest, chunk.dh, plan.probabilities, plan.transposed, plan.gradient, plan.scaled, plan.sums,
                        plan.targetScores, plan.shifts)
                },
                items: { plan, chunk in
                    KernelsAVX512.crossEntropyItems(
                        0, items, chunk.rows, dim, items, de, plan.probabilities, plan.scaled, plan.gemm)
                },
                targets: { KernelsAVX512.subtractTargets(0, items, h, rows, dim, targets, scale, de) })
        },
        linearBinaryCrossEntropy: { KernelsAVX512.binaryCrossEntropy($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        adamW: { p, g, m, v, count, step in
            KernelsAVX512.adamW(
                p, g, m, v, count, step.beta1, step.beta2, step.epsilon, 1 - step.learningRate * step.weightDecay,
                step.learningRate / step.correction1, 1 / step.correction2.squareRoot())
        },
        sumOfSquares: { KernelsAVX512.sumOfSquares($0, $1) },
        itemScores: { KernelsAVX512.itemScores($0, $1, $2, $3, $4, $5) },
        rankCounts: { KernelsAVX512.rankCounts($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        rmsNorm: { KernelsAVX512.rmsNorm($0, $1, $2, $3, $4, $5, $6, $7) },
        rmsNormBackward: { KernelsAVX512.rmsNormBackward($0, $1, $2, $3, $4, $5, $6, $7) },
        biasGeluTanh: { KernelsAVX512.biasGeluTanh($0, $1, $2, $3, $4) },
        geluTanhBackward: { KernelsAVX512.geluTanhBackward($0, $1, $2, $3) },
        biasSilu: { KernelsAVX512.biasSilu($0, $1, $2, $3, $4) },
        siluBackward: { KernelsAVX512.siluBackward($0, $1, $2, $3) },
        swiGLU: { KernelsAVX512.swiGLU($0, $1, $2, $3) },
        swiGLUBackward: { KernelsAVX512.swiGLUBackward($0, $1, $2, $3, $4) },
        multiply: { KernelsAVX512.multiply($0, $1, $2, $3, $4, $5, $6, $7) },
        rotary: { KernelsAVX512.rotary($0, $1, $2, $3, $4, $5, $6, $7) },
        pointwiseAttention: { KernelsAVX512.pointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) },
        pointwiseAttentionBackward: {
            KernelsAVX512.pointwiseAttentionBackward($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        },
        newestAttention: { KernelsAVX512.newestAttention($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        newestPointwiseAttention: { KernelsAVX512.newestPointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        shortPointwiseAttention: { q, k, v, ld, heads, width, packs, bias, scale, out, ldOut, scratch in
            KernelsAVX512.shortPointwiseAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, out, ldOut, scratch)
        },
        shortPointwiseAttentionBackward: {
            q, k, v, ld, heads, width, packs, bias, scale, dOut, ldOut, dq, dk, dv, dBias, scratch in
            KernelsAVX512.shortPointwiseAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, dOut, ldOut, dq, dk,
                dv, dBias, scratch)
        },
        gatherScores: { KernelsAVX512.gatherScores($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        pairSlopes: { loss, beta, targetScores, scores, rows, perRow, stride, scratch in
            switch loss {
            case .calibrated:
                return KernelsAVX512.calibratedSlopes(targetScores, scores, rows, perRow, stride, beta)
            case .bpr: return KernelsAVX512.bprSlopes(targetScores, scores, rows, perRow, stride)
            case .top1: return KernelsAVX512.top1Slopes(targetScores, scores, rows, perRow, stride)
            case .top1Max: return KernelsAVX512.top1MaxSlopes(targetScores, scores, rows, perRow, stride)
            case .bprMax:
                KernelsAVX512.bprMaxSlopes(targetScores, scores, rows, perRow, stride, scratch)
                return SampledLosses.negativeLogs(scratch, rows)
            }
        },
        scatterSlopes: { KernelsAVX512.scatterSlopes($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) },
        sampledSoftmaxSlopes: { targetScores, scores, rows, count, stride, targets, negatives, corrections, scratch in
            SampledLosses.crossEntropy(targetScores, rows, scratch) { sums, shifts in
                KernelsAVX512.sampledSoftmaxSlopes(
                    targetScores, scores, rows, count, stride, targets, negatives, corrections, sums, shifts)
            }
        },
        gatherRows: { KernelsAVX512.gatherRows($0, $1, $2, $3, $4) },
        addRows: { KernelsAVX512.addRows($0, $1, $2, $3, $4) },
        clearRows: { KernelsAVX512.clearRows($0, $1, $2, $3) },
        adamWRows: { p, g, m, v, dim, which, count, step in
            KernelsAVX512.adamWRows(
                p, g, m, v, dim, which, count, step.beta1, step.beta2, step.epsilon,
                1 - step.learningRate * step.weightDecay, step.learningRate / step.correction1,
                1 / step.correction2.squareRoot())
        },
        catchUpRows: { KernelsAVX512.catchUpRows($0, $1, $2, $3, $4, $5, $6) },
        peak: { rounds in
            _ = KernelsAVX512.peak(rounds, 0.99)
            return rounds * KernelsAVX512.peakVectors * 32
        })
}
