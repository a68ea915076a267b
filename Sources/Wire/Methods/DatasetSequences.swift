/// `dataset.sequences`: what was read of a dataset's files, page by page: users sorted by their bytes, the items of each in order of time.
package enum DatasetSequences: RPCMethod {
    package typealias Params = DatasetSequencesParams
    package typealias Result = DatasetSequencesResult
    package static let name = "dataset.sequences"
    package static let access = Access.read
    package static let effort = Effort.long
    package static let ordering = Ordering.concurrent
}

/// Which page of which dataset.
package struct DatasetSequencesParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, user, after, limit
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    /// One user alone.
    package var user: String?
    /// Interactions before the page: the `next` of the answer before.
    package var after: Int?
    /// Most interactions of the page; 200,000 by default, and fewer where their names are long.
    package var limit: Int?

    package init(name: String, user: String? = nil, after: Int? = nil, limit: Int? = nil) {
        (self.name, self.user, self.after, self.limit) = (name, user, after, limit)
    }
}

/// One page.
package struct DatasetSequencesResult: Codable, Sendable, Hashable {
    /// Of the corpus: pages of one dataset have the same.
    package var version: String
    package var sequences: [Sequence]
    /// The `after` of the next page; nil on the last one.
    package var next: Int?

    /// Items of a user. A user whose items go on begins the next page.
    package struct Sequence: Codable, Sendable, Hashable {
        package var user: String
        package var items: [String]

        package init(user: String, items: [String]) {
            (self.user, self.items) = (user, items)
        }
    }

    package init(version: String, sequences: [Sequence], next: Int?) {
        (self.version, self.sequences, self.next) = (version, sequences, next)
    }
}
