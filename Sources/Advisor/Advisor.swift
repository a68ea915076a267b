package import Domain
internal import Glibc
internal import PerformanceLaws

/// Answers "how many layers, which dimension" from fitted laws and costs: pure, prepared once per set of laws.
///
/// Every configuration of the search space is priced and predicted when the advisor is made, so that an answer is one pass
/// over a table. The search space of each branch is each axis of its observations extended by a factor of 2.
package struct Advisor: Sendable {
    package let dataset: String
    /// Comparable with each other: equal dataset version, split, mask and candidates.
    package let branches: [Branch]
    /// All configurations with their predictions, branch by branch, in order of layers, then dim.
    package let table: [Candidate]
    /// Branch of each entry of the table.
    let branchOf: [Int]

    package init(dataset: String, branches: [Branch]) {
        self.dataset = dataset
        self.branches = branches
        var table: [Candidate] = []
        var branchOf: [Int] = []
        for (place, branch) in branches.enumerated() {
            guard let law = branch.laws.values.first?.fit else { continue }
            for layers in branch.layers(law) {
                for dim in branch.dims(law) {
                    let c = branch.configuration(layers: layers, dim: dim)
                    guard c.problem == nil else { continue }
                    table.append(branch.candidate(c))
                    branchOf.append(place)
                }
            }
        }
        self.table = table
        self.branchOf = branchOf
    }

    package var lawNumbers: [String: Int64] { branches.first?.lawNumbers ?? [:] }

    // MARK: - Answers

    /// The best configuration within a budget, with what cannot be told apart from it. Errors: `AdvisorError`.
    package func recommend(_ budget: Budget, metric: Metric = Metric(.ndcg, 10)) throws -> Recommendation {
        let name = metric.description
        let usable = try usable(name)
        func value(_ i: Int) -> Double { table[i].predicted[name] ?? 0 }
        let feasible = usable.filter { Self.violation(table[$0].cost, budget) == nil }
        // Equal predictions go to the cheaper configuration.
        let ranked = feasible.sorted {
            (value($0), -table[$0].cost.parameters) > (value($1), -table[$1].cost.parameters)
        }
        guard let highest = ranked.first else { throw infeasible(budget, usable) }
        let best = sure(ranked, metric: name)
        let branch = branches[branchOf[best]]
        guard let law = branch.laws[name] else { throw noLaw(name) }
        let resolution = law.fit.noise.training
        let rivals = Rivals(self, ranked: ranked, best: best, metric: name)
        // E[max - f(c)] = E[max - f(best)] + E[f(best)] - E[f(c)]: one number serves all.
        func regret(_ i: Int) -> Double { max(0, rivals.expectedRegret + value(best) - value(i)) }
        func candidate(_ i: Int) -> Candidate {
            var candidate = table[i]
            candidate.expectedRegret = regret(i)
            return candidate
        }
        let cheapest =
            ranked.filter {
                value($0) >= value(best) - resolution
                    && (branches[branchOf[$0]].grade(table[$0].configuration) == .inside || $0 == best)
            }
            .min { table[$0].cost.parameters < table[$1].cost.parameters } ?? best
        let bestTrained = ranked.first { table[$0].trained > 0 }
        let grade = branch.grade(table[best].configuration)
        var warnings = standing(law.fit, branch) + around(table[best].configuration, law.fit, grade)
        if highest != best {
            let c = table[highest].configuration
            warnings.append(
                Warning(
                    code: "more-beyond",
                    message: "\(c.layers) x \(c.dim) (layers x dim), outside the observations, is expected to have "
                        + "\(Self.rounded(value(highest) - value(best))) more, which is not sure: calibrate there to find out"
                ))
        }
        warnings += branchWarnings(branch)
        if cheapest != best, table[cheapest].cost.parameters < 0.8 * table[best].cost.parameters {
            let c = table[cheapest].configuration
            let share = Int((table[cheapest].cost.parameters / table[best].cost.parameters * 100).rounded())
            warnings.append(
                Warning(
                    code: "cheaper-equivalent",
                    message:
                        "\(c.layers) x \(c.dim) (layers x dim) is predicted within one standard error of a training "
                        + "(\(Self.rounded(resolution))) of the best, at \(share) % of its parameters"))
        }
        let chosen = [best] + (cheapest == best ? [] : [cheapest])
        return Recommendation(
            dataset: dataset, metric: metric, best: candidate(best), expectedRegret: rivals.expectedRegret,
            grade: grade,
            reasons: reasons(best, ranked, budget, usable, name, rivals, bestTrained, resolution),
            cheapest: candidate(cheapest), indistinguishable: rivals.indistinguishable.map(candidate),
            runnersUp: distinct(ranked, from: chosen, count: 4).map(candidate),
            bestTrained: bestTrained.map(candidate), warnings: warnings, laws: branch.lawNumbers)
    }

    /// What the laws expect of one configuration. Errors: `AdvisorError` more than 2 e-folds outside the observations, unless forced.
    package func predict(
        layers: Int, dim: Int, heads: Int?, isForced: Bool = false
    ) throws -> (candidate: Candidate, grade: ExtrapolationGrade, warnings: [Warning]) {
        guard let branch = branches.first, let law = (branch.laws["ndcg@10"] ?? branch.laws.values.first)?.fit else {
            throw noLaw("any metric")
        }
        var c = branch.configuration(layers: layers, dim: dim)
        if let heads { c.heads = heads }
        if let problem = c.problem { throw AdvisorError(kind: .outsideDomain, description: problem) }
        let grade = branch.grade(c)
        guard grade != .refused || isForced else {
            throw AdvisorError(
                kind: .outsideDomain,
                description:
                    "layers \(layers), dim \(dim) lies \(Self.rounded(branch.hull.distance(layers: layers, dim: dim))) e-folds "
                    + "outside the observations (layers \(law.layersRange[0]) to \(law.layersRange[1]), dim "
                    + "\(law.dimRange[0]) to \(law.dimRange[1])); a law says nothing beyond 2")
        }
        return (
            branch.candidate(c), grade, standing(law, branch) + around(c, law, grade) + branchWarnings(branch)
        )
    }

    /// The configurations that no other beats in both quality and a currency, cheapest first; only those inside the hull of the
    /// observations, since a front shows no warnings point by point.
    package func pareto(_ currency: KeyPath<Cost, Double>, metric: Metric = Metric(.ndcg, 10)) throws -> [Candidate] {
        let name = metric.description
        let inside = try usable(name).filter { branches[branchOf[$0]].grade(table[$0].configuration) == .inside }
            .map { table[$0] }
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

    /// The best predicted entry; where that lies outside the observations, only if it surely beats the best inside, by a law that
    /// has shown that it can predict what is larger; else the best inside.
    private func sure(_ ranked: [Int], metric name: String) -> Int {
        func grade(_ i: Int) -> ExtrapolationGrade { branches[branchOf[i]].grade(table[i].configuration) }
        guard grade(ranked[0]) != .inside, let inside = ranked.first(where: { grade($0) == .inside }) else {
            return ranked[0]
        }
        let (a, b) = (branches[branchOf[inside]], branches[branchOf[ranked[0]]])
        guard let from = a.laws[name], let to = b.laws[name], to.fit.predictsLargest == true else { return inside }
        let (p, q) = (a.place(table[inside].configuration), b.place(table[ranked[0]].configuration))
        let change: (mean: Double, deviation: Double)
        if branchOf[inside] == branchOf[ranked[0]] {
            change = from.difference(p, q)
        } else {
            let (x, y) = (from.predict(p), to.predict(q))
            let variance = x.lawDeviation * x.lawDeviation + y.lawDeviation * y.lawDeviation
            change = (y.mean - x.mean, variance.squareRoot())
        }
        return change.mean > 1.645 * change.deviation ? ranked[0] : inside
    }

    // MARK: - Parts of an answer

    /// Entries of the table whose branch has a law for the metric. Errors: `AdvisorError` where there is none.
    func usable(_ name: String) throws -> [Int] {
        let usable = table.indices.filter { branches[branchOf[$0]].laws[name] != nil }
        guard !usable.isEmpty else { throw noLaw(name) }
        return usable
    }

    func noLaw(_ name: String) -> AdvisorError {
        let known = Set(branches.flatMap(\.laws.keys)).sorted().joined(separator: ", ")
        return AdvisorError(kind: .noLaw, description: "no law for \(name) of \"\(dataset)\"; there are \(known)")
    }

    /// Name, limit and cost of the first exceeded currency.
    package static func violation(_ cost: Cost, _ budget: Budget) -> (name: String, limit: Double, cost: Double)? {
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
    private static func limits(_ budget: Budget) -> [(name: String, budget: Budget)] {
        [
            budget.maxParameters.map { ("parameters", Budget(maxParameters: $0)) },
            budget.maxTrainingFlops.map { ("training FLOPs", Budget(maxTrainingFlops: $0)) },
            budget.maxLatencySeconds.map { ("latency", Budget(maxLatencySeconds: $0)) },
            budget.maxMemoryBytes.map { ("memory", Budget(maxMemoryBytes: $0)) },
            budget.maxTrainingSeconds.map { ("training time", Budget(maxTrainingSeconds: $0)) },
        ].compactMap { $0 }
    }

    private func infeasible(_ budget: Budget, _ usable: [Int]) -> AdvisorError {
        // The first currency in which even the cheapest configuration is too dear; there may be none.
        for (_, limit) in Self.limits(budget) {
            let violations = usable.compactMap { i in
                Self.violation(table[i].cost, limit).map { (configuration: table[i].configuration, violation: $0) }
            }
            guard violations.count == usable.count,
                let (c, violation) = violations.min(by: { $0.violation.cost < $1.violation.cost })
            else { continue }
            return AdvisorError(
                kind: .infeasible,
                description:
                    "no configuration keeps the budget: \(violation.name) is limited to \(Self.rounded(violation.limit)), "
                    + "the cheapest configuration (\(c.layers) layers, dim \(c.dim)) needs \(Self.rounded(violation.cost))",
                currency: violation.name, limit: violation.limit, cheapest: violation.cost)
        }
        return AdvisorError(kind: .infeasible, description: "no configuration keeps all limits together")
    }

    /// The next best that differ from those chosen by at least a tenth in layers or a fifth in dim.
    func distinct(_ ranked: [Int], from chosen: [Int], count: Int) -> [Int] {
        var chosen = chosen
        var found: [Int] = []
        for i in ranked where found.count < count {
            let c = table[i].configuration
            let near = chosen.contains {
                let other = table[$0].configuration
                return branchOf[$0] == branchOf[i] && abs(log(Double(other.layers) / Double(c.layers))) < 0.1
                    && abs(log(Double(other.dim) / Double(c.dim))) < 0.2
            }
            if near { continue }
            chosen.append(i)
            found.append(i)
        }
        return found
    }

    // MARK: - Words

    private func reasons(
        _ best: Int, _ ranked: [Int], _ budget: Budget, _ usable: [Int], _ name: String, _ rivals: Rivals,
        _ bestTrained: Int?, _ resolution: Double
    ) -> [String] {
        func value(_ i: Int) -> Double { table[i].predicted[name] ?? 0 }
        func shape(_ i: Int) -> String {
            let c = table[i].configuration
            return (branches.count > 1 ? c.backbone.rawValue + " " : "") + "\(c.layers) x \(c.dim)"
        }
        var reasons = [
            "the highest expected \(name) of \(ranked.count) configurations"
                + (best == ranked[0] ? "" : " of those among the observations")
                + (ranked.count < usable.count ? " within the budget, of \(usable.count) in all" : "")
        ]
        if let bestTrained {
            if bestTrained == best {
                reasons.append("it was trained: nothing untrained is expected to do better")
            } else {
                reasons.append(
                    "expected to be \(Self.rounded(value(best) - value(bestTrained))) above the best that was trained, "
                        + shape(bestTrained))
            }
        }
        if ranked.count < usable.count, let free = usable.max(by: { value($0) < value($1) }), value(free) > value(best)
        {
            // The limit without which the answer would be best.
            let gains = Self.limits(budget).map { limit -> (name: String, gain: Double, entry: Int) in
                var rest = budget
                switch limit.name {
                case "parameters": rest.maxParameters = nil
                case "training FLOPs": rest.maxTrainingFlops = nil
                case "latency": rest.maxLatencySeconds = nil
                case "memory": rest.maxMemoryBytes = nil
                default: rest.maxTrainingSeconds = nil
                }
                let entry = usable.filter { Self.violation(table[$0].cost, rest) == nil }.max { value($0) < value($1) }
                return (limit.name, value(entry ?? best) - value(best), entry ?? best)
            }
            if let binding = gains.max(by: { $0.gain < $1.gain }), binding.gain > 0 {
                reasons.append(
                    "\(binding.name) is the limit that binds: without it \(shape(binding.entry)) would be expected to have "
                        + "\(Self.rounded(binding.gain)) more")
            } else {
                reasons.append("several limits bind together: giving up any one of them gains nothing")
            }
        }
        reasons.append(
            "the best choice of all within the budget is expected to have \(Self.rounded(rivals.expectedRegret)) more than it "
                + "(\(Self.rounded(rivals.expectedRegret / max(value(best), 1e-12) * 100)) %); "
                + "one training alone varies by \(Self.rounded(resolution))")
        return reasons
    }

    static func distance(_ value: Int, _ range: [Int]) -> Double {
        max(0, log(Double(value) / Double(range[1])), log(Double(range[0]) / Double(value)))
    }

    /// Three significant digits.
    static func rounded(_ value: Double) -> String {
        guard value != 0, value.isFinite else { return "\(Int(value.isFinite ? value : 0))" }
        let scale = pow(10, 2 - floor(log10(abs(value))))
        let short = (value * scale).rounded() / scale
        return abs(short) >= 1_000 ? "\(Int(short))" : "\(short)"
    }
}
