package import Domain

/// One of the five currencies of a budget.
struct Currency: Sendable {
    /// As errors name it, and as reasons do.
    let name: String
    let words: String
    let limit: @Sendable (Budget) -> Double?
    let cost: @Sendable (Cost) -> Double
    let column: @Sendable (CostTable) -> [Double]
}

extension Advisor {
    /// In the order in which limits are looked at.
    static let currencies = [
        Currency(
            name: "parameters", words: "parameters", limit: \.maxParameters, cost: \.parameters, column: \.parameters),
        Currency(
            name: "trainingFlops", words: "training FLOPs", limit: \.maxTrainingFlops, cost: \.trainingFlops,
            column: \.trainingFlops),
        Currency(
            name: "latencySeconds", words: "latency", limit: \.maxLatencySeconds, cost: \.latencySeconds,
            column: \.latencySeconds),
        Currency(
            name: "memoryBytes", words: "memory", limit: \.maxMemoryBytes, cost: \.memoryBytes, column: \.memoryBytes),
        Currency(
            name: "trainingSeconds", words: "training time", limit: \.maxTrainingSeconds, cost: \.trainingSeconds,
            column: \.trainingSeconds),
    ]

    /// Name, limit and cost of the first exceeded currency.
    package static func violation(_ cost: Cost, _ budget: Budget) -> (name: String, limit: Double, cost: Double)? {
        for currency in currencies {
            let cost = currency.cost(cost)
            if let limit = currency.limit(budget), cost > limit { return (currency.name, limit, cost) }
        }
        return nil
    }
}
