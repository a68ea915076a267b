internal import Glibc

// The naive twins of the row kernels and of attention.

extension Naive {
    static func addBias(_ y: Kernels.Out, _ bias: Kernels.In, _ rows: Int, _ columns: Int) {
        for r in 0..<rows { for c in 0..<columns { y[r * columns + c] += bias[c] } }
    }

    static func addColumnSums(_ x: Kernels.In, _ rows: Int, _ ld: Int, _ columns: Int, _ sum: Kernels.Out) {
        for c in 0..<columns {
            sum[c] = Float((0..<rows).reduce(Double(sum[c])) { $0 + Double(x[$1 * ld + c]) })
        }
    }

    static func addColumnProducts(
        _ x: Kernels.In, _ y: Kernels.In, _ rows: Int, _ ld: Int, _ columns: Int, _ products: Kernels.Out,
        _ sums: Kernels.Out
    ) {
        addColumnSums(x, rows, ld, columns, sums)
        for c in 0..<columns {
            products[c] = Float(
                (0..<rows).reduce(Double(products[c])) { $0 + Double(x[$1 * ld + c]) * Double(y[$1 * ld + c]) })
        }
    }

    static func layerNorm(
        _ x: Kernels.In, _ gamma: Kernels.In, _ beta: Kernels.In, _ epsilon: Float, _ rows: Int, _ columns: Int,
        _ y: Kernels.Out, _ xhat: Kernels.Out, _ rstd: Kernels.Out
    ) {
        for r in 0..<rows {
            let row = (0..<columns).map { Double(x[r * columns + $0]) }
            let mean = row.reduce(0, +) / Double(columns)
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
            let scale = 1 / (variance + Double(epsilon)).squareRoot()
            rstd[r] = Float(scale)
            for c in 0..<columns {
                let hat = (row[c] - mean) * scale
                xhat[r * columns + c] = Float(hat)
                y[r * columns + c] = Float(hat * Double(gamma[c]) + Double(beta[c]))
            }
        }
    }

    static func layerNormBackward(
        _ dy: Kernels.In, _ xhat: Kernels.In, _ rstd: Kernels.In, _ gamma: Kernels.In, _ rows: Int, _ columns: Int,
        _ dx: Kernels.Out, _ dgamma: Kernels.Out, _ dbeta: Kernels.Out
    ) {
        let n = Double(columns)
        for r in 0..<rows {
            let d = (0..<columns).map { Double(dy[r * columns + $0]) }
            let hat = (0..<columns).map { Double(xhat[r * columns + $0]) }
            let g = (0..<columns).map { d[$0] * Double(gamma[$0]) }
            let mean = g.reduce(0, +) / n
            let along = zip(g, hat).reduce(0) { $0 + $1.0 * $1.1 } / n
            for c in 0..<columns {
                dgamma[c] += Float(d[c] * hat[c])
                dbeta[c] += Float(d[c])
                dx[r * columns + c] = Float((g[c] - mean - hat[c] * along) * Double(rstd[r]))
            }
        }
    }

    private static func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

    static func biasGelu(_ x: Kernels.Out, _ bias: Kernels.In, _ rows: Int, _ columns: Int, _ y: Kernels.Out) {
        for r in 0..<rows {
            for c in 0..<columns {
                let v = x[r * columns + c] + bias[c]
                x[r * columns + c] = v
                y[r * columns + c] = Float(Double(v) * cumulative(Double(v)))
            }
        }
    }

    static func geluBackward(_ dy: Kernels.In, _ x: Kernels.In, _ count: Int, _ dx: Kernels.Out) {
        for i in 0..<count {
            let v = Double(x[i])
            let slope = cumulative(v) + v * exp(-v * v / 2) / (2 * Double.pi).squareRoot()
            dx[i] = Float(Double(dy[i]) * slope)
        }
    }

    static func dropoutAdd(
        _ x: Kernels.In, _ base: Kernels.In?, _ count: Int, _ rate: Float, _ stream: UInt64, _ counter: UInt64,
        _ y: Kernels.Out
    ) {
        let threshold = Dropout.threshold(rate)
        for i in 0..<count {
            let kept = Dropout.keeps(stream, counter &+ UInt64(i), threshold: threshold)
            y[i] = (base?[i] ?? 0) + (kept ? x[i] * (1 / (1 - rate)) : 0)
        }
    }

    static func attention(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float,
        _ rate: Float, _ stream: UInt64, _ counter: UInt64, _ probabilities: Kernels.Out, _ out: Kernels.Out,
        _ ldOut: Int
    ) {
        for i in 0..<length {
            let scores = (0...i).map { dot(q + i * ld, k + $0 * ld, width) * Double(scale) }
            let largest = scores.max() ?? 0
            let exponentials = scores.map { exp($0 - largest) }
            let sum = exponentials.reduce(0, +)
            var row = [Double](repeating: 0, count: width)
            for j in 0...i {
                let p = exponentials[j] / sum
                probabilities[i * length + j] = Float(p)
                let w = p * keepFactor(rate, stream, counter, i * length + j)
                for c in 0..<width { row[c] += w * Double(v[j * ld + c]) }
            }
            for c in 0..<width { out[i * ldOut + c] = Float(row[c]) }
        }
    }

    static func attentionBackward(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float,
        _ rate: Float, _ stream: UInt64, _ counter: UInt64, _ probabilities: Kernels.In, _ dOut: Kernels.In,
        _ ldOut: Int, _ dq: Kernels.Out, _ dk: Kernels.Out, _ dv: Kernels.Out
    ) {
        for i in 0..<length {
            for c in 0..<width { (dq[i * ld + c], dk[i * ld + c], dv[i * ld + c]) = (0, 0, 0) }
        }
        for i in 0..<length {
            let p = (0...i).map { Double(probabilities[i * length + $0]) }
            let keep = (0...i).map { keepFactor(rate, stream, counter, i * length + $0) }
            let slope = (0...i).map { keep[$0] * dot(dOut + i * ldOut, v + $0 * ld, width) }
            let along = zip(p, slope).reduce(0) { $0 + $1.0 * $1.1 }
            for j in 0...i {
                let ds = p[j] * (slope[j] - along) * Double(scale)
                for c in 0..<width {
                    dv[j * ld + c] += Float(p[j] * keep[j] * Double(dOut[i * ldOut + c]))
                    dq[i * ld + c] += Float(ds * Double(k[j * ld + c]))
                    dk[j * ld + c] += Float(ds * Double(q[i * ld + c]))
                }
            }
        }
    }

    private static func keepFactor(_ rate: Float, _ stream: UInt64, _ counter: UInt64, _ element: Int) -> Double {
        guard rate > 0 else { return 1 }
        let kept = Dropout.keeps(stream, counter &+ UInt64(element), threshold: Dropout.threshold(rate))
        return kept ? Double(1 / (1 - rate)) : 0
    }

    static func adamW(
        _ p: Kernels.Out, _ g: Kernels.In, _ m: Kernels.Out, _ v: Kernels.Out, _ count: Int, _ step: Kernels.AdamStep
    ) {
        for i in 0..<count {
            m[i] = step.beta1 * m[i] + (1 - step.beta1) * g[i]
            v[i] = step.beta2 * v[i] + (1 - step.beta2) * g[i] * g[i]
            let first = Double(m[i]) / Double(step.correction1)
            let second = Double(v[i]) / Double(step.correction2)
            let decayed = Double(p[i]) * (1 - Double(step.learningRate) * Double(step.weightDecay))
            p[i] = Float(decayed - Double(step.learningRate) * first / (second.squareRoot() + Double(step.epsilon)))
        }
    }
}
