// Causal softmax attention of one head of one sequence. Rules as in Gemm.swift.

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

/// scratch: 2 * (length + 16) floats.
@inline(never)
package func attention(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ threshold: UInt32, _ keepScale: Float, _ stream: UInt64, _ counter: UInt64,
    _ probabilities: UnsafeMutablePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ ldOut: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
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

/// scratch: 2 * (length + 16) floats.
@inline(never)
package func attentionBackward(
    _ q: UnsafePointer<Float>, _ k: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ ld: Int, _ length: Int,
    _ width: Int, _ scale: Float, _ threshold: UInt32, _ keepScale: Float, _ stream: UInt64, _ counter: UInt64,
    _ probabilities: UnsafePointer<Float>, _ dOut: UnsafePointer<Float>, _ ldOut: Int,
    _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>, _ dv: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
) {
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
