import Calibration
import Foundation
import Logging
import Wire
import PlawTesting
import Store
import Synchronization
import Testing
import Trials

@testable import Domain

/// A trial executor that trains nothing: it plays what a test tells it, inside this process, and notes what it was asked.
final class FakeExecutor: TrialExecutor {
    enum Play: Sendable {
        /// Ends with a result after some seconds, with progress on the way.
        case finish(after: Double = 0, status: TrialResult.Status = .converged, seconds: Double = 0.01)
        /// Ends with a result when so many trials have run at once, or after ten seconds.
        case meet(Int)
        case fail(String)
        /// Fails for this cause, leaving a checkpoint, so many times, and then ends with a result.
        case fall(TrialFailure.Cause, times: Int)
        /// Goes on until it is cancelled, and then takes its time to stop.
        case hold(stopping: Double = 0)
        /// Says that it has finished and leaves no result.
        case vanish
        /// Tells these validations of NDCG@10, an epoch each tenth of a second. Interrupted, it leaves a checkpoint; begun again without
        /// any time left, a result that was cut short there.
        case curve([Double])
    }

    struct Notes: Sendable {
        /// Places in the plan, in the order their trials were started; one that runs again stands here again.
        var started: [Int] = []
        var interrupted: [Int] = []
        var secondsLeft: [Double] = []
        var inFlight = 0
        var mostInFlight = 0
    }

    private let state = Mutex(Notes())
    private let play: @Sendable (_ place: Int) -> Play

    init(_ play: @escaping @Sendable (_ place: Int) -> Play) { self.play = play }

    var notes: Notes { state.withLock { $0 } }

    func run(
        _ directory: String, secondsLeft: Double, epochSeconds: Double, predictedSeconds: Double,
        progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        let files = TrialDirectory(path: directory)
        let place: Int
        do { place = try files.readSpec().place } catch { return .failed(TrialFailure("\(error)")) }
        state.withLock { notes in
            notes.started.append(place)
            notes.secondsLeft.append(secondsLeft)
            notes.inFlight += 1
            notes.mostInFlight = max(notes.mostInFlight, notes.inFlight)
        }
        let exit = await perform(files, secondsLeft, progress)
        state.withLock { notes in
            notes.inFlight -= 1
            if exit == .interrupted { notes.interrupted.append(place) }
        }
        return exit
    }

    private func perform(
        _ files: TrialDirectory, _ secondsLeft: Double, _ progress: @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        // As a worker does that finds its work done.
        if files.hasResult { return .finished }
        do {
            let place = try files.readSpec().place
            switch play(place) {
            case .fail(let message): return .failed(TrialFailure(message, log: "said " + message))
            case .fall(let cause, let times):
                if notes.started.filter({ $0 == place }).count > times {
                    try files.writeResult(Sample.result(.converged, seconds: 0.01))
                    return .finished
                }
                try Data("here".utf8).write(to: URL(fileURLWithPath: files.checkpointPath))
                return .failed(TrialFailure("fell", cause: cause, log: "last words"))
            case .vanish: return .finished
            case .curve(let values):
                var result = Sample.result(.converged, seconds: 0.01)
                if secondsLeft == 0 {
                    let done = try Data(contentsOf: URL(fileURLWithPath: files.checkpointPath)).count
                    (result.status, result.curve) = (.stoppedByBudget, Array(values.prefix(done)))
                } else {
                    for (done, value) in values.enumerated() {
                        var update = Sample.progress(seconds: 0.01)
                        (update.epoch, update.validation) = (done + 2, ["ndcg@10": value])
                        await progress(update)
                        try? await Task.sleep(for: .milliseconds(100))
                        guard Task.isCancelled else { continue }
                        // As many bytes as epochs.
                        try Data(repeating: 0, count: done + 1).write(to: URL(fileURLWithPath: files.checkpointPath))
                        return .interrupted
                    }
                    result.curve = values
                }
                try files.writeResult(result)
                return .finished
            case .finish(let after, let status, let seconds):
                let end = ContinuousClock.now + .seconds(after)
                await progress(Sample.progress(seconds: seconds / 2))
                while ContinuousClock.now < end {
                    if Task.isCancelled { return try interrupted(files) }
                    await progress(Sample.progress(seconds: seconds / 2))
                    try? await Task.sleep(for: .milliseconds(20))
                }
                try Data().write(to: URL(fileURLWithPath: files.checkpointPath))
                try files.writeResult(Sample.result(status, seconds: seconds))
                return .finished
            case .meet(let count):
                _ = await waitUntil { notes.mostInFlight >= count }
                try files.writeResult(Sample.result(.converged, seconds: 0.01))
                return .finished
            case .hold(let stopping):
                await progress(Sample.progress(seconds: 0.25))
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                // A task of its own is not cancelled with this one.
                await Task { try? await Task.sleep(for: .seconds(stopping)) }.value
                return try interrupted(files)
            }
        } catch {
            return .failed(TrialFailure("\(error)"))
        }
    }

