internal import Glibc

// The naive twins of the products and the output layer: what each kernel means, in the plainest words.

enum Naive {
    static func gemm(
        _ layout: Kernels.Layout, _ m: Int, _ n: Int, _ k: Int, _ a: Kernels.In, _ lda: Int, _ b: Kernels.In,
        _ ldb: Int, _ c: Kernels.Out, _ ldc: Int, _ accumulate: Bool
    ) {
        for i in 0..<m {
            for j in 0..<n {
                var sum = accumulate ? Double(c[i * ldc + j]) : 0
                for l in 0..<k {
                    let x = layout == .tn ? a[l * lda + i] : a[i * lda + l]
                    let y = layout == .nt ? b[j * ldb + l] : b[l * ldb + j]
                    sum += Double(x) * Double(y)
                }
                c[i * ldc + j] = Float(sum)
            }
        }
    }

    static func dot(_ a: Kernels.In, _ b: Kernels.In, _ count: Int) -> Double {
        (0..<count).reduce(0) { $0 + Double(a[$1]) * Double(b[$1]) }
    }

    static func linearCrossEntropy(
        _ h: Kernels.In, _ rows: Int, _ dim: Int, _ e: Kernels.In, _ items: Int, _ targets: UnsafePointer<Int32>,
        _ scale: Float, _ dh: Kernels.Out, _ de: Kernels.Out
    ) -> Double {
        var loss = 0.0
        var gradient = [Double](repeating: 0, count: items * dim)
        for r in 0..<rows {
            let logits = (0..<items).map { dot(h + r * dim, e + $0 * dim, dim) }
            let largest = logits.max() ?? 0
            let exponentials = logits.map { exp($0 - largest) }
            let sum = exponentials.reduce(0, +)
            let target = Int(targets[r])
            loss += log(sum) + largest - logits[target]
            var row = [Double](repeating: 0, count: dim)
            for item in 0..<items {
                let slope = (exponentials[item] / sum - (item == target ? 1 : 0)) * Double(scale)
                for k in 0..<dim {
                    row[k] += slope * Double(e[item * dim + k])
                    gradient[item * dim + k] += slope * Double(h[r * dim + k])
                }
            }
            for k in 0..<dim { dh[r * dim + k] = Float(row[k]) }
        }
        for index in gradient.indices { de[index] += Float(gradient[index]) }
        return loss
    }

    static func linearBinaryCrossEntropy(
        _ h: Kernels.In, _ rows: Int, _ dim: Int, _ e: Kernels.In, _ targets: UnsafePointer<Int32>,
        _ negatives: UnsafePointer<Int32>, _ perRow: Int, _ scale: Float, _ dh: Kernels.Out, _ de: Kernels.Out
    ) -> Double {
        var loss = 0.0
        for r in 0..<rows {
            var row = [Double](repeating: 0, count: dim)
            let pairs = [(Int(targets[r]), 1.0)] + (0..<perRow).map { (Int(negatives[r * perRow + $0]), 0.0) }
            for (item, label) in pairs {
                let s = dot(h + r * dim, e + item * dim, dim)
                let sigmoid = 1 / (1 + exp(-s))
                loss -= label == 1 ? log(sigmoid) : log(1 - sigmoid)
                let slope = (sigmoid - label) * Double(scale)
                for k in 0..<dim {
                    row[k] += slope * Double(e[item * dim + k])
                    de[item * dim + k] += Float(slope * Double(h[r * dim + k]))
                }
            }
            for k in 0..<dim { dh[r * dim + k] = Float(row[k]) }
        }
        return loss
    }

    static func itemScores(
        _ h: Kernels.In, _ dim: Int, _ e: Kernels.In, _ which: UnsafePointer<Int32>, _ count: Int, _ scores: Kernels.Out
    ) {
        for i in 0..<count { scores[i] = Float(dot(h, e + Int(which[i]) * dim, dim)) }
    }

    static func rankCounts(
        _ h: Kernels.In, _ rows: Int, _ dim: Int, _ e: Kernels.In, _ items: Int, _ thresholds: Kernels.In,
        _ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>
    ) -> Bool {
        var finite = true
        for r in 0..<rows {
            greater[r] = 0
            equal[r] = 0
            for item in 0..<items {
                let score = Float(dot(h + r * dim, e + item * dim, dim))
                if !score.isFinite { finite = false }
                if score > thresholds[r] { greater[r] += 1 }
                if score == thresholds[r] { equal[r] += 1 }
            }
        }
        return finite
    }
}

