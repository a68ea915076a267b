/// `dataset.list`: the registered datasets, by name.
package enum DatasetList: RPCMethod {
    package typealias Params = NoParams
    package typealias Result = DatasetListResult
    package static let name = "dataset.list"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
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
        self.name = name
        self.users = users
        self.items = items
        self.interactions = interactions
        self.createdAt = createdAt
        self.pooledApEn = pooledApEn
        self.observations = observations
        self.laws = laws
    }
}

/// The registered datasets.
package struct DatasetListResult: Codable, Sendable, Hashable {
    package var datasets: [DatasetSummary]

    package init(datasets: [DatasetSummary]) {
        self.datasets = datasets
    }
}
