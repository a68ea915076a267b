internal import Glibc

/// How the fields of a line are told apart.
enum Delimiter: Hashable {
    case byte(UInt8)
    case doubleColon
    /// Runs of blanks and tabs.
    case whitespace
}

/// Splits records into ranges of bytes, reusing its own storage.
struct FieldSplitter {
    let delimiter: Delimiter
    private(set) var fields: [Range<Int>] = []
    /// Whether some quoted field holds a doubled quote.
    private(set) var hasDoubledQuotes = false

    init(_ delimiter: Delimiter) { self.delimiter = delimiter }

    /// Splits one record; false for a quoted field that does not end, or that something follows.
    mutating func split(_ line: UnsafeRawBufferPointer) -> Bool {
        fields.removeAll(keepingCapacity: true)
        hasDoubledQuotes = false
        switch delimiter {
        case .byte(let byte): return splitQuoted(line, at: byte)
        case .doubleColon:
            var start = 0
            var position = 0
            while position + 1 < line.count {
                if line[position] == UInt8(ascii: ":"), line[position + 1] == UInt8(ascii: ":") {
                    fields.append(start..<position)
                    position += 2
                    start = position
                } else {
                    position += 1
                }
            }
            fields.append(start..<line.count)
        case .whitespace:
            var start: Int?
            for (position, byte) in line.enumerated() {
                if byte == 32 || byte == 9 {
                    if let begun = start { fields.append(begun..<position) }
                    start = nil
                } else if start == nil {
                    start = position
                }
            }
            if let begun = start { fields.append(begun..<line.count) }
        }
        return true
    }

    /// Splits where the delimiter stands, quotes being letters like others.
    mutating func splitPlainly(_ line: UnsafeRawBufferPointer) {
        guard case .byte(let byte) = delimiter else { return }
        fields.removeAll(keepingCapacity: true)
        var start = 0
        while let end = find(line, byte, from: start) {
            fields.append(start..<end)
            start = end + 1
        }
        fields.append(start..<line.count)
    }

    /// Quoting as in RFC 4180, blanks around the quotes allowed; the quotes around a field are left out.
    private mutating func splitQuoted(_ line: UnsafeRawBufferPointer, at byte: UInt8) -> Bool {
        let quote = UInt8(ascii: "\"")
        var start = 0
        while true {
            var position = start
            while position < line.count, line[position] == 32 { position += 1 }
            if position < line.count, line[position] == quote {
                let begun = position + 1
                position = begun
                while true {
                    guard let end = find(line, quote, from: position) else { return false }
                    position = end
                    guard end + 1 < line.count, line[end + 1] == quote else { break }
                    hasDoubledQuotes = true
                    position = end + 2
                }
                fields.append(begun..<position)
                position += 1
                while position < line.count, line[position] == 32 { position += 1 }
                guard position < line.count else { return true }
                guard line[position] == byte else { return false }
                start = position + 1
            } else {
                guard let end = find(line, byte, from: position) else {
                    fields.append(start..<line.count)
                    return true
                }
                fields.append(start..<end)
                start = end + 1
            }
        }
    }
}

/// The first place of a byte at or after another.
func find(_ line: UnsafeRawBufferPointer, _ byte: UInt8, from start: Int) -> Int? {
    guard start < line.count, let base = line.baseAddress,
        let found = memchr(base + start, Int32(byte), line.count - start)
    else { return nil }
    return base.distance(to: UnsafeRawPointer(found))
}

func contains(_ line: UnsafeRawBufferPointer, _ byte: UInt8) -> Bool { find(line, byte, from: 0) != nil }

/// The bytes of a field without blanks around it.
func trimmed(_ line: UnsafeRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
    var low = range.lowerBound
    var high = range.upperBound
    while low < high, line[low] == 32 { low += 1 }
    while low < high, line[high - 1] == 32 { high -= 1 }
    return UnsafeRawBufferPointer(rebasing: line[low..<high])
}
