/// What the reader decided about a file before it read the rows.
package struct FormatDecision: Codable, Sendable, Hashable {
    /// `sequences`, `pairs`, `columns` (separated by spaces), `inter`, `double-colon`, `csv`, `tsv`.
    package var format: String
    /// `gzip` or `none`.
    package var compression: String
    package var hasHeader: Bool
    /// Zero-based column, or column name where there is a header, for each of `user`, `item`, `time`.
    package var columns: [String: String]
    /// `seconds`, `milliseconds`, `microseconds`, `nanoseconds`, `date`, or `file order` where there is no time column.
    package var timeUnit: String

    package init(
        format: String, compression: String, hasHeader: Bool, columns: [String: String], timeUnit: String
    ) {
        self.format = format
        self.compression = compression
        self.hasHeader = hasHeader
        self.columns = columns
        self.timeUnit = timeUnit
    }
}

/// Rows left out of a corpus for one reason.
package struct DroppedRows: Codable, Sendable, Hashable {
    package var reason: String
    package var count: Int
    /// The first few line numbers, counted from 1.
    package var firstLines: [Int]

    package init(reason: String, count: Int, firstLines: [Int]) {
        self.reason = reason
        self.count = count
        self.firstLines = firstLines
    }
}

/// What a corpus holds, counted while it was read.
package struct DatasetStatistics: Codable, Sendable, Hashable {
    package var rows: Int
    package var dropped: [DroppedRows]
    package var users: Int
    package var items: Int
    package var interactions: Int
    /// Minimum, lower quartile, median, upper quartile, maximum of the sequence lengths.
    package var lengthQuartiles: [Int]
    /// Share of interactions whose (user, item) pair occurred before.
    package var repeatedShare: Double
    /// Rows found earlier in time than the row before them, inside a user.
    package var outOfOrderRows: Int
    /// SHA-256 of the corpus content (ids, order, filters), hexadecimal: the dataset's version.
    package var contentHash: String
    /// Users with 3 or more interactions: the ones with a validation and a test target.
    package var evaluatedUsers: Int

    package init(
        rows: Int, dropped: [DroppedRows], users: Int, items: Int, interactions: Int, lengthQuartiles: [Int],
        repeatedShare: Double, outOfOrderRows: Int, contentHash: String, evaluatedUsers: Int
    ) {
        self.rows = rows
        self.dropped = dropped
        self.users = users
        self.items = items
        self.interactions = interactions
        self.lengthQuartiles = lengthQuartiles
        self.repeatedShare = repeatedShare
        self.outOfOrderRows = outOfOrderRows
        self.contentHash = contentHash
        self.evaluatedUsers = evaluatedUsers
    }
}

/// Options that override what the reader would decide, and the filters.
package struct ReadOptions: Codable, Sendable, Hashable {
    /// Column name or zero-based index for `user`, `item`, `time`.
    package var columns: [String: String]?
    /// Smallest number of interactions kept users and items have, applied until stable; nil filters nothing.
    package var kCore: Int?
    /// Keeps only the first of equal (user, item) pairs, or of equal (user, item, time) rows.
    package var deduplicate: Deduplication?

    package enum Deduplication: String, Codable, Sendable, Hashable, CaseIterable { case pairs, rows }

    package init(columns: [String: String]? = nil, kCore: Int? = nil, deduplicate: Deduplication? = nil) {
        self.columns = columns
        self.kCore = kCore
        self.deduplicate = deduplicate
    }

    /// The filters in words, as they stand in the key of observations: `none`, `k-core=5`, `k-core=5 deduplicate=pairs`.
    package var filter: String {
        let words = [kCore.map { "k-core=\($0)" }, deduplicate.map { "deduplicate=\($0.rawValue)" }].compactMap { $0 }
        return words.isEmpty ? "none" : words.joined(separator: " ")
    }
}
