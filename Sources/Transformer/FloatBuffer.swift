/// Memory for floats: 64-byte aligned, zeroed, freed with the object.
// Safe to hand between threads: whoever holds it decides who writes; the trainer is the only writer of its buffers.
package final class FloatBuffer: @unchecked Sendable {
    package let count: Int
    package let p: UnsafeMutablePointer<Float>

    package init(_ count: Int) {
        self.count = count
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
        p = raw.bindMemory(to: Float.self, capacity: max(count, 1))
        p.initialize(repeating: 0, count: max(count, 1))
    }

    deinit { UnsafeMutableRawPointer(p).deallocate() }

    package func clear() { p.update(repeating: 0, count: count) }

    package func copy(from other: FloatBuffer) {
        precondition(other.count == count, "buffers of different size")
        p.update(from: other.p, count: count)
    }
}
