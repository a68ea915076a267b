package import Domain

/// Which costs are known of a dataset that was not calibrated here, and why the others are not. The cost model prices what nobody said as
/// `DeclaredConfiguration.priced` says; here what rests on that is taken out of its answers.
package struct KnownCosts: Sendable {
    /// Why a currency is not known.
    package private(set) var unknown: [Currency: String] = [:]
    /// Whether there is something to train on.
    private let hasCorpus: Bool

    private static let noSpeed = "no speed was measured on this machine"
    private let recorded: RecordedCosts?
    private let model: String

    /// - Parameters:
    ///   - hasSpeed: whether speeds were measured here.
    ///   - items: nil where nobody said them.
    ///   - recorded: what an import states of a model that plawd does not train; nothing else is known of its costs.
    ///   - described: what its runner says of one.
    package init(
        key: LawKey, observations: [Observation], hasSpeed: Bool, items: Int?, hasCorpus: Bool,
        recorded: RecordedCosts?, described: DescribedModel? = nil
    ) {
        self.hasCorpus = hasCorpus
        self.recorded = recorded
        model = key.backboneName
        if let recorded {
            for currency in Currency.allCases where recorded.known(currency).stated == 0 {
                unknown[currency] = notStated([currency])
            }
            return
        }
        if let described {
            if !described.saysLatency { unknown[.latencySeconds] = "the runner of \(model) does not say it" }
            if !hasSpeed { unknown[.trainingSeconds] = Self.noSpeed }
            return
        }
        let missing =
            (key.backbone == .unsaid ? ["backbone"] : []) + (key.maxLength == .unsaid ? ["max_length"] : [])
        if !missing.isEmpty {
            unknown[.parameters] = "the observations do not declare " + missing.joined(separator: ", ")
        } else if items == nil {
            unknown[.parameters] = "nobody said how many items there are"
        }
        if let reason = unknown[.parameters] {
            unknown[.trainingFlops] = reason
        } else if !hasCorpus, !key.saysTokens {
            unknown[.trainingFlops] = "the observations do not declare tokens"
        } else if !hasCorpus, !observations.contains(where: { $0.users > 0 }) {
            unknown[.trainingFlops] = "the observations do not say how many users there were"
        } else if !hasCorpus, !observations.contains(where: { $0.epochs > 0 }) {
            unknown[.trainingFlops] = "the observations do not say how many epochs they took"
        } else if key.loss.value?.core == nil {
            unknown[.trainingFlops] = "the observations do not declare loss"
        }
        if !hasSpeed {
            for currency in [Currency.trainingSeconds, .memoryBytes, .latencySeconds] {
                unknown[currency] = Self.noSpeed
            }
        }
    }

    /// A cost without what is not known.
    package func known(_ cost: Cost) -> Cost {
        var cost = cost
        for currency in unknown.keys { cost[currency] = .infinity }
        if recorded == nil, unknown[.parameters] != nil {
            (cost.embeddingParameters, cost.bodyParameters) = (.infinity, .infinity)
            (cost.inferenceFlops, cost.inferenceFlopsPerToken) = (.infinity, .infinity)
        }
        if recorded == nil, unknown[.trainingFlops] != nil { cost.trainingFlopsPerToken = .infinity }
        if unknown[.latencySeconds] != nil { cost.latencyP95Seconds = nil }
        return cost
    }

    package func known(_ candidate: Candidate) -> Candidate {
        var candidate = candidate
        candidate.cost = known(candidate.cost)
        return candidate
    }

    /// Why costs of a model that plawd does not train are unknown.
    private func notStated(_ currencies: [Currency]) -> String {
        "plawd does not train this \(model), and the import has no \(currencies.count == 1 ? "column" : "columns") "
            + currencies.map(\.column).joined(separator: ", ")
    }

    /// One warning for each reason.
    package func warnings(dataset: String) -> [Warning] {
        var reasons: [(reason: String, words: [String])] = []
        let missing = Currency.allCases.filter { unknown[$0] != nil }
        if recorded != nil, !missing.isEmpty {
            let words = missing.map(\.words).joined(separator: ", ")
            return [Warning(code: "cost-unknown", message: "\(words): unknown, \(notStated(missing))")]
                + (stated.map { [$0] } ?? [])
        }
        for currency in Currency.allCases {
            guard let reason = unknown[currency] else { continue }
            if let place = reasons.firstIndex(where: { $0.reason == reason }) {
                reasons[place].words.append(currency.words)
            } else {
                reasons.append((reason, [currency.words]))
            }
        }
        return reasons.map {
            Warning(
                code: "cost-unknown", message: "\($0.words.joined(separator: ", ")): unknown, \($0.reason)",
                command: hasCorpus && $0.reason == Self.noSpeed ? "plaw calibrate \(dataset) --budget 1m" : nil)
        } + (stated.map { [$0] } ?? [])
    }

    /// What imports state is known of trained configurations alone.
    private var stated: Warning? {
        guard let recorded else { return nil }
        let words = Currency.allCases.compactMap { currency -> String? in
            let known = recorded.known(currency)
            return known.stated > 0 ? "\(currency.words) of \(known.stated) of \(known.all)" : nil
        }
        guard !words.isEmpty else { return nil }
        return Warning(
            code: "cost-imported",
            message:
                "\(words.joined(separator: ", ")) trained configurations are what the import states; of all others "
                + "they are unknown, and a limit on them leaves those out")
    }

    /// The items of a dataset, from the parameters that were counted elsewhere: nil unless all observations agree on one
    /// whole number.
    package static let mostItems = Int(Int32.max) * 1_000

    package static func items(from observations: [Observation]) -> Int? {
        var found: Int?
        for o in observations {
            guard let parameters = o.parameters else { continue }
            guard o.key.backbone != .unsaid, o.key.maxLength != .unsaid, o.isOfCore else { return nil }
            let embeddings = parameters - CostModel.parameters(o.configuration.priced, items: 0)
            guard embeddings > 0, embeddings % o.configuration.dim == 0 else { return nil }
            let items = embeddings / o.configuration.dim
            guard found == nil || found == items, items <= mostItems else { return nil }
            found = items
        }
        return found
    }
}

