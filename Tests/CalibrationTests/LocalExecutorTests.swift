import Foundation
import Glibc
import Interactions
import PlawTesting
import Synchronization
import Testing
import Trials

@testable import Calibration
@testable import Domain
@testable import Wire

/// Progress of a worker, as it comes.
private final class Updates: Sendable {
    private let list = Mutex<[TrialProgress]>([])
    var all: [TrialProgress] { list.withLock { $0 } }
    func add(_ update: TrialProgress) { list.withLock { $0.append(update) } }
}

@Suite struct LocalExecutorTests {
    private static let executor = LocalExecutor(program: Paths.program("plaw-trial"))

    /// A corpus of made-up interactions.
    static func corpus(in folder: String, users: Int = 200) throws -> String {
        let text = SyntheticInteractions(users: users, items: 60, meanLength: 9, clusters: 6).text()
        try text.write(toFile: folder + "/data", atomically: true, encoding: .utf8)
        _ = try InteractionReader(path: folder + "/data", options: ReadOptions()).buildCorpus(at: folder + "/corpus")
        return folder + "/corpus"
    }

    /// A trial's directory with its specification.
    static func directory(
        in folder: String, corpus: String, epochs: Int = 2, sampledRanking: Int? = nil, dim: Int = 8
    ) throws -> TrialDirectory {
        let files = TrialDirectory(path: folder + "/trial")
        try FileManager.default.createDirectory(atPath: files.path, withIntermediateDirectories: true)
        try files.writeSpec(
            TrialSpec(
                corpus: corpus, configuration: Configuration(layers: 1, dim: dim, maxLength: 10),
                options: TrainingOptions(batchUsers: 32, maxEpochs: epochs, patience: epochs), seed: 1,
                mask: .none, sampledRanking: sampledRanking))
        return files
    }

