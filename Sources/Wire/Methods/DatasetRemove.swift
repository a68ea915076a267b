/// `dataset.remove`: removes a dataset with its observations, laws, jobs and files.
package enum DatasetRemove: RPCMethod {
    package typealias Params = DatasetName
    package typealias Result = DatasetRemoveResult
    package static let name = "dataset.remove"
    package static let access = Access.write
    package static let ordering = Ordering.exclusive
}

/// What was removed.
package struct DatasetRemoveResult: Codable, Sendable, Hashable {
    package var name: String
    /// Observations removed with it.
    package var observations: Int
    /// Laws removed with it.
    package var laws: Int

    package init(name: String, observations: Int, laws: Int) {
        (self.name, self.observations, self.laws) = (name, observations, laws)
    }
}
