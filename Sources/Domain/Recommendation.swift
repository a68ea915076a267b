/// Upper limits a recommended configuration must keep; nil leaves a currency unlimited.
package struct Budget: Codable, Sendable, Hashable {
    package var maxParameters: Double?
    /// Training FLOPs until the stopping rule ends training.
    package var maxTrainingFlops: Double?
    /// Seconds to rank all items for one user on one core.
    package var maxLatencySeconds: Double?
    /// Peak resident bytes of training.
    package var maxMemoryBytes: Double?
    package var maxTrainingSeconds: Double?

    package init(
        maxParameters: Double? = nil, maxTrainingFlops: Double? = nil, maxLatencySeconds: Double? = nil,
        maxMemoryBytes: Double? = nil, maxTrainingSeconds: Double? = nil
    ) {
        (self.maxParameters, self.maxTrainingFlops) = (maxParameters, maxTrainingFlops)
        (self.maxLatencySeconds, self.maxMemoryBytes) = (maxLatencySeconds, maxMemoryBytes)
        self.maxTrainingSeconds = maxTrainingSeconds
    }
}

/// What a configuration costs, in the five currencies of a budget and what they are made of. What is not known is infinite
/// here, so that it keeps no limit, and absent on the wire.
package struct Cost: Codable, Sendable, Hashable {
    /// Trainable parameters, item embeddings included.
    package var parameters: Double
    /// Those of the item embeddings, which are the output layer too, and all others.
    package var embeddingParameters: Double
    package var bodyParameters: Double
    package var trainingFlops: Double
    /// Floating-point operations of one training position, forward and backward.
    package var trainingFlopsPerToken: Double
    /// Of one position through all blocks, forward; the scores of the items, once a request, not included.
    package var inferenceFlopsPerToken: Double
    /// Of one request: the newest hidden state of a history of full length, and the scores of all items.
    package var inferenceFlops: Double
    /// Seconds to rank all items for one user on one core: the median request.
    package var latencySeconds: Double
    /// What 95 of 100 requests do not exceed; absent where latency was measured by an older version.
    package var latencyP95Seconds: Double?
    package var memoryBytes: Double
    package var trainingSeconds: Double

    package init(
        parameters: Double, embeddingParameters: Double, trainingFlops: Double, trainingFlopsPerToken: Double,
        inferenceFlopsPerToken: Double, inferenceFlops: Double, latencySeconds: Double, latencyP95Seconds: Double?,
        memoryBytes: Double, trainingSeconds: Double
    ) {
        self.parameters = parameters
        self.embeddingParameters = embeddingParameters
        self.bodyParameters = parameters - embeddingParameters
        self.trainingFlops = trainingFlops
        self.trainingFlopsPerToken = trainingFlopsPerToken
        self.inferenceFlopsPerToken = inferenceFlopsPerToken
        self.inferenceFlops = inferenceFlops
        self.latencySeconds = latencySeconds
        self.latencyP95Seconds = latencyP95Seconds
        self.memoryBytes = memoryBytes
        self.trainingSeconds = trainingSeconds
    }

    private enum CodingKeys: CodingKey, CaseIterable {
        case parameters, embeddingParameters, bodyParameters, trainingFlops, trainingFlopsPerToken
        case inferenceFlopsPerToken, inferenceFlops, latencySeconds, latencyP95Seconds, memoryBytes, trainingSeconds

        var path: WritableKeyPath<Cost, Double>? {
            switch self {
            case .parameters: \.parameters
            case .embeddingParameters: \.embeddingParameters
            case .bodyParameters: \.bodyParameters
            case .trainingFlops: \.trainingFlops
            case .trainingFlopsPerToken: \.trainingFlopsPerToken
            case .inferenceFlopsPerToken: \.inferenceFlopsPerToken
            case .inferenceFlops: \.inferenceFlops
            case .latencySeconds: \.latencySeconds
            case .latencyP95Seconds: nil
            case .memoryBytes: \.memoryBytes
            case .trainingSeconds: \.trainingSeconds
            }
        }
    }

    package init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        let unknown = Double.infinity
        self.init(
            parameters: unknown, embeddingParameters: 0, trainingFlops: unknown, trainingFlopsPerToken: unknown,
            inferenceFlopsPerToken: unknown, inferenceFlops: unknown, latencySeconds: unknown,
            latencyP95Seconds: try c.decodeIfPresent(Double.self, forKey: .latencyP95Seconds), memoryBytes: unknown,
            trainingSeconds: unknown)
        for key in CodingKeys.allCases {
            guard let path = key.path else { continue }
            self[keyPath: path] = try c.decodeIfPresent(Double.self, forKey: key) ?? unknown
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: CodingKeys.self)
        for key in CodingKeys.allCases {
            if let path = key.path, self[keyPath: path] < .infinity { try c.encode(self[keyPath: path], forKey: key) }
        }
        try c.encodeIfPresent(latencyP95Seconds, forKey: .latencyP95Seconds)
    }
}

/// A closed interval of a predicted metric.
package struct Interval: Codable, Sendable, Hashable {
    package var low: Double
    package var high: Double

    package init(low: Double, high: Double) {
        (self.low, self.high) = (low, high)
    }
}

