internal import KernelsBaseline

extension Kernels {
    /// Kernels of the KernelsBaseline module: every x86-64 and arm64 CPU.
    static let baseline = Kernels(
        variant: .v2,
        gemm: { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch in
            KernelsBaseline.gemm(layout.rawValue, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch)
        },
        addBias: { KernelsBaseline.addBias($0, $1, $2, $3) },
        addColumnSums: { KernelsBaseline.addColumnSums($0, $1, $2, $3, $4) },
        addColumnProducts: { KernelsBaseline.addColumnProducts($0, $1, $2, $3, $4, $5, $6) },
        layerNorm: { KernelsBaseline.layerNorm($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        layerNormBackward: { KernelsBaseline.layerNormBackward($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        biasGelu: { KernelsBaseline.biasGelu($0, $1, $2, $3, $4) },
        geluBackward: { KernelsBaseline.geluBackward($0, $1, $2, $3) },
        dropoutAdd: { x, base, count, rate, stream, counter, y in
            KernelsBaseline.dropoutAdd(
                x, base, count, Dropout.threshold(rate), 1 / (1 - rate), stream, counter, y)
        },
        attention: { q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, out, ldOut, scratch in
            KernelsBaseline.attention(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, out, ldOut, scratch)
        },
        attentionBackward: {
            q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, dOut, ldOut, dq, dk, dv, scratch in
            KernelsBaseline.attentionBackward(
                q, k, v, ld, length, width, scale, Dropout.threshold(rate), 1 / (1 - rate), stream, counter,
                probabilities, dOut, ldOut, dq, dk, dv, scratch)
        },
        shortAttention: { q, k, v, ld, heads, width, packs, scale, rate, stream, out, ldOut, scratch in
            KernelsBaseline.shortAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, out, ldOut, scratch)
        },
        shortAttentionBackward: {
            q, k, v, ld, heads, width, packs, scale, rate, stream, dOut, ldOut, dq, dk, dv, scratch in
            KernelsBaseline.shortAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, scale, Dropout.threshold(rate),
                1 / (1 - rate), stream, dOut, ldOut, dq, dk, dv, scratch)
        },
        linearCrossEntropy: { h, rows, dim, e, items, targets, scale, dh, de, scratch in
            CrossEntropyPlan(dim: dim, items: items, scratch: scratch).run(
                h, rows, e, targets, dh, largestNorm: KernelsBaseline.largestNorm,
                positions: { plan, chunk, largest in
                    KernelsBaseline.crossEntropyPositions(
                        0, chunk.rows, chunk.h, chunk.rows, dim, e, items, chunk.targets, scale,
                        largest, chunk.dh, plan.probabilities, plan.transposed, plan.gradient, plan.scaled, plan.sums,
                        plan.targetScores, plan.shifts)
                },
                items: { plan, chunk in
                    KernelsBaseline.crossEntropyItems(
                        0, items, chunk.rows, dim, items, de, plan.probabilities, plan.scaled, plan.gemm)
                },
                targets: { KernelsBaseline.subtractTargets(0, items, h, rows, dim, targets, scale, de) })
        },
        linearBinaryCrossEntropy: { KernelsBaseline.binaryCrossEntropy($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        adamW: { p, g, m, v, count, step in
            KernelsBaseline.adamW(
                p, g, m, v, count, step.beta1, step.beta2, step.epsilon, 1 - step.learningRate * step.weightDecay,
                step.learningRate / step.correction1, 1 / step.correction2.squareRoot())
        },
        sumOfSquares: { KernelsBaseline.sumOfSquares($0, $1) },
        itemScores: { KernelsBaseline.itemScores($0, $1, $2, $3, $4, $5) },
        rankCounts: { KernelsBaseline.rankCounts($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        rmsNorm: { KernelsBaseline.rmsNorm($0, $1, $2, $3, $4, $5, $6, $7) },
        rmsNormBackward: { KernelsBaseline.rmsNormBackward($0, $1, $2, $3, $4, $5, $6, $7) },
        biasGeluTanh: { KernelsBaseline.biasGeluTanh($0, $1, $2, $3, $4) },
        geluTanhBackward: { KernelsBaseline.geluTanhBackward($0, $1, $2, $3) },
        biasSilu: { KernelsBaseline.biasSilu($0, $1, $2, $3, $4) },
        siluBackward: { KernelsBaseline.siluBackward($0, $1, $2, $3) },
        swiGLU: { KernelsBaseline.swiGLU($0, $1, $2, $3) },
        swiGLUBackward: { KernelsBaseline.swiGLUBackward($0, $1, $2, $3, $4) },
        multiply: { KernelsBaseline.multiply($0, $1, $2, $3, $4, $5, $6, $7) },
        rotary: { KernelsBaseline.rotary($0, $1, $2, $3, $4, $5, $6, $7) },
        pointwiseAttention: { KernelsBaseline.pointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) },
        pointwiseAttentionBackward: {
            KernelsBaseline.pointwiseAttentionBackward($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        },
        newestAttention: { KernelsBaseline.newestAttention($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        newestPointwiseAttention: { KernelsBaseline.newestPointwiseAttention($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        shortPointwiseAttention: { q, k, v, ld, heads, width, packs, bias, scale, out, ldOut, scratch in
            KernelsBaseline.shortPointwiseAttention(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, out, ldOut, scratch)
        },
        shortPointwiseAttentionBackward: {
            q, k, v, ld, heads, width, packs, bias, scale, dOut, ldOut, dq, dk, dv, dBias, scratch in
            KernelsBaseline.shortPointwiseAttentionBackward(
                q, k, v, ld, heads, width, packs.count, packs.sizes, packs.numbers, bias, scale, dOut, ldOut, dq, dk,
                dv, dBias, scratch)
        },
        gatherScores: { KernelsBaseline.gatherScores($0, $1, $2, $3, $4, $5, $6, $7, $8, $9) },
        pairSlopes: { loss, beta, targetScores, scores, rows, perRow, stride, scratch in
            switch loss {
            case .calibrated:
                return KernelsBaseline.calibratedSlopes(targetScores, scores, rows, perRow, stride, beta)
            case .bpr: return KernelsBaseline.bprSlopes(targetScores, scores, rows, perRow, stride)
            case .top1: return KernelsBaseline.top1Slopes(targetScores, scores, rows, perRow, stride)
            case .top1Max: return KernelsBaseline.top1MaxSlopes(targetScores, scores, rows, perRow, stride)
            case .bprMax:
                KernelsBaseline.bprMaxSlopes(targetScores, scores, rows, perRow, stride, scratch)
                return SampledLosses.negativeLogs(scratch, rows)
            }
        },
        scatterSlopes: { KernelsBaseline.scatterSlopes($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) },
        sampledSoftmaxSlopes: { targetScores, scores, rows, count, stride, targets, negatives, corrections, scratch in
            SampledLosses.crossEntropy(targetScores, rows, scratch) { sums, shifts in
                KernelsBaseline.sampledSoftmaxSlopes(
                    targetScores, scores, rows, count, stride, targets, negatives, corrections, sums, shifts)
            }
        },
        gatherRows: { KernelsBaseline.gatherRows($0, $1, $2, $3, $4) },
        addRows: { KernelsBaseline.addRows($0, $1, $2, $3, $4) },
        clearRows: { KernelsBaseline.clearRows($0, $1, $2, $3) },
        adamWRows: { p, g, m, v, dim, which, count, step in
            KernelsBaseline.adamWRows(
                p, g, m, v, dim, which, count, step.beta1, step.beta2, step.epsilon,
                1 - step.learningRate * step.weightDecay, step.learningRate / step.correction1,
                1 / step.correction2.squareRoot())
        },
        catchUpRows: { KernelsBaseline.catchUpRows($0, $1, $2, $3, $4, $5, $6) },
        peak: { rounds in
            _ = KernelsBaseline.peak(rounds, 0.99)
            return rounds * KernelsBaseline.peakVectors * 32
        })
}
