// Rank counting for one row, as for one user who waits. Rules as in Gemm.swift.
//
// Scores are compared as they come from products added in the order of the dimensions. That order wastes vectors on one row,
// so scores are summed in any order first, which is as fast as the items can be read, and in that order only where the
// first sum is too near to the threshold to decide.

@inline(__always) private func total(_ v: I) -> Int32 {
    let a = v.lowHalf &+ v.highHalf
    let b = a.lowHalf &+ a.highHalf
    let c = b.lowHalf &+ b.highHalf
    return c.x &+ c.y
}

/// Sums of neighbours: those of a, then those of b.
@inline(__always) private func merge(_ a: V, _ b: V) -> V {
    V(lowHalf: a.evenHalf, highHalf: b.evenHalf) + V(lowHalf: a.oddHalf, highHalf: b.oddHalf)
}

/// Four items' products with h, added up to four numbers an item; squares += the items' squares.
@inline(__always)
private func four(
    _ h: UnsafePointer<Float>, _ e: UnsafePointer<Float>, _ dim: Int, _ squares: inout V
) -> V {
    var s0 = V.zero
    var s1 = V.zero
    var s2 = V.zero
    var s3 = V.zero
    var k = 0
    while k < dim {
        let x = load(h + k)
        let e0 = load(e + k)
        let e1 = load(e + (dim &+ k))
        let e2 = load(e + (2 &* dim &+ k))
        let e3 = load(e + (3 &* dim &+ k))
        s0 = fma(s0, x, e0)
        s1 = fma(s1, x, e1)
        s2 = fma(s2, x, e2)
        s3 = fma(s3, x, e3)
        squares = fma(fma(squares, e0, e0), e1, e1)
        squares = fma(fma(squares, e2, e2), e3, e3)
        k &+= 16
    }
    return merge(merge(s0, s1), merge(s2, s3))
}

/// Items of e[items, dim] that score above `threshold`, and those equal to it; false when a score is not finite.
/// scratch: dim + 16 floats.
@inline(never)
func countOne(
    _ h: UnsafePointer<Float>, _ dim: Int, _ e: UnsafePointer<Float>, _ items: Int, _ threshold: Float,
    _ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>,
    _ scratch: UnsafeMutablePointer<Float>
) -> Bool {
    // Zeros after h, so that what follows an item does not count.
    var norm: Float = 0
    var k = 0
    while k < dim &+ 16 {
        scratch[k] = k < dim ? h[k] : 0
        norm += scratch[k] * scratch[k]
        k &+= 1
    }
    // Two sums of n products in any order differ by at most 2 n u |h| |e| with u = 2^-24, and a little.
    let slack = 2.5 * Float(dim &+ 4) * 5.96e-8 * norm.squareRoot()
    let limit = V(repeating: threshold)
    let one = I(repeating: 1)
    let lane = I(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    var above = I.zero
    // A product with 0 is 0 for finite numbers and NaN otherwise.
    var proof = V.zero
    var more: Int32 = 0
    var same: Int32 = 0
    var number: Int32 = 0
    var exact: Float = 0
    var start = 0
    while start < items {
        var near: UInt16 = 0xffff
        // What follows the last item must not be read.
        let whole = start &+ 16 < items || start &+ 16 == items && dim % 16 == 0
        if whole {
            let x = e + start &* dim
            var squares = V.zero
            let s = merge(
                merge(four(scratch, x, dim, &squares), four(scratch, x + 4 &* dim, dim, &squares)),
                merge(four(scratch, x + 8 &* dim, dim, &squares), four(scratch, x + 12 &* dim, dim, &squares)))
            proof = fma(proof, s, V.zero)
            // The squares of all the group's items bound those of each.
            let distance = V(repeating: slack * total(squares).squareRoot())
            above = above.replacing(with: above &+ one, where: s .> limit + distance)
            let close = (s .<= limit + distance) .& (s .>= limit - distance)
            let bits = I.zero.replacing(with: one &<< lane, where: close)
            near = UInt16(truncatingIfNeeded: total(bits))
        } else if items &- start < 16 {
            near = near &>> UInt16(truncatingIfNeeded: 16 &- (items &- start))
        }
        while near != 0 {
            number = Int32(truncatingIfNeeded: start &+ near.trailingZeroBitCount)
            itemScores(h, dim, e, &number, 1, &exact)
            if exact > threshold { more &+= 1 }
            if exact == threshold { same &+= 1 }
            if exact * 0 != 0 { proof[0] = exact * 0 }
            near &= near &- 1
        }
        start &+= 16
    }
    greater[0] = more &+ total(above)
    equal[0] = same
    return total(proof) == 0
}
