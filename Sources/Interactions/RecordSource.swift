/// Records of a file: its lines, but for quoted fields that go on over several of them.
///
/// A line whose quoted field does not end is joined with those that follow until it does. If what comes of it is no record of
/// the expected number of fields, or longer than any common one, the quote was a letter like others, and the lines stay lines.
/// Lines that were read in vain are not tried again but for the last, so that each is looked at three times at most.
final class RecordSource {
    /// A line without its end.
    private struct Line {
        var bytes: [UInt8]
        var number: Int
        var hadReturn: Bool
    }

    private let source: LineSource
    private let quoted: UInt8?
    private let fieldCount: Int?
    private let markLength: Int
    /// Lines that were read ahead in vain, and the first of them that was not handed out.
    private var ahead: [Line] = []
    /// Whether the last of them may begin a record of several lines.
    private var isLastTried = false
    private var next = 0
    private var isFirst = true
    /// Number of the first line of the record last returned.
    private(set) var lineNumber = 0

    /// Longest record that is joined of lines.
    static let longest = 1 << 20

    init(path: String, layout: Layout, growing: GrowingFile? = nil) throws {
        source = try LineSource(path: path, growing: growing)
        if case .byte(let byte) = layout.delimiter, layout.json == nil { quoted = byte } else { quoted = nil }
        fieldCount = layout.fieldCount
        markLength = layout.markLength
    }

    /// Hands the next record to `body`; false at the end of the file. Blank lines are records too: they count as work.
    func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
        if next < ahead.count {
            let line = ahead[next]
            next += 1
            lineNumber = line.number
            guard let quoted, next == ahead.count, isLastTried,
                line.bytes.withUnsafeBytes({ QuoteState.outside.after($0, quoted) }) == .inside
            else {
                try line.bytes.withUnsafeBytes(body)
                return true
            }
            try join(line, quoted, body)
            return true
        }
        ahead.removeAll(keepingCapacity: true)
        next = 0
        var open: [UInt8]?
        let found = try source.next { line in
            var line = line
            if isFirst, line.count >= markLength { line = UnsafeRawBufferPointer(rebasing: line[markLength...]) }
            isFirst = false
            lineNumber = source.lineNumber
            guard let quoted, QuoteState.outside.after(line, quoted) == .inside else { return try body(line) }
            open = Array(line)
        }
        if let open, let quoted {
            try join(Line(bytes: open, number: lineNumber, hadReturn: source.hadReturn), quoted, body)
        }
        return found
    }

    private func join(_ first: Line, _ quoted: UInt8, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var record = first.bytes
        var state = QuoteState.inside
        var taken: [Line] = []
        while state == .inside, record.count < Self.longest, let line = try nextLine() {
            // A line's end that stands in a name is part of it, whichever it is.
            record += (taken.last ?? first).hadReturn ? [13, 10] : [10]
            record += line.bytes
            taken.append(line)
            state = line.bytes.withUnsafeBytes { state.after($0, quoted) }
        }
        var splitter = FieldSplitter(.byte(quoted))
        if state == .outside, record.withUnsafeBytes({ splitter.split($0) }),
            fieldCount.map({ $0 == splitter.fields.count }) != false
        {
            return try record.withUnsafeBytes(body)
        }
        ahead = taken
        next = 0
        isLastTried = state != .inside
        try first.bytes.withUnsafeBytes(body)
    }

    private func nextLine() throws -> Line? {
        var bytes: [UInt8]?
        _ = try source.next { bytes = Array($0) }
        return bytes.map { Line(bytes: $0, number: source.lineNumber, hadReturn: source.hadReturn) }
    }

    /// The records that a sample of lines holds; what the sample cuts is left out.
    static func records(of lines: [[UInt8]], _ delimiter: Delimiter) -> [[UInt8]] {
        guard case .byte(let byte) = delimiter else { return lines }
        var records: [[UInt8]] = []
        var splitter = FieldSplitter(delimiter)
        func count(_ record: [UInt8]) -> Int {
            record.withUnsafeBytes { splitter.split($0) ? splitter.fields.count : 0 }
        }
        let expected = lines.first.map(count) ?? 0
        var index = 0
        while index < lines.count {
            var record = lines[index]
            var state = record.withUnsafeBytes { QuoteState.outside.after($0, byte) }
            var following = index + 1
            while state == .inside, record.count < longest, following < lines.count {
                state = lines[following].withUnsafeBytes { state.after($0, byte) }
                record.append(10)
                record.append(contentsOf: lines[following])
                following += 1
            }
            if state == .outside, following > index + 1, expected > 0, count(record) != expected { state = .malformed }
            switch state {
            case .outside:
                records.append(record)
                index = following
            case .inside where following == lines.count && index > 0: return records
            case .inside:
                records += lines[index..<following]
                index = following
            case .malformed:
                // The last line may begin a record of its own.
                records += lines[index..<max(index + 1, following - 1)]
                index = max(index + 1, following - 1)
            }
        }
        return records
    }
}

/// Whether a quoted field is open.
enum QuoteState {
    case outside, inside, malformed

    /// The state after one more line.
    func after(_ line: UnsafeRawBufferPointer, _ delimiter: UInt8) -> QuoteState {
        let quote = UInt8(ascii: "\"")
        if self != .inside, !contains(line, quote) { return .outside }
        var place = 0
        var isInside = self == .inside
        while true {
            if isInside {
                guard let end = find(line, quote, from: place) else { return .inside }
                if end + 1 < line.count, line[end + 1] == quote {
                    place = end + 2
                    continue
                }
                place = end + 1
                while place < line.count, line[place] == 32 { place += 1 }
                guard place < line.count else { return .outside }
                guard line[place] == delimiter else { return .malformed }
                isInside = false
                place += 1
            } else {
                while place < line.count, line[place] == 32 { place += 1 }
                if place < line.count, line[place] == quote {
                    isInside = true
                    place += 1
                } else {
                    guard let end = find(line, delimiter, from: place) else { return .outside }
                    place = end + 1
                }
            }
        }
    }
}
