internal import Glibc
internal import Text
internal import Trials

/// Memory for floats: 64-byte aligned, zeroed, freed with the object. It takes no memory before it is written to.
// Safe to hand between threads: whoever holds it decides who writes; the trainer is the only writer of its buffers.
package final class FloatBuffer: @unchecked Sendable {
    package let count: Int
    package let p: UnsafeMutablePointer<Float>
    private let allocation: UnsafeMutableRawPointer

    package init(_ count: Int) {
        self.count = count
        // The C library knows which memory is zero as it comes from the kernel, and leaves that untouched.
        guard let allocation = calloc(1, max(count, 1) * 4 + 64) else { Self.refused(count) }
        self.allocation = allocation
        p = allocation.alignedUp(toMultipleOf: 64).bindMemory(to: Float.self, capacity: max(count, 1))
    }

    deinit { free(allocation) }

    /// Ends the process with a line that says so: the worker is at its limit, and no buffer of a training can be left out.
    private static func refused(_ count: Int) -> Never {
        Console.line(
            "\(WorkerStatus.outOfMemoryWords): \(count >> 18) MiB more were refused to the training", to: .errors)
        _exit(WorkerStatus.outOfMemory)
    }

    package func clear() { p.update(repeating: 0, count: count) }

    package func copy(from other: FloatBuffer) {
        precondition(other.count == count, "buffers of different size")
        p.update(from: other.p, count: count)
    }

    package func swap(with other: FloatBuffer) {
        precondition(other.count == count, "buffers of different size")
        for i in 0..<count { (p[i], other.p[i]) = (other.p[i], p[i]) }
    }
}
