internal import Domain
internal import Glibc
internal import Subprocess
internal import Synchronization
package import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif
#if canImport(System)
internal import System
#else
internal import SystemPackage
#endif

/// Runs each trial in a `plaw-trial` process of its own on this machine.
///
/// A worker has its own session, so that signals meant for the daemon's terminal do not reach it, and dies with the
/// daemon (it asks the kernel for that itself).
package struct LocalExecutor: TrialExecutor {
    /// How workers are started.
    package struct Settings: Sendable {
        /// Path of the `plaw-trial` program.
        package var program: String
        /// Most bytes that a trial may take, whatever it was predicted to need; nil for no such limit.
        package var memoryBytes: Int?

        package init(program: String, memoryBytes: Int? = nil) {
            (self.program, self.memoryBytes) = (program, memoryBytes)
        }
    }

    private let settings: @Sendable () -> Settings
    private let cgroups: WorkerCgroups?
    private let patience: WorkerPatience
    private let tally = Tally()

    /// Shared by the copies of an executor.
    private final class Tally: Sendable { let counts = Mutex(WorkerCounts()) }

    package var workers: WorkerCounts { tally.counts.withLock { $0 } }

    /// - Parameter settings: asked anew for each worker.
    /// - Parameter cgroups: where each trial gets a leaf of its own; nil where none was delegated.
    /// - Parameter patience: after how long a worker is taken to hang.
    package init(
        cgroups: WorkerCgroups? = nil, patience: WorkerPatience = WorkerPatience(),
        settings: @escaping @Sendable () -> Settings
    ) {
        (self.cgroups, self.patience, self.settings) = (cgroups, patience, settings)
    }

    package init(program: String, patience: WorkerPatience = WorkerPatience()) {
        self.init(patience: patience) { Settings(program: program) }
    }

    package func run(
        _ directory: String, secondsLeft: Double, epochSeconds: Double = 0, predictedSeconds: Double = 0,
        progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        let settings = settings()
        let leaf = cgroups?.begin(directory.split(separator: "/").last.map(String.init) ?? "")
        defer { if let leaf { cgroups?.end(leaf) } }
        let hadWorker = FileManager.default.fileExists(atPath: directory + "/worker.log")
        tally.counts.withLock { counts in
            counts.running += 1
            counts.starts += 1
            counts.restarts += hadWorker ? 1 : 0
        }
        defer { tally.counts.withLock { $0.running -= 1 } }
        var arguments = ["run", directory, "--seconds-left", "\(secondsLeft)", "--parent", "\(getpid())"]
        if let bytes = settings.memoryBytes { arguments += ["--most-memory", "\(bytes)"] }
        if let leaf { arguments += ["--cgroup", leaf] }
        let process = RunnerProcess(
            program: .path(FilePath(settings.program)), arguments: arguments, directory: directory)
        return await process.run(
            WorkerWatch(silence: patience.silence(epochSeconds: epochSeconds), secondsLeft: secondsLeft),
            ranOutOfMemory: { leaf.flatMap { cgroups?.ranOutOfMemory($0) } ?? false }, progress: progress)
    }

    package func probe(_ request: ProbeRequest) async throws -> [ThroughputProbe] {
        let settings = request.settings
        var arguments = [
            "probe", "--corpus", request.corpus, "--backbone", settings.backbone.rawValue, "--loss",
            settings.loss.rawValue, "--max-length", String(settings.maxLength), "--heads", String(settings.heads),
            "--batch", String(settings.options.batchUsers), "--negatives", String(settings.options.negatives),
            "--parent", String(getpid()), "--seconds", "\(request.secondsPerShape)",
        ]
        for shape in request.shapes { arguments += ["--shape", "\(shape.layers)x\(shape.dim)"] }
        return try await lines(arguments, within: patience.probe(budgetSeconds: settings.budgetSeconds))
    }

    package func latency(_ request: LatencyRequest) async throws -> [LatencyProbe] {
        var arguments = [
            "latency", "--backbone", request.backbone.rawValue, "--heads", String(request.heads), "--parent",
            String(getpid()),
        ]
        for shape in request.shapes { arguments += ["--shape", shape.text] }
        return try await lines(arguments, within: patience.latencySeconds)
    }

    /// What the program prints, a value a line.
    ///
    /// - Throws: `WorkerError`, also where it takes longer than `seconds`.
    private func lines<T: Decodable>(_ arguments: [String], within seconds: Double) async throws -> [T] {
        let program = FilePath(settings().program)
        let outcome = try await withThrowingTaskGroup { group in
            group.addTask {
                try await Subprocess.run(
                    .path(program), arguments: Arguments(arguments), environment: .worker,
                    platformOptions: .worker, input: .none, output: .string(limit: 1 << 20),
                    error: .string(limit: 1 << 20))
            }
            group.addTask {
                try await Task.sleep(for: .seconds(seconds))
                throw WorkerError(
                    "plaw-trial \(arguments[0]) gave no answer within \(Int(up: seconds)) s and was ended: "
                        + "what was asked for takes too long to measure; smaller models, batches or fewer negatives do not"
                )
            }
            // Leaving it, also by an error, ends the program: it is asked first, and killed 5 s later.
            defer { group.cancelAll() }
            guard let outcome = try await group.next() else { throw CancellationError() }
            return outcome
        }
        guard case .exited(0) = outcome.terminationStatus else {
            let words = (outcome.standardError).suffix(500)
            throw WorkerError("plaw-trial \(arguments[0]) ended with \(outcome.terminationStatus): \(words)")
        }
        let decoder = JSONDecoder()
        return try (outcome.standardOutput).split(separator: "\n").map { line in
            try decoder.decode(T.self, from: Data(line.utf8))
        }
    }
}
