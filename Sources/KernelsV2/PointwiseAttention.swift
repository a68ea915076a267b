// Causal pointwise (SiLU) attention of one head of one sequence, of hstu. Rules as in Gemm.swift; blocks as in Attention.swift.

private typealias V = SIMD16<Float>
private typealias U = SIMD16<UInt32>

@inline(__always) private func load(_ p: UnsafePointer<Float>) -> V { UnsafeRawPointer(p).loadUnaligned(as: V.self) }

@inline(__always) private func store(_ v: V, _ p: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: V.self)
}

@inline(__always) private func fma(_ c: V, _ a: V, _ b: V) -> V {
    #if K_NOFMA && arch(x86_64)
    return c + a * b
    #else
    return c.addingProduct(a, b)
    #endif
}

@inline(__always) private func splat(_ x: Float) -> V { V(repeating: x) }

@inline(__always) private func load8(_ p: UnsafePointer<Float>) -> SIMD8<Float> {
    UnsafeRawPointer(p).loadUnaligned(as: SIMD8<Float>.self)
}

@inline(__always) private func store8(_ v: SIMD8<Float>, _ p: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: SIMD8<Float>.self)
}

@inline(__always) private func total(_ v: V) -> Float { total8(v.lowHalf + v.highHalf) }

@inline(__always) private func total8(_ v: SIMD8<Float>) -> Float {
    let b = v.lowHalf + v.highHalf
    let c = b.lowHalf + b.highHalf
    return c.x + c.y
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

/// 1 / (1 + e^-x).
@inline(__always) private func sigmoid(_ x: V) -> V { splat(1) / (splat(1) + exp(V.zero - x)) }

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

@inline(__always) private func storeFirst(_ v: V, _ p: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count && i < 16 {
        p[i] = v[i]
        i &+= 1
    }
}

@inline(never)
private func pointwiseByBlocks(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ bias: UnsafePointer<Float>, _ scale: Float, _ scores: UnsafeMutablePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ ldOut: Int, _ scratch: UnsafeMutablePointer<Float>
) {
    let stride = blockStride(length)
    let weights = scratch + gemmScratch
    let panels = weights + 2 &* blockRows &* stride
    transposePanels(k, ld, length, width, panels)
    var first = 0
    while first < length {
        let rows = length &- first < blockRows ? length &- first : blockRows
        let columns = first &+ rows
        blockProduct(rows, columns, width, q + first &* ld, ld, panels, weights, stride)
        var r = 0
        while r < rows {
            let count = first &+ r &+ 1
            let row = weights + r &* stride
            let at = (first &+ r) &* length
            var j = 0
            while j < count {
                let left = count &- j
                let s = below(
                    left, load(row + j) + loadFirst(bias + (at &+ j), left, length &* length &- at &- j), V.zero)
                // Zeros may go past the diagonal, into what later rows write, but not past the last row.
                if at &+ j &+ 16 <= length &* length {
                    store(s, scores + (at &+ j))
                } else {
                    storeFirst(s, scores + (at &+ j), left)
                }
                store(s * sigmoid(s) * splat(scale), row + j)
                j &+= 16
            }
            while j < columns {
                store(V.zero, row + j)
                j &+= 16
            }
            r &+= 1
        }
        gemm(0, rows, width, columns, weights, stride, v, ld, out + first &* ldOut, ldOut, false, scratch)
        first &+= rows
    }
}

@inline(never)
private func pointwiseBackwardByBlocks(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ scores: UnsafePointer<Float>, _ dOut: UnsafePointer<Float>, _ ldOut: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>,
    _ dBias: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
    let stride = blockStride(length)
    let slopes = scratch + gemmScratch
    let weights = slopes + blockRows &* stride
    let panels = weights + (blockRows &+ 1) &* stride
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
            let at = (first &+ r) &* length
            var j = 0
            while j < count {
                let left = count &- j
                let readable = length &* length &- at &- j
                let s = loadFirst(scores + (at &+ j), left, readable)
                let sigma = sigmoid(s)
                let g = sigma * splat(scale)
                store(s * g, weight + j)
                let ds = below(left, load(slope + j) * g * fma(splat(1), s, splat(1) - sigma), V.zero)
                store(ds, slope + j)
                if readable >= 16 {
                    store(load(dBias + (at &+ j)) + ds, dBias + (at &+ j))
                } else {
                    storeFirst(loadFirst(dBias + (at &+ j), left, readable) + ds, dBias + (at &+ j), left)
                }
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

/// scratch: as `attention`.
@inline(never)
package func pointwiseAttention(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ bias: UnsafePointer<Float>, _ scale: Float, _ scores: UnsafeMutablePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ ldOut: Int, _ scratch: UnsafeMutablePointer<Float>
) {
    if goesByBlocks(length, width) {
        pointwiseByBlocks(q, k, v, ld, length, width, bias, scale, scores, out, ldOut, scratch)
        return
    }
    var i = 0
    while i < length {
        let qi = q + i &* ld
        let row = scores + i &* length
        let biases = bias + i &* length
        let count = i &+ 1
        var j = 0
        while j < count {
            let s = dot(qi, k + j &* ld, width) + biases[j]
            row[j] = s
            scratch[j] = s
            j &+= 1
        }
        while j % 16 != 0 {
            scratch[j] = 0
            j &+= 1
        }
        j = 0
        while j < count {
            let s = load(scratch + j)
            store(s * sigmoid(s) * splat(scale), scratch + j)
            j &+= 16
        }
        let oi = out + i &* ldOut
        clear(oi, width)
        j = 0
        while j < count {
            accumulate(scratch[j], v + j &* ld, oi, width)
            j &+= 1
        }
        i &+= 1
    }
}

/// scratch: as `attention`.
@inline(never)
package func pointwiseAttentionBackward(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ scores: UnsafePointer<Float>, _ dOut: UnsafePointer<Float>, _ ldOut: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>,
    _ dBias: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
    if goesByBlocks(length, width) {
        pointwiseBackwardByBlocks(
            q, k, v, ld, length, width, scale, scores, dOut, ldOut, dq, dk, dv, dBias, scratch)
        return
    }
    let weights = scratch
    let slopes = scratch + (length &+ 16)
    var i = 0
    while i < length {
        clear(dq + i &* ld, width)
        clear(dk + i &* ld, width)
        clear(dv + i &* ld, width)
        i &+= 1
    }
    i = 0
    while i < length {
        let row = scores + i &* length
        let count = i &+ 1
        var j = 0
        while j < count {
            weights[j] = row[j]
            j &+= 1
        }
        while j % 16 != 0 {
            weights[j] = 0
            j &+= 1
        }
        j = 0
        while j < count {
            let s = load(weights + j)
            let g = sigmoid(s) * splat(scale)
            store(s * g, weights + j)
            store(g * fma(splat(1), s, splat(1) - sigmoid(s)), slopes + j)
            j &+= 16
        }
        let di = dOut + i &* ldOut
        let qi = q + i &* ld
        let dqi = dq + i &* ld
        let slope = dBias + i &* length
        j = 0
        while j < count {
            let ds = dot(di, v + j &* ld, width) * slopes[j]
            accumulate(weights[j], di, dv + j &* ld, width)
            accumulate(ds, k + j &* ld, dqi, width)
            accumulate(ds, qi, dk + j &* ld, width)
            slope[j] += ds
            j &+= 1
        }
        i &+= 1
    }
}
