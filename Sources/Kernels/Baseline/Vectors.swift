// What every kernel file says of vectors: 16 floats at a time, and what is done to a row of them. Rules as in Gemm.swift.

typealias V = SIMD16<Float>
typealias U = SIMD16<UInt32>
typealias I = SIMD16<Int32>

@inline(__always) func load(_ p: UnsafePointer<Float>) -> V { UnsafeRawPointer(p).loadUnaligned(as: V.self) }

@inline(__always) func store(_ v: V, _ p: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: V.self)
}

@inline(__always) func load8(_ p: UnsafePointer<Float>) -> SIMD8<Float> {
    UnsafeRawPointer(p).loadUnaligned(as: SIMD8<Float>.self)
}

@inline(__always) func store8(_ v: SIMD8<Float>, _ p: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: SIMD8<Float>.self)
}

@inline(__always) func loadInt(_ p: UnsafePointer<Int32>) -> I { UnsafeRawPointer(p).loadUnaligned(as: I.self) }

@inline(__always) func storeInt(_ v: I, _ p: UnsafeMutablePointer<Int32>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: I.self)
}

/// The last `count` numbers of a row in a whole vector; the rest is `filler`.
@inline(__always) func loadPart(_ p: UnsafePointer<Float>, _ count: Int, _ filler: Float = 0) -> V {
    var v = splat(filler)
    var i = 0
    while i < count {
        v[i] = p[i]
        i &+= 1
    }
    return v
}

@inline(__always) func storePart(_ v: V, _ p: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
        p[i] = v[i]
        i &+= 1
    }
}

@inline(__always) func splat(_ x: Float) -> V { V(repeating: x) }

/// c + a b, in one instruction where the CPU has it.
@inline(__always) func fma(_ c: V, _ a: V, _ b: V) -> V {
    #if K_NOFMA && arch(x86_64)
    return c + a * b
    #else
    return c.addingProduct(a, b)
    #endif
}

@inline(__always) func fma(_ c: V, _ a: Float, _ b: V) -> V { fma(c, splat(a), b) }

@inline(__always) func total8(_ v: SIMD8<Float>) -> Float {
    let b = v.lowHalf + v.highHalf
    let c = b.lowHalf + b.highHalf
    return c.x + c.y
}

@inline(__always) func total(_ v: V) -> Float { total8(v.lowHalf + v.highHalf) }

/// v where the lane is below `count`, else `other`.
@inline(__always) func below(_ count: Int, _ v: V, _ other: V) -> V {
    let lane = I(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    return other.replacing(with: v, where: lane .< I(repeating: Int32(truncatingIfNeeded: count)))
}

/// e^x to 1e-7 relative, x clamped to [-87, 88] (Cephes).
@inline(__always) func exp(_ x: V) -> V {
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
@inline(__always) func sigmoid(_ x: V) -> V { splat(1) / (splat(1) + exp(V.zero - x)) }

/// 2^x to 8e-8 relative for x in [-126, 127]: 2^n by adding n to the exponent, 2^(x - n) by a polynomial that a weighted
/// least-squares fit made nearly minimax on [-1/2, 1/2].
@_transparent func exp2(_ x: V) -> V {
    let magic = splat(12_582_912)
    let t = x + magic
    let r = x - (t - magic)
    var p = splat(1.535_336_2e-4)
    p = fma(splat(1.339_887_4e-3), p, r)
    p = fma(splat(9.618_437e-3), p, r)
    p = fma(splat(5.550_332_4e-2), p, r)
    p = fma(splat(2.402_264_8e-1), p, r)
    p = fma(splat(6.931_472e-1), p, r)
    p = fma(splat(1), p, r)
    return unsafeBitCast(
        unsafeBitCast(p, to: U.self) &+ (unsafeBitCast(t, to: U.self) &<< U(repeating: 23)), to: V.self)
}

/// The keep decisions of elements by their counters: see `Dropout`.
@_transparent func hash(_ counter: U, _ low: UInt32, _ high: UInt32) -> U {
    var z = (counter &* U(repeating: 0x9e37_79b1)) ^ U(repeating: low)
    z = z &+ U(repeating: high)
    z ^= z &>> U(repeating: 16)
    z = z &* U(repeating: 0x7feb_352d)
    z ^= z &>> U(repeating: 15)
    z = z &* U(repeating: 0x846c_a68b)
    z ^= z &>> U(repeating: 16)
    return z
}

/// Those of 16 elements from `first` on.
@inline(__always) func hash(_ first: UInt32, _ low: UInt32, _ high: UInt32) -> U {
    hash(U(repeating: first) &+ U(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), low, high)
}

@inline(__always) func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ width: Int) -> Float {
    var s = V.zero
    var c = 0
    while c &+ 16 <= width {
        s = fma(s, load(a + c), load(b + c))
        c &+= 16
    }
    var sum = total(s)
    while c < width {
        sum += a[c] * b[c]
        c &+= 1
    }
    return sum
}

/// y += w x
@inline(__always)
func accumulate(_ w: Float, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ width: Int) {
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

@inline(__always) func clear(_ y: UnsafeMutablePointer<Float>, _ width: Int) {
    var c = 0
    while c < width {
        y[c] = 0
        c &+= 1
    }
}
