internal import Costs
package import Domain
internal import Glibc
internal import PerformanceLaws

extension Advisor {
    /// A question with one thing changed.
    package struct Change: Sendable, Hashable {
        /// Factor of the number of users, who are of the same kind as those there are.
        package var usersX: Double
        /// Factor of the interactions of each.
        package var interactionsX: Double
        /// Factor of the latency that the best configuration has now.
        package var latencyX: Double?
        /// Another maximum length; there must be a law of it.
        package var maxLength: Int?

        package init(
            usersX: Double = 1, interactionsX: Double = 1, latencyX: Double? = nil, maxLength: Int? = nil
        ) {
            (self.usersX, self.interactionsX) = (usersX, interactionsX)
            (self.latencyX, self.maxLength) = (latencyX, maxLength)
        }

        var isOfData: Bool { usersX != 1 || interactionsX != 1 }
    }

    /// The answers before and after a change.
    package struct Comparison: Sendable {
        package var before: Candidate
        package var after: Candidate
        package var beforeGrade: ExtrapolationGrade
        package var grade: ExtrapolationGrade
        /// Training positions of an epoch, where the change is one of the data.
        package var tokens: (before: Int, after: Int)?
        /// Expected change of the metric, and its 90 % interval; nil where nothing tells how much a training varies.
        package var gain: Double
        package var interval: Interval?
        package var warnings: [Warning]
    }

    /// The answer to a question before and after a change: both are what `recommend` answers, with the data, lengths and limits of before
    /// and after.
    ///
    /// - Throws: `AdvisorError`, also where no law can tell what the change does.
    package func whatIf(
        _ change: Change, budget: Budget = Budget(), metric: Metric = Metric(.ndcg, 10), isForced: Bool = false
    ) throws -> Comparison {
        let name = metric.description
        let before = try answer(budget, metric: name, isForced: isForced)
        if change.latencyX != nil, before.choice.cost.latencySeconds == .infinity {
            let c = before.choice.configuration
            throw AdvisorError(
                kind: .noLaw,
                description:
                    "the latency of \(c.layers) x \(c.dim) (layers x dim), the best now, is not known: the import "
                    + "states none for it")
        }
        let (changed, left) = try self.changed(change, metric: name)
        var limits = budget
        if let factor = change.latencyX, factor != 1 {
            limits.maxLatencySeconds = min(
                limits.maxLatencySeconds ?? .infinity, before.choice.cost.latencySeconds * factor)
        }
        let after: Answer
        do {
            after = try changed.answer(limits, metric: name, isForced: isForced)
        } catch var error as AdvisorError
            where error.currency == Currency.latencySeconds.rawValue && error.limit != budget.maxLatencySeconds
        {
            // Nobody gave that limit: it is a share of what the best takes now.
            let (c, now) = (before.choice.configuration, before.choice.cost.latencySeconds)
            error.description =
                "no configuration has at most \(change.latencyX ?? 1) times the latency of the best one now, "
                + "\(c.layers) x \(c.dim) (layers x dim), which is \(Currency.latencySeconds.text(now)): the fastest needs "
                + Currency.latencySeconds.text(error.cheapest ?? now)
            throw error
        }
        let (gain, interval) = Self.gain(from: before, to: after)
        // What is said of one answer only, with whose it is.
        func own(_ a: Answer, _ b: Answer, _ words: String) -> [Warning] {
            a.warnings.filter { !b.warnings.contains($0) }
                .map { Warning(code: $0.code, message: "\(words) the change: \($0.message)", command: $0.command) }
        }
        let (own1, own2) = (own(before, after, "before"), own(after, before, "after"))
        let shared = before.warnings.filter(after.warnings.contains)
        var warnings = shared + own1 + own2 + left
        if change.interactionsX != 1 {
            warnings.append(
                Warning(
                    code: "memory-as-now",
                    message:
                        "training memory and speed a position are those of today's histories: longer ones take more"))
        }
        return Comparison(
            before: before.choice, after: after.choice, beforeGrade: before.grade,
            grade: after.grade,
            tokens: change.isOfData ? (before.branch.costs.facts.tokens, after.branch.costs.facts.tokens) : nil,
            gain: gain, interval: interval, warnings: warnings)
    }

