package import Domain

/// `advisor.potential`: what is left to gain by depth, width, data and other backbones.
package enum AdvisorPotential: RPCMethod {
    package typealias Params = AdvisorPotentialParams
    package typealias Result = AdvisorPotentialResult
    package static let name = "advisor.potential"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// From where.
package struct AdvisorPotentialParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, layers, dim, metric, loss, backbone, law
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    /// The configuration in use, both or neither; the best that was trained, of all backbones, by default.
    package var layers: Int?
    package var dim: Int?
    package var metric: Metric?
    package var loss: Loss?
    /// Backbone or model in use; the one that is best by default.
    package var backbone: Model?
    /// The number of a law whose key alone is asked; the best supported keys by default.
    package var law: Int64?
}

extension AdvisorPotentialParams {
    package init(name: String) { self.name = name }
}

/// What is left to gain.
package struct AdvisorPotentialResult: Codable, Sendable, Hashable {
    package var dataset: String
    package var metric: Metric
    package var now: Candidate
    package var levers: [Lever]
    package var warnings: [Warning]
    package var laws: [String: Int64]

    package init(
        dataset: String, metric: Metric, now: Candidate, levers: [Lever], warnings: [Warning], laws: [String: Int64]
    ) {
        (self.dataset, self.metric, self.now) = (dataset, metric, now)
        (self.levers, self.warnings, self.laws) = (levers, warnings, laws)
    }
}
