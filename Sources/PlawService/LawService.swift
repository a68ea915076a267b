internal import Advisor
internal import Host
internal import Calibration
internal import Domain
internal import Logging
internal import PerformanceLaws
internal import Wire
internal import Server
internal import Store
internal import StrictJSON

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Fits laws, and answers questions from them with an advisor prepared once per set of laws.
actor LawService {
    let store: Store
    private let trialsFolder: String
    let offload = Offload()
    let corpora: Corpora
    let logger: Logger
    var ready = AdvisorCache()
    /// Datasets whose advisors are to be prepared before anybody asks, and what wakes who does so.
    var ahead: [(dataset: String, isFitted: Bool)] = []
    let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    /// Those being prepared, with who waits for them.
    var preparing: [AdvisorKey: [CheckedContinuation<Void, Never>]] = [:]

    /// Metrics that are fitted unless others are asked for.
    static let metrics = [Metric(.hr, 10), Metric(.ndcg, 10)]
    /// Metrics of one key that may have laws: every answer names the expectation of each.
    static let mostMetrics = 100

    init(store: Store, trialsFolder: String, corpora: Corpora, logger: Logger) {
        (self.store, self.trialsFolder, self.corpora, self.logger) = (store, trialsFolder, corpora, logger)
    }

    // MARK: - Laws

    /// Fits the laws of each loss asked for and serves them from now on: those of `key`, else of the newest key of each
    /// backbone whose observations are enough, so that a calibration that was given up hides none before it, and imports
    /// that leave things unsaid hide none at all.
    func fit(_ params: LawFitParams, key only: LawKey? = nil) async throws -> [Law] {
        guard let estimator = LawFitter.Estimator(rawValue: params.estimator ?? "huber") else {
            throw RPCError.parameter(
                "estimator", foundText: params.estimator ?? "", expected: "one of huber, least-squares")
        }
        if let p = params.p, !(p > 0 && p < 1_000) || params.p == 1 {
            throw RPCError.parameter("p", found: "\(p)", expected: "more than 0, less than 1000, not 1")
        }
        guard params.metrics?.isEmpty != true else {
            throw RPCError.parameter(
                "metrics", found: "no metric", expected: "one or more, or none of the member at all")
        }
        let observations = try await store.observations(of: params.name)
            .filter { LawChoice.matches($0.key, loss: params.loss, backbone: nil) }
        var keys: [LawKey] = []
        for observation in observations.reversed() where !keys.contains(observation.key) {
            if only == nil || only == observation.key { keys.append(observation.key) }
        }
        guard !keys.isEmpty else {
            throw RPCError(
                .lawUnknown,
                "\"\(params.name)\" has no observations to fit; run `plaw calibrate \(params.name)` or `plaw import \(params.name) FILE`",
                ["dataset": .string(params.name)])
        }
        let heads = try await store.lawHeads(of: params.name)
        var laws: [Law] = []
        var refusal: (any Error)?
        func group(_ key: LawKey) -> [String] { [key.loss.words, key.backbone.words] + key.undeclared }
        for key in keys where !laws.contains(where: { group($0.key) == group(key) }) {
            let comparable = observations.comparable(key)
            let metrics = params.metrics ?? Self.metrics(of: comparable)
            let all = Set(metrics).union(heads.filter { $0.key == key }.map(\.metric)).count
            guard all <= Self.mostMetrics else {
                throw RPCError.parameter(
                    "metrics", found: "\(all) metrics, with those that have laws",
                    expected: "at most \(Self.mostMetrics)")
            }
            do {
                let ordered = Self.ordered(comparable)
                let prior = Self.prior(of: ordered, key)
                let fits = try await offload.run(cancellable: { [trialsFolder] isCancelled in
                    let stored = StoredRanks(comparable, trialsFolder: trialsFolder)
                    return try metrics.map {
                        try LawFitter(metric: $0, estimator: estimator, fixedP: params.p)
                            .fit(ordered, gains: stored.gains($0), prior: prior) {
                                if isCancelled() { throw CancellationError() }
                            }
                    }
                })
                laws += try await store.insertLaws(dataset: params.name, key: key, fits: fits)
            } catch let error as LawError {
                refusal = refusal ?? error
            }
        }
        if laws.isEmpty, let refusal { throw refusal }
        prepareSoon(params.name)
        logger.info(
            "laws fitted",
            metadata: ["event": "\(JournalEvent.lawsFitted)", "dataset": "\(params.name)", "laws": "\(laws.map(\.id))"])
        return laws
    }

    /// What other datasets let expect, for trainings that were made here; what came from elsewhere may be anything.
    static func prior(of observations: [Observation], _ key: LawKey) -> LawPrior? {
        guard observations.allSatisfy({ $0.trial != nil }) else { return nil }
        let data = observations.map { $0.effectiveTokens / max(1e-9, $0.userFraction) }.max()
        return data.map { .recorded(for: key, effectiveTokens: $0) }
    }

    /// In an order of their own, so that the same trainings give the same law to the last bit, whichever ended first.
    static func ordered(_ observations: [Observation]) -> [Observation] {
        observations.sorted { first, second in
            let (a, b) = (first.configuration, second.configuration)
            return (a.layers, a.dim, a.heads.value ?? 0, first.userFraction, first.seed, first.id)
                < (b.layers, b.dim, b.heads.value ?? 0, second.userFraction, second.seed, second.id)
        }
    }

    /// The metrics fitted unless others are asked for; of imports without them, those there are.
    private static func metrics(of observations: [Observation]) -> [Metric] {
        let complete = observations.filter(\.isComplete)
        let names = Set((complete.isEmpty ? observations : complete).flatMap(\.metrics.keys))
        let usual = metrics.filter { names.contains($0.description) }
        if !usual.isEmpty || names.isEmpty { return usual.isEmpty ? metrics : usual }
        return Array(
            names.compactMap { Metric($0) }.sorted { ($0.k, $0.kind.rawValue) < ($1.k, $1.kind.rawValue) }
                .prefix(mostMetrics))
    }

    func forget(_ dataset: String) { ready.forget(dataset) }

    /// Fits laws; as many of them as a frame holds, the newest.
    func fitted(_ params: LawFitParams) async throws -> LawListResult {
        let fitted = try await fit(params)
        return try await list(LawListParams(name: params.name), ids: fitted.map(\.id))
    }

    func list(_ params: LawListParams) async throws -> LawListResult {
        try RPCError.check("limit", params.limit, 1...LawListParams.largestPage)
        try RPCError.check("before", params.before, 1 ... .max)
        return try await list(params, ids: params.law.map { [$0] })
    }

    private func list(_ params: LawListParams, ids: [Int64]?) async throws -> LawListResult {
        let page = try await store.laws(
            of: params.name, metric: params.metric, loss: params.loss, backbone: params.backbone, ids: ids,
            before: params.before, limit: params.limit, mostBytes: FrameLimits.responseBytes / 2)
        return LawListResult(laws: page.laws, family: params.family, next: page.next)
    }

    /// Fits anew what a former version fitted in a form that answers are no longer given from.
    func refitStale() async {
        do {
            for (dataset, key) in try await store.staleLaws() where !Task.isCancelled {
                do {
                    _ = try await fit(LawFitParams(name: dataset), key: key)
                } catch {
                    logger.warning(
                        "laws of a former version were not fitted anew",
                        metadata: ["dataset": "\(dataset)", "error": "\(error)"])
                }
            }
        } catch {
            logger.error("cannot look for laws of former versions", metadata: ["error": "\(error)"])
        }
    }

    func get(_ params: LawGetParams) async throws -> Law {
        guard params.id == nil || (params.name == nil && params.metric == nil && params.loss == nil) else {
            throw RPCError.parameter("id", found: "other members beside it", expected: "it alone")
        }
        if let id = params.id { return try await store.law(id) }
        guard let name = params.name else { throw RPCError.missing("name", expected: "it or id") }
        let metric = params.metric ?? Metric(.ndcg, 10)
        let heads = try await store.lawHeads(of: name)
        let dataset = try await store.dataset(name)
        let choice = LawChoice(heads, loss: params.loss, version: dataset.info.version)
        guard let law = (choice.served + choice.others).flatMap(\.heads).first(where: { $0.metric == metric }) else {
            throw Self.noLaw(
                name, heads, metric: metric, loss: params.loss, hasInteractions: !dataset.corpusFile.isEmpty)
        }
        return try await store.law(law.id)
    }

    /// Why no law can be asked: what was looked for, what there is, and how to get one.
    static func noLaw(
        _ name: String, _ heads: [LawHead], metric: Metric? = nil, loss: Loss? = nil, backbone: Model? = nil,
        hasInteractions: Bool
    ) -> RPCError {
        let what = [
            backbone.map { "of backbone \($0.rawValue)" },
            loss.map { "of loss \($0.rawValue)" }, metric.map { "of \($0)" },
        ].compactMap { $0 }.joined(separator: ", ")
        let known = Set(heads.map { metric == nil ? $0.key.model : "\($0.metric) of \($0.key.model)" }).sorted()
        let ways = (hasInteractions ? ["`plaw calibrate \(name)`"] : []) + ["`plaw import \(name) FILE`"]
        return RPCError(
            .lawUnknown,
            "\"\(name)\" has no law\(what.isEmpty ? "" : " " + what)"
                + (known.isEmpty
                    ? "" : "; it has laws of \(known.joined(separator: ", ")), which plaw law \(name) lists")
                + "; run " + ways.joined(separator: " or ") + " to get \(known.isEmpty ? "one" : "others")",
            ["dataset": .string(name)])
    }
}
