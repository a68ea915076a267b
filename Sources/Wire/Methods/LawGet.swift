package import Domain

/// `law.get`: one law, by id or by dataset and metric.
package enum LawGet: RPCMethod {
    package typealias Params = LawGetParams
    package typealias Result = Law
    package static let name = "law.get"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Which law.
package struct LawGetParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case id, name, metric, loss
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var id: Int64?
    package var name: String?
    /// ndcg@10 by default.
    package var metric: Metric?
    /// That of the key with most evidence by default.
    package var loss: Loss?
}

extension LawGetParams {
    package init(law: Int64) { id = law }
}