extension Kernels {
    /// The oracle: every kernel in plain loops and double precision, for tests and for reading.
    package static let naive = Kernels(
        variant: .naive,
        gemm: { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, _ in
            Naive.gemm(layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate)
        },
        addBias: Naive.addBias,
        addColumnSums: Naive.addColumnSums, addColumnProducts: Naive.addColumnProducts,
        layerNorm: Naive.layerNorm,
        layerNormBackward: Naive.layerNormBackward,
        biasGelu: Naive.biasGelu,
        geluBackward: Naive.geluBackward,
        dropoutAdd: Naive.dropoutAdd,
        attention: { q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, out, ldOut, _ in
            Naive.attention(
                q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, out, ldOut)
        },
        attentionBackward: {
            q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, dOut, ldOut, dq, dk, dv, _ in
            Naive.attentionBackward(
                q, k, v, ld, length, width, scale, rate, stream, counter, probabilities, dOut, ldOut, dq, dk, dv)
        },
        shortAttention: { q, k, v, ld, heads, width, packs, scale, rate, stream, out, ldOut, _ in
            Naive.shortAttention(q, k, v, ld, heads, width, packs, scale, rate, stream, out, ldOut)
        },
        shortAttentionBackward: {
            q, k, v, ld, heads, width, packs, scale, rate, stream, dOut, ldOut, dq, dk, dv, _ in
            Naive.shortAttentionBackward(
                q, k, v, ld, heads, width, packs, scale, rate, stream, dOut, ldOut, dq, dk, dv)
        },
        linearCrossEntropy: { h, rows, dim, e, items, targets, scale, dh, de, _ in
            Naive.linearCrossEntropy(h, rows, dim, e, items, targets, scale, dh, de)
        },
        linearBinaryCrossEntropy: Naive.linearBinaryCrossEntropy,
        adamW: Naive.adamW,
        sumOfSquares: { x, count in Naive.dot(x, x, count) },
        itemScores: Naive.itemScores,
        rankCounts: { h, rows, dim, e, items, thresholds, greater, equal, _ in
            Naive.rankCounts(h, rows, dim, e, items, thresholds, greater, equal)
        },
        rmsNorm: Naive.rmsNorm,
        rmsNormBackward: Naive.rmsNormBackward,
        biasGeluTanh: Naive.biasGeluTanh,
        geluTanhBackward: Naive.geluTanhBackward,
        biasSilu: Naive.biasSilu,
        siluBackward: Naive.siluBackward,
        swiGLU: Naive.swiGLU,
        swiGLUBackward: Naive.swiGLUBackward,
        multiply: Naive.multiply,
        rotary: Naive.rotary,
        pointwiseAttention: { q, k, v, ld, length, width, bias, scale, scores, out, ldOut, _ in
            Naive.pointwiseAttention(q, k, v, ld, length, width, bias, scale, scores, out, ldOut)
        },
        pointwiseAttentionBackward: {
            q, k, v, ld, length, width, scale, scores, dOut, ldOut, dq, dk, dv, dBias, _ in
            Naive.pointwiseAttentionBackward(
                q, k, v, ld, length, width, scale, scores, dOut, ldOut, dq, dk, dv, dBias)
        },
        newestAttention: { q, k, v, ld, length, width, scale, out, _ in
            Naive.newestAttention(q, k, v, ld, length, width, scale, out)
        },
        newestPointwiseAttention: { q, k, v, ld, length, width, bias, scale, out, _ in
            Naive.newestPointwiseAttention(q, k, v, ld, length, width, bias, scale, out)
        },
        shortPointwiseAttention: { q, k, v, ld, heads, width, packs, bias, scale, out, ldOut, _ in
            Naive.shortPointwiseAttention(q, k, v, ld, heads, width, packs, bias, scale, out, ldOut)
        },
        shortPointwiseAttentionBackward: {
            q, k, v, ld, heads, width, packs, bias, scale, dOut, ldOut, dq, dk, dv, dBias, _ in
            Naive.shortPointwiseAttentionBackward(
                q, k, v, ld, heads, width, packs, bias, scale, dOut, ldOut, dq, dk, dv, dBias)
        },
        gatherScores: Naive.gatherScores,
        pairSlopes: { loss, beta, targetScores, scores, rows, perRow, stride, _ in
            Naive.pairSlopes(loss, beta, targetScores, scores, rows, perRow, stride)
        },
        scatterSlopes: Naive.scatterSlopes,
        sampledSoftmaxSlopes: { targetScores, scores, rows, count, stride, targets, negatives, corrections, _ in
            Naive.sampledSoftmaxSlopes(
                targetScores, scores, rows, count, stride, targets, negatives, corrections)
        },
        gatherRows: { e, dim, which, count, out in
            for i in 0..<count { (out + i * dim).update(from: e + Int(which[i]) * dim, count: dim) }
        },
        addRows: { x, dim, which, count, e in
            for i in 0..<count { for k in 0..<dim { e[Int(which[i]) * dim + k] += x[i * dim + k] } }
        },
        clearRows: { x, dim, which, count in
            for i in 0..<count { (x + Int(which[i]) * dim).update(repeating: 0, count: dim) }
        },
        adamWRows: { p, g, m, v, dim, which, count, step in
            for i in 0..<count {
                let start = Int(which[i]) * dim
                Naive.adamW(p + start, g + start, m + start, v + start, dim, step)
            }
        },
        catchUpRows: Naive.catchUpRows,
        peak: { rounds in
            var sum: Float = 1
            for _ in 0..<rounds { sum = 0.5 + sum * 0.99 }
            return sum > 0 ? 2 * rounds : 0
        })
}
