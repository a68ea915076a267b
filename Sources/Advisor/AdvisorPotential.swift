package import Domain
internal import Glibc
internal import PerformanceLaws

extension Advisor {
    /// What is left to gain from a configuration by depth, width, both, more data, and other backbones: the papers' "model
    /// expansion potential".
    ///
    /// - Parameters:
    ///   - layers, dim: what is used now; the best trained configuration where nil.
    ///
    /// Errors: `AdvisorError`.
    package func potential(
        layers: Int? = nil, dim: Int? = nil, metric: Metric = Metric(.ndcg, 10)
    ) throws -> (now: Candidate, levers: [Lever], warnings: [Warning]) {
        let name = metric.description
        let (branch, law, now) = try current(layers: layers, dim: dim, metric: name)
        let c = now.configuration
        func best(_ keep: (Configuration) -> Bool, in number: Int? = nil) -> Configuration? {
            guard let number = number ?? branches.firstIndex(where: { $0.key == branch.key }) else { return nil }
            return near(number, search.parts[number].planes[name], keep)
        }
        var levers: [Lever] = []
        func add(_ lever: String, _ to: Configuration?, dataFactor: Double = 1) {
            guard let to else { return }
            let change = law.difference(branch.place(c), branch.place(to, dataFactor: dataFactor))
            levers.append(self.lever(lever, to, change, now: now, metric: name, cost: branch.costs.cost(to)))
        }
        add("depth", best { $0.dim == c.dim } ?? c)
        add("width", best { $0.layers == c.layers } ?? c)
        add("depth and width", best { _ in true })
        if law.fit.effectiveTokensRange.first != law.fit.effectiveTokensRange.last {
            add("data x 2", c, dataFactor: 2)
            add("data x 2, depth and width", bestShape(branch, law, dataFactor: 2) ?? c, dataFactor: 2)
        }
        for (number, other) in branches.enumerated() where other.key != branch.key {
            guard let to = best({ _ in true }, in: number), let otherLaw = other.laws[name] else { continue }
            let (a, b) = (law.predict(branch.place(c)), otherLaw.predict(other.place(to)))
            // Laws of different keys share no observations: their errors are independent.
            let deviation = (a.lawDeviation * a.lawDeviation + b.lawDeviation * b.lawDeviation).squareRoot()
            let label = [
                other.key.backbone.rawValue, other.key.loss == branch.key.loss ? nil : other.key.loss.rawValue,
                other.key.maxLength == branch.key.maxLength ? nil : "L \(other.key.maxLength)",
            ].compactMap { $0 }.joined(separator: " ")
            levers.append(
                lever(label, to, (b.mean - a.mean, deviation), now: now, metric: name, cost: other.costs.cost(to)))
        }
        return (now, levers, standing(law.fit, branch) + branchWarnings(branch))
    }

    private func lever(
        _ name: String, _ to: Configuration, _ change: (mean: Double, deviation: Double), now: Candidate,
        metric: String,
        cost: Cost
    ) -> Lever {
        let half = 1.645 * change.deviation
        return Lever(
            name: name, configuration: to, gain: change.mean,
            interval: Interval(low: change.mean - half, high: change.mean + half),
            relativeGain: change.mean / max(now.predicted[metric] ?? 0, 1e-12), cost: cost)
    }

    /// What was asked about, else the best that was trained, else the best predicted.
    private func current(
        layers: Int?, dim: Int?, metric name: String
    ) throws -> (branch: Branch, law: LawPredictor, now: Candidate) {
        try check(name)
        if layers != nil || dim != nil {
            guard let layers, let dim else {
                throw AdvisorError(kind: .outsideDomain, description: "layers, dim: found one of them, expected both")
            }
            guard let branch = branches.first(where: { $0.laws[name] != nil }), let law = branch.laws[name] else {
                throw noLaw(name)
            }
            let c = branch.configuration(layers: layers, dim: dim)
            if let problem = c.problem { throw AdvisorError(kind: .outsideDomain, description: problem) }
            guard branch.grade(c) != .refused else {
                throw AdvisorError(
                    kind: .outsideDomain,
                    description: "layers \(layers), dim \(dim) lies more than 2 e-folds outside the observations")
            }
            return (branch, law, branch.candidate(c))
        }
        guard let number = branches.firstIndex(where: { $0.laws[name] != nil }), let law = branches[number].laws[name],
            let plane = search.parts[number].planes[name]
        else { throw noLaw(name) }
        let part = search.parts[number]
        let shapes = part.trained.isEmpty ? part.round : part.trained
        guard let best = shapes.max(by: { plane.means[$0 - part.first] < plane.means[$1 - part.first] }) else {
            throw noLaw(name)
        }
        return (branches[number], law, branches[number].candidate(usual(best)))
    }

    /// A shape with the first number of heads that divides its dimension, the observed ones before others.
    private func usual(_ shape: Int) -> Configuration {
        let (number, _, column) = search.place(shape)
        let block = search.parts[number].blocks.firstIndex { $0.columns.contains(column) }
        return configuration(shape, block: block ?? 0)
    }

    /// The best round shape of a branch at most one e-fold outside the observations.
    private func near(_ number: Int, _ plane: PredictedPlane?, _ keep: (Configuration) -> Bool) -> Configuration? {
        guard let plane else { return nil }
        let part = search.parts[number]
        var found: (value: Float, configuration: Configuration)?
        for shape in part.round where plane.means[shape - part.first] > found?.value ?? -.infinity {
            let c = usual(shape)
            guard keep(c), branches[number].hull.distance(layers: c.layers, dim: c.dim) <= 1 else { continue }
            found = (plane.means[shape - part.first], c)
        }
        return found?.configuration
    }

