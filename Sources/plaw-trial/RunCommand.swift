import ArgumentParser
import CPlaw
import Glibc
import Interactions
import Transformer
import Trials

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The daemon's worker: everything it needs stands in the trial's directory.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train the trial in a directory, going on from its checkpoint; ends with 75 when stopped by SIGTERM.")

    @Argument(help: "Directory with spec.json.", completion: .directory) var directory: String
    @Option(
        help: """
            Active seconds that this run may take; training then stops and is ranked as it is. Default: PLAW_SECONDS_LEFT of \
            the environment, else no limit.
            """)
    var secondsLeft: Double?
    @Option(help: "Bytes that the training may take at most; one that is predicted to need more does not begin.")
    var mostMemory: Int?
    @Option(help: "Control group to move to: the folder of a leaf that the daemon may write to.") var cgroup: String?
    @OptionGroup var worker: WorkerOptions

    func validate() throws {
        try check("--seconds-left", secondsLeft, anySeconds)
        try check("--most-memory", mostMemory, 1...Int.max)
    }

    func run() throws {
        try worker.apply()
        stopOnTermination()
        let files = TrialDirectory(path: directory)
        if files.hasResult {
            do {
                _ = try files.readResult()
                return
            } catch {
                // Written whole or not at all: the disk lost it. What it says can be had again.
                printError("\(error); trained anew")
            }
        }
        let spec: TrialSpec
        do {
            spec = try files.readCoreSpec()
        } catch {
            printError("\(error)")
            throw ExitCode(WorkerStatus.refused)
        }
        let progressFile = fopen(files.progressPath, "a")
        defer { if let progressFile { fclose(progressFile) } }
        let corpus = try Corpus(path: files.corpusPath(spec))
        try corpus.verify(spec.corpusHash, shouldStop: { stopRequested != 0 })
        if worker.parent != nil {
            try MemoryLimit(
                spec, corpus, most: mostMemory, checkpoint: files.checkpointPath
            ).apply(cgroup: cgroup)
        }
        let trainer = try Trainer(
            spec: spec, corpus: corpus, checkpointPath: files.checkpointPath,
            secondsLeft: secondsLeft ?? ProcessInfo.processInfo.environment["PLAW_SECONDS_LEFT"].flatMap(Double.init),
            note: printError)
        do {
            let outcome = try trainer.run(shouldStop: { stopRequested != 0 }) { update in
                guard let line = try? json(update) else { return }
                printLine(line)
                if let progressFile {
                    fputs(line + "\n", progressFile)
                    fflush(progressFile)
                }
            }
            try outcome.ranks.write(to: files.ranksPath)
            try files.writeResult(outcome.result)
        } catch is Trainer.Interrupted {
            throw ExitCode(WorkerStatus.interrupted)
        }
    }
}

/// How a process started by the daemon behaves.
struct WorkerOptions: ParsableArguments {
    @Option(help: "Process number of the daemon that starts this worker; it ends when the daemon does.")
    var parent: Int32?

    /// Gives way to the daemon and ends with it.
    ///
    /// - Throws: `ExitCode` when the daemon is gone already.
    func apply() throws {
        guard let parent else { return }
        // A worker whose daemon dies has nobody to report to; its checkpoint is at most some seconds old.
        plaw_die_with_parent()
        // The daemon may have died before that took effect.
        if getppid() != parent { throw ExitCode(WorkerStatus.interrupted) }
        // A daemon that stops closes the pipe before it asks the worker to stop; the checkpoint must still be written.
        signal(SIGPIPE, SIG_IGN)
        plaw_run_in_background()
    }
}
