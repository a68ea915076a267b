internal import Host
package import Domain
internal import Glibc
internal import Logging
internal import SequentialDesign
internal import Wire
internal import Store
internal import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What the supervisor says of trials: messages, observations, the next one to train, and the time that jobs still need.
extension CalibrationSupervisor {
    /// Fields of an event of a trial.
    static func metadata(_ event: JournalEvent, _ trial: StoredTrial, of job: StoredJob) -> Logger.Metadata {
        [
            "event": "\(event)", "dataset": "\(job.dataset)", "job": "\(job.id)", "trial": "\(trial.id)",
            "shape": "\(trial.spec.configuration.layers)x\(trial.spec.configuration.dim)",
        ]
    }

    /// What is told of a trial that has ended; nil where its metrics say all.
    ///
    /// - Parameter isBehind: it was stopped because it fell behind, not by the budget.
    static func message(_ result: TrialResult, isBehind: Bool = false) -> String? {
        switch result.status {
        case .converged: nil
        case .stoppedByBudget:
            (isBehind
                ? "stopped early after \(result.epochs) epochs: it falls behind the best; "
                : "stopped by the budget after \(result.epochs) epochs, before it converged; ")
                + (forecast(result) == nil
                    ? "not used in the fit" : "the fit takes what it was heading for, as uncertain as that is")
        case .stoppedRising:
            "stopped after \(result.epochs) epochs while it was still rising: --patience and --max-epochs give it more"
        case .diverged, .failed: result.message ?? result.status.rawValue
        }
    }

    /// Why a calibration whose trials are chosen one at a time has ended.
    package static func message(_ outlook: CalibrationOutlook, budgetSeconds: Double, activeSeconds: Double) -> String {
        func percent(_ share: Double) -> String { "\((share * 1_000).rounded() / 10) %" }
        // 1,720: digits in threes.
        func grouped(_ seconds: Double) -> String {
            let digits = Array(String(Int(up: seconds)))
            return digits.indices.map { ($0 > 0 && (digits.count - $0) % 3 == 0 ? "," : "") + String(digits[$0]) }
                .joined()
        }
        let regret = percent(outlook.predicted > 0 ? outlook.expectedRegret / outlook.predicted : 0)
        let price =
            outlook.halvingSeconds.map { "about \(grouped($0)) s more training would halve it" }
            ?? "no training is known that would halve it"
        let about = "the expected regret among all that was asked about is \(regret) of \(outlook.metric)"
        if outlook.isReached {
            return "tolerance reached: \(about), \(percent(outlook.tolerance)) are tolerated; \(price)"
        }
        let rest = budgetSeconds - activeSeconds
        // Trials are planned a little shorter than the rest, and end early.
        let end =
            rest <= 0.1 * budgetSeconds
            ? "budget spent"
            : "nothing that the last \(Int(towardZero: rest)) s of the budget pay for would tell enough"
        if let far = outlook.untested {
            return "\(end): \(about) by the law, which was not tested as far as \(far.layers) x \(far.dim); \(price)"
        }
        return "\(end): \(about), above the tolerance of \(percent(outlook.tolerance)); \(price)"
    }

    /// What a trial adds to the laws; nil when it gave no metrics.
    ///
    /// - Throws: `StoreError`.
    func observation(of result: TrialResult, trial: StoredTrial, job: StoredJob) async throws -> Observation? {
        guard ![.diverged, .failed].contains(result.status) else { return nil }
        let dataset = try await store.dataset(job.dataset)
        // Only datasets with interactions, and so with entropy, have trials.
        guard let entropy = dataset.info.entropy else { return nil }
        let spec = trial.spec
        return Observation(
            id: 0, dataset: job.dataset,
            key: spec.lawKey(datasetVersion: dataset.info.version, filter: dataset.info.options.filter),
            configuration: DeclaredConfiguration(spec.configuration), tokens: .said(result.tokens),
            apen: .said(entropy.dataApEn),
            userFraction: spec.userFraction, seed: spec.seed, users: result.users, metrics: result.test,
            epochs: result.epochs, seconds: result.seconds, converged: result.status == .converged, job: job.id,
            trial: trial.id, status: result.status == .stoppedRising ? Observation.stoppedRising : nil,
            source: spec.source,
            forecast: Self.forecast(result))
    }

