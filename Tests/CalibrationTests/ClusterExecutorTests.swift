import Calibration
import Domain
import Foundation
import Glibc
import PlawTesting
import Synchronization
import Testing
import Trials

/// A scheduler in this process that does to jobs what real ones were seen to do, by a seeded draw for each job.
///
/// Each look at its queue is a step of its time. A copy of a task goes through its list as the script does.
private final class FakeCluster: ClusterQueue {
    enum Fate: CaseIterable {
        case runs, isLost, isDoubled, isDelayed, isPreempted, isTakenWithAnError, isRefused, goesOnUnseen
    }

    private struct Copy {
        var task: ClusterTask
        var attempts: [String]
        var steps: Int
        /// Dies before the end of its first trial.
        var dies = false
        /// The queue does not show it.
        var isUnseen = false
    }

    private struct State {
        var random: SplitMix64
        var copies: [Copy] = []
        var fates: [Fate: Int] = [:]
        /// Trainings that began, by attempt.
        var begun: [String: Int] = [:]
        var processorSeconds = 0.0
    }

    static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }

    private let state: Mutex<State>
    private let fates: [Fate]

    init(seed: UInt64, fates: [Fate] = Fate.allCases) {
        state = Mutex(State(random: SplitMix64(seed: seed)))
        self.fates = fates
    }

    var seen: [Fate: Int] { state.withLock { $0.fates } }
    var begun: [String: Int] { state.withLock { $0.begun } }
    /// What the cluster itself took.
    var processorSeconds: Double { state.withLock { $0.processorSeconds } }

    func submit(_ job: ClusterJob) async throws {
        try state.withLock { state in
            var error: WorkerError?
            for index in 0..<job.tasks {
                let list = try String(contentsOfFile: "\(job.folder)/\(index)", encoding: .utf8)
                let attempts = list.split(separator: "\n").map { String($0.split(separator: "\t")[1]) }
                let fate = fates[Int(state.random.next() % UInt64(fates.count))]
                state.fates[fate, default: 0] += 1
                var copy = Copy(
                    task: ClusterTask(job: job.name, index: index), attempts: attempts,
                    steps: Int(state.random.next() % 3))
                switch fate {
                case .runs: state.copies.append(copy)
                case .isLost: break
                case .isDoubled: state.copies += [copy, copy]
                case .isDelayed:
                    copy.steps = 7
                    copy.isUnseen = true
                    state.copies.append(copy)
                case .isPreempted:
                    copy.dies = true
                    state.copies.append(copy)
                case .isTakenWithAnError:
                    state.copies.append(copy)
                    error = WorkerError("timed out, though it was taken")
                case .isRefused: error = WorkerError("no such partition")
                case .goesOnUnseen:
                    // As when a node is lost to the network while its job lives.
                    copy.isUnseen = true
                    copy.steps = 3
                    state.copies.append(copy)
                }
            }
            if let error { throw error }
        }
    }

    func tasks(prefix: String) async throws -> [ClusterTask: Bool] {
        try state.withLock { state in
            let before = Self.seconds(CLOCK_THREAD_CPUTIME_ID)
            defer { state.processorSeconds += Self.seconds(CLOCK_THREAD_CPUTIME_ID) - before }
            var left: [Copy] = []
            for var copy in state.copies {
                if copy.steps > 0 {
                    copy.steps -= 1
                    left.append(copy)
                } else {
                    try Self.work(&copy, &state)
                }
            }
            state.copies = left
            if state.random.next() % 20 == 0 { throw WorkerError("the controller does not answer") }
            return Dictionary(
                left.filter { !$0.isUnseen && $0.task.job.hasPrefix(prefix) }.map { ($0.task, true) },
                uniquingKeysWith: { $0 || $1 })
        }
    }

    func stop(_ task: ClusterTask) async throws {}
    func signal(_ task: ClusterTask) async throws {}

    private static func work(_ copy: inout Copy, _ state: inout State) throws {
        for path in copy.attempts {
            // The trial has its result, or another copy has the attempt.
            guard mkdir(path + "/claim", 0o700) == 0 else { continue }
            state.begun[path, default: 0] += 1
            let files = TrialDirectory(path: path)
            let done = (try? String(contentsOfFile: files.checkpointPath, encoding: .utf8)).flatMap(Double.init) ?? 0
            if copy.dies {
                let line = try JSONEncoder().encode(Sample.progress(seconds: done + 10))
                put(line + Data("\n".utf8), files.progressPath)
                put(Data("\(done + 10)".utf8), files.checkpointPath)
                return
            }
            put(try JSONEncoder().encode(Sample.result(.converged, seconds: done + 20)), files.resultPath)
            put(Data("0\n".utf8), path + "/exit")
        }
    }

    /// Foundation's own way waits for the disk.
    private static func put(_ data: Data, _ path: String) {
        guard let file = fopen(path, "w") else { return }
        _ = data.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
        fclose(file)
    }
}

