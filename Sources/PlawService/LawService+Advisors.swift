internal import Advisor
internal import Calibration
internal import Costs
internal import Domain
internal import Glibc
internal import Interactions
internal import PerformanceLaws
internal import Wire
internal import Store
internal import StrictJSON
internal import Trials

/// Which laws a question is asked of.
struct AdvisorKey: Hashable, Sendable {
    var dataset: String
    var loss: Loss?
    var backbone: Model?
    /// The law whose key alone answers.
    var law: Int64?
}

extension LawService {
    /// An advisor, which of its costs are known, and what must be said of its laws.
    struct Prepared {
        /// What a branch of the advisor is made of.
        struct Basis: Hashable {
            var key: LawKey
            var base: DeclaredConfiguration
            var laws: [String: Law]
            var costs: CostModel
            var observations: [Observation]
        }

        var advisor: Advisor
        var costs: KnownCosts
        var warnings: [Warning]
        /// What the dataset's targets leave to do; nil where nobody looked.
        var targets: TargetFacts?
        var bases: [Basis]
        /// What is maximised unless a question says otherwise: that of the law that was named.
        var metric: Metric
        /// Advisors of the shapes that alone were considered lately.
        let restricted = Memo<Candidates, Advisor>(most: 8)

        /// About what it takes of memory: the table, and what it was made of, decoded.
        var bytes: Int {
            bases.reduce(restricted.values.reduce(advisor.bytes) { $0 + $1.bytes }) { sum, basis in
                let points = basis.laws.values.reduce(0) { $0 + $1.fit.points.count + $1.fit.places.count }
                return sum + 2_000 * basis.observations.count + 500 * points
            }
        }
    }

    // MARK: - Advisors

    /// The advisor that answers, prepared anew where anything it rests on has changed.
    func advisor(
        _ name: String, loss: Loss?, backbone: Model?, law: Int64? = nil
    ) async throws -> Prepared {
        let key = AdvisorKey(dataset: name, loss: loss, backbone: backbone, law: law)
        while true {
            // Before anything is read: what changes meanwhile is read the next time.
            let version = store.version(of: name)
            if let known = ready.find(key, version: version) { return known }
            if preparing[key] == nil {
                preparing[key] = []
                defer { for waiting in preparing.removeValue(forKey: key) ?? [] { waiting.resume() } }
                let prepared = try await prepare(key, known: ready.former(key))
                ready.keep(prepared, key, version: version)
                return prepared
            }
            await withCheckedContinuation { preparing[key, default: []].append($0) }
        }
    }

    /// The keys that answer, and those that do not.
    ///
    /// - Throws: `lawUnknown`.
    private func choose(
        _ key: AdvisorKey, _ info: DatasetInfo, hasInteractions: Bool
    ) async throws -> (choice: LawChoice, heads: [LawHead], metric: Metric?) {
        let heads = try await store.lawHeads(of: key.dataset)
        let law = try await named(key)
        let choice = LawChoice(heads, loss: key.loss, backbone: key.backbone, only: law?.key, version: info.version)
        guard choice.served.isEmpty else { return (choice, heads, law?.fit.metric) }
        throw Self.noLaw(
            key.dataset, heads, loss: key.loss, backbone: key.backbone, hasInteractions: hasInteractions)
    }

    /// The law that a question names; one that was fitted anew since stands for its key.
    ///
    /// - Throws: `lawUnknown`.
    private func named(_ key: AdvisorKey) async throws -> Law? {
        guard let id = key.law else { return nil }
        let law = try await store.law(id)
        guard law.dataset == key.dataset else {
            throw RPCError(
                .lawUnknown, "law \(id) is one of \"\(law.dataset)\", not of \"\(key.dataset)\"",
                ["dataset": .string(key.dataset)])
        }
        guard LawChoice.matches(law.key, loss: key.loss, backbone: key.backbone) else {
            throw RPCError(
                .invalidParams,
                "law: found law \(id) of \(law.key.model), expected one of the backbone and loss asked for",
                ["field": .string("law")])
        }
        return law
    }

