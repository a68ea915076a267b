package import Domain

/// `observation.list`: what the trainings of a dataset measured, page by page.
package enum ObservationList: RPCMethod {
    package typealias Params = ObservationListParams
    package typealias Result = ObservationListResult
    package static let name = "observation.list"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Which observations.
package struct ObservationListParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable { case name, after, limit }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    /// Most observations of an answer, which has fewer where they are long.
    package static let largestPage = 2_000

    package var name: String
    /// Only those with greater numbers: the `next` of the answer before.
    package var after: Int64?
    /// 2000 by default, at most 2000.
    package var limit: Int?

    package init(name: String, after: Int64? = nil, limit: Int? = nil) {
        (self.name, self.after, self.limit) = (name, after, limit)
    }
}

/// Observations, oldest first.
package struct ObservationListResult: Codable, Sendable, Hashable {
    package var observations: [Observation]
    /// Number to go on after; absent when these were the last.
    package var next: Int64?

    package init(observations: [Observation], next: Int64? = nil) {
        (self.observations, self.next) = (observations, next)
    }
}
