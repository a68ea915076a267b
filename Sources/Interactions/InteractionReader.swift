package import Domain

/// Reads files of interactions, whatever their format, into one corpus file.
///
/// Recognised without being told: `user item item ...` lines, `user item` pairs, RecBole `.inter`,
/// `user::item::rating::time`, CSV and TSV with or without a header, lists of items in a field, JSON lines, each also gzipped.
/// Identifiers are text. Rows stream through; memory holds 16 bytes an interaction and the distinct identifiers.
///
///     let reader = try InteractionReader(path: "ml-100k.inter", options: ReadOptions())
///     print(reader.decision.format)                          // inter
///     let statistics = try reader.buildCorpus(at: "ml-100k.corpus")
package struct InteractionReader {
    /// What was decided about the first file before reading its rows; the others are like it.
    package let decision: FormatDecision
    /// The columns of the first file, with some of their values.
    package let columns: [SampledColumn]
    private let parts: [Part]
    private let options: ReadOptions
    private let growing: GrowingFile?

    /// One of the files.
    struct Part {
        var path: String
        /// What the user calls it.
        var name: String
        var layout: Layout
        /// Bytes of text; 0 where they are not known, as of what is compressed.
        var bytes: Int
    }

    package init(path: String, options: ReadOptions) throws { try self.init(paths: [path], options: options) }

    /// Looks at the first lines of each file.
    ///
    /// - Parameters:
    ///   - paths: one file or more, of one layout; their rows follow each other in this order.
    ///   - names: what the user calls them. Default: their paths.
    ///   - growing: the only file, where it is still being written: its end is waited for.
    /// - Throws: `InteractionError` (`unreadable`, `empty`, `binary`, `ambiguous`, `columns`, `gzip`).
    package init(
        paths: [String], names: [String]? = nil, options: ReadOptions, growing: GrowingFile? = nil
    ) throws {
        precondition(!paths.isEmpty && paths.count == names?.count ?? paths.count, "one name for each of the files")
        self.options = options
        self.growing = growing
        let first = try FormatSniffer(path: paths[0], options: options, growing: growing).decide(
            before: paths.dropFirst())
        decision = first.decision
        columns = first.columns
        let isPlain = first.decision.compression == "none" && growing == nil
        let layouts =
            try [first.layout]
            + paths.dropFirst().map { try FormatSniffer(path: $0, options: options).follow(first, paths[0]) }
        parts = paths.indices.map {
            Part(
                path: paths[$0], name: names?[$0] ?? paths[$0], layout: layouts[$0],
                bytes: isPlain ? fileBytes(paths[$0]) : 0)
        }
    }

    /// Reads all rows, filters and sorts them, and writes the corpus atomically; leaves no file behind on failure.
    ///
    /// `mayTake` is asked as the memory grows whether as many bytes may be in use until the corpus is written: a compressed
    /// file of some megabytes can hold more rows than any machine.
    /// `willWrite` is told how many bytes the corpus has before it is written; what it throws ends the work.
    /// With `forTraining` a file that leaves nobody to train or to rank is refused.
    ///
    /// - Throws: `InteractionError` (`gzip`, `no-rows`, `nobody`, `memory`, `write`, `ambiguous`), `CancellationError` when
    ///   `shouldStop` says so.
    package func buildCorpus(
        at corpusPath: String, forTraining: Bool = false, shouldStop: () -> Bool = { false },
        mayTake: (Int) -> Bool = { _ in true }, willWrite: (Int) throws -> Void = { _ in }
    ) throws -> DatasetStatistics {
        func checkStop() throws { if shouldStop() { throw CancellationError() } }
        var gathered = Gathering(parts[0], isOneOfMany: parts.count > 1)
        var allowed = 0
        var unchecked = 0
        for part in parts {
            gathered.begin(part)
            var read = 0
            try self.read(part, into: &gathered) { gathered, line, number in
                // By bytes: a file may hold few lines, or none with text in it.
                unchecked += line.count + 1
                read += line.count + 1
                if unchecked > Self.checkedBytes {
                    unchecked = 0
                    try checkStop()
                }
                guard gathered.rowCount & 0xFF == 0 || line.count > 4_096, gathered.rows.memory > allowed else {
                    return true
                }
                allowed = gathered.rows.memory + 1 << 20
                gathered.reserve(part, bytes: read)
                guard mayTake(allowed), !gathered.rows.isFull else {
                    let rows = gathered.rows
                    throw InteractionError(
                        file: part.path, line: number, reason: "memory",
                        "found more than fits into memory: \(rows.count) interactions of \(rows.users.count) users and "
                            + "\(rows.items.count) items so far")
                }
                return true
            }
        }
        try checkStop()
        guard gathered.rows.count > 0 else { throw gathered.noRows(parts[0].path) }
        return try withoutActuallyEscaping(shouldStop) { shouldStop in
            var builder = CorpusBuilder(
                rows: gathered.takeRows(), options: options, rowCount: gathered.rowCount, drops: gathered.drops.all,
                removedByConditions: gathered.removedRows, source: parts[0].path, forTraining: forTraining,
                time: parts[0].layout.time, timeColumn: parts[0].layout.timeColumn.map { columns[$0].word },
                checkStop: { if shouldStop() { throw CancellationError() } })
            return try builder.write(to: corpusPath, willWrite)
        }
    }

    /// The first interactions in the order of the files, as they are understood.
    package func firstInteractions(_ count: Int) throws -> [ReadInteraction] {
        var gathered = Gathering(parts[0], isOneOfMany: parts.count > 1)
        for part in parts where gathered.rows.count < count {
            gathered.begin(part)
            try read(part, into: &gathered) { gathered, _, _ in gathered.rows.count < count }
        }
        return gathered.interactions(count)
    }

    /// Hands every record of a file to `gathered`, then to `body`, which says whether to go on.
    private func read(
        _ part: Part, into gathered: inout Gathering,
        _ body: (inout Gathering, UnsafeRawBufferPointer, Int) throws -> Bool
    ) throws {
        let layout = part.layout
        var reader = RowReader(layout: layout)
        let source = try RecordSource(path: part.path, layout: layout, growing: growing)
        var isHeaderAhead = layout.hasHeader && layout.json == nil
        var header: [UInt8] = []
        var goesOn = true
        while goesOn,
            try source.next({ line in
                if let first = line.first, first != 32 && first != 9 || !line.allSatisfy({ $0 == 32 || $0 == 9 }) {
                    if isHeaderAhead {
                        header = Array(line)
                        isHeaderAhead = false
                    } else if line.count == header.count, line.elementsEqual(header) {
                        // Files that were put together keep theirs.
                        gathered.drop("a header again", source.lineNumber)
                    } else {
                        try gathered.read(line, number: source.lineNumber, with: &reader)
                    }
                }
                goesOn = try body(&gathered, line, source.lineNumber)
            })
        {}
    }

    /// Bytes of text after which is asked whether to stop: some milliseconds.
    private static let checkedBytes = 1 << 20
}

