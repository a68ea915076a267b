package import Costs
package import Domain
internal import PerformanceLaws
package import Wire
internal import SequentialDesign
package import Store
internal import StrictJSON
package import Trials

/// What the trials of a calibration cost here, from probes and from what was trained before.
package struct CalibrationPricing: Sendable {
    package let settings: CalibrationSettings
    let facts: DatasetFacts
    /// Of the observations that the trials add to.
    let key: LawKey
    /// Those that converged before.
    let before: [Observation]
    private let epochs: EpochModel
    private let speed: SpeedModel
    /// Of a model that the core does not train.
    private let described: DescribedModel?

    /// Users of a share of them, at least.
    private static let fewestUsers = 50.0
    /// Seconds a worker needs besides training: to start, map the corpus and write its results.
    private static let startSeconds = 0.3
    /// Share of the budget that one trial may be predicted to take, and that plans may promise.
    private static let fill = 0.9

    package init(
        _ settings: CalibrationSettings, probes: [ThroughputProbe], _ store: Store, dataset: DatasetInfo,
        facts: DatasetFacts
    ) async throws {
        self.settings = settings
        self.facts = facts
        let key = settings.spec(
            corpus: "",
            PlannedTrial(
                configuration: settings.configuration(layers: 1, dim: settings.heads), userFraction: 1,
                seed: settings.seed, predictedEpochs: 0, predictedSeconds: 0)
        ).lawKey(datasetVersion: dataset.version, filter: dataset.options.filter)
        self.key = key
        before = try await store.observations(of: settings.dataset).filter { $0.key == key && $0.isComplete }
        epochs = try await EpochModel(store, key: key, limit: Double(settings.options.maxEpochs))
        described = DescribedModel(
            settings.isForeign ? try await store.descriptions(settings.dataset, settings.speedSetting) : [],
            probes: probes)
        speed = try await SpeedModel(
            probes, store, dataset: settings.dataset, setting: settings.speedSetting,
            averages: settings.options.averaging > 0)
    }

    /// Seconds of an epoch and of what comes after the last.
    private func price(_ configuration: Configuration, _ userFraction: Double) -> (epoch: Double, ending: Double) {
        let seconds = speed.seconds(layers: configuration.layers, dim: configuration.dim)
        let ranking = Double(facts.evaluatedUsers) * seconds.user
        let epoch =
            SpeedModel.beside(settings.workers) * (Double(facts.tokens) * userFraction * seconds.token + ranking)
        return (epoch, 2 * ranking + Self.startSeconds)
    }

    private func expected(_ c: Configuration, _ userFraction: Double) -> (epochs: Double, deviation: Double) {
        let expected = epochs.expected(layers: c.layers, dim: c.dim, userFraction: userFraction)
        let pace = speed.logDeviation(layers: c.layers, dim: c.dim)
        return (expected.epochs, (expected.logDeviation * expected.logDeviation + pace * pace).squareRoot())
    }

    /// The planner of grids.
    package var planner: CalibrationPlanner {
        CalibrationPlanner(
            settings: settings, epochs: epochs.expected(layers: 2, dim: 48).epochs,
            expected: { [self] in expected($0, $1) },
            isKnown: { [self] configuration, userFraction in
                let declared = DeclaredConfiguration(configuration)
                return before.contains {
                    $0.configuration == declared && $0.userFraction == userFraction && $0.seed == settings.seed
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

    /// What trials may be chosen from: levels about a factor of 1.5 apart.
    func space(latencies: [LatencyProbe]) -> DesignSpace {
        let unit = settings.dimStep
        @Sendable func seconds(_ n: Int, _ d: Int, _ share: Double) -> Double {
            planned(DesignTrial(layers: n, dim: d, userFraction: share, seed: 0)).predictedSeconds
        }
        let costs = costs(latencies)
        func keepsLimits(_ dim: Int) -> Bool {
            settings.asked.allows(costs.cost(settings.configuration(layers: 1, dim: dim)))
        }
        let all = Set([4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256].map { ($0 + unit - 1) / unit * unit }).sorted()
        // Nobody serves models narrower than 16: they are looked at only where limits leave nothing wider.
        let usual = all.filter { $0 >= 16 }
        let dims = usual.contains(where: keepsLimits) ? usual : all
        // A share that leaves hardly anybody tells nothing.
        let shares = [0.25, 0.5].filter { $0 * Double(facts.evaluatedUsers) >= Self.fewestUsers }
        return DesignSpace(
            layers: [1, 2, 3, 4, 6, 8, 12], dims: dims, fractions: shares + [1], firstSeed: settings.seed,
            effectiveTokens: facts.effectiveTokens, seconds: seconds
        ) { n, d in
            settings.asked.allows(costs.cost(settings.configuration(layers: n, dim: d)))
        }
    }

    /// What other datasets let expect of this one. Trainings of another backbone, loss or recipe than theirs may lie further from it.
    var prior: LawPrior { .recorded(for: key, effectiveTokens: facts.effectiveTokens) }

    /// The law of what is measured; before anything was, of what other datasets let expect.
    func law(_ metric: Metric, _ observations: [Observation], gains: UserGains? = nil, draws: Int = 0) -> LawFit? {
        let fitted = try? LawFitter(metric: metric, draws: draws).fit(observations, gains: gains, prior: prior)
        return fitted ?? prior.law(metric)
    }

    /// The trainings that a calibration begins with.
    ///
    /// - Parameter spentSeconds: what measuring took of the budget.
    func start(_ space: DesignSpace, spentSeconds: Double = 0) -> [DesignTrial] {
        let most = Self.fill * max(0, settings.budgetSeconds - spentSeconds)
        // Half of a training tells where it was heading.
        let home = space.first(law: law(settings.options.stopMetric, before)) {
            SequentialDesign.leastPart * planned($0).predictedSeconds <= most
        }
        let current = settings.current.map { DesignTrial(layers: $0.layers, dim: $0.dim, seed: settings.seed) }
        return [home, current].compactMap { $0 }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    private func costs(_ latencies: [LatencyProbe]) -> CostModel {
        CostModel(
            facts: facts, speed: speed, epochs: epochs, negatives: settings.options.negatives,
            latency: settings.isForeign ? nil : LatencyModel(latencies), described: described)
    }

    /// Which limit leaves nothing to train, and what the cheapest configuration would need.
    private func nothingAllowed(_ space: DesignSpace, _ latencies: [LatencyProbe]) -> RPCError {
        let costs = costs(latencies)
        let shapes = space.layers.flatMap { n in space.dims.map { settings.configuration(layers: n, dim: $0) } }
        for currency in Currency.allCases {
            guard let limit = settings.asked[currency],
                let least = shapes.min(by: { costs.cost($0)[currency] < costs.cost($1)[currency] }),
                costs.cost(least)[currency] > limit
            else { continue }
            let need = costs.cost(least)[currency]
            guard need < .infinity else {
                return RPCError(
                    .infeasible,
                    "there is a limit on the \(currency.words), which the runner of \(settings.backbone) does not say",
                    ["currency": .string(currency.rawValue), "limit": .number(limit)])
            }
            return RPCError(
                .infeasible,
                "there is nothing to train: \(currency.words) \(currency.isPlural ? "are" : "is") limited to "
                    + "\(currency.text(limit)), and the \(currency.least) configuration (\(Format.shape(least)), layers x dim) "
                    + "needs \(currency.text(need))",
                ["currency": .string(currency.rawValue), "limit": .number(limit), "cheapest": .number(need)])
        }
        return RPCError(
            .infeasible,
            "there is nothing to train: no configuration with layers \(list(space.layers)) and dim \(list(space.dims)) keeps all "
                + "limits together", [:])
    }

    /// The start, and how the rest is spent.
    ///
    /// - Parameter spentSeconds: what measuring took of the budget.
    /// - Throws: `RPCError` where nothing that can be trained keeps what is asked for.
    package func sequentialPlan(
        note: String?, latencies: [LatencyProbe], spentSeconds: Double = 0
    ) throws -> (plan: CalibrationPlanResult, design: SequentialPlan) {
        let space = space(latencies: latencies)
        let start = start(space, spentSeconds: spentSeconds)
        guard let home = start.first, space.isEligible(home.layers, home.dim) else {
            throw nothingAllowed(space, latencies)
        }
        let most = Self.fill * max(0, settings.budgetSeconds - spentSeconds)
        let capacity = most * Double(settings.workers)
        let known = Set(measured)
        let new = start.filter { !known.contains($0) }.map(planned)
        let open = max(0, capacity - new.reduce(0) { $0 + min(most, $1.predictedSeconds) })
        var notes = [note].compactMap { $0 }
        if !known.isEmpty {
            notes.append(
                known.count == 1
                    ? "1 training is known already and is used; it is not repeated"
                    : "\(known.count) trainings are known already and are used; none of them is repeated")
        }
        let standard = Configuration.standardShape
        let usual = planned(DesignTrial(layers: standard.layers, dim: standard.dim, seed: settings.seed))
        let isUsual = (home.layers, home.dim) == standard
        if !known.contains(home), usual.predictedSeconds > most, space.isEligible(standard.layers, standard.dim) {
            let share = max(1, min(99, Int(nearest: 100 * most / usual.predictedSeconds)))
            let needed = Int(up: usual.predictedSeconds / Self.fill + spentSeconds)
            notes.append(
                "the budget pays about \(share) % of one training of \(standard.layers) x \(standard.dim): "
                    + (isUsual ? "" : "\(home.layers) x \(home.dim) is trained instead, and ")
                    + "the answer will rest mostly on \(prior.datasets) other datasets; a budget of \(needed) s would train it to its end"
            )
        } else {
            notes.append(
                "\(home.layers) x \(home.dim) comes first: "
                    + (isUsual
                        ? "what would be trained without a calibration, so that no answer is worse"
                        : "the best within the limits, by what \(prior.datasets) other datasets let expect"))
        }
        notes.append(
            "then trials are chosen one at a time among layers \(list(space.layers)) and dim \(list(space.dims)), by what they teach "
                + "about the answer for their time: about \(Int(nearest: open)) s of one worker; what falls behind is stopped early"
        )
        notes.append(
            "it ends when the expected regret is under \(Format.share(settings.tolerance)) of "
                + "\(settings.options.stopMetric), or with the budget")
        return (
            CalibrationPlanResult(
                dataset: settings.dataset, trials: new, workers: settings.workers,
                budgetSeconds: settings.budgetSeconds, predictedSeconds: settings.budgetSeconds * Self.fill,
                notes: notes, openSeconds: open),
            SequentialPlan(settings: settings, start: start)
        )
    }

    private func list(_ levels: [Int]) -> String { levels.map(String.init).joined(separator: ", ") }
}

extension NewTrial {
    /// - Parameter dataset: what is trained on.
    package init(_ trial: PlannedTrial, settings: CalibrationSettings, dataset: StoredDataset) {
        self.init(
            spec: settings.spec(
                corpus: TrialDirectory.corpusReference(dataset.corpusFile), corpusHash: dataset.info.version, trial),
            predictedSeconds: trial.predictedSeconds,
            predictedEpochs: trial.predictedEpochs, predictedLogDeviation: trial.predictedLogDeviation)
    }
}
