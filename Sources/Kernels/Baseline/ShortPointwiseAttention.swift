// hstu's pointwise attention of many short sequences at once. Rules as in Gemm.swift, layout as in ShortProducts.swift.

/// `sigmoid` by powers of 2.
@_transparent private func sigmoid2(_ x: V) -> V { splat(1) / (splat(1) + anyExp2(x * splat(-1.442_695_04))) }

/// bias: [pack][distance][lane]. sizes: positions and distances of each pack. scratch: k_short_scratch floats.
@inline(never)
package func shortPointwiseAttention(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ heads: Int,
    _ width: Int, _ packs: Int, _ sizes: UnsafePointer<Int32>, _ numbers: UnsafePointer<Int32>,
    _ bias: UnsafePointer<Float>, _ scale: Float, _ out: UnsafeMutablePointer<Float>, _ ldOut: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
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
                    let biases = bias + (number &* packDistances &* packLanes &+ b &* 16)
                    let reach = loadInt(pack + (packLanes &+ b &* 16))
                    laneScores(distances, width, qs + place, ks + place, s)
                    var m = 0
                    while m < distances {
                        let x = load(s + m &* packStride) + load(biases + m &* packLanes)
                        store(within(reach, m, x * sigmoid2(x) * splat(scale)), s + m &* packStride)
                        m &+= 1
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

/// bias and dBias: [pack][distance][lane]. scratch: k_short_scratch floats.
@inline(never)
package func shortPointwiseAttentionBackward(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ heads: Int,
    _ width: Int, _ packs: Int, _ sizes: UnsafePointer<Int32>, _ numbers: UnsafePointer<Int32>,
    _ bias: UnsafePointer<Float>, _ scale: Float, _ dOut: UnsafePointer<Float>, _ ldOut: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>,
    _ dBias: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
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
                    laneScores(distances, width, x + 3 &* columns + place, x + 2 &* columns + place, s)
                    let plane = number &* packDistances &* packLanes &+ b &* 16
                    pointwiseSlopes(
                        distances, pack + (packLanes &+ b &* 16), scale, bias + plane, dBias + plane,
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
        let x = load(w + m &* packStride) + load(bias + m &* packLanes)
        let sigma = sigmoid2(x)
        let g = sigma * splat(scale)
        store(within(reach, m, x * g), w + m &* packStride)
        let slope = within(reach, m, load(s + m &* packStride) * g * fma(splat(1), x, splat(1) - sigma))
        store(slope, s + m &* packStride)
        store(add ? load(dBias + m &* packLanes) + slope : slope, dBias + m &* packLanes)
        m &+= 1
    }
}
