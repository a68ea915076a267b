internal import Dispatch
internal import Synchronization

/// Two pieces of work at once: one on the thread that asks, the other on a thread beside it.
enum Beside {
    /// What the thread beside hands over.
    private final class Outcome<T: Sendable>: Sendable {
        let result = Mutex<Result<T, any Error>?>(nil)
        let isStopped = Atomic(false)
    }

    private struct Stopped: Error {}

    /// How often is asked whether to stop while only the other works.
    private static let wait = DispatchTimeInterval.milliseconds(5)

    /// Runs both and returns when both have ended. `checkStop` is called on the thread that asks alone; the other is given what it calls
    /// to be stopped too.
    ///
    /// - Throws: what `checkStop`, or either of them, throws; both have ended then.
    static func both<A, B: Sendable>(
        _ checkStop: () throws -> Void, _ here: () throws -> A,
        and beside: @escaping @Sendable (() throws -> Void) throws -> B
    ) throws -> (A, B) {
        let outcome = Outcome<B>()
        let group = DispatchGroup()
        DispatchQueue.global(qos: .utility).async(group: group) {
            let result = Result { try beside { if outcome.isStopped.load(ordering: .relaxed) { throw Stopped() } } }
            outcome.result.withLock { $0 = result }
        }
        do {
            let own = try here()
            while group.wait(timeout: .now() + wait) == .timedOut { try checkStop() }
            guard let other = outcome.result.withLock({ $0 }) else { throw Stopped() }
            return (own, try other.get())
        } catch {
            outcome.isStopped.store(true, ordering: .relaxed)
            group.wait()
            throw error
        }
    }
}
