package import Costs
package import Domain
package import Trials

/// How a worker's run of a trial ended.
package enum TrialExit: Sendable, Hashable {
    /// `result.json` is there.
    case finished
    /// It was asked to stop and left a checkpoint.
    case interrupted
    /// It ended without a result.
    case failed(TrialFailure)
}

/// How a worker ended that left no result.
package struct TrialFailure: Sendable, Hashable {
    package enum Cause: Sendable, Hashable {
        /// It would end so again: it said so itself, or it crashed.
        case bug
        /// Somebody else ended it: it may fare better when it is begun again.
        case killed
        /// The machine had no memory for it: it may fit with a smaller batch.
        case outOfMemory
    }

    package var cause: Cause
    /// How it ended, with its last words.
    package var message: String
    /// The last lines of its log.
    package var log: String?

    package init(_ message: String, cause: Cause = .bug, log: String? = nil) {
        (self.message, self.cause, self.log) = (message, cause, log)
    }
}

/// Runs trials somewhere; given nothing but a trial directory (the trial contract).
package protocol TrialExecutor: Sendable {
    /// Runs the trial in `directory` until it ends, going on from its checkpoint; after `secondsLeft` training stops and
    /// what was reached is ranked. Cancelling the task asks the worker to stop at a checkpoint. A worker that hangs is ended.
    ///
    /// - Parameters:
    ///   - epochSeconds: what an epoch with its validation is predicted to take; how long a worker may be silent.
    ///   - predictedSeconds: what the whole training is predicted to take.
    func run(
        _ directory: String, secondsLeft: Double, epochSeconds: Double, predictedSeconds: Double,
        progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit

    /// What the models of specifications cost, by what their runner says: one description for each path.
    func describe(_ specs: [String]) async throws -> [RunnerDescription]

    /// The same of some shapes on a corpus.
    func describe(_ request: ProbeRequest) async throws -> [DescribedModel.Shape]

    /// Measures the speed of shapes on a corpus.
    func probe(_ request: ProbeRequest) async throws -> [ThroughputProbe]

    /// Measures how long one user waits for ten items.
    func latency(_ request: LatencyRequest) async throws -> [LatencyProbe]

    /// Workers of trials so far.
    var workers: WorkerCounts { get }

    /// Seconds so far in which trials waited for somebody else's queue and none was training. No budget pays for them.
    var queueSeconds: Double { get }

    /// The daemon stops: workers that can do without it go on, and are found again.
    func leave()

    /// Does what it has to do beside its trials until the task is cancelled.
    func serve() async
}

extension TrialExecutor {
    package var workers: WorkerCounts { WorkerCounts() }
    package var queueSeconds: Double { 0 }
    package func describe(_ specs: [String]) async throws -> [RunnerDescription] {
        throw WorkerError("plawd's own workers train no other models: \(Model.trained)")
    }
    package func describe(_ request: ProbeRequest) async throws -> [DescribedModel.Shape] {
        throw WorkerError("only an executor of the configuration trains other models than \(Model.trained)")
    }
    package func probe(_ request: ProbeRequest) async throws -> [ThroughputProbe] { [] }
    package func latency(_ request: LatencyRequest) async throws -> [LatencyProbe] { [] }
    package func leave() {}
    package func serve() async {}
}

/// How many workers run trials, were started, and were started for trials that had had one before.
package struct WorkerCounts: Sendable, Hashable {
    package var running = 0
    package var starts = 0
    package var restarts = 0
}

/// Which shapes to measure the latency of; no corpus is needed.
package struct LatencyRequest: Sendable {
    package var backbone: Model
    package var heads: Int
    package var shapes: [LatencyShape]

    /// Shapes from which those of a catalogue and a length are priced, wide ones only as far as a catalogue fits 256 MB; two smaller
    /// catalogues and two other lengths tell the parts of the time apart.
    package init(backbone: Model, heads: Int, dimStep: Int, items: Int, length: Int) {
        self.backbone = backbone
        self.heads = heads
        func shape(_ layers: Int, _ dim: Int, _ items: Int, _ length: Int) -> LatencyShape {
            let widest = max(dimStep, (1 << 26) / max(1, items) / dimStep * dimStep)
            return LatencyShape(
                layers: layers, dim: min(widest, (dim + dimStep - 1) / dimStep * dimStep), items: items,
                length: max(1, min(4_096, length)))
        }
        let fewer = max(1, items / 4)
        shapes = [
            shape(1, 16, items, length), shape(4, 16, items, length), shape(1, 64, items, length),
            shape(4, 64, items, length), shape(2, 128, items, length), shape(1, 256, items, length),
            shape(2, 64, fewer, (length + 1) / 2), shape(2, 64, fewer, 2 * length), shape(4, 128, items, length),
            shape(4, 256, items, length), shape(1, 512, items, length),
        ]
    }
}

/// What to measure.
package struct ProbeRequest: Sendable {
    package var corpus: String
    package var settings: CalibrationSettings
    /// (layers, dim) of each shape.
    package var shapes: [(layers: Int, dim: Int)]

    package init(corpus: String, settings: CalibrationSettings, shapes: [(layers: Int, dim: Int)]) {
        (self.corpus, self.settings, self.shapes) = (corpus, settings, shapes)
    }

    /// The trial of one shape.
    func spec(layers: Int, dim: Int) -> TrialSpec {
        TrialSpec(
            corpus: corpus, configuration: settings.configuration(layers: layers, dim: dim), options: settings.options,
            seed: settings.seed, mask: settings.mask, executor: settings.executor, trainer: settings.trainer)
    }

    /// Seconds of training to time for each shape: 0.3, less where a fiftieth of the budget is less for all of them.
    package var secondsPerShape: Double {
        min(0.3, max(0.02, settings.budgetSeconds / 50 / Double(max(1, shapes.count))))
    }
}

/// A worker could not do what was asked.
package struct WorkerError: Error, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}
