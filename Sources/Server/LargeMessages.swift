internal import Dispatch
internal import NIOCore

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Where messages are worked on that take milliseconds to decode: one at a time, beside the threads that serve all others.
final class LargeMessages: TaskExecutor {
    /// From this size on.
    static let bytes = 64 << 10

    private let queue = DispatchQueue(label: "plawd.large", qos: .utility)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }
}

extension Data {
    /// The readable bytes of a buffer; those of a large one stay where they are.
    init(message buffer: ByteBuffer) {
        guard buffer.readableBytes >= LargeMessages.bytes else {
            self.init(buffer.readableBytesView)
            return
        }
        self = buffer.withUnsafeReadableBytesWithStorageManagement { bytes, storage in
            guard let start = bytes.baseAddress else { return Data() }
            let held = storage.retain()
            // Read alone, by a `Data` that nobody changes, and kept as long as it.
            return Data(
                bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count,
                deallocator: .custom { _, _ in held.release() })
        }
    }
}
