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
        self.maxParameters = maxParameters
        self.maxTrainingFlops = maxTrainingFlops
        self.maxLatencySeconds = maxLatencySeconds
        self.maxMemoryBytes = maxMemoryBytes
        self.maxTrainingSeconds = maxTrainingSeconds
    }
}

/// What a configuration costs, in the five currencies of a budget.
package struct Cost: Codable, Sendable, Hashable {
    /// Trainable parameters, item embeddings included.
    package var parameters: Double
    package var trainingFlops: Double
    package var latencySeconds: Double
    package var memoryBytes: Double
    package var trainingSeconds: Double

    package init(
        parameters: Double, trainingFlops: Double, latencySeconds: Double, memoryBytes: Double, trainingSeconds: Double
    ) {
        self.parameters = parameters
        self.trainingFlops = trainingFlops
        self.latencySeconds = latencySeconds
        self.memoryBytes = memoryBytes
        self.trainingSeconds = trainingSeconds
    }
}

/// A closed interval of a predicted metric.
package struct Interval: Codable, Sendable, Hashable {
    package var low: Double
    package var high: Double

    package init(low: Double, high: Double) {
        self.low = low
        self.high = high
    }
}

/// One configuration with what the laws expect of it and what it costs.
package struct Candidate: Codable, Sendable, Hashable {
    package var configuration: Configuration
    /// Predicted test metrics, keyed `hr@10`.
    package var predicted: [String: Double]
    /// 90 % prediction interval of each predicted metric.
    package var interval: [String: Interval]
    package var cost: Cost

    package init(
        configuration: Configuration, predicted: [String: Double], interval: [String: Interval], cost: Cost
    ) {
        self.configuration = configuration
        self.predicted = predicted
        self.interval = interval
        self.cost = cost
    }
}

/// Something the reader of an answer must know before trusting it.
package struct Warning: Codable, Sendable, Hashable {
    /// Stable word: `outside-range`, `optimum-at-edge`, `few-observations`, `not-identified`, ...
    package var code: String
    package var message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }
}

/// The advisor's answer: the best configuration within a budget.
package struct Recommendation: Codable, Sendable, Hashable {
    package var dataset: String
    package var configuration: Configuration
    package var predicted: [String: Double]
    package var interval: [String: Interval]
    package var cost: Cost
    /// Next best configurations within the same budget, best first.
    package var runnersUp: [Candidate]
    package var warnings: [Warning]
    /// The laws the answer rests on, by metric.
    package var laws: [String: Int64]

    package init(
        dataset: String, best: Candidate, runnersUp: [Candidate], warnings: [Warning], laws: [String: Int64]
    ) {
        self.dataset = dataset
        self.configuration = best.configuration
        self.predicted = best.predicted
        self.interval = best.interval
        self.cost = best.cost
        self.runnersUp = runnersUp
        self.warnings = warnings
        self.laws = laws
    }
}
