internal import Costs
package import Domain
internal import Glibc
internal import Numerics
internal import PerformanceLaws

/// Answers "how many layers, which dimension" from fitted laws and costs: pure, prepared once per set of laws.
///
/// Every configuration of the search space is priced and predicted when the advisor is made (`SearchTable`); a question is a pass over
/// arrays. What is said of the configurations that an answer names comes from the laws and the cost model themselves. The search space
/// of each branch is each axis of its observations extended by a factor of 2.
package final class Advisor: Sendable {
    package let dataset: String
    /// Comparable with each other: equal dataset version, split, mask and candidates. A key whose metrics were measured at different
    /// places has several.
    package let branches: [Branch]
    package let search: SearchTable

    let memory = AdvisorMemory()
    /// Names of the metrics that there are laws for.
    package let metrics: Set<String>
    /// Whether it can be trained on; else further observations come from elsewhere.
    let hasInteractions: Bool
    /// Whether its branches are of several keys.
    let isMixed: Bool

    /// What every answer says beside its own warnings.
    let notes: [Warning]

    package convenience init(dataset: String, hasInteractions: Bool = true, branches: [Branch]) {
        self.init(dataset: dataset, hasInteractions: hasInteractions, branches: branches, notes: [])
    }

    init(dataset: String, hasInteractions: Bool, branches: [Branch], notes: [Warning]) {
        self.notes = notes
        self.dataset = dataset
        self.hasInteractions = hasInteractions
        // A policy may leave no dimension that the trained heads divide.
        self.branches = branches.flatMap(\.byPlaces).filter { !$0.dims.isEmpty && !$0.layers.isEmpty }
        search = SearchTable(self.branches)
        metrics = Set(self.branches.flatMap(\.laws.keys))
        isMixed = Set(self.branches.map(\.key)).count > 1
    }

    /// Bytes of the table and of what is remembered beside it.
    package var bytes: Int { search.bytes + memory.bytes }

    package var lawNumbers: [String: Int64] { branches.first?.lawNumbers ?? [:] }

    // MARK: - Answers

    /// The best configuration within a budget, with what cannot be told apart from it.
    ///
    /// - Throws: `AdvisorError`.
    package func recommend(
        _ budget: Budget, metric: Metric = Metric(.ndcg, 10), isForced: Bool = false
    ) throws -> Recommendation {
        let name = metric.description
        let answer = try answer(budget, metric: name, isForced: isForced)
        let (question, best) = (answer.question, answer.best)
        let (choice, resolution) = (answer.choice, answer.law.fit.noise.training)
        let rivals = Rivals(question, best: best)
        // E[max - f(c)] = E[max - f(best)] + E[f(best)] - E[f(c)]: one number serves all.
        let top = choice.predicted[name] ?? 0
        func named(_ shape: Int) -> Candidate {
            var candidate = shape == best ? choice : exact(shape, question)
            candidate.expectedRegret = max(0, rivals.expectedRegret + (top - (candidate.predicted[name] ?? 0)))
            return candidate
        }
        let cheapest = question.cheapest(best, resolution: resolution)
        var warnings = answer.warnings
        let cheap = named(cheapest)
        let less = cheap.cost.parameters
        if cheapest != best, less < 0.8 * choice.cost.parameters {
            let c = cheap.configuration
            let share = Int(nearest: less / choice.cost.parameters * 100)
            warnings.append(
                Warning(
                    code: "cheaper-equivalent",
                    message:
                        "\(c.layers) x \(c.dim) (layers x dim) is predicted within one standard error of a training "
                        + "(\(Format.short(resolution))) of the best, at \(share) % of its parameters"))
        }
        let chosen = [best] + (cheapest == best ? [] : [cheapest])
        return Recommendation(
            dataset: dataset, metric: metric, best: choice, expectedRegret: rivals.expectedRegret,
            regretBeyond: rivals.regretBeyond, grade: answer.grade, reasons: reasons(answer, rivals, resolution),
            cheapest: cheap, indistinguishable: rivals.indistinguishable.map(named),
            runnersUp: question.distinct(from: chosen, count: 4).map(named), bestTrained: answer.bestTrained.map(named),
            warnings: warnings, laws: answer.branch.lawNumbers)
    }

    /// What the laws expect of one configuration, how far outside the observations it or the data lies, and what to know of that.
    ///
    /// Of several branches the first key's answers, by its law for ndcg@10 where it has one.
    ///
    /// - Parameter heads: those of the observations where nil.
    ///
    /// - Throws: `AdvisorError` without a law, for a configuration that cannot be trained, and more than 2 e-folds outside the observations
    ///   unless forced.
    package func predict(
        layers: Int, dim: Int, heads: Int?, isForced: Bool = false
    ) throws -> (candidate: Candidate, grade: ExtrapolationGrade, warnings: [Warning]) {
        // The first key's branch whose places are those of the metric that answers are about by default.
        let own = branches.filter { $0.key == branches.first?.key }
        guard let branch = own.first(where: { $0.laws["ndcg@10"] != nil }) ?? own.first,
            let law = (branch.laws["ndcg@10"] ?? branch.laws.min { $0.key < $1.key }?.value)?.fit
        else { throw noLaw("any metric") }
        var c = branch.configuration(layers: layers, dim: dim)
        if let heads { c.heads = .said(heads) }
        if let problem = branch.problem(c) { throw AdvisorError(kind: .outsideDomain, description: problem) }
        // Of trainings whose heads nobody said, an answer is about no number of them.
        if branch.base.heads == .unsaid { c.heads = .unsaid }
        let grade = max(branch.grade(c), branch.dataGrade(law))
        guard grade != .refused || isForced else {
            throw AdvisorError(
                kind: .outsideDomain,
                description: branch.grade(c) != .refused
                    ? Self.tooFar(aroundData(branch, law))
                    : "layers \(layers), dim \(dim) lies \(Format.short(branch.hull.distance(layers: layers, dim: dim))) e-folds "
                        + "outside the observations (layers \(law.layersRange[0]) to \(law.layersRange[1]), dim "
                        + "\(law.dimRange[0]) to \(law.dimRange[1])); a law says nothing beyond 2 e-folds unless forced (--force)"
            )
        }
        return (
            branch.candidate(c), grade,
            standing(law, branch) + around(c, law, branch.grade(c), branch) + aroundData(branch, law)
                + branchWarnings(branch)
        )
    }

    /// The best shape; where that lies outside the observations, only if it surely beats the best inside, by a law that has shown
    /// that it can predict what is larger; else the best inside.
    func sure(_ highest: Int, _ question: Question, isForced: Bool) -> Int {
        guard !question.isInside(highest), let inside = question.best(inside: true) else { return highest }
        guard isForced || branches[search.place(highest).part].grade(question.configuration(highest)) != .refused,
            let law = question.law(highest), let change = change(from: inside, to: highest, question)
        else { return inside }
        return law.believes(change) ? highest : inside
    }

    /// The best trained shape where the chosen one is expected to have less, or was not trained and hardly beats it.
    func tried(_ best: Int, _ trained: Int?, _ question: Question) -> Int {
        guard let trained, trained != best else { return best }
        let gain = question.value(best) - question.standing(trained)
        // A rounder dimension, the best inside, or what the law makes of its neighbours may be one that was trained and measured less.
        if gain < 0 || (question.isTrained(best) && question.measured(trained) != nil) { return trained }
        guard !question.isTrained(best), let law = question.law(best),
            let change = change(from: trained, to: best, question)
        else { return best }
        guard question.measured(trained) != nil else { return law.prefers(change) ? best : trained }
        // Where few trainings tell how much one varies, the deviation is hardly known itself: Student's.
        return law.prefers((gain, change.deviation * law.reach / normalQuantile95)) ? best : trained
    }

    /// The standard shape where the chosen one hardly beats it, by laws that know what other datasets let expect: of many shapes that are
    /// alike, the one that few trainings call the best is so by chance.
    func standard(_ best: Int, _ question: Question) -> Int {
        guard let law = question.law(best), law.fit.prior != nil, let standard = question.standard, standard != best,
            let change = change(from: standard, to: best, question)
        else { return best }
        return law.outdoes(change) ? best : standard
    }

    /// What the metric changes by from one shape to another; of two branches' laws each by its own.
    private func change(from: Int, to: Int, _ question: Question) -> (mean: Double, deviation: Double)? {
        memory.changes(.init(from: from, to: to, metric: question.metric)) {
            guard let own = question.law(from), let other = question.law(to) else { return nil }
            let (p, q) = (place(from), place(to))
            if own === other { return own.difference(p, q) }
            let (x, y) = (own.predict(p), other.predict(q))
            return (y.mean - x.mean, (x.lawDeviation * x.lawDeviation + y.lawDeviation * y.lawDeviation).squareRoot())
        }
    }

    // MARK: - Parts of an answer

    /// A shape with a number of heads.
    func configuration(_ shape: Int, block: Int) -> DeclaredConfiguration {
        let (number, row, column) = search.place(shape)
        let part = search.parts[number]
        var c = branches[number].configuration(layers: part.layers[row], dim: part.dims[column])
        if !branches[number].isForeign { c.heads = part.blocks[block].heads }
        return c
    }

    /// What the laws and the cost model say of a shape themselves.
    func exact(_ shape: Int, _ question: Question) -> Candidate {
        let block = question.block(shape)
        return memory.candidates(.init(shape: shape, block: block)) {
            branches[search.place(shape).part].candidate(configuration(shape, block: block))
        }
    }

    /// Where the laws are asked about a shape, whatever its heads.
    func place(_ shape: Int) -> LawPredictor.Place {
        let (number, row, column) = search.place(shape)
        let part = search.parts[number]
        return LawPredictor.Place(
            layers: part.layers[row], dim: part.dims[column],
            effectiveTokens: part.effectiveTokens)
    }

    func draws(_ metric: String) -> RivalDraws { memory.draws(metric) { RivalDraws(self, metric: metric) } }

    /// What the best is expected to have where nothing is limited.
    func unlimited(_ metric: String) -> Double? {
        memory.unlimited(metric) {
            let question = Question(self, Budget(), metric: metric)
            return question.best().map(question.value)
        }
    }

    /// - Throws: `AdvisorError` where no branch has a law for the metric.
    func check(_ name: String) throws {
        guard metrics.contains(name) else { throw noLaw(name) }
    }

    func noLaw(_ name: String) -> AdvisorError {
        let known = metrics.sorted().joined(separator: ", ")
        return AdvisorError(kind: .noLaw, description: "no law for \(name) of \"\(dataset)\"; there are \(known)")
    }

    func infeasible(_ budget: Budget, _ name: String) -> AdvisorError {
        // The first currency in which even the cheapest configuration is too expensive; there may be none.
        for currency in Currency.allCases {
            guard let limit = budget[currency] else { continue }
            var least: (cost: Double, configuration: DeclaredConfiguration)?
            for (number, part) in search.parts.enumerated() where branches[number].laws[name] != nil {
                for block in part.blocks {
                    let column = block.costs[currency]
                    guard let place = column.indices.min(by: { column[$0] < column[$1] }) else { continue }
                    let cost = block.costs.cost(place)[currency]
                    if cost < least?.cost ?? .infinity { least = (cost, block.costs.configuration(place)) }
                }
            }
            guard let least, least.cost > limit else { continue }
            let c = least.configuration
            return AdvisorError(
                kind: .infeasible,
                description:
                    "no configuration keeps the budget: \(currency.words) \(currency.isPlural ? "are" : "is") limited to "
                    + "\(currency.text(limit)), and the \(currency.least) configuration (\(c.layers) x \(c.dim), layers x dim) needs "
                    + currency.text(least.cost),
                currency: currency.rawValue, limit: limit, cheapest: least.cost)
        }
        return AdvisorError(kind: .infeasible, description: "no configuration keeps all limits together")
    }

    // MARK: - Words

    private func reasons(_ answer: Answer, _ rivals: Rivals, _ resolution: Double) -> [String] {
        let (question, highest, sure, best) = (answer.question, answer.highest, answer.sure, answer.best)
        let name = question.metric
        let within = sure == highest ? "" : "among the observations"
        func shape(_ shape: Int) -> String {
            let c = question.configuration(shape)
            let backbone = branches[search.place(shape).part].key.backboneName
            return (isMixed ? backbone + " " : "") + "\(c.layers) x \(c.dim)"
        }
        let value = question.value(best)
        // Something untrained has as much, but for chance.
        let isTie = best != sure && !question.isTrained(sure)
        // Another that was trained is expected to have more, and measured less.
        let isMeasured =
            best != sure && question.isTrained(sure) && best == answer.bestTrained && question.measured(best) != nil
        let isStandard = best != sure && best == question.standard && question.law(best)?.fit.prior != nil
        func amount(_ regret: Double) -> String {
            Format.short(regret) + (value > 0 ? " (\(Format.relative(regret / value)))" : "")
        }
        let more = question.value(sure) - value
        let isMore = isNotable(more, answer.law)
        let isObserved = !answer.law.fit.places.isEmpty
        let all =
            "\(Format.count(question.feasible)) configurations"
            + (question.feasible < question.total
                ? " within the budget, of \(Format.count(question.total)) in all" : "")
        var reasons = [
            isStandard
                ? "the standard shape: \(shape(sure)) is expected to have "
                    + (isMore ? "\(Format.short(more)) more, hardly more than chance" : "as much")
                : isMeasured
                    ? "the highest \(name) measured, of \(all)"
                    : "the highest expected \(name) \(within.isEmpty ? "" : within + ", ")of "
                        + (isTie ? "what was trained" : all)
        ]
        if let bestTrained = answer.bestTrained {
            if isStandard {
                if question.isTrained(best) { reasons.append("it was trained") }
            } else if isTie {
                reasons.append(
                    "it was trained; \(shape(sure)) was not, and is expected to have "
                        + (isMore ? "\(Format.short(more)) more, hardly more than chance" : "as much"))
            } else if isMeasured {
                reasons.append(
                    isMore
                        ? "it was trained; the law expects \(Format.short(more)) more of \(shape(sure)), which measured less"
                        : "it was trained; the law expects as much of \(shape(sure)), which measured less")
            } else if bestTrained == best {
                reasons.append(
                    "it was trained: nothing untrained \(within.isEmpty ? "" : within + " ")is expected to do better")
            } else {
                let gain = value - question.value(bestTrained)
                reasons.append(
                    isNotable(gain, answer.law)
                        ? "expected to be \(Format.short(gain)) above the best that was trained, \(shape(bestTrained))"
                        : "expected to have as much as the best that was trained, \(shape(bestTrained))")
            }
        }
        if question.feasible < question.total {
            // The limit without which the answer would be best; what lies within the budget, however unsure, is not kept away by it.
            let most = question.value(highest)
            let binding = question.beyond.map {
                (currency: $0.currency, gain: question.value($0.shape) - value, shape: $0.shape)
            }
            .max { $0.gain < $1.gain }
            if let binding, question.value(binding.shape) > most {
                let binds = "\(binding.currency.words) \(binding.currency.isPlural ? "are" : "is") the limit that binds"
                // What would be answered without it, which need not be what is expected to have most.
                let free = without(binding.currency, answer) ?? (binding.shape, question.value(binding.shape))
                reasons.append(
                    isNotable(free.value - value, answer.law)
                        ? "\(binds): without it \(shape(free.shape)) would be the answer, expected to have "
                            + "\(Format.short(free.value - value)) more"
                        : "the limits cost nothing worth naming: without them \(shape(free.shape)) is expected to have as much"
                )
            } else if let free = unlimited(name), free > most {
                reasons.append("several limits bind together: giving up any one of them gains nothing")
            }
        }
        reasons.append(
            "expected regret\(isObserved ? " among the observations" : "")"
                + (question.feasible < question.total ? " within the budget" : "")
                + ": \(amount(rivals.expectedRegret)); one training alone varies by \(Format.short(resolution))"
        )
        if let beyond = rivals.regretBeyond {
            reasons.append(
                "beyond \(isObserved ? "the observations" : "what other datasets trained"): up to \(amount(beyond)) more, of which "
                    + "the laws know little")
        }
        return reasons
    }

    /// The answer to the same question without one limit, and what is expected of it.
    private func without(_ currency: Currency, _ answer: Answer) -> (shape: Int, value: Double)? {
        var budget = answer.budget
        budget[currency] = nil
        guard let free = try? self.answer(budget, metric: answer.question.metric, isForced: false) else { return nil }
        return (free.best, free.question.value(free.best))
    }

    static func distance(_ value: Int, _ range: [Int]) -> Double {
        max(0, log(Double(value) / Double(range[1])), log(Double(range[0]) / Double(value)))
    }
}
