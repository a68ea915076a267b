internal import Domain
internal import Text

/// The first lines of a file of JSON objects, one a line, as a table.
struct JSONSample {
    private let first: FirstLines
    private let options: ReadOptions
    /// Members of the first lines, in order of appearance.
    private let outer: [[UInt8]]
    /// Of each list of objects: its name, and the members of its objects.
    private var lists: [(name: [UInt8], inner: [[UInt8]])] = []
    private let lines: [[UInt8]]
    /// Members that hold objects.
    private let objects: [String]

    /// Each member of the first lines is looked for among all of them.
    private static let mostMembers = 1_000

    /// Errors: `InteractionError` (`ambiguous`) where the lines are no JSON, or have too many members.
    init(_ first: FirstLines, _ options: ReadOptions) throws {
        self.first = first
        self.options = options
        var names = MemberNames()
        var inner: [[UInt8]: MemberNames] = [:]
        var lists: [[UInt8]] = []
        var good: [[UInt8]] = []
        var objects: Set<[UInt8]> = []
        for line in first.lines {
            line.withUnsafeBytes { bytes in
                guard let members = JSONFields.members(bytes) else { return }
                good.append(line)
                for (name, field) in members {
                    names.add(name)
                    if field.kind == .object { objects.insert(name) }
                    guard field.kind == .array else { continue }
                    let text = UnsafeRawBufferPointer(rebasing: bytes[field.range])
                    JSONFields.elements(text) { element in
                        guard element.kind == .object,
                            let members = JSONFields.members(UnsafeRawBufferPointer(rebasing: text[element.range]))
                        else { return }
                        if inner[name] == nil { lists.append(name) }
                        for (key, _) in members { inner[name, default: MemberNames()].add(key) }
                    }
                }
            }
        }
        guard good.count * 100 >= first.lines.count * 80 else {
            let line = first.lines.firstIndex { line in line.withUnsafeBytes { JSONFields.members($0) == nil } } ?? 0
            throw InteractionError(
                file: first.path, line: line + 1, reason: "ambiguous",
                "found \(SampleTable.shown(first.lines[line])), expected a JSON object in each line; a JSON document over "
                    + "several lines is converted by: jq -c . \(first.path.shellWord) > data.jsonl && plaw register NAME data.jsonl"
            )
        }
        guard names.all.count <= Self.mostMembers else {
            throw InteractionError(
                file: first.path, reason: "ambiguous",
                "found \(names.all.count) members in the objects, expected at most \(Self.mostMembers): are users or items the names of members?"
            )
        }
        outer = names.all
        self.objects = names.all.filter(objects.contains).map { String(decoding: $0, as: UTF8.self) }
        lines = good
        self.lists = lists.compactMap { name in inner[name].map { (name, $0.all) } }
    }

    /// Names in order of first appearance.
    private struct MemberNames {
        private var seen: Set<[UInt8]> = []
        private(set) var all: [[UInt8]] = []

        mutating func add(_ name: [UInt8]) {
            if seen.insert(name).inserted { all.append(name) }
        }
    }

    func layout() throws -> (Layout, SampleTable) {
        var layout = Layout(hasHeader: true)
        func names(_ bytes: [[UInt8]]) -> [String] { bytes.map { String(decoding: $0, as: UTF8.self) } }
        // A list of objects is looked into only where the object itself has no item.
        let known = ColumnNames.find(in: names(outer))
        let itemIsOutside =
            known.item != nil || known.items.map { !lists.map(\.name).contains(outer[$0]) } == true
            || ["item", "items"].contains { role in options.columns?[role].map { names(outer).contains($0) } == true }
        let events =
            itemIsOutside
            ? nil
            : lists.first { ColumnNames.find(in: names($0.inner)).item != nil }
                ?? (known.item == nil ? lists.first : nil)
        layout.json = Layout.JSONShape(outer: outer, events: events)
        // What is called as a member of the object itself is told apart.
        let inner = names(events?.inner ?? [])
        let columns =
            names(outer)
            + inner.map { names(outer).contains($0) ? names([events?.name ?? []])[0] + "." + $0 : $0 }
        var reader = RowReader(layout: layout, allColumns: true)
        var rows: [[[UInt8]]] = []
        for line in lines where rows.count < 2_000 {
            line.withUnsafeBytes { bytes in
                _ = reader.jsonRows(bytes) { row in rows.append(columns.indices.map { row.sampleText(of: $0) }) }
            }
        }
        // The list of objects itself is no column to choose.
        let table = SampleTable(path: first.path, names: columns, hasHeader: true, rows: rows, objects: objects)
        try RoleFinder(table: table, options: options).find(into: &layout)
        return (layout, table)
    }
}
