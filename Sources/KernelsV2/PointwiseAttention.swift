// Causal pointwise (SiLU) attention of one head of one sequence, of hstu. Rules as in Gemm.swift.

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

/// scratch: 2 * (length + 16) floats.
@inline(never)
package func pointwiseAttention(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ bias: UnsafePointer<Float>, _ scale: Float, _ scores: UnsafeMutablePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ ldOut: Int, _ scratch: UnsafeMutablePointer<Float>
) {
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

/// scratch: 2 * (length + 16) floats.
@inline(never)
package func pointwiseAttentionBackward(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ scores: UnsafePointer<Float>, _ dOut: UnsafePointer<Float>, _ ldOut: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>,
    _ dBias: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
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
