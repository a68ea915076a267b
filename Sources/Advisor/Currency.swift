package import Domain

/// One of the five currencies of a budget.
final class Currency: Sendable {
    /// As errors name it, and as reasons do.
    let name: String
    let words: String
    /// An amount of it, and what has the least of it, in words.
    let text: @Sendable (Double) -> String
    let least: String
    var isPlural: Bool { words.hasSuffix("s") }
    let limit: @Sendable (Budget) -> Double?
    let cost: @Sendable (Cost) -> Double
    let column: @Sendable (CostTable) -> [Double]

    init(
        name: String, words: String, text: @escaping @Sendable (Double) -> String, least: String,
        limit: @escaping @Sendable (Budget) -> Double?, cost: @escaping @Sendable (Cost) -> Double,
        column: @escaping @Sendable (CostTable) -> [Double]
    ) {
        (self.name, self.words, self.text, self.least) = (name, words, text, least)
        (self.limit, self.cost, self.column) = (limit, cost, column)
    }
}

extension Advisor {
    /// In the order in which limits are looked at.
    static let currencies = [
        Currency(
            name: "parameters", words: "parameters", text: { Format.count($0) }, least: "smallest",
            limit: \.maxParameters, cost: \.parameters, column: \.parameters),
        Currency(
            name: "trainingFlops", words: "training FLOPs", text: { Format.flops($0) }, least: "cheapest",
            limit: \.maxTrainingFlops, cost: \.trainingFlops,
            column: \.trainingFlops),
        Currency(
            name: "latencySeconds", words: "latency", text: { Format.seconds($0) }, least: "fastest",
            limit: \.maxLatencySeconds, cost: \.latencySeconds,
            column: \.latencySeconds),
        Currency(
            name: "memoryBytes", words: "memory", text: { Format.bytes($0) }, least: "smallest",
            limit: \.maxMemoryBytes, cost: \.memoryBytes, column: \.memoryBytes),
        Currency(
            name: "trainingSeconds", words: "training time", text: { Format.seconds($0) }, least: "fastest to train",
            limit: \.maxTrainingSeconds, cost: \.trainingSeconds,
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
