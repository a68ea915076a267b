// Short sequences side by side, for both kinds of attention: turning rows over into lanes and back, and the six products.
// Rules as in Gemm.swift.
//
// Positions of many sequences lie side by side as the lanes of vectors, queries, keys and values as [column][lane]. The key a
// distance m before a query is m lanes to its left: a product over all sequences is one of vectors, an unaligned load away,
// and softmax needs no sum across lanes. Only distances below the longest sequence of a pack are visited.

internal import CKernels

let packLanes = K_PACK_LANES
let packMargin = K_PACK_MARGIN
let packStride = K_PACK_STRIDE
let packDistances = K_PACK_DISTANCES
let packNumbers = K_PACK_NUMBERS

/// `exp2` for any x: clamped to [-126, 126].
@_transparent func anyExp2(_ x: V) -> V {
    let x = x.replacing(with: splat(-126), where: x .< splat(-126))
    return exp2(x.replacing(with: splat(126), where: x .> splat(126)))
}

/// v where the distance is within reach, else 0.
@_transparent func within(_ reach: I, _ distance: Int, _ v: V) -> V {
    V.zero.replacing(with: v, where: reach .>= I(repeating: Int32(truncatingIfNeeded: distance)))
}

/// Writes the columns of a pack's rows as [column][lane].
@inline(__always)
func takeIn(
    _ x: UnsafePointer<Float>, _ ld: Int, _ rows: UnsafePointer<Int32>, _ blocks: Int, _ columns: Int,
    _ out: UnsafeMutablePointer<Float>
) {
    var b = 0
    while b < blocks {
        let rows = rows + b &* 16
        let to = out + (packMargin &+ b &* 16)
        var c = 0
        while c &+ 16 <= columns {
            gather16(x + c, ld, rows, false, to + c &* packStride, packStride)
            c &+= 16
        }
        if c &+ 8 <= columns {
            gather16(x + c, ld, rows, true, to + c &* packStride, packStride)
            c &+= 8
        }
        while c < columns {
            var r = 0
            while r < 16 {
                to[c &* packStride &+ r] = x[Int(rows[r]) &* ld &+ c]
                r &+= 1
            }
            c &+= 1
        }
        b &+= 1
    }
}

/// The way back, for the first `count` lanes.
@inline(__always)
func takeOut(
    _ x: UnsafePointer<Float>, _ rows: UnsafePointer<Int32>, _ count: Int, _ columns: Int,
    _ out: UnsafeMutablePointer<Float>, _ ld: Int
) {
    var first = 0
    while first < count {
        let rows = rows + first
        let from = x + (packMargin &+ first)
        let some = count &- first < 16 ? count &- first : 16
        var c = 0
        while c &+ 16 <= columns {
            scatter16(from + c &* packStride, packStride, rows, some, false, out + c, ld)
            c &+= 16
        }
        if c &+ 8 <= columns {
            scatter16(from + c &* packStride, packStride, rows, some, true, out + c, ld)
            c &+= 8
        }
        while c < columns {
            var r = 0
            while r < some {
                out[Int(rows[r]) &* ld &+ c] = from[c &* packStride &+ r]
                r &+= 1
            }
            c &+= 1
        }
        first &+= 16
    }
}

/// Zeros before the first lane, and after the last of `blocks`, of some columns.
@inline(__always) func clearMargins(_ x: UnsafeMutablePointer<Float>, _ columns: Int, _ blocks: Int) {
    var c = 0
    while c < columns {
        store(V.zero, x + c &* packStride)
        store(V.zero, x + (c &* packStride &+ packMargin &+ blocks &* 16))
        c &+= 1
    }
}

/// s[m] = Σ_c x[c] y[c, m lanes to the left], for 16 lanes and `distances`, an even number.
@inline(__always)
func laneScores(
    _ distances: Int, _ width: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>,
    _ s: UnsafeMutablePointer<Float>
) {
    var m = 0
    while m < distances {
        var x = x
        var y = y - m
        var c = 0
        var s0 = V.zero
        var s1 = V.zero
        let to = s + m &* packStride
        if m &+ 4 <= distances {
            var s2 = V.zero
            var s3 = V.zero
            while c < width {
                let v = load(x)
                s0 = fma(s0, v, load(y))
                s1 = fma(s1, v, load(y - 1))
                s2 = fma(s2, v, load(y - 2))
                s3 = fma(s3, v, load(y - 3))
                x += packStride
                y += packStride
                c &+= 1
            }
            store(s0, to)
            store(s1, to + packStride)
            store(s2, to + 2 &* packStride)
            store(s3, to + 3 &* packStride)
            m &+= 4
        } else {
            while c < width {
                let v = load(x)
                s0 = fma(s0, v, load(y))
                s1 = fma(s1, v, load(y - 1))
                x += packStride
                y += packStride
                c &+= 1
            }
            store(s0, to)
            store(s1, to + packStride)
            m &+= 2
        }
    }
}

