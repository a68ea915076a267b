internal import Domain
internal import Text

/// Decides from the first lines of a file how it is written; says what it saw where it cannot decide.
struct FormatSniffer {
    var options: ReadOptions
    let first: FirstLines
    var path: String { first.path }

    /// What was found out about a file.
    struct Decided {
        var layout: Layout
        var table: SampleTable
        var decision: FormatDecision

        var columns: [SampledColumn] {
            table.names.indices.map {
                SampledColumn(name: table.names[$0], word: table.word($0), values: table.samples($0))
            }
        }
    }

    private let growing: GrowingFile?

    init(path: String, options: ReadOptions, growing: GrowingFile? = nil) throws {
        self.options = options
        self.growing = growing
        first = try FirstLines(path: path, growing: growing)
    }

    /// The layout and its description.
    ///
    /// - Throws: `ambiguous`, `columns`.
    ///
    /// - Parameter others: files of the same layout, which may tell days from months where this one does not.
    func decide(before others: some Sequence<String> = []) throws -> Decided {
        var (layout, table) = try layout()
        layout.markLength = first.markLength
        // Rows are read by these without a look at their number, whichever of the ways above found them.
        let columns =
            [layout.userColumn, layout.itemColumn] + [layout.timeColumn].compactMap { $0 } + layout.eventColumns
        if let count = layout.fieldCount, let missing = columns.first(where: { !(0..<count).contains($0) }) {
            throw InteractionError(
                file: path, reason: "columns",
                "found \(count) columns, expected one of number \(missing), counted from 0")
        }
        if layout.isSequences, let condition = try RowFilter.conditions(of: options.where, path).first {
            throw InteractionError(
                file: path, reason: "columns",
                "the condition \(condition): found lines of a user and items, which have no column \"\(condition.column)\""
            )
        }
        if layout.isDayOpen, let time = layout.timeColumn {
            guard let order = try DayScan(paths: [path] + others, layout: layout, growing: growing).order else {
                throw RoleFinder.openDays(path, table.names[time], table.samples(time).joined(separator: ", "))
            }
            layout.time?.order = order
            layout.filter?.form = layout.time
        }
        return Decided(layout: layout, table: table, decision: description(layout, table.names))
    }

    private func description(_ layout: Layout, _ names: [String]) -> FormatDecision {
        var format: String
        switch layout.delimiter {
        case _ where layout.json != nil: format = "jsonl"
        case .doubleColon: format = "double-colon"
        case .byte(UInt8(ascii: "\t")): format = "tsv"
        case .byte: format = "csv"
        case .whitespace: format = layout.isSequences ? "sequences" : layout.fieldCount == 2 ? "pairs" : "columns"
        }
        if layout.hasHeader, layout.json == nil, Self.isRecBole(names) { format = "inter" }
        func name(_ column: Int) -> String { layout.hasHeader ? names[column] : String(column) }
        var named = ["user": name(layout.userColumn)]
        named[layout.list == nil ? "item" : "items"] = name(layout.itemColumn)
        if layout.isSequences { named["item"] = "1..." }
        if let target = layout.targetColumn { named["item"] = name(target) }
        if let time = layout.timeColumn { named["time"] = name(time) }
        named["behavior"] = layout.behaviorColumn.map(name)
        named["value"] = layout.valueColumn.map(name)
        named["domain"] = layout.domainColumn.map(name)
        let used =
            [layout.userColumn, layout.itemColumn, layout.timeColumn, layout.targetColumn]
            + layout.eventColumns + (layout.filter?.columns ?? [])
        let events = layout.json?.events.flatMap { shape in layout.json?.outer.firstIndex(of: shape.path) }
        let unused = layout.isSequences ? [] : names.indices.filter { !used.contains($0) && $0 != events }.map(name)
        return FormatDecision(
            format: format, compression: first.compressed ? "gzip" : "none",
            hasHeader: layout.hasHeader && layout.json == nil, columns: named,
            timeUnit: layout.time?.unit.rawValue ?? "file order",
            // Shown, and looked up by nobody.
            unused: unused.isEmpty ? nil : unused.prefix(100).map { String($0.prefix(200)) })
    }