    /// Seconds until the end: what the queued and running trials still need, spread over the workers, within the budget.
    static func remaining(_ job: Job, workers: Int) -> Double {
        let needed = (job.trials ?? []).reduce(0.0) { sum, trial in
            switch trial.state {
            case .queued: sum + trial.predictedSeconds
            case .running, .stale, .preempted: sum + max(0, trial.predictedSeconds - trial.seconds)
            case .finished, .failed, .diverged, .cancelled: sum
            }
        }
        return max(0, min(needed / Double(max(1, workers)), job.budgetSeconds - job.activeSeconds))
    }

    /// Times that a trial is begun again whose worker was ended by somebody else or by want of memory.
    static let mostRetries = 2

    /// The trial as it is queued again where its worker ended in a way that may pass; nil where its end is to be settled.
    func retrying(_ trial: StoredTrial, _ exit: TrialExit, remainingSeconds: Double) async throws -> StoredTrial? {
        var failure: TrialFailure
        switch exit {
        case .finished: return nil
        case .failed(let found): failure = found
        // Asked to stop by nobody here.
        case .interrupted: failure = TrialFailure("the worker was stopped by somebody else", cause: .killed)
        }
        guard !Task.isCancelled, !cancelled.contains(trial.job), failure.cause != .bug,
            trial.retries < Self.mostRetries, remainingSeconds > 2
        else { return nil }
        var again = trial
        again.state = .queued
        again.retries += 1
        again.seconds = progress[trial.id]?.seconds ?? trial.seconds
        let batch = trial.spec.options.batchUsers
        if failure.cause == .outOfMemory {
            guard batch > 1 else { return nil }
            again.spec.options.batchUsers = batch / 2
            // What was begun with another batch is another training.
            again.seconds = 0
            failure.message += "; begun anew with batches of \(batch / 2) users, which have laws of their own"
        } else {
            failure.message += "; begun again"
        }
        again.message = failure.message
        again.log = failure.log
        logger.warning(
            "trial begun again",
            metadata: ["job": "\(trial.job)", "trial": "\(trial.id)", "reason": "\(failure.message)"])
        try await store.retryTrial(again)
        return again
    }

    /// Stores how a trial ended or where it stopped.
    func settle(_ trial: StoredTrial, _ exit: TrialExit, directory: String, job: StoredJob) async throws {
        let seconds = progress[trial.id]?.seconds ?? trial.seconds
        let files = TrialDirectory(path: directory)
        switch exit {
        case .finished:
            let result = try files.readResult()
            let observation = try await observation(of: result, trial: trial, job: job)
            // What a worker said of a training that led to nothing is kept with it.
            try await store.finishTrial(
                trial.id, result: result,
                message: Self.message(result, isBehind: stopped.contains(trial.id)) ?? trial.message,
                log: observation == nil ? Self.logTail(files) : nil, observation: observation)
            logger.info(
                "trial ended",
                metadata: Self.metadata(.trialEnded, trial, of: job).merging(["status": "\(result.status.rawValue)"]) {
                    $1
                })
        case .interrupted where Task.isCancelled && !cancelled.contains(job.id):
            return try await store.updateTrial(trial.id, state: .preempted, seconds: seconds)
        case .interrupted where cancelled.contains(job.id):
            try await store.updateTrial(trial.id, state: .cancelled, seconds: seconds, message: "stopped")
        case .interrupted:
            try await store.updateTrial(
                trial.id, state: .failed, seconds: seconds, message: "the worker was stopped by somebody else")
        case .failed(let failure):
            logger.warning(
                "trial failed",
                metadata: Self.metadata(.trialFailed, trial, of: job).merging(["error": "\(failure.message)"]) { $1 })
            let tries = trial.retries > 0 ? "; begun \(trial.retries + 1) times" : ""
            try await store.updateTrial(
                trial.id, state: .failed, seconds: seconds, message: failure.message + tries, log: failure.log)
        }
        // What has ended is not gone on with; there may be no checkpoint.
        try? FileManager.default.removeItem(atPath: files.checkpointPath)
        try? FileManager.default.removeItem(atPath: files.checkpointPath + ".partial")
    }

