/// What the reader decided about a file before it read the rows.
package struct FormatDecision: Codable, Sendable, Hashable {
    /// `sequences`, `pairs`, `columns` (separated by spaces), `inter`, `double-colon`, `csv`, `tsv`, `jsonl`.
    package var format: String
    /// `gzip` or `none`, of what the daemon read.
    package var compression: String
    /// What the client took that out of, in its own words: `zip`, `xz`, `Parquet by pyarrow`; nil where it sent the file as it is.
    package var container: String?
    package var hasHeader: Bool
    /// Zero-based column, or column name where there is a header, for each of `user`, `item`, `items`, `time`.
    package var columns: [String: String]
    /// `seconds`, `milliseconds`, `microseconds`, `nanoseconds`, `date`, or `file order` where there is no time column.
    package var timeUnit: String
    /// Columns that were not used, at most 100 of them; nil where there is none, and in datasets of older daemons.
    package var unused: [String]?

    package init(
        format: String, compression: String, hasHeader: Bool, columns: [String: String], timeUnit: String,
        unused: [String]? = nil, container: String? = nil
    ) {
        (self.format, self.compression, self.hasHeader, self.columns) = (format, compression, hasHeader, columns)
        (self.timeUnit, self.unused, self.container) = (timeUnit, unused, container)
    }

    /// The same decision about what a client took out of a container.
    package func out(of container: String?) -> FormatDecision {
        var decision = self
        decision.container = container
        return decision
    }
}

/// Rows left out of a corpus for one reason.
package struct DroppedRows: Codable, Sendable, Hashable {
    package var reason: String
    package var count: Int
    /// The first few line numbers, counted from 1.
    package var firstLines: [Int]

    package init(reason: String, count: Int, firstLines: [Int]) {
        (self.reason, self.count, self.firstLines) = (reason, count, firstLines)
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
    /// What reading found besides; nil in datasets of older daemons.
    package var reading: ReadingCounts?
    /// What the interactions say besides; nil where they say nothing, and in datasets of older daemons.
    package var events: EventFacts?

    package init(
        rows: Int, dropped: [DroppedRows], users: Int, items: Int, interactions: Int, lengthQuartiles: [Int],
        repeatedShare: Double, outOfOrderRows: Int, contentHash: String, evaluatedUsers: Int,
        reading: ReadingCounts? = nil, events: EventFacts? = nil
    ) {
        (self.reading, self.events) = (reading, events)
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

/// What was found while a file was read that changes how far its order can be trusted; nil where it was not counted.
package struct ReadingCounts: Codable, Sendable, Hashable {
    /// Interactions at the same time as another of their user: the order of the file decides between them.
    package var equalTimes: Int?
    /// Interactions that repeat another's user, item and time.
    package var exactDuplicates: Int?
    /// What `deduplicate` removed.
    package var removedDuplicates: Int?
    /// What `kCore` removed.
    package var removedByCore: Int?
    /// Rows that each condition of `where` removed, the first that a row does not meet.
    package var removedByConditions: [RemovedRows]?
    /// Interactions before 1971 or after 2099 where most are between.
    package var oddTimes: Int?

    package init() {}
}

/// Rows that a condition removed.
package struct RemovedRows: Codable, Sendable, Hashable {
    package var condition: String
    package var count: Int

    package init(condition: String, count: Int) {
        (self.condition, self.count) = (condition, count)
    }
}

/// Options that override what the reader would decide, and the filters.
package struct ReadOptions: Codable, Sendable, Hashable {
    /// Column name or zero-based index for `user`, `item` or `items` (a list), `time`, `behavior`, `value`, `domain`.
    package var columns: [String: String]?
    /// Smallest number of interactions kept users and items have, applied until stable; nil filters nothing.
    package var kCore: Int?
    /// Keeps only the first of equal (user, item) pairs, or of equal (user, item, time) rows.
    package var deduplicate: Deduplication?
    /// `file` leaves times unread: users' interactions stay in the order of the file.
    package var order: Order?
    /// What comes first in dates such as `01/12/2010`, where the file does not tell.
    package var dates: DayOrder?
    /// Conditions that rows must meet to be read, such as `behavior=buy`; the texts of `RowCondition`.
    package var `where`: [String]?

    /// What columns can hold.
    package static let roles = ["user", "item", "items", "time", "behavior", "value", "domain"]

    package enum CodingKeys: String, CodingKey, CaseIterable { case columns, kCore, deduplicate, order, dates, `where` }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package enum Deduplication: String, Codable, Sendable, Hashable, CaseIterable { case pairs, rows }
    package enum Order: String, Codable, Sendable, Hashable, CaseIterable { case file }
    package enum DayOrder: String, Codable, Sendable, Hashable, CaseIterable { case dmy, mdy }

    package init(
        columns: [String: String]? = nil, kCore: Int? = nil, deduplicate: Deduplication? = nil,
        order: Order? = nil, dates: DayOrder? = nil, where conditions: [String]? = nil
    ) {
        (self.columns, self.kCore, self.deduplicate) = (columns, kCore, deduplicate)
        (self.order, self.dates, self.where) = (order, dates, conditions)
    }

    /// The filters in words, as they stand in the key of observations: `none`, `k-core=5`, `k-core=5 deduplicate=pairs`,
    /// `where(behavior=buy) k-core=5`.
    package var filter: String {
        let words = [
            `where`.flatMap { $0.isEmpty ? nil : "where(\($0.joined(separator: " and ")))" },
            kCore.map { "k-core=\($0)" }, deduplicate.map { "deduplicate=\($0.rawValue)" },
        ].compactMap { $0 }
        return words.isEmpty ? "none" : words.joined(separator: " ")
    }
}