@Suite struct ClusterExecutorTests {
    private static func trials(_ count: Int, in folder: String) throws -> [String] {
        try (1...count).map { place in
            let path = "\(folder)/trials/\(place)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try TrialDirectory(path: path).writeSpec(Sample.spec(1 + place % 100), durably: false)
            return path
        }
    }

    private static func executor(_ queue: any ClusterQueue, in folder: String, bundle: Double = 300) throws
        -> ClusterExecutor
    {
        try ClusterExecutor(
            queue: queue,
            settings: .init(
                command: ["true"], folder: folder + "/cluster", bundleSeconds: bundle, pollSeconds: 0.02))
    }

    /// Of this process so far.
    private static var processorSeconds: Double { FakeCluster.seconds(CLOCK_PROCESS_CPUTIME_ID) }

    /// Runs all trials side by side.
    private static func run(_ directories: [String], _ executor: ClusterExecutor) async -> [TrialExit] {
        await withTaskGroup(of: (Int, TrialExit)?.self) { group in
            group.addTask {
                await executor.serve()
                return nil
            }
            for (place, directory) in directories.enumerated() {
                group.addTask {
                    let exit = await executor.run(
                        directory, secondsLeft: 1e6, epochSeconds: 1, predictedSeconds: 20 + Double(place % 300)
                    ) { _ in }
                    return (place, exit)
                }
            }
            var exits: [Int: TrialExit] = [:]
            while exits.count < directories.count, let next = await group.next() {
                if let (place, exit) = next { exits[place] = exit }
            }
            group.cancelAll()
            return directories.indices.compactMap { exits[$0] }
        }
    }

