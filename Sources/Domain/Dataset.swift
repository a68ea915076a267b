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
}

/// Entropy figures of a corpus. Pooled and per-user ApEn in nats, Shannon in bits, Lempel-Ziv in nats.
package struct EntropyReport: Codable, Sendable, Hashable {
    package struct Pooled: Codable, Sendable, Hashable {
        package var m: Int
        /// Plug-in conditional entropy of the next item given the last m, nats.
        package var value: Double
        package var biasCorrected: Double
        /// Share of contexts of length m that occur once.
        package var singletonShare: Double

        package init(m: Int, value: Double, biasCorrected: Double, singletonShare: Double) {
            self.m = m
            self.value = value
            self.biasCorrected = biasCorrected
            self.singletonShare = singletonShare
        }
    }

    /// Pooled ApEn of one m, where the report has it.
    package func pooled(m: Int) -> Pooled? { pooledApEn.first { $0.m == m } }

    package struct PerUser: Codable, Sendable, Hashable {
        package var m: Int
        package var r: Double
        package var maxLength: Int
        package var mean: Double
        package var users: Int
        /// Users whose sequence has no template of length m + 1; they count as 0, as published.
        package var tooShort: Int

        package init(m: Int, r: Double, maxLength: Int, mean: Double, users: Int, tooShort: Int) {
            self.m = m
            self.r = r
            self.maxLength = maxLength
            self.mean = mean
            self.users = users
            self.tooShort = tooShort
        }
    }

    package var pooledApEn: [Pooled]
    package var perUserApEn: PerUser
    package var shannonBits: Double
    package var lempelZiv: Double
    package var compressionRatio: Double
    /// Training positions after truncation to `perUserApEn.maxLength`.
    package var tokens: Int
    /// D' = tokens / pooled ApEn (m = 1).
    package var effectiveTokens: Double
    /// Degenerate cases in words, empty when there are none.
    package var notes: [String]

    package init(
        pooledApEn: [Pooled], perUserApEn: PerUser, shannonBits: Double, lempelZiv: Double, compressionRatio: Double,
        tokens: Int, effectiveTokens: Double, notes: [String]
    ) {
        self.pooledApEn = pooledApEn
        self.perUserApEn = perUserApEn
        self.shannonBits = shannonBits
        self.lempelZiv = lempelZiv
        self.compressionRatio = compressionRatio
        self.tokens = tokens
        self.effectiveTokens = effectiveTokens
        self.notes = notes
    }
}
