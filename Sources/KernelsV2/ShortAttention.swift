// Causal attention of many short sequences at once: softmax, and hstu's pointwise one. Rules as in Gemm.swift.
//
// Positions of many sequences lie side by side as the lanes of vectors, queries, keys and values as [column][lane]. The key a
// distance m before a query is m lanes to its left: a product over all sequences is one of vectors, an unaligned load away,
// and softmax needs no sum across lanes. Only distances below the longest sequence of a pack are visited. Both kinds of
// attention are in one file because they share the products.

/// Positions of a pack, and what a column of them takes with 16 zeros before and after.
private let lanes = 64
private let margin = 16
private let stride = 96

/// Most distances of a pack.
private let mostDistances = 16

/// Numbers that describe a pack: rows, reaches, counters, squares of the length.
private let packNumbers = 256

/// `exp2` for any x: clamped to [-126, 126].
@_transparent private func anyExp2(_ x: V) -> V {
    let x = x.replacing(with: splat(-126), where: x .< splat(-126))
    return exp2(x.replacing(with: splat(126), where: x .> splat(126)))
}

/// `sigmoid` by powers of 2.
@_transparent private func sigmoid2(_ x: V) -> V { splat(1) / (splat(1) + anyExp2(x * splat(-1.442_695_04))) }

/// scale where the element of a counter is kept, else 0: see `Dropout`.
@_transparent
private func keepFactor(_ counter: U, _ low: UInt32, _ high: UInt32, _ threshold: UInt32, _ scale: Float) -> V {
    V.zero.replacing(with: splat(scale), where: hash(counter, low, high) .>= U(repeating: threshold))
}

/// v where the distance is within reach, else 0.
@_transparent private func within(_ reach: I, _ distance: Int, _ v: V) -> V {
    V.zero.replacing(with: v, where: reach .>= I(repeating: Int32(truncatingIfNeeded: distance)))
}

/// Writes the columns of a pack's rows as [column][lane].
@inline(__always)
private func takeIn(
    _ x: UnsafePointer<Float>, _ ld: Int, _ rows: UnsafePointer<Int32>, _ blocks: Int, _ columns: Int,
    _ out: UnsafeMutablePointer<Float>
) {
    var b = 0
    while b < blocks {
        let rows = rows + b &* 16
        let to = out + (margin &+ b &* 16)
        var c = 0
        while c &+ 16 <= columns {
            gather16(x + c, ld, rows, false, to + c &* stride, stride)
            c &+= 16
        }
        if c &+ 8 <= columns {
            gather16(x + c, ld, rows, true, to + c &* stride, stride)
            c &+= 8
        }
        while c < columns {
            var r = 0
            while r < 16 {
                to[c &* stride &+ r] = x[Int(rows[r]) &* ld &+ c]
                r &+= 1
            }
            c &+= 1
        }
        b &+= 1
    }
}

/// The way back, for the first `count` lanes.
@inline(__always)
private func takeOut(
    _ x: UnsafePointer<Float>, _ rows: UnsafePointer<Int32>, _ count: Int, _ columns: Int,
    _ out: UnsafeMutablePointer<Float>, _ ld: Int
) {
    var first = 0
    while first < count {
        let rows = rows + first
        let from = x + (margin &+ first)
        let some = count &- first < 16 ? count &- first : 16
        var c = 0
        while c &+ 16 <= columns {
            scatter16(from + c &* stride, stride, rows, some, false, out + c, ld)
            c &+= 16
        }
        if c &+ 8 <= columns {
            scatter16(from + c &* stride, stride, rows, some, true, out + c, ld)
            c &+= 8
        }
        while c < columns {
            var r = 0
            while r < some {
                out[Int(rows[r]) &* ld &+ c] = from[c &* stride &+ r]
                r &+= 1
            }
            c &+= 1
        }
        first &+= 16
    }
}

/// Zeros before the first lane, and after the last of `blocks`, of some columns.
@inline(__always) private func clearMargins(_ x: UnsafeMutablePointer<Float>, _ columns: Int, _ blocks: Int) {
    var c = 0
    while c < columns {
        store(V.zero, x + c &* stride)
        store(V.zero, x + (c &* stride &+ margin &+ blocks &* 16))
        c &+= 1
    }
}

