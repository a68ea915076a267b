package import Domain

/// `law.fit`: fits the laws of a dataset anew from its stored observations.
package enum LawFitMethod: RPCMethod {
    package typealias Params = LawFitParams
    package typealias Result = LawListResult
    package static let name = "law.fit"
    package static let access = Access.write
    package static let effort = Effort.long
    package static let ordering = Ordering.exclusive
}

/// What to fit.
package struct LawFitParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, loss, metrics, estimator, p
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    /// Only the laws of this loss.
    package var loss: Loss?
    /// hr@10 and ndcg@10 by default.
    package var metrics: [Metric]?
    /// `huber`, the default, or `least-squares`.
    package var estimator: String?
    /// Fixes the factor p of the performance law; profiled by default.
    package var p: Double?

    package init(name: String, loss: Loss? = nil, metrics: [Metric]? = nil, estimator: String? = nil, p: Double? = nil)
    {
        (self.name, self.loss, self.metrics, self.estimator, self.p) = (name, loss, metrics, estimator, p)
    }
}
