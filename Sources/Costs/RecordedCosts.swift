package import Domain

/// Costs of models that the core does not train, as the imported observations state them: the mean of each trained shape's trainings.
///
/// Nothing is extrapolated: what no training of a shape states is unknown (infinite, as in `Cost`), so it keeps no limit.
package struct RecordedCosts: Sendable, Hashable {
    private struct Shape: Sendable, Hashable {
        var layers: Int
        var dim: Int
    }

    private var shapes: [Shape: Cost] = [:]

    package init(_ observations: [Observation]) {
        let groups = Dictionary(grouping: observations.filter { $0.userFraction >= 1 }) {
            Shape(layers: $0.configuration.layers, dim: $0.configuration.dim)
        }
        shapes = groups.mapValues { trainings in
            var cost = Cost.unknown
            for currency in Currency.allCases {
                let stated = trainings.compactMap { $0.stated(currency) }
                if !stated.isEmpty { cost[currency] = stated.reduce(0, +) / Double(stated.count) }
            }
            return cost
        }
    }

    /// Of one configuration, whatever its heads.
    func cost(layers: Int, dim: Int) -> Cost { shapes[Shape(layers: layers, dim: dim)] ?? .unknown }

    /// Trained shapes with a stated cost, and all.
    package func known(_ currency: Currency) -> (stated: Int, all: Int) {
        (shapes.values.count { $0[currency] < .infinity }, shapes.count)
    }
}

extension Observation {
    /// What the import states of a training's cost; nil where it states nothing.
    package func stated(_ currency: Currency) -> Double? {
        switch currency {
        case .parameters: parameters.map(Double.init)
        case .trainingFlops: trainingFlops
        case .latencySeconds: latencySeconds
        case .memoryBytes: memoryBytes
        case .trainingSeconds: seconds > 0 ? seconds : nil
        }
    }
}

extension Cost {
    /// Nothing is known.
    static let unknown: Cost = {
        let none = Double.infinity
        var cost = Cost(
            parameters: none, embeddingParameters: 0, trainingFlops: none, trainingFlopsPerToken: none,
            inferenceFlopsPerToken: none, inferenceFlops: none, latencySeconds: none, latencyP95Seconds: nil,
            memoryBytes: none, trainingSeconds: none)
        (cost.embeddingParameters, cost.bodyParameters) = (none, none)
        return cost
    }()
}