/// Interactions as they come out of records.
private struct Gathering {
    private var path: String
    private var layout: Layout
    /// Said behind the reason of a drop, where there are several files.
    private var place = ""
    private let isOneOfMany: Bool
    private var plain: PlainRows?
    private var isReserved = false
    private let hasEvents: Bool
    var rows: RawInteractions
    var drops = DropCounter()
    /// Rows that each condition removed.
    private var removed: [Int]
    /// Rows of the file: of sequences lines, of lists of objects their elements.
    var rowCount = 0
    /// Of files with many items in a row: where the last row of each user begins, and how many items it has.
    private var last: [Int32: (start: Int, count: Int)] = [:]

    init(_ part: InteractionReader.Part, isOneOfMany: Bool) {
        (path, layout) = (part.path, part.layout)
        self.isOneOfMany = isOneOfMany
        rows = RawInteractions(hasTimes: layout.timeColumn != nil, events: RawEvents(layout))
        hasEvents = !layout.eventColumns.isEmpty
        removed = layout.filter?.conditions.map { _ in 0 } ?? []
    }

    /// Goes on with the next file.
    mutating func begin(_ part: InteractionReader.Part) {
        (path, layout) = (part.path, part.layout)
        plain = PlainRows(layout)
        if isOneOfMany { place = " in \(part.name)" }
    }

    /// Makes room for the rest of a file that is not compressed, from what its first `bytes` held.
    mutating func reserve(_ part: InteractionReader.Part, bytes: Int) {
        guard !isReserved, !isOneOfMany, bytes > 1 << 20, rows.count > 0 else { return }
        isReserved = true
        guard part.bytes > 0 else { return }
        // A twentieth more, for rows further on may be shorter.
        rows.reserve(Int(towardZero: Double(rows.count) / Double(bytes) * Double(part.bytes) * 1.05))
    }

    /// The rows, which are given away: they are large.
    mutating func takeRows() -> RawInteractions {
        defer { rows = RawInteractions(hasTimes: rows.hasTimes, events: RawEvents(layout)) }
        return rows
    }

    /// Nil without conditions.
    var removedRows: [RemovedRows]? {
        layout.filter.map { filter in
            zip(filter.conditions, removed).map { RemovedRows(condition: $0.description, count: $1) }
        }
    }

    func noRows(_ path: String) -> InteractionError {
        InteractionError(
            file: path, reason: "no-rows",
            "found no usable interaction in \(rowCount) rows" + (layout.filter?.summary(removed) ?? "") + drops.summary)
    }

    func interactions(_ count: Int) -> [ReadInteraction] {
        (0..<min(count, rows.count)).map { row in
            func name(_ table: NameTable, _ number: Int32) -> String {
                table.withBytes(of: Int(number)) { String(decoding: $0, as: UTF8.self) }
            }
            return ReadInteraction(
                user: name(rows.users, rows.userOf[row]), item: name(rows.items, rows.itemOf[row]),
                time: rows.hasTimes ? layout.time?.words(rows.timeOf[row]) : nil)
        }
    }

    mutating func drop(_ reason: String, _ number: Int) { drops.add(reason + place, number) }

