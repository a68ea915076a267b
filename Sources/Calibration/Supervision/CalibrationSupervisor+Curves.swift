internal import Domain
internal import Logging
internal import Wire
internal import SequentialDesign
internal import Store
internal import Trials

/// Runs a trial's worker and follows its curve: what falls behind the others of its job is stopped early.
extension CalibrationSupervisor {
    /// One run of a trial's worker; where it is found to be behind it is stopped, and what it had reached is ranked.
    func work(on trial: StoredTrial, _ directory: String, of job: StoredJob) async -> TrialExit {
        let (id, metric) = (trial.id, trial.spec.options.stopMetric)
        curves[id] = TrialDirectory(path: directory).curve(metric)
        let (orders, end) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        ends[id] = end
        defer { ends[id] = nil }
        let epochSeconds = trial.predictedSeconds / max(1, trial.predictedEpochs)
        let secondsLeft = max(1, trainingSeconds(of: job))
        return await withTaskGroup(of: TrialExit?.self) { group in
            group.addTask { [executor] in
                await executor.run(
                    directory, secondsLeft: secondsLeft, epochSeconds: epochSeconds,
                    predictedSeconds: trial.predictedSeconds
                ) { await self.note($0, of: trial, job: job) }
            }
            group.addTask {
                for await _ in orders { break }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            if let first { return first }
            guard let exit = await group.next() ?? nil else { return .interrupted }
            guard exit == .interrupted, !Task.isCancelled else { return exit }
            // No time is left to it: it ranks what its checkpoint holds.
            return await executor.run(
                directory, secondsLeft: 0, epochSeconds: epochSeconds, predictedSeconds: 0
            ) { _ in }
        }
    }

    private func note(_ update: TrialProgress, of trial: StoredTrial, job: StoredJob) async {
        progress[trial.id] = update
        await publish(job.id)
        // The epoch that goes on, counted from 1, is one more than there are validations.
        guard let value = update.validation?[trial.spec.options.stopMetric.description],
            update.epoch == (curves[trial.id]?.count ?? 0) + 2
        else { return }
        curves[trial.id, default: []].append(value)
        // Epochs of small data take milliseconds.
        guard ContinuousClock.now - (compared[trial.id] ?? .now - .seconds(1)) >= .milliseconds(500) else { return }
        compared[trial.id] = .now
        guard await isBehind(trial) else { return }
        // Its end is told when it has been ranked.
        logger.info("trial falls behind", metadata: ["job": "\(job.id)", "trial": "\(trial.id)"])
        stopped.insert(trial.id)
        ends[trial.id]?.yield()
    }

    /// Where a training that was cut short was heading.
    static func forecast(_ result: TrialResult) -> Observation.Forecast? {
        guard result.status == .stoppedByBudget, let curve = result.curve else { return nil }
        return LearningCurve(curve, popularity: result.popularity ?? 0).forecast
    }

    /// Whether a running trial of those that are chosen one at a time will hardly come near to the best of its job. What a job begins
    /// with is trained to its end.
    func isBehind(_ trial: StoredTrial) async -> Bool {
        guard let design, let curve = curves[trial.id], let trials = try? await store.trials(of: trial.job) else {
            return false
        }
        let (c, metric) = (trial.spec.configuration, trial.spec.options.stopMetric)
        let isStart = design.start.contains {
            $0.layers == c.layers && $0.dim == c.dim && $0.userFraction == trial.spec.userFraction
        }
        guard !isStart else { return false }
        let others = trials.filter { $0.id != trial.id && $0.spec.userFraction == trial.spec.userFraction }
        // Those of an earlier run of the daemon stand in the trial's folder.
        let best = others.compactMap {
            (curves[$0.id] ?? TrialDirectory(path: "\(trialsFolder)/\($0.id)").curve(metric)).max()
        }.max()
        return best.map {
            LearningCurve(curve, popularity: progress[trial.id]?.popularity ?? 0).isBehind($0)
        } ?? false
    }
}