    // MARK: - Delimiters

    private func layout() throws -> (Layout, SampleTable) {
        if first.lines[0].first(where: { $0 != 32 && $0 != 9 }) == UInt8(ascii: "{") {
            return try JSONSample(first, options).layout()
        }
        if counts(first.lines, .doubleColon).allSatisfy({ $0 >= 2 }) { return try columnar(.doubleColon) }
        for byte in [UInt8(ascii: "\t"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "|")] {
            let counts = counts(RecordSource.records(of: first.lines, .byte(byte)), .byte(byte))
            let common = counts[0]
            // A cut or broken line here and there does not hide the shape of the rest.
            if common >= 2, counts.filter({ $0 == common }).count * 100 >= counts.count * 80 {
                return try columnar(.byte(byte))
            }
        }
        return try whitespace()
    }

    private func whitespace() throws -> (Layout, SampleTable) {
        let counts = counts(first.lines, .whitespace)
        if options.columns?["items"] != nil { return try chosenSequences() }
        if options.columns != nil { return try columnar(.whitespace) }
        if counts.allSatisfy({ $0 == 2 }) {
            let names = ColumnNames.find(in: headerNames(first.lines, .whitespace))
            if names.user != nil && names.item != nil { return try columnar(.whitespace) }
            if looksLikeHeader(first.lines, .whitespace) { return try columnar(.whitespace) }
            try refuseWords()
            return try columnar(.whitespace)
        }
        if Set(counts).count == 1, (3...Self.mostColumns).contains(counts[0]) {
            let names = ColumnNames.find(in: headerNames(first.lines, .whitespace))
            let isHeader =
                names.user != nil && (names.item ?? names.items) != nil
                || looksLikeHeader(first.lines, .whitespace)
            let table = table(first.lines, .whitespace, hasHeader: isHeader)
            let looks = table.names.indices.dropFirst().map { table.look($0) }
            let times = looks.indices.filter { looks[$0] == .date || looks[$0] == .epoch(isCertain: true) }
            // The only other field may not be an item beside times: sequences of equal length whose items are large numbers.
            if !isHeader, times.contains(0), times.count > 1 {
                throw ambiguous("found items that look like times: the lines may be sequences or hold a time", table)
            }
            let isLastTime = looks.last.map { if case .epoch = $0 { true } else { false } } == true
            if isHeader || !times.isEmpty || isLastTime { return try columnar(.whitespace) }
            // Three fields could be a rating as well as a second item, and so could more where the third says little.
            if counts[0] == 3 ? counts.count > 1 : counts.count >= 20 && table.distinct(2) <= 10 {
                try refuseWords()
                throw ambiguous(
                    "found \(counts[0]) fields in every line, which may be `user item item` or `user item rating`",
                    table)
            }
        }
        if counts.allSatisfy({ $0 >= 1 }), counts.contains(where: { $0 > 2 }) {
            try refuseWords()
            try refuseItemsAlone()
            return sequences()
        }
        for byte in [",", ";", "|"] where counts.allSatisfy({ $0 == 1 }) {
            guard first.lines.filter({ $0.contains(byte.utf8.first ?? 0) }).count * 100 >= first.lines.count * 80 else {
                continue
            }
            let file = path.shellWord
            throw InteractionError(
                file: path, reason: "ambiguous",
                "found different numbers of fields between \(byte) in each line, the first is "
                    + "\(SampleTable.shown(first.lines[0])); if each line is a user and items: tr '\(byte)' ' ' < \(file) > data.txt && "
                    + "plaw register NAME data.txt  if it is items alone: tr '\(byte)' ' ' < \(file) | awk '{print NR, $0}' > "
                    + "data.txt && plaw register NAME data.txt")
        }
        for byte in ["^", "~", "@", ":", "#"] where counts.allSatisfy({ $0 == 1 }) {
            let marks = first.lines.map { line in line.filter { $0 == byte.utf8.first }.count }
            guard let common = marks.first, common > 0, marks.allSatisfy({ $0 == common }) else { continue }
            throw InteractionError(
                file: path, reason: "ambiguous",
                "found \(common) \(byte) in each line, the first is \(SampleTable.shown(first.lines[0])), expected fields between tabs, "
                    + "commas, semicolons, bars or `::`; to convert it: tr '\(byte)' '\\t' < \(path.shellWord) > data.tsv && "
                    + "plaw register NAME data.tsv")
        }
        throw InteractionError(
            file: path, reason: "ambiguous",
            "found lines of \(Set(counts).sorted().prefix(5).map(String.init).joined(separator: ", ")) fields separated by "
                + "blanks, expected `user item` pairs, `user item item ...` sequences, or columns separated by tab, comma, "
                + "semicolon, bar or `::`; the first line is \(SampleTable.shown(first.lines[0]))")
    }