/// s[m] = Σ_c x[c] y[c, m lanes to the left], for 16 lanes and `distances`, an even number.
@inline(__always)
private func scores(
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
        let to = s + m &* stride
        if m &+ 4 <= distances {
            var s2 = V.zero
            var s3 = V.zero
            while c < width {
                let v = load(x)
                s0 = fma(s0, v, load(y))
                s1 = fma(s1, v, load(y - 1))
                s2 = fma(s2, v, load(y - 2))
                s3 = fma(s3, v, load(y - 3))
                x += stride
                y += stride
                c &+= 1
            }
            store(s0, to)
            store(s1, to + stride)
            store(s2, to + 2 &* stride)
            store(s3, to + 3 &* stride)
            m &+= 4
        } else {
            while c < width {
                let v = load(x)
                s0 = fma(s0, v, load(y))
                s1 = fma(s1, v, load(y - 1))
                x += stride
                y += stride
                c &+= 1
            }
            store(s0, to)
            store(s1, to + stride)
            m &+= 2
        }
    }
}

/// out[c] = Σ_m w[m] x[c, m lanes to the left], or with `right` of w and x m lanes to the right, for 16 lanes. Sums begin
/// with 0 and go by growing m, so that distances more, whose weights are 0, change no bit.
@inline(__always)
private func combine(
    _ distances: Int, _ width: Int, _ w: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ right: Bool,
    _ out: UnsafeMutablePointer<Float>
) {
    let step = right ? 1 : -1
    let weightStep = right ? stride &+ 1 : stride
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
                x += stride
                out += stride
                c &+= 1
            }
            m &+= 4
        } else {
            while c < width {
                var sum = m > 0 ? load(out) : V.zero
                sum = fma(sum, w0, load(x))
                sum = fma(sum, w1, load(x + step))
                store(sum, out)
                x += stride
                out += stride
                c &+= 1
            }
            m &+= 2
        }
    }
}

/// Scores become weights of softmax, `factor` the scale times log2 e; 0 past the reach.
@inline(__always)
private func softmax(
    _ distances: Int, _ reaches: UnsafePointer<Int32>, _ factor: Float, _ s: UnsafeMutablePointer<Float>
) {
    let reach = loadInt(reaches)
    var most = load(s)
    var m = 1
    while m < distances {
        let x = load(s + m &* stride)
        let larger = (x .> most) .& (reach .>= I(repeating: Int32(truncatingIfNeeded: m)))
        most = most.replacing(with: x, where: larger)
        m &+= 1
    }
    var sum = V.zero
    m = 0
    while m < distances {
        let e = within(reach, m, anyExp2((load(s + m &* stride) - most) * splat(factor)))
        store(e, s + m &* stride)
        sum += e
        m &+= 1
    }
    let inverse = splat(1) / sum
    m = 0
    while m < distances {
        store(load(s + m &* stride) * inverse, s + m &* stride)
        m &+= 1
    }
}

/// The counter of each lane's own key; that of the key m before it is m less.
@_transparent private func counters(_ pack: UnsafePointer<Int32>, _ block: Int, _ head: Int) -> U {
    let own = loadInt(pack + (2 &* lanes &+ block &* 16))
    let square = loadInt(pack + (3 &* lanes &+ block &* 16))
    return unsafeBitCast(own &+ square &* I(repeating: Int32(truncatingIfNeeded: head)), to: U.self)
}

/// Heads that are turned over together, so that narrow ones fill the vectors.
@inline(__always) private func headsAtOnce(_ heads: Int, _ width: Int) -> Int {
    let fit = width < 16 ? 16 / width : 1
    return fit < heads ? fit : heads
}

@inline(__always) private func blocks(_ count: Int32) -> Int { (Int(count) &+ 15) / 16 }

@inline(__always) private func evenDistances(_ count: Int32) -> Int { (Int(count) &+ 1) / 2 &* 2 }

