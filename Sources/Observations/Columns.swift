internal import Domain

/// The columns of a table of observations that are no metrics, in the order in which they are written.
package enum Column: String, CaseIterable, Sendable {
    case backbone, loss, layers, dim, heads
    case maxLength = "max_length"
    case tokens, apen, seed, split, mask, users
    case userFraction = "user_fraction"
    case negatives, candidates, filter, policy
    case codeVersion = "code_version"
    case datasetVersion = "dataset_version"
    case feedForwardFactor = "feed_forward_factor"
    case parameters, epochs
    case bestEpoch = "best_epoch"
    case seconds, status, source

    /// What makes observations comparable, in the order in which what is missing is named.
    package static let declared: [Column] = [
        .datasetVersion, .filter, .split, .mask, .candidates, .backbone, .loss, .negatives, .maxLength, .policy,
        .codeVersion, .heads, .tokens, .apen,
    ]

    /// The columns of every table that is written; the others only where a value stands in them.
    static let always: Set<Column> = [
        .backbone, .loss, .layers, .dim, .heads, .maxLength, .tokens, .apen, .seed, .split, .mask, .users,
    ]
}

/// A column of metrics: `hr@10`, or its standard error, `hr@10_se`.
struct MetricColumn: Hashable {
    var metric: Metric
    var isError: Bool

    init(metric: Metric, isError: Bool) {
        self.metric = metric
        self.isError = isError
    }

    /// Nil when the name is none of a metric.
    init?(_ name: String) {
        let isError = name.hasSuffix("_se")
        guard let metric = Metric(isError ? String(name.dropLast(3)) : name) else { return nil }
        self.init(metric: metric, isError: isError)
    }

    var name: String { isError ? "\(metric)_se" : "\(metric)" }
}

/// What a table says of its rows beside their values: the place of each column, and values for all rows.
struct Header {
    let file: String
    private(set) var columns: [Column: Int] = [:]
    private(set) var metrics: [(column: MetricColumn, place: Int)] = []
    let count: Int
    /// Values of columns that the file does not have.
    let constants: [Column: String]

    /// Errors: `TableError` for names that are unknown, twice there or missing.
    init(_ row: CSVReader.Row, file: String, constants: [String: String]) throws {
        self.file = file
        count = row.fields.count
        var seen: Set<String> = []
        for (place, field) in row.fields.enumerated() {
            let name = field.lowercased()
            guard seen.insert(name).inserted else {
                throw TableError(file: file, line: row.line, column: name, "found it twice, expected every column once")
            }
            if let column = Column(rawValue: name) {
                columns[column] = place
            } else if let metric = MetricColumn(name) {
                metrics.append((metric, place))
            } else {
                throw TableError(file: file, line: row.line, Self.unknown(field, place))
            }
        }
        for required in [Column.layers, .dim] where columns[required] == nil {
            throw TableError(
                file: file, line: row.line,
                "found no column \(required.rawValue), expected layers, dim and a metric such as ndcg@10 in the header")
        }
        guard metrics.contains(where: { !$0.column.isError }) else {
            throw TableError(
                file: file, line: row.line,
                "found no column of a metric, expected at least one such as hr@10 or ndcg@10")
        }
        for (error, _) in metrics
        where error.isError && !metrics.contains(where: { $0.column.metric == error.metric && !$0.column.isError }) {
            throw TableError(
                file: file, line: row.line, column: error.name,
                "found no column \(error.metric) beside it, expected one")
        }
        self.constants = try Self.constants(constants, columns, file: file)
    }

    private static func constants(
        _ values: [String: String], _ columns: [Column: Int], file: String
    ) throws -> [Column: String] {
        var constants: [Column: String] = [:]
        for (name, value) in values {
            guard let column = Column(rawValue: name) else {
                throw TableError(file: file, "found a value for a column \"\(name)\", expected one of \(known)")
            }
            guard columns[column] == nil else {
                throw TableError(
                    file: file, column: name,
                    "found it in the file and a value for all rows beside it, expected one of both")
            }
            constants[column] = value
        }
        return constants
    }

    private static let known = Column.allCases.map(\.rawValue).joined(separator: ", ")

    private static func unknown(_ field: String, _ place: Int) -> String {
        if field.contains(";") || field.contains("\t") {
            return "found \"\(field.prefix(80))\" as one column, expected commas between the columns"
        }
        let shown =
            field.isEmpty
            ? "a column without a name (number \(place + 1))" : "an unknown column \"\(field.prefix(80))\""
        return "found \(shown), expected one of \(known), or metrics hr@K, ndcg@K, mrr@K with <metric>_se"
    }

    /// The text of a column in a row; nil where it is absent or empty.
    func text(_ column: Column, _ row: CSVReader.Row) -> String? {
        let text = columns[column].map { row.fields[$0] } ?? constants[column] ?? ""
        return text.isEmpty ? nil : text
    }
}
