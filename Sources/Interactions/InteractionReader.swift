package import Domain

/// Reads a file of interactions, whatever its format, into a corpus file.
///
/// Recognised without being told: `user item item ...` lines, `user item` pairs, RecBole `.inter`,
/// `user::item::rating::time`, CSV and TSV with or without a header, each also gzipped. Identifiers are text.
/// Rows stream through; memory holds 16 bytes an interaction and the distinct identifiers.
///
///     let reader = try InteractionReader(path: "ml-100k.inter", options: ReadOptions())
///     print(reader.decision.format)                          // inter
///     let statistics = try reader.buildCorpus(at: "ml-100k.corpus")
package struct InteractionReader {
    /// What was decided about the file before reading its rows.
    package let decision: FormatDecision
    private let path: String
    private let options: ReadOptions
    private let layout: FormatSniffer.Layout

    /// Looks at the first lines. Errors: `InteractionError` (`unreadable`, `empty`, `binary`, `ambiguous`, `columns`, `gzip`).
    package init(path: String, options: ReadOptions) throws {
        self.path = path
        self.options = options
        (layout, decision) = try FormatSniffer(path: path, options: options).decide()
    }

    /// Reads all rows, filters and sorts them, and writes the corpus atomically; leaves no file behind on failure.
    ///
    /// `mayTake` is asked as the memory grows whether as many bytes may be in use until the corpus is written: a compressed
    /// file of some megabytes can hold more rows than any machine.
    /// `willWrite` is told how many bytes the corpus has before it is written; what it throws ends the work.
    /// Errors: `InteractionError` (`gzip`, `no-rows`, `memory`, `write`), `CancellationError` when `shouldStop` says so.
    package func buildCorpus(
        at corpusPath: String, shouldStop: () -> Bool = { false }, mayTake: (Int) -> Bool = { _ in true },
        willWrite: (Int) throws -> Void = { _ in }
    ) throws -> DatasetStatistics {
        var rows = RawInteractions(hasTimes: layout.timeColumn != nil)
        var drops = DropCounter()
        var rowCount = 0
        var splitter = FieldSplitter(layout.delimiter)
        let source = try LineSource(path: path)
        var isFirst = true
        var allowed = 0
        var unchecked = 0
        func checkStop() throws { if shouldStop() { throw CancellationError() } }
        while try source.next({ line in
            var line = line
            // By bytes: a file may hold few lines, or none with text in it.
            unchecked += line.count + 1
            if unchecked > Self.checkedBytes {
                unchecked = 0
                try checkStop()
            }
            if isFirst, layout.markLength > 0, line.count >= layout.markLength {
                line = UnsafeRawBufferPointer(rebasing: line[layout.markLength...])
            }
            if line.allSatisfy({ $0 == 32 || $0 == 9 }) { return }
            let isHeader = isFirst && layout.hasHeader
            isFirst = false
            if isHeader { return }
            rowCount += 1
            read(line, number: source.lineNumber, with: &splitter, into: &rows, &drops)
            guard rowCount & 0xFF == 0 || line.count > 4_096, rows.memory > allowed else { return }
            allowed = rows.memory + 1 << 20
            guard mayTake(allowed), !rows.isFull else {
                throw InteractionError(
                    file: path, line: source.lineNumber, reason: "memory",
                    "found more than fits into memory: \(rows.count) interactions of \(rows.users.count) users and "
                        + "\(rows.items.count) items so far")
            }
        }) {}
        try checkStop()
        guard rows.count > 0 else {
            throw InteractionError(
                file: path, reason: "no-rows",
                "found no usable interaction in \(rowCount) rows" + drops.summary)
        }
        return try withoutActuallyEscaping(shouldStop) { shouldStop in
            try CorpusBuilder(
                rows: rows, options: options, rowCount: rowCount, drops: drops.all, source: path,
                checkStop: { if shouldStop() { throw CancellationError() } }
            ).write(to: corpusPath, willWrite)
        }
    }

    /// Bytes of text after which is asked whether to stop: some milliseconds.
    private static let checkedBytes = 1 << 20

    private func read(
        _ line: UnsafeRawBufferPointer, number: Int, with splitter: inout FieldSplitter,
        into rows: inout RawInteractions, _ drops: inout DropCounter
    ) {
        guard splitter.split(line) else { return drops.add("unbalanced quotes", number) }
        let fields = splitter.fields
        if layout.isSequences {
            guard fields.count >= 2 else { return drops.add("no items", number) }
            let user = rows.users.number(of: trimmed(line, fields[0]))
            for field in fields.dropFirst() {
                rows.append(user: user, item: rows.items.number(of: trimmed(line, field)), time: 0)
            }
            return
        }
        if let expected = layout.fieldCount, fields.count != expected {
            return drops.add("wrong number of fields (expected \(expected))", number)
        }
        let user = trimmed(line, fields[layout.userColumn])
        let item = trimmed(line, fields[layout.itemColumn])
        if user.isEmpty { return drops.add("missing user", number) }
        if item.isEmpty { return drops.add("missing item", number) }
        var time: Int64 = 0
        if let column = layout.timeColumn {
            let text = trimmed(line, fields[column])
            guard let parsed = layout.timeUnit == .date ? parseDate(text) : parseInteger(text) else {
                return drops.add("unreadable time", number)
            }
            time = parsed
        }
        rows.append(user: rows.users.number(of: user), item: rows.items.number(of: item), time: time)
    }
}

/// Interactions in file order, identifiers numbered.
struct RawInteractions {
    var users = NameTable()
    var items = NameTable()
    var userOf: [Int32] = []
    var itemOf: [Int32] = []
    var timeOf: [Int64] = []
    let hasTimes: Bool

    init(hasTimes: Bool) { self.hasTimes = hasTimes }

    var count: Int { userOf.count }

    /// Bytes that the rows take at most until their corpus is written: they are copied to be sorted, and names to be written;
    /// measuring the entropy takes less.
    var memory: Int { 2 * (count * (hasTimes ? 24 : 12) + users.memory + items.memory) }

    /// Numbers of users and items have 31 bits.
    var isFull: Bool { max(users.count, items.count) >= Int(Int32.max) - 1 }

    mutating func append(user: Int32, item: Int32, time: Int64) {
        userOf.append(user)
        itemOf.append(item)
        if hasTimes { timeOf.append(time) }
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
