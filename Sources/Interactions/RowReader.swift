internal import StrictJSON

/// Takes rows out of records as a layout says.
struct RowReader {
    let layout: Layout
    private var splitter: FieldSplitter
    private var outer: JSONFields
    private var inner: JSONFields
    /// Index in `outer` of the list of objects.
    private let events: Int?
    /// Columns that hold what is read.
    private let used: [Int]

    /// - Parameter allColumns: whether every column is wanted, not only those that the layout uses.
    init(layout: Layout, allColumns: Bool = false) {
        self.layout = layout
        splitter = FieldSplitter(layout.delimiter)
        let names = layout.json?.outer ?? []
        events = layout.json?.events.flatMap { shape in names.firstIndex(of: shape.path) }
        used =
            [layout.userColumn, layout.itemColumn, layout.timeColumn].compactMap { $0 } + layout.eventColumns
            + (layout.filter?.columns ?? [])
        let named = Set(used + [layout.targetColumn, events].compactMap { $0 })
        func wanted(_ range: Range<Int>) -> [Int]? {
            allColumns ? nil : range.filter(named.contains).map { $0 - range.lowerBound }
        }
        let inside = layout.json?.events?.inner ?? []
        outer = JSONFields(names, wanted: wanted(0..<names.count))
        inner = JSONFields(inside, wanted: wanted(names.count..<names.count + inside.count))
    }

    /// Texts of one row by column.
    struct Row {
        fileprivate let line: UnsafeRawBufferPointer
        fileprivate var fields: [Range<Int>] = []
        fileprivate var hasDoubledQuotes = false
        fileprivate var json: [JSONFields.Field] = []
        fileprivate var eventText = UnsafeRawBufferPointer(start: nil, count: 0)
        fileprivate var event: [JSONFields.Field] = []
        fileprivate let isJSON: Bool

        /// Hands the text of a column to `body`: without quotes and blanks around it, empty where it is missing.
        func withText<T>(of column: Int, _ body: (UnsafeRawBufferPointer) -> T) -> T {
            guard isJSON else {
                let text = trimmed(line, fields[column])
                guard hasDoubledQuotes, contains(text, UInt8(ascii: "\"")) else { return body(text) }
                return Self.single(text).withUnsafeBytes(body)
            }
            let (field, source) =
                column < json.count ? (json[column], line) : (event[column - json.count], eventText)
            let text = UnsafeRawBufferPointer(rebasing: source[field.range])
            switch field.kind {
            case .missing, .null, .object: return body(UnsafeRawBufferPointer(start: nil, count: 0))
            case .escapedString:
                return jsonUnescaped(text).withUnsafeBytes { body(trimmed($0, 0..<$0.count)) }
            case .string: return body(trimmed(text, 0..<text.count))
            case .number, .word, .array: return body(text)
            }
        }

        func sampleText(of column: Int) -> [UInt8] { withText(of: column) { Array($0) } }

        /// Whether a list holds lists or objects.
        func isNested(_ column: Int, _ list: ItemList) -> Bool {
            guard isJSON, column < json.count, json[column].kind == .array else {
                return withText(of: column) { list.isNested($0) }
            }
            return false
        }

        /// Hands every item of a list to `body`.
        func forEachItem(of column: Int, _ list: ItemList, _ body: (UnsafeRawBufferPointer) -> Void) {
            guard isJSON, column < json.count, json[column].kind == .array else {
                return withText(of: column) { list.forEach($0, body) }
            }
            let text = UnsafeRawBufferPointer(rebasing: line[json[column].range])
            JSONFields.elements(text) { element in
                let item = UnsafeRawBufferPointer(rebasing: text[element.range])
                switch element.kind {
                case .escapedString: jsonUnescaped(item).withUnsafeBytes { body(trimmed($0, 0..<$0.count)) }
                case .string, .number, .word: body(trimmed(item, 0..<item.count))
                case .missing, .null, .array, .object: break
                }
            }
        }

        /// A quoted text whose doubled quotes stand for one.
        private static func single(_ text: UnsafeRawBufferPointer) -> [UInt8] {
            var bytes: [UInt8] = []
            var place = 0
            while place < text.count {
                bytes.append(text[place])
                place += text[place] == 34 && place + 1 < text.count && text[place + 1] == 34 ? 2 : 1
            }
            return bytes
        }
    }

    /// Hands each row of a record to `body`. Returns why the record holds none, where that is so.
    mutating func rows(_ line: UnsafeRawBufferPointer, _ body: (borrowing Row) -> Void) -> String? {
        if layout.json != nil { return jsonRows(line, body) ? nil : "no JSON object" }
        if !splitter.split(line) {
            // A quote inside a name, as titles have them: a letter like others where the fields come out right and no name that
            // is read holds one.
            splitter.splitPlainly(line)
            guard splitter.fields.count == layout.fieldCount,
                used.allSatisfy({ !contains(UnsafeRawBufferPointer(rebasing: line[splitter.fields[$0]]), 34) })
            else { return "unbalanced quotes" }
        }
        if let expected = layout.fieldCount, splitter.fields.count != expected {
            return "wrong number of fields (expected \(expected))"
        }
        let row = Row(
            line: line, fields: splitter.fields, hasDoubledQuotes: splitter.hasDoubledQuotes, isJSON: false)
        body(row)
        return nil
    }

    /// False for what is no object.
    mutating func jsonRows(_ line: UnsafeRawBufferPointer, _ body: (borrowing Row) -> Void) -> Bool {
        guard outer.split(line) else { return false }
        var row = Row(line: line, json: outer.fields, isJSON: true)
        guard let events else {
            body(row)
            return true
        }
        let field = outer.fields[events]
        guard field.kind == .array else { return true }
        let text = UnsafeRawBufferPointer(rebasing: line[field.range])
        JSONFields.elements(text) { element in
            let event = UnsafeRawBufferPointer(rebasing: text[element.range])
            guard element.kind == .object, inner.split(event) else { return }
            row.eventText = event
            row.event = inner.fields
            body(row)
        }
        return true
    }

    /// Fields of a line between blanks: a user and items.
    mutating func sequence(_ line: UnsafeRawBufferPointer) -> [Range<Int>] {
        _ = splitter.split(line)
        return splitter.fields
    }

    /// Hands the texts of the time column to `body`.
    mutating func timeTexts(_ line: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        guard let column = layout.timeColumn else { return }
        _ = rows(line) { row in row.withText(of: column, body) }
    }
}