    /// - Parameter known: what was prepared before; its table is kept where it rests on the same.
    private func prepare(_ key: AdvisorKey, known: Prepared?) async throws -> Prepared {
        let dataset = try await store.dataset(key.dataset)
        let hasInteractions = !dataset.corpusFile.isEmpty
        if let expected = try await expected(key, dataset) { return expected }
        let chosen = try await choose(key, dataset.info, hasInteractions: hasInteractions)
        let heads = chosen.heads
        var choice = chosen.choice
        let stored = try await store.observations(of: key.dataset)
        let last = stored.map(\.id).max()
        var bases: [Prepared.Basis] = []
        var costs: KnownCosts?
        var warnings: [Warning] = []
        for option in choice.served {
            let key = option.key
            let observations = Self.ordered(stored.filter { $0.key == key })
            guard let base = Self.base(observations) else { continue }
            let (known, model) = try await self.costs(dataset, key, observations, base: base, last: last)
            // Costs that are known of one and not of another cannot be compared: the warnings name its law.
            if let costs, costs.unknown.keys != known.unknown.keys {
                choice.leaveOut(key)
                continue
            }
            costs = costs ?? known
            if !key.open.isEmpty {
                warnings.append(ObservationService.warning(key, observations: observations.count))
            }
            var laws: [String: Law] = [:]
            for head in option.heads where laws[head.metric.description] == nil {
                laws[head.metric.description] = try await store.law(head.id)
            }
            let noiseless = laws.values.filter { $0.fit.noise.source == .unknown }.map(\.fit.metric.description)
                .sorted()
            if !noiseless.isEmpty {
                warnings.append(
                    Warning(
                        code: "noise-unknown",
                        message: "how much a training of \(key.model) varies in "
                            + "\(noiseless.joined(separator: ", ")) is not known: no users, no repeats and too few configurations; "
                            + "there are no intervals, and differences may be chance"))
            }
            bases.append(
                Prepared.Basis(key: key, base: base, laws: laws, costs: model, observations: observations))
        }
        guard let costs, !bases.isEmpty else {
            throw Self.noLaw(key.dataset, [], loss: key.loss, backbone: key.backbone, hasInteractions: hasInteractions)
        }
        warnings += LawChoice.warnings(choice.others, served: choice.served, dataset: key.dataset)
        warnings += LawChoice.unfitted(stored, known: heads, served: choice.served, dataset: key.dataset)
        if let known, known.bases == bases {
            return Prepared(
                advisor: known.advisor, costs: costs, warnings: warnings, targets: dataset.info.targets, bases: bases,
                metric: Self.metric(chosen.metric, of: known.advisor.metrics))
        }
        let found = bases
        let advisor = try await offload.run {
            Advisor(
                dataset: key.dataset, hasInteractions: hasInteractions,
                branches: found.map {
                    Branch(
                        key: $0.key, base: $0.base, laws: $0.laws.mapValues(\.fit),
                        lawNumbers: $0.laws.mapValues(\.id).filter { $0.value > 0 },
                        costs: $0.costs, observations: $0.observations)
                })
        }
        return Prepared(
            advisor: advisor, costs: costs, warnings: warnings, targets: dataset.info.targets, bases: bases,
            metric: Self.metric(chosen.metric, of: advisor.metrics))
    }

    /// What other datasets let expect of one with interactions and without any law; nil where there is one, or one is named.
    private func expected(_ key: AdvisorKey, _ dataset: StoredDataset) async throws -> Prepared? {
        guard !dataset.corpusFile.isEmpty, let mask = dataset.info.mask, key.law == nil, key.loss ?? .cce == .cce,
            (key.backbone ?? .sasrec).core != nil,
            try await store.lawHeads(of: key.dataset).isEmpty
        else { return nil }
        let trained = try await offload.run(cancellable: { [corpora] isCancelled in
            try corpora.recipeFacts(
                dataset, maxLength: CalibrationSettings.standardLength, shouldStop: isCancelled)
        })
        var params = CalibrationParams(name: key.dataset)
        params.backbone = key.backbone
        let settings = try CalibrationSettings(params, trained: trained, mask: mask, availableWorkers: 1)
        let shape = Configuration.standardShape
        let standard = settings.configuration(layers: shape.layers, dim: shape.dim)
        let base = DeclaredConfiguration(standard)
        let trial = PlannedTrial(
            configuration: standard, userFraction: 1, seed: settings.seed, predictedEpochs: 0, predictedSeconds: 0)
        let lawKey = settings.spec(corpus: "", trial).lawKey(
            datasetVersion: dataset.info.version, filter: dataset.info.options.filter)
        let facts = try await facts(dataset, lawKey, [], maxLength: standard.maxLength)
        guard facts.tokens > 0, facts.evaluatedUsers > 0 else { return nil }
        let (costs, model) = try await self.costs(dataset, lawKey, [], base: base, last: nil)
        var prior = LawPrior.recorded(for: lawKey, effectiveTokens: facts.effectiveTokens)
        // Targets that nobody can have learnt about are missed: what is expected and what is warned of hold together.
        if let unseen = dataset.info.targets?.unseen, unseen >= TargetFacts.notableUnseen, unseen < 1 {
            prior.level += log(1 - unseen)
        }
        let laws = Self.metrics.reduce(into: [String: Law]()) { laws, metric in
            laws[metric.description] = prior.law(metric).map {
                Law(id: 0, dataset: key.dataset, key: lawKey, createdAt: "", fit: $0)
            }
        }
        let basis = Prepared.Basis(key: lawKey, base: base, laws: laws, costs: model, observations: [])
        let advisor = try await offload.run {
            Advisor(
                dataset: key.dataset, hasInteractions: true,
                branches: [
                    Branch(
                        key: lawKey, base: base, laws: laws.mapValues(\.fit), lawNumbers: [:], costs: model,
                        observations: [])
                ])
        }
        return Prepared(
            advisor: advisor, costs: costs, warnings: [], targets: dataset.info.targets, bases: [basis],
            metric: Self.metric(nil, of: advisor.metrics))
    }

