internal import Domain
internal import Text

/// The first lines of a file of JSON objects, one a line, as a table.
struct JSONSample {
    private let first: FirstLines
    private let options: ReadOptions
    /// Members of the first lines, those of objects inside too, in order of appearance.
    private let outer: [JSONPath]
    /// Of each list of objects: its place, and the members of its objects.
    private let lists: [(path: JSONPath, inner: [JSONPath])]
    private let lines: [[UInt8]]
    /// Members that are written in two ways.
    private let mixed: Set<JSONPath>

    /// Each member of the first lines is looked for among all of them.
    private static let mostMembers = 1_000
    /// Of one object inside another; one with more is a dictionary, whose names say nothing of columns, and is left closed.
    private static let mostInside = 100

    /// - Throws: `InteractionError` (`ambiguous`) where the lines are no JSON, or have too many members.
    init(_ first: FirstLines, _ options: ReadOptions) throws {
        self.first = first
        self.options = options
        var outer = Members()
        var inner: [JSONPath: Members] = [:]
        var good: [[UInt8]] = []
        for line in first.lines {
            line.withUnsafeBytes { bytes in
                guard let members = JSONFields.members(bytes) else { return }
                good.append(line)
                outer.add(members, of: bytes) { path, text in
                    JSONFields.elements(text) { element in
                        let object = UnsafeRawBufferPointer(rebasing: text[element.range])
                        guard element.kind == .object, let members = JSONFields.members(object) else { return }
                        inner[path, default: Members()].add(members, of: object) { _, _ in }
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
        let own = outer.all.count { $0.names.count == 1 }
        guard own <= Self.mostMembers else {
            throw InteractionError(
                file: first.path, reason: "ambiguous",
                "found \(own) members in the objects, expected at most \(Self.mostMembers): are users or items the names of members?"
            )
        }
        let paths = outer.opened
        self.outer = paths
        mixed = outer.mixed
        lines = good
        lists = paths.compactMap { path in inner[path].map { (path, $0.opened) } }
    }

    /// Paths in order of first appearance.
    private struct Members {
        private var seen: Set<JSONPath> = []
        private(set) var all: [JSONPath] = []
        /// In how many objects each holds members of its own, less those in which it holds something else.
        private var objects: [JSONPath: Int] = [:]
        /// In how many it holds something else.
        private var values: [JSONPath: Int] = [:]

        /// Adds members of an object and of the objects inside of it, and hands lists to `list`.
        mutating func add(
            _ members: [(name: [UInt8], field: JSONFields.Field)], of text: UnsafeRawBufferPointer,
            under path: JSONPath = JSONPath(names: []), list: (JSONPath, UnsafeRawBufferPointer) -> Void
        ) {
            for (name, field) in members {
                let path = JSONPath(names: path.names + [name])
                let inside = UnsafeRawBufferPointer(rebasing: text[field.range])
                if field.kind == .array { list(path, inside) }
                if seen.count < JSONSample.mostMembers * JSONSample.mostInside, seen.insert(path).inserted {
                    all.append(path)
                }
                guard field.kind == .object, let members = JSONFields.members(inside), !members.isEmpty else {
                    if field.kind != .null {
                        objects[path, default: 0] -= 1
                        values[path, default: 0] += 1
                    }
                    continue
                }
                objects[path, default: 0] += 1
                add(members, of: inside, under: path, list: list)
            }
        }

        /// Those that hold objects in some lines and something else in others, each in more than one of twenty.
        var mixed: Set<JSONPath> {
            Set(
                values.keys.filter { path in
                    let (other, all) = (
                        values[path, default: 0], objects[path, default: 0] + 2 * values[path, default: 0]
                    )
                    return min(other, all - other) * 20 > all
                })
        }

        /// Those that are columns: of an object its members instead of it; a dictionary itself, and what is mostly no object.
        var opened: [JSONPath] {
            var below: [JSONPath: Int] = [:]
            for path in all {
                for count in 1..<max(1, path.names.count) {
                    below[JSONPath(names: Array(path.names[..<count])), default: 0] += 1
                }
            }
            func isOpen(_ path: JSONPath) -> Bool {
                objects[path, default: 0] > 0 && below[path, default: 0] <= JSONSample.mostInside
            }
            return all.filter { path in
                !isOpen(path)
                    && (1..<max(1, path.names.count)).allSatisfy { isOpen(JSONPath(names: Array(path.names[..<$0]))) }
            }
        }
    }

    func layout() throws -> (Layout, SampleTable) {
        var layout = Layout(hasHeader: true)
        func names(_ paths: [JSONPath]) -> [String] { paths.map(\.text) }
        // A list of objects is looked into only where the object itself has no item.
        let known = ColumnNames.find(in: names(outer))
        let itemIsOutside =
            known.item != nil || known.items.map { !lists.map(\.path).contains(outer[$0]) } == true
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
            + inner.map { names(outer).contains($0) ? (events?.path.text ?? "") + "." + $0 : $0 }
        var reader = RowReader(layout: layout, allColumns: true)
        var rows: [[[UInt8]]] = []
        for line in lines where rows.count < 2_000 {
            line.withUnsafeBytes { bytes in
                _ = reader.jsonRows(bytes) { row in rows.append(columns.indices.map { row.sampleText(of: $0) }) }
            }
        }
        // The list of objects itself is no column to choose.
        let table = SampleTable(path: first.path, names: columns, hasHeader: true, rows: rows)
        try RoleFinder(table: table, options: options).find(into: &layout)
        try checkUniform([layout.userColumn, layout.itemColumn, layout.timeColumn].compactMap { $0 })
        return (layout, table)
    }

    /// Refuses columns of a member that is an object in some lines and none in others: whichever is read, the others would be lost.
    private func checkUniform(_ columns: [Int]) throws {
        for column in columns where column < outer.count {
            let names = outer[column].names
            for count in 1...names.count {
                let path = JSONPath(names: Array(names[..<count]))
                guard mixed.contains(path) else { continue }
                throw InteractionError(
                    file: first.path, reason: "ambiguous",
                    "found objects in member \"\(path.text)\" of some lines and other values in that of others, expected one of them; "
                        + "to keep those without objects: jq -c 'select(.\(path.text) | type != \"object\")' "
                        + "\(first.path.shellWord) > data.jsonl && plaw register NAME data.jsonl")
            }
        }
    }
}
