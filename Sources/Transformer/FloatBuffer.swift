internal import Glibc

/// Memory for floats: 64-byte aligned, zeroed, freed with the object.
// Safe to hand between threads: whoever holds it decides who writes; the trainer is the only writer of its buffers.
package final class FloatBuffer: @unchecked Sendable {
    package let count: Int
    package let p: UnsafeMutablePointer<Float>

    /// From here on a rest of a large page does not matter.
    private static let largeBytes = 2 << 20

    package init(_ count: Int) {
        self.count = count
        // Sweeps over millions of floats touch a thousand pages: the kernel is asked for large ones.
        let bytes = max(count, 1) * 4
        let large = bytes >= Self.largeBytes
        let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: large ? 2 << 20 : 64)
        if large { madvise(raw, bytes, MADV_HUGEPAGE) }
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
