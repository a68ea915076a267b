package import Domain
internal import Glibc
internal import PerformanceLaws

/// Why no answer can be given.
package struct AdvisorError: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// No configuration keeps the budget.
        case infeasible
        /// The configuration asked about lies too far outside the observations.
        case outsideDomain
        /// There is no law for the metric.
        case noLaw
    }

    package var kind: Kind
    package var description: String
    /// The currency that was exceeded, its limit, and what the cheapest configuration costs in it.
    package var currency: String?
    package var limit: Double?
    package var cheapest: Double?
}

/// Answers "how many layers, which dimension" from fitted laws and costs: pure, prepared once per set of laws.
///
/// Every configuration of the search space is priced and predicted when the advisor is made, so that an answer is one pass
/// over a table. The search space is each axis of the observations extended by a factor of 2.
package struct Advisor: Sendable {
    package let dataset: String
    package let base: Configuration
    package let laws: [String: LawFit]
    package let lawNumbers: [String: Int64]
    package let costs: CostModel
    /// All configurations of the search space with their predictions, in order of layers, then dim.
    package let table: [Candidate]
    private let observations: [Observation]

    /// - Parameters:
    ///   - laws: fitted laws by metric (`ndcg@10`), all of one key.
    ///   - base: backbone, heads, maximum length and loss of the calibration.
    package init(
        dataset: String, base: Configuration, laws: [String: LawFit], lawNumbers: [String: Int64], costs: CostModel,
        observations: [Observation]
    ) {
        self.dataset = dataset
        self.base = base
        self.laws = laws
        self.lawNumbers = lawNumbers
        self.costs = costs
        self.observations = observations.filter(\.converged)
        var table: [Candidate] = []
        if let law = laws.values.first {
            for layers in Self.layers(law) {
                for dim in Self.dims(law, multiplesOf: base.dimStep) {
                    var configuration = base
                    (configuration.layers, configuration.dim) = (layers, dim)
                    table.append(Self.candidate(configuration, laws: laws, costs: costs))
                }
            }
        }
        self.table = table
    }

    // MARK: - Search space

    /// Half the smallest up to twice the largest observed number of layers.
    static func layers(_ law: LawFit) -> [Int] {
        Array(max(1, law.layersRange[0] / 2)...min(128, law.layersRange[1] * 2))
    }

    /// Even steps that suit the size and the observed dimensions, multiples of what the heads need, from half the smallest to twice
    /// the largest observed dimension.
    static func dims(_ law: LawFit, multiplesOf unit: Int) -> [Int] {
        let (low, high) = (max(unit, law.dimRange[0] / 2), min(4_096, law.dimRange[1] * 2))
        let step = high <= 64 ? 2 : high <= 256 ? 4 : 8
        var dims = Set(law.points.map(\.dim))
        for dim in stride(from: (low + step - 1) / step * step, through: high, by: step) { dims.insert(dim) }
        return dims.filter { $0 % unit == 0 && $0 >= low }.sorted()
    }

    private static func candidate(_ c: Configuration, laws: [String: LawFit], costs: CostModel) -> Candidate {
        let data = costs.facts.effectiveTokens
        var predicted: [String: Double] = [:]
        var interval: [String: Interval] = [:]
        for (metric, law) in laws {
            let value = law.predict(layers: c.layers, dim: c.dim, effectiveTokens: data)
            predicted[metric] = min(1, max(0, value))
            interval[metric] = law.interval(layers: c.layers, dim: c.dim, effectiveTokens: data)
        }
        return Candidate(configuration: c, predicted: predicted, interval: interval, cost: costs.cost(c))
    }

    // MARK: - Answers

    /// The best configuration within a budget, with runners-up. Errors: `AdvisorError`.
    package func recommend(_ budget: Budget, metric: Metric = Metric(.ndcg, 10)) throws -> Recommendation {
        let name = metric.description
        guard let law = laws[name] else { throw noLaw(name) }
        let feasible = table.filter { Self.violation($0.cost, budget) == nil }
        guard !feasible.isEmpty else { throw infeasible(budget) }
        func value(_ candidate: Candidate) -> Double { candidate.predicted[name] ?? 0 }
        // Equal predictions go to the cheaper configuration.
        let ranked = feasible.sorted {
            (value($0), -$0.cost.parameters) > (value($1), -$1.cost.parameters)
        }
        var best = ranked[0]
        var warnings = standing(law)
        if let trained = bestTrained(name, budget: budget) {
            // A measured configuration is worth its measurement shrunk towards the law; the answer is never worse than it.
            if trained.worth > value(best) {
                if trained.configuration != best.configuration {
                    warnings.append(
                        Warning(
                            code: "trained-is-best",
                            message: "the trained configuration of \(trained.configuration.layers) layers, dim "
                                + "\(trained.configuration.dim) measured better than any prediction within the budget"))
                }
                best =
                    table.first { $0.configuration == trained.configuration }
                    ?? Self.candidate(trained.configuration, laws: laws, costs: costs)
            }
        }
        warnings += around(best.configuration, law)
        // What a measurement could not tell from the best, where the law was observed.
        let resolution = measurementError(name)
        let equivalent = ranked.filter {
            value($0) >= value(best) - resolution && $0.cost.parameters < best.cost.parameters
                && Self.distance($0.configuration.layers, law.layersRange) == 0
                && Self.distance($0.configuration.dim, law.dimRange) == 0
        }
        .min { $0.cost.parameters < $1.cost.parameters }
        var runnersUp: [Candidate] = []
        if let equivalent, equivalent.cost.parameters < 0.8 * best.cost.parameters {
            runnersUp.append(equivalent)
            warnings.append(
                Warning(
                    code: "cheaper-equivalent",
                    message:
                        "\(equivalent.configuration.layers) x \(equivalent.configuration.dim) (layers x dim) is predicted "
                        + "within one standard error of a measurement (\(Self.rounded(resolution))) of the best, at "
                        + "\(Int((equivalent.cost.parameters / best.cost.parameters * 100).rounded())) % of its parameters"
                ))
        }
        runnersUp += distinct(ranked, from: [best] + runnersUp, count: 4 - runnersUp.count)
        return Recommendation(
            dataset: dataset, best: best, runnersUp: runnersUp, warnings: warnings, laws: lawNumbers)
    }

    /// What the laws expect of one configuration. Errors: `AdvisorError` more than 2 e-folds outside the observations.
    package func predict(layers: Int, dim: Int, heads: Int?) throws -> (candidate: Candidate, warnings: [Warning]) {
        guard let law = laws["ndcg@10"] ?? laws.values.first else { throw noLaw("any metric") }
        var configuration = base
        (configuration.layers, configuration.dim) = (layers, dim)
        if let heads { configuration.heads = heads }
        if let problem = configuration.problem { throw AdvisorError(kind: .outsideDomain, description: problem) }
        let distance = max(
            Self.distance(layers, law.layersRange), Self.distance(dim, law.dimRange))
        guard distance <= 2 else {
            throw AdvisorError(
                kind: .outsideDomain,
                description:
                    "layers \(layers), dim \(dim) lies \(Self.rounded(distance)) e-folds outside the observations "
                    + "(layers \(law.layersRange[0]) to \(law.layersRange[1]), dim \(law.dimRange[0]) to "
                    + "\(law.dimRange[1])); a law says nothing beyond 2")
        }
        let candidate = Self.candidate(configuration, laws: laws, costs: costs)
        return (candidate, standing(law) + around(configuration, law))
    }

    /// The configurations that no other beats in both quality and a currency, cheapest first; only those between the
    /// smallest and largest observed layers and dimension, since a front shows no warnings point by point.
    package func pareto(_ currency: KeyPath<Cost, Double>, metric: Metric = Metric(.ndcg, 10)) throws -> [Candidate] {
        let name = metric.description
        guard let law = laws[name] else { throw noLaw(name) }
        func isInside(_ value: Int, _ range: [Int]) -> Bool {
            value >= (range.first ?? value) && value <= (range.last ?? value)
        }
        let inside = table.filter {
            isInside($0.configuration.layers, law.layersRange) && isInside($0.configuration.dim, law.dimRange)
        }
        var front: [Candidate] = []
        for candidate in inside.sorted(by: {
            ($0.cost[keyPath: currency], -($0.predicted[name] ?? 0)) < (
                $1.cost[keyPath: currency], -($1.predicted[name] ?? 0)
            )
        }) where (candidate.predicted[name] ?? 0) > (front.last?.predicted[name] ?? -1) {
            front.append(candidate)
        }
        return front
    }

    // MARK: - Parts of an answer

    private func noLaw(_ name: String) -> AdvisorError {
        AdvisorError(
            kind: .noLaw,
            description: "no law for \(name) of \"\(dataset)\"; there are \(laws.keys.sorted().joined(separator: ", "))"
        )
    }

    /// Name, limit and cost of the first exceeded currency.
    static func violation(_ cost: Cost, _ budget: Budget) -> (name: String, limit: Double, cost: Double)? {
        let checks: [(String, Double?, Double)] = [
            ("parameters", budget.maxParameters, cost.parameters),
            ("trainingFlops", budget.maxTrainingFlops, cost.trainingFlops),
            ("latencySeconds", budget.maxLatencySeconds, cost.latencySeconds),
            ("memoryBytes", budget.maxMemoryBytes, cost.memoryBytes),
            ("trainingSeconds", budget.maxTrainingSeconds, cost.trainingSeconds),
        ]
        for (name, limit, cost) in checks {
            if let limit, cost > limit { return (name, limit, cost) }
        }
        return nil
    }

    /// The budget's limits one by one, in the order of `violation`.
    private static func limits(_ budget: Budget) -> [Budget?] {
        [
            budget.maxParameters.map { Budget(maxParameters: $0) },
            budget.maxTrainingFlops.map { Budget(maxTrainingFlops: $0) },
            budget.maxLatencySeconds.map { Budget(maxLatencySeconds: $0) },
            budget.maxMemoryBytes.map { Budget(maxMemoryBytes: $0) },
            budget.maxTrainingSeconds.map { Budget(maxTrainingSeconds: $0) },
        ]
    }

    private func infeasible(_ budget: Budget) -> AdvisorError {
        // The first currency in which even the cheapest configuration is too dear; there may be none.
        let currencies: [KeyPath<Cost, Double>] = [
            \.parameters, \.trainingFlops, \.latencySeconds, \.memoryBytes, \.trainingSeconds,
        ]
        let cheapest = currencies.compactMap { currency in
            table.min { $0.cost[keyPath: currency] < $1.cost[keyPath: currency] }
        }
        let found = zip(cheapest, Self.limits(budget)).lazy.compactMap { candidate, limit in
            limit.flatMap { limit in Self.violation(candidate.cost, limit).map { (candidate.configuration, $0) } }
        }.first
        guard let (c, violation) = found else {
            return AdvisorError(kind: .infeasible, description: "no configuration keeps all limits together")
        }
        return AdvisorError(
            kind: .infeasible,
            description:
                "no configuration keeps the budget: \(violation.name) is limited to \(Self.rounded(violation.limit)), "
                + "the cheapest configuration (\(c.layers) layers, dim \(c.dim)) needs \(Self.rounded(violation.cost))",
            currency: violation.name, limit: violation.limit, cheapest: violation.cost)
    }

    /// The trained configuration within the budget that is worth most: law plus the share of its residual that is signal,
    /// that share being the residual scatter beyond the measurement error. Seeds of one configuration are averaged.
    private func bestTrained(_ name: String, budget: Budget) -> (configuration: Configuration, worth: Double)? {
        guard let law = laws[name] else { return nil }
        let groups = Dictionary(grouping: observations.filter { $0.userFraction >= 1 }, by: \.configuration)
        var best: (Configuration, Double)?
        for (configuration, group) in groups {
            guard Self.violation(costs.cost(configuration), budget) == nil else { continue }
            let measured = group.compactMap { $0.metrics[name] }
            guard !measured.isEmpty else { continue }
            let mean = measured.reduce(0) { $0 + $1.value } / Double(measured.count)
            let noise =
                measured.reduce(0) { $0 + $1.standardError * $1.standardError }
                / Double(measured.count * measured.count)
            let predicted = law.predict(
                layers: configuration.layers, dim: configuration.dim, effectiveTokens: costs.facts.effectiveTokens)
            let scatter = law.residualDeviation * law.residualDeviation
            let share = max(0, scatter - noise) / max(scatter, 1e-300)
            let worth = predicted + share * (mean - predicted)
            if worth > best?.1 ?? -.infinity || (worth == best?.1 && configuration.dim < best?.0.dim ?? 0) {
                best = (configuration, worth)
            }
        }
        return best
    }

    /// Median standard error of a metric over the test users, among the observations.
    private func measurementError(_ name: String) -> Double {
        let errors = observations.compactMap { $0.metrics[name]?.standardError }.sorted()
        return errors.isEmpty ? 0 : errors[errors.count / 2]
    }

    /// The next best that differ from those chosen by at least a tenth in layers or dim.
    private func distinct(_ ranked: [Candidate], from chosen: [Candidate], count: Int) -> [Candidate] {
        var chosen = chosen
        var found: [Candidate] = []
        for candidate in ranked where found.count < count {
            let near = chosen.contains {
                abs(log(Double($0.configuration.layers) / Double(candidate.configuration.layers))) < 0.1
                    && abs(log(Double($0.configuration.dim) / Double(candidate.configuration.dim))) < 0.2
            }
            if near { continue }
            chosen.append(candidate)
            found.append(candidate)
        }
        return found
    }

    /// Warnings about the law itself.
    private func standing(_ law: LawFit) -> [Warning] {
        var warnings: [Warning] = []
        if law.points.count < 9 {
            warnings.append(
                Warning(
                    code: "few-observations",
                    message:
                        "the law rests on \(law.points.count) observations; 9 or more, 3 levels of each axis, make it "
                        + "trustworthy"))
        }
        let free = Set(law.covarianceParameters).subtracting(law.identified)
        if !free.isEmpty {
            warnings.append(
                Warning(
                    code: "not-identified",
                    message:
                        "the observations fix \(law.rank) of the law's \(law.covarianceParameters.count) parameters: it "
                        + "may hold among them, its optimum and what lies beyond are a guess"))
        }
        if law.optimum.layers == nil && law.optimum.dim == nil {
            warnings.append(Warning(code: "no-interior-optimum", message: "the law has no maximum in layers or dim"))
        }
        if law.r2 < 0.5 {
            warnings.append(
                Warning(
                    code: "poor-fit",
                    message: "the law explains only \(Int((law.r2 * 100).rounded())) % of the variance"))
        }
        if !law.covarianceParameters.contains("slopeData") {
            warnings.append(
                Warning(
                    code: "one-data-size",
                    message: "all observations have one data size: nothing is known about more data"))
        }
        return warnings
    }

    /// Warnings about a configuration's place among the observations.
    private func around(_ c: Configuration, _ law: LawFit) -> [Warning] {
        var warnings: [Warning] = []
        for (axis, value, range) in [("layers", c.layers, law.layersRange), ("dim", c.dim, law.dimRange)] {
            let distance = Self.distance(value, range)
            if distance > 0 {
                warnings.append(
                    Warning(
                        code: "outside-range",
                        message: "\(axis) \(value) lies outside the observed \(range[0]) to \(range[1]), by "
                            + "\(Self.rounded(distance)) e-folds"))
            } else if range[0] < range[1], value == range[1] || (value == range[0] && value > 1) {
                warnings.append(
                    Warning(
                        code: "optimum-at-edge",
                        message:
                            "\(axis) \(value) is the edge of what was observed (\(range[0]) to \(range[1])); the best may "
                            + "lie beyond"))
            }
        }
        return warnings
    }

    private static func distance(_ value: Int, _ range: [Int]) -> Double {
        max(0, log(Double(value) / Double(range[1])), log(Double(range[0]) / Double(value)))
    }

    private static func rounded(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String((value * 1000).rounded() / 1000)
    }
}
