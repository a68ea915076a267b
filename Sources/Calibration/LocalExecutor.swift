internal import Domain
internal import Glibc
internal import Subprocess
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
    /// Path of the `plaw-trial` program.
    package var program: String

    package init(program: String) {
        self.program = program
    }

    package func run(
        _ directory: String, secondsLeft: Double, progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        let logPath = directory + "/worker.log"
        do {
            let log = try FileDescriptor.open(
                FilePath(logPath), .writeOnly, options: [.create, .append, .closeOnExec],
                permissions: [.ownerReadWrite])
            let outcome = try await Subprocess.run(
                .path(FilePath(program)),
                arguments: [
                    "run", directory, "--seconds-left", "\(secondsLeft)", "--parent", "\(getpid())",
                ], environment: Self.environment,
                platformOptions: Self.options, input: .none, output: .sequence,
                error: .fileDescriptor(log, closeAfterSpawningProcess: true)
            ) { execution in
                let decoder = JSONDecoder()
                for try await line in execution.standardOutput.strings() {
                    if let update = try? decoder.decode(TrialProgress.self, from: Data(line.utf8)) {
                        await progress(update)
                    }
                }
            }
            let exit = Self.exit(outcome.terminationStatus, logPath: logPath)
            // A worker that was stopped and did not make it to a checkpoint in time goes on from its last one.
            if Task.isCancelled, exit != .finished { return .interrupted }
            return exit
        } catch {
            if Task.isCancelled { return .interrupted }
            return .failed("cannot run \(program): \(error)")
        }
    }

    package func probe(_ request: ProbeRequest) async throws -> [ThroughputProbe] {
        let settings = request.settings
        var arguments = [
            "probe", "--corpus", request.corpus, "--backbone", settings.backbone.rawValue, "--loss",
            settings.loss.rawValue, "--max-length", String(settings.maxLength), "--heads", String(settings.heads),
            "--batch", String(settings.options.batchUsers), "--negatives", String(settings.options.negatives),
            "--parent", String(getpid()),
        ]
        for shape in request.shapes { arguments += ["--shape", "\(shape.layers)x\(shape.dim)"] }
        return try await lines(arguments)
    }

    package func latency(_ request: LatencyRequest) async throws -> [LatencyProbe] {
        var arguments = [
            "latency", "--backbone", request.backbone.rawValue, "--heads", String(request.heads), "--parent",
            String(getpid()),
        ]
        for shape in request.shapes { arguments += ["--shape", shape.text] }
        return try await lines(arguments)
    }

    /// What the program prints, a value a line. Errors: `WorkerError`.
    private func lines<T: Decodable>(_ arguments: [String]) async throws -> [T] {
        let outcome = try await Subprocess.run(
            .path(FilePath(program)), arguments: Arguments(arguments), environment: Self.environment,
            platformOptions: Self.options, input: .none, output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20))
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
        .inherit.updating(["NOTIFY_SOCKET": nil, "WATCHDOG_USEC": nil, "WATCHDOG_PID": nil, "LISTEN_FDS": nil])
    }

    private static var options: PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(5))]
        return options
    }

    /// Exit status by which a worker says that it stopped at a checkpoint when asked to (EX_TEMPFAIL).
    private static let interruptedStatus: Int32 = 75

    private static func exit(_ status: TerminationStatus, logPath: String) -> TrialExit {
        switch status {
        case .exited(0): return .finished
        case .exited(interruptedStatus): return .interrupted
        case .exited(let code): return .failed("the worker ended with status \(code)\(tail(of: logPath))")
        case .signaled(let signal): return .failed("the worker was killed by signal \(signal)\(tail(of: logPath))")
        }
    }

    /// The last lines of a worker's log, for an error message.
    private static func tail(of path: String) -> String {
        guard let data = FileManager.default.contents(atPath: path), !data.isEmpty else { return "" }
        let text = String(decoding: data.suffix(600), as: UTF8.self)
        return ": " + text.split(separator: "\n").suffix(3).joined(separator: " | ")
    }
}
