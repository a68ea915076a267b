internal import Calibration
internal import Advisor
internal import Costs
internal import Domain
internal import Wire
internal import Server
internal import Store
internal import StrictJSON
internal import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

extension LawService {
    // MARK: - Answers

    func recommend(_ params: AdvisorRecommendParams) async throws -> Recommendation {
        let prepared = try await advisor(params)
        return try await offload.run { try prepared.recommend(params) }
    }

    private func advisor(_ params: AdvisorRecommendParams) async throws -> Prepared {
        // What is wrong with a budget is said before what is missing.
        _ = try params.budget
        _ = try Candidates.asked(params.layers, params.dims)
        return try await advisor(
            params.name, loss: params.loss, backbone: params.backbone, law: params.law)
    }

    func predict(_ params: LawPredictParams) async throws -> LawPredictResult {
        try RPCError.check("layers", params.layers, 1...128)
        try RPCError.check("dim", params.dim, 1...4_096)
        try RPCError.check("heads", params.heads, 1...4_096)
        let prepared = try await advisor(
            params.name, loss: params.loss, backbone: params.backbone, law: params.law)
        let advisor = prepared.advisor
        try prepared.checkLikeness(prepared.metric, params.name)
        let (candidate, grade, warnings) = try await offloading {
            try advisor.predict(
                layers: params.layers, dim: params.dim, heads: params.heads, isForced: params.force ?? false)
        }
        return LawPredictResult(
            dataset: params.name, configuration: candidate.configuration,
            predicted: candidate.predicted,
            interval: candidate.interval, cost: prepared.costs.known(candidate.cost), grade: grade,
            warnings: prepared.ranked(warnings, of: prepared.metric, params.name), laws: prepared.advisor.lawNumbers)
    }

    func pareto(_ params: AdvisorParetoParams) async throws -> AdvisorParetoResult {
        let name = params.currency ?? Currency.parameters.rawValue
        guard let currency = Currency(rawValue: name) else {
            throw RPCError.parameter(
                "currency", foundText: name,
                expected: "one of \(Currency.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let prepared = try await advisor(
            params.name, loss: params.loss, backbone: params.backbone, law: params.law)
        try prepared.costs.check(currency, dataset: params.name)
        let metric = params.metric ?? prepared.metric
        let candidates = try Candidates.asked(params.layers, params.dims)
        try prepared.checkLikeness(metric, params.name)
        let (points, warnings) = try await offloading {
            let advisor = try prepared.advisor(of: candidates)
            return (try advisor.pareto(currency, metric: metric), advisor.paretoWarnings(metric: metric))
        }
        return AdvisorParetoResult(
            dataset: params.name, metric: metric, currency: name,
            points: Self.thinned(points).map(prepared.costs.known),
            warnings: prepared.ranked(warnings, of: metric, params.name), laws: prepared.advisor.lawNumbers)
    }

    /// As many candidates as an answer holds, evenly chosen among more, with the first and the last.
    private static func thinned(_ points: [Candidate]) -> [Candidate] {
        // A candidate's names and numbers, and for each metric an expectation and an interval.
        let most = FrameLimits.responseBytes / 2 / (1_000 + 160 * (points.first?.predicted.count ?? 0))
        return points.count <= most ? points : (0..<most).map { points[$0 * (points.count - 1) / (most - 1)] }
    }

    func potential(_ params: AdvisorPotentialParams) async throws -> AdvisorPotentialResult {
        try RPCError.check("layers", params.layers, 1...128)
        try RPCError.check("dim", params.dim, 1...4_096)
        let prepared = try await advisor(params.name, loss: params.loss, backbone: nil, law: params.law)
        let metric = params.metric ?? prepared.metric
        let advisor = prepared.advisor
        try prepared.checkLikeness(metric, params.name)
        let (now, levers, warnings) = try await offloading {
            try advisor.potential(
                layers: params.layers, dim: params.dim, backbone: params.backbone, metric: metric)
        }
        return AdvisorPotentialResult(
            dataset: params.name, metric: metric, now: prepared.costs.known(now),
            levers: levers.map { lever in
                var lever = lever
                lever.cost = prepared.costs.known(lever.cost)
                return lever
            }, warnings: prepared.ranked(warnings, of: metric, params.name), laws: prepared.advisor.lawNumbers)
    }

    func whatIf(_ params: AdvisorWhatIfParams) async throws -> AdvisorWhatIfResult {
        for (field, value) in [
            ("usersX", params.usersX), ("interactionsX", params.interactionsX), ("latencyX", params.latencyX),
        ] {
            if let value, !(value > 0 && value <= 1_000) {
                throw RPCError.parameter(field, found: "\(value)", expected: "more than 0, at most 1000")
            }
        }
        try RPCError.check("maxLength", params.maxLength, 1...4_096)
        let budget = try params.budget
        let prepared = try await advisor(params.name, loss: params.loss, backbone: nil, law: params.law)
        let metric = params.metric ?? prepared.metric
        if params.latencyX != nil { try prepared.costs.check(.latencySeconds, dataset: params.name) }
        try prepared.costs.check(budget, dataset: params.name)
        let change = Advisor.Change(
            usersX: params.usersX ?? 1, interactionsX: params.interactionsX ?? 1, latencyX: params.latencyX,
            maxLength: params.maxLength)
        try prepared.checkLikeness(metric, params.name)
        let candidates = try Candidates.asked(params.layers, params.dims)
        let found = try await offloading {
            try prepared.advisor(of: candidates).whatIf(
                change, budget: budget, metric: metric, isForced: params.force ?? false)
        }
        return AdvisorWhatIfResult(
            dataset: params.name, metric: metric, before: prepared.costs.known(found.before),
            after: prepared.costs.known(found.after), beforeGrade: found.beforeGrade, grade: found.grade,
            tokensBefore: found.tokens?.before, tokensAfter: found.tokens?.after, gain: found.gain,
            interval: found.interval,
            warnings: prepared.ranked(found.warnings, of: metric, params.name), laws: prepared.advisor.lawNumbers)
    }

    /// What to maximise: ndcg@10 by default; where there is no law for it, hr@10, or the first there is.
    static func metric(_ asked: Metric?, of laws: Set<String>) -> Metric {
        asked ?? [Metric(.ndcg, 10), Metric(.hr, 10)].first { laws.contains($0.description) }
            ?? laws.sorted().lazy.compactMap { Metric($0) }.first ?? Metric(.ndcg, 10)
    }

    /// Asks an advisor, whose table may be large, away from the actor.
    private func offloading<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await offload.run { try Self.asking(body) }
    }

