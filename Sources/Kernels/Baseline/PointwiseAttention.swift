// Causal pointwise (SiLU) attention of one head of one sequence, of hstu. Rules as in Gemm.swift; blocks as in Attention.swift.

internal import CKernels

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
    let stride = k_block_stride(length)
    let weights = scratch + K_GEMM_SCRATCH
    let panels = weights + 2 &* K_ATTENTION_ROWS &* stride
    transposePanels(k, ld, length, width, panelWidth, panels)
    var first = 0
    while first < length {
        let rows = length &- first < K_ATTENTION_ROWS ? length &- first : K_ATTENTION_ROWS
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
    let stride = k_block_stride(length)
    let slopes = scratch + K_GEMM_SCRATCH
    let weights = slopes + K_ATTENTION_ROWS &* stride
    let panels = weights + (K_ATTENTION_ROWS &+ 1) &* stride
    transposePanels(v, ld, length, width, panelWidth, panels)
    var first = 0
    while first < length {
        let rows = length &- first < K_ATTENTION_ROWS ? length &- first : K_ATTENTION_ROWS
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
            let s = headDot(qi, k + j &* ld, width) + biases[j]
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
            let ds = headDot(di, v + j &* ld, width) * slopes[j]
            accumulate(weights[j], di, dv + j &* ld, width)
            accumulate(ds, k + j &* ld, dqi, width)
            accumulate(ds, qi, dk + j &* ld, width)
            slope[j] += ds
            j &+= 1
        }
        i &+= 1
    }
}
