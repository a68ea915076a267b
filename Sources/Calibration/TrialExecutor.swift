package import Trials

/// How a worker's run of a trial ended.
package enum TrialExit: Sendable, Hashable {
    /// `result.json` is there.
    case finished
    /// It was asked to stop and left a checkpoint.
    case interrupted
    /// It ended without a result; the message says how, with the end of its log.
    case failed(String)
}

/// Runs trials somewhere; given nothing but a trial directory (the trial contract).
package protocol TrialExecutor: Sendable {
    /// Runs the trial in `directory` until it ends, going on from its checkpoint; after `secondsLeft` training stops and
    /// what was reached is ranked. Cancelling the task asks the worker to stop at a checkpoint.
    func run(
        _ directory: String, secondsLeft: Double, progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit

    /// Measures the speed of shapes on a corpus.
    func probe(_ request: ProbeRequest) async throws -> [ThroughputProbe]
}

/// What to measure.
package struct ProbeRequest: Sendable {
    package var corpus: String
    package var settings: CalibrationSettings
    /// (layers, dim) of each shape.
    package var shapes: [(layers: Int, dim: Int)]

    package init(corpus: String, settings: CalibrationSettings, shapes: [(layers: Int, dim: Int)]) {
        self.corpus = corpus
        self.settings = settings
        self.shapes = shapes
    }
}

/// A worker could not do what was asked.
package struct WorkerError: Error, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}
