// Rank counting for one row, as for one user who waits. Rules as in Gemm.swift.
//
// Items are the columns here: a group of them is transposed in the first-level cache, so that each is scored once and its
// products are added in the order of the dimensions, as everywhere scores are compared.

private typealias V = SIMD16<Float>
private typealias I = SIMD16<Int32>

@inline(__always) private func load(_ p: UnsafePointer<Float>) -> V { UnsafeRawPointer(p).loadUnaligned(as: V.self) }

@inline(__always) private func fma(_ c: V, _ a: Float, _ b: V) -> V {
    #if K_NOFMA && arch(x86_64)
    return c + V(repeating: a) * b
    #else
    return c.addingProduct(V(repeating: a), b)
    #endif
}

/// Items of a group: four vectors, so that the chains of additions overlap.
private let groupItems = 64

/// columns[dim][groupItems] = the transpose of e[count, dim], zeros past the last item.
@inline(__always)
private func transposeItems(
    _ e: UnsafePointer<Float>, _ count: Int, _ dim: Int, _ columns: UnsafeMutablePointer<Float>
) {
    var i = 0
    while i < groupItems {
        let left = count &- i
        let rows = left < 0 ? 0 : left < 16 ? left : 16
        let x = e + (rows > 0 ? i &* dim : 0)
        var k = 0
        while k &+ 16 <= dim {
            transpose16(x + k, dim, rows, false, columns + (k &* groupItems &+ i), groupItems)
            k &+= 16
        }
        while k < dim {
            var r = 0
            while r < 16 {
                columns[k &* groupItems &+ i &+ r] = r < rows ? x[r &* dim &+ k] : 0
                r &+= 1
            }
            k &+= 1
        }
        i &+= 16
    }
}

/// Adds the items that score above `threshold` and those equal to it, among e[items, dim]; false when a score is not finite.
/// scratch: 64 * dim floats.
@inline(never)
func countOne(
    _ h: UnsafePointer<Float>, _ dim: Int, _ e: UnsafePointer<Float>, _ items: Int, _ threshold: Float,
    _ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>,
    _ scratch: UnsafeMutablePointer<Float>
) -> Bool {
    let limit = V(repeating: threshold)
    let one = I(repeating: 1)
    let lane = I(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    var above = I.zero
    var same = I.zero
    // A product with 0 is 0 for finite numbers and NaN otherwise.
    var proof = V.zero
    var start = 0
    while start < items {
        let count = items &- start < groupItems ? items &- start : groupItems
        transposeItems(e + start &* dim, count, dim, scratch)
        var s0 = V.zero
        var s1 = V.zero
        var s2 = V.zero
        var s3 = V.zero
        var k = 0
        while k < dim {
            let column = scratch + k &* groupItems
            let x = h[k]
            s0 = fma(s0, x, load(column))
            s1 = fma(s1, x, load(column + 16))
            s2 = fma(s2, x, load(column + 32))
            s3 = fma(s3, x, load(column + 48))
            k &+= 1
        }
        proof = fma(fma(fma(fma(proof, 0, s0), 0, s1), 0, s2), 0, s3)
        var i = 0
        while i < count {
            let s = i == 0 ? s0 : i == 16 ? s1 : i == 32 ? s2 : s3
            let inside = lane .< I(repeating: Int32(truncatingIfNeeded: count &- i))
            above = above.replacing(with: above &+ one, where: (s .> limit) .& inside)
            same = same.replacing(with: same &+ one, where: (s .== limit) .& inside)
            i &+= 16
        }
        start &+= count
    }
    var finite = true
    var i = 0
    greater[0] = 0
    equal[0] = 0
    while i < 16 {
        greater[0] &+= above[i]
        equal[0] &+= same[i]
        if proof[i] != 0 { finite = false }
        i &+= 1
    }
    return finite
}
