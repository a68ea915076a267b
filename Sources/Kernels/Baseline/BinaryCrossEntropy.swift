// Binary cross-entropy of a target and a few drawn items a row. Rules as in Gemm.swift.

/// ln u for u in [1, 2] (Cephes).
@inline(__always) private func logUpTo2(_ u: Float) -> Float {
    let large = u > 1.414_213_56
    let f = (large ? u * 0.5 : u) - 1
    var p: Float = 7.037_683_629e-2
    p = p * f - 1.151_461_031e-1
    p = p * f + 1.167_699_874e-1
    p = p * f - 1.242_014_085e-1
    p = p * f + 1.424_932_279e-1
    p = p * f - 1.666_805_767e-1
    p = p * f + 2.000_071_477e-1
    p = p * f - 2.499_999_399e-1
    p = p * f + 3.333_333_117e-1
    let z = f * f
    return p * f * z - 0.5 * z + f + (large ? 0.693_147_18 : 0)
}

/// Σ softplus over one target and `negatives` sampled items a row; see `Kernels.linearBinaryCrossEntropy`.
@inline(never)
package func binaryCrossEntropy(
    _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ e: UnsafePointer<Float>, _ targets: UnsafePointer<Int32>,
    _ negatives: UnsafePointer<Int32>, _ perRow: Int, _ scale: Float, _ dh: UnsafeMutablePointer<Float>,
    _ de: UnsafeMutablePointer<Float>
) -> Double {
    var loss = 0.0
    var r = 0
    while r < rows {
        let hr = h + r &* dim
        let out = dh + r &* dim
        var k = 0
        while k < dim {
            out[k] = 0
            k &+= 1
        }
        var n = -1
        while n < perRow {
            let item = Int(n < 0 ? targets[r] : negatives[r &* perRow &+ n])
            let s = dot(hr, e + item &* dim, dim)
            // The loss is softplus(-s) for the target and softplus(s) for a negative.
            let x = n < 0 ? -s : s
            let magnitude = x < 0 ? -x : x
            let small = exp(splat(-magnitude))[0]
            loss += Double(logUpTo2(1 + small) + (x > 0 ? x : 0))
            let sigmoid = x > 0 ? 1 / (1 + small) : small / (1 + small)
            let slope = (n < 0 ? -sigmoid : sigmoid) * scale
            accumulate(slope, e + item &* dim, out, dim)
            accumulate(slope, hr, de + item &* dim, dim)
            n &+= 1
        }
        r &+= 1
    }
    return loss
}
