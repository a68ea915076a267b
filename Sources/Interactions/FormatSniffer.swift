internal import Domain

/// Decides from the first lines of a file how it is written; says what it saw where it cannot decide.
struct FormatSniffer {
    /// What reading the rows needs to know.
    struct Layout {
        var delimiter: Delimiter
        /// One user and all items of that user in a line.
        var isSequences = false
        var hasHeader = false
        var userColumn = 0
        var itemColumn = 1
        var timeColumn: Int?
        var timeUnit: TimeUnit?
        /// Fields a row has; rows with another number are dropped. Nil where the number may vary.
        var fieldCount: Int?
        /// Bytes of a byte-order mark before the first line.
        var markLength = 0
    }

    let path: String
    let options: ReadOptions
    let compressed: Bool
    /// First lines, blank ones left out, byte-order mark removed.
    let lines: [[UInt8]]
    let markLength: Int

    static let sampleLines = 400

    init(path: String, options: ReadOptions) throws {
        self.path = path
        self.options = options
        let source = try LineSource(path: path)
        compressed = source.compressed
        var lines: [[UInt8]] = []
        var markLength = 0
        var sampled = 0
        var binary = false
        while lines.count < Self.sampleLines, sampled < 1 << 20, !binary,
            try source.next({ line in
                var line = line
                if lines.isEmpty, line.starts(with: [0xef, 0xbb, 0xbf]) {
                    markLength = 3
                    line = UnsafeRawBufferPointer(rebasing: line[3...])
                }
                sampled += line.count + 1
                binary = line.contains { $0 < 9 || ($0 > 13 && $0 < 32 && $0 != 27) || $0 == 127 }
                if line.contains(where: { $0 != 32 && $0 != 9 }) { lines.append(Array(line)) }
            })
        {}
        if binary {
            throw InteractionError(
                file: path, line: source.lineNumber, reason: "binary",
                "found control bytes, expected lines of text: this looks like a binary file")
        }
        if lines.isEmpty {
            throw InteractionError(file: path, reason: "empty", "found no line with text in it")
        }
        self.lines = lines
        self.markLength = markLength
    }

    /// The layout and its description. Errors: `ambiguous`, `columns`.
    func decide() throws -> (Layout, FormatDecision) {
        var layout = try layout()
        layout.markLength = markLength
        // Rows are read by these without a look at their number, whichever of the ways above found them.
        let columns = [layout.userColumn, layout.itemColumn] + (layout.timeColumn.map { [$0] } ?? [])
        if let count = layout.fieldCount, let missing = columns.first(where: { !(0..<count).contains($0) }) {
            throw InteractionError(
                file: path, reason: "columns",
                "found \(count) columns, expected one of number \(missing), counted from 0")
        }
        var format: String
        switch layout.delimiter {
        case .doubleColon: format = "double-colon"
        case .byte(UInt8(ascii: "\t")): format = "tsv"
        case .byte: format = "csv"
        case .whitespace: format = layout.isSequences ? "sequences" : layout.fieldCount == 2 ? "pairs" : "columns"
        }
        let header = headerNames(layout.delimiter)
        if layout.hasHeader, isRecBole(header) { format = "inter" }
        func name(_ column: Int) -> String { layout.hasHeader ? header[column] : String(column) }
        var named = ["user": name(layout.userColumn), "item": name(layout.itemColumn)]
        if layout.isSequences { named["item"] = "1..." }
        if let time = layout.timeColumn { named["time"] = name(time) }
        let decision = FormatDecision(
            format: format, compression: compressed ? "gzip" : "none", hasHeader: layout.hasHeader, columns: named,
            timeUnit: layout.timeUnit?.rawValue ?? "file order")
        return (layout, decision)
    }

    // MARK: - Delimiters

    private func layout() throws -> Layout {
        if counts(.doubleColon).allSatisfy({ $0 >= 2 }) { return try columnar(.doubleColon) }
        for byte in [UInt8(ascii: "\t"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "|")] {
            let counts = counts(.byte(byte))
            let common = counts[0]
            // A cut or broken line here and there does not hide the shape of the rest.
            if common >= 2, counts.filter({ $0 == common }).count * 100 >= counts.count * 80 {
                return try columnar(.byte(byte))
            }
        }
        let counts = counts(.whitespace)
        if options.columns != nil { return try columnar(.whitespace) }
        if counts.allSatisfy({ $0 == 2 }) {
            let names = ColumnNames.find(in: headerNames(.whitespace))
            let isHeader = (names.user != nil && names.item != nil) || looksLikeHeader(.whitespace)
            return isHeader ? try columnar(.whitespace) : Layout(delimiter: .whitespace, fieldCount: 2)
        }
        if Set(counts).count == 1, (3...Self.mostColumns).contains(counts[0]) {
            let columns = try columnar(.whitespace)
            if let time = columns.timeColumn, !columns.hasHeader, isTime(columns.itemColumn, like: time) {
                throw ambiguous("found items that look like times: the lines may be sequences or hold a time")
            }
            if columns.hasHeader || columns.timeColumn != nil { return columns }
            // Three fields could be a rating as well as a second item; more are taken for a sequence.
            if counts[0] == 3, counts.count > 1 {
                throw ambiguous("found 3 fields in every line, which may be `user item item` or `user item rating`")
            }
        }
        if counts.allSatisfy({ $0 >= 1 }), counts.contains(where: { $0 > 2 }) {
            return Layout(delimiter: .whitespace, isSequences: true)
        }
        throw ambiguous(
            "found lines of \(Set(counts).sorted().map(String.init).joined(separator: ", ")) fields separated by blanks, "
                + "expected `user item` pairs, `user item item ...` sequences, or columns separated by tab, comma, "
                + "semicolon, bar or `::`")
    }

