internal import Domain
internal import Synchronization

/// How long a worker may do without a sign before it is taken to hang.
package struct WorkerPatience: Sendable {
    /// Seconds that a worker may be silent, however short its epochs are. It says something after each batch and each block of
    /// ranked users, at most twice a second.
    package var leastSeconds = 120.0
    /// How many epochs' predicted time it may be silent.
    package var epochs = 10.0
    /// Seconds in which measuring must end: speeds for small budgets at least, speeds at most, latencies.
    package var leastProbeSeconds = 60.0
    package var mostProbeSeconds = 600.0
    package var latencySeconds = 120.0

    package func silence(epochSeconds: Double) -> Double { max(leastSeconds, epochs * epochSeconds) }

    /// Measuring longer than the training may take tells nothing.
    package func probe(budgetSeconds: Double) -> Double { min(mostProbeSeconds, max(leastProbeSeconds, budgetSeconds)) }
}

/// Watches one worker.
///
/// Time counts only as far as the daemon itself gets its turns: a machine that slept, or a daemon that was stopped with its workers,
/// ends none of them.
final class WorkerWatch: Sendable {
    private struct State {
        var silent = 0.0
        var ran = 0.0
        var verdict: String?
    }

    private let state = Mutex(State())
    private let silence: Double
    private let longest: Double
    private let secondsLeft: Double

    /// - Parameter silence: seconds without a sign; after its time is over a worker has twice that for its last ranking.
    init(silence: Double, secondsLeft: Double) {
        self.silence = silence
        self.secondsLeft = secondsLeft
        longest = secondsLeft + 2 * silence
    }

    /// Why the worker was ended; nil where it was not.
    var verdict: String? { state.withLock { $0.verdict } }

    func sign() { state.withLock { $0.silent = 0 } }

    /// Returns when the worker is to be ended.
    ///
    /// - Throws: `CancellationError` when nobody waits for that any more.
    func wait() async throws {
        let turn = min(1, silence / 20)
        while true {
            try await Task.sleep(for: .seconds(turn))
            let isOver = state.withLock { state in
                state.silent += turn
                state.ran += turn
                if state.silent >= silence {
                    state.verdict = "gave no sign of life for \(Self.text(silence)) s"
                } else if state.ran >= longest {
                    state.verdict =
                        "went on for \(Self.text(longest - secondsLeft)) s after its time of \(Self.text(secondsLeft)) s was over"
                }
                return state.verdict != nil
            }
            if isOver { return }
        }
    }

    private static func text(_ seconds: Double) -> String {
        seconds >= 10 ? "\(Int(nearest: seconds))" : "\((seconds * 10).rounded() / 10)"
    }
}