/// One configuration with what the laws expect of it and what it costs.
package struct Candidate: Codable, Sendable, Hashable {
    package var configuration: DeclaredConfiguration
    /// Predicted test metrics, keyed `hr@10`.
    package var predicted: [String: Double]
    /// 90 % prediction interval of each predicted metric.
    package var interval: [String: Interval]
    package var cost: Cost
    /// What the best choice among the observations is expected to have more of the metric asked for; nil where none was asked for.
    package var expectedRegret: Double?
    /// Trainings of it on all users that the laws rest on.
    package var trained: Int

    package init(
        configuration: DeclaredConfiguration, predicted: [String: Double], interval: [String: Interval], cost: Cost,
        expectedRegret: Double? = nil, trained: Int = 0
    ) {
        (self.configuration, self.predicted, self.interval) = (configuration, predicted, interval)
        (self.cost, self.expectedRegret, self.trained) = (cost, expectedRegret, trained)
    }
}

/// How far a configuration lies outside the convex hull of the observations in (ln N, ln d), or the data outside their D'.
package enum ExtrapolationGrade: String, Codable, Sendable, Hashable, CaseIterable, Comparable {
    case inside
    /// Up to one e-fold outside.
    case warn
    /// Up to two.
    case strong
    /// Farther: answered only when forced.
    case refused

    /// The farther is the greater.
    package static func < (a: Self, b: Self) -> Bool {
        (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
    }
}

extension Recommendation {
    /// Configurations that are listed beside the answer, under a title each.
    package struct Alternatives: Sendable {
        package let title: String
        package let candidates: [Candidate]
        /// How many more there are.
        package let more: Int
    }

    private static let mostListed = 8

    /// What stands beside the answer, the same wherever it is shown: the cheapest that is as good, and what cannot be told apart from it or
    /// else the next best.
    package var alternatives: [Alternatives] {
        var lists: [Alternatives] = []
        if cheapest.configuration != configuration {
            lists.append(
                Alternatives(title: "cheapest within one standard error of a training", candidates: [cheapest], more: 0)
            )
        }
        if !indistinguishable.isEmpty {
            lists.append(
                Alternatives(
                    title: "cannot be told apart from it", candidates: Array(indistinguishable.prefix(Self.mostListed)),
                    more: max(0, indistinguishable.count - Self.mostListed)))
        } else if !runnersUp.isEmpty {
            lists.append(Alternatives(title: "runners-up", candidates: runnersUp, more: 0))
        }
        return lists
    }
}

/// The advisor's answer: the best configuration within a budget.
package struct Recommendation: Codable, Sendable, Hashable {
    package var dataset: String
    package var metric: Metric
    package var configuration: DeclaredConfiguration
    package var predicted: [String: Double]
    package var interval: [String: Interval]
    package var cost: Cost
    /// What the best choice among the observations and within the budget is expected to have more than this one, in metric units.
    package var expectedRegret: Double
    /// The same of all within the budget, also where nothing was observed; absent where there is nothing else.
    package var regretBeyond: Double?
    package var grade: ExtrapolationGrade
    /// Why this one, in words.
    package var reasons: [String]
    /// The cheapest configuration whose expected regret is within one standard error of a training of the best.
    package var cheapest: Candidate
    /// Configurations that the laws cannot tell from the best, best first.
    package var indistinguishable: [Candidate]
    /// Next best configurations within the same budget, best first.
    package var runnersUp: [Candidate]
    /// The best that was trained within the budget.
    package var bestTrained: Candidate?
    package var warnings: [Warning]
    /// The laws the answer rests on, by metric.
    package var laws: [String: Int64]

    package init(
        dataset: String, metric: Metric, best: Candidate, expectedRegret: Double, regretBeyond: Double? = nil,
        grade: ExtrapolationGrade,
        reasons: [String], cheapest: Candidate, indistinguishable: [Candidate], runnersUp: [Candidate],
        bestTrained: Candidate?, warnings: [Warning], laws: [String: Int64]
    ) {
        self.dataset = dataset
        self.metric = metric
        self.configuration = best.configuration
        self.predicted = best.predicted
        self.interval = best.interval
        self.cost = best.cost
        self.expectedRegret = expectedRegret
        self.regretBeyond = regretBeyond
        self.grade = grade
        self.reasons = reasons
        self.cheapest = cheapest
        self.indistinguishable = indistinguishable
        self.runnersUp = runnersUp
        self.bestTrained = bestTrained
        self.warnings = warnings
        self.laws = laws
    }
}

/// One way to scale a model, and what is left to gain by it.
package struct Lever: Codable, Sendable, Hashable {
    /// `depth`, `width`, `depth and width`, `data x 2`, or a backbone.
    package var name: String
    /// Where the lever leads: the best along it.
    package var configuration: DeclaredConfiguration
    /// What the best place along it is expected to have more, and the 90 % interval of that: more than what the configuration named is
    /// expected to have, because which place is best is not known. No interval where nothing tells how much a training varies.
    package var gain: Double
    package var interval: Interval?
    /// gain over what is there now.
    package var relativeGain: Double
    package var cost: Cost
    /// How far the configuration, or the data, lies outside the observations.
    package var grade: ExtrapolationGrade

    package init(
        name: String, configuration: DeclaredConfiguration, gain: Double, interval: Interval?, relativeGain: Double,
        cost: Cost,
        grade: ExtrapolationGrade
    ) {
        (self.name, self.configuration, self.gain, self.interval) = (name, configuration, gain, interval)
        (self.relativeGain, self.cost, self.grade) = (relativeGain, cost, grade)
    }
}
