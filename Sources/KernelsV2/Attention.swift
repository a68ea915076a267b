// Causal softmax attention of one head of one sequence. Rules as in Gemm.swift.
//
// Short sequences take their scores one by one. Longer ones go by blocks of rows, whose products come from register tiles:
// a block computes the columns up to its last row, so that most of the upper triangle is left out.

private typealias V = SIMD16<Float>
private typealias U = SIMD16<UInt32>

@inline(__always) private func load(_ p: UnsafePointer<Float>) -> V { UnsafeRawPointer(p).loadUnaligned(as: V.self) }

@inline(__always) private func store(_ v: V, _ p: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: V.self)
}

@inline(__always) private func load8(_ p: UnsafePointer<Float>) -> SIMD8<Float> {
    UnsafeRawPointer(p).loadUnaligned(as: SIMD8<Float>.self)
}

@inline(__always) private func store8(_ v: SIMD8<Float>, _ p: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: SIMD8<Float>.self)
}

@inline(__always) private func fma(_ c: V, _ a: V, _ b: V) -> V {
    #if K_NOFMA && arch(x86_64)
    return c + a * b
    #else
    return c.addingProduct(a, b)
    #endif
}

@inline(__always) private func total(_ v: V) -> Float { total8(v.lowHalf + v.highHalf) }

@inline(__always) private func total8(_ v: SIMD8<Float>) -> Float {
    let b = v.lowHalf + v.highHalf
    let c = b.lowHalf + b.highHalf
    return c.x + c.y
}

@inline(__always) private func splat(_ x: Float) -> V { V(repeating: x) }

@inline(__always) private func highest(_ v: V) -> Float {
    let a = v.lowHalf.replacing(with: v.highHalf, where: v.highHalf .> v.lowHalf)
    let b = a.lowHalf.replacing(with: a.highHalf, where: a.highHalf .> a.lowHalf)
    let c = b.lowHalf.replacing(with: b.highHalf, where: b.highHalf .> b.lowHalf)
    return c.x > c.y ? c.x : c.y
}

/// e^x to 1e-7 relative, x clamped to [-87, 88] (Cephes).
@inline(__always) private func exp(_ x: V) -> V {
    var x = x.replacing(with: splat(-87), where: x .< splat(-87))
    x = x.replacing(with: splat(88), where: x .> splat(88))
    let magic = splat(12_582_912)
    let t = fma(magic, x, splat(1.442_695_04))
    let n = t - magic
    var r = fma(x, n, splat(-0.693_359_375))
    r = fma(r, n, splat(2.121_944_40e-4))
    var p = splat(1.987_569_15e-4)
    p = fma(splat(1.398_199_95e-3), p, r)
    p = fma(splat(8.333_451_91e-3), p, r)
    p = fma(splat(4.166_579_59e-2), p, r)
    p = fma(splat(1.666_666_55e-1), p, r)
    p = fma(splat(5.000_000_12e-1), p, r)
    let y = fma(r + splat(1), p, r * r)
    let bits = (unsafeBitCast(t, to: U.self) &<< U(repeating: 23)) &+ U(repeating: 0x3f80_0000)
    return y * unsafeBitCast(bits, to: V.self)
}

@inline(__always) private func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ width: Int) -> Float {
    var c = 0
    var sum: Float = 0
    if width >= 16 {
        var s = load(a) * load(b)
        c = 16
        while c &+ 16 <= width {
            s = fma(s, load(a + c), load(b + c))
            c &+= 16
        }
        sum = total(s)
    }
    if c &+ 8 <= width {
        sum += total8(load8(a + c) * load8(b + c))
        c &+= 8
    }
    while c < width {
        sum += a[c] * b[c]
        c &+= 1
    }
    return sum
}

/// y += w x
@inline(__always)
private func accumulate(_ w: Float, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ width: Int) {
    var c = 0
    while c &+ 16 <= width {
        store(fma(load(y + c), splat(w), load(x + c)), y + c)
        c &+= 16
    }
    if c &+ 8 <= width {
        store8(load8(y + c) + SIMD8(repeating: w) * load8(x + c), y + c)
        c &+= 8
    }
    while c < width {
        y[c] += w * x[c]
        c &+= 1
    }
}

@inline(__always) private func clear(_ y: UnsafeMutablePointer<Float>, _ width: Int) {
    var c = 0
    while c < width {
        y[c] = 0
        c &+= 1
    }
}

