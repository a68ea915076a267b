package import Domain

/// `law.predict`: what the laws expect of one configuration.
package enum LawPredict: RPCMethod {
    package typealias Params = LawPredictParams
    package typealias Result = LawPredictResult
    package static let name = "law.predict"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Which configuration.
package struct LawPredictParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, layers, dim, heads, loss, backbone, force, law
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    package var layers: Int
    package var dim: Int
    package var heads: Int?
    package var loss: Loss?
    package var backbone: Model?
    /// Answers also more than 2 e-folds outside the observations.
    package var force: Bool?
    /// The number of a law whose key alone is asked; the best supported keys by default.
    package var law: Int64?
}

extension LawPredictParams {
    package init(name: String, layers: Int, dim: Int) { (self.name, self.layers, self.dim) = (name, layers, dim) }
}

/// A prediction with its cost.
package struct LawPredictResult: Codable, Sendable, Hashable {
    package var dataset: String
    package var configuration: DeclaredConfiguration
    package var predicted: [String: Double]
    /// 90 %.
    package var interval: [String: Interval]
    package var cost: Cost
    package var grade: ExtrapolationGrade
    package var warnings: [Warning]
    package var laws: [String: Int64]

    package init(
        dataset: String, configuration: DeclaredConfiguration, predicted: [String: Double],
        interval: [String: Interval],
        cost: Cost, grade: ExtrapolationGrade, warnings: [Warning], laws: [String: Int64]
    ) {
        (self.dataset, self.configuration, self.predicted) = (dataset, configuration, predicted)
        (self.interval, self.cost, self.grade) = (interval, cost, grade)
        (self.warnings, self.laws) = (warnings, laws)
    }
}
