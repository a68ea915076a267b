/// Rows as most files have them: fields between one delimiter, no quotes, no blanks around what is read, one item, a time that is a whole
/// number or none. One pass over the bytes of a line finds what is wanted; whatever is not so is left to `RowReader`.
struct PlainRows {
    private let delimiter: UInt8
    private let columns: (user: Int, item: Int, time: Int)
    private let last: Int
    /// Parts of a unit of time.
    private let scale: Int64
    /// Digits whose number times the scale fits into 64 bits.
    private let mostDigits: Int

    /// A row's user, item, and time in parts of its unit.
    typealias Row = (user: UnsafeRawBufferPointer, item: UnsafeRawBufferPointer, time: Int64)

    /// Nil where a layout asks for more.
    init?(_ layout: Layout) {
        guard case .byte(let delimiter) = layout.delimiter, !layout.isSequences, layout.json == nil, layout.list == nil,
            layout.targetColumn == nil, layout.filter == nil, let fieldCount = layout.fieldCount,
            layout.time?.unit != .date, (layout.timeColumn == nil) == (layout.time == nil)
        else { return nil }
        self.delimiter = delimiter
        columns = (layout.userColumn, layout.itemColumn, layout.timeColumn ?? -1)
        last = fieldCount - 1
        scale = layout.time?.unit.scale ?? 1
        mostDigits = scale >= 1_000_000 ? 12 : scale >= 1_000 ? 15 : 18
    }

    /// The row of a line; nil where it has to be looked at more closely.
    func row(_ line: UnsafeRawBufferPointer) -> Row? {
        guard let base = line.baseAddress else { return nil }
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        var (user, item, time) = (empty, empty, empty)
        var (field, start) = (0, 0)
        func take(upTo end: Int) {
            let text = UnsafeRawBufferPointer(start: base + start, count: end - start)
            if field == columns.user { user = text }
            if field == columns.item { item = text }
            if field == columns.time { time = text }
        }
        for place in 0..<line.count {
            let byte = line[place]
            if byte == UInt8(ascii: "\"") { return nil }
            guard byte == delimiter else { continue }
            take(upTo: place)
            field += 1
            start = place + 1
        }
        take(upTo: line.count)
        guard field == last, isName(user), isName(item) else { return nil }
        guard columns.time >= 0 else { return (user, item, 0) }
        guard !time.isEmpty, time.count <= mostDigits else { return nil }
        var value: Int64 = 0
        for byte in time {
            let digit = byte &- 48
            guard digit < 10 else { return nil }
            value = value &* 10 &+ Int64(digit)
        }
        return (user, item, value &* scale)
    }

    /// Adds what else a line says, of which `row` was taken.
    func addEvents(of line: UnsafeRawBufferPointer, in layout: Layout, to events: inout RawEvents) {
        events.append(layout, count: 1) { column, body in
            var (field, start) = (0, 0)
            for place in 0..<line.count where line[place] == delimiter {
                if field == column { return body(trimmed(line, start..<place)) }
                field += 1
                start = place + 1
            }
            body(trimmed(line, start..<line.count))
        }
    }

    /// Whether a text is a name as it stands: neither nothing, nor a word for nothing, nor blanks around.
    private func isName(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let first = text.first, let last = text.last, last != 32 else { return false }
        // Digits begin no word for nothing.
        return (48...57).contains(first) || first != 32 && !isMissing(text)
    }
}