    private func counts(_ delimiter: Delimiter) -> [Int] {
        var splitter = FieldSplitter(delimiter)
        return lines.map { line in
            line.withUnsafeBytes { splitter.split($0) ? splitter.fields.count : 0 }
        }
    }

    private func fields(_ delimiter: Delimiter, _ line: [UInt8]) -> [[UInt8]] {
        var splitter = FieldSplitter(delimiter)
        return line.withUnsafeBytes { bytes in
            splitter.split(bytes) ? splitter.fields.map { Array(trimmed(bytes, $0)) } : []
        }
    }

    private func headerNames(_ delimiter: Delimiter) -> [String] {
        fields(delimiter, lines[0]).map { String(decoding: $0, as: UTF8.self) }
    }

    private func isRecBole(_ header: [String]) -> Bool {
        header.allSatisfy { name in
            let parts = name.split(separator: ":", omittingEmptySubsequences: false)
            return parts.count == 2 && ["token", "token_seq", "float", "float_seq"].contains(parts[1])
        }
    }

    // MARK: - Columns

    /// A file of columns has a few; lines of more fields than this are sequences or nothing that is known, and are not looked at
    /// field by field.
    private static let mostColumns = 4_096

    private func columnar(_ delimiter: Delimiter) throws -> Layout {
        let fieldCount = counts(delimiter).max() ?? 0
        guard fieldCount <= Self.mostColumns else {
            throw InteractionError(
                file: path, reason: "ambiguous",
                "found a line of \(fieldCount) columns, expected at most \(Self.mostColumns)")
        }
        let header = headerNames(delimiter)
        guard header.count >= 2 else {
            throw InteractionError(
                file: path, reason: "columns",
                "found one column, expected two at least, of users and of items")
        }
        var layout = Layout(delimiter: delimiter, fieldCount: header.count)
        let recognised = ColumnNames.find(in: header)
        let recBole = isRecBole(header)
        let named = options.columns?.values.contains { Int($0) == nil } == true
        layout.hasHeader =
            recBole || named || (recognised.user != nil && recognised.item != nil) || looksLikeHeader(delimiter)
        if recBole && recognised.user == nil, header.count >= 2 {
            layout.userColumn = 0
            layout.itemColumn = 1
        } else if layout.hasHeader {
            func known(_ role: String, _ column: Int?, _ place: inout Int) throws {
                guard options.columns?[role] == nil else { return }
                guard let column else {
                    throw ambiguous(
                        "found a header with the columns \(header.map { "\"\($0)\"" }.joined(separator: ", ")), "
                            + "of which none is known to hold the \(role)")
                }
                place = column
            }
            try known("user", recognised.user, &layout.userColumn)
            try known("item", recognised.item, &layout.itemColumn)
        }
        let rows = (layout.hasHeader ? lines.dropFirst() : lines[...]).map { fields(delimiter, $0) }
            .filter { $0.count == header.count }
        layout.timeColumn =
            layout.hasHeader ? recognised.time : timeColumn(rows, count: header.count)
        try apply(options.columns, header: header, to: &layout)
        if let time = layout.timeColumn {
            guard let unit = timeUnit(rows.map { $0[time] }) else {
                if options.columns?["time"] != nil {
                    let sample = rows.first.map { String(decoding: $0[time], as: UTF8.self) } ?? ""
                    throw InteractionError(
                        file: path, reason: "columns",
                        "the time column: found \"\(sample)\", expected Unix times or dates such as 2010-12-01 08:26:00"
                    )
                }
                layout.timeColumn = nil
                return layout
            }
            layout.timeUnit = unit
        }
        return layout
    }

    /// No field of the first line is a number, and some column is nothing but numbers below it.
    private func looksLikeHeader(_ delimiter: Delimiter) -> Bool {
        let first = fields(delimiter, lines[0])
        guard lines.count > 1, first.allSatisfy({ $0.withUnsafeBytes { parseInteger($0) == nil } }) else {
            return false
        }
        let rows = lines.dropFirst().map { fields(delimiter, $0) }.filter { $0.count == first.count }
        return first.indices.contains { column in
            !rows.isEmpty && rows.allSatisfy { row in row[column].withUnsafeBytes { parseInteger($0) != nil } }
        }
    }

    /// The last column after the first two in which every field is a plausible time.
    private func timeColumn(_ rows: [[[UInt8]]], count: Int) -> Int? {
        guard count > 2, !rows.isEmpty else { return nil }
        return (2..<count).last { column in
            let times = rows.map { row in
                row[column].withUnsafeBytes { text in
                    parseInteger(text).flatMap(TimeUnit.of) ?? (parseDate(text) == nil ? nil : .date)
                }
            }
            let known = times.compactMap { $0 }
            return known.count * 100 >= times.count * 95
        }
    }

    /// True when the fields of two columns are times of one unit.
    private func isTime(_ column: Int, like time: Int) -> Bool {
        let rows = lines.map { fields(.whitespace, $0) }
        func unit(_ column: Int) -> TimeUnit? {
            let values = rows.compactMap { row in row[column].withUnsafeBytes { parseInteger($0) } }
            guard values.count == rows.count else { return nil }
            return TimeUnit.of(magnitude: values.map { Int64(clamping: $0.magnitude) }.sorted()[values.count / 2])
        }
        return unit(column) != nil && unit(column) == unit(time)
    }

    /// The unit most fields of a column are in; nil where most are no times at all.
    private func timeUnit(_ fields: [[UInt8]]) -> TimeUnit? {
        guard !fields.isEmpty else { return nil }
        let dates = fields.filter { field in field.withUnsafeBytes { parseDate($0) != nil } }.count
        if dates * 2 > fields.count { return .date }
        let values = fields.compactMap { field in field.withUnsafeBytes { parseInteger($0) } }
        guard values.count * 2 > fields.count else { return nil }
        let median = values.map { Int64(clamping: $0.magnitude) }.sorted()[values.count / 2]
        // Small numbers are an order in seconds of nowhere; they still sort.
        return TimeUnit.of(magnitude: median) ?? .seconds
    }

    private func apply(_ columns: [String: String]?, header: [String], to layout: inout Layout) throws {
        for (role, column) in columns ?? [:] {
            let index: Int
            if let number = Int(column), header.indices.contains(number) {
                index = number
            } else if layout.hasHeader,
                let found = header.firstIndex(where: { $0 == column || $0.split(separator: ":").first ?? "" == column })
            {
                index = found
            } else {
                throw InteractionError(
                    file: path, reason: "columns",
                    "column \(role)=\(column): found the columns "
                        + header.enumerated().map { "\($0) (\"\($1)\")" }.joined(separator: ", "))
            }
            switch role {
            case "user": layout.userColumn = index
            case "item": layout.itemColumn = index
            case "time": layout.timeColumn = index
            default:
                throw InteractionError(
                    file: path, reason: "columns", "found a column for \"\(role)\", expected user, item or time")
            }
        }
        if layout.userColumn == layout.itemColumn {
            throw InteractionError(
                file: path, reason: "columns", "user and item: found the same column \(layout.userColumn) for both")
        }
    }

    private func ambiguous(_ message: String) -> InteractionError {
        InteractionError(
            file: path, reason: "ambiguous", message + "; name them with --columns user=..,item=..[,time=..]")
    }
}

