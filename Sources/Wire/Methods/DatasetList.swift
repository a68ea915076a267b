/// `dataset.list`: the registered datasets, by name, page by page.
package enum DatasetList: RPCMethod {
    package typealias Params = DatasetListParams
    package typealias Result = DatasetListResult
    package static let name = "dataset.list"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Which datasets.
package struct DatasetListParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable { case after, limit }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package static let largestPage = 10_000

    /// Only names behind this one: the `next` of the answer before.
    package var after: String?
    /// 10000 by default.
    package var limit: Int?

    package init(after: String? = nil, limit: Int? = nil) {
        (self.after, self.limit) = (after, limit)
    }
}

/// A dataset in one line.
package struct DatasetSummary: Codable, Sendable, Hashable {
    package var name: String
    /// These four are absent where a dataset is made of observations alone, which do not say them.
    package var users: Int?
    package var items: Int?
    package var interactions: Int?
    package var createdAt: String
    /// m = 1, nats.
    package var pooledApEn: Double?
    package var observations: Int
    package var laws: Int

    package init(
        name: String, users: Int?, items: Int?, interactions: Int?, createdAt: String, pooledApEn: Double?,
        observations: Int, laws: Int
    ) {
        (self.name, self.users, self.items, self.interactions) = (name, users, items, interactions)
        (self.createdAt, self.pooledApEn, self.observations, self.laws) = (createdAt, pooledApEn, observations, laws)
    }
}

/// The registered datasets.
package struct DatasetListResult: Codable, Sendable, Hashable {
    package var datasets: [DatasetSummary]
    /// Name to go on after; absent when these were the last.
    package var next: String?

    package init(datasets: [DatasetSummary], next: String? = nil) {
        (self.datasets, self.next) = (datasets, next)
    }
}