    @Test("of 10,000 trials on a cluster that loses, doubles, delays and pre-empts, each gives one result")
    func nothingIsLost() async throws {
        // In memory: tens of thousands of small files.
        try await withTemporaryFolder(in: "/dev/shm") { folder in
            let directories = try Self.trials(10_000, in: folder)
            let cluster = FakeCluster(seed: 1)
            let before = Self.processorSeconds
            let exits = await Self.run(directories, try Self.executor(cluster, in: folder))
            let own = Self.processorSeconds - before - cluster.processorSeconds
            print("processor time of the daemon: \(own / 10_000 * 1e3) ms a trial")
            #expect(exits.count == directories.count)
            // A trial whose job fails four times in a row without getting further is given up, and says so.
            let finished = exits.filter { $0 == .finished }.count
            for case .failed(let failure) in exits {
                #expect(failure.message.contains("4 jobs in a row ended"), "\(failure)")
            }
            #expect(finished > 9_000)
            for (directory, exit) in zip(directories, exits) {
                let files = TrialDirectory(path: directory)
                #expect(files.hasResult == (exit == .finished))
                if exit == .finished { #expect(try files.readResult().seconds >= 20) }
            }
            #expect(cluster.begun.values.allSatisfy { $0 == 1 }, "no attempt is trained twice")
            #expect(FakeCluster.Fate.allCases.allSatisfy { cluster.seen[$0] ?? 0 > 50 })
            let jobs = try FileManager.default.contentsOfDirectory(atPath: folder + "/cluster")
            #expect(jobs == ["instance"], "the folders of jobs that are over are gone")
        }
    }

    @Test("a pre-empted trial goes on from its checkpoint, and any number of pre-emptions that get further is borne")
    func preemption() async throws {
        try await withTemporaryFolder { folder in
            let directories = try Self.trials(8, in: folder)
            // Seven of eight jobs are pre-empted, each after ten more seconds.
            let cluster = FakeCluster(seed: 3, fates: Array(repeating: .isPreempted, count: 7) + [.runs])
            let exits = await Self.run(directories, try Self.executor(cluster, in: folder, bundle: 1))
            #expect(exits.allSatisfy { $0 == .finished })
            let seconds = try directories.map { try TrialDirectory(path: $0).readResult().seconds }
            #expect(seconds.max() ?? 0 >= 60, "one was pre-empted four times and more: \(seconds)")
        }
    }

    @Test("a scheduler that refuses a job is quoted")
    func refusal() async throws {
        try await withTemporaryFolder { folder in
            let directories = try Self.trials(1, in: folder)
            let exits = await Self.run(
                directories, try Self.executor(FakeCluster(seed: 1, fates: [.isRefused]), in: folder))
            guard case .failed(let failure) = exits[0] else {
                Issue.record("\(exits)")
                return
            }
            #expect(failure.message.contains("no such partition"))
        }
    }

    @Test("short trials share a task, long ones have their own")
    func bundles() async throws {
        try await withTemporaryFolder { folder in
            let directories = try Self.trials(40, in: folder)
            let cluster = FakeCluster(seed: 1, fates: [.runs])
            _ = await Self.run(directories, try Self.executor(cluster, in: folder, bundle: 200))
            // 20 to 59 s each: 1,580 s in tasks of at least 200 s.
            #expect((5...8).contains(cluster.seen[.runs] ?? 0), "\(cluster.seen)")
        }
    }
}

/// One by one: they share the environment of this process, and the ports.
@Suite(.serialized, .enabled(if: SlurmCluster.isInstalled, "Slurm is not installed: apt-get install slurm-wlm"))
struct SlurmTests {
    /// A runner that counts to `layers` seconds, a tenth at a time, and goes on from where it was.
    private static let runner = """
        #!/bin/sh
        cd "$1" || exit 1
        done=$(cat checkpoint 2>/dev/null || echo 0)
        trap 'echo $done >checkpoint; exit 75' TERM
        all=$(sed -n 's/.*"layers" : \\([0-9]*\\).*/\\1/p' spec.json)0
        while [ $done -lt $all ]; do
            sleep 0.1 & wait $!
            done=$((done + 1))
            echo $done >checkpoint.new && mv checkpoint.new checkpoint
            echo '{"phase":"training","epoch":1,"tokens":1,"epochTokens":1,"tokensPerSecond":1,"seconds":'$done'}' >>progress.jsonl
        done
        sed "s/SECONDS/$done/" ../../../result.json >result.json.new && mv result.json.new result.json
        """

    private static func with(
        _ count: Int, layers: Int,
        _ body: (SlurmCluster, _ folder: String, _ trials: [String], ClusterExecutor) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            setenv("SLURM_CONF", SlurmCluster(folder: folder + "/slurm").configuration, 1)
            try runner.write(toFile: folder + "/runner", atomically: true, encoding: .utf8)
            chmod(folder + "/runner", 0o755)
            let trials = try (1...count).map { place in
                let path = "\(folder)/trials/\(place)"
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                var spec = Sample.spec(place)
                spec.configuration.layers = layers
                try TrialDirectory(path: path).writeSpec(spec)
                return path
            }
            let result = try JSONEncoder().encode(Sample.result(.converged, seconds: 4321))
            let text = String(decoding: result, as: UTF8.self).replacingOccurrences(of: "4321", with: "SECONDS")
            try text.write(toFile: folder + "/trials/result.json", atomically: true, encoding: .utf8)
            try await SlurmCluster.with(in: folder) { cluster in
                try await body(cluster, folder, trials, try executor(in: folder))
            }
        }
    }