    /// What the configurations of a key have in common: the heads and the feed-forward factor of most of its trainings, of as many the
    /// larger.
    private static func base(_ observations: [Observation]) -> DeclaredConfiguration? {
        func common<Value: Hashable>(_ value: (DeclaredConfiguration) -> Value, _ size: (Value) -> Double) -> Value? {
            let counts = observations.reduce(into: [Value: Int]()) { $0[value($1.configuration), default: 0] += 1 }
            return counts.max { ($0.value, size($0.key)) < ($1.value, size($1.key)) }?.key
        }
        guard var base = observations.first?.configuration else { return nil }
        base.heads = common(\.heads) { Double($0.value ?? 0) } ?? base.heads
        base.feedForwardFactor = common(\.feedForwardFactor) { $0 ?? 0 } ?? base.feedForwardFactor
        return base
    }

    /// - Parameter last: number of the dataset's last observation.
    private func costs(
        _ dataset: StoredDataset, _ key: LawKey, _ observations: [Observation], base: DeclaredConfiguration,
        last: Int64?
    ) async throws -> (known: KnownCosts, model: CostModel) {
        let priced = base.priced
        let setting = SpeedSetting.text(key, priced)
        let probes = try await store.speeds(dataset.info.name, setting)
        let hasCorpus = !dataset.corpusFile.isEmpty
        let facts = try await facts(dataset, key, observations, maxLength: priced.maxLength)
        let items = hasCorpus ? facts.items : dataset.info.items
        var recorded = RecordedCosts.foreign(key, observations, items: items)
        var described: DescribedModel?
        if recorded == nil, let model = key.backbone.value, model.core == nil {
            described = DescribedModel(
                try await store.descriptions(dataset.info.name, setting), probes: probes)
            // What its runner said may be lost with a dataset that was restored without its speeds.
            if described == nil { recorded = RecordedCosts(observations) }
        }
        let known = KnownCosts(
            key: key, observations: observations, hasSpeed: !probes.isEmpty,
            items: items, hasCorpus: hasCorpus, recorded: recorded, described: described)
        // What other datasets trained after this one's last observation does not count, so that no trial of theirs changes an answer.
        let epochs = try await EpochModel(
            store, key: key, limit: SpeedSetting.mostEpochs(key), upTo: last)
        let speed =
            probes.isEmpty
            ? SpeedModel([Self.noSpeed])
            : try await SpeedModel(
                probes, store, dataset: dataset.info.name, setting: setting, averages: SpeedSetting.averages(key))
        let model = CostModel(
            facts: facts, speed: speed, epochs: epochs, negatives: key.negatives.value ?? 0,
            latency: LatencyModel(try await store.latencies(priced.backbone, heads: priced.heads)), recorded: recorded,
            described: described)
        return (known, model)
    }

    /// A speed in place of one that was never measured; `KnownCosts` takes what follows from it out of the answers.
    private static let noSpeed = ThroughputProbe(
        layers: 1, dim: 1, heads: 1, tokensPerSecond: 1, evaluatedUsersPerSecond: 1, latencySeconds: 1, memoryBytes: 1,
        parameters: 1)

    /// Counts of a dataset: of its interactions, and where it has none or the observations came from elsewhere, the data size
    /// that the observations of most users were made with, since their law knows no other.
    func facts(
        _ dataset: StoredDataset, _ key: LawKey, _ observations: [Observation], maxLength: Int
    ) async throws -> DatasetFacts {
        let largest = observations.max {
            ($0.userFraction, $0.tokens.value ?? 0, $0.effectiveTokens)
                < ($1.userFraction, $1.tokens.value ?? 0, $1.effectiveTokens)
        }
        var facts: DatasetFacts
        if dataset.corpusFile.isEmpty {
            // `KnownCosts` leaves out what rests on tokens that nobody said.
            let tokens = max(1, largest?.tokens.value ?? 1)
            let users = observations.map(\.users).max() ?? 0
            // Without the lengths of the sequences all count as equally long.
            facts = DatasetFacts(
                items: dataset.info.items ?? 1, evaluatedUsers: max(1, users), tokens: tokens, apen: 1,
                meanContext: Double(tokens) / Double(max(1, users)))
            if users == 0 { facts.meanContext = 0 }
        } else {
            facts = try await offload.run(cancellable: { [corpora] isCancelled in
                try corpora.facts(
                    dataset, maxLength: maxLength, batchUsers: SpeedSetting.batchUsers(key),
                    shouldStop: isCancelled)
            })
        }
        if let largest, dataset.corpusFile.isEmpty || observations.allSatisfy({ $0.trial == nil }) {
            facts.apen = Double(facts.tokens) / max(largest.effectiveTokens, 1e-300)
        }
        return facts
    }
}
