internal import Domain
internal import Text

/// What a table says of its rows beside their values: the place of each column, and values for all rows.
struct Header {
    let file: String
    private(set) var columns: [Column: Int] = [:]
    private(set) var metrics: [(column: MetricColumn, place: Int)] = []
    /// Columns whose values keep trainings apart, under the names that the policy gets them by.
    private(set) var varied: [(name: String, place: Int)] = []
    let names: [String]
    /// Values of columns that the file does not have.
    let constants: [Column: String]
    /// Names of the file's columns that were left out.
    private(set) var unused: [String] = []
    /// Columns of the file by other names than plawd's, with what they were read as.
    private(set) var read: [String: String] = [:]
    /// Whether the metrics were measured on the validation targets.
    private(set) var isValidation = false
    /// Recall columns that were read as hit rates.
    private(set) var recalls: [String] = []

    var count: Int { names.count }

    /// - Throws: `TableError`, for all names together that are unknown or ambiguous, for names twice there, and for what is missing.
    init(_ head: CSVReader.Row, _ rows: [CSVReader.Row], file: String, options: TableOptions) throws {
        self.file = file
        names = head.fields
        var sorter = ColumnSorter(head, rows, file: file, options: options)
        let sorted = try sorter.sorted()
        (columns, varied, unused, read) = (sorted.columns, sorted.varied, sorted.unused, sorted.read)
        (metrics, isValidation, recalls) = (sorted.metrics, sorted.isValidation, sorted.recalls)
        constants = sorted.constants
    }

    /// The text of a column in a row; nil where it is absent, empty or says that there is nothing.
    func text(_ column: Column, _ row: CSVReader.Row) -> String? {
        let text = columns[column].map { row.fields[$0] } ?? constants[column] ?? ""
        return Nothing.isSaid(text, in: column) ? nil : text
    }
}

/// Finds out what each column of a table is, and says of all that it cannot tell at once.
struct ColumnSorter {
    private let head: CSVReader.Row
    private let rows: [CSVReader.Row]
    private let file: String
    private let options: TableOptions
    private var found = Sorted()
    private var problems: [String] = []
    private var flags: [String] = []

    struct Sorted {
        var columns: [Column: Int] = [:]
        var metrics: [(column: MetricColumn, place: Int)] = []
        var varied: [(name: String, place: Int)] = []
        var unused: [String] = []
        var read: [String: String] = [:]
        var constants: [Column: String] = [:]
        var isValidation = false
        var recalls: [String] = []
    }

    init(_ head: CSVReader.Row, _ rows: [CSVReader.Row], file: String, options: TableOptions) {
        (self.head, self.rows, self.file, self.options) = (head, rows, file, options)
    }

    private func refusal(_ message: String, column: String? = nil, options: [String] = []) -> TableError {
        TableError(file: file, line: head.line, column: column, message, options: options)
    }

    mutating func sorted() throws -> Sorted {
        try checkNames()
        let told = try told()
        var columns: [Column: [Int]] = [:]
        var metrics: [(column: MetricColumn, measured: ColumnMeaning.Measured, place: Int, isTold: Bool)] = []
        var unknown: [Int] = []
        for (place, name) in head.fields.enumerated() {
            switch told[place] ?? (isIgnored(name) ? .unused : meaning(place)) {
            case .column(.policy) where told[place] != nil: found.varied.append((name, place))
            case .column(let column): columns[column, default: []].append(place)
            case .metric(let column, let measured): metrics.append((column, measured, place, told[place] != nil))
            case .unused: found.unused.append(name)
            case nil: unknown.append(place)
            }
        }
        for column in Column.allCases {
            guard let places = columns[column] else { continue }
            let own = places.filter { told[$0] != nil }
            if let place = try one(column.rawValue, own.isEmpty ? places : own, of: places) {
                found.columns[column] = place
            }
        }
        try sort(metrics.map { ($0.column, $0.measured, $0.place, $0.isTold) })
        found.constants = try constants()
        name(unknown)
        for required in [Column.layers, .dim]
        where found.columns[required] == nil && found.constants[required] == nil && columns[required] == nil {
            problems.append(
                "found no column \(required.rawValue)"
                    + (required == .layers ? " (--set layers=1 for a model without layers)" : ""))
        }
        if metrics.allSatisfy(\.column.isError) { problems.append("found no column of a metric") }
        guard problems.isEmpty else {
            throw refusal(
                problems.joined(separator: "; ") + ". Expected layers, dim and metrics (hr@K, ndcg@K, mrr@K with "
                    + "<metric>_se), and otherwise \(Column.known). --map THEIRS=OURS says what a column is, "
                    + "--map THEIRS=policy that trainings with different values of it are not compared, --ignore COLUMN "
                    + "leaves it out", options: flags)
        }
        for (error, _) in found.metrics
        where error.isError
            && !found.metrics.contains(where: { $0.column == .init(metric: error.metric, isError: false) })
        {
            throw refusal("found no column \(error.metric) beside it, expected one", column: error.name)
        }
        for (place, name) in head.fields.enumerated() {
            if let own = found.columns.first(where: { $0.value == place })?.key, own.rawValue != name.lowercased() {
                found.read[name] = own.rawValue
            }
            if let own = found.metrics.first(where: { $0.place == place })?.column, own.name != name.lowercased() {
                found.read[name] = own.name
            }
        }
        for (name, _) in found.varied { found.read[name] = Column.policy.rawValue }
        return found
    }

