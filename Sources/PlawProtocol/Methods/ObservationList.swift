package import Domain

/// `observation.list`: what the finished trials of a dataset measured.
package enum ObservationList: RPCMethod {
    package typealias Params = DatasetName
    package typealias Result = ObservationListResult
    package static let name = "observation.list"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Observations, oldest first.
package struct ObservationListResult: Codable, Sendable, Hashable {
    package var observations: [Observation]

    package init(observations: [Observation]) {
        self.observations = observations
    }
}
