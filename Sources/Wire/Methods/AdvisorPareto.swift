package import Domain

/// `advisor.pareto`: the configurations that no other beats in both quality and one currency.
package enum AdvisorPareto: RPCMethod {
    package typealias Params = AdvisorParetoParams
    package typealias Result = AdvisorParetoResult
    package static let name = "advisor.pareto"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Which front.
package struct AdvisorParetoParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, currency, metric, loss, backbone, law, layers, dims
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    /// `parameters`, the default, `trainingFlops`, `memoryBytes`, `latencySeconds`, `trainingSeconds`.
    package var currency: String?
    package var metric: Metric?
    package var loss: Loss?
    package var backbone: Model?
    /// The number of a law whose key alone is asked; the best supported keys by default.
    package var law: Int64?
    /// Numbers of layers and dimensions that alone are considered; all of the search space by default.
    package var layers: [Int]?
    package var dims: [Int]?
}

extension AdvisorParetoParams {
    package init(name: String) { self.name = name }
}

/// A Pareto front.
package struct AdvisorParetoResult: Codable, Sendable, Hashable {
    package var dataset: String
    package var metric: Metric
    package var currency: String
    /// Cheapest first.
    package var points: [Candidate]
    package var warnings: [Warning]
    package var laws: [String: Int64]

    package init(
        dataset: String, metric: Metric, currency: String, points: [Candidate], warnings: [Warning],
        laws: [String: Int64]
    ) {
        (self.dataset, self.metric, self.currency) = (dataset, metric, currency)
        (self.points, self.warnings, self.laws) = (points, warnings, laws)
    }
}