/// sizes: positions and distances of each pack. scratch: 96 (7 max(16, width) + 48) floats.
@inline(never)
package func shortAttention(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ heads: Int,
    _ width: Int, _ packs: Int, _ sizes: UnsafePointer<Int32>, _ numbers: UnsafePointer<Int32>, _ scale: Float,
    _ threshold: UInt32, _ keepScale: Float, _ stream: UInt64, _ out: UnsafeMutablePointer<Float>, _ ldOut: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let low = UInt32(truncatingIfNeeded: stream)
    let high = UInt32(truncatingIfNeeded: stream >> 32)
    let together = headsAtOnce(heads, width)
    let columns = together &* width &* stride
    let (qs, ks, vs) = (scratch, scratch + columns, scratch + 2 &* columns)
    let weights = scratch + 3 &* columns
    var number = 0
    while number < packs {
        let pack = numbers + number &* packNumbers
        let count = blocks(sizes[2 &* number])
        let distances = evenDistances(sizes[2 &* number &+ 1])
        clearMargins(ks, 2 &* together &* width, count)
        var first = 0
        while first < heads {
            let some = heads &- first < together ? heads &- first : together
            let at = first &* width
            takeIn(q + at, ld, pack, count, some &* width, qs)
            takeIn(k + at, ld, pack, count, some &* width, ks)
            takeIn(v + at, ld, pack, count, some &* width, vs)
            var head = 0
            while head < some {
                var b = 0
                while b < count {
                    let place = head &* width &* stride &+ margin &+ b &* 16
                    let s = weights + (margin &+ b &* 16)
                    scores(distances, width, qs + place, ks + place, s)
                    softmax(distances, pack + (lanes &+ b &* 16), scale * 1.442_695_04, s)
                    if threshold > 0 {
                        let counter = counters(pack, b, first &+ head)
                        var m = 0
                        while m < distances {
                            let own = counter &- U(repeating: UInt32(truncatingIfNeeded: m))
                            let kept = keepFactor(own, low, high, threshold, keepScale)
                            store(load(s + m &* stride) * kept, s + m &* stride)
                            m &+= 1
                        }
                    }
                    // The queries are needed no more.
                    combine(distances, width, s, vs + place, false, qs + place)
                    b &+= 1
                }
                head &+= 1
            }
            takeOut(qs, pack, Int(sizes[2 &* number]), some &* width, out + at, ldOut)
            first &+= some
        }
        number &+= 1
    }
}

/// sizes: positions and distances of each pack. scratch: 96 (7 max(16, width) + 48) floats.
@inline(never)
package func shortAttentionBackward(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ heads: Int,
    _ width: Int, _ packs: Int, _ sizes: UnsafePointer<Int32>, _ numbers: UnsafePointer<Int32>, _ scale: Float,
    _ threshold: UInt32, _ keepScale: Float, _ stream: UInt64, _ dOut: UnsafePointer<Float>, _ ldOut: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let low = UInt32(truncatingIfNeeded: stream)
    let high = UInt32(truncatingIfNeeded: stream >> 32)
    let together = headsAtOnce(heads, width)
    let columns = together &* width &* stride
    let weights = scratch + 7 &* columns
    let slopes = weights + mostDistances &* stride
    var number = 0
    while number < packs {
        let pack = numbers + number &* packNumbers
        let count = blocks(sizes[2 &* number])
        let distances = evenDistances(sizes[2 &* number &+ 1])
        clearMargins(scratch, 4 &* together &* width, count)
        clearMargins(weights, 2 &* mostDistances, count)
        var first = 0
        while first < heads {
            let some = heads &- first < together ? heads &- first : together
            let at = first &* width
            backwardIn(q + at, k + at, v + at, ld, dOut + at, ldOut, pack, count, some &* width, scratch, columns)
            var head = 0
            while head < some {
                let x = scratch + head &* width &* stride
                var b = 0
                while b < count {
                    let place = margin &+ b &* 16
                    let (w, s) = (weights + place, slopes + place)
                    scores(distances, width, x + place, x + columns + place, w)
                    softmax(distances, pack + (lanes &+ b &* 16), scale * 1.442_695_04, w)
                    scores(distances, width, x + 3 &* columns + place, x + 2 &* columns + place, s)
                    softmaxSlopes(
                        distances, pack, b, first &+ head, low, high, threshold, keepScale, scale, w, s)
                    b &+= 1
                }
                backwardProducts(distances, width, count, x, columns, weights, slopes)
                head &+= 1
            }
            backwardOut(
                scratch, columns, pack, Int(sizes[2 &* number]), some &* width, dq + at, dk + at, dv + at, ld)
            first &+= some
        }
        number &+= 1
    }
}

