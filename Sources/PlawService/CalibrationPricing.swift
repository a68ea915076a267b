internal import Advisor
internal import Calibration
internal import Domain
internal import PlawProtocol
internal import SequentialDesign
internal import Store
internal import Trials

/// What the trials of a calibration cost here, from probes and from what was trained before.
struct CalibrationPricing: Sendable {
    let settings: CalibrationSettings
    let facts: DatasetFacts
    /// Of the observations that the trials add to.
    let key: LawKey
    /// Those that converged before.
    let before: [Observation]
    private let epochs: EpochModel
    private let speed: SpeedModel

    /// Seconds a worker needs besides training: to start, map the corpus and write its results.
    private static let startSeconds = 0.3
    /// Share of the budget that one trial may be predicted to take, and that plans may promise.
    private static let fill = 0.9

    init(
        _ settings: CalibrationSettings, probes: [ThroughputProbe], _ store: Store, dataset: DatasetInfo,
        facts: DatasetFacts, corpus: String
    ) async throws {
        self.settings = settings
        self.facts = facts
        let key = settings.spec(
            corpus: corpus,
            PlannedTrial(
                configuration: settings.configuration(layers: 1, dim: settings.heads), userFraction: 1,
                seed: settings.seed, predictedEpochs: 0, predictedSeconds: 0)
        ).lawKey(datasetVersion: dataset.version, filter: dataset.options.filter)
        self.key = key
        before = try await store.observations(of: settings.dataset).filter { $0.key == key && $0.isComplete }
        epochs = try await EpochModel(store, key: key, limit: Double(settings.options.maxEpochs))
        speed = try await SpeedModel(
            probes, store, dataset: settings.dataset, setting: settings.speedSetting,
            averages: settings.options.averaging > 0)
    }

    /// Seconds of an epoch and of what comes after the last.
    private func price(_ configuration: Configuration, _ userFraction: Double) -> (epoch: Double, ending: Double) {
        let estimate = speed.estimate(configuration, facts: facts)
        let ranking = Double(facts.evaluatedUsers) / estimate.evaluatedUsersPerSecond
        let epoch =
            SpeedModel.beside(settings.workers)
            * (Double(facts.tokens) * userFraction / estimate.tokensPerSecond + ranking)
        return (epoch, 2 * ranking + Self.startSeconds)
    }

    private func expected(_ c: Configuration, _ userFraction: Double) -> (epochs: Double, deviation: Double) {
        let expected = epochs.expected(layers: c.layers, dim: c.dim, userFraction: userFraction)
        let pace = speed.logDeviation(layers: c.layers, dim: c.dim)
        return (expected.epochs, (expected.logDeviation * expected.logDeviation + pace * pace).squareRoot())
    }

    /// The planner of grids.
    var planner: CalibrationPlanner {
        CalibrationPlanner(
            settings: settings, epochs: epochs.expected(layers: 2, dim: 48).epochs,
            expected: { [self] in expected($0, $1) },
            isKnown: { [self] configuration, userFraction in
                before.contains {
                    $0.configuration == configuration && $0.userFraction == userFraction && $0.seed == settings.seed
                }
            }
        ) { [self] in price($0, $1) }
    }

    /// A trial that was chosen, with its price.
    func planned(_ trial: DesignTrial) -> PlannedTrial {
        let c = settings.configuration(layers: trial.layers, dim: trial.dim)
        let (epochs, deviation) = expected(c, trial.userFraction)
        let price = price(c, trial.userFraction)
        return PlannedTrial(
            configuration: c, userFraction: trial.userFraction, seed: trial.seed,
            predictedEpochs: min(epochs, Double(settings.options.maxEpochs)),
            predictedSeconds: price.epoch * min(epochs, Double(settings.options.maxEpochs)) + price.ending,
            predictedLogDeviation: deviation)
    }

    // MARK: - One at a time

    /// Trainings of the key that are known: they are not repeated.
    var measured: [DesignTrial] {
        before.map {
            DesignTrial(
                layers: $0.configuration.layers, dim: $0.configuration.dim, userFraction: $0.userFraction, seed: $0.seed
            )
        }
    }

