// What the CPU can do at most, for benchmarks. Rules as in Gemm.swift.

/// Vectors that `peak` keeps in flight: more than latency times units, fewer than registers.
#if K_AVX512
package let peakVectors = 12
#else
package let peakVectors = 6
#endif

/// rounds * peakVectors products with addition of 16 floats each, which depend on no memory.
@inline(never)
package func peak(_ rounds: Int, _ factor: Float) -> Float {
    let a = V(repeating: factor)
    let b = V(repeating: factor * 0.5)
    var c0 = a
    var c1 = a
    var c2 = a
    var c3 = a
    var c4 = a
    var c5 = a
    #if K_AVX512
    var c6 = a
    var c7 = a
    var c8 = a
    var c9 = a
    var c10 = a
    var c11 = a
    #endif
    var i = 0
    while i < rounds {
        c0 = fma(b, a, c0)
        c1 = fma(b, a, c1)
        c2 = fma(b, a, c2)
        c3 = fma(b, a, c3)
        c4 = fma(b, a, c4)
        c5 = fma(b, a, c5)
        #if K_AVX512
        c6 = fma(b, a, c6)
        c7 = fma(b, a, c7)
        c8 = fma(b, a, c8)
        c9 = fma(b, a, c9)
        c10 = fma(b, a, c10)
        c11 = fma(b, a, c11)
        #endif
        i &+= 1
    }
    var s = c0 + c1 + c2 + c3 + c4 + c5
    #if K_AVX512
    s = s + c6 + c7 + c8 + c9 + c10 + c11
    #endif
    return s[0]
}
