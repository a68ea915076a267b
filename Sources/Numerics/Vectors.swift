/// Allocates `count` zeros, at least one. The caller deallocates them.
package func allocateZeros(_ count: Int) -> UnsafeMutablePointer<Double> {
    let memory = UnsafeMutablePointer<Double>.allocate(capacity: max(1, count))
    memory.initialize(repeating: 0, count: max(1, count))
    return memory
}

/// Returns Σ a b over `count` numbers, a multiple of 4. Safe where both have as many: four are read at a time, at any alignment.
@inlinable @inline(__always)
package func dot(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ count: Int) -> Double {
    var sum = SIMD4<Double>()
    var i = 0
    while i < count {
        sum +=
            UnsafeRawPointer(a + i).loadUnaligned(as: SIMD4<Double>.self)
            * UnsafeRawPointer(b + i).loadUnaligned(as: SIMD4<Double>.self)
        i += 4
    }
    return sum.sum()
}