/// The keep decisions of 16 elements from `first` on: see `Dropout`.
@inline(__always) private func hash(_ first: UInt32, _ low: UInt32, _ high: UInt32) -> U {
    let lane = U(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    var z = ((U(repeating: first) &+ lane) &* U(repeating: 0x9e37_79b1)) ^ U(repeating: low)
    z = z &+ U(repeating: high)
    z ^= z &>> U(repeating: 16)
    z = z &* U(repeating: 0x7feb_352d)
    z ^= z &>> U(repeating: 15)
    z = z &* U(repeating: 0x846c_a68b)
    z ^= z &>> U(repeating: 16)
    return z
}

/// factors[0..<count rounded up to 16] = scale where kept, else 0.
@inline(__always)
private func keepFactors(
    _ count: Int, _ threshold: UInt32, _ scale: Float, _ stream: UInt64, _ counter: UInt64,
    _ factors: UnsafeMutablePointer<Float>
) {
    let low = UInt32(truncatingIfNeeded: stream)
    let high = UInt32(truncatingIfNeeded: stream >> 32)
    var first = UInt32(truncatingIfNeeded: counter)
    var j = 0
    while j < count {
        let kept = hash(first, low, high) .>= U(repeating: threshold)
        store(V.zero.replacing(with: splat(scale), where: kept), factors + j)
        first = first &+ 16
        j &+= 16
    }
}

/// Rows of a block: a multiple of the tiles' rows.
private let blockRows = 24

/// Shortest sequence, and widest head, that go by blocks.
private let blockedLength = 16
private let blockedWidth = 128

@inline(__always) private func goesByBlocks(_ length: Int, _ width: Int) -> Bool {
    length >= blockedLength && width <= blockedWidth
}

/// Floats between the rows of a block of scores: whole panels.
@inline(__always) private func blockStride(_ length: Int) -> Int { (length &+ 31) / 32 &* 32 &+ 16 }

/// panels[panel][width][panelWidth] = the transpose of x[length, width], zeros past the last row.
@inline(__always)
private func transposePanels(
    _ x: UnsafePointer<Float>, _ ld: Int, _ length: Int, _ width: Int, _ panels: UnsafeMutablePointer<Float>
) {
    let end = (length &+ panelWidth &- 1) / panelWidth &* panelWidth
    var j = 0
    while j < end {
        let panel = panels + (j / panelWidth &* panelWidth &* width &+ j % panelWidth)
        let rows = length &- j < 0 ? 0 : length &- j < 16 ? length &- j : 16
        let x = x + (rows > 0 ? j &* ld : 0)
        var c = 0
        while c &+ 16 <= width {
            transpose16(x + c, ld, rows, false, panel + c &* panelWidth, panelWidth)
            c &+= 16
        }
        if c &+ 8 <= width {
            transpose16(x + c, ld, rows, true, panel + c &* panelWidth, panelWidth)
            c &+= 8
        }
        while c < width {
            var r = 0
            while r < 16 {
                panel[c &* panelWidth &+ r] = r < rows ? x[r &* ld &+ c] : 0
                r &+= 1
            }
            c &+= 1
        }
        j &+= 16
    }
}

/// out[rows, <= columns rounded up] = x[rows, width] times the panels of the first `columns` columns.
@inline(__always)
private func blockProduct(
    _ rows: Int, _ columns: Int, _ width: Int, _ x: UnsafePointer<Float>, _ ld: Int, _ panels: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ stride: Int
) {
    var j = 0
    while j < columns {
        panelProduct(
            rows, panelWidth / 16, width, x, ld, 1, panels + j &* width, panelWidth, out + j, stride, false)
        j &+= panelWidth
    }
}

/// v where the lane is below `count`, else `other`.
@inline(__always) private func below(_ count: Int, _ v: V, _ other: V) -> V {
    let lane = SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    return other.replacing(with: v, where: lane .< SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: count)))
}

/// The first `count` floats, zeros after them; `readable` floats from p on may be read.
@inline(__always) private func loadFirst(_ p: UnsafePointer<Float>, _ count: Int, _ readable: Int) -> V {
    if readable >= 16 { return count >= 16 ? load(p) : below(count, load(p), V.zero) }
    var v = V.zero
    var i = 0
    while i < count {
        v[i] = p[i]
        i &+= 1
    }
    return v
}

