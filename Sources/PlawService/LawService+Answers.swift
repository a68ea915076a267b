internal import Advisor
internal import Domain
internal import Interactions
internal import PerformanceLaws
internal import PlawProtocol
internal import Store
internal import Trials

extension LawService {
    /// An advisor, which of its costs are known, and what must be said of its laws.
    struct Prepared {
        var advisor: Advisor
        var costs: KnownCosts
        var warnings: [Warning]
    }

    // MARK: - Answers

    func recommend(_ params: AdvisorRecommendParams) async throws -> Recommendation {
        let budget = try Self.budget(params.limits)
        let prepared = try await advisor(params.name, loss: params.loss, backbone: params.backbone)
        try prepared.costs.check(budget, dataset: params.name)
        var answer = try answering {
            try prepared.advisor.recommend(budget, metric: Self.metric(params.metric, prepared))
        }
        // How cheap an equal is cannot be said where parameters are not known.
        if prepared.costs.unknown["parameters"] != nil { answer.warnings.removeAll { $0.code == "cheaper-equivalent" } }
        answer.cost = prepared.costs.known(answer.cost)
        answer.cheapest = prepared.costs.known(answer.cheapest)
        answer.indistinguishable = answer.indistinguishable.map(prepared.costs.known)
        answer.runnersUp = answer.runnersUp.map(prepared.costs.known)
        answer.bestTrained = answer.bestTrained.map(prepared.costs.known)
        answer.warnings = prepared.warnings + answer.warnings + prepared.costs.warnings
        return answer
    }

    func predict(_ params: LawPredictParams) async throws -> LawPredictResult {
        guard params.layers > 0, params.dim > 0 else {
            throw RPCError(
                .invalidParams, "layers, dim: found \(params.layers), \(params.dim), expected positive numbers")
        }
        let prepared = try await advisor(params.name, loss: params.loss, backbone: params.backbone)
        let (candidate, grade, warnings) = try answering {
            try prepared.advisor.predict(
                layers: params.layers, dim: params.dim, heads: params.heads, isForced: params.force ?? false)
        }
        return LawPredictResult(
            dataset: params.name, configuration: candidate.configuration, predicted: candidate.predicted,
            interval: candidate.interval, cost: prepared.costs.known(candidate.cost), grade: grade,
            warnings: prepared.warnings + warnings + prepared.costs.warnings, laws: prepared.advisor.lawNumbers)
    }

    func pareto(_ params: AdvisorParetoParams) async throws -> AdvisorParetoResult {
        let currencies: [String: any KeyPath<Cost, Double> & Sendable] = [
            "parameters": \.parameters, "trainingFlops": \.trainingFlops, "memoryBytes": \.memoryBytes,
            "latencySeconds": \.latencySeconds, "trainingSeconds": \.trainingSeconds,
        ]
        let currency = params.currency ?? "parameters"
        guard let path = currencies[currency] else {
            throw RPCError(
                .invalidParams,
                "currency: found \"\(currency)\", expected one of \(currencies.keys.sorted().joined(separator: ", "))")
        }
        let prepared = try await advisor(params.name, loss: params.loss, backbone: params.backbone)
        try prepared.costs.check(currency: currency, dataset: params.name)
        let points = try answering { try prepared.advisor.pareto(path, metric: Self.metric(params.metric, prepared)) }
        return AdvisorParetoResult(
            dataset: params.name, currency: currency, points: points.map(prepared.costs.known))
    }

    func potential(_ params: AdvisorPotentialParams) async throws -> AdvisorPotentialResult {
        for (field, value, most) in [("layers", params.layers, 128), ("dim", params.dim, 4_096)] {
            if let value, !(1...most).contains(value) {
                throw RPCError(
                    .invalidParams, "\(field): found \(value), expected 1 to \(most)", ["field": .string(field)])
            }
        }
        let prepared = try await advisor(params.name, loss: params.loss, backbone: nil)
        let metric = Self.metric(params.metric, prepared)
        let (now, levers, warnings) = try answering {
            try prepared.advisor.potential(layers: params.layers, dim: params.dim, metric: metric)
        }
        return AdvisorPotentialResult(
            dataset: params.name, metric: metric, now: prepared.costs.known(now),
            levers: levers.map { lever in
                var lever = lever
                lever.cost = prepared.costs.known(lever.cost)
                return lever
            }, warnings: prepared.warnings + warnings + prepared.costs.warnings, laws: prepared.advisor.lawNumbers)
    }

