// Attention of one query over the positions of its sequence, as evaluation asks for. Rules as in Gemm.swift.

private typealias V = SIMD16<Float>
private typealias U = SIMD16<UInt32>

@inline(__always) private func load(_ p: UnsafePointer<Float>) -> V { UnsafeRawPointer(p).loadUnaligned(as: V.self) }

@inline(__always) private func store(_ v: V, _ p: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: V.self)
}

@inline(__always) private func load8(_ p: UnsafePointer<Float>) -> SIMD8<Float> {
    UnsafeRawPointer(p).loadUnaligned(as: SIMD8<Float>.self)
}

@inline(__always) private func fma(_ c: V, _ a: V, _ b: V) -> V {
    #if K_NOFMA && arch(x86_64)
    return c + a * b
    #else
    return c.addingProduct(a, b)
    #endif
}

@inline(__always) private func splat(_ x: Float) -> V { V(repeating: x) }

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