/// From softmax's weights w and the slopes s of what dropout left of them: w after dropout, and the slopes of the scores.
@inline(__always)
private func softmaxSlopes(
    _ distances: Int, _ pack: UnsafePointer<Int32>, _ block: Int, _ head: Int, _ low: UInt32, _ high: UInt32,
    _ threshold: UInt32, _ keepScale: Float,
    _ scale: Float, _ w: UnsafeMutablePointer<Float>, _ s: UnsafeMutablePointer<Float>
) {
    let counter = counters(pack, block, head)
    var along = V.zero
    var m = 0
    while m < distances {
        var slope = load(s + m &* stride)
        if threshold > 0 {
            let own = counter &- U(repeating: UInt32(truncatingIfNeeded: m))
            slope *= keepFactor(own, low, high, threshold, keepScale)
            store(slope, s + m &* stride)
        }
        along = fma(along, load(w + m &* stride), slope)
        m &+= 1
    }
    m = 0
    while m < distances {
        let x = load(w + m &* stride)
        store(x * (load(s + m &* stride) - along) * splat(scale), s + m &* stride)
        if threshold > 0 {
            let own = counter &- U(repeating: UInt32(truncatingIfNeeded: m))
            store(x * keepFactor(own, low, high, threshold, keepScale), w + m &* stride)
        }
        m &+= 1
    }
}

