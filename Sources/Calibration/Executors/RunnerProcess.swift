internal import Domain
internal import Glibc
internal import Subprocess
internal import Trials

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

/// A runner as a child of the daemon.
struct RunnerProcess {
    /// Path or name of the program.
    var program: Executable
    var arguments: [String]
    /// Besides what the daemon has.
    var environment: [Environment.Key: String?] = [:]
    /// Folder with its log.
    var directory: String

    /// Runs it until it ends; one that hangs is killed with all it started.
    ///
    /// - Parameter ranOutOfMemory: asked after its end, whether the kernel killed it for want of memory.
    func run(
        _ watch: WorkerWatch, ranOutOfMemory: () -> Bool = { false },
        progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        do {
            let log = RunnerLog(directory)
            let descriptor = try log.append()
            let outcome = try await Subprocess.run(
                program, arguments: Arguments(arguments), environment: .worker.updating(environment),
                platformOptions: .worker, input: .none, output: .sequence,
                error: .fileDescriptor(descriptor, closeAfterSpawningProcess: true)
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
            var exit: TrialExit =
                switch outcome.terminationStatus {
                case .exited(let status): log.exit(status: status)
                case .signaled(let signal): log.exit(signal: signal, killedForMemory: ranOutOfMemory())
                }
            if let verdict = watch.verdict, exit != .finished {
                exit = .failed(
                    TrialFailure("the worker \(verdict) and was killed\(log.tail)", cause: .killed, log: log.kept))
            }
            // A worker that was stopped and did not make it to a checkpoint in time goes on from its last one.
            if Task.isCancelled, exit != .finished { return .interrupted }
            return exit
        } catch {
            if Task.isCancelled { return .interrupted }
            return .failed(TrialFailure("cannot run \(program): \(error)"))
        }
    }
}

extension RunnerProcess {
    /// A description for each specification may take this long: a runner loads libraries and builds the models.
    private static let mostSeconds = 300.0

    static func executable(_ command: [String]) -> Executable {
        command[0].contains("/") ? .path(FilePath(command[0])) : .name(command[0])
    }

    /// Asks a runner what the models of specifications cost.
    ///
    /// - Throws: `WorkerError` with the runner's last words.
    static func describe(_ specs: [String], _ command: [String]) async throws -> [RunnerDescription] {
        do {
            return try await descriptions(specs, command)
        } catch let error as SubprocessError {
            throw WorkerError("cannot run \(command[0]): \(error)")
        }
    }

    private static func descriptions(_ specs: [String], _ command: [String]) async throws -> [RunnerDescription] {
        let executable = executable(command)
        let outcome = try await withThrowingTaskGroup { group in
            group.addTask {
                try await Subprocess.run(
                    executable, arguments: Arguments(command.dropFirst() + ["describe"] + specs), environment: .worker,
                    platformOptions: .worker, input: .none, output: .bytes(limit: 1 << 20),
                    error: .string(limit: 1 << 24))
            }
            group.addTask {
                try await Task.sleep(for: .seconds(mostSeconds))
                throw WorkerError("the runner described nothing for \(Int(mostSeconds)) s")
            }
            defer { group.cancelAll() }
            guard let outcome = try await group.next() else { throw CancellationError() }
            return outcome
        }
        let words = outcome.standardError.split(separator: "\n").suffix(3).joined(separator: " | ")
        switch outcome.terminationStatus {
        case .exited(0): break
        case .exited(WorkerStatus.refused): throw WorkerError("the runner cannot train this: \(words)")
        case let status: throw WorkerError("the runner described no model (\(status)): \(words)")
        }
        let lines = outcome.standardOutput.split(separator: UInt8(ascii: "\n"))
        guard lines.count == specs.count else {
            throw WorkerError("the runner printed \(lines.count) lines for \(specs.count) specifications")
        }
        return try lines.map { line in
            let text = String(decoding: line, as: UTF8.self)
            guard let said = try? JSONDecoder().decode(RunnerDescription.self, from: Data(line)), said.isPositive else {
                throw WorkerError(
                    "the runner described a model by \(text.prefix(200)), expected parameters, flopsPerToken and memoryBytes "
                        + "above 0 (protos/trial/describe.schema.json)")
            }
            return said
        }
    }
}

extension Environment {
    /// What systemd says to the daemon is not for its workers.
    static var worker: Environment {
        .inherit.updating([
            "NOTIFY_SOCKET": nil, "WATCHDOG_USEC": nil, "WATCHDOG_PID": nil, "LISTEN_FDS": nil, "LISTEN_PID": nil,
            "LISTEN_FDNAMES": nil, "JOURNAL_STREAM": nil, "INVOCATION_ID": nil,
        ])
    }
}

extension PlatformOptions {
    /// A session of its own, and five seconds to stop.
    static var worker: PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(5))]
        return options
    }
}

/// What a runner writes to standard error, after what earlier runs of its trial wrote; and what its end means.
struct RunnerLog {
    private let path: String
    /// How long it was before this run.
    private let start: Int64

    /// - Parameter directory: of the trial.
    init(_ directory: String) {
        path = directory + "/worker.log"
        var status = stat()
        start = stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    /// Opens it.
    ///
    /// - Throws: `Errno`.
    func append() throws -> FileDescriptor {
        try FileDescriptor.open(
            FilePath(path), .writeOnly, options: [.create, .append, .closeOnExec], permissions: [.ownerReadWrite])
    }

    func exit(status: Int32) -> TrialExit {
        switch status {
        case 0: .finished
        case WorkerStatus.interrupted: .interrupted
        case WorkerStatus.outOfMemory: failed(outOfMemory ?? WorkerStatus.outOfMemoryWords, .outOfMemory)
        case WorkerStatus.refused: failed("the runner cannot train this\(tail)", .bug)
        // As a shell tells of a signal.
        case 129...159: exit(signal: status - 128, killedForMemory: false)
        default: failed("the worker ended with status \(status)\(tail)", .bug)
        }
    }

    func exit(signal: Int32, killedForMemory: Bool) -> TrialExit {
        if killedForMemory {
            return failed(
                "\(WorkerStatus.outOfMemoryWords): the kernel killed the worker at its group's limit", .outOfMemory)
        }
        if let words = outOfMemory { return failed(words, .outOfMemory) }
        let cause: TrialFailure.Cause = [SIGHUP, SIGINT, SIGKILL, SIGTERM].contains(signal) ? .killed : .bug
        return failed("the worker was killed by signal \(signal)\(tail)", cause)
    }

    private func failed(_ message: String, _ cause: TrialFailure.Cause) -> TrialExit {
        .failed(TrialFailure(message, cause: cause, log: kept))
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
    private var outOfMemory: String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        // A crash may print much after it.
        let said = String(decoding: data.dropFirst(Int(start)).prefix(1 << 16), as: UTF8.self).split(separator: "\n")
        if let own = said.last(where: { $0.hasPrefix(WorkerStatus.outOfMemoryWords) }) { return String(own) }
        // Swift's own words, where an array could not grow.
        return said.last { $0.contains("ould not allocate memory") }
            .map { "\(WorkerStatus.outOfMemoryWords): \($0.drop { $0 != "C" && $0 != "c" })" }
    }
}
