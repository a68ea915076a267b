package import Domain

/// `observation.import`: takes observations of trainings made elsewhere from a CSV, all or nothing, and fits their laws.
package enum ObservationImport: RPCMethod {
    package typealias Params = ObservationImportParams
    package typealias Result = ObservationImportResult
    package static let name = "observation.import"
    package static let access = Access.write
    package static let effort = Effort.long
    package static let ordering = Ordering.exclusive
}

/// What to import, into which dataset.
package struct ObservationImportParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, text, uploadId, fileName, create, source, columns, users, items, interactions
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    /// The CSV itself, or
    package var text: String?
    /// a finished upload.
    package var uploadId: String?
    /// The file's name at the client, for messages.
    package var fileName: String?
    /// True makes the dataset, of observations alone; false (unless told) expects it to exist.
    package var create: Bool?
    /// Where the figures come from, in words; kept with every observation.
    package var source: String?
    /// A value for every row of columns that the file does not have: `{"mask": "full"}`.
    package var columns: [String: String]?
    /// Counts of the dataset's interactions, with `create` alone.
    package var users: Int?
    package var items: Int?
    package var interactions: Int?

    package init(
        name: String, text: String? = nil, uploadId: String? = nil, fileName: String? = nil, create: Bool? = nil,
        source: String? = nil, columns: [String: String]? = nil, users: Int? = nil, items: Int? = nil,
        interactions: Int? = nil
    ) {
        self.name = name
        self.text = text
        self.uploadId = uploadId
        self.fileName = fileName
        self.create = create
        self.source = source
        self.columns = columns
        self.users = users
        self.items = items
        self.interactions = interactions
    }
}

/// Observations of one key in an import.
package struct ImportedKey: Codable, Sendable, Hashable {
    package var key: LawKey
    /// Observations imported, and those among them that laws are fitted to.
    package var observations: Int
    package var converged: Int

    package init(key: LawKey, observations: Int, converged: Int) {
        self.key = key
        self.observations = observations
        self.converged = converged
    }
}

/// What was imported.
package struct ObservationImportResult: Codable, Sendable, Hashable {
    package var dataset: String
    /// Whether the dataset was made.
    package var created: Bool
    /// Rows of the file.
    package var rows: Int
    package var imported: Int
    /// Rows that said again what was known: same key, configuration, seed, share of users, and values.
    package var duplicates: Int
    /// Rows without metrics of trainings that diverged or failed.
    package var skipped: Int
    package var keys: [ImportedKey]
    /// Laws fitted with them.
    package var laws: [Int64]
    package var warnings: [Warning]

    package init(
        dataset: String, created: Bool, rows: Int, imported: Int, duplicates: Int, skipped: Int, keys: [ImportedKey],
        laws: [Int64], warnings: [Warning]
    ) {
        self.dataset = dataset
        self.created = created
        self.rows = rows
        self.imported = imported
        self.duplicates = duplicates
        self.skipped = skipped
        self.keys = keys
        self.laws = laws
        self.warnings = warnings
    }
}
