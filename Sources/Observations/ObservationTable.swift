package import Domain

/// What a dataset can add to rows that do not say it.
package struct TableContext: Sendable {
    package var dataset: String
    /// Where the figures come from; a column `source` goes before it.
    package var source: String?
    /// Training positions and entropy of all users at a length, where the dataset has interactions.
    package var tokens: Int?
    package var apen: Double?
    package var maxLength: Int?

    package init(
        dataset: String, source: String? = nil, tokens: Int? = nil, apen: Double? = nil, maxLength: Int? = nil
    ) {
        (self.dataset, self.source, self.tokens, self.apen, self.maxLength) = (dataset, source, tokens, apen, maxLength)
    }
}

/// Observations with the lines they stand on.
package struct ObservationTable: Sendable {
    package struct Row: Sendable, Hashable {
        package var line: Int
        package var observation: Observation

        package init(line: Int, observation: Observation) {
            (self.line, self.observation) = (line, observation)
        }
    }

    package var rows: [Row] = []
    /// Rows that say nothing to keep: trainings cut short without a metric, or that failed before their layers and dimension were said.
    package var skipped = 0
    /// Columns of the file by other names than plawd's, with what they were read as, and those that were left out.
    package let read: [String: String]
    package let unused: [String]
    /// What whoever imports the table should know of it.
    package private(set) var warnings: [Warning] = []

    /// Most rows of a table, most bytes, and most fields.
    package static let mostRows = 200_000
    package static let mostBytes = 128 << 20
    static let mostFields = 10_000_000

    /// Reads a table, or what RecBole writes of a search or a run.
    ///
    /// - Throws: `TableError`, naming the file, the line and the column.
    package init(
        bytes: [UInt8], file: String, options: TableOptions = TableOptions(), context: TableContext,
        shouldStop: () -> Bool = { false }
    ) throws {
        let (head, found) = try Self.fields(bytes, file: file, shouldStop)
        let header = try Header(head, found, file: file, options: options)
        (read, unused) = (header.read, header.unused)
        let checks = TableChecks(header: header, rows: found)
        let finished = Set(options.finished.map { $0.lowercased() })
        try checks.statuses(finished)
        try checks.percent()
        let rowReader = RowReader(header: header, context: context, finished: finished)
        for (number, row) in found.enumerated() {
            if number % 1_024 == 0, shouldStop() { throw CancellationError() }
            if let observation = try rowReader.observation(row) {
                rows.append(Row(line: row.line, observation: observation))
            } else {
                skipped += 1
            }
        }
        try checks.order(rows)
        warnings = checks.warnings(rows)
        completePolicies()
    }

    /// Trainings of the table that failed, which are kept and not fitted.
    package var failures: Int { rows.count { $0.observation.isFailed } }

    /// The header and all rows, which have as many fields.
    ///
    /// - Throws: `TableError`.
    private static func fields(
        _ bytes: [UInt8], file: String, _ shouldStop: () -> Bool
    ) throws -> (head: CSVReader.Row, rows: [CSVReader.Row]) {
        if let written = try RecBole.table(bytes, file: file) { return written }
        var reader = try CSVReader(bytes, file: file)
        guard let head = try reader.next() else {
            throw TableError(file: file, "found nothing, expected a header and rows of observations")
        }
        var rows: [CSVReader.Row] = []
        while let row = try reader.next() {
            if rows.count % 1_024 == 0, shouldStop() { throw CancellationError() }
            guard rows.count < mostRows else {
                throw TableError(file: file, line: row.line, "found more than \(mostRows) rows, expected fewer")
            }
            guard row.fields.count == head.fields.count else {
                throw TableError(
                    file: file, line: row.line,
                    "found \(row.fields.count) fields, expected \(head.fields.count) as in the header")
            }
            guard (rows.count + 1) * head.fields.count <= mostFields else {
                throw TableError(file: file, line: row.line, "found more than \(mostFields) fields, expected fewer")
            }
            rows.append(row)
        }
        guard !rows.isEmpty else {
            throw TableError(file: file, "found a header without rows, expected observations below it")
        }
        return (head, rows)
    }

    /// Writes heads and feed-forward factors into the policies, where shapes are compared at equal ones, as in trainings of the daemon's
    /// own. Heads that follow from the dimension are one rule, `heads<=4`: every dimension was trained with its own number, and
    /// no two numbers are compared at the same one.
    private mutating func completePolicies() {
        struct Group: Hashable {
            var key: LawKey
            var factor: Double?

            init(_ o: Observation) { (key, factor) = (o.key, o.configuration.feedForwardFactor) }
        }
        var heads: [Group: [Int: Set<Int>]] = [:]
        for row in rows {
            let c = row.observation.configuration
            if case .said(let number) = c.heads {
                heads[Group(row.observation), default: [:]][c.dim, default: []].insert(number)
            }
        }
        for place in rows.indices {
            let o = rows[place].observation
            let policy = o.key.policy
            var words = policy.text.isEmpty ? [] : [policy.text]
            if case .said(let number) = o.configuration.heads, !policy.says("heads") {
                let byDim = heads[Group(o)] ?? [:]
                let all = byDim.values.reduce(into: Set()) { $0.formUnion($1) }
                let isRule = all.count > 1 && byDim.values.allSatisfy { $0.count == 1 }
                words.append(isRule ? "heads<=\(all.max() ?? 1)" : "heads=\(number)")
            }
            if let factor = o.configuration.feedForwardFactor, !policy.says("ff") { words.append("ff=\(factor)") }
            rows[place].observation.key.policy = TrainingPolicy(words.joined(separator: " "), isSaid: policy.isSaid)
        }
    }

    // MARK: - Writing

    /// The table of observations, with the columns that any of them has; `init` reads the same observations from it.
    package static func write(_ observations: [Observation]) -> String {
        let columns = Column.allCases.filter { column in
            Column.always.contains(column) || observations.contains { text(column, $0) != nil }
        }
        let metrics = Set(observations.flatMap(\.metrics.keys)).compactMap { Metric($0) }.sorted {
            ($0.k, $0.kind.rawValue) < ($1.k, $1.kind.rawValue)
        }
        .flatMap { metric in
            let hasErrors = observations.contains { $0.metrics[metric.description]?.lacksError == false }
            return [false, true].prefix(hasErrors ? 2 : 1).map { MetricColumn(metric: metric, isError: $0) }
        }
        var lines = [(columns.map(\.rawValue) + metrics.map(\.name)).joined(separator: ",")]
        lines.reserveCapacity(observations.count + 1)
        for observation in observations {
            let cells = columns.map { csvField(text($0, observation) ?? ($0 == .status ? converged : "")) }
            let measured = metrics.map { column -> String in
                guard let measurement = observation.metrics[column.metric.description] else { return "" }
                if column.isError { return measurement.lacksError ? "" : "\(measurement.standardError)" }
                return "\(measurement.value)"
            }
            lines.append((cells + measured).joined(separator: ","))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The words of trainings that need no status of their own.
    static let converged = "converged"
    static let unfinished = "stoppedByBudget"
    static let failed = "failed"

    /// What stands in a column; nil where nothing does.
    private static func text(_ column: Column, _ o: Observation) -> String? {
        func some(_ value: Int) -> String? { value > 0 ? "\(value)" : nil }
        let c = o.configuration
        return switch column {
        case .backbone: c.backbone.value?.rawValue
        case .loss: c.loss.value?.rawValue
        case .layers: "\(c.layers)"
        case .dim: "\(c.dim)"
        case .heads: c.heads.value?.description
        case .maxLength: c.maxLength.value?.description
        case .tokens: o.tokens.value?.description
        case .apen: o.apen.value?.description
        case .seed: "\(o.seed)"
        case .split: o.key.split.value
        case .mask: o.key.mask.value?.rawValue
        case .users: some(o.users)
        case .userFraction: o.userFraction == 1 ? nil : "\(o.userFraction)"
        case .negatives: o.key.negatives.value?.description
        case .candidates: o.key.candidates.value
        case .filter: o.key.filter.value
        case .policy: o.key.policy.isSaid ? o.key.policy.text : nil
        case .codeVersion: o.key.codeVersion.value
        case .datasetVersion: o.key.datasetVersion.value
        case .feedForwardFactor: c.feedForwardFactor.map { "\($0)" }
        case .parameters: o.parameters.map { "\($0)" }
        case .flops: o.trainingFlops.map { "\($0)" }
        case .memoryBytes: o.memoryBytes.map { "\($0)" }
        case .latencySeconds: o.latencySeconds.map { "\($0)" }
        case .epochs: some(o.epochs)
        case .bestEpoch: o.bestEpoch.map { "\($0)" }
        case .seconds: o.seconds > 0 ? "\(o.seconds)" : nil
        case .status: o.status ?? (o.converged ? nil : unfinished)
        case .source: o.source
        }
    }
}

extension Observation {
    /// Whether an import calls it a training that failed.
    package var isFailed: Bool { status.flatMap { Ending($0, finished: []) } == .failed }
}