    func whatIf(_ params: AdvisorWhatIfParams) async throws -> AdvisorWhatIfResult {
        for (field, value) in [
            ("usersX", params.usersX), ("interactionsX", params.interactionsX), ("latencyX", params.latencyX),
        ] {
            if let value, !(value > 0 && value <= 1_000) {
                throw RPCError(
                    .invalidParams, "\(field): found \(value), expected more than 0, at most 1000",
                    ["field": .string(field)])
            }
        }
        let budget = try Self.budget(params.limits)
        let prepared = try await advisor(params.name, loss: params.loss, backbone: nil)
        let metric = Self.metric(params.metric, prepared)
        if params.latencyX != nil { try prepared.costs.check(currency: "latencySeconds", dataset: params.name) }
        try prepared.costs.check(budget, dataset: params.name)
        // Tokens grow with both; what either does to ApEn is not known before it is measured.
        let change = Advisor.Change(
            dataFactor: (params.usersX ?? 1) * (params.interactionsX ?? 1), latencyFactor: params.latencyX,
            maxLength: params.maxLength)
        let found = try answering { try prepared.advisor.whatIf(change, budget: budget, metric: metric) }
        return AdvisorWhatIfResult(
            dataset: params.name, metric: metric, before: prepared.costs.known(found.before),
            after: prepared.costs.known(found.after), gain: found.gain, interval: found.interval,
            warnings: prepared.warnings + found.warnings + prepared.costs.warnings, laws: prepared.advisor.lawNumbers)
    }

    /// The limits of a request. Errors: `invalidParams` naming the one that is not positive.
    private static func budget(_ limits: BudgetLimits) throws -> Budget {
        for (field, value) in [
            ("maxParams", limits.maxParams), ("maxFlops", limits.maxFlops), ("maxMemoryBytes", limits.maxMemoryBytes),
            ("maxLatencySeconds", limits.maxLatencySeconds), ("maxTrainSeconds", limits.maxTrainSeconds),
        ] {
            if let value, !(value > 0) {
                throw RPCError(
                    .invalidParams, "\(field): found \(value), expected more than 0", ["field": .string(field)])
            }
        }
        return Budget(
            maxParameters: limits.maxParams, maxTrainingFlops: limits.maxFlops,
            maxLatencySeconds: limits.maxLatencySeconds, maxMemoryBytes: limits.maxMemoryBytes,
            maxTrainingSeconds: limits.maxTrainSeconds)
    }

    /// What to maximise: ndcg@10 unless told; where there is no law for it, hr@10, or the first there is.
    static func metric(_ asked: Metric?, of laws: Set<String>) -> Metric {
        asked ?? [Metric(.ndcg, 10), Metric(.hr, 10)].first { laws.contains($0.description) }
            ?? laws.sorted().lazy.compactMap { Metric($0) }.first ?? Metric(.ndcg, 10)
    }

    private static func metric(_ asked: Metric?, _ prepared: Prepared) -> Metric {
        metric(asked, of: Set(prepared.advisor.branches.flatMap(\.laws.keys)))
    }

