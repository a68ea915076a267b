internal import Glibc

// The naive twins of what only gpt, llama or hstu use.

extension Naive {
    static func rmsNorm(
        _ x: Kernels.In, _ gamma: Kernels.In, _ epsilon: Float, _ rows: Int, _ columns: Int, _ y: Kernels.Out,
        _ xhat: Kernels.Out, _ scales: Kernels.Out
    ) {
        for r in 0..<rows {
            let square = dot(x + r * columns, x + r * columns, columns) / Double(columns)
            let scale = 1 / (square + Double(epsilon)).squareRoot()
            scales[r] = Float(scale)
            for c in r * columns..<(r + 1) * columns {
                let hat = Double(x[c]) * scale
                xhat[c] = Float(hat)
                y[c] = Float(hat * Double(gamma[c - r * columns]))
            }
        }
    }

    static func rmsNormBackward(
        _ dy: Kernels.In, _ xhat: Kernels.In, _ scales: Kernels.In, _ gamma: Kernels.In, _ rows: Int, _ columns: Int,
        _ dx: Kernels.Out, _ dgamma: Kernels.Out
    ) {
        for r in 0..<rows {
            let d = (0..<columns).map { Double(dy[r * columns + $0]) }
            let hat = (0..<columns).map { Double(xhat[r * columns + $0]) }
            let along = (0..<columns).reduce(0) { $0 + d[$1] * Double(gamma[$1]) * hat[$1] } / Double(columns)
            for c in 0..<columns {
                dgamma[c] += Float(d[c] * hat[c])
                dx[r * columns + c] = Float((d[c] * Double(gamma[c]) - hat[c] * along) * Double(scales[r]))
            }
        }
    }

    private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    private static func siluSlope(_ x: Double) -> Double { sigmoid(x) * (1 + x * (1 - sigmoid(x))) }

    private static let inner = (2 / Double.pi).squareRoot()

    static func biasGeluTanh(_ x: Kernels.Out, _ bias: Kernels.In, _ rows: Int, _ columns: Int, _ y: Kernels.Out) {
        addBias(x, bias, rows, columns)
        for i in 0..<rows * columns {
            let v = Double(x[i])
            y[i] = Float(0.5 * v * (1 + tanh(inner * (v + 0.044715 * v * v * v))))
        }
    }

    static func geluTanhBackward(_ dy: Kernels.In, _ x: Kernels.In, _ count: Int, _ dx: Kernels.Out) {
        for i in 0..<count {
            let v = Double(x[i])
            let t = tanh(inner * (v + 0.044715 * v * v * v))
            let slope = 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * inner * (1 + 3 * 0.044715 * v * v)
            dx[i] = Float(Double(dy[i]) * slope)
        }
    }

    static func biasSilu(_ x: Kernels.Out, _ bias: Kernels.In, _ rows: Int, _ columns: Int, _ y: Kernels.Out) {
        addBias(x, bias, rows, columns)
        for i in 0..<rows * columns { y[i] = Float(Double(x[i]) * sigmoid(Double(x[i]))) }
    }

    static func siluBackward(_ dy: Kernels.In, _ x: Kernels.In, _ count: Int, _ dx: Kernels.Out) {
        for i in 0..<count { dx[i] = Float(Double(dy[i]) * siluSlope(Double(x[i]))) }
    }

    static func swiGLU(_ x: Kernels.In, _ rows: Int, _ columns: Int, _ y: Kernels.Out) {
        for r in 0..<rows {
            for c in 0..<columns {
                let gate = Double(x[2 * r * columns + c])
                y[r * columns + c] = Float(gate * sigmoid(gate) * Double(x[(2 * r + 1) * columns + c]))
            }
        }
    }

    static func swiGLUBackward(_ dy: Kernels.In, _ x: Kernels.In, _ rows: Int, _ columns: Int, _ dx: Kernels.Out) {
        for r in 0..<rows {
            for c in 0..<columns {
                let gate = Double(x[2 * r * columns + c])
                let up = Double(x[(2 * r + 1) * columns + c])
                let d = Double(dy[r * columns + c])
                dx[2 * r * columns + c] = Float(d * up * siluSlope(gate))
                dx[(2 * r + 1) * columns + c] = Float(d * gate * sigmoid(gate))
            }
        }
    }