    /// Turns an advisor's refusals into those of the wire.
    static func asking<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as AdvisorError {
            var fields: [String: JSONValue] = [:]
            if let currency = error.currency { fields["currency"] = .string(currency) }
            if let limit = error.limit { fields["limit"] = .number(limit) }
            if let cheapest = error.cheapest { fields["cheapest"] = .number(cheapest) }
            let code: ErrorCode =
                switch error.kind {
                case .infeasible: .infeasible
                case .outsideDomain: .outsideDomain
                case .noLaw: .lawUnknown
                }
            throw RPCError(code, error.description, fields)
        }
    }
}

extension LawService.Prepared {
    /// Everything to know before an answer is trusted, what changes most of what to do first.
    func ranked(_ own: [Warning], of metric: Metric, _ dataset: String) -> [Warning] {
        Warning.ranked(
            (targets?.warnings(metric, dataset: dataset) ?? []) + warnings + own
                + bases.compactMap { LawService.joined($0.observations) } + costs.warnings(dataset: dataset))
    }

    /// Refuses to expect of a dataset what others reach, where its metric is decided by the ranking or by chance.
    ///
    /// - Throws: `lawUnknown`.
    func checkLikeness(_ metric: Metric, _ dataset: String) throws {
        guard let targets, bases.allSatisfy(\.observations.isEmpty), targets.isUnlikeOthers(metric) else { return }
        let why = targets.warnings(metric, dataset: dataset).map(\.message).joined(separator: "; ")
        throw RPCError(
            .lawUnknown,
            "nothing can be expected of \"\(dataset)\" before its first training, for other datasets are not like it: \(why); "
                + "a training would tell: plaw calibrate \(dataset) --budget 1m", ["dataset": .string(dataset)])
    }

    func recommend(_ params: AdvisorRecommendParams) throws -> Recommendation {
        let budget = try params.budget
        try checkLikeness(params.metric ?? metric, params.name)
        try costs.check(budget, dataset: params.name)
        let candidates = try Candidates.asked(params.layers, params.dims)
        var answer = try LawService.asking {
            try advisor(of: candidates).recommend(
                budget, metric: params.metric ?? metric, isForced: params.force ?? false)
        }
        // How cheap an equal is cannot be said where parameters are not known.
        if costs.unknown[.parameters] != nil { answer.warnings.removeAll { $0.code == "cheaper-equivalent" } }
        answer.warnings = ranked(answer.warnings, of: answer.metric, params.name)
        answer.cost = costs.known(answer.cost)
        answer.cheapest = costs.known(answer.cheapest)
        answer.indistinguishable = answer.indistinguishable.map(costs.known)
        answer.runnersUp = answer.runnersUp.map(costs.known)
        answer.bestTrained = answer.bestTrained.map(costs.known)
        return answer
    }

    /// The advisor of the shapes that alone are considered.
    ///
    /// - Throws: `AdvisorError`.
    func advisor(of candidates: Candidates?) throws -> Advisor {
        guard let candidates else { return advisor }
        return try restricted(candidates) { try advisor.restricted(to: candidates) }
    }
}

extension Candidates {
    /// Most values of a list.
    private static let most = 4_096

    /// - Throws: `invalidParams` for a list that is empty, too long, or holds what is no number of layers or dimension.
    static func asked(_ layers: [Int]?, _ dims: [Int]?) throws(RPCError) -> Candidates? {
        for (field, values) in [("layers", layers), ("dims", dims)] {
            guard let values else { continue }
            guard (1...most).contains(values.count) else {
                throw RPCError.parameter(field, found: "\(values.count) values", expected: "1 to \(most)")
            }
            for (place, value) in values.enumerated() {
                try RPCError.check("\(field)[\(place)]", value, 1 ... .max)
            }
        }
        return Candidates(layers: layers, dims: dims)
    }
}
