internal import Advisor
internal import Domain
internal import PlawProtocol

/// Which costs are known of a dataset that was not calibrated here, and why the others are not. The cost model is given
/// placeholders for what nobody said; here they are taken out of its answers.
struct KnownCosts: Sendable {
    /// Why a currency is not known.
    private(set) var unknown: [Currency: String] = [:]
    /// What nobody declared of the configurations.
    private let undeclared: [String]
    /// Whether there is something to train on.
    private let hasCorpus: Bool

    private static let noSpeed = "no speed was measured on this machine"

    /// - Parameters:
    ///   - hasSpeed: whether speeds were measured here.
    ///   - items: nil where nobody said them.
    init(key: LawKey, observations: [Observation], hasSpeed: Bool, items: Int?, hasCorpus: Bool) {
        undeclared = key.undeclaredOfConfiguration
        self.hasCorpus = hasCorpus
        let missing = key.undeclared.filter { ["backbone", "max_length"].contains($0) }
        if !missing.isEmpty {
            unknown[.parameters] = "the observations do not declare " + missing.joined(separator: ", ")
        } else if items == nil {
            unknown[.parameters] = "nobody said how many items there are"
        }
        if let reason = unknown[.parameters] {
            unknown[.trainingFlops] = reason
        } else if !hasCorpus, key.undeclared.contains("tokens") {
            unknown[.trainingFlops] = "the observations do not declare tokens"
        } else if !hasCorpus, !observations.contains(where: { $0.users > 0 }) {
            unknown[.trainingFlops] = "the observations do not say how many users there were"
        } else if !hasCorpus, !observations.contains(where: { $0.epochs > 0 }) {
            unknown[.trainingFlops] = "the observations do not say how many epochs they took"
        } else if key.undeclared.contains("loss") {
            unknown[.trainingFlops] = "the observations do not declare loss"
        }
        if !hasSpeed {
            for currency in [Currency.trainingSeconds, .memoryBytes, .latencySeconds] {
                unknown[currency] = Self.noSpeed
            }
        }
    }

    /// Refuses limits on what is not known.
    func check(_ budget: Budget, dataset: String) throws {
        for currency in Currency.allCases where budget[currency] != nil { try check(currency, dataset: dataset) }
    }

    func check(_ currency: Currency, dataset: String) throws {
        guard let reason = unknown[currency] else { return }
        throw RPCError(
            .lawUnknown, "the \(currency.words) of \"\(dataset)\" cannot be told: \(reason)",
            ["currency": .string(currency.rawValue), "dataset": .string(dataset)])
    }

    /// A configuration without what nobody declared.
    func known(_ configuration: Configuration) -> Configuration {
        var configuration = configuration
        configuration.undeclared = undeclared
        return configuration
    }

    /// A cost without what is not known.
    func known(_ cost: Cost) -> Cost {
        var cost = cost
        for currency in unknown.keys { cost[currency] = .infinity }
        if unknown[.parameters] != nil {
            (cost.embeddingParameters, cost.bodyParameters) = (.infinity, .infinity)
            (cost.inferenceFlops, cost.inferenceFlopsPerToken) = (.infinity, .infinity)
        }
        if unknown[.trainingFlops] != nil { cost.trainingFlopsPerToken = .infinity }
        if unknown[.latencySeconds] != nil { cost.latencyP95Seconds = nil }
        return cost
    }

    func known(_ candidate: Candidate) -> Candidate {
        var candidate = candidate
        candidate.configuration = known(candidate.configuration)
        candidate.cost = known(candidate.cost)
        return candidate
    }

    /// One warning for each reason.
    func warnings(dataset: String) -> [Warning] {
        var reasons: [(reason: String, words: [String])] = []
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
        }
    }

    /// The items of a dataset, from the parameters that were counted elsewhere: nil unless all observations agree on one
    /// whole number.
    static let mostItems = Int(Int32.max) * 1_000

    static func items(from observations: [Observation]) -> Int? {
        var found: Int?
        for o in observations {
            guard let parameters = o.parameters else { continue }
            if !o.key.undeclared.allSatisfy({ $0 != "backbone" && $0 != "max_length" }) { return nil }
            let embeddings = parameters - CostModel.parameters(o.configuration, items: 0)
            guard embeddings > 0, embeddings % o.configuration.dim == 0 else { return nil }
            let items = embeddings / o.configuration.dim
            guard found == nil || found == items, items <= mostItems else { return nil }
            found = items
        }
        return found
    }
}
