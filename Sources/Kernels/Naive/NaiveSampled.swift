internal import Glibc

// The naive twins of the losses over sampled items and of the optimiser on rows.

extension Naive {
    static func gatherScores(
        _ h: Kernels.In, _ rows: Int, _ dim: Int, _ e: Kernels.In, _ targets: UnsafePointer<Int32>,
        _ negatives: UnsafePointer<Int32>, _ perRow: Int, _ stride: Int, _ targetScores: Kernels.Out,
        _ scores: Kernels.Out
    ) {
        for r in 0..<rows {
            targetScores[r] = Float(dot(h + r * dim, e + Int(targets[r]) * dim, dim))
            for j in 0..<stride {
                scores[r * stride + j] =
                    j < perRow ? Float(dot(h + r * dim, e + Int(negatives[r * perRow + j]) * dim, dim)) : 0
            }
        }
    }

    static func scatterSlopes(
        _ h: Kernels.In, _ rows: Int, _ dim: Int, _ e: Kernels.In, _ targets: UnsafePointer<Int32>,
        _ negatives: UnsafePointer<Int32>, _ perRow: Int, _ stride: Int, _ targetSlopes: Kernels.In,
        _ slopes: Kernels.In, _ scale: Float, _ add: Bool, _ dh: Kernels.Out, _ de: Kernels.Out
    ) {
        for r in 0..<rows {
            var row = (0..<dim).map { add ? Double(dh[r * dim + $0]) : 0 }
            let pairs =
                [(targets[r], targetSlopes[r])]
                + (0..<perRow).map { (negatives[r * perRow + $0], slopes[r * stride + $0]) }
            for (item, value) in pairs {
                let slope = Double(value) * Double(scale)
                for k in 0..<dim {
                    row[k] += slope * Double(e[Int(item) * dim + k])
                    de[Int(item) * dim + k] += Float(slope * Double(h[r * dim + k]))
                }
            }
            for k in 0..<dim { dh[r * dim + k] = Float(row[k]) }
        }
    }

    private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    private static func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }

    /// The loss of one row, and its slopes: of the target first.
    private static func pairLoss(
        _ loss: Kernels.PairLoss, _ beta: Double, _ target: Double, _ scores: [Double]
    ) -> (value: Double, slopes: [Double]) {
        let n = Double(scores.count)
        let top = scores.max() ?? 0
        let exponentials = scores.map { exp($0 - top) }
        let weights = exponentials.map { $0 / exponentials.reduce(0, +) }
        let above = scores.map { sigmoid($0 - target) }
        // Not above (1 - above), which is 0 where above is nearly 1.
        let pull = scores.indices.map { above[$0] * sigmoid(target - scores[$0]) }
        let large = scores.map { sigmoid($0 * $0) }
        let push = scores.indices.map { 2 * scores[$0] * large[$0] * (1 - large[$0]) }
        func weighted(_ values: [Double]) -> Double { zip(weights, values).reduce(0) { $0 + $1.0 * $1.1 } }
        switch loss {
        case .calibrated:
            let value = beta * softplus(-target) + scores.reduce(0) { $0 + softplus($1) }
            return (value, [-beta * sigmoid(-target)] + scores.map(sigmoid))
        case .bpr:
            let value = scores.reduce(0) { $0 + softplus($1 - target) } / n
            return (value, [-above.reduce(0, +) / n] + above.map { $0 / n })
        case .top1:
            let value = (above.reduce(0, +) + large.reduce(0, +)) / n
            return (value, [-pull.reduce(0, +) / n] + scores.indices.map { (pull[$0] + push[$0]) / n })
        case .top1Max:
            let each = scores.indices.map { above[$0] + large[$0] }
            let value = weighted(each)
            let slopes = scores.indices.map { weights[$0] * (each[$0] - value + pull[$0] + push[$0]) }
            return (value, [-weighted(pull)] + slopes)
        case .bprMax:
            let below = scores.map { sigmoid(target - $0) }
            let inside = weighted(below) + 1e-24
            let slopes = scores.indices.map { weights[$0] * (inside - below[$0] + pull[$0]) / inside }
            return (-log(inside), [-weighted(pull) / inside] + slopes)
        }
    }

    static func pairSlopes(
        _ loss: Kernels.PairLoss, _ beta: Float, _ targetScores: Kernels.Out, _ scores: Kernels.Out, _ rows: Int,
        _ perRow: Int, _ stride: Int
    ) -> Double {
        (0..<rows).reduce(0) { sum, r in
            let row = scores + r * stride
            let (value, slopes) = pairLoss(
                loss, Double(beta), Double(targetScores[r]), (0..<perRow).map { Double(row[$0]) })
            targetScores[r] = Float(slopes[0])
            for j in 0..<perRow { row[j] = Float(slopes[j + 1]) }
            return sum + value
        }
    }

    static func sampledSoftmaxSlopes(
        _ targetScores: Kernels.Out, _ scores: Kernels.Out, _ rows: Int, _ count: Int, _ stride: Int,
        _ targets: UnsafePointer<Int32>, _ negatives: UnsafePointer<Int32>, _ corrections: Kernels.In
    ) -> Double {
        (0..<rows).reduce(0) { loss, r in
            let row = scores + r * stride
            let own = Double(targetScores[r])
            let logits = (0..<count).map {
                negatives[$0] == targets[r] ? -Double.infinity : Double(row[$0]) - Double(corrections[$0])
            }
            let top = max(own, logits.max() ?? own)
            let exponentials = logits.map { exp($0 - top) }
            let negative = exponentials.reduce(0, +)
            let sum = negative + exp(own - top)
            for j in 0..<count { row[j] = Float(exponentials[j] / sum) }
            targetScores[r] = Float(-negative / sum)
            return loss + log(sum) + top - own
        }
    }

    static func catchUpRows(
        _ p: Kernels.Out, _ m: Kernels.Out, _ v: Kernels.Out, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int,
        _ factors: Kernels.In
    ) {
        for i in 0..<count {
            let f = (0..<5).map { Double(factors[5 * i + $0]) }
            for k in Int(which[i]) * dim..<(Int(which[i]) + 1) * dim {
                p[k] = Float(Double(p[k]) * f[0] - Double(m[k]) * f[1] / (Double(v[k]).squareRoot() + f[2]))
                m[k] = Float(Double(m[k]) * f[3])
                v[k] = Float(Double(v[k]) * f[4])
            }
        }
    }
}