    /// Lines of a user and items, because `--columns user=0,items=1` says so.
    private func chosenSequences() throws -> (Layout, SampleTable) {
        let columns = options.columns ?? [:]
        guard columns["items"] == "1", columns["user"] ?? "0" == "0", columns.count <= 2 else {
            throw InteractionError(
                file: path, reason: "columns",
                "found fields separated by blanks, of which a list of items can only be all after the first: "
                    + "expected --columns user=0,items=1")
        }
        return sequences()
    }

    /// Lines of items without a user look like sequences whose first item is the user.
    ///
    /// Users stand in ascending order, or are names that no line has among its items.
    private func refuseItemsAlone() throws {
        let lines = first.lines.map { Self.fields(.whitespace, $0) }
        let firsts = lines.compactMap(\.first)
        let numbers = firsts.compactMap { text in text.withUnsafeBytes(parseWhole) }
        if numbers.count == firsts.count, zip(numbers, numbers.dropFirst()).allSatisfy({ $0 <= $1 }) { return }
        let items = Set(lines.flatMap { $0.dropFirst() })
        guard lines.count > 1, firsts.filter(items.contains).count * 2 > firsts.count else { return }
        let file = path.shellWord
        throw InteractionError(
            file: path, reason: "ambiguous",
            "found lines whose first fields are among the items of other lines, such as \(SampleTable.shown(first.lines[0])): they "
                + "may be users or items; if the first field is the user: plaw register NAME \(file) --columns user=0,items=1  "
                + "if each line is items alone: awk '{print NR, $0}' \(file) > data.txt && plaw register NAME data.txt")
    }

    private func sequences() -> (Layout, SampleTable) {
        let rows = first.lines.prefix(20).map { line in
            let fields = Self.fields(.whitespace, line)
            return [fields.first ?? [], Array(fields.dropFirst().prefix(5).joined(separator: [32]))]
        }
        return (
            Layout(delimiter: .whitespace, isSequences: true),
            SampleTable(path: path, names: ["0", "1..."], hasHeader: false, rows: rows)
        )
    }

    /// Prose, logs and the like are no sequences.
    func refuseWords() throws {
        guard let objection = ItemWords.objection(to: first.lines) else { return }
        let lines = first.lines.prefix(3).map { "`\(SampleTable.shown($0))`" }.joined(separator: ", ")
        throw InteractionError(
            file: path, reason: "ambiguous",
            "found \(objection.why), expected a user and items in each line; the lines are \(lines)"
                + (objection.mayBe
                    ? "; if they are that: plaw register NAME \(path.shellWord) --columns user=0,items=1" : ""))
    }

    private func ambiguous(_ why: String, _ table: SampleTable) -> InteractionError {
        InteractionError(
            file: path, reason: "ambiguous",
            "\(why); the columns are \(table.description); as columns: plaw register NAME \(path.shellWord) "
                + "--columns user=0,item=1  as sequences: plaw register NAME \(path.shellWord) --columns user=0,items=1"
        )
    }

    func counts(_ records: [[UInt8]], _ delimiter: Delimiter) -> [Int] {
        var splitter = FieldSplitter(delimiter)
        return records.map { line in
            line.withUnsafeBytes {
                if !splitter.split($0) { splitter.splitPlainly($0) }
                return splitter.fields.count
            }
        }
    }

