internal import Glibc
internal import Synchronization

/// A file that is still being written: whoever reads it waits at its end for what is to come.
package final class GrowingFile: Sendable {
    private enum State {
        case growing(since: ContinuousClock.Instant, bytes: Int)
        case complete
        case abandoned
    }

    private let state: Mutex<State>
    private let patience: Duration

    /// - Parameter patience: how long a reader waits for more before it gives up.
    package init(patience: Duration = .seconds(10)) {
        self.patience = patience
        state = Mutex(.growing(since: .now, bytes: 0))
    }

    /// More bytes were written; nothing of a file that has ended.
    package func grew(to bytes: Int) {
        state.withLock { state in
            if case .growing = state { state = .growing(since: .now, bytes: bytes) }
        }
    }

    /// Nothing more will be written.
    package func complete() {
        state.withLock { state in if case .growing = state { state = .complete } }
    }

    /// The rest will never come.
    package func abandon() {
        state.withLock { state in if case .growing = state { state = .abandoned } }
    }

    /// Waits until there is more than was read, or all.
    ///
    /// - Returns: false where nothing more will come.
    /// - Throws: `InteractionError` where the rest does not come.
    func waitForMore(than read: Int, path: String) throws -> Bool {
        while true {
            let (isMore, isOver) = try state.withLock { state -> (Bool, Bool) in
                switch state {
                case .complete: return (false, true)
                case .abandoned:
                    throw InteractionError(file: path, reason: "unreadable", "was given up before its end was sent")
                case .growing(let since, let bytes):
                    if bytes > read { return (true, false) }
                    guard .now - since < patience else {
                        throw InteractionError(
                            file: path, reason: "unreadable",
                            "nothing more of it came for \(patience.components.seconds) s")
                    }
                    return (false, false)
                }
            }
            if isMore { return true }
            if isOver { return false }
            usleep(2_000)
        }
    }
}