/// Queries, keys, values and the gradient of the result, `size` floats apart.
@inline(__always)
private func backwardIn(
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
private func backwardProducts(
    _ distances: Int, _ width: Int, _ blocks: Int, _ x: UnsafeMutablePointer<Float>, _ size: Int,
    _ weights: UnsafePointer<Float>, _ slopes: UnsafePointer<Float>
) {
    var b = 0
    while b < blocks {
        let place = margin &+ b &* 16
        let x = x + place
        combine(distances, width, slopes + place, x + size, false, x + 4 &* size)
        combine(distances, width, slopes + place, x, true, x + 5 &* size)
        combine(distances, width, weights + place, x + 3 &* size, true, x + 6 &* size)
        b &+= 1
    }
}

@inline(__always)
private func backwardOut(
    _ x: UnsafePointer<Float>, _ size: Int, _ pack: UnsafePointer<Int32>, _ count: Int, _ columns: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>, _ ld: Int
) {
    takeOut(x + 4 &* size, pack, count, columns, dq, ld)
    takeOut(x + 5 &* size, pack, count, columns, dk, ld)
    takeOut(x + 6 &* size, pack, count, columns, dv, ld)
}

/// bias: [pack][distance][lane]. sizes: positions and distances of each pack. scratch: 96 (7 max(16, width) + 48) floats.
@inline(never)
package func shortPointwiseAttention(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ heads: Int,
    _ width: Int, _ packs: Int, _ sizes: UnsafePointer<Int32>, _ numbers: UnsafePointer<Int32>,
    _ bias: UnsafePointer<Float>, _ scale: Float, _ out: UnsafeMutablePointer<Float>, _ ldOut: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let together = headsAtOnce(heads, width)
    let columns = together &* width &* stride
    let (qs, ks, vs) = (scratch, scratch + columns, scratch + 2 &* columns)
    let weights = scratch + 3 &* columns
    var number = 0
    while number < packs {
        let pack = numbers + number &* packNumbers
        let count = blocks(sizes[2 &* number])
        let distances = evenDistances(sizes[2 &* number &+ 1])
        clearMargins(ks, 2 &* together &* width, count)
        var first = 0
        while first < heads {
            let some = heads &- first < together ? heads &- first : together
            let at = first &* width
            takeIn(q + at, ld, pack, count, some &* width, qs)
            takeIn(k + at, ld, pack, count, some &* width, ks)
            takeIn(v + at, ld, pack, count, some &* width, vs)
            var head = 0
            while head < some {
                var b = 0
                while b < count {
                    let place = head &* width &* stride &+ margin &+ b &* 16
                    let s = weights + (margin &+ b &* 16)
                    let biases = bias + (number &* mostDistances &* lanes &+ b &* 16)
                    let reach = loadInt(pack + (lanes &+ b &* 16))
                    scores(distances, width, qs + place, ks + place, s)
                    var m = 0
                    while m < distances {
                        let x = load(s + m &* stride) + load(biases + m &* lanes)
                        store(within(reach, m, x * sigmoid2(x) * splat(scale)), s + m &* stride)
                        m &+= 1
                    }
                    // The queries are needed no more.
                    combine(distances, width, s, vs + place, false, qs + place)
                    b &+= 1
                }
                head &+= 1
            }
            takeOut(qs, pack, Int(sizes[2 &* number]), some &* width, out + at, ldOut)
            first &+= some
        }
        number &+= 1
    }
}

/// bias and dBias: [pack][distance][lane]. scratch: 96 (7 max(16, width) + 48) floats.
@inline(never)
package func shortPointwiseAttentionBackward(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ heads: Int,
    _ width: Int, _ packs: Int, _ sizes: UnsafePointer<Int32>, _ numbers: UnsafePointer<Int32>,
    _ bias: UnsafePointer<Float>, _ scale: Float, _ dOut: UnsafePointer<Float>, _ ldOut: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>,
    _ dBias: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
    let together = headsAtOnce(heads, width)
    let columns = together &* width &* stride
    let weights = scratch + 7 &* columns
    let slopes = weights + mostDistances &* stride
    var number = 0
    while number < packs {
        let pack = numbers + number &* packNumbers
        let count = blocks(sizes[2 &* number])
        let distances = evenDistances(sizes[2 &* number &+ 1])
        clearMargins(scratch, 4 &* together &* width, count)
        clearMargins(weights, 2 &* mostDistances, count)
        var first = 0
        while first < heads {
            let some = heads &- first < together ? heads &- first : together
            let at = first &* width
            backwardIn(q + at, k + at, v + at, ld, dOut + at, ldOut, pack, count, some &* width, scratch, columns)
            var head = 0
            while head < some {
                let x = scratch + head &* width &* stride
                var b = 0
                while b < count {
                    let place = margin &+ b &* 16
                    let (w, s) = (weights + place, slopes + place)
                    scores(distances, width, x + place, x + columns + place, w)
                    scores(distances, width, x + 3 &* columns + place, x + 2 &* columns + place, s)
                    let plane = number &* mostDistances &* lanes &+ b &* 16
                    pointwiseSlopes(
                        distances, pack + (lanes &+ b &* 16), scale, bias + plane, dBias + plane,
                        first &+ head > 0, w, s)
                    b &+= 1
                }
                backwardProducts(distances, width, count, x, columns, weights, slopes)
                head &+= 1
            }
            backwardOut(
                scratch, columns, pack, Int(sizes[2 &* number]), some &* width, dq + at, dk + at, dv + at, ld)
            first &+= some
        }
        number &+= 1
    }
}

/// From scores w without bias and the slopes s of the weights: the weights, and the slopes of the scores, also into dBias.
@inline(__always)
private func pointwiseSlopes(
    _ distances: Int, _ reaches: UnsafePointer<Int32>, _ scale: Float, _ bias: UnsafePointer<Float>,
    _ dBias: UnsafeMutablePointer<Float>,
    _ add: Bool, _ w: UnsafeMutablePointer<Float>, _ s: UnsafeMutablePointer<Float>
) {
    let reach = loadInt(reaches)
    var m = 0
    while m < distances {
        let x = load(w + m &* stride) + load(bias + m &* lanes)
        let sigma = sigmoid2(x)
        let g = sigma * splat(scale)
        store(within(reach, m, x * g), w + m &* stride)
        let slope = within(reach, m, load(s + m &* stride) * g * fma(splat(1), x, splat(1) - sigma))
        store(slope, s + m &* stride)
        store(add ? load(dBias + m &* lanes) + slope : slope, dBias + m &* lanes)
        m &+= 1
    }
}
