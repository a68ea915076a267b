internal import Host
package import Domain
package import Logging
package import Wire
package import Store
internal import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Runs queued calibrations one after the other, each with as many workers as it was given, and survives restarts:
/// the store knows every job's and trial's state, the trial directories what the workers left.
package actor CalibrationSupervisor {
    let store: Store
    let executor: any TrialExecutor
    /// Folder of the trial directories, named by trial number.
    let trialsFolder: String
    let logger: Logger
    package let hub: JobHub
    /// Fits the laws of a dataset from its stored observations of one key; called when a calibration has ended.
    let fitLaws: @Sendable (_ dataset: String, _ key: LawKey) async throws -> [Int64]

    /// Chooses the next trial of a job whose trials are chosen one at a time.
    let choose: @Sendable (_ request: DesignRequest) async throws -> DesignAnswer

    private let wakeUps: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation
    /// The job in progress and the way to stop it.
    private var running: (id: Int64, stop: AsyncStream<Void>.Continuation)?
    /// Jobs that are being ended.
    private var ending: Set<Int64> = []
    /// Jobs whose cancellation was asked for.
    private(set) var cancelled: Set<Int64> = []
    /// Last progress of running trials, by trial.
    var progress: [Int64: TrialProgress] = [:]
    /// What ends the worker of a running trial early, by trial.
    var ends: [Int64: AsyncStream<Void>.Continuation] = [:]
    /// What the trials of the job in progress are chosen by; nil for a grid.
    private(set) var design: SequentialPlan?
    /// Those that were stopped because they fell behind.
    var stopped: Set<Int64> = []
    /// When a running trial was last held against the others, by trial.
    var compared: [Int64: ContinuousClock.Instant] = [:]
    /// Validations of the trials that were run since the start, by trial.
    var curves: [Int64: [Double]] = [:]
    /// The store could not take what the job in progress has to say: it is put off until it can.
    var storeTrouble: StoreError?
    /// Why a job waits for the store, and since when nothing has been heard of it.
    var trouble: (job: Int64, error: StoreError, last: ContinuousClock.Instant)?
    /// Since when the running job is worked on, and what it had been worked on before.
    private var clock: (start: ContinuousClock.Instant, before: Double, queued: Double)?

    package init(
        store: Store, executor: any TrialExecutor, trialsFolder: String, hub: JobHub, logger: Logger,
        choose: @escaping @Sendable (_ request: DesignRequest) async throws -> DesignAnswer = { _ in .end(nil) },
        fitLaws: @escaping @Sendable (_ dataset: String, _ key: LawKey) async throws -> [Int64]
    ) {
        self.choose = choose
        self.store = store
        self.executor = executor
        self.trialsFolder = trialsFolder
        self.hub = hub
        self.logger = logger
        self.fitLaws = fitLaws
        (wakeUps, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Works until the task is cancelled; a job in progress is then stopped at its checkpoints and stays to be resumed.
    package func run() async {
        wakeUp.yield()
        for await _ in wakeUps {
            while !Task.isCancelled, let job = await nextJob() { await work(on: job) }
            if Task.isCancelled { break }
        }
        await hub.finish()
    }

    /// Queues a calibration and returns its job number.
    ///
    /// - Throws: `StoreError`.
    ///
    /// - Parameter spentSeconds: of the budget, what was spent on it before.
    package func enqueue(
        dataset: String, budgetSeconds: Double, workers: Int, message: String?, trials: [NewTrial],
        design: SequentialPlan? = nil, spentSeconds: Double = 0
    ) async throws -> Int64 {
        let job = try await store.insertJob(
            dataset: dataset, budgetSeconds: budgetSeconds, workers: workers, message: message, trials: trials,
            design: try design.map { try $0.text }, activeSeconds: min(spentSeconds, budgetSeconds))
        wakeUp.yield()
        return job
    }

    /// Cancels a job that has not ended; finished trials are kept and their laws fitted.
    ///
    /// - Throws: `unknownJob`.
    package func cancel(_ id: Int64) async throws {
        let job = try await store.job(id)
        guard !job.state.isFinal else { return }
        cancelled.insert(id)
        if let running, running.id == id {
            running.stop.yield()
        } else {
            await end(id, activeSeconds: job.activeSeconds)
        }
    }

    /// A job with the live progress of its trials.
    ///
    /// - Throws: `unknownJob`.
    package func snapshot(_ id: Int64) async throws -> Job {
        let stored = try await store.jobWithTrials(id)
        var job = told(Job(stored.job, trials: stored.trials))
        guard let running, running.id == id else { return job }
        job.activeSeconds = activeSeconds
        for index in (job.trials ?? []).indices {
            guard let trial = job.trials?[index], trial.state == .running, let live = progress[trial.id] else {
                continue
            }
            job.trials?[index].progress = live
            job.trials?[index].seconds = live.seconds
        }
        job.remainingSeconds = Self.remaining(job, workers: try await store.workers(of: id))
        return job
    }

    /// Training positions a second, over the trials in training.
    package var tokensPerSecond: Double {
        progress.values.reduce(0) { $0 + ($1.phase == .training ? $1.tokensPerSecond : 0) }
    }

    /// Returns when the supervisor has taken a turn: a proof that it is not stuck.
    package func takeTurn() {}

    // MARK: - One job

    private func nextJob() async -> Int64? {
        do {
            return try await store.unfinishedJobs().first
        } catch {
            logger.error("cannot look for jobs", metadata: ["error": "\(error)"])
            return nil
        }
    }

    var activeSeconds: Double {
        guard let clock else { return 0 }
        let queued = executor.queueSeconds - clock.queued
        return max(clock.before, clock.before + (ContinuousClock.now - clock.start).seconds - queued)
    }

    private func work(on id: Int64) async {
        guard !ending.contains(id) else {
            // It is being cancelled; the next look finds it ended.
            return await pause(milliseconds: 20)
        }
        // From here on a cancellation goes to the running job, so the job's state must be read after this.
        let (stops, stop) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        running = (id, stop)
        do {
            let job = try await store.job(id)
            guard !job.state.isFinal else { return running = nil }
            clock = (ContinuousClock.now, job.activeSeconds, executor.queueSeconds)
            if cancelled.contains(id) { stop.yield() }
            storeTrouble = nil
            try await store.beginJob(id, activeSeconds: job.activeSeconds)
            if trouble?.job != id {
                logger.notice(
                    "calibration started",
                    metadata: [
                        "event": "\(JournalEvent.calibrationStarted)", "job": "\(id)", "dataset": "\(job.dataset)",
                    ])
            }
            await publish(id)
            try await train(job, stops: stops)
            running = nil
            let active = activeSeconds
            clock = nil
            if let storeTrouble { throw storeTrouble }
            if Task.isCancelled && !cancelled.contains(id) {
                // The daemon is stopping: the job stays `running` in the store and goes on at the next start.
                try await store.updateJob(id, state: .running, activeSeconds: active)
                return
            }
            await end(id, activeSeconds: active)
        } catch let error as StoreError where error.mayPass {
            (running, clock) = (nil, nil)
            // Nothing is lost: what the workers left is found when the store takes it again.
            putOff(id, error)
            await publish(id)
            await pause(milliseconds: 1_000)
        } catch {
            running = nil
            clock = nil
            logger.error(
                "calibration failed",
                metadata: ["event": "\(JournalEvent.calibrationFailed)", "job": "\(id)", "error": "\(error)"])
            // Best effort: when the store itself fails the job is found unfinished at the next start.
            let active = (try? await store.job(id))?.activeSeconds ?? 0
            _ = try? await store.updateJob(id, state: .failed, activeSeconds: active, message: "\(error)")
            await publish(id)
            await pause(milliseconds: 1_000)
        }
        (progress, curves, stopped, compared, design) = ([:], [:], [], [:], nil)
    }

    private enum Event: Sendable {
        case trialEnded(Int64)
        case tick
        case stopped
    }

    /// Starts trials as workers become free until none is left, none fits any more, or the job is stopped.
    private func train(_ job: StoredJob, stops: AsyncStream<Void>) async throws {
        let workers = try await store.workers(of: job.id)
        var queue = try await store.trials(of: job.id).filter { !$0.state.isFinal }
        // Trials that had begun when the daemon stopped or died go on from their checkpoints before others start.
        queue.sort { ($0.state.hasBegun ? 0 : 1, $0.place) < ($1.state.hasBegun ? 0 : 1, $1.place) }
        design = try await store.design(of: job.id).map { try SequentialPlan(text: $0) }
        var inFlight = 0
        var running: [Int64: StoredTrial] = [:]
        await withTaskGroup(of: Event.self) { group in
            group.addTask {
                for await _ in stops { return .stopped }
                return .stopped
            }
            group.addTask { await Self.tick() }
            var stopping = false
            while true {
                while !stopping, inFlight < workers {
                    var next = await self.nextTrial(&queue, of: job)
                    if next == nil, let design = self.design {
                        next = await self.chosenTrial(
                            design, of: job, remainingSeconds: self.trainingSeconds(of: job),
                            running: Array(running.values))
                    }
                    guard let trial = next else { break }
                    inFlight += 1
                    running[trial.id] = trial
                    group.addTask {
                        await self.run(trial, of: job)
                        return .trialEnded(trial.id)
                    }
                }
                if inFlight == 0 { break }
                switch await group.next() {
                case .trialEnded(let id):
                    inFlight -= 1
                    running[id] = nil
                case .tick:
                    await self.persistClock(job.id)
                    // Once the group is cancelled a tick would come at once, and the next one too.
                    if !Task.isCancelled, !stopping { group.addTask { await Self.tick() } }
                case .stopped, nil:
                    stopping = true
                    group.cancelAll()
                }
                if storeTrouble != nil, !stopping { group.cancelAll() }
                if Task.isCancelled || storeTrouble != nil { stopping = true }
            }
            group.cancelAll()
        }
    }

    private static func tick() async -> Event {
        try? await Task.sleep(for: .seconds(1))
        return .tick
    }

    /// Stores how long the job was worked on, so that a crash forgets a second at most.
    private func persistClock(_ id: Int64) async {
        do {
            try await store.updateJob(id, state: .running, activeSeconds: activeSeconds)
            if let trouble, trouble.job == id, trouble.last.duration(to: .now) > Self.quiet { goOn() }
        } catch  where error.mayPass {
            putOff(id, error)
        } catch {
            logger.error("cannot store the job's clock", metadata: ["job": "\(id)", "error": "\(error)"])
        }
        await publish(id)
    }

    // MARK: - One trial

    private func run(_ stored: StoredTrial, of job: StoredJob) async {
        var trial = stored
        let directory = "\(trialsFolder)/\(trial.id)"
        do {
            while true {
                // After a restore from a backup a trial that had begun has no directory.
                if !trial.state.hasBegun || !FileManager.default.fileExists(atPath: "\(directory)/spec.json") {
                    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                    try TrialDirectory(path: directory).writeSpec(trial.spec)
                }
                try await store.updateTrial(trial.id, state: .running, seconds: trial.seconds)
                await publish(job.id)
                logger.info("trial started", metadata: Self.metadata(.trialStarted, trial, of: job))
                let exit = await work(on: trial, directory, of: job)
                guard let again = try await retrying(trial, exit, remainingSeconds: job.budgetSeconds - activeSeconds)
                else {
                    try await settle(trial, exit, directory: directory, job: job)
                    break
                }
                trial = again
                progress[trial.id] = nil
                await publish(job.id)
                // What killed it may still be there; a stop of the whole service reaches workers before their daemon.
                try? await Task.sleep(for: .seconds(trial.retries))
                if Task.isCancelled {
                    try await settle(trial, .interrupted, directory: directory, job: job)
                    break
                }
            }
        } catch let error as StoreError where error.mayPass {
            putOff(job.id, error)
            storeTrouble = error
        } catch {
            logger.error(
                "trial failed",
                metadata: Self.metadata(.trialFailed, trial, of: job).merging(["error": "\(error)"]) { $1 })
            _ = try? await store.updateTrial(
                trial.id, state: .failed, seconds: progress[trial.id]?.seconds ?? trial.seconds, message: "\(error)")
        }
        progress[trial.id] = nil
        await publish(job.id)
    }

    // MARK: - The end

    /// Ends a job: leaves no trial unfinished, fits the laws, stores the final state and tells everybody.
    private func end(_ id: Int64, activeSeconds: Double) async {
        // A cancellation may come while the laws are being fitted: the job is ending already.
        guard ending.insert(id).inserted else { return }
        defer { ending.remove(id) }
        let wasCancelled = cancelled.contains(id)
        do {
            let job = try await store.job(id)
            // It may have ended while a cancellation was on its way.
            guard !job.state.isFinal else {
                cancelled.remove(id)
                return
            }
            let trials = try await store.trials(of: id)
            for trial in trials where !trial.state.isFinal {
                try await store.updateTrial(
                    trial.id, state: .cancelled, seconds: trial.seconds,
                    message: trial.state.hasBegun ? "stopped" : "not started")
            }
            for trial in trials {
                // What has ended is not gone on with; most have no checkpoint any more.
                let directory = TrialDirectory(path: "\(trialsFolder)/\(trial.id)")
                try? FileManager.default.removeItem(atPath: directory.checkpointPath)
            }
            let measured = trials.filter { $0.state == .finished }.count
            var laws: [Int64] = []
            var message = job.message
            if measured > 0, let spec = trials.first?.spec {
                do {
                    let info = try await store.dataset(job.dataset).info
                    laws = try await fitLaws(
                        job.dataset, spec.lawKey(datasetVersion: info.version, filter: info.options.filter))
                } catch {
                    message = "no law was fitted: \(error)"
                    logger.warning("no law was fitted", metadata: ["job": "\(id)", "error": "\(error)"])
                }
            } else if !wasCancelled {
                message = trials.compactMap(\.message).first
            }
            // What was known before may be enough, or all that the budget pays for: then nothing had to be trained.
            let wasEnough = trials.isEmpty && job.outlook != nil
            if message == nil, !wasCancelled {
                message =
                    job.outlook.map { Self.message($0, budgetSeconds: job.budgetSeconds, activeSeconds: activeSeconds) }
                    ?? (trials.isEmpty ? "no trial was started: none is predicted to end within the budget" : nil)
            }
            let state: JobState = wasCancelled ? .cancelled : measured > 0 || wasEnough ? .finished : .failed
            try await store.updateJob(id, state: state, activeSeconds: activeSeconds, message: message, laws: laws)
            cancelled.remove(id)
            if trouble?.job == id { goOn() }
            logger.notice(
                "calibration ended",
                metadata: [
                    "event": "\(JournalEvent.calibrationEnded)", "job": "\(id)", "dataset": "\(job.dataset)",
                    "state": "\(state.rawValue)",
                ])
        } catch  where error.mayPass {
            // It is found unfinished, and a cancellation is not forgotten.
            putOff(id, error)
            await pause(milliseconds: 1_000)
        } catch {
            logger.error("cannot end the job", metadata: ["job": "\(id)", "error": "\(error)"])
            await pause(milliseconds: 1_000)
        }
        await publish(id)
    }
}