    /// What trials may be chosen from: levels about a factor of 1.5 apart, of which the budget pays one training at least.
    func space(latencies: [LatencyProbe]) -> DesignSpace {
        let most = Self.fill * settings.budgetSeconds
        let unit = settings.dimStep
        @Sendable func seconds(_ n: Int, _ d: Int, _ share: Double) -> Double {
            planned(DesignTrial(layers: n, dim: d, userFraction: share, seed: 0)).predictedSeconds
        }
        let costs = CostModel(
            facts: facts, speed: speed, epochs: epochs, negatives: key.negatives, latency: LatencyModel(latencies))
        func keepsLimits(_ dim: Int) -> Bool {
            settings.asked.allows(costs.cost(settings.configuration(layers: 1, dim: dim)))
        }
        let all = Set([4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256].map { ($0 + unit - 1) / unit * unit }).sorted()
        // Nobody serves models narrower than 16: they are looked at only where wider ones are too dear.
        let usual = all.filter { $0 >= 16 }
        let pays = usual.filter { 4 * seconds(1, $0, 1) <= most && keepsLimits($0) }
        let dims = pays.count >= 3 ? usual : all
        let layers = [1, 2, 3, 4, 6, 8, 12].filter { seconds($0, dims[0], 1) <= most }
        return DesignSpace(
            layers: layers.isEmpty ? [1] : layers, dims: dims.filter { seconds(1, $0, 1) <= most || $0 == dims[0] },
            fractions: [0.125, 0.25, 0.5, 1], firstSeed: settings.seed, effectiveTokens: facts.effectiveTokens,
            seconds: seconds
        ) { n, d in
            seconds(n, d, 1) <= most
                && settings.asked.allows(costs.cost(settings.configuration(layers: n, dim: d)))
        }
    }

    /// The start, and how the rest is spent. Errors: `RPCError` where nothing that can be trained keeps what is asked for.
    func sequentialPlan(
        corpus: String, note: String?, latencies: [LatencyProbe]
    ) throws -> (plan: CalibrationPlanResult, design: SequentialPlan) {
        let space = space(latencies: latencies)
        let asked = space.layers.flatMap { n in space.dims.map { (n, $0) } }.filter { space.isAsked($0.0, $0.1) }
        guard !asked.isEmpty else {
            let cheapest = planned(DesignTrial(layers: space.layers[0], dim: space.dims[0], seed: 0))
            throw RPCError(
                .infeasible,
                "the budget of \(Int(settings.budgetSeconds)) s pays no new trial of a configuration within the limits; "
                    + "the cheapest training takes about \(Int(nearest: cheapest.predictedSeconds.rounded(.up))) s",
                ["budgetSeconds": .number(settings.budgetSeconds)])
        }
        let capacity = Self.fill * settings.budgetSeconds * Double(settings.workers)
        let known = Set(measured)
        let start = space.start(within: calibrationStartShare * capacity)
        let new = start.filter { !known.contains($0) }.map(planned)
        let spent = new.reduce(0) { $0 + $1.predictedSeconds }
        let open = max(0, capacity - spent)
        var notes = [note].compactMap { $0 }
        if !known.isEmpty {
            notes.append("\(known.count) trainings are known already and are used; none of them is repeated")
        }
        let levels = start.filter { $0.userFraction == 1 }
        let shapes = levels + known.filter { $0.userFraction == 1 }
        let single = [("layers", Set(shapes.map(\.layers))), ("dim", Set(shapes.map(\.dim)))].filter { $0.1.count == 1 }
        if let (axis, values) = single.first, let value = values.first {
            let needed = space.secondsForBothAxes.map { $0 / (Self.fill * Double(settings.workers)) }
            notes.append(
                "the budget pays a start with \(axis) \(value) alone: nothing will be known of others"
                    + (needed.map { "; both axes take a budget of about \(Int($0.rounded(.up))) s" } ?? ""))
        } else if Set(levels.map(\.layers)).count < 3 || Set(levels.map(\.dim)).count < 3 {
            notes.append("the budget pays no start with 3 levels of each axis: the first answers will be rough")
        } else if !start.contains(where: { $0.userFraction < 1 }) {
            notes.append("the budget pays no trials on shares of the users: how quality grows with data is not shown")
        }
        notes.append(
            "then trials are chosen one at a time among layers \(list(space.layers)) and dim \(list(space.dims)), all users or "
                + "a share, by what they teach about the answer for their time: about \(Int(open)) s of one worker")
        notes.append(
            "it ends when the expected regret is under \(Format.share(settings.tolerance)) of "
                + "\(settings.options.stopMetric), or with the budget")
        return (
            CalibrationPlanResult(
                dataset: settings.dataset, trials: new, workers: settings.workers,
                budgetSeconds: settings.budgetSeconds, predictedSeconds: settings.budgetSeconds * Self.fill,
                notes: notes, openSeconds: open),
            SequentialPlan(settings: settings, corpus: corpus, start: start)
        )
    }

    private func list(_ levels: [Int]) -> String { levels.map(String.init).joined(separator: ", ") }
}

extension NewTrial {
    init(_ trial: PlannedTrial, settings: CalibrationSettings, corpus: String) {
        self.init(
            spec: settings.spec(corpus: corpus, trial), predictedSeconds: trial.predictedSeconds,
            predictedEpochs: trial.predictedEpochs, predictedLogDeviation: trial.predictedLogDeviation)
    }
}