/// The names under which datasets carry users, items and times.
enum ColumnNames {
    private static let users: [String] = [
        "userid", "user", "uid", "customerid", "customer", "reviewerid", "visitorid", "memberid", "accountid",
        "username", "sessionid", "session", "author",
    ]
    private static let items: [String] = [
        "itemid", "item", "iid", "parentasin", "asin", "movieid", "movie", "productid", "product", "stockcode", "sku",
        "videoid", "trackid", "artistid", "songid", "bookid", "isbn", "businessid", "articleid", "newsid", "gmapid",
        "pageid", "gameid", "recipeid", "poiid", "venueid",
    ]
    private static let times: [String] = [
        "timestamp", "time", "ts", "unixtime", "unixreviewtime", "timems", "datetime", "eventtime", "invoicedate",
        "createdat", "date", "reviewtime", "starttime",
    ]

    /// The columns of a header, the better known name winning.
    static func find(in header: [String]) -> (user: Int?, item: Int?, time: Int?) {
        let plain = header.map { name in
            (name.split(separator: ":").first ?? "").lowercased().filter { $0.isLetter || $0.isNumber }
        }
        func first(_ names: [String]) -> Int? {
            names.lazy.compactMap { name in plain.firstIndex(of: name) }.first
        }
        return (first(users), first(items), first(times))
    }
}
