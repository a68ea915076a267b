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
        case name, text, uploadId, fileName, create, source, columns, map, ignore, statusOk, users, items, interactions
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    /// The CSV itself, or
    package var text: String?
    /// a finished upload.
    package var uploadId: String?
    /// The file's name at the client, for messages.
    package var fileName: String?
    /// True makes the dataset, of observations alone; false, the default, expects it to exist.
    package var create: Bool?
    /// Where the figures come from, in words; kept with every observation.
    package var source: String?
    /// A value for every row of columns that the file does not have: `{"mask": "full"}`.
    package var columns: [String: String]?
    /// plawd's name of a column, by the name it has in the file: `{"value": "ndcg@10"}`. Several may be `policy`: trainings with different
    /// values of these are not compared.
    package var map: [String: String]?
    /// Columns of the file to leave out.
    package var ignore: [String]?
    /// Words of the column status of trainings that ended well, beside those that are known.
    package var statusOk: [String]?
    /// Counts of the dataset's interactions, with `create` alone.
    package var users: Int?
    package var items: Int?
    package var interactions: Int?
}

extension ObservationImportParams {
    package init(name: String) { self.name = name }
}

/// Observations of one key in an import.
package struct ImportedKey: Codable, Sendable, Hashable {
    package var key: LawKey
    /// Observations imported, and those among them that laws are fitted to.
    package var observations: Int
    package var converged: Int

    package init(key: LawKey, observations: Int, converged: Int) {
        (self.key, self.observations, self.converged) = (key, observations, converged)
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
    /// Trainings among the imported ones that failed, by their status or for want of a metric: kept, and not fitted.
    package var failed: Int
    /// Rows with nothing to keep: cut short without a metric, or failed before they said their layers and dimension.
    package var skipped: Int
    /// Columns of the file by other names than plawd's, with what they were read as.
    package var read: [String: String]
    /// Columns of the file that were left out.
    package var unused: [String]
    package static let mostUnused = 200
    package var keys: [ImportedKey]
    /// Laws fitted with them.
    package var laws: [Int64]
    package var warnings: [Warning]

    package init(
        dataset: String, created: Bool, rows: Int, imported: Int, duplicates: Int, failed: Int, skipped: Int,
        read: [String: String], unused: [String], keys: [ImportedKey], laws: [Int64], warnings: [Warning]
    ) {
        self.dataset = dataset
        self.created = created
        self.rows = rows
        self.imported = imported
        self.duplicates = duplicates
        self.failed = failed
        self.skipped = skipped
        self.read = read
        self.unused = unused
        self.keys = keys
        self.laws = laws
        self.warnings = warnings
    }
}
