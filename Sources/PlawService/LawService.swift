internal import Advisor
internal import Domain
internal import Interactions
internal import Logging
internal import PerformanceLaws
internal import PlawProtocol
internal import Store
internal import Trials

/// Fits laws, and answers questions from them with an advisor prepared once per set of laws.
actor LawService {
    private let store: Store
    private let layout: StateLayout
    private let offload = Offload()
    private let logger: Logger
    /// Prepared advisors by dataset and loss, valid while the laws they rest on are being served.
    private var advisors: [String: (laws: [Int64], advisor: Advisor)] = [:]

    /// Metrics that are fitted unless others are asked for.
    static let metrics = [Metric(.hr, 10), Metric(.ndcg, 10)]

    init(store: Store, layout: StateLayout, logger: Logger) {
        self.store = store
        self.layout = layout
        self.logger = logger
    }

    // MARK: - Laws

    /// Fits the laws of each loss asked for and serves them from now on: those of `key`, else of the newest key whose
    /// observations are enough, so that a calibration that was given up hides none before it.
    func fit(_ params: LawFitParams, key only: LawKey? = nil) async throws -> [Law] {
        guard let estimator = LawFitter.Estimator(rawValue: params.estimator ?? "huber") else {
            throw RPCError(
                .invalidParams, "estimator: found \"\(params.estimator ?? "")\", expected huber or least-squares")
        }
        if let p = params.p, !(p > 0 && p < 1_000) || params.p == 1 {
            throw RPCError(.invalidParams, "p: found \(p), expected a positive number other than 1")
        }
        guard params.metrics?.isEmpty != true else {
            throw RPCError(
                .invalidParams, "metrics: found no metric, expected one or more, or none of the member at all")
        }
        let observations = try await store.observations(of: params.name)
            .filter { params.loss == nil || $0.configuration.loss == params.loss }
        var keys: [LawKey] = []
        for observation in observations.reversed() where !keys.contains(observation.key) {
            if only == nil || only == observation.key { keys.append(observation.key) }
        }
        guard !keys.isEmpty else {
            throw RPCError(
                .lawUnknown, "\"\(params.name)\" has no observations to fit; run `plaw calibrate \(params.name)`",
                ["dataset": .string(params.name)])
        }
        var laws: [Law] = []
        var refusal: (any Error)?
        for key in keys where !laws.contains(where: { $0.key.loss == key.loss }) {
            let comparable = Self.distinct(observations.filter { $0.key == key })
            let metrics = params.metrics ?? Self.metrics
            do {
                let fits = try await offload.run {
                    try metrics.map {
                        try LawFitter(metric: $0, estimator: estimator, fixedP: params.p).fit(comparable)
                    }
                }
                laws += try await store.insertLaws(dataset: params.name, key: key, fits: fits)
            } catch let error as LawError {
                refusal = refusal ?? error
            }
        }
        if laws.isEmpty, let refusal { throw refusal }
        logger.info("laws fitted", metadata: ["dataset": "\(params.name)", "laws": "\(laws.map(\.id))"])
        return laws
    }

    /// Training is deterministic: a trial that was repeated measured the same thing, and counts once.
    private static func distinct(_ observations: [Observation]) -> [Observation] {
        struct Identity: Hashable {
            var configuration: Configuration
            var userFraction: Double
            var seed: UInt64
        }
        var seen: Set<Identity> = []
        // What was trained to the end comes before what a budget cut short.
        let ordered = observations.filter(\.converged) + observations.filter { !$0.converged }
        return ordered.filter {
            seen.insert(
                Identity(configuration: $0.configuration, userFraction: $0.userFraction, seed: $0.seed)
            ).inserted
        }
    }

    /// Laws of the key that answers are given from, best first: the newest whose laws have observations to spare, so that a
    /// calibration that was given up or had no time does not hide a good one before it.
    private static func served(_ laws: [Law], loss: Loss?) -> [Law] {
        let laws = laws.filter { loss == nil || $0.key.loss == loss }
        let chosen = laws.first { $0.fit.degreesOfFreedom > 0 } ?? laws.first
        return laws.filter { $0.key == chosen?.key }
    }

    func list(_ name: String?) async throws -> LawListResult { LawListResult(laws: try await store.laws(of: name)) }

    func get(_ params: LawGetParams) async throws -> Law {
        guard params.id == nil || (params.name == nil && params.metric == nil && params.loss == nil) else {
            throw RPCError(.invalidParams, "id: found other members beside it, expected it alone")
        }
        if let id = params.id { return try await store.law(id) }
        guard let name = params.name else { throw RPCError(.invalidParams, "id, name: expected one of them") }
        let metric = params.metric ?? Metric(.ndcg, 10)
        let laws = try await store.laws(of: name).filter { params.loss == nil || $0.key.loss == params.loss }
        let served = Self.served(laws, loss: nil)
        guard let law = (served + laws).first(where: { $0.fit.metric == metric }) else {
            throw Self.noLaw(name, metric: metric, loss: params.loss)
        }
        return law
    }

    // MARK: - Answers

    func recommend(_ params: AdvisorRecommendParams) async throws -> Recommendation {
        for (field, value) in [
            ("maxParams", params.maxParams), ("maxFlops", params.maxFlops), ("maxMemoryBytes", params.maxMemoryBytes),
            ("maxLatencySeconds", params.maxLatencySeconds), ("maxTrainSeconds", params.maxTrainSeconds),
        ] {
            if let value, !(value > 0) {
                throw RPCError(
                    .invalidParams, "\(field): found \(value), expected more than 0", ["field": .string(field)])
            }
        }
        let advisor = try await advisor(params.name, loss: params.loss)
        let budget = Budget(
            maxParameters: params.maxParams, maxTrainingFlops: params.maxFlops,
            maxLatencySeconds: params.maxLatencySeconds, maxMemoryBytes: params.maxMemoryBytes,
            maxTrainingSeconds: params.maxTrainSeconds)
        return try answering { try advisor.recommend(budget, metric: params.metric ?? Metric(.ndcg, 10)) }
    }

    func predict(_ params: LawPredictParams) async throws -> LawPredictResult {
        guard params.layers > 0, params.dim > 0 else {
            throw RPCError(
                .invalidParams, "layers, dim: found \(params.layers), \(params.dim), expected positive numbers")
        }
        let advisor = try await advisor(params.name, loss: params.loss)
        let (candidate, warnings) = try answering {
            try advisor.predict(layers: params.layers, dim: params.dim, heads: params.heads)
        }
        return LawPredictResult(
            dataset: params.name, configuration: candidate.configuration, predicted: candidate.predicted,
            interval: candidate.interval, cost: candidate.cost, warnings: warnings, laws: advisor.lawNumbers)
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
        let advisor = try await advisor(params.name, loss: params.loss)
        let points = try answering { try advisor.pareto(path, metric: params.metric ?? Metric(.ndcg, 10)) }
        return AdvisorParetoResult(dataset: params.name, currency: currency, points: points)
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

    /// The advisor of the laws being served for a dataset: of the loss asked for, else of the one fitted last.
    private func advisor(_ name: String, loss: Loss?) async throws -> Advisor {
        let laws = Self.served(try await store.laws(of: name), loss: loss)
        guard let first = laws.first else { throw Self.noLaw(name, metric: nil, loss: loss) }
        let numbers = laws.map(\.id)
        let place = "\(name) \(first.key.loss.rawValue)"
        if let prepared = advisors[place], prepared.laws == numbers { return prepared.advisor }
        let advisor = try await prepare(name, laws)
        advisors[place] = (numbers, advisor)
        return advisor
    }

    private func prepare(_ name: String, _ laws: [Law]) async throws -> Advisor {
        let dataset = try await store.dataset(name)
        let key = laws[0].key
        let observations = try await store.observations(of: name).filter { $0.key == key }
        guard let base = observations.last?.configuration else { throw Self.noLaw(name, metric: nil, loss: key.loss) }
        let settings = SpeedSetting(observationKey: key, heads: base.heads)
        let probes = try await store.probes(ThroughputProbe.self, dataset: name, setting: settings.text)
        guard !probes.isEmpty else {
            throw RPCError(.lawUnknown, "no speed was measured for \"\(name)\"; run `plaw calibrate \(name)`")
        }
        let path = layout.corpora + "/" + dataset.corpusFile
        let facts = try await offload.run {
            try DatasetFacts(corpus: Corpus(path: path), info: dataset.info, maxLength: key.maxLength)
        }
        let epochs = observations.filter { $0.converged && $0.userFraction >= 1 }.map { Double($0.epochs) }.sorted()
        let costs = CostModel(
            facts: facts, speed: SpeedModel(probes), epochs: epochs.isEmpty ? 1 : epochs[epochs.count / 2],
            negatives: key.negatives)
        return try await offload.run {
            Advisor(
                dataset: name, base: base,
                laws: Dictionary(
                    laws.map { ($0.fit.metric.description, $0.fit) }, uniquingKeysWith: { first, _ in first }),
                lawNumbers: Dictionary(
                    laws.map { ($0.fit.metric.description, $0.id) }, uniquingKeysWith: { first, _ in first }),
                costs: costs, observations: observations)
        }
    }

    private static func noLaw(_ name: String, metric: Metric?, loss: Loss?) -> RPCError {
        let what = [metric?.description, loss.map { "loss \($0.rawValue)" }].compactMap { $0 }.joined(separator: ", ")
        return RPCError(
            .lawUnknown,
            "\"\(name)\" has no law\(what.isEmpty ? "" : " for " + what); run `plaw calibrate \(name)` first",
            ["dataset": .string(name)])
    }
}