    private func answering<T>(_ body: () throws -> T) throws -> T {
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

    // MARK: - Advisors

    /// The advisor of the laws being served for a dataset, and of those that can be compared with them: other backbones,
    /// losses and lengths measured on the same users in the same way.
    private func advisor(_ name: String, loss: Loss?, backbone: Backbone?) async throws -> Prepared {
        let all = try await store.laws(of: name).filter { backbone == nil || $0.key.backbone == backbone }
        let served = Self.served(all, loss: loss)
        guard let first = served.first else { throw Self.noLaw(name, metric: nil, loss: loss) }
        var groups = [served]
        for law in all where loss == nil || law.key.loss == loss {
            guard Self.isComparable(law.key, first.key), (law.fit.lead?.degreesOfFreedom ?? 0) > 0,
                !groups.contains(where: { Self.isSameBranch($0[0].key, law.key) })
            else { continue }
            groups.append(all.filter { $0.key == law.key })
        }
        let numbers = groups.joined().map(\.id)
        let place = "\(name) \(loss?.rawValue ?? "") \(backbone?.rawValue ?? "")"
        if let known = advisors[place], known.laws == numbers { return known.prepared }
        let prepared = try await prepare(name, groups)
        advisors[place] = (numbers, prepared)
        return prepared
    }

    private static func isComparable(_ a: LawKey, _ b: LawKey) -> Bool {
        a.undeclared.isEmpty && b.undeclared.isEmpty && a.datasetVersion == b.datasetVersion && a.filter == b.filter
            && a.split == b.split && a.mask == b.mask && a.candidates == b.candidates
    }

    /// The newest law of a backbone, loss and length speaks for it.
    private static func isSameBranch(_ a: LawKey, _ b: LawKey) -> Bool {
        a.backbone == b.backbone && a.loss == b.loss && a.maxLength == b.maxLength
    }

    private func prepare(_ name: String, _ groups: [[Law]]) async throws -> Prepared {
        let dataset = try await store.dataset(name)
        let stored = try await store.observations(of: name)
        var branches: [Branch] = []
        var costs: KnownCosts?
        var warnings: [Warning] = []
        for laws in groups {
            let key = laws[0].key
            let observations = stored.filter { $0.key == key }
            guard let base = observations.last?.configuration else { continue }
            let (known, model) = try await self.costs(dataset, key, observations, heads: base.heads)
            // Costs that are known of one and not of another cannot be compared.
            if let costs, costs.unknown.keys.sorted() != known.unknown.keys.sorted() { continue }
            costs = costs ?? known
            if !key.undeclared.isEmpty {
                warnings.append(ObservationService.warning(key, observations: observations.count))
            }
            let named = laws.map { ($0.fit.metric.description, $0) }
            let fits = Dictionary(named, uniquingKeysWith: { first, _ in first })
            branches.append(
                try await offload.run {
                    Branch(
                        key: key, base: base, laws: fits.mapValues(\.fit), lawNumbers: fits.mapValues(\.id),
                        costs: model,
                        observations: observations)
                })
        }
        guard let costs, !branches.isEmpty else {
            throw Self.noLaw(name, metric: nil, loss: groups.first?.first?.key.loss)
        }
        let usable = branches
        let advisor = try await offload.run { Advisor(dataset: name, branches: usable) }
        return Prepared(advisor: advisor, costs: costs, warnings: warnings)
    }

    private func costs(
        _ dataset: StoredDataset, _ key: LawKey, _ observations: [Observation], heads: Int
    ) async throws -> (known: KnownCosts, model: CostModel) {
        let settings = SpeedSetting(observationKey: key, heads: heads)
        let probes = try await store.probes(ThroughputProbe.self, dataset: dataset.info.name, setting: settings.text)
        let hasCorpus = !dataset.corpusFile.isEmpty
        let facts = try await facts(dataset, key, observations)
        let known = KnownCosts(
            key: key, observations: observations, hasSpeed: !probes.isEmpty,
            items: hasCorpus ? facts.items : dataset.info.items, hasCorpus: hasCorpus)
        let epochs = try await EpochModel(store, key: key, limit: SpeedSetting.mostEpochs(key))
        let speed =
            probes.isEmpty
            ? SpeedModel([Self.noSpeed])
            : try await SpeedModel(probes, store, dataset: dataset.info.name, setting: settings.text)
        let model = CostModel(
            facts: facts, speed: speed, epochs: epochs, negatives: key.negatives,
            latency: LatencyModel(try await store.latencies(key.backbone, heads: heads)))
        return (known, model)
    }

    /// A speed in place of one that was never measured; `KnownCosts` takes what follows from it out of the answers.
    private static let noSpeed = ThroughputProbe(
        layers: 1, dim: 1, heads: 1, tokensPerSecond: 1, evaluatedUsersPerSecond: 1, latencySeconds: 1, memoryBytes: 1,
        parameters: 1)

    /// Counts of a dataset: of its interactions, and where it has none or the observations came from elsewhere, the data size
    /// that the observations of most users were made with, since their law knows no other.
    func facts(
        _ dataset: StoredDataset, _ key: LawKey, _ observations: [Observation]
    ) async throws -> DatasetFacts {
        let largest = observations.max { $0.userFraction < $1.userFraction }
        var facts: DatasetFacts
        if dataset.corpusFile.isEmpty {
            let tokens = max(1, largest?.tokens ?? 1)
            let users = observations.map(\.users).max() ?? 0
            // Without the lengths of the sequences all count as equally long.
            facts = DatasetFacts(
                items: dataset.info.items ?? 1, evaluatedUsers: max(1, users), tokens: tokens, apen: 1,
                meanContext: Double(tokens) / Double(max(1, users)))
            if users == 0 { facts.meanContext = 0 }
        } else {
            let path = layout.corpora + "/" + dataset.corpusFile
            facts = try await offload.run {
                try DatasetFacts(
                    corpus: Corpus(path: path), info: dataset.info, maxLength: key.maxLength,
                    batchUsers: SpeedSetting.batchUsers(key))
            }
        }
        if let largest, dataset.corpusFile.isEmpty || observations.allSatisfy({ $0.trial == nil }) {
            facts.apen = Double(facts.tokens) / max(largest.effectiveTokens, 1e-300)
        }
        return facts
    }
}