extension Currency {
    /// The column of an import that states it.
    var column: String {
        switch self {
        case .parameters: "parameters"
        case .trainingFlops: "flops"
        case .latencySeconds: "latency_seconds"
        case .memoryBytes: "memory_bytes"
        case .trainingSeconds: "seconds"
        }
    }
}

extension Observation {
    /// Whether the core could train its configuration, whatever was left unsaid of it.
    var isOfCore: Bool { configuration.priced.problem == nil }
}

extension DeclaredConfiguration {
    /// What costs are computed of: what nobody said is as a calibration has it by default, with one head.
    package var priced: Configuration {
        let usual = Configuration(layers: layers, dim: dim, heads: 1, feedForwardFactor: feedForwardFactor)
        return Configuration(
            backbone: backbone.value ?? usual.backbone, layers: layers, dim: dim, heads: heads.value ?? usual.heads,
            maxLength: maxLength.value ?? usual.maxLength, loss: loss.value ?? usual.loss,
            feedForwardFactor: feedForwardFactor)
    }
}

extension RecordedCosts {
    /// What imports state, where the core's formulas do not hold: its observations were all made elsewhere, and are of a model that the core
    /// does not train, or has another number of parameters than they state. Nil where the formulas hold.
    ///
    /// - Parameter items: of the dataset; nil where nobody said them.
    package static func foreign(_ key: LawKey, _ observations: [Observation], items: Int?) -> RecordedCosts? {
        guard !observations.isEmpty, observations.allSatisfy({ $0.trial == nil && $0.job == nil }) else { return nil }
        let states = observations.contains { $0.parameters != nil }
        let isForeign =
            observations.contains { !$0.isOfCore } || (states && key.backbone == .unsaid)
            || (states
                && items.map { items in
                    observations.contains { o in
                        o.parameters.map { $0 != CostModel.parameters(o.configuration.priced, items: items) } ?? false
                    }
                } ?? true)
        return isForeign ? RecordedCosts(observations) : nil
    }
}