    // MARK: - What was said

    private func checkNames() throws {
        var seen: Set<String> = []
        for (place, name) in head.fields.enumerated() {
            if name.isEmpty, place > 0 {
                throw refusal("found a column without a name (number \(place + 1)), expected a name in the header")
            }
            guard seen.insert(name.lowercased()).inserted else {
                throw refusal("found it twice, expected every column once", column: name.lowercased())
            }
        }
        for name in options.ignore + options.map.keys.sorted() where place(of: name) == nil {
            throw refusal(
                "found no column \"\(name.prefix(80))\", which --map or --ignore names; expected one of the file's: "
                    + head.fields.prefix(60).joined(separator: ", "))
        }
        if let both = options.ignore.first(where: { options.map[$0] != nil }) {
            throw refusal("found it under both --map and --ignore, expected one of both", column: both)
        }
    }

    private func place(of name: String) -> Int? {
        head.fields.firstIndex(of: name) ?? head.fields.firstIndex { $0.lowercased() == name.lowercased() }
    }

    private func isIgnored(_ name: String) -> Bool {
        options.ignore.contains { $0 == name || $0.lowercased() == name.lowercased() }
    }

    private func told() throws -> [Int: ColumnMeaning] {
        var told: [Int: ColumnMeaning] = [:]
        for (theirs, ours) in options.map {
            guard let place = place(of: theirs) else { continue }
            if let column = Column(rawValue: ours.lowercased()) {
                told[place] = .column(column)
            } else if let metric = MetricColumn(ours.lowercased()) {
                told[place] = .metric(metric, .init())
            } else {
                throw refusal(
                    "found --map \(theirs)=\(ours.prefix(80)), expected one of \(Column.known), or a metric hr@K, ndcg@K, "
                        + "mrr@K with <metric>_se")
            }
        }
        return told
    }

    private func constants() throws -> [Column: String] {
        var constants: [Column: String] = [:]
        for (name, value) in options.constants {
            guard let column = Column(rawValue: name) else {
                throw TableError(file: file, "found a value for a column \"\(name)\", expected one of \(Column.known)")
            }
            guard found.columns[column] == nil else {
                throw TableError(
                    file: file, column: name,
                    "found it in the file and a value for all rows beside it, expected one of both")
            }
            constants[column] = value
        }
        return constants
    }

    // MARK: - What the names and values say

    private func meaning(_ place: Int) -> ColumnMeaning? {
        let meaning = ColumnNames.meaning(of: head.fields[place])
        // Trainers log the value of their loss under this name.
        if meaning == .column(.loss), !samples(place).isEmpty, samples(place).allSatisfy({ Double($0) != nil }) {
            return .unused
        }
        // What no row has a value of is nothing to ask about.
        return meaning == nil && !rows.isEmpty && rows.allSatisfy({ Nothing.isSaid($0.field(place)) })
            ? .unused : meaning
    }

    /// The first distinct values of a column, at most three.
    private func samples(_ place: Int) -> [String] {
        var samples: [String] = []
        for row in rows where samples.count < 3 {
            let value = row.field(place)
            if !Nothing.isSaid(value), !samples.contains(value) { samples.append(value) }
        }
        return samples
    }

    private func shown(_ place: Int) -> String {
        let samples = samples(place).map { String($0.prefix(14)) }
        return
            "\"\(head.fields[place].prefix(40))\" (\(samples.joined(separator: ", "))\(samples.count == 3 ? ", ..." : ""))"
    }

