package import Domain
internal import Glibc
internal import PerformanceLaws

/// Replays a design on a grid whose every training is known: what it would have trained within a share of the grid's cost, and
/// what it would have recommended.
package struct DesignReplay: Sendable {
    /// One training of the grid.
    package struct Training: Sendable, Hashable {
        package var layers: Int
        package var dim: Int
        package var seed: UInt64
        package var seconds: Double
        package var measured: Measurement
        package var parameters: Double

        package init(
            layers: Int, dim: Int, seed: UInt64, seconds: Double, measured: Measurement, parameters: Double
        ) {
            self.layers = layers
            self.dim = dim
            self.seed = seed
            self.seconds = seconds
            self.measured = measured
            self.parameters = parameters
        }
    }

    /// How trainings are chosen.
    package enum Strategy: Sendable, Hashable {
        case sequential
        case cheapestFirst
        case random(seed: UInt64)
    }

    package struct Outcome: Sendable {
        package var chosen: [DesignTrial] = []
        package var seconds = 0.0
        /// The recommended shape and what its trainings measured on average over all seeds of the grid.
        package var layers = 0
        package var dim = 0
        package var value = 0.0
        /// The law's prediction of it, and the 90 % interval of the mean of many trainings; nil without a law.
        package var predicted: Double?
        package var interval: Interval?
        /// The shape within the budget that is best on average over all seeds.
        package var bestLayers = 0
        package var bestDim = 0
        package var bestValue = 0.0
        /// The true value of the best of those trained, by what was seen of them; 0 where none keeps the budget.
        package var trainedValue = 0.0

        /// Of the best shape's value, what the recommended one lacks.
        package var relativeRegret: Double { bestValue > 0 ? (bestValue - value) / bestValue : 0 }
    }

    struct Shape: Hashable {
        var layers: Int
        var dim: Int
    }

    package let trainings: [Training]
    let metric: Metric
    /// Share of the seconds that the start may take.
    let startShare: Double
    private let seconds: [Shape: Double]
    private let values: [Shape: Double]
    private let parameters: [Shape: Double]
    /// Of one key and one data size: nothing but what the replay varies.
    private let template: Observation

    package init(_ trainings: [Training], metric: Metric, startShare: Double = calibrationStartShare) {
        self.trainings = trainings
        self.metric = metric
        self.startShare = startShare
        let groups = Dictionary(grouping: trainings) { Shape(layers: $0.layers, dim: $0.dim) }
        seconds = groups.mapValues { group in group.reduce(0) { $0 + $1.seconds } / Double(group.count) }
        values = groups.mapValues { group in group.reduce(0) { $0 + $1.measured.value } / Double(group.count) }
        parameters = groups.mapValues { $0[0].parameters }
        template = Observation(
            id: 0, dataset: "",
            key: LawKey(
                datasetVersion: "", split: "", mask: .none, candidates: "all", backbone: .sasrec, loss: .cce,
                negatives: 0, maxLength: 50, policy: "", codeVersion: ""),
            configuration: Configuration(layers: 1, dim: 2), tokens: 100_000, apen: 2, userFraction: 1, seed: 1,
            users: 0, metrics: [:], epochs: 1, seconds: 1, converged: true, job: nil, trial: nil)
    }

    package var totalSeconds: Double { trainings.reduce(0) { $0 + $1.seconds } }

    /// - Parameters:
    ///   - budget: seconds of one worker.
    ///   - maxParameters: the user's limit for the answer.
    ///
    /// Errors: `LawError`.
    package func run(_ strategy: Strategy, budget: Double, maxParameters: Double = .infinity) throws -> Outcome {
        var outcome = Outcome()
        let space = DesignSpace(
            layers: Set(trainings.map(\.layers)).sorted(), dims: Set(trainings.map(\.dim)).sorted(),
            firstSeed: trainings.map(\.seed).min() ?? 1, mostSeeds: Set(trainings.map(\.seed)).count,
            effectiveTokens: template.effectiveTokens,
            seconds: { [seconds] n, d, _ in seconds[Shape(layers: n, dim: d)] ?? .infinity },
            isAsked: { [parameters] n, d in parameters[Shape(layers: n, dim: d)] ?? .infinity <= maxParameters })
        let known = Dictionary(
            trainings.map { (DesignTrial(layers: $0.layers, dim: $0.dim, seed: $0.seed), $0) },
            uniquingKeysWith: { first, _ in first })
        var observations: [Observation] = []
        func take(_ trial: DesignTrial) {
            guard let training = known[trial] else { return }
            var observation = template
            observation.id = Int64(observations.count + 1)
            observation.configuration = Configuration(layers: trial.layers, dim: trial.dim)
            observation.seed = trial.seed
            observation.metrics = [metric.description: training.measured]
            observations.append(observation)
            outcome.chosen.append(trial)
            outcome.seconds += training.seconds
        }
        func pays(_ trials: [DesignTrial]) -> Bool {
            trials.reduce(outcome.seconds) { $0 + (known[$1]?.seconds ?? .infinity) } <= budget
        }
        func isAffordable(_ trial: DesignTrial) -> Bool { pays([trial]) }
        let fitter = LawFitter(metric: metric, draws: 0)
        func law() throws -> LawFit? { observations.count >= LawFitter.fewest ? try fitter.fit(observations) : nil }
        switch strategy {
        case .sequential:
            // The tolerance is out of reach: what is compared has the same cost.
            let design = SequentialDesign(space: space, start: space.start(within: startShare * budget), tolerance: -1)
            while case .train(let trial, _) = design.next(
                law: try law(), measured: outcome.chosen, pays: pays)
            {
                take(trial)
            }
        case .cheapestFirst:
            // Every shape once before any is repeated.
            let order = known.values.sorted { ($0.seed, $0.seconds) < ($1.seed, $1.seconds) }
            for training in order {
                let trial = DesignTrial(layers: training.layers, dim: training.dim, seed: training.seed)
                if isAffordable(trial) { take(trial) }
            }
        case .random(let seed):
            var random = SplitMix64(seed: seed)
            for training in trainings.map({ (random.uniform(), $0) }).sorted(by: { $0.0 < $1.0 }).map(\.1) {
                let trial = DesignTrial(layers: training.layers, dim: training.dim, seed: training.seed)
                if isAffordable(trial) { take(trial) }
            }
        }
        recommend(&outcome, observations, law: try law(), space: space)
        return outcome
    }

    private func recommend(
        _ outcome: inout Outcome, _ observations: [Observation], law: LawFit?, space: DesignSpace
    ) {
        let asked = values.keys.filter { space.isAsked($0.layers, $0.dim) }
            .sorted { ($0.layers, $0.dim) < ($1.layers, $1.dim) }
        guard let best = asked.max(by: { values[$0] ?? 0 < values[$1] ?? 0 }) else {
            return
        }
        (outcome.bestLayers, outcome.bestDim, outcome.bestValue) = (best.layers, best.dim, values[best] ?? 0)
        let seen = Dictionary(grouping: observations) {
            Shape(layers: $0.configuration.layers, dim: $0.configuration.dim)
        }.mapValues { group in
            group.reduce(0) { $0 + ($1.metrics[metric.description]?.value ?? 0) } / Double(group.count)
        }
        let trained = asked.filter { seen[$0] != nil }.max { seen[$0] ?? 0 < seen[$1] ?? 0 }
        outcome.trainedValue = trained.flatMap { values[$0] } ?? 0
        guard let law else {
            let chosen = trained ?? asked[0]
            (outcome.layers, outcome.dim, outcome.value) = (chosen.layers, chosen.dim, values[chosen] ?? 0)
            return
        }
        let predictor = LawPredictor(law)
        func place(_ shape: Shape) -> LawPredictor.Place {
            .init(layers: shape.layers, dim: shape.dim, effectiveTokens: space.effectiveTokens)
        }
        let predictions = asked.map { (shape: $0, predictor.predict(place($0))) }
        guard var chosen = predictions.max(by: { $0.1.mean < $1.1.mean }) else { return }
        // As the advisor answers: outside the observations only what surely has more, by a law that predicted what is larger.
        let hull = Hull(observations.map { ($0.configuration.layers, $0.configuration.dim) })
        let inside = predictions.filter { hull.distance(layers: $0.shape.layers, dim: $0.shape.dim) == 0 }
        if let safe = inside.max(by: { $0.1.mean < $1.1.mean }) {
            if !predictor.believes(predictor.difference(place(safe.shape), place(chosen.shape))) { chosen = safe }
        }
        // And what was not trained only where it is likely to have more than the best that was.
        let tried = predictions.filter { seen[$0.shape] != nil }
        if seen[chosen.shape] == nil, let best = tried.max(by: { $0.1.mean < $1.1.mean }),
            !predictor.prefers(predictor.difference(place(best.shape), place(chosen.shape)))
        {
            chosen = best
        }
        (outcome.layers, outcome.dim) = (chosen.shape.layers, chosen.shape.dim)
        outcome.value = values[chosen.shape] ?? 0
        outcome.predicted = chosen.1.mean
        outcome.interval = chosen.1.interval
    }
}

/// Share of a calibration's budget that its start may take.
package let calibrationStartShare = 0.4