    private func bestShape(_ branch: Branch, _ law: LawPredictor, dataFactor: Double) -> Configuration? {
        guard let number = branches.firstIndex(where: { $0.key == branch.key }) else { return nil }
        return near(number, plane(number, law, dataFactor: dataFactor)) { _ in true }
    }

    /// What a law expects of all shapes of its branch with another data size.
    private func plane(_ number: Int, _ law: LawPredictor, dataFactor: Double) -> PredictedPlane {
        let (branch, part) = (branches[number], search.parts[number])
        return PredictedPlane(
            law, layers: part.layers, dims: part.dims,
            effectiveTokens: branch.costs.facts.effectiveTokens * dataFactor, trained: Array(branch.trained.keys))
    }

    /// A question with one thing changed.
    package struct Change: Sendable, Hashable {
        /// Factor of the data size: more users, or more interactions of each.
        package var dataFactor: Double
        /// Factor of the latency that the best configuration has now.
        package var latencyFactor: Double?
        /// Another maximum length; there must be a law of it.
        package var maxLength: Int?

        package init(dataFactor: Double = 1, latencyFactor: Double? = nil, maxLength: Int? = nil) {
            self.dataFactor = dataFactor
            self.latencyFactor = latencyFactor
            self.maxLength = maxLength
        }
    }

    /// The best configuration within a budget before and after a change. Errors: `AdvisorError` where no law can tell.
    package func whatIf(
        _ change: Change, budget: Budget = Budget(), metric: Metric = Metric(.ndcg, 10)
    ) throws -> (before: Candidate, after: Candidate, gain: Double, interval: Interval, warnings: [Warning]) {
        let name = metric.description
        try check(name)
        let question = Question(self, budget, metric: name)
        guard let shape = question.best(), let law = branches[search.place(shape).part].laws[name] else {
            throw AdvisorError(kind: .infeasible, description: "no configuration keeps the budget")
        }
        let branch = branches[search.place(shape).part]
        let before = exact(shape, question)
        var warnings = standing(law.fit, branch)
        var target = branch
        if let length = change.maxLength, length != branch.key.maxLength {
            guard
                let other = branches.first(where: {
                    $0.key.maxLength == length && $0.key.backbone == branch.key.backbone && $0.laws[name] != nil
                })
            else {
                let known = Set(branches.map(\.key.maxLength)).sorted().map(String.init).joined(separator: ", ")
                throw AdvisorError(
                    kind: .noLaw,
                    description:
                        "no law for L = \(length) (there are laws for \(known)): longer histories change the task, so "
                        + "they are measured, not extrapolated; run plaw calibrate \(dataset) --max-length \(length)")
            }
            target = other
        }
        guard let targetLaw = target.laws[name] else { throw noLaw(name) }
        if change.dataFactor != 1 {
            let range = targetLaw.fit.effectiveTokensRange
            guard let low = range.first, let high = range.last, low < high else {
                throw AdvisorError(
                    kind: .noLaw,
                    description:
                        "the law has one data size: nothing is known about more data; run plaw calibrate \(dataset), "
                        + "which trains on shares of the users")
            }
            let wanted = target.costs.facts.effectiveTokens * change.dataFactor
            let distance = max(0, log(wanted / high), log(low / wanted))
            if distance > 0 {
                warnings.append(
                    Warning(
                        code: "outside-range",
                        message: "D' \(Self.rounded(wanted)) lies outside the observed \(Self.rounded(low)) to "
                            + "\(Self.rounded(high)), by \(Self.rounded(distance)) e-folds"))
            }
        }
        var limits = budget
        if let factor = change.latencyFactor {
            limits.maxLatencySeconds = min(limits.maxLatencySeconds ?? .infinity, before.cost.latencySeconds * factor)
        }
        guard let number = branches.firstIndex(where: { $0.key == target.key }) else { throw noLaw(name) }
        let open = Question(self, limits, metric: name)
        let expected = change.dataFactor == 1 ? nil : plane(number, targetLaw, dataFactor: change.dataFactor)
        let part = search.parts[number]
        func value(_ shape: Int) -> Double {
            expected.map { Double($0.means[shape - part.first]) } ?? open.value(shape)
        }
        let feasible = part.round.filter { open.isOpen($0) }
        guard let best = feasible.max(by: { value($0) < value($1) }) else {
            throw AdvisorError(kind: .infeasible, description: "no configuration keeps the limits after the change")
        }
        let after = open.configuration(best)
        let difference: (mean: Double, deviation: Double)
        if target.key == branch.key {
            difference = law.difference(
                branch.place(before.configuration), branch.place(after, dataFactor: change.dataFactor))
        } else {
            let (a, b) = (
                law.predict(branch.place(before.configuration)),
                targetLaw.predict(target.place(after, dataFactor: change.dataFactor))
            )
            difference = (
                b.mean - a.mean, (a.lawDeviation * a.lawDeviation + b.lawDeviation * b.lawDeviation).squareRoot()
            )
        }
        let half = 1.645 * difference.deviation
        return (
            before, target.candidate(after, dataFactor: change.dataFactor), difference.mean,
            Interval(low: difference.mean - half, high: difference.mean + half), warnings
        )
    }
}
