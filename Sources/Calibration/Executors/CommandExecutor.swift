internal import Domain
internal import Glibc
internal import Subprocess
internal import Synchronization
package import Trials

#if canImport(System)
internal import System
#else
internal import SystemPackage
#endif

/// Runs each trial by a command of somebody else, as a child of the daemon.
///
/// The command is asked to end with the daemon, by `plaw-trial attend` where the daemon is killed. What goes on all the same has an
/// attempt of its own, whose result is not taken.
package struct CommandExecutor: TrialExecutor {
    /// The runner and its first arguments.
    private let command: [String]
    /// Path of plaw-trial.
    private let attendant: String
    private let patience: WorkerPatience
    private let tally = Tally()

    private final class Tally: Sendable { let counts = Mutex(WorkerCounts()) }

    package var workers: WorkerCounts { tally.counts.withLock { $0 } }

    package init(command: [String], attendant: String, patience: WorkerPatience = WorkerPatience()) {
        (self.command, self.attendant, self.patience) = (command, attendant, patience)
    }

    package func describe(_ specs: [String]) async throws -> [RunnerDescription] {
        try await RunnerProcess.describe(specs, command)
    }

    package func run(
        _ directory: String, secondsLeft: Double, epochSeconds: Double, predictedSeconds: Double,
        progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        do {
            let former = Attempt.newest(of: directory)
            // The daemon may have ended between a runner's end and its own look at it.
            if let former, former.files.hasResult { try former.accept() }
            if TrialDirectory(path: directory).hasResult { return .finished }
            let attempt = try Attempt.begin(of: directory)
            tally.counts.withLock { counts in
                counts.running += 1
                counts.starts += 1
                counts.restarts += former == nil ? 0 : 1
            }
            defer { tally.counts.withLock { $0.running -= 1 } }
            let process = RunnerProcess(
                program: .path(FilePath(attendant)),
                arguments: ["attend", "--parent", "\(getpid())", "--"] + command + [attempt.path],
                environment: ["PLAW_SECONDS_LEFT": "\(secondsLeft)"], directory: attempt.path)
            let exit = await process.run(
                WorkerWatch(silence: patience.silence(epochSeconds: epochSeconds), secondsLeft: secondsLeft),
                progress: progress)
            if exit == .finished { try attempt.accept() }
            return exit
        } catch {
            return .failed(TrialFailure("\(error)"))
        }
    }
}
