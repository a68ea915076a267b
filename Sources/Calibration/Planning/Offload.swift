internal import Dispatch
internal import Synchronization

/// Runs blocking or long computing work on a thread of its own, off the cooperative pool that serves requests.
package struct Offload: Sendable {
    package init() {}

    private let queue = DispatchQueue(label: "plawd.work", qos: .utility, attributes: .concurrent)

    package func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await run(cancellable: { _ in try body() })
    }

    /// The same for work that looks now and then whether its caller has been cancelled.
    package func run<T: Sendable>(
        cancellable body: @escaping @Sendable (_ isCancelled: () -> Bool) throws -> T
    ) async throws -> T {
        let cancelled = Flag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { continuation.resume(with: Result { try body { cancelled.isSet } }) }
            }
        } onCancel: {
            cancelled.set()
        }
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }
}
