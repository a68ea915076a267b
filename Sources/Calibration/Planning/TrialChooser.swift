internal import Costs
internal import Domain
internal import Glibc
internal import PerformanceLaws
package import Wire
internal import SequentialDesign
package import Store
internal import Trials

/// Chooses the next trial of a calibration from what is stored: the same store gives the same trial, before and after a restart.
package struct TrialChooser: Sendable {
    private let store: Store
    private let trialsFolder: String
    private let corpora: Corpora
    private let offload = Offload()

    /// Standard deviations above the predicted ln(seconds) that must still be paid for: four of five trials end in time. One that is
    /// cut short taught nothing.
    private static let caution = 0.84
    /// So many failures of a job in which nothing has finished are no matter of the shape: further trials would fail too.
    private static let hopeless = 3

    package init(store: Store, trialsFolder: String, corpora: Corpora) {
        (self.store, self.trialsFolder, self.corpora) = (store, trialsFolder, corpora)
    }

    /// What a job goes on with.
    ///
    /// - Throws: `StoreError`, and those of the corpus.
    package func next(_ request: DesignRequest) async throws -> DesignAnswer {
        let failures = request.trials.count { $0.state == .failed }
        if failures >= Self.hopeless, !request.trials.contains(where: { $0.state == .finished }) { return .end(nil) }
        let settings = request.plan.settings
        let dataset = try await store.dataset(settings.dataset)
        let facts = try await offload.run(cancellable: { [corpora] isCancelled in
            try corpora.facts(
                dataset, maxLength: settings.maxLength, batchUsers: settings.options.batchUsers,
                shouldStop: isCancelled)
        })
        let probes = try await store.speeds(settings.dataset, settings.speedSetting)
        let pricing = try await CalibrationPricing(
            settings, probes: probes, store, dataset: dataset.info, facts: facts)
        let latencies = try await store.latencies(settings.backbone, heads: settings.heads)
        let observations = try await store.observations(of: settings.dataset).comparable(pricing.key)
        return try await offload.run { [trialsFolder] in
            let metric = settings.options.stopMetric
            let design = SequentialDesign(
                space: pricing.space(latencies: latencies), start: request.plan.start, tolerance: settings.tolerance)
            let gains = StoredRanks(observations, trialsFolder: trialsFolder).gains(metric)
            let law = pricing.law(metric, observations, gains: gains)
            let running = request.running.map(Self.trial)
            // What failed would fail again. What was stopped early is not begun anew; the start is, as long as it was not trained to its end.
            let ended = request.trials.filter {
                $0.state == .failed || $0.state == .diverged || ($0.state.isFinal && $0.seconds > 0)
            }.map(Self.trial)
            let measured = Array(Set(pricing.measured + ended))
            let stopped = request.trials.filter { $0.result?.status == .stoppedByBudget }.map(Self.trial)
            let rest = request.remainingSeconds
            func seconds(_ trial: DesignTrial) -> Double {
                let planned = pricing.planned(trial)
                return planned.predictedSeconds * exp(Self.caution * (planned.predictedLogDeviation ?? 0))
            }
            let step = design.next(
                law: law, measured: measured, running: running, stopped: stopped,
                pays: { trials in
                    let seconds = trials.map(seconds)
                    return seconds.allSatisfy { $0 <= rest } && seconds.reduce(0, +) <= rest * Double(settings.workers)
                },
                paysMost: { pricing.planned($0).predictedSeconds * SequentialDesign.leastPart <= rest })
            func outlook(isLast: Bool) -> CalibrationOutlook? {
                guard let law, let now = design.outlook(law: law, measured: measured) else { return nil }
                return CalibrationOutlook(
                    metric: metric, configuration: settings.configuration(layers: now.layers, dim: now.dim),
                    predicted: now.predicted, expectedRegret: now.expectedRegret, trained: now.trained,
                    tolerance: settings.tolerance,
                    isReached: now.relativeRegret <= settings.tolerance && now.untested == nil,
                    untested: now.untested.map { settings.configuration(layers: $0.layers, dim: $0.dim) },
                    halvingSeconds: isLast ? design.secondsToHalve(law: law, measured: measured) : nil)
            }
            let isFull = request.trials.count >= CalibrationSettings.mostTrials
            switch step {
            case .train(let trial, _) where !isFull:
                return .train(
                    NewTrial(pricing.planned(trial), settings: settings, dataset: dataset),
                    outlook(isLast: false))
            case .wait: return .wait
            case .train, .enough, .spent: return .end(outlook(isLast: true))
            }
        }
    }

    private static func trial(_ stored: StoredTrial) -> DesignTrial {
        DesignTrial(
            layers: stored.spec.configuration.layers, dim: stored.spec.configuration.dim,
            userFraction: stored.spec.userFraction, seed: stored.spec.seed)
    }

    /// Two standard errors of the difference between two trainings on the dataset's test users.
    package func smallestDifference(_ pricing: CalibrationPricing) async throws -> SmallestDifference {
        let metric = Metric(.hr, 10)
        let observations = pricing.before.comparable(pricing.key)
        return try await offload.run { [trialsFolder] in
            let whole = observations.filter { $0.userFraction == 1 }
            guard whole.count >= LawFitter.fewest,
                let law = try? LawFitter(metric: metric, draws: 0, families: [.constant]).fit(
                    whole, gains: StoredRanks(whole, trialsFolder: trialsFolder).gains(metric)),
                let evaluation = law.noise.evaluation
            else { return Self.typical(metric, users: pricing.facts.evaluatedUsers) }
            let level = law.points.reduce(0) { $0 + $1.observed } / Double(law.points.count)
            let own = 1 - (law.noise.correlation ?? Self.typicalCorrelation)
            return SmallestDifference(
                metric: metric, level: level, difference: 2 * (2 * own).squareRoot() * evaluation,
                isMeasured: true)
        }
    }

    /// Of the gains of two trainings over the same users, before any was measured.
    private static let typicalCorrelation = 0.5

    /// A hit rate of 0.1, as many of the public datasets have.
    private static func typical(_ metric: Metric, users: Int) -> SmallestDifference {
        let level = 0.1
        let variance = 2 * (1 - typicalCorrelation) * level * (1 - level) / Double(max(1, users))
        return SmallestDifference(
            metric: metric, level: level, difference: 2 * variance.squareRoot(), isMeasured: false)
    }
}
