internal import Glibc

/// The oracles of attention in packs: plain loops in double precision.
extension Naive {
    private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    private static func siluSlope(_ x: Double) -> Double { sigmoid(x) * (1 + x * (1 - sigmoid(x))) }

    /// Calls body with each position of the packs: pack, lane, and its number of keys.
    private static func eachPosition(_ packs: ShortPacks.Part, _ body: (Int, Int, Int) -> Void) {
        for pack in 0..<packs.count {
            for lane in 0..<packs.positions(pack) { body(pack, lane, packs.reach(pack, lane) + 1) }
        }
    }

    /// Softmax weights of a position's keys by growing distance, and what dropout multiplies them by.
    private static func weights(
        _ q: Kernels.In, _ k: Kernels.In, _ ld: Int, _ head: Int, _ width: Int, _ packs: ShortPacks.Part, _ pack: Int,
        _ lane: Int, _ scale: Float, _ rate: Float, _ stream: UInt64
    ) -> (weights: [Double], factors: [Double]) {
        let reach = packs.reach(pack, lane)
        let scores = (0...reach).map { m in
            Double(scale)
                * dot(
                    q + packs.row(pack, lane) * ld + head * width, k + packs.row(pack, lane - m) * ld + head * width,
                    width)
        }
        let largest = scores.max() ?? 0
        let exps = scores.map { exp($0 - largest) }
        let sum = exps.reduce(0, +)
        let first = packs.counter(pack, lane) + head * packs.square(pack, lane)
        let factors = (0...reach).map { m in
            Dropout.keeps(stream, UInt64(bitPattern: Int64(first - m)), threshold: Dropout.threshold(rate))
                ? 1 / (1 - Double(rate)) : 0
        }
        return (exps.map { $0 / sum }, factors)
    }

    static func shortAttention(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ heads: Int, _ width: Int,
        _ packs: ShortPacks.Part, _ scale: Float, _ rate: Float, _ stream: UInt64, _ out: Kernels.Out, _ ldOut: Int
    ) {
        eachPosition(packs) { pack, lane, keys in
            for head in 0..<heads {
                let (w, f) = weights(q, k, ld, head, width, packs, pack, lane, scale, rate, stream)
                for c in head * width..<(head + 1) * width {
                    out[packs.row(pack, lane) * ldOut + c] = Float(
                        (0..<keys).reduce(0.0) { $0 + w[$1] * f[$1] * Double(v[packs.row(pack, lane - $1) * ld + c]) })
                }
            }
        }
    }

    static func shortAttentionBackward(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ heads: Int, _ width: Int,
        _ packs: ShortPacks.Part, _ scale: Float, _ rate: Float, _ stream: UInt64, _ dOut: Kernels.In, _ ldOut: Int,
        _ dq: Kernels.Out, _ dk: Kernels.Out, _ dv: Kernels.Out
    ) {
        clear(packs, ld, heads * width, dq, dk, dv)
        eachPosition(packs) { pack, lane, keys in
            let row = packs.row(pack, lane)
            for head in 0..<heads {
                let at = head * width
                let (w, f) = weights(q, k, ld, head, width, packs, pack, lane, scale, rate, stream)
                let slopes = (0..<keys).map { m in
                    f[m] * dot(dOut + row * ldOut + at, v + packs.row(pack, lane - m) * ld + at, width)
                }
                let along = zip(w, slopes).reduce(0.0) { $0 + $1.0 * $1.1 }
                for m in 0..<keys {
                    let key = packs.row(pack, lane - m)
                    let ds = w[m] * (slopes[m] - along) * Double(scale)
                    for c in at..<at + width {
                        dq[row * ld + c] += Float(ds * Double(k[key * ld + c]))
                        dk[key * ld + c] += Float(ds * Double(q[row * ld + c]))
                        dv[key * ld + c] += Float(w[m] * f[m] * Double(dOut[row * ldOut + c]))
                    }
                }
            }
        }
    }

    static func shortPointwiseAttention(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ heads: Int, _ width: Int,
        _ packs: ShortPacks.Part, _ bias: Kernels.In, _ scale: Float, _ out: Kernels.Out, _ ldOut: Int
    ) {
        eachPosition(packs) { pack, lane, keys in
            let row = packs.row(pack, lane)
            for head in 0..<heads {
                let at = head * width
                let w = (0..<keys).map { m in
                    let s =
                        dot(q + row * ld + at, k + packs.row(pack, lane - m) * ld + at, width)
                        + Double(bias[pack * ShortPacks.plane + m * ShortPacks.lanes + lane])
                    return Double(scale) * s * sigmoid(s)
                }
                for c in at..<at + width {
                    out[row * ldOut + c] = Float(
                        (0..<keys).reduce(0.0) { $0 + w[$1] * Double(v[packs.row(pack, lane - $1) * ld + c]) })
                }
            }
        }
    }

    static func shortPointwiseAttentionBackward(
        _ q: Kernels.In, _ k: Kernels.In, _ v: Kernels.In, _ ld: Int, _ heads: Int, _ width: Int,
        _ packs: ShortPacks.Part, _ bias: Kernels.In, _ scale: Float, _ dOut: Kernels.In, _ ldOut: Int,
        _ dq: Kernels.Out, _ dk: Kernels.Out, _ dv: Kernels.Out, _ dBias: Kernels.Out
    ) {
        clear(packs, ld, heads * width, dq, dk, dv)
        eachPosition(packs) { pack, lane, keys in
            let row = packs.row(pack, lane)
            for m in 0..<keys {
                let key = packs.row(pack, lane - m)
                let place = pack * ShortPacks.plane + m * ShortPacks.lanes + lane
                dBias[place] = 0
                for head in 0..<heads {
                    let at = head * width
                    let s = dot(q + row * ld + at, k + key * ld + at, width) + Double(bias[place])
                    let ds =
                        dot(dOut + row * ldOut + at, v + key * ld + at, width) * Double(scale) * siluSlope(s)
                    dBias[place] += Float(ds)
                    for c in at..<at + width {
                        dq[row * ld + c] += Float(ds * Double(k[key * ld + c]))
                        dk[key * ld + c] += Float(ds * Double(q[row * ld + c]))
                        dv[key * ld + c] += Float(Double(scale) * s * sigmoid(s) * Double(dOut[row * ldOut + c]))
                    }
                }
            }
        }
    }

    private static func clear(_ packs: ShortPacks.Part, _ ld: Int, _ columns: Int, _ outputs: Kernels.Out...) {
        eachPosition(packs) { pack, lane, _ in
            for out in outputs { for c in 0..<columns { out[packs.row(pack, lane) * ld + c] = 0 } }
        }
    }
}
