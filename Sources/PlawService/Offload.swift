internal import Dispatch

/// Runs blocking or long computing work on a thread of its own, off the cooperative pool that serves requests.
struct Offload: Sendable {
    private let queue = DispatchQueue(label: "plawd.work", qos: .utility, attributes: .concurrent)

    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: body)) }
        }
    }
}
