internal import Domain
internal import Synchronization
package import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Runs trials as tasks of a cluster's scheduler over a shared directory.
///
/// Short trials are bundled, so that no task is shorter than `Settings.bundleSeconds`. One loop (`serve`) submits them and looks
/// at the queue for all of them. What a worker did is told by its attempt's files alone; the queue only tells that a worker that
/// has left no result will leave none. So a lost, doubled, late or pre-empted job costs time and no observation.
package actor ClusterExecutor: TrialExecutor {
    package struct Settings: Sendable {
        /// The runner and its first arguments.
        package var command: [String]
        /// Where jobs keep their scripts; on the shared file system, as the trials are.
        package var folder: String
        /// A task has as many trials as are predicted to take so long together.
        package var bundleSeconds: Double
        /// Seconds between two looks at the queue.
        package var pollSeconds: Double
        /// Tasks of a job at most: schedulers limit arrays.
        package var mostTasks: Int

        package init(
            command: [String], folder: String, bundleSeconds: Double = 300, pollSeconds: Double = 10,
            mostTasks: Int = 500
        ) {
            (self.command, self.folder, self.bundleSeconds) = (command, folder, bundleSeconds)
            (self.pollSeconds, self.mostTasks) = (pollSeconds, mostTasks)
        }
    }

    /// How an attempt ended.
    private enum End: Sendable {
        /// The runner ended with a status.
        case exited(Int32)
        /// Its task ended before the runner did: pre-empted, out of time, the node failed.
        case lost
        /// Its task ended before it began, or was never queued: with the scheduler's words, where there are any.
        case unbegun(String?)
        /// The daemon stops and leaves it in the queue.
        case left
    }

    private struct Entry {
        var attempt: Attempt
        var secondsLeft: Double
        var predictedSeconds: Double
        var task: ClusterTask?
        var live: TrialProgress?
        var isStopAsked = false
        var progress: @Sendable (TrialProgress) async -> Void
        var end: CheckedContinuation<End, Never>
    }

    /// A task in the queue: its attempts in order, and in how many looks in a row it was not there.
    private struct Bundle {
        var attempts: [String]
        var position = 0
        var misses = 0
        /// Why it could not be queued.
        var problem: String?
    }

    private let queue: any ClusterQueue
    private let settings: Settings
    /// Begins the names of this daemon's jobs.
    private let prefix: String
    /// Waiting trials by the path of their attempt.
    private var entries: [String: Entry] = [:]
    private var bundles: [ClusterTask: Bundle] = [:]
    /// Nobody looks any more.
    private var isOver = false
    private let control = Mutex(Control())
    private let (wakeUps, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// What is said from outside of the actor.
    private struct Control {
        /// Trials whose task was cancelled, by directory.
        var cancelled: Set<String> = []
        var isLeaving = false
        var counts = WorkerCounts()
        var queueSeconds = 0.0
    }

    /// Looks in a row that must miss a task before it counts as ended: one may come before the queue knows it.
    private static let mostMisses = 3
    /// Attempts in a row that may be lost without one that got further.
    private static let mostLosses = 4

    /// - Throws: `TrialFileError` where the folder cannot be used.
    package init(queue: any ClusterQueue, settings: Settings) throws {
        self.queue = queue
        self.settings = settings
        let file = settings.folder + "/instance"
        if let known = try? readFile(file), !known.isEmpty {
            prefix = "plaw-\(String(decoding: known, as: UTF8.self))-"
        } else {
            try FileManager.default.createDirectory(atPath: settings.folder, withIntermediateDirectories: true)
            let instance = Self.random()
            try writeFileAtomically(Data(instance.utf8), to: file)
            prefix = "plaw-\(instance)-"
        }
    }

    nonisolated package var workers: WorkerCounts { control.withLock { $0.counts } }
    nonisolated package var queueSeconds: Double { control.withLock { $0.queueSeconds } }

    nonisolated package func leave() {
        control.withLock { $0.isLeaving = true }
        wakeUp.yield()
    }

    /// Asked on this machine, which shares the runner's folder with the cluster.
    package func describe(_ specs: [String]) async throws -> [RunnerDescription] {
        try await RunnerProcess.describe(specs, settings.command)
    }

    // MARK: - One trial

    package func run(
        _ directory: String, secondsLeft: Double, epochSeconds: Double, predictedSeconds: Double,
        progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        control.withLock { _ = $0.cancelled.remove(directory) }
        return await withTaskCancellationHandler {
            await attempts(directory, secondsLeft, predictedSeconds, progress)
        } onCancel: {
            control.withLock { _ = $0.cancelled.insert(directory) }
            wakeUp.yield()
        }
    }

    private func attempts(
        _ directory: String, _ secondsLeft: Double, _ predictedSeconds: Double,
        _ progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        var losses = 0
        var reached = 0.0
        var words: String?
        do {
            if TrialDirectory(path: directory).hasResult { return .finished }
            // One that is in the queue since before a restart of the daemon, or that ended well meanwhile, is waited for.
            let known = Attempt.newest(of: directory).flatMap {
                $0.place != nil && ($0.exitStatus ?? 0) == 0 ? $0 : nil
            }
            var attempt = try known ?? Attempt.begin(of: directory)
            while true {
                let end = await ended(
                    attempt, secondsLeft: max(0, secondsLeft - reached), predictedSeconds, progress)
                let seconds = attempt.progress?.seconds ?? 0
                switch end {
                case .left: return .interrupted
                case .exited(let status):
                    let exit = try outcome(attempt, status)
                    guard exit == .interrupted, !isCancelled(directory) else { return exit }
                case .lost: break
                case .unbegun(let problem): words = problem
                }
                if isCancelled(directory) { return .interrupted }
                // A pre-emption that came after some training is none of the trial's doing.
                losses = seconds > reached + 1 ? 1 : losses + 1
                reached = max(reached, seconds)
                guard losses < Self.mostLosses else {
                    return .failed(
                        TrialFailure(
                            "\(losses) jobs in a row ended before the trial got further"
                                + (words.map { ": \($0)" } ?? ""),
                            cause: .killed, log: RunnerLog(attempt.path).kept))
                }
                attempt = try Attempt.begin(of: directory)
            }
        } catch {
            return .failed(TrialFailure("\(error)"))
        }
    }

    private func ended(
        _ attempt: Attempt, secondsLeft: Double, _ predictedSeconds: Double,
        _ progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> End {
        if isOver { return .left }
        return await withCheckedContinuation { end in
            var entry = Entry(
                attempt: attempt, secondsLeft: secondsLeft, predictedSeconds: predictedSeconds, progress: progress,
                end: end)
            if let task = attempt.place.flatMap(ClusterTask.init(text:)) {
                entry.task = task
                if bundles[task]?.attempts.contains(attempt.path) != true {
                    bundles[task] = Bundle(attempts: listed(task, attempt))
                }
            }
            entries[attempt.path] = entry
            wakeUp.yield()
        }
    }

    private func outcome(_ attempt: Attempt, _ status: Int32) throws -> TrialExit {
        guard status == 0 else { return RunnerLog(attempt.path).exit(status: status) }
        try attempt.accept()
        return .finished
    }

    private func isCancelled(_ directory: String) -> Bool { control.withLock { $0.cancelled.contains(directory) } }

    // MARK: - All trials

    /// Submits trials and settles those that have ended, until the task is cancelled.
    package func serve() async {
        var last = ContinuousClock.now
        while !Task.isCancelled {
            await turn()
            let now = ContinuousClock.now
            let isTraining = entries.values.contains { $0.live != nil }
            if !entries.isEmpty, !isTraining { control.withLock { $0.queueSeconds += (now - last).seconds } }
            last = now
            await rest()
        }
        isOver = true
        for path in Array(entries.keys) { finish(path, .left) }
    }

    /// Waits until the next look is due; a new trial or a cancellation shortens that, a little.
    private func rest() async {
        let seconds = settings.pollSeconds
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: .seconds(seconds)) }
            group.addTask { [wakeUps] in
                for await _ in wakeUps { break }
                // Others that are asked for at the same time go with it.
                try? await Task.sleep(for: .seconds(min(1, seconds / 2)))
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// One look at everything.
    func turn() async {
        if control.withLock({ $0.isLeaving }) {
            for path in Array(entries.keys) { finish(path, .left) }
            return
        }
        await askToStop()
        await submitWaiting()
        guard !bundles.isEmpty, let alive = try? await queue.tasks(prefix: prefix) else { return }
        for task in Array(bundles.keys) { await settle(task, alive: alive[task]) }
    }

    private func submitWaiting() async {
        var waiting = entries.values.filter { $0.task == nil && !$0.isStopAsked }
            .sorted { ($0.predictedSeconds, $0.attempt.path) > ($1.predictedSeconds, $1.attempt.path) }
        while !waiting.isEmpty {
            let name = prefix + Self.random()
            let folder = settings.folder + "/" + name
            var tasks: [[Entry]] = []
            while !waiting.isEmpty, tasks.count < settings.mostTasks {
                var bundle = [waiting.removeFirst()]
                var seconds = bundle[0].predictedSeconds
                while seconds < settings.bundleSeconds, let next = waiting.last {
                    bundle.append(next)
                    seconds += next.predictedSeconds
                    waiting.removeLast()
                }
                tasks.append(bundle)
            }
            do {
                try write(tasks, name: name, folder: folder)
            } catch {
                // The disk is full, say: they wait.
                return
            }
            for (index, bundle) in tasks.enumerated() {
                let task = ClusterTask(job: name, index: index)
                bundles[task] = Bundle(attempts: bundle.map(\.attempt.path))
                for entry in bundle { entries[entry.attempt.path]?.task = task }
            }
            let most = tasks.map { $0.reduce(0) { $0 + min($1.secondsLeft, 3 * $1.predictedSeconds) } }.max() ?? 0
            do {
                try await queue.submit(
                    ClusterJob(
                        name: name, folder: folder, script: folder + "/script", tasks: tasks.count,
                        minutesPerTask: max(2, Int(up: most / 60) + 5)))
            } catch {
                // It may have been queued all the same. Where it was not, it is not found, and its attempts begin again.
                for index in tasks.indices { bundles[ClusterTask(job: name, index: index)]?.problem = "\(error)" }
            }
            control.withLock { $0.counts.starts += tasks.reduce(0) { $0 + $1.count } }
        }
    }

    private func write(_ tasks: [[Entry]], name: String, folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (index, bundle) in tasks.enumerated() {
            let lines = bundle.map { "\($0.secondsLeft)\t\($0.attempt.path)\n" }.joined()
            try writeFileAtomically(Data(lines.utf8), to: "\(folder)/\(index)", durably: false)
        }
        try writeFileAtomically(
            Data(ClusterScript.text(command: settings.command, folder: folder).utf8), to: folder + "/script",
            durably: false)
        for (index, bundle) in tasks.enumerated() {
            for entry in bundle { entry.attempt.place = ClusterTask(job: name, index: index).text }
        }
    }

    /// The attempts of a task of a former daemon, among them one.
    private func listed(_ task: ClusterTask, _ attempt: Attempt) -> [String] {
        let data = (try? readFile("\(settings.folder)/\(task.job)/\(task.index)")) ?? Data()
        let paths = String(decoding: data, as: UTF8.self).split(separator: "\n")
            .compactMap { $0.split(separator: "\t").last.map(String.init) }
        return paths.contains(attempt.path) ? paths : [attempt.path]
    }

    /// - Parameter alive: whether the task runs; nil where it is not in the queue.
    private func settle(_ task: ClusterTask, alive: Bool?) async {
        guard var bundle = bundles[task] else { return }
        bundle.misses = alive == nil ? bundle.misses + 1 : 0
        let isOver = bundle.misses >= Self.mostMisses
        while bundle.position < bundle.attempts.count {
            let path = bundle.attempts[bundle.position]
            guard let entry = entries[path] else {
                bundle.position += 1
                continue
            }
            if let status = entry.attempt.exitStatus {
                finish(path, .exited(status))
            } else if isOver {
                finish(path, entry.attempt.claim() ? .unbegun(bundle.problem) : .lost)
            } else {
                if alive == true, let live = entry.attempt.progress, live != entry.live {
                    entries[path]?.live = live
                    await entry.progress(live)
                }
                break
            }
            bundle.position += 1
        }
        if bundle.position < bundle.attempts.count || (alive != nil && !isOver) {
            bundles[task] = bundle
        } else {
            bundles[task] = nil
            removeUnused(task.job)
        }
        let running = bundles.values.count { $0.misses == 0 }
        control.withLock { $0.counts.running = running }
    }

    /// A job's folder goes with its last task.
    private func removeUnused(_ job: String) {
        guard !bundles.keys.contains(where: { $0.job == job }) else { return }
        try? FileManager.default.removeItem(atPath: settings.folder + "/" + job)
    }

    private func finish(_ path: String, _ end: End) {
        entries.removeValue(forKey: path)?.end.resume(returning: end)
    }

    /// Stops the workers of trials that are not waited for any more.
    private func askToStop() async {
        let cancelled = control.withLock { $0.cancelled }
        let stopping = entries.filter { cancelled.contains($1.attempt.trial) && !$1.isStopAsked }
        var waiting: Set<ClusterTask> = []
        // First all that no worker has begun, so that none begins when another ends.
        for (path, entry) in stopping where entry.task == nil || entry.attempt.claim() {
            finish(path, .unbegun(nil))
            if let task = entry.task { waiting.insert(task) }
        }
        do {
            for (path, entry) in stopping where entries[path] != nil {
                guard let task = entry.task else { continue }
                entry.attempt.stopAlone()
                try await queue.signal(task)
                entries[path]?.isStopAsked = true
            }
            for task in waiting where bundles[task]?.attempts.allSatisfy({ entries[$0] == nil }) == true {
                try await queue.stop(task)
            }
        } catch {
            // The scheduler does not answer: it is told at the next look.
        }
    }

    private static func random() -> String { String(UInt64.random(in: 0...UInt64.max), radix: 36) }
}