    /// The one column of several that is meant; nil where they differ and nobody said which.
    private mutating func one(_ name: String, _ places: [Int], of all: [Int]) throws -> Int? {
        guard let first = places.first else { return nil }
        let differs = places.dropFirst().contains { place in
            rows.contains { row in
                let (a, b) = (row.field(first), row.field(place))
                return !Nothing.isSaid(a) && !Nothing.isSaid(b) && a != b && Double(a) != Double(b)
            }
        }
        // A column that is empty in some rows must not hide one that is not.
        let fullest = places.max { filled($0) < filled($1) } ?? first
        guard differs else {
            found.unused += all.filter { $0 != fullest }.map { head.fields[$0] }
            return fullest
        }
        problems.append(
            "found \(places.count) columns that could be \(name): \(places.map(shown).joined(separator: ", "))")
        flags.append("--map " + "\(head.fields[first])=\(name)".shellWord)
        return nil
    }

    private func filled(_ place: Int) -> Int { rows.count { !Nothing.isSaid($0.field(place)) } }

    private mutating func sort(
        _ all: [(column: MetricColumn, measured: ColumnMeaning.Measured, place: Int, isTold: Bool)]
    ) throws {
        // Test targets before validation targets; hit rates before recall, which is the same only where users have one target.
        let hasTest = all.contains { !$0.measured.isValidation && !$0.column.isError }
        var order: [MetricColumn] = []
        for metric in all where !order.contains(metric.column) { order.append(metric.column) }
        for column in order {
            let own = all.filter { $0.column == column }
            func standing(_ m: ColumnMeaning.Measured, _ isTold: Bool) -> Int {
                isTold ? 3 : m.isValidation ? -1 : m.isRecall ? 1 : 2
            }
            let top = own.map { standing($0.measured, $0.isTold) }.max() ?? 0
            if top == -1, hasTest {
                found.unused += own.map { head.fields[$0.place] }
                continue
            }
            let best = own.filter { standing($0.measured, $0.isTold) == top }
            guard let place = try one(column.name, best.map(\.place), of: own.map(\.place)) else { continue }
            found.metrics.append((column, place))
            if top == -1 { found.isValidation = true }
            if best[0].measured.isRecall, !column.isError { found.recalls.append(head.fields[place]) }
        }
    }

    /// Says of unknown columns what they hold, and what settles each.
    private mutating func name(_ unknown: [Int]) {
        guard !unknown.isEmpty else { return }
        problems.append(
            "found \(unknown.count == 1 ? "an unknown column" : "\(unknown.count) unknown columns") "
                + unknown.prefix(12).map(shown).joined(separator: ", ") + (unknown.count > 12 ? ", ..." : ""))
        // Which metric the objective of a search was only its owner knows: the usual one that the table lacks.
        let read = Set(found.metrics.map(\.column.name))
        var objectives = ["ndcg@10", "hr@10", "mrr@10"].filter { !read.contains($0) }
        for place in unknown {
            let name = head.fields[place]
            let values = samples(place)
            let isObjective = ["value", "score", "objective", "metric", "ndcg", "hit", "recall", "mrr"].contains {
                name.lowercased().contains($0)
            }
            let isShare = !values.isEmpty && values.allSatisfy { Double($0).map { $0 >= 0 && $0 <= 1 } ?? false }
            if let metric = objectives.first, isObjective, isShare {
                flags.append("--map " + "\(name)=\(metric)".shellWord)
                objectives.removeAll()
            } else if keepsApart(place) {
                flags.append("--map " + "\(name)=policy".shellWord)
            } else {
                flags.append("--ignore " + name.shellWord)
            }
        }
    }
}

extension ColumnSorter {
    /// Whether a column has a few values, each of enough trainings for a law, as settings have and measurements have not. Few rows do
    /// not tell.
    fileprivate func keepsApart(_ place: Int) -> Bool {
        let counts = rows.map { $0.field(place) }.filter { !Nothing.isSaid($0) }.reduce(into: [:]) {
            $0[$1, default: 0] += 1
        }
        return counts.count > 1 && (rows.count < 6 || counts.values.allSatisfy { $0 >= 3 })
    }
}

extension CSVReader.Row {
    /// A field of a row that may be shorter than the header, which is refused later.
    func field(_ place: Int) -> String { place < fields.count ? fields[place] : "" }
}