    private func interrupted(_ files: TrialDirectory) throws -> TrialExit {
        try Data("here".utf8).write(to: URL(fileURLWithPath: files.checkpointPath))
        return .interrupted
    }

    func probe(_ request: ProbeRequest) async throws -> [ThroughputProbe] { [] }
    func latency(_ request: LatencyRequest) async throws -> [LatencyProbe] { [] }
}

extension TrialSpec {
    /// Sample trials carry their place in the plan as their number of layers.
    var place: Int { configuration.layers }
}

/// Stands for the fitting of laws, and notes what it was asked.
final class Fits: Sendable {
    private let asked = Mutex<[(dataset: String, key: LawKey)]>([])
    private let answer: @Sendable () async throws -> [Int64]

    init(_ answer: @escaping @Sendable () async throws -> [Int64] = { [7, 8] }) { self.answer = answer }

    var datasets: [String] { asked.withLock { $0.map(\.dataset) } }
    var keys: [LawKey] { asked.withLock { $0.map(\.key) } }

    func fit(_ dataset: String, _ key: LawKey) async throws -> [Int64] {
        asked.withLock { $0.append((dataset, key)) }
        return try await answer()
    }
}

/// Something that happens once, for which others wait.
final class Signal: Sendable {
    private let happened = Mutex(false)
    var isSet: Bool { happened.withLock { $0 } }
    func set() { happened.withLock { $0 = true } }
}

enum Sample {
    static let dataset = DatasetInfo(
        name: "books", version: "v1", createdAt: "2026-01-02T03:04:05Z", fileName: "books.csv",
        decision: FormatDecision(
            format: "csv", compression: "none", hasHeader: false, columns: [:], timeUnit: "seconds"),
        options: ReadOptions(), users: 100, items: 50, interactions: 1_000,
        statistics: DatasetStatistics(
            rows: 1_000, dropped: [], users: 100, items: 50, interactions: 1_000, lengthQuartiles: [5, 8, 10, 12, 20],
            repeatedShare: 0, outOfOrderRows: 0, contentHash: "v1", evaluatedUsers: 100),
        mask: .full,
        entropy: EntropyReport(
            pooledApEn: [.init(m: 1, value: 0.5, biasCorrected: 0.5, singletonShare: 0)],
            perUserApEn: .init(m: 1, r: 0.2, maxLength: 50, mean: 0, users: 100, tooShort: 0), shannonBits: 5,
            lempelZiv: 1, compressionRatio: 1, tokens: 700, effectiveTokens: 1_400, notes: []), corpusBytes: 1)

    static func spec(_ place: Int) -> TrialSpec {
        TrialSpec(
            corpus: "/nowhere", configuration: Configuration(layers: place, dim: 16),
            options: TrainingOptions(maxEpochs: 5), seed: 3, mask: .full)
    }

