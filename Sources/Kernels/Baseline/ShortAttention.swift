// Causal softmax attention of many short sequences at once. Rules as in Gemm.swift, layout as in ShortProducts.swift.

/// scale where the element of a counter is kept, else 0: see `Dropout`.
@_transparent
private func keepFactor(_ counter: U, _ low: UInt32, _ high: UInt32, _ threshold: UInt32, _ scale: Float) -> V {
    V.zero.replacing(with: splat(scale), where: hash(counter, low, high) .>= U(repeating: threshold))
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
        let x = load(s + m &* packStride)
        let larger = (x .> most) .& (reach .>= I(repeating: Int32(truncatingIfNeeded: m)))
        most = most.replacing(with: x, where: larger)
        m &+= 1
    }
    var sum = V.zero
    m = 0
    while m < distances {
        let e = within(reach, m, anyExp2((load(s + m &* packStride) - most) * splat(factor)))
        store(e, s + m &* packStride)
        sum += e
        m &+= 1
    }
    let inverse = splat(1) / sum
    m = 0
    while m < distances {
        store(load(s + m &* packStride) * inverse, s + m &* packStride)
        m &+= 1
    }
}

/// The counter of each lane's own key; that of the key m before it is m less.
@_transparent private func counters(_ pack: UnsafePointer<Int32>, _ block: Int, _ head: Int) -> U {
    let own = loadInt(pack + (2 &* packLanes &+ block &* 16))
    let square = loadInt(pack + (3 &* packLanes &+ block &* 16))
    return unsafeBitCast(own &+ square &* I(repeating: Int32(truncatingIfNeeded: head)), to: U.self)
}

/// sizes: positions and distances of each pack. scratch: k_short_scratch floats.
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
    let columns = together &* width &* packStride
    let (qs, ks, vs) = (scratch, scratch + columns, scratch + 2 &* columns)
    let weights = scratch + 3 &* columns
    var number = 0
    while number < packs {
        let pack = numbers + number &* packNumbers
        let count = laneBlocks(sizes[2 &* number])
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
                    let place = head &* width &* packStride &+ packMargin &+ b &* 16
                    let s = weights + (packMargin &+ b &* 16)
                    laneScores(distances, width, qs + place, ks + place, s)
                    softmax(distances, pack + (packLanes &+ b &* 16), scale * 1.442_695_04, s)
                    if threshold > 0 {
                        let counter = counters(pack, b, first &+ head)
                        var m = 0
                        while m < distances {
                            let own = counter &- U(repeating: UInt32(truncatingIfNeeded: m))
                            let kept = keepFactor(own, low, high, threshold, keepScale)
                            store(load(s + m &* packStride) * kept, s + m &* packStride)
                            m &+= 1
                        }
                    }
                    // The queries are needed no more.
                    laneSums(distances, width, s, vs + place, false, qs + place)
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

/// sizes: positions and distances of each pack. scratch: k_short_scratch floats.
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
    let columns = together &* width &* packStride
    let weights = scratch + 7 &* columns
    let slopes = weights + packDistances &* packStride
    var number = 0
    while number < packs {
        let pack = numbers + number &* packNumbers
        let count = laneBlocks(sizes[2 &* number])
        let distances = evenDistances(sizes[2 &* number &+ 1])
        clearMargins(scratch, 4 &* together &* width, count)
        clearMargins(weights, 2 &* packDistances, count)
        var first = 0
        while first < heads {
            let some = heads &- first < together ? heads &- first : together
            let at = first &* width
            backwardIn(q + at, k + at, v + at, ld, dOut + at, ldOut, pack, count, some &* width, scratch, columns)
            var head = 0
            while head < some {
                let x = scratch + head &* width &* packStride
                var b = 0
                while b < count {
                    let place = packMargin &+ b &* 16
                    let (w, s) = (weights + place, slopes + place)
                    laneScores(distances, width, x + place, x + columns + place, w)
                    softmax(distances, pack + (packLanes &+ b &* 16), scale * 1.442_695_04, w)
                    laneScores(distances, width, x + 3 &* columns + place, x + 2 &* columns + place, s)
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
        var slope = load(s + m &* packStride)
        if threshold > 0 {
            let own = counter &- U(repeating: UInt32(truncatingIfNeeded: m))
            slope *= keepFactor(own, low, high, threshold, keepScale)
            store(slope, s + m &* packStride)
        }
        along = fma(along, load(w + m &* packStride), slope)
        m &+= 1
    }
    m = 0
    while m < distances {
        let x = load(w + m &* packStride)
        store(x * (load(s + m &* packStride) - along) * splat(scale), s + m &* packStride)
        if threshold > 0 {
            let own = counter &- U(repeating: UInt32(truncatingIfNeeded: m))
            store(x * keepFactor(own, low, high, threshold, keepScale), w + m &* packStride)
        }
        m &+= 1
    }
}