    /// What the metric changes by from one answer to another, with a 90 % interval; nothing, surely, where both are the same place.
    private static func gain(from: Answer, to: Answer) -> (Double, Interval?) {
        let (a, b) = (
            from.branch.place(from.choice.configuration), to.branch.place(to.choice.configuration)
        )
        if from.branch.key == to.branch.key {
            guard a != b else { return (0, Interval(low: 0, high: 0)) }
            let change = from.law.difference(a, b)
            let half = from.law.reach * change.deviation
            return (
                change.mean, from.law.knowsNoise ? Interval(low: change.mean - half, high: change.mean + half) : nil
            )
        }
        // Laws of different keys share no observations: their errors are independent.
        let (p, q) = (from.law.predict(a), to.law.predict(b))
        let (x, y) = (from.law.reach * p.lawDeviation, to.law.reach * q.lawDeviation)
        let (mean, half) = (q.mean - p.mean, (x * x + y * y).squareRoot())
        let isKnown = from.law.knowsNoise && to.law.knowsNoise
        return (mean, isKnown ? Interval(low: mean - half, high: mean + half) : nil)
    }

    /// The advisor of the changed data and length, without the branches that cannot tell, which the warnings name.
    private func changed(_ change: Change, metric name: String) throws -> (advisor: Advisor, warnings: [Warning]) {
        let now = branches.filter { $0.laws[name] != nil }
        var kept = now
        var warnings: [Warning] = []
        if let length = change.maxLength {
            kept.removeAll { $0.key.maxLength != .said(length) }
            guard !kept.isEmpty else {
                let known = Set(branches.compactMap(\.key.maxLength.value)).sorted().map(String.init).joined(
                    separator: ", ")
                throw AdvisorError(
                    kind: .noLaw,
                    description:
                        "no law for L = \(length) (there are laws for \(known)): longer histories change the task, so "
                        + "they are measured, not extrapolated; "
                        + (hasInteractions
                            ? "run plaw calibrate \(dataset) --max-length \(length)"
                            : "import trainings with sequences of \(length)"))
            }
        }
        if change.isOfData {
            var left: Set<String> = []
            kept = try kept.compactMap { branch in
                var branch = branch
                let old = branch.costs.facts
                guard let facts = old.changed(usersX: change.usersX, interactionsX: change.interactionsX) else {
                    throw AdvisorError(
                        kind: .noLaw,
                        description:
                            "how long the users' histories are is not known: \"\(dataset)\" has observations and no "
                            + "interactions of its own, so longer histories cannot be told from more users")
                }
                branch.costs.facts = facts
                guard facts.tokens == old.tokens || branch.knowsData(name) else {
                    left.insert(branch.key.backboneName)
                    return nil
                }
                return branch
            }
            guard !kept.isEmpty else {
                throw AdvisorError(
                    kind: .noLaw,
                    description:
                        "the law has one data size: nothing is known about more data; "
                        + (hasInteractions
                            ? "run plaw calibrate \(dataset), which trains on shares of the users"
                            : "import trainings on shares of the users"))
            }
            if !left.isEmpty {
                warnings.append(
                    Warning(
                        code: "one-data-size",
                        message: "not compared after the change, since all observations of the law have one data size: "
                            + left.sorted().joined(separator: ", ")))
            }
        }
        // The same branches answer the same, from the same table.
        if kept.count == now.count, zip(kept, now).allSatisfy({ $0.costs == $1.costs }) { return (self, []) }
        let advisor = Advisor(dataset: dataset, hasInteractions: hasInteractions, branches: kept, notes: notes)
        return (advisor, warnings)
    }
}

extension Branch {
    /// Whether the law of a metric rests on more than one data size.
    func knowsData(_ metric: String) -> Bool {
        guard let range = laws[metric]?.fit.effectiveTokensRange, let low = range.first, let high = range.last else {
            return false
        }
        return low < high
    }
}