    /// Trials that are predicted to take these seconds, in this order.
    static func trials(_ seconds: [Double]) -> [NewTrial] {
        seconds.enumerated().map { place, seconds in
            NewTrial(spec: spec(place + 1), predictedSeconds: seconds, predictedEpochs: 40)
        }
    }

    static func result(_ status: TrialResult.Status, seconds: Double) -> TrialResult {
        TrialResult(
            status: status, message: status == .diverged ? "the loss is not finite" : nil, epochs: 12, bestEpoch: 2,
            seconds: seconds, tokensPerSecond: 1e5, tokens: 700, parameters: 1_000, peakMemoryBytes: 1 << 20,
            users: 100, validation: [:], test: ["hr@10": Measurement(value: 0.3, standardError: 0.01)],
            secondsPerEpoch: 0.1, secondsPerValidation: 0.1)
    }

    static func progress(seconds: Double) -> TrialProgress {
        TrialProgress(
            phase: .training, epoch: 1, tokens: 10, epochTokens: 700, tokensPerSecond: 1e5, loss: 3, validation: nil,
            best: nil, seconds: seconds)
    }
}

/// A store with the sample dataset in a folder of its own.
func withStore<T>(_ body: (_ store: Store, _ folder: String) async throws -> T) async throws -> T {
    try await withTemporaryFolder { folder in
        let store = try Store(path: folder + "/plawd.sqlite")
        try await store.insertDataset(Sample.dataset, corpusFile: "books.corpus")
        let value = try await body(store, folder)
        try store.close()
        return value
    }
}

/// Runs a supervisor beside `body`, and stops it as a daemon does that is asked to end.
func supervising<T: Sendable>(
    _ store: Store, in folder: String, _ executor: any TrialExecutor, fits: Fits = Fits(), logger: Logger? = nil,
    choose: @escaping @Sendable (DesignRequest) async throws -> DesignAnswer = { _ in .end(nil) },
    _ body: (CalibrationSupervisor) async throws -> T
) async throws -> T {
    var silent = Logger(label: "test")
    silent.logLevel = .critical
    let supervisor = CalibrationSupervisor(
        store: store, executor: executor, trialsFolder: folder + "/trials", hub: JobHub(), logger: logger ?? silent,
        choose: choose
    ) { dataset, key in try await fits.fit(dataset, key) }
    let work = Task { await supervisor.run() }
    do {
        let value = try await body(supervisor)
        work.cancel()
        await work.value
        return value
    } catch {
        work.cancel()
        await work.value
        throw error
    }
}

extension CalibrationSupervisor {
    /// Queues a calibration of the sample dataset.
    func start(_ seconds: [Double], budget: Double = 1_000, workers: Int = 1) async throws -> Int64 {
        try await enqueue(
            dataset: "books", budgetSeconds: budget, workers: workers, message: nil, trials: Sample.trials(seconds))
    }
}

// MARK: - A store that fails

let hasSQLite = access("/usr/bin/sqlite3", X_OK) == 0
let noSQLite: Comment = "sqlite3 is not installed"

/// Does to the store's file what the store itself never would.
func sqlite(_ folder: String, _ statement: String) async throws {
    let outcome = try await runProgram(path: "/usr/bin/sqlite3", [folder + "/plawd.sqlite", statement])
    guard outcome.code == 0 else { throw WorkerError(outcome.errors) }
}

/// Counts what is logged.
final class Lines: Sendable {
    private let number = Mutex(0)
    var count: Int { number.withLock { $0 } }
    func add() { number.withLock { $0 += 1 } }
}

extension Store {
    /// A job as clients see it.
    func shown(_ id: Int64) async throws -> Job {
        let (job, trials) = try await jobWithTrials(id)
        return Job(job, trials: trials)
    }
}

private struct CountingHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning
    let lines: Lines

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.add() }
}

func countingLogger() -> (Logger, Lines) {
    let lines = Lines()
    return (Logger(label: "test") { _ in CountingHandler(lines: lines) }, lines)
}
