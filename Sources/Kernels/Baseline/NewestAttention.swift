// Attention of one query over the positions of its sequence, as evaluation asks for. Rules as in Gemm.swift.

/// The first lanes of a vector, zeros in the others.
@inline(__always) private func first(_ count: Int, _ v: V) -> V {
    let lane = SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    return V.zero.replacing(with: v, where: lane .< SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: count)))
}

/// scores[j] = <q, k_j>, and zeros up to a whole vector.
@inline(__always)
private func scores(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ ld: Int, _ length: Int, _ width: Int,
    _ scores: UnsafeMutablePointer<Float>
) {
    var j = 0
    while j < length {
        let row = k + j &* ld
        var c = 0
        var sum: Float = 0
        if width >= 16 {
            var s = load(q) * load(row)
            c = 16
            while c &+ 16 <= width {
                s = fma(s, load(q + c), load(row + c))
                c &+= 16
            }
            sum = total(s)
        }
        if c &+ 8 <= width {
            sum += total8(load8(q + c) * load8(row + c))
            c &+= 8
        }
        while c < width {
            sum += q[c] * row[c]
            c &+= 1
        }
        scores[j] = sum
        j &+= 1
    }
    while j & 15 != 0 {
        scores[j] = 0
        j &+= 1
    }
}

/// out = factor Σ weights[j] v_j.
@inline(__always)
private func weighted(
    _ weights: UnsafePointer<Float>, _ factor: Float, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ out: UnsafeMutablePointer<Float>
) {
    var c = 0
    while c &+ 16 <= width {
        var sum = V.zero
        var j = 0
        while j < length {
            sum = fma(sum, splat(weights[j]), load(v + (j &* ld &+ c)))
            j &+= 1
        }
        store(sum * splat(factor), out + c)
        c &+= 16
    }
    while c < width {
        var sum: Float = 0
        var j = 0
        while j < length {
            sum += weights[j] * v[j &* ld &+ c]
            j &+= 1
        }
        out[c] = sum * factor
        c &+= 1
    }
}

/// scratch: length + 16 floats.
@inline(never)
package func newestAttention(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ out: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
    scores(q, k, ld, length, width, scratch)
    var largest = scratch[0]
    var j = 1
    while j < length {
        if scratch[j] > largest { largest = scratch[j] }
        j &+= 1
    }
    var sum = V.zero
    j = 0
    while j < length {
        let e = first(length &- j, exp((load(scratch + j) - splat(largest)) * splat(scale)))
        store(e, scratch + j)
        sum += e
        j &+= 16
    }
    weighted(scratch, 1 / total(sum), v, ld, length, width, out)
}

/// scratch: length + 16 floats.
@inline(never)
package func newestPointwiseAttention(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ bias: UnsafePointer<Float>, _ scale: Float, _ out: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
) {
    scores(q, k, ld, length, width, scratch)
    var j = 0
    while j < length {
        scratch[j] += bias[j]
        j &+= 1
    }
    j = 0
    while j < length {
        let s = load(scratch + j)
        store(s / (splat(1) + exp(V.zero - s)), scratch + j)
        j &+= 16
    }
    weighted(scratch, scale, v, ld, length, width, out)
}
