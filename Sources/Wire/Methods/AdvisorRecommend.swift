package import Domain

/// `advisor.recommend`: the best layers and dimension within a budget.
package enum AdvisorRecommend: RPCMethod {
    package typealias Params = AdvisorRecommendParams
    package typealias Result = Recommendation
    package static let name = "advisor.recommend"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// The budget.
package struct AdvisorRecommendParams: RPCParams, BudgetLimits, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, maxParams, maxFlops, maxMemoryBytes, maxLatencySeconds, maxTrainSeconds, metric, loss, backbone,
            force, law, layers, dims
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    package var maxParams: Double?
    /// Of one training to convergence.
    package var maxFlops: Double?
    /// Peak of training.
    package var maxMemoryBytes: Double?
    /// To rank all items for one user on one core.
    package var maxLatencySeconds: Double?
    /// On one core.
    package var maxTrainSeconds: Double?
    /// What to maximise; ndcg@10 by default.
    package var metric: Metric?
    package var loss: Loss?
    /// Only models of this backbone; those of all fitted ones by default.
    package var backbone: Model?
    /// Answers also more than 2 e-folds outside the observations.
    package var force: Bool?
    /// The number of a law whose key alone is asked; the best supported keys by default.
    package var law: Int64?
    /// Numbers of layers and dimensions that alone are considered; all of the search space by default.
    package var layers: [Int]?
    package var dims: [Int]?
}

extension AdvisorRecommendParams {
    package init(name: String) { self.name = name }
}

/// The limits that several methods share.
package protocol BudgetLimits {
    var maxParams: Double? { get set }
    var maxFlops: Double? { get set }
    var maxMemoryBytes: Double? { get set }
    var maxLatencySeconds: Double? { get set }
    var maxTrainSeconds: Double? { get set }
}

extension BudgetLimits {
    /// - Throws: `RPCError.invalidParams` naming the limit that is not positive.
    package var budget: Budget {
        get throws(RPCError) {
            for (field, value) in [
                ("maxParams", maxParams), ("maxFlops", maxFlops), ("maxMemoryBytes", maxMemoryBytes),
                ("maxLatencySeconds", maxLatencySeconds), ("maxTrainSeconds", maxTrainSeconds),
            ] {
                if let value, !(value > 0) {
                    throw RPCError.parameter(field, found: "\(value)", expected: "more than 0")
                }
            }
            return Budget(
                maxParameters: maxParams, maxTrainingFlops: maxFlops, maxLatencySeconds: maxLatencySeconds,
                maxMemoryBytes: maxMemoryBytes, maxTrainingSeconds: maxTrainSeconds)
        }
    }
}