/// out[c] = Σ_m w[m] x[c, m lanes to the left], or with `right` of w and x m lanes to the right, for 16 lanes. Sums begin
/// with 0 and go by growing m, so that distances more, whose weights are 0, change no bit.
@inline(__always)
func laneSums(
    _ distances: Int, _ width: Int, _ w: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ right: Bool,
    _ out: UnsafeMutablePointer<Float>
) {
    let step = right ? 1 : -1
    let weightStep = right ? packStride &+ 1 : packStride
    var m = 0
    while m < distances {
        var x = x + m &* step
        let w = w + m &* weightStep
        var out = out
        var c = 0
        let w0 = load(w)
        let w1 = load(w + weightStep)
        if m &+ 4 <= distances {
            let w2 = load(w + 2 &* weightStep)
            let w3 = load(w + 3 &* weightStep)
            while c < width {
                var sum = m > 0 ? load(out) : V.zero
                sum = fma(sum, w0, load(x))
                sum = fma(sum, w1, load(x + step))
                sum = fma(sum, w2, load(x + 2 &* step))
                sum = fma(sum, w3, load(x + 3 &* step))
                store(sum, out)
                x += packStride
                out += packStride
                c &+= 1
            }
            m &+= 4
        } else {
            while c < width {
                var sum = m > 0 ? load(out) : V.zero
                sum = fma(sum, w0, load(x))
                sum = fma(sum, w1, load(x + step))
                store(sum, out)
                x += packStride
                out += packStride
                c &+= 1
            }
            m &+= 2
        }
    }
}

/// Heads that are turned over together, so that narrow ones fill the vectors.
@inline(__always) func headsAtOnce(_ heads: Int, _ width: Int) -> Int {
    let fit = width < K_PACK_COLUMNS ? K_PACK_COLUMNS / width : 1
    return fit < heads ? fit : heads
}

@inline(__always) func laneBlocks(_ count: Int32) -> Int { (Int(count) &+ 15) / 16 }

@inline(__always) func evenDistances(_ count: Int32) -> Int { (Int(count) &+ 1) / 2 &* 2 }

/// Queries, keys, values and the gradient of the result, `size` floats apart.
@inline(__always)
func backwardIn(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int,
    _ dOut: UnsafePointer<Float>, _ ldOut: Int, _ pack: UnsafePointer<Int32>, _ blocks: Int, _ columns: Int,
    _ x: UnsafeMutablePointer<Float>, _ size: Int
) {
    takeIn(q, ld, pack, blocks, columns, x)
    takeIn(k, ld, pack, blocks, columns, x + size)
    takeIn(v, ld, pack, blocks, columns, x + 2 &* size)
    takeIn(dOut, ldOut, pack, blocks, columns, x + 3 &* size)
}

/// The gradients of queries, keys and values, behind what `backwardIn` wrote.
@inline(__always)
func backwardProducts(
    _ distances: Int, _ width: Int, _ blocks: Int, _ x: UnsafeMutablePointer<Float>, _ size: Int,
    _ weights: UnsafePointer<Float>, _ slopes: UnsafePointer<Float>
) {
    var b = 0
    while b < blocks {
        let place = packMargin &+ b &* 16
        let x = x + place
        laneSums(distances, width, slopes + place, x + size, false, x + 4 &* size)
        laneSums(distances, width, slopes + place, x, true, x + 5 &* size)
        laneSums(distances, width, weights + place, x + 3 &* size, true, x + 6 &* size)
        b &+= 1
    }
}

@inline(__always)
func backwardOut(
    _ x: UnsafePointer<Float>, _ size: Int, _ pack: UnsafePointer<Int32>, _ count: Int, _ columns: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>, _ ld: Int
) {
    takeOut(x + 4 &* size, pack, count, columns, dq, ld)
    takeOut(x + 5 &* size, pack, count, columns, dk, ld)
    takeOut(x + 6 &* size, pack, count, columns, dv, ld)
}
