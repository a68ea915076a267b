/// One of the five currencies of a budget, in the order in which limits are looked at. The raw value is its name on the wire.
package enum Currency: String, Sendable, CaseIterable {
    case parameters, trainingFlops, latencySeconds, memoryBytes, trainingSeconds

    package var words: String {
        switch self {
        case .parameters: "parameters"
        case .trainingFlops: "training FLOPs"
        case .latencySeconds: "latency"
        case .memoryBytes: "training memory"
        case .trainingSeconds: "training time"
        }
    }

    package var isPlural: Bool { words.hasSuffix("s") }

    /// What is said of the configuration that has the least of it.
    package var least: String {
        switch self {
        case .parameters, .memoryBytes: "smallest"
        case .trainingFlops: "cheapest"
        case .latencySeconds: "fastest"
        case .trainingSeconds: "fastest to train"
        }
    }

    /// An amount of it with its unit.
    package func text(_ amount: Double) -> String {
        switch self {
        case .parameters: Format.count(amount)
        case .trainingFlops: Format.flops(amount)
        case .memoryBytes: Format.bytes(amount)
        case .latencySeconds, .trainingSeconds: Format.seconds(amount)
        }
    }
}

extension Cost {
    package subscript(_ currency: Currency) -> Double {
        get {
            switch currency {
            case .parameters: parameters
            case .trainingFlops: trainingFlops
            case .latencySeconds: latencySeconds
            case .memoryBytes: memoryBytes
            case .trainingSeconds: trainingSeconds
            }
        }
        set {
            switch currency {
            case .parameters: parameters = newValue
            case .trainingFlops: trainingFlops = newValue
            case .latencySeconds: latencySeconds = newValue
            case .memoryBytes: memoryBytes = newValue
            case .trainingSeconds: trainingSeconds = newValue
            }
        }
    }
}

extension Budget {
    /// The limit in a currency; nil where there is none.
    package subscript(_ currency: Currency) -> Double? {
        get {
            switch currency {
            case .parameters: maxParameters
            case .trainingFlops: maxTrainingFlops
            case .latencySeconds: maxLatencySeconds
            case .memoryBytes: maxMemoryBytes
            case .trainingSeconds: maxTrainingSeconds
            }
        }
        set {
            switch currency {
            case .parameters: maxParameters = newValue
            case .trainingFlops: maxTrainingFlops = newValue
            case .latencySeconds: maxLatencySeconds = newValue
            case .memoryBytes: maxMemoryBytes = newValue
            case .trainingSeconds: maxTrainingSeconds = newValue
            }
        }
    }

    /// Whether a cost keeps all limits.
    package func allows(_ cost: Cost) -> Bool {
        Currency.allCases.allSatisfy { cost[$0] <= self[$0] ?? .infinity }
    }
}