    /// A program that does what a test needs in place of a worker.
    static func script(
        _ text: String, in folder: String, patience: WorkerPatience = WorkerPatience()
    ) async throws -> LocalExecutor {
        let path = folder + "/worker"
        unlink(path)
        // Written by another process: a file that this one had open for writing could be inherited by a program that
        // another test starts in this moment, and could then not be run.
        let writing = try await runProgram(
            path: "/bin/sh", ["-c", #"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod 700 "$2""#, "sh", text, path])
        guard writing.code == 0 else { throw WorkerError(writing.errors) }
        return LocalExecutor(program: path, patience: patience)
    }

    @Test("a worker trains a trial to its result, tells its progress, and finds its work done when it runs again")
    func finished() async throws {
        try await withTemporaryFolder { folder in
            let files = try Self.directory(in: folder, corpus: try Self.corpus(in: folder))
            let updates = Updates()
            let exit = await Self.executor.run(files.path, secondsLeft: 60) { updates.add($0) }
            #expect(exit == .finished)
            let result = try files.readResult()
            #expect([.converged, .stoppedRising].contains(result.status))
            #expect(result.epochs == 2)
            #expect(result.users == 200)
            #expect(result.test["ndcg@10"] != nil)
            let ranks = try Ranks(contentsOf: files.ranksPath)
            #expect(ranks.test.count == 200)
            let phases = updates.all.map(\.phase)
            #expect(phases.first == .starting)
            #expect(phases.last == .finished)
            let lines = try String(contentsOfFile: files.progressPath, encoding: .utf8).split(separator: "\n")
            #expect(lines.count == phases.count)

            let again = Updates()
            #expect(await Self.executor.run(files.path, secondsLeft: 60) { again.add($0) } == .finished)
            #expect(again.all.isEmpty)
            #expect(try files.readResult() == result)
        }
    }

    @Test("a trial that cannot be trained fails with the worker's words")
    func badSpecifications() async throws {
        try await withTemporaryFolder { folder in
            let corpus = try Self.corpus(in: folder)
            func failure(_ corpus: String, sampledRanking: Int? = nil) async throws -> String {
                let files = try Self.directory(in: folder, corpus: corpus, sampledRanking: sampledRanking)
                let exit = await Self.executor.run(files.path, secondsLeft: 60) { _ in }
                guard case .failed(let failure) = exit else {
                    Issue.record("ended with \(exit)")
                    return ""
                }
                return failure.message
            }
            let drawn = try await failure(corpus, sampledRanking: 0)
            #expect(drawn.contains("sampledRanking: found 0, expected 1 to"))
            #expect(drawn.hasPrefix("the runner cannot train this: "))
            let absent = try await failure(folder + "/absent")
            #expect(absent.contains(folder + "/absent"))
            let foreign = try await failure(folder + "/data")
            #expect(foreign.contains(folder + "/data"))
            let exit = await Self.executor.run(folder, secondsLeft: 60) { _ in }
            guard case .failed(let failure) = exit else {
                Issue.record("ended with \(exit)")
                return
            }
            #expect(failure.message.contains(folder + "/spec.json"))
        }
    }

    @Test("a cancelled trial is interrupted within seconds, leaves a checkpoint, and goes on from it")
    func cancellation() async throws {
        try await withTemporaryFolder { folder in
            let files = try Self.directory(in: folder, corpus: try Self.corpus(in: folder), epochs: 10_000_000)
            let updates = Updates()
            let worker = Task { await Self.executor.run(files.path, secondsLeft: 600) { updates.add($0) } }
            #expect(await waitUntil(seconds: 30) { updates.all.contains { $0.epoch > 3 } })
            let asked = ContinuousClock.now
            worker.cancel()
            #expect(await worker.value == .interrupted)
            #expect(asked.duration(to: .now) < .seconds(8 * patience))
            #expect(access(files.checkpointPath, F_OK) == 0)
            #expect(!files.hasResult)
            let reached = try #require(updates.all.last)

            // Given a second more, it goes on and is ranked as it is.
            let rest = Updates()
            #expect(await Self.executor.run(files.path, secondsLeft: 1) { rest.add($0) } == .finished)
            let result = try files.readResult()
            #expect(result.status == .stoppedByBudget)
            #expect(try #require(rest.all.first).epoch >= reached.epoch)
            #expect(result.epochs >= reached.epoch)
            #expect(result.seconds >= reached.seconds + 0.9)
            #expect(result.seconds < reached.seconds + 30)
        }
    }

    @Test("a task that is cancelled before its worker starts is interrupted, not failed")
    func cancelledBefore() async throws {
        try await withTemporaryFolder { folder in
            let files = try Self.directory(in: folder, corpus: try Self.corpus(in: folder), epochs: 10_000_000)
            let worker = Task {
                while !Task.isCancelled { await Task.yield() }
                return await Self.executor.run(files.path, secondsLeft: 600) { _ in }
            }
            worker.cancel()
            #expect(await worker.value == .interrupted)
        }
    }

    @Test("a worker that does not stop when it is asked is killed after some seconds")
    func stubborn() async throws {
        try await withTemporaryFolder { folder in
            let executor = try await Self.script("trap '' TERM; echo $$ > \(folder)/pid; exec sleep 600", in: folder)
            let worker = Task { await executor.run(folder, secondsLeft: 600) { _ in } }
            var pid: Int32?
            #expect(
                await waitUntil {
                    pid = (try? String(contentsOfFile: folder + "/pid", encoding: .utf8))
                        .flatMap { Int32($0.filter(\.isNumber)) }
                    return pid != nil
                })
            let asked = ContinuousClock.now
            worker.cancel()
            #expect(await worker.value == .interrupted)
            #expect(asked.duration(to: .now) < .seconds(9 * patience))
            #expect(kill(try #require(pid), 0) != 0)
        }
    }

    @Test("a worker that ends badly fails its trial with its status and its last words")
    func badEnds() async throws {
        try await withTemporaryFolder { folder in
            let words = try await Self.script("echo first >&2; echo the disk is full >&2; exit 3", in: folder)
            #expect(
                await words.run(folder, secondsLeft: 1) { _ in }
                    == .failed(
                        TrialFailure(
                            "the worker ended with status 3: first | the disk is full",
                            log: "first\nthe disk is full\n")))
            unlink(folder + "/worker.log")
            let killed = try await Self.script("kill -9 $$", in: folder)
            #expect(
                await killed.run(folder, secondsLeft: 1) { _ in }
                    == .failed(TrialFailure("the worker was killed by signal 9", cause: .killed)))
            let crashed = try await Self.script("ulimit -c 0; kill -ILL $$", in: folder)
            #expect(
                await crashed.run(folder, secondsLeft: 1) { _ in }
                    == .failed(TrialFailure("the worker was killed by signal 4", cause: .bug)))
            let short = try await Self.script(
                "ulimit -c 0; echo out of memory: 9 floats >&2; kill -ILL $$", in: folder)
            guard case .failed(let failure) = await short.run(folder, secondsLeft: 1, progress: { _ in }) else {
                Issue.record("it did not fail")
                return
            }
            #expect(failure.cause == .outOfMemory)
            #expect(failure.log == "out of memory: 9 floats\n")
            let stopped = try await Self.script("exit 75", in: folder)
            #expect(await stopped.run(folder, secondsLeft: 1) { _ in } == .interrupted)
        }
    }

    @Test("what a worker says that is no progress is passed over")
    func noise() async throws {
        try await withTemporaryFolder { folder in
            let update = TrialProgress(
                phase: .training, epoch: 2, tokens: 3, epochTokens: 4, tokensPerSecond: 5, loss: nil, validation: nil,
                best: nil, seconds: 6)
            let line = String(decoding: try JSONEncoder().encode(update), as: UTF8.self)
            try "noise\n{}\n\n\(line)\n[1\n\(line)".write(
                toFile: folder + "/said", atomically: true, encoding: .utf8)
            let executor = try await Self.script("cat \(folder)/said", in: folder)
            let updates = Updates()
            #expect(await executor.run(folder, secondsLeft: 1) { updates.add($0) } == .finished)
            #expect(updates.all == [update, update])
        }
    }

    @Test("a program that is not there fails the trial, names itself, and leaves nothing open")
    func absentProgram() async throws {
        try await withTemporaryFolder { folder in
            let executor = LocalExecutor(program: folder + "/absent")
            for _ in 0..<3 {
                let exit = await executor.run(folder, secondsLeft: 1) { _ in }
                guard case .failed(let failure) = exit else {
                    Issue.record("ended with \(exit)")
                    return
                }
                #expect(failure.message.hasPrefix("cannot run \(folder)/absent: "))
            }
            let files = FileManager.default
            let open = try files.contentsOfDirectory(atPath: "/proc/self/fd").filter { name in
                (try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + name))?.hasPrefix(folder) == true
            }
            #expect(open.count == 0)
        }
    }

    @Test("shapes are measured in the order asked, and what cannot be measured is an error in the worker's words")
    func probes() async throws {
        try await withTemporaryFolder { folder in
            let corpus = try Self.corpus(in: folder)
            let settings = try CalibrationSettings(
                CalibrationParams(name: "books", maxLength: 10), trained: trainedFacts, mask: .none,
                availableWorkers: 1)
            let shapes: [(layers: Int, dim: Int)] = [(2, 16), (1, 8)]
            let probes = try await Self.executor.probe(
                ProbeRequest(corpus: corpus, settings: settings, shapes: shapes))
            #expect(probes.map(\.layers) == [2, 1])
            #expect(probes.map(\.dim) == [16, 8])
            for probe in probes {
                #expect(probe.heads == 2)
                #expect(probe.tokensPerSecond > 0 && probe.evaluatedUsersPerSecond > 0)
                #expect(probe.latencySeconds > 0 && probe.memoryBytes > 0 && probe.parameters > 0)
            }
            let error = await #expect(throws: WorkerError.self) {
                try await Self.executor.probe(
                    ProbeRequest(corpus: folder + "/absent", settings: settings, shapes: shapes))
            }
            #expect(error?.description.contains(folder + "/absent") == true)
        }
    }

    @Test("a worker has its own session and group, gives way, goes first, and its memory is limited by its prediction")
    func manners() async throws {
        try await withTemporaryFolder { folder in
            let files = try Self.directory(in: folder, corpus: try Self.corpus(in: folder), epochs: 10_000_000)
            let updates = Updates()
            let worker = Task { await Self.executor.run(files.path, secondsLeft: 600) { updates.add($0) } }
            #expect(await waitUntil(seconds: 60) { updates.all.contains { $0.epoch > 1 } })
            let found = try await runProgram(path: "/usr/bin/pgrep", ["-f", "plaw-trial run \(files.path) "])
            let pid = try #require(found.output.split(separator: "\n").first.flatMap { Int32($0) })
            #expect(getsid(pid) == pid)
            #expect(getpgid(pid) == pid)
            #expect(sched_getscheduler(pid) == 3, "SCHED_BATCH")
            #expect(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(pid)) == 5)
            func proc(_ name: String) throws -> String {
                try String(contentsOfFile: "/proc/\(pid)/\(name)", encoding: .utf8)
            }
            #expect(try proc("oom_score_adj") == "500\n")
            let line = try #require(try proc("limits").split(separator: "\n").first { $0.hasPrefix("Max data size") })
            let limit = try #require(line.split(separator: " ").compactMap { Int($0) }.first)
            // A training of almost nothing takes about 18 MB of itself.
            #expect(limit > 25_000_000 && (limit < 1 << 30 || isSanitized), "\(limit)")
            worker.cancel()
            #expect(await worker.value == .interrupted)
        }
    }

    @Test(
        "a trial over its memory fails with that reason, when it is predicted and when it happens; the next one trains",
        .disabled(if: isSanitized, "a sanitizer takes memory of its own"))
    func memory() async throws {
        try await withTemporaryFolder { folder in
            let files = try Self.directory(in: folder, corpus: try Self.corpus(in: folder), dim: 256)
            func run(_ bytes: Int?) async -> TrialExit {
                let executor = LocalExecutor {
                    LocalExecutor.Settings(program: Paths.program("plaw-trial"), memoryBytes: bytes)
                }
                return await executor.run(files.path, secondsLeft: 60) { _ in }
            }
            guard case .failed(let predicted) = await run(4 << 20) else {
                Issue.record("it was not refused memory")
                return
            }
            #expect(predicted.message.hasPrefix("out of memory: the training is predicted to need "), "\(predicted)")
            #expect(predicted.message.hasSuffix(" MiB, 4 MiB are allowed"), "\(predicted)")
            // A limit of its surroundings, which the worker keeps: it starts and is refused a buffer.
            let program = Paths.program("plaw-trial")
            let tight = try await Self.script(##"ulimit -d 6000; exec "\##(program)" "$@""##, in: folder)
            guard case .failed(let refused) = await tight.run(files.path, secondsLeft: 60, progress: { _ in }) else {
                Issue.record("it was not refused memory")
                return
            }
            #expect(refused.message.hasPrefix("out of memory: "), "\(refused)")
            #expect(!refused.message.contains("predicted"), "\(refused)")
            #expect(await run(nil) == .finished)
        }
    }

    @Test("a worker that Swift ends for want of memory is out of memory, not merely killed; earlier words do not count")
    func words() async throws {
        try await withTemporaryFolder { folder in
            let swift = try await Self.script(
                "echo Fatal error: Could not allocate memory. >&2; kill -ILL $$", in: folder)
            #expect(
                await swift.run(folder, secondsLeft: 1) { _ in }
                    == .failed(
                        TrialFailure(
                            "out of memory: Could not allocate memory.", cause: .outOfMemory,
                            log: "Fatal error: Could not allocate memory.\n"))
            )
            let killed = try await Self.script("echo bye >&2; kill -9 $$", in: folder)
            guard case .failed(let failure) = await killed.run(folder, secondsLeft: 1, progress: { _ in }) else {
                Issue.record("it did not fail")
                return
            }
            #expect(failure.message.hasPrefix("the worker was killed by signal 9"))
        }
    }

    @Test("without a delegated tree there are no groups for workers, and the reason is said")
    func noCgroups() async throws {
        try await withTemporaryFolder { folder in
            let error = #expect(throws: WorkerError.self) { _ = try WorkerCgroups(root: folder) }
            #expect(error?.description == "cannot move the daemon to \(folder)/main: No such file or directory")
            let absent = #expect(throws: WorkerError.self) { _ = try WorkerCgroups(root: folder + "/absent") }
            #expect(absent?.description.hasPrefix("cannot create \(folder)/absent/main: ") == true)
        }
    }

    #if compiler(>=6.2)
    @Test("what systemd says to the daemon does not reach its workers")
    func environment() async {
        // In a process of its own, whose environment is nobody else's.
        await #expect(processExitsWith: .success) {
            try await withTemporaryFolder { folder in
                let names = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS"]
                for name in names { setenv(name, "1", 1) }
                setenv("PLAW_KEPT", "1", 1)
                let executor = try await Self.script("env > \(folder)/env", in: folder)
                #expect(await executor.run(folder, secondsLeft: 1) { _ in } == .finished)
                let environment = try String(contentsOfFile: folder + "/env", encoding: .utf8)
                #expect(environment.contains("PLAW_KEPT=1"))
                for name in names { #expect(!environment.contains(name + "=")) }
            }
        }
    }
    #endif
}