    static func fields(_ delimiter: Delimiter, _ line: [UInt8]) -> [[UInt8]] {
        var splitter = FieldSplitter(delimiter)
        return line.withUnsafeBytes { bytes in
            if !splitter.split(bytes) { splitter.splitPlainly(bytes) }
            return splitter.fields.map { Array(trimmed(bytes, $0)) }
        }
    }

    func headerNames(_ records: [[UInt8]], _ delimiter: Delimiter) -> [String] {
        Self.fields(delimiter, records[0]).map { String(decoding: $0, as: UTF8.self) }
    }

    static func isRecBole(_ header: [String]) -> Bool {
        header.allSatisfy { name in
            let parts = name.split(separator: ":", omittingEmptySubsequences: false)
            return parts.count == 2 && ["token", "token_seq", "float", "float_seq"].contains(parts[1])
        }
    }

    // MARK: - Columns

    /// A file of columns has a few; lines of more fields than this are sequences or nothing that is known, and are not looked at
    /// field by field.
    static let mostColumns = 4_096

    private func columnar(_ delimiter: Delimiter) throws -> (Layout, SampleTable) {
        let records = RecordSource.records(of: first.lines, delimiter)
        let fieldCount = counts(records, delimiter).max() ?? 0
        guard fieldCount <= Self.mostColumns else {
            throw InteractionError(
                file: path, reason: "ambiguous",
                "found a line of \(fieldCount) columns, expected at most \(Self.mostColumns)")
        }
        let header = headerNames(records, delimiter)
        guard header.count >= 2 else {
            throw InteractionError(
                file: path, reason: "columns",
                "found one column, expected two at least, of users and of items")
        }
        if header.allSatisfy({ $0.count > 2 && $0.first == "'" && $0.last == "'" }) {
            throw InteractionError(
                file: path, reason: "ambiguous",
                "found names in single quotes such as \(SampleTable.shown(Array(header[0].utf8))), expected double quotes or none; to "
                    + "take them out: tr -d \"'\" < \(path.shellWord) > data.txt && plaw register NAME data.txt")
        }
        let recognised = ColumnNames.find(in: header)
        let recBole = Self.isRecBole(header)
        let named = options.columns?.values.contains { Int($0) == nil } == true
        let isKnown = recognised.user != nil && (recognised.item ?? recognised.items) != nil
        var layout = Layout(delimiter: delimiter, fieldCount: header.count)
        layout.hasHeader = recBole || named || isKnown || looksLikeHeader(records, delimiter)
        let table = table(records, delimiter, hasHeader: layout.hasHeader)
        try RoleFinder(table: table, options: options, isRecBole: recBole).find(into: &layout)
        return (layout, table)
    }

    func table(_ records: [[UInt8]], _ delimiter: Delimiter, hasHeader: Bool) -> SampleTable {
        let header = headerNames(records, delimiter)
        let rows = (hasHeader ? records.dropFirst() : records[...]).map { Self.fields(delimiter, $0) }
            .filter { $0.count == header.count }
        return SampleTable(
            path: path, names: hasHeader ? header : header.indices.map(String.init), hasHeader: hasHeader, rows: rows)
    }

    /// No field of the first line is a number or a date, and some column below it holds nothing but numbers, dates, or names
    /// with digits where the first has none.
    func looksLikeHeader(_ records: [[UInt8]], _ delimiter: Delimiter) -> Bool {
        let header = Self.fields(delimiter, records[0])
        func isValue(_ field: [UInt8]) -> Bool {
            field.withUnsafeBytes { parseWhole($0) != nil || DateText($0, nil) != nil }
        }
        func hasDigit(_ field: [UInt8]) -> Bool { field.contains { (48...57).contains($0) } }
        guard records.count > 1, !header.contains(where: isValue) else { return false }
        let rows = records.dropFirst().map { Self.fields(delimiter, $0) }.filter { $0.count == header.count }
        return !rows.isEmpty
            && header.indices.contains { column in
                rows.allSatisfy { isValue($0[column]) }
                    || !hasDigit(header[column]) && header[column].count > 1 && rows.count > 1
                        && rows.allSatisfy { hasDigit($0[column]) }
            }
    }
}