    private static func logTail(_ files: TrialDirectory) -> String? {
        guard let data = try? readFile(files.path + "/worker.log"), !data.isEmpty else { return nil }
        return String(decoding: data.suffix(4_096), as: UTF8.self)
    }

    /// Takes the next trial that fits the rest of the budget; those that do not are marked with the reason.
    func nextTrial(_ queue: inout [StoredTrial], of job: StoredJob) async -> StoredTrial? {
        while !queue.isEmpty {
            let trial = queue.removeFirst()
            let scale = await epochScale(of: job.id)
            let remaining = trainingSeconds(of: job)
            let needed = max(0, trial.predictedSeconds * scale - trial.seconds)
            // Where trials are chosen as it goes, half of a training tells where it was heading.
            let least = design == nil ? needed : needed * SequentialDesign.leastPart
            if least <= remaining || (trial.state.hasBegun && remaining > 2) { return trial }
            let message =
                "not started: needs about \(Int(up: needed)) s, "
                + "\(Int(towardZero: max(0, remaining))) s of the budget are left"
            do {
                try await store.updateTrial(trial.id, state: .cancelled, seconds: trial.seconds, message: message)
            } catch {
                logger.error("cannot store a trial's state", metadata: ["trial": "\(trial.id)", "error": "\(error)"])
            }
        }
        return nil
    }

    /// Asks for one more trial of a job whose trials are chosen one at a time, and stores it before it starts; nil where there is
    /// none now.
    func chosenTrial(
        _ design: SequentialPlan, of job: StoredJob, remainingSeconds: Double, running: [StoredTrial]
    ) async -> StoredTrial? {
        do {
            let request = DesignRequest(
                plan: design, job: job.id, running: running, trials: try await store.trials(of: job.id),
                remainingSeconds: remainingSeconds)
            switch try await choose(request) {
            case .train(let trial, let outlook):
                return try await store.appendTrial(trial, to: job.id, outlook: outlook)
            case .wait: return nil
            case .end(let outlook):
                if let outlook { try await store.updateOutlook(outlook, of: job.id) }
                return nil
            }
        } catch let error as StoreError where error.mayPass {
            putOff(job.id, error)
            storeTrouble = error
            return nil
        } catch {
            logger.error("no further trial can be chosen", metadata: ["job": "\(job.id)", "error": "\(error)"])
            return nil
        }
    }

    /// What is left of the budget for a worker's training; its final ranking and the fit of the laws are paid from the rest.
    func trainingSeconds(of job: StoredJob) -> Double {
        max(0, job.budgetSeconds - activeSeconds - min(0.05 * job.budgetSeconds, 5))
    }

    /// How many times longer a typical finished trial of a job took than was predicted: what the remaining predictions are corrected
    /// by.
    func epochScale(of job: Int64) async -> Double {
        guard let trials = try? await store.trials(of: job) else { return 1 }
        let done = trials.filter { $0.state == .finished && $0.predictedSeconds > 0 && $0.seconds > 0 }
        // One that took as long as predicted, besides: the first outcome, of another shape, does not swing the plan.
        return exp(done.reduce(0) { $0 + log($1.seconds / $1.predictedSeconds) } / Double(done.count + 1))
    }
}