    static func multiply(
        _ a: Kernels.In, _ lda: Int, _ b: Kernels.In, _ ldb: Int, _ rows: Int, _ columns: Int, _ y: Kernels.Out,
        _ ldy: Int
    ) {
        for r in 0..<rows { for c in 0..<columns { y[r * ldy + c] = a[r * lda + c] * b[r * ldb + c] } }
    }

    static func rotary(
        _ x: Kernels.Out, _ ld: Int, _ rows: Int, _ heads: Int, _ width: Int, _ cosines: Kernels.In,
        _ sines: Kernels.In, _ direction: Float
    ) {
        let half = width / 2
        for r in 0..<rows {
            for head in 0..<heads {
                for c in 0..<half {
                    let low = x + r * ld + head * width + c
                    let (a, b) = (Double(low[0]), Double(low[half]))
                    let (cosine, sine) = (Double(cosines[r * half + c]), Double(sines[r * half + c] * direction))
                    low[0] = Float(a * cosine - b * sine)
                    low[half] = Float(b * cosine + a * sine)
                }
            }
        }
    }

    static func pointwiseAttention(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ length: Int, _ width: Int, _ bias: Kernels.In,
        _ scale: Float, _ scores: Kernels.Out, _ out: Kernels.Out, _ ldOut: Int
    ) {
        for i in 0..<length {
            var row = [Double](repeating: 0, count: width)
            for j in 0...i {
                let s = dot(q + i * ld, k + j * ld, width) + Double(bias[i * length + j])
                scores[i * length + j] = Float(s)
                for c in 0..<width { row[c] += Double(scale) * s * sigmoid(s) * Double(v[j * ld + c]) }
            }
            for c in 0..<width { out[i * ldOut + c] = Float(row[c]) }
        }
    }

    static func newestAttention(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float,
        _ out: Kernels.Out
    ) {
        let scores = (0..<length).map { dot(q, k + $0 * ld, width) * Double(scale) }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let sum = weights.reduce(0, +)
        for c in 0..<width {
            out[c] = Float((0..<length).reduce(0) { $0 + weights[$1] * Double(v[$1 * ld + c]) } / sum)
        }
    }

    static func newestPointwiseAttention(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ length: Int, _ width: Int, _ bias: Kernels.In,
        _ scale: Float, _ out: Kernels.Out
    ) {
        let scores = (0..<length).map { dot(q, k + $0 * ld, width) + Double(bias[$0]) }
        for c in 0..<width {
            let sum = (0..<length).reduce(0) { $0 + scores[$1] * sigmoid(scores[$1]) * Double(v[$1 * ld + c]) }
            out[c] = Float(sum * Double(scale))
        }
    }

    static func pointwiseAttentionBackward(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float,
        _ scores: Kernels.In, _ dOut: Kernels.In, _ ldOut: Int, _ dq: Kernels.Out, _ dk: Kernels.Out,
        _ dv: Kernels.Out, _ dBias: Kernels.Out
    ) {
        for i in 0..<length {
            for c in 0..<width { (dq[i * ld + c], dk[i * ld + c], dv[i * ld + c]) = (0, 0, 0) }
        }
        for i in 0..<length {
            for j in 0...i {
                let s = Double(scores[i * length + j])
                let weight = Double(scale) * s * sigmoid(s)
                let ds = dot(dOut + i * ldOut, v + j * ld, width) * Double(scale) * siluSlope(s)
                dBias[i * length + j] += Float(ds)
                for c in 0..<width {
                    dv[j * ld + c] += Float(weight * Double(dOut[i * ldOut + c]))
                    dq[i * ld + c] += Float(ds * Double(k[j * ld + c]))
                    dk[j * ld + c] += Float(ds * Double(q[i * ld + c]))
                }
            }
        }
    }
}
