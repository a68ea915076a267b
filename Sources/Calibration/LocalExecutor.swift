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
            self.program = program
            self.memoryBytes = memoryBytes
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
        self.cgroups = cgroups
        self.patience = patience
        self.settings = settings
    }

    package init(program: String, patience: WorkerPatience = WorkerPatience()) {
        self.init(patience: patience) { Settings(program: program) }
    }

    package func run(
        _ directory: String, secondsLeft: Double, epochSeconds: Double = 0,
        progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        let settings = settings()
        let leaf = cgroups?.begin(directory.split(separator: "/").last.map(String.init) ?? "")
        defer { if let leaf { cgroups?.end(leaf) } }
        do {
            let hadWorker = FileManager.default.fileExists(atPath: directory + "/worker.log")
            let log = try WorkerLog(directory + "/worker.log")
            tally.counts.withLock { counts in
                counts.running += 1
                counts.starts += 1
                counts.restarts += hadWorker ? 1 : 0
            }
            defer { tally.counts.withLock { $0.running -= 1 } }
            var arguments = ["run", directory, "--seconds-left", "\(secondsLeft)", "--parent", "\(getpid())"]
            if let bytes = settings.memoryBytes { arguments += ["--most-memory", "\(bytes)"] }
            if let leaf { arguments += ["--cgroup", leaf] }
            let watch = WorkerWatch(silence: patience.silence(epochSeconds: epochSeconds), secondsLeft: secondsLeft)
            let outcome = try await Subprocess.run(
                .path(FilePath(settings.program)), arguments: Arguments(arguments), environment: Self.environment,
                platformOptions: Self.options, input: .none, output: .sequence,
                error: .fileDescriptor(log.descriptor, closeAfterSpawningProcess: true)
            ) { execution in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await watch.wait()
                        // One that is stopped takes no other signal. What it started goes with it: it leads its group.
                        try execution.send(signal: .kill, toProcessGroup: true)
                    }
                    let decoder = JSONDecoder()
                    for try await line in execution.standardOutput.strings() {
                        if let update = try? decoder.decode(TrialProgress.self, from: Data(line.utf8)) {
                            watch.sign()
                            await progress(update)
                        }
                    }
                    group.cancelAll()
                }
            }
            let ranOut = leaf.flatMap { cgroups?.ranOutOfMemory($0) } ?? false
            var exit = Self.exit(outcome.terminationStatus, log, killedForMemory: ranOut)
            if let verdict = watch.verdict, exit != .finished {
                exit = .failed(
                    TrialFailure("the worker \(verdict) and was killed\(log.tail)", cause: .killed, log: log.kept))
            }
            // A worker that was stopped and did not make it to a checkpoint in time goes on from its last one.
            if Task.isCancelled, exit != .finished { return .interrupted }
            return exit
        } catch {
            if Task.isCancelled { return .interrupted }
            return .failed(TrialFailure("cannot run \(settings.program): \(error)"))
        }
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
                    .path(program), arguments: Arguments(arguments), environment: Self.environment,
                    platformOptions: Self.options, input: .none, output: .string(limit: 1 << 20),
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

    private static var environment: Environment {
        // What systemd says to the daemon is not for its workers.
        .inherit.updating([
            "NOTIFY_SOCKET": nil, "WATCHDOG_USEC": nil, "WATCHDOG_PID": nil, "LISTEN_FDS": nil, "LISTEN_PID": nil,
            "LISTEN_FDNAMES": nil, "JOURNAL_STREAM": nil, "INVOCATION_ID": nil,
        ])
    }

    private static var options: PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(5))]
        return options
    }

    private static func exit(_ status: TerminationStatus, _ log: WorkerLog, killedForMemory: Bool) -> TrialExit {
        func failed(_ message: String, _ cause: TrialFailure.Cause) -> TrialExit {
            .failed(TrialFailure(message, cause: cause, log: log.kept))
        }
        switch status {
        case .exited(0): return .finished
        case .exited(WorkerStatus.interrupted): return .interrupted
        case .exited(WorkerStatus.outOfMemory):
            return failed(log.outOfMemory ?? WorkerStatus.outOfMemoryWords, .outOfMemory)
        case .exited(let code): return failed("the worker ended with status \(code)\(log.tail)", .bug)
        case .signaled(let signal):
            if killedForMemory {
                return failed(
                    "\(WorkerStatus.outOfMemoryWords): the kernel killed the worker at its group's limit", .outOfMemory)
            }
            if let words = log.outOfMemory { return failed(words, .outOfMemory) }
            let cause: TrialFailure.Cause = [SIGHUP, SIGINT, SIGKILL, SIGTERM].contains(signal) ? .killed : .bug
            return failed("the worker was killed by signal \(signal)\(log.tail)", cause)
        }
    }
}

/// What a worker writes to standard error, after what earlier runs of its trial wrote.
private struct WorkerLog {
    /// Open for appending.
    let descriptor: FileDescriptor
    private let path: String
    private let start: Int64

    init(_ path: String) throws {
        self.path = path
        descriptor = try FileDescriptor.open(
            FilePath(path), .writeOnly, options: [.create, .append, .closeOnExec], permissions: [.ownerReadWrite])
        start = try descriptor.seek(offset: 0, from: .end)
    }

    /// The last lines, for an error message.
    var tail: String {
        guard let data = FileManager.default.contents(atPath: path), !data.isEmpty else { return "" }
        let text = String(decoding: data.suffix(600), as: UTF8.self)
        return ": " + text.split(separator: "\n").suffix(3).joined(separator: " | ")
    }

    /// The last lines, as a trial keeps them; nil where it said nothing.
    var kept: String? {
        guard let data = FileManager.default.contents(atPath: path), !data.isEmpty else { return nil }
        let text = String(decoding: data.suffix(4_096), as: UTF8.self)
        // Where the log is longer the first line is a piece of one.
        return data.count > 4_096 ? String(text.drop { $0 != "\n" }.dropFirst()) : text
    }

    /// The line in which this run said that it was refused memory; nil where it did not.
    var outOfMemory: String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        // A crash may print much after it.
        let said = String(decoding: data.dropFirst(Int(start)).prefix(1 << 16), as: UTF8.self).split(separator: "\n")
        if let own = said.last(where: { $0.hasPrefix(WorkerStatus.outOfMemoryWords) }) { return String(own) }
        // Swift's own words, where an array could not grow.
        return said.last { $0.contains("ould not allocate memory") }
            .map { "\(WorkerStatus.outOfMemoryWords): \($0.drop { $0 != "C" && $0 != "c" })" }
    }
}