@inline(__always)
private func attentionByBlocks(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ threshold: UInt32, _ keepScale: Float, _ stream: UInt64, _ counter: UInt64,
    _ probabilities: UnsafeMutablePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ ldOut: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let stride = blockStride(length)
    let scores = scratch + gemmScratch
    let factors = scores + 2 &* blockRows &* stride
    let panels = factors + stride
    transposePanels(k, ld, length, width, panels)
    var first = 0
    while first < length {
        let rows = length &- first < blockRows ? length &- first : blockRows
        let columns = first &+ rows
        blockProduct(rows, columns, width, q + first &* ld, ld, panels, scores, stride)
        var r = 0
        while r < rows {
            let count = first &+ r &+ 1
            let row = scores + r &* stride
            var most = splat(-3e38)
            var j = 0
            while j < count {
                let s = below(count &- j, load(row + j), splat(-3e38))
                most = most.replacing(with: s, where: s .> most)
                j &+= 16
            }
            let largest = highest(most)
            var sum = V.zero
            j = 0
            while j < count {
                let e = below(count &- j, exp((load(row + j) - splat(largest)) * splat(scale)), V.zero)
                store(e, row + j)
                sum += e
                j &+= 16
            }
            let inverse = 1 / total(sum)
            let p = probabilities + (first &+ r) &* length
            if threshold > 0 {
                keepFactors(
                    count, threshold, keepScale, stream, counter &+ UInt64((first &+ r) &* length), factors)
            }
            j = 0
            while j < count {
                let x = load(row + j) * splat(inverse)
                // Zeros may go past the diagonal, into what later rows write, but not past the last row.
                if (first &+ r) &* length &+ j &+ 16 <= length &* length {
                    store(x, p + j)
                } else {
                    var i = 0
                    while j &+ i < count {
                        p[j &+ i] = x[i]
                        i &+= 1
                    }
                }
                store(threshold > 0 ? x * load(factors + j) : x, row + j)
                j &+= 16
            }
            while j < columns {
                store(V.zero, row + j)
                j &+= 16
            }
            r &+= 1
        }
        gemm(0, rows, width, columns, scores, stride, v, ld, out + first &* ldOut, ldOut, false, scratch)
        first &+= rows
    }
}

@inline(__always)
private func attentionBackwardByBlocks(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ threshold: UInt32, _ keepScale: Float, _ stream: UInt64, _ counter: UInt64,
    _ probabilities: UnsafePointer<Float>, _ dOut: UnsafePointer<Float>, _ ldOut: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let stride = blockStride(length)
    let slopes = scratch + gemmScratch
    let weights = slopes + blockRows &* stride
    let factors = weights + blockRows &* stride
    let panels = factors + stride
    transposePanels(v, ld, length, width, panels)
    var first = 0
    while first < length {
        let rows = length &- first < blockRows ? length &- first : blockRows
        let columns = first &+ rows
        blockProduct(rows, columns, width, dOut + first &* ldOut, ldOut, panels, slopes, stride)
        var r = 0
        while r < rows {
            let count = first &+ r &+ 1
            let slope = slopes + r &* stride
            let weight = weights + r &* stride
            let p = probabilities + (first &+ r) &* length
            let readable = (length &- first &- r) &* length
            if threshold > 0 {
                keepFactors(
                    count, threshold, keepScale, stream, counter &+ UInt64((first &+ r) &* length), factors)
            }
            var sum = V.zero
            var j = 0
            while j < count {
                let x = loadFirst(p + j, count &- j, readable &- j)
                let kept = threshold > 0 ? x * load(factors + j) : x
                store(kept, weight + j)
                sum = fma(sum, kept, load(slope + j))
                j &+= 16
            }
            let along = splat(total(sum))
            j = 0
            while j < count {
                let x = loadFirst(p + j, count &- j, readable &- j)
                store((load(weight + j) * load(slope + j) - x * along) * splat(scale), slope + j)
                j &+= 16
            }
            while j < columns {
                store(V.zero, slope + j)
                store(V.zero, weight + j)
                j &+= 16
            }
            r &+= 1
        }
        gemm(0, rows, width, columns, slopes, stride, k, ld, dq + first &* ld, ld, false, scratch)
        // The rows that this block is the first to reach are written, those before added to.
        if first > 0 {
            gemm(2, first, width, rows, slopes, stride, q + first &* ld, ld, dk, ld, true, scratch)
            gemm(2, first, width, rows, weights, stride, dOut + first &* ldOut, ldOut, dv, ld, true, scratch)
        }
        gemm(2, rows, width, rows, slopes + first, stride, q + first &* ld, ld, dk + first &* ld, ld, false, scratch)
        gemm(
            2, rows, width, rows, weights + first, stride, dOut + first &* ldOut, ldOut, dv + first &* ld, ld, false,
            scratch)
        first &+= rows
    }
}

