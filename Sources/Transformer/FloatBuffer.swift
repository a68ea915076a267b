internal import Glibc

/// Memory for floats: 64-byte aligned, zeroed, freed with the object. It takes no memory before it is written to.
// Safe to hand between threads: whoever holds it decides who writes; the trainer is the only writer of its buffers.
package final class FloatBuffer: @unchecked Sendable {
    package let count: Int
    package let p: UnsafeMutablePointer<Float>
    private let allocation: UnsafeMutableRawPointer

    package init(_ count: Int) {
        self.count = count
        // The C library knows which memory is zero as it comes from the kernel, and leaves that untouched.
        // Not an error to handle: the kernel promises memory beyond what there is, so calloc fails only on sizes that never fit.
        guard let allocation = calloc(1, max(count, 1) * 4 + 64) else { fatalError("no memory for \(count) floats") }
        self.allocation = allocation
        p = allocation.alignedUp(toMultipleOf: 64).bindMemory(to: Float.self, capacity: max(count, 1))
    }

    deinit { free(allocation) }

    package func clear() { p.update(repeating: 0, count: count) }

    package func copy(from other: FloatBuffer) {
        precondition(other.count == count, "buffers of different size")
        p.update(from: other.p, count: count)
    }
}