    mutating func read(_ line: UnsafeRawBufferPointer, number: Int, with reader: inout RowReader) throws {
        if let row = plain?.row(line) {
            rowCount += 1
            if hasEvents { plain?.addEvents(of: line, in: layout, to: &rows.events) }
            return rows.append(row.user, row.item, time: row.time)
        }
        if layout.isSequences {
            rowCount += 1
            let fields = reader.sequence(line)
            guard fields.count >= 2 else { return drop("no items", number) }
            let user = rows.users.number(of: trimmed(line, fields[0]))
            let start = rows.count
            for field in fields.dropFirst() {
                rows.append(user: user, item: rows.items.number(of: trimmed(line, field)), time: 0)
            }
            return try refuseGrowing(user, from: start, number)
        }
        var grown: (user: Int32, start: Int)?
        let before = rowCount
        let problem = reader.rows(line) { row in
            rowCount += 1
            if let one = add(row, number) { grown = one }
        }
        if rowCount == before { rowCount += 1 }
        if let problem { return drop(problem, number) }
        if let grown { try refuseGrowing(grown.user, from: grown.start, number) }
    }

    /// Adds a row; of lists where its items begin.
    private mutating func add(_ row: borrowing RowReader.Row, _ number: Int) -> (user: Int32, start: Int)? {
        if let filter = layout.filter {
            switch filter.verdict(row) {
            case .holds: break
            case .fails(let index):
                removed[index] += 1
                return nil
            case .incomparable(let index):
                drop(filter.incomparable(index), number)
                return nil
            }
        }
        var time: Int64 = 0
        if let column = layout.timeColumn {
            guard let read = row.withText(of: column, { layout.time?.read($0) }) else {
                let reason =
                    row.withText(of: layout.userColumn, isMissing)
                    ? "missing user"
                    : layout.list == nil && row.withText(of: layout.itemColumn, isMissing)
                        ? "missing item" : row.withText(of: column, isMissing) ? "missing time" : "unreadable time"
                drop(reason, number)
                return nil
            }
            time = read
        }
        guard !row.withText(of: layout.userColumn, isMissing) else {
            drop("missing user", number)
            return nil
        }
        guard let list = layout.list else {
            guard !row.withText(of: layout.itemColumn, isMissing) else {
                drop("missing item", number)
                return nil
            }
            let user = row.withText(of: layout.userColumn) { rows.users.number(of: $0) }
            rows.append(
                user: user, item: row.withText(of: layout.itemColumn) { rows.items.number(of: $0) }, time: time)
            if hasEvents { rows.events.append(layout, count: 1) { row.withText(of: $0, $1) } }
            return nil
        }
        guard !row.isNested(layout.itemColumn, list) else {
            drop("a list of lists or objects", number)
            return nil
        }
        let start = rows.count
        let user = row.withText(of: layout.userColumn) { rows.users.number(of: $0) }
        row.forEachItem(of: layout.itemColumn, list) { item in
            if !isMissing(item) { rows.append(user: user, item: rows.items.number(of: item), time: time) }
        }
        if let target = layout.targetColumn {
            row.withText(of: target) { item in
                if !isMissing(item) { rows.append(user: user, item: rows.items.number(of: item), time: time) }
            }
        }
        guard rows.count > start else {
            drop("no items", number)
            return nil
        }
        rows.events.append(layout, count: rows.count - start) { row.withText(of: $0, $1) }
        return (user, start)
    }

    /// Refuses a user's row that says the row before again and goes on: prefixes of one sequence, not interactions.
    private mutating func refuseGrowing(_ user: Int32, from start: Int, _ number: Int) throws {
        let count = rows.count - start
        defer { last[user] = (start, count) }
        guard let before = last[user], before.count >= 2, count >= 2 else { return }
        let items = rows.itemOf
        func agrees(_ shift: Int) -> Bool {
            let shared = min(before.count - shift, count)
            return shared >= 2 && (0..<shared).allSatisfy { items[before.start + shift + $0] == items[start + $0] }
        }
        // Whether it grows at its end, or moves on by one.
        guard count > before.count && agrees(0) || count == before.count && before.count > 3 && agrees(1) else {
            return
        }
        let name = rows.users.withBytes(of: Int(user)) { String(decoding: $0, as: UTF8.self) }
        throw InteractionError(
            file: path, line: number, reason: "ambiguous",
            "found the items of an earlier row of \"\(name)\" again, with more: rows that are prefixes of one sequence would "
                + "count its interactions many times; expected one row a sequence: keep the longest row of each user")
    }
}

/// Dropped rows by reason, in order of first occurrence.
struct DropCounter {
    private(set) var all: [DroppedRows] = []

    mutating func add(_ reason: String, _ line: Int) {
        if let index = all.firstIndex(where: { $0.reason == reason }) {
            all[index].count += 1
            if all[index].firstLines.count < 5 { all[index].firstLines.append(line) }
        } else {
            all.append(DroppedRows(reason: reason, count: 1, firstLines: [line]))
        }
    }

    var summary: String {
        all.map { "; \($0.count) rows: \($0.reason), first at line \($0.firstLines.first ?? 0)" }.joined()
    }
}
