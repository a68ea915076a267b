// Causal softmax attention of one head of one sequence. Rules as in Gemm.swift.
//
// Short sequences take their scores one by one. Longer ones go by blocks of rows, whose products come from register tiles:
// a block computes the columns up to its last row, so that most of the upper triangle is left out.

internal import CKernels

@inline(__always) private func highest(_ v: V) -> Float {
    let a = v.lowHalf.replacing(with: v.highHalf, where: v.highHalf .> v.lowHalf)
    let b = a.lowHalf.replacing(with: a.highHalf, where: a.highHalf .> a.lowHalf)
    let c = b.lowHalf.replacing(with: b.highHalf, where: b.highHalf .> b.lowHalf)
    return c.x > c.y ? c.x : c.y
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

@inline(__always)
private func attentionByBlocks(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ threshold: UInt32, _ keepScale: Float, _ stream: UInt64, _ counter: UInt64,
    _ probabilities: UnsafeMutablePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ ldOut: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let stride = k_block_stride(length)
    let scores = scratch + K_GEMM_SCRATCH
    let factors = scores + 2 &* K_ATTENTION_ROWS &* stride
    let panels = factors + stride
    transposePanels(k, ld, length, width, panelWidth, panels)
    var first = 0
    while first < length {
        let rows = length &- first < K_ATTENTION_ROWS ? length &- first : K_ATTENTION_ROWS
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
    let stride = k_block_stride(length)
    let slopes = scratch + K_GEMM_SCRATCH
    let weights = slopes + K_ATTENTION_ROWS &* stride
    let factors = weights + K_ATTENTION_ROWS &* stride
    let panels = factors + stride
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

/// scratch: k_attention_scratch floats.
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
            let s = headDot(qi, k + j &* ld, width) * scale
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

/// scratch: k_attention_scratch floats.
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
                let d = headDot(di, v + j &* ld, width) * factor
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
