/// How the fields of a line are told apart.
enum Delimiter: Hashable {
    case byte(UInt8)
    case doubleColon
    /// Runs of blanks and tabs.
    case whitespace

    var name: String {
        switch self {
        case .byte(UInt8(ascii: ",")): "comma"
        case .byte(UInt8(ascii: "\t")): "tab"
        case .byte(UInt8(ascii: ";")): "semicolon"
        case .byte(UInt8(ascii: "|")): "bar"
        case .byte: "character"
        case .doubleColon: "::"
        case .whitespace: "blank"
        }
    }
}

/// Splits lines into ranges of bytes, reusing its own storage.
struct FieldSplitter {
    let delimiter: Delimiter
    private(set) var fields: [Range<Int>] = []

    init(_ delimiter: Delimiter) { self.delimiter = delimiter }

    /// Splits one line; false for a quoted field that does not end.
    mutating func split(_ line: UnsafeRawBufferPointer) -> Bool {
        fields.removeAll(keepingCapacity: true)
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

    /// RFC 4180 quoting within one line; the quotes around a field are left out, doubled quotes inside stay doubled.
    private mutating func splitQuoted(_ line: UnsafeRawBufferPointer, at byte: UInt8) -> Bool {
        var start = 0
        while true {
            if start < line.count, line[start] == UInt8(ascii: "\"") {
                var position = start + 1
                while true {
                    guard position < line.count else { return false }
                    if line[position] == UInt8(ascii: "\"") {
                        if position + 1 < line.count, line[position + 1] == UInt8(ascii: "\"") {
                            position += 2
                            continue
                        }
                        break
                    }
                    position += 1
                }
                fields.append(start + 1..<position)
                position += 1
                guard position < line.count else { return true }
                guard line[position] == byte else { return false }
                start = position + 1
            } else {
                var position = start
                while position < line.count, line[position] != byte { position += 1 }
                fields.append(start..<position)
                guard position < line.count else { return true }
                start = position + 1
            }
        }
    }
}

/// The bytes of a field without blanks around it.
func trimmed(_ line: UnsafeRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
    var low = range.lowerBound
    var high = range.upperBound
    while low < high, line[low] == 32 { low += 1 }
    while low < high, line[high - 1] == 32 { high -= 1 }
    return UnsafeRawBufferPointer(rebasing: line[low..<high])
}