    private static func executor(in folder: String) throws -> ClusterExecutor {
        try ClusterExecutor(
            queue: SlurmQueue(options: ["--partition=trials"]),
            settings: .init(
                command: [folder + "/runner"], folder: folder + "/cluster", bundleSeconds: 1, pollSeconds: 0.5))
    }

    private static func run(
        _ directories: [String], _ executor: ClusterExecutor, seconds: Double,
        meanwhile: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> [TrialExit] {
        try await withThrowingTaskGroup(of: (Int, TrialExit)?.self) { group in
            group.addTask {
                await executor.serve()
                return nil
            }
            for (place, directory) in directories.enumerated() {
                group.addTask {
                    (
                        place,
                        await executor.run(
                            directory, secondsLeft: 100, epochSeconds: 1, predictedSeconds: seconds
                        ) { _ in }
                    )
                }
            }
            try await meanwhile()
            var exits: [Int: TrialExit] = [:]
            while exits.count < directories.count, let next = try await group.next() {
                if let (place, exit) = next { exits[place] = exit }
            }
            group.cancelAll()
            return directories.indices.compactMap { exits[$0] }
        }
    }

    private static func training(_ trials: [String]) async -> Bool {
        await waitUntil { trials.allSatisfy { Attempt.newest(of: $0)?.progress != nil } }
    }

    @Test("trials finish through a real queue, and a node that dies in the middle costs no more than its attempt")
    func nodeFailure() async throws {
        try await Self.with(4, layers: 4) { cluster, _, trials, executor in
            let exits = try await Self.run(trials, executor, seconds: 4) {
                #expect(await Self.training(trials))
                try await cluster.call("node-down", "n1")
                try await cluster.call("node-up", "n1")
            }
            #expect(exits == Array(repeating: .finished, count: 4))
            // 40 tenths each, whatever was interrupted: what was done before the crash was not done again.
            #expect(try trials.map { try TrialDirectory(path: $0).readResult().seconds } == [40, 40, 40, 40])
        }
    }

    @Test("a restarted daemon and a restarted controller find the jobs again")
    func restarts() async throws {
        try await Self.with(3, layers: 15) { cluster, folder, trials, executor in
            let exits = try await Self.run(trials, executor, seconds: 15) {
                #expect(await Self.training(trials))
                executor.leave()
            }
            #expect(exits == Array(repeating: .interrupted, count: 3))
            try await cluster.call("restart")
            let again = try await Self.run(trials, try Self.executor(in: folder), seconds: 15)
            #expect(again == Array(repeating: .finished, count: 3))
            #expect(try trials.map { try TrialDirectory(path: $0).readResult().seconds } == [150, 150, 150])
        }
    }

    @Test("a cancelled trial stops at its checkpoint, and the ones that wait are never begun")
    func cancellation() async throws {
        try await Self.with(6, layers: 30) { _, _, trials, executor in
            let exits = await withTaskGroup(of: Void.self) { all in
                all.addTask { await executor.serve() }
                let exits = await withTaskGroup(of: TrialExit.self) { group in
                    for trial in trials {
                        group.addTask {
                            await executor.run(trial, secondsLeft: 100, epochSeconds: 1, predictedSeconds: 30) { _ in }
                        }
                    }
                    // Four processors: two trials wait.
                    _ = await waitUntil { trials.count { Attempt.newest(of: $0)?.progress != nil } == 4 }
                    group.cancelAll()
                    return await group.reduce(into: []) { $0.append($1) }
                }
                all.cancelAll()
                return exits
            }
            #expect(exits.allSatisfy { $0 == .interrupted }, "\(exits)")
            let begun = trials.filter { Attempt.newest(of: $0)?.progress != nil }
            #expect(begun.count == 4, "\(begun)")
        }
    }
}
