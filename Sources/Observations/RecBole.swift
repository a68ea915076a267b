/// Reads what RecBole writes: the results file of its hyperparameter search, and the log of a run.
///
/// A search's file has a block a trial: a line `n_layers:2, hidden_size:64`, then `Valid result:` and `Test result:`, each before a line
/// `recall@10 : 0.02    ndcg@10 : 0.01`. A log has lines `n_layers = 2` of the configuration, and at its end
/// `best valid : OrderedDict([('ndcg@10', 0.01)])` and `test result: OrderedDict(...)`.
enum RecBole {
    private typealias Fields = [(name: String, value: String)]

    /// The trials as rows of a table; nil for a file that is none of both.
    ///
    /// - Throws: `TableError` for blocks without a result.
    static func table(_ bytes: [UInt8], file: String) throws -> (head: CSVReader.Row, rows: [CSVReader.Row])? {
        // A search says so in its first block, a log at its end: large tables are not looked through.
        guard mayBe(bytes.prefix(1 << 18)) || mayBe(bytes.suffix(1 << 18)),
            let text = String(validating: bytes, as: UTF8.self)
        else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { plain($0) }
        let isSearch = lines.contains { $0.lowercased() == "test result:" || $0.lowercased() == "valid result:" }
        let isLog = lines.contains { $0.contains("test result") && $0.contains("OrderedDict(") || isResult($0) }
        guard isSearch || isLog else { return nil }
        let trials = isSearch ? search(lines) : try log(lines, file)
        guard trials.contains(where: { $0.fields.contains { $0.name.hasPrefix("test_") } }) else {
            throw TableError(
                file: file, "found a file of RecBole without the test result of any trial, expected one or more")
        }
        var names: [String] = []
        for (name, _) in trials.flatMap(\.fields) where !names.contains(name) { names.append(name) }
        let rows = trials.map { trial in
            let values = Dictionary(trial.fields.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last })
            return CSVReader.Row(line: trial.line, fields: names.map { values[$0] ?? "" })
        }
        guard rows.count <= ObservationTable.mostRows, names.count <= CSVReader.mostColumns else {
            throw TableError(file: file, "found \(rows.count) trials of \(names.count) fields, expected fewer")
        }
        return (CSVReader.Row(line: 1, fields: names), rows)
    }

    private static func mayBe(_ bytes: ArraySlice<UInt8>) -> Bool {
        String(decoding: bytes, as: UTF8.self).lowercased().contains("test result")
    }

    /// A line without the colours of a terminal and spaces around it.
    private static func plain(_ line: Substring) -> String {
        var result = ""
        var isEscape = false
        for scalar in line.unicodeScalars {
            if scalar == "\u{1B}" { isEscape = true }
            if !isEscape { result.unicodeScalars.append(scalar) }
            if isEscape, scalar.properties.isAlphabetic { isEscape = false }
        }
        while result.last?.isWhitespace == true { result.removeLast() }
        return String(result.drop { $0.isWhitespace })
    }

    private static func isResult(_ line: String) -> Bool {
        line.contains("test result: {") || line.contains("test result : {")
    }

    /// The trials of a search; one that ends before its test result does is told from finished ones by its status.
    private static func search(_ lines: [String]) -> [(line: Int, fields: Fields)] {
        var trials: [(line: Int, fields: Fields)] = []
        var settings: (line: Int, fields: Fields) = (1, [])
        var prefix: String?
        var (isOpen, tested) = (false, 0)
        func close() {
            if isOpen {
                trials.append((settings.line, settings.fields.filter { !isMetric($0.name) } + [("status", "running")]))
            }
            isOpen = false
        }
        for (number, line) in lines.enumerated() {
            switch line.lowercased() {
            case "": continue
            case "valid result:": prefix = "valid_"
            case "test result:": prefix = "test_"
            default:
                if let kind = prefix, line.contains(" : ") {
                    // A result may say so of its metrics already.
                    let metrics = pairs(line, between: " : ").map { (name: kind + $0.name, value: $0.value) }
                    settings.fields += metrics
                    // All trials measure the same: one of fewer metrics was cut.
                    if kind == "test_", metrics.count >= tested {
                        trials.append(settings)
                        (isOpen, tested) = (false, metrics.count)
                    }
                    prefix = nil
                } else {
                    prefix = nil
                    close()
                    settings = (number + 1, pairs(line, between: ":"))
                    isOpen = !settings.fields.isEmpty
                }
            }
        }
        close()
        return trials
    }

    private static func isMetric(_ name: String) -> Bool { name.hasPrefix("valid_") || name.hasPrefix("test_") }

    /// `a : 1    b : 2`, or `a:1, b:2`.
    private static func pairs(_ line: String, between colon: String) -> Fields {
        let parts =
            colon == ":" ? line.split(separator: ",").map(String.init) : line.split(separator: "    ").map(String.init)
        return parts.compactMap { part in
            let pair = part.split(separator: ":", maxSplits: 1).map { plain(Substring($0)) }
            guard pair.count == 2, !pair[0].isEmpty else { return nil }
            return (pair[0], pair[1])
        }
    }

    /// What a log says of shape and model, and the test result that follows: once for each run, since runs of one process share a log.
    ///
    /// - Throws: `TableError` for a result without settings of its own, which would be taken for one of the run before.
    private static func log(_ lines: [String], _ file: String) throws -> [(line: Int, fields: Fields)] {
        var runs: [(line: Int, fields: Fields)] = []
        var fields: Fields = []
        for (number, line) in lines.enumerated() {
            let pair = line.split(separator: "=", maxSplits: 1).map { plain(Substring($0)) }
            if pair.count == 2, !pair[0].contains(" "), isSetting(pair[0]) {
                fields.append((pair[0], pair[1].split(separator: " ").first.map(String.init) ?? ""))
            }
            guard line.contains("test result"), case let found = result(line), !found.isEmpty else { continue }
            guard !fields.isEmpty || runs.isEmpty else {
                throw TableError(
                    file: file,
                    "found a test result in line \(number + 1) without settings after that of line \(runs[runs.count - 1].line), "
                        + "expected the settings of each run before its result")
            }
            runs.append((number + 1, fields + found.map { ("test_" + $0.name, $0.value) }))
            fields = []
        }
        return runs
    }

    /// Settings of a run that are columns of an observation; of its hundred others nothing keeps one run apart.
    private static func isSetting(_ name: String) -> Bool {
        guard let column = Column(plain: ColumnNames.plain(name)) else { return false }
        return [.backbone, .loss, .layers, .dim, .heads, .maxLength, .seed].contains(column)
    }

    /// `OrderedDict([('ndcg@10', 0.01)])`, or `{'ndcg@10': 0.01}`.
    private static func result(_ line: String) -> Fields {
        let parts = line.split(separator: "'", omittingEmptySubsequences: false)
        return stride(from: 1, to: parts.count - 1, by: 2).map { place in
            (String(parts[place]), String(parts[place + 1].filter { $0.isNumber || ".-+enainf".contains($0) }))
        }
    }
}
