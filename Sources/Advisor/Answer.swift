internal import Costs
internal import Domain
internal import Glibc
internal import PerformanceLaws

/// What is answered to a question: every method that names a best configuration takes it from here.
struct Answer {
    let question: Question
    let budget: Budget
    /// The shape with the highest expectation.
    let highest: Int
    /// The one with the highest expectation of those that are sure: another where the highest lies outside the observations.
    let sure: Int
    /// The one that is answered: another where the sure one was not trained and hardly beats one that was.
    let best: Int
    let bestTrained: Int?
    let law: LawPredictor
    let choice: Candidate
    let grade: ExtrapolationGrade
    let warnings: [Warning]

    /// Whose the answer is.
    var branch: Branch { question.advisor.branches[question.advisor.search.place(best).part] }
}

extension Advisor {
    /// The best configuration within a budget, over all branches.
    ///
    /// - Throws: `AdvisorError` where nothing keeps the budget, and where the answer lies more than 2 e-folds outside the observations, unless
    ///   forced.
    func answer(_ budget: Budget, metric name: String, isForced: Bool) throws -> Answer {
        try check(name)
        let question = Question(self, budget, metric: name)
        guard let highest = question.best() else { throw infeasible(budget, name) }
        let sure = sure(highest, question, isForced: isForced)
        let bestTrained = question.bestTrained
        let best = standard(tried(sure, bestTrained, question), question)
        guard let law = question.law(best) else { throw noLaw(name) }
        let choice = exact(best, question)
        let found = memory.standings(.init(shape: best, metric: name)) {
            let (c, branch) = (choice.configuration, branches[search.place(best).part])
            let shape = branch.grade(c)
            let far = around(c, law.fit, shape, branch) + aroundData(branch, law.fit)
            return Standing(
                grade: max(shape, branch.dataGrade(law.fit)), far: far, law: standing(law.fit, branch),
                branch: branchWarnings(branch))
        }
        guard found.grade != .refused || isForced else {
            throw AdvisorError(kind: .outsideDomain, description: Self.tooFar(found.far))
        }
        var warnings = notes + found.law + found.far
        let more = question.value(highest) - question.value(sure)
        if highest != sure, isNotable(more, law) {
            let c = question.configuration(highest)
            warnings.append(
                Warning(
                    code: "more-beyond",
                    message: "\(c.layers) x \(c.dim) (layers x dim), outside the observations, is expected to have "
                        + "\(Format.short(more)) more, which is not sure: a training of it would tell",
                    command: training(branches[search.place(highest).part], layers: c.layers, dim: c.dim)))
        }
        warnings += found.branch
        if !question.usesObservedHeads {
            warnings.append(
                Warning(
                    code: "other-heads",
                    message:
                        "with the observed number of heads nothing keeps the budget; \(choice.configuration.heads.words) keep it, but "
                        + "the law does not know what they change"))
        }
        return Answer(
            question: question, budget: budget, highest: highest, sure: sure, best: best, bestTrained: bestTrained,
            law: law, choice: choice, grade: found.grade, warnings: warnings)
    }

    /// Whether a difference is worth a word: a twentieth of what one training varies by, the step between dimensions that are named.
    func isNotable(_ difference: Double, _ law: LawPredictor) -> Bool {
        difference > max(law.fit.noise.training / 20, 1e-9)
    }

    /// What is said of a shape's place among the observations.
    struct Standing: Sendable {
        let grade: ExtrapolationGrade
        let far: [Warning]
        let law: [Warning]
        let branch: [Warning]
    }

    /// Why nothing is answered so far outside, from the warnings about it.
    static func tooFar(_ warnings: [Warning]) -> String {
        warnings.filter { $0.code.hasPrefix("outside") }.map(\.message).joined(separator: "; ")
            + "; a law says nothing beyond 2 e-folds unless forced (--force)"
    }

    /// Warnings about a data size beyond what was observed.
    func aroundData(_ branch: Branch, _ law: LawFit) -> [Warning] {
        let distance = branch.dataDistance(law)
        guard distance > 0, let low = law.effectiveTokensRange.first, let high = law.effectiveTokensRange.last else {
            return []
        }
        let size = branch.costs.facts.effectiveTokens
        let words =
            [size, low, high].allSatisfy { Format.dataSize($0) == Format.count($0) }
            ? "D' \(Format.count(size)) lies outside the observed \(Format.count(low)) to \(Format.count(high))"
            : "the data is \(Format.short(size / high)) times the largest that was observed"
        return [
            Warning(
                code: "outside-range", message: "\(words), by \(Format.short(distance)) e-folds",
                command: training(branch))
        ]
    }
}

extension Branch {
    /// How far the data size lies outside what a law observed, in e-folds.
    func dataDistance(_ law: LawFit) -> Double {
        guard let low = law.effectiveTokensRange.first, let high = law.effectiveTokensRange.last, low > 0 else {
            return 0
        }
        let tokens = costs.facts.effectiveTokens
        let distance = max(log(tokens / high), log(low / tokens))
        // Counts are rounded to whole positions.
        return distance < 1e-3 ? 0 : distance
    }

    func dataGrade(_ law: LawFit) -> ExtrapolationGrade { ExtrapolationGrade(distance: dataDistance(law)) }
}

extension ExtrapolationGrade {
    /// - Parameter distance: from the observations, in e-folds.
    init(distance: Double) {
        self =
            switch distance {
            case 0: .inside
            case ...1: .warn
            case ...2: .strong
            default: .refused
            }
    }
}
