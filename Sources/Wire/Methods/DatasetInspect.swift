package import Domain

/// `dataset.inspect`: reads files of interactions as `dataset.register` would, and stores nothing.
package enum DatasetInspect: RPCMethod {
    package typealias Params = DatasetInspectParams
    package typealias Result = DatasetInspectResult
    package static let name = "dataset.inspect"
    // The daemon opens paths with its own rights.
    package static let access = Access.write
    package static let effort = Effort.long
    package static let ordering = Ordering.exclusive
}

/// What to look at.
package struct DatasetInspectParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case uploadId, path, paths, fileName, fileNames, container, options, events
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))
    package static let nestedFields: [String: Set<String>] = ["options": ReadOptions.fields]

    /// A finished upload, which is kept, or
    package var uploadId: String?
    /// a path the daemon reads itself, or
    package var path: String?
    /// several.
    package var paths: [String]?
    package var fileName: String?
    package var fileNames: [String]?
    /// What the client took the files out of, for the decision.
    package var container: String?
    package var options: ReadOptions?
    /// Interactions to show; 10 by default.
    package var events: Int?
}

extension DatasetInspectParams {
    package init(fileNames: [String]) { self.fileNames = fileNames }
}

/// How files would be read.
package struct DatasetInspectResult: Codable, Sendable, Hashable {
    package var decision: FormatDecision
    /// All columns of the first file, at most 200.
    package var columns: [InspectedColumn]
    /// The first interactions in the order of the files, as they are understood.
    package var events: [InspectedEvent]
    package var statistics: DatasetStatistics

    package init(
        decision: FormatDecision, columns: [InspectedColumn], events: [InspectedEvent], statistics: DatasetStatistics
    ) {
        (self.decision, self.columns, self.events, self.statistics) = (decision, columns, events, statistics)
    }
}

/// A column of a file.
package struct InspectedColumn: Codable, Sendable, Hashable {
    /// Its name in the header, or its number from 0.
    package var name: String
    /// Up to three different values.
    package var values: [String]
    /// `user`, `item`, `items`, `time`; nil for one that is not read.
    package var role: String?

    package init(name: String, values: [String], role: String?) {
        (self.name, self.values, self.role) = (name, values, role)
    }
}

/// An interaction as it was understood.
package struct InspectedEvent: Codable, Sendable, Hashable {
    package var user: String
    package var item: String
    /// The date and time in UTC; the number where it is no known time; nil in file order.
    package var time: String?

    package init(user: String, item: String, time: String?) {
        (self.user, self.item, self.time) = (user, item, time)
    }
}
