package import Domain
internal import Glibc
internal import Numerics
package import PerformanceLaws
package import SequentialDesign

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
        /// The stopping metric after each epoch, and what the test would have said; empty where only the end is known.
        package var curve: [Double]
        package var tests: [Double]

        package init(
            layers: Int, dim: Int, seed: UInt64, seconds: Double, measured: Measurement, parameters: Double,
            curve: [Double] = [], tests: [Double] = []
        ) {
            (self.layers, self.dim, self.seed, self.seconds) = (layers, dim, seed, seconds)
            (self.measured, self.parameters, self.curve, self.tests) = (measured, parameters, curve, tests)
        }

        var trial: DesignTrial { DesignTrial(layers: layers, dim: dim, seed: seed) }
        var epochs: Int { max(1, curve.count) }
        var epochSeconds: Double { seconds / Double(epochs) }
    }

    /// How trainings are chosen.
    package enum Strategy: Sendable, Hashable {
        case sequential
        case cheapestFirst
        case random(seed: UInt64)
    }

    /// One training of a replay.
    package struct Run: Sendable, Hashable {
        package var trial: DesignTrial
        package var epochs: Int
        package var seconds: Double
        /// Whether it was ended before it had stopped by itself.
        package var isCut: Bool
    }

    package struct Outcome: Sendable {
        package var runs: [Run] = []
        /// Of all workers together.
        package var seconds = 0.0
        /// The recommended shape and what its trainings measured on average over all seeds of the grid.
        package var layers = 0
        package var dim = 0
        package var value = 0.0
        /// The law's prediction of it, and the 90 % interval of one new training; nil without a law.
        package var predicted: Double?
        package var interval: Interval?
        /// The shape within the budget that is best on average over all seeds.
        package var bestLayers = 0
        package var bestDim = 0
        package var bestValue = 0.0
        /// The true value of the best of those trained, by what was seen of them; 0 where none keeps the budget.
        package var trainedValue = 0.0

        package var chosen: [DesignTrial] { runs.map(\.trial) }

        /// Of the best shape's value, what the recommended one lacks.
        package var relativeRegret: Double { bestValue > 0 ? (bestValue - value) / bestValue : 0 }
    }

    struct Shape: Hashable {
        var layers: Int
        var dim: Int
    }

    package let trainings: [Training]
    let metric: Metric
    /// What other datasets let expect; nil where the design has to do without.
    let prior: LawPrior?
    /// The stopping metric of ranking by popularity.
    let popularity: Double
    /// Seconds that a training is expected to take before it was trained; those it takes by default.
    private let expected: (@Sendable (_ layers: Int, _ dim: Int) -> Double)?
    private let seconds: [Shape: Double]
    private let values: [Shape: Double]
    private let parameters: [Shape: Double]
    /// Of one key and one data size: nothing but what the replay varies.
    private let template: Observation

    package init(
        _ trainings: [Training], metric: Metric, prior: LawPrior? = nil, popularity: Double = 0,
        expected: (@Sendable (_ layers: Int, _ dim: Int) -> Double)? = nil
    ) {
        self.trainings = trainings
        self.metric = metric
        self.prior = prior
        self.popularity = popularity
        self.expected = expected
        let groups = Dictionary(grouping: trainings) { Shape(layers: $0.layers, dim: $0.dim) }
        seconds = groups.mapValues { group in group.reduce(0) { $0 + $1.seconds } / Double(group.count) }
        values = groups.mapValues { group in group.reduce(0) { $0 + $1.measured.value } / Double(group.count) }
        parameters = groups.mapValues { $0[0].parameters }
        template = Observation(
            id: 0, dataset: "",
            key: LawKey(
                datasetVersion: .said(""), split: .said(""), mask: .said(.none), candidates: .said("all"),
                backbone: .said(.sasrec), loss: .said(.core(.cce)), negatives: .said(0), maxLength: .said(50),
                policy: TrainingPolicy(""), codeVersion: .said("")),
            configuration: DeclaredConfiguration(Configuration(layers: 1, dim: 2)), tokens: .said(100_000),
            apen: .said(2), userFraction: 1, seed: 1,
            users: 0, metrics: [:], epochs: 1, seconds: 1, converged: true, job: nil, trial: nil)
    }

    package var totalSeconds: Double { trainings.reduce(0) { $0 + $1.seconds } }

    /// - Parameters:
    ///   - budget: seconds of the clock.
    ///   - workers: trainings at a time.
    ///   - most: trainings at most.
    ///   - maxParameters: the user's limit for the answer.
    ///
    /// - Throws: `LawError`.
    package func run(
        _ strategy: Strategy, budget: Double, workers: Int = 1, most: Int = .max, maxParameters: Double = .infinity
    ) throws -> Outcome {
        var outcome = Outcome()
        let space = DesignSpace(
            layers: Set(trainings.map(\.layers)).sorted(), dims: Set(trainings.map(\.dim)).sorted(),
            firstSeed: trainings.map(\.seed).min() ?? 1, mostSeeds: Set(trainings.map(\.seed)).count,
            effectiveTokens: template.effectiveTokens,
            seconds: { [seconds, expected] n, d, _ in
                guard let known = seconds[Shape(layers: n, dim: d)] else { return .infinity }
                return expected?(n, d) ?? known
            },
            isEligible: { [parameters] n, d in
                parameters[Shape(layers: n, dim: d)].map { $0 <= maxParameters } ?? false
            })
        let known = Dictionary(trainings.map { ($0.trial, $0) }, uniquingKeysWith: { first, _ in first })
        let fitter = LawFitter(metric: metric, draws: 0)
        var observations: [Observation] = []
        func law() throws -> LawFit? {
            let complete = observations.count { $0.isComplete }
            if complete >= (prior == nil ? LawFitter.fewest : 1) { return try fitter.fit(observations, prior: prior) }
            return prior?.law(metric)
        }
        // Each worker's training, since when, and the epochs that it has done.
        var work: [(training: Training, start: Double, epochs: Int)?] = Array(repeating: nil, count: workers)
        var now = 0.0
        var queue = order(strategy, known)
        let start = try space.first(law: law()) { space.seconds($0.layers, $0.dim, 1) <= budget }
        let design = SequentialDesign(
            // The tolerance is out of reach: what is compared has the same cost.
            space: space, start: [start].compactMap { $0 }, tolerance: -1)
        func next() throws -> DesignTrial? {
            let rest = budget - now
            guard outcome.runs.count + work.count(where: { $0 != nil }) < most else { return nil }
            func pays(_ trials: [DesignTrial]) -> Bool {
                trials.allSatisfy { known[$0] != nil && space.seconds($0.layers, $0.dim, 1) <= rest }
            }
            guard strategy == .sequential else {
                guard let place = queue.firstIndex(where: { pays([$0]) && known[$0]?.seconds ?? .infinity <= rest })
                else { return nil }
                return queue.remove(at: place)
            }
            let running = work.compactMap { $0?.training.trial }
            let step = design.next(
                law: try law(), measured: outcome.chosen, running: running,
                stopped: outcome.runs.filter(\.isCut).map(\.trial), pays: pays,
                paysMost: {
                    known[$0] != nil && space.seconds($0.layers, $0.dim, 1) * SequentialDesign.leastPart <= rest
                })
            guard case .train(let trial, _) = step, known[trial] != nil else { return nil }
            return trial
        }
        func end(_ worker: Int, isCut: Bool) {
            guard let run = work[worker] else { return }
            work[worker] = nil
            let t = run.training
            outcome.runs.append(Run(trial: t.trial, epochs: run.epochs, seconds: now - run.start, isCut: isCut))
            outcome.seconds += now - run.start
            var observation = template
            observation.id = Int64(observations.count + 1)
            (observation.configuration.layers, observation.configuration.dim) = (t.layers, t.dim)
            observation.seed = t.seed
            observation.metrics = [metric.description: t.measured]
            if isCut {
                let curve = LearningCurve(Array(t.curve.prefix(run.epochs)), popularity: popularity)
                guard let forecast = curve.forecast, let best = curve.values.firstIndex(of: curve.best) else { return }
                observation.converged = false
                observation.forecast = forecast
                observation.metrics[metric.description]?.value = t.tests[best]
            }
            observations.append(observation)
        }
        while true {
            for worker in work.indices where work[worker] == nil && now < budget {
                guard let trial = try next(), let training = known[trial] else { break }
                work[worker] = (training, now, 0)
            }
            func ready(_ worker: Int) -> Double {
                work[worker].map { $0.start + Double($0.epochs + 1) * $0.training.epochSeconds } ?? .infinity
            }
            guard let worker = work.indices.filter({ work[$0] != nil }).min(by: { ready($0) < ready($1) }),
                let run = work[worker]
            else { break }
            guard ready(worker) <= budget else {
                now = max(now, budget)
                for worker in work.indices { end(worker, isCut: true) }
                break
            }
            now = ready(worker)
            work[worker]?.epochs += 1
            let epochs = run.epochs + 1
            if epochs == run.training.epochs {
                end(worker, isCut: false)
            } else if strategy == .sequential, isBehind(run.training, epochs, work.compactMap { $0 }, outcome) {
                end(worker, isCut: true)
            }
        }
        recommend(&outcome, observations, law: try law(), space: space)
        return outcome
    }

    private func order(_ strategy: Strategy, _ known: [DesignTrial: Training]) -> [DesignTrial] {
        switch strategy {
        case .sequential: []
        // Every shape once before any is repeated.
        case .cheapestFirst: known.values.sorted { ($0.seed, $0.seconds) < ($1.seed, $1.seconds) }.map(\.trial)
        case .random(let seed):
            {
                var random = SplitMix64(seed: seed)
                return trainings.map { (random.uniform(), $0.trial) }.sorted { $0.0 < $1.0 }.map(\.1)
            }()
        }
    }

    /// Whether a training will hardly come near to the best of the others.
    private func isBehind(
        _ training: Training, _ epochs: Int, _ work: [(training: Training, start: Double, epochs: Int)],
        _ outcome: Outcome
    ) -> Bool {
        let ended = outcome.runs.compactMap { run in
            trainings.first { $0.trial == run.trial }?.curve.prefix(run.epochs).max()
        }
        let others = work.filter { $0.training != training }.compactMap { $0.training.curve.prefix($0.epochs).max() }
        guard let best = (ended + others).max() else { return false }
        return LearningCurve(Array(training.curve.prefix(epochs)), popularity: popularity).isBehind(best)
    }

    private func recommend(
        _ outcome: inout Outcome, _ observations: [Observation], law: LawFit?, space: DesignSpace
    ) {
        let asked = values.keys.filter { space.isEligible($0.layers, $0.dim) }
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
        let hull = Hull(
            observations.map { ($0.configuration.layers, $0.configuration.dim) } + (law.prior?.corners ?? []))
        let inside = predictions.filter { hull.distance(layers: $0.shape.layers, dim: $0.shape.dim) == 0 }
        if let safe = inside.max(by: { $0.1.mean < $1.1.mean }) {
            if !predictor.believes(predictor.difference(place(safe.shape), place(chosen.shape))) { chosen = safe }
        }
        // And what was not trained only where it is likely to have more than the best that was.
        if law.prior == nil, let trained, let best = predictions.first(where: { $0.shape == trained }) {
            // A law of its own leaves the answer to what measured most, unless it likely gives more to another.
            let change = predictor.difference(place(trained), place(chosen.shape))
            let gain = chosen.1.mean - (seen[trained] ?? 0)
            if seen[chosen.shape] != nil
                || !predictor.prefers((gain, change.deviation * predictor.reach / normalQuantile95))
            {
                chosen = best
            }
        }
        var tried = predictions.filter { seen[$0.shape] != nil }
        if tried.isEmpty, law.prior != nil {
            let standard = Configuration.standardShape
            tried = predictions.filter { $0.shape == Shape(layers: standard.layers, dim: standard.dim) }
        }
        if law.prior != nil, seen[chosen.shape] == nil, let best = tried.max(by: { $0.1.mean < $1.1.mean }),
            !predictor.prefers(predictor.difference(place(best.shape), place(chosen.shape)))
        {
            chosen = best
        }
        // What would be trained without a search stays the answer unless another is likely to have more.
        let standard = Shape(layers: Configuration.standardShape.layers, dim: Configuration.standardShape.dim)
        if law.prior != nil, let home = predictions.first(where: { $0.shape == standard }), home.shape != chosen.shape {
            if !predictor.outdoes(predictor.difference(place(home.shape), place(chosen.shape))) { chosen = home }
        }
        (outcome.layers, outcome.dim) = (chosen.shape.layers, chosen.shape.dim)
        outcome.value = values[chosen.shape] ?? 0
        outcome.predicted = chosen.1.mean
        outcome.interval = chosen.1.interval
    }
}