/// scratch: gemmScratch + 49 strides of a block + blockedWidth * (length + 31) floats.
@inline(never)
package func attention(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ threshold: UInt32, _ keepScale: Float, _ stream: UInt64, _ counter: UInt64,
    _ probabilities: UnsafeMutablePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ ldOut: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    if goesByBlocks(length, width) {
        attentionByBlocks(
            q, k, v, ld, length, width, scale, threshold, keepScale, stream, counter, probabilities, out, ldOut, scratch
        )
        return
    }
    let row = scratch
    let factors = scratch + (length &+ 16)
    var i = 0
    while i < length {
        let qi = q + i &* ld
        let count = i &+ 1
        var largest = -Float.greatestFiniteMagnitude
        var j = 0
        while j < count {
            let s = dot(qi, k + j &* ld, width) * scale
            row[j] = s
            if s > largest { largest = s }
            j &+= 1
        }
        // Scores past the diagonal become e^-87, which vanishes beside the row's sum of at least 1.
        while j % 16 != 0 {
            row[j] = -3e38
            j &+= 1
        }
        var sum = V.zero
        j = 0
        while j < count {
            let e = exp(load(row + j) - splat(largest))
            store(e, row + j)
            sum += e
            j &+= 16
        }
        let inverse = 1 / total(sum)
        let p = probabilities + i &* length
        j = 0
        while j < count {
            p[j] = row[j] * inverse
            j &+= 1
        }
        let oi = out + i &* ldOut
        clear(oi, width)
        if threshold > 0 {
            keepFactors(count, threshold, keepScale, stream, counter &+ UInt64(i &* length), factors)
            j = 0
            while j < count {
                let w = p[j] * factors[j]
                if w != 0 { accumulate(w, v + j &* ld, oi, width) }
                j &+= 1
            }
        } else {
            j = 0
            while j < count {
                accumulate(p[j], v + j &* ld, oi, width)
                j &+= 1
            }
        }
        i &+= 1
    }
}

/// scratch: gemmScratch + 49 strides of a block + blockedWidth * (length + 31) floats.
@inline(never)
package func attentionBackward(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ threshold: UInt32, _ keepScale: Float, _ stream: UInt64, _ counter: UInt64,
    _ probabilities: UnsafePointer<Float>, _ dOut: UnsafePointer<Float>, _ ldOut: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
) {
    if goesByBlocks(length, width) {
        attentionBackwardByBlocks(
            q, k, v, ld, length, width, scale, threshold, keepScale, stream, counter, probabilities, dOut, ldOut, dq,
            dk,
            dv, scratch)
        return
    }
    let slope = scratch
    let factors = scratch + (length &+ 16)
    var i = 0
    while i < length {
        clear(dq + i &* ld, width)
        clear(dk + i &* ld, width)
        clear(dv + i &* ld, width)
        i &+= 1
    }
    i = 0
    while i < length {
        let count = i &+ 1
        let p = probabilities + i &* length
        let di = dOut + i &* ldOut
        if threshold > 0 {
            keepFactors(count, threshold, keepScale, stream, counter &+ UInt64(i &* length), factors)
        }
        var along: Float = 0
        var j = 0
        while j < count {
            let factor = threshold > 0 ? factors[j] : 1
            if factor != 0 {
                let d = dot(di, v + j &* ld, width) * factor
                slope[j] = d
                along += d * p[j]
                accumulate(p[j] * factor, di, dv + j &* ld, width)
            } else {
                slope[j] = 0
            }
            j &+= 1
        }
        let qi = q + i &* ld
        let dqi = dq + i &* ld
        j = 0
        while j < count {
            let ds = p[j] * (slope[j] - along) * scale
            accumulate(ds, k + j &* ld, dqi, width)
            accumulate(ds, qi, dk + j &* ld, width)
            j &+= 1
        }
        i &+= 1
    }
}
