/// Why a table of observations is refused: where, what was found, and what was expected.
package struct TableError: Error, Sendable, Hashable, CustomStringConvertible {
    package var file: String
    /// Counted from 1, of the line on which the row begins; nil where no line is to blame.
    package var line: Int?
    package var column: String?
    package var message: String
    /// Options of the command that would settle it, ready to paste.
    package var options: [String]

    package init(
        file: String, line: Int? = nil, column: String? = nil, _ message: String, options: [String] = []
    ) {
        (self.file, self.line, self.column, self.message, self.options) = (file, line, column, message, options)
    }

    package var description: String {
        let places = [line.map { "line \($0)" }, column.map { "column \($0)" }].compactMap { $0 }
        return ([file] + places).joined(separator: ", ") + ": " + message
    }
}

/// Values by RFC 4180, separated by commas, or by tabs or semicolons where the first line has no comma: quoted fields hold commas, doubled quotes and ends of line; lines end with LF or CRLF; a
/// byte order mark before the first is left out, and so are empty lines.
struct CSVReader {
    struct Row {
        /// The line the row begins on, from 1.
        var line: Int
        var fields: [String]
    }

    static let longestField = 4_096
    static let mostColumns = 200

    private let file: String
    private let bytes: [UInt8]
    private var place = 0
    private var line = 1
    private var separator = UInt8(ascii: ",")

    /// - Throws: `TableError` when the bytes are no UTF-8, or hold a NUL.
    init(_ bytes: [UInt8], file: String) throws {
        self.file = file
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { place = 3 }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw TableError(file: file, "found UTF-16, expected text in UTF-8")
        }
        if bytes.starts(with: [0x1F, 0x8B]) || bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
            throw TableError(file: file, "found a compressed file, expected text")
        }
        let first = bytes.prefix { $0 != 10 }
        if !first.contains(separator) {
            separator = [9, UInt8(ascii: ";")].first(where: first.contains) ?? separator
        }
        if let nul = bytes.firstIndex(of: 0) {
            throw TableError(
                file: file, line: bytes[..<nul].count { $0 == 10 } + 1, "found a NUL byte, expected text in UTF-8")
        }
    }

    /// The next row with anything in it, nil at the end.
    ///
    /// - Throws: `TableError`.
    mutating func next() throws -> Row? {
        while place < bytes.count {
            let row = try record()
            if row.fields.count > 1 || row.fields.first?.isEmpty == false { return row }
        }
        return nil
    }

    private mutating func record() throws -> Row {
        var row = Row(line: line, fields: [])
        while true {
            row.fields.append(try field(row))
            guard row.fields.count <= Self.mostColumns else {
                throw TableError(
                    file: file, line: row.line, "found more than \(Self.mostColumns) columns, expected fewer")
            }
            guard place < bytes.count else { return row }
            let end = bytes[place]
            place += 1
            if end == separator { continue }
            if end == UInt8(ascii: "\r") {
                // The check in `field` has seen the LF behind it.
                place += 1
            }
            line += 1
            return row
        }
    }

    /// One field; leaves `place` at the comma or end of line behind it.
    private mutating func field(_ row: Row) throws -> String {
        if place < bytes.count, bytes[place] == UInt8(ascii: "\"") { return try quoted(row) }
        let start = place
        while place < bytes.count {
            let byte = bytes[place]
            if byte == separator || byte == UInt8(ascii: "\n") { break }
            if byte == UInt8(ascii: "\r") {
                if place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "\n") { break }
                throw TableError(
                    file: file, line: line, "found a carriage return inside a row, expected lines ending in LF or CRLF")
            }
            if byte == UInt8(ascii: "\"") {
                throw TableError(
                    file: file, line: line,
                    "found a quotation mark inside a field that does not begin with one, expected it quoted and doubled"
                )
            }
            place += 1
        }
        return try text(bytes[start..<place], row)
    }

    private mutating func quoted(_ row: Row) throws -> String {
        place += 1
        var content: [UInt8] = []
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if byte == UInt8(ascii: "\n") { line += 1 }
            guard byte == UInt8(ascii: "\"") else {
                content.append(byte)
                continue
            }
            if place < bytes.count, bytes[place] == UInt8(ascii: "\"") {
                content.append(byte)
                place += 1
                continue
            }
            let isEnd =
                place == bytes.count || bytes[place] == separator || bytes[place] == UInt8(ascii: "\n")
                || bytes[place...].starts(with: [13, 10])
            guard isEnd else {
                throw TableError(
                    file: file, line: line,
                    "found text behind a closing quotation mark, expected a comma or the end of the line"
                )
            }
            return try text(content[...], row)
        }
        throw TableError(
            file: file, line: row.line,
            "found the end of the file inside a quoted field, expected a closing quotation mark")
    }

    private func text(_ bytes: ArraySlice<UInt8>, _ row: Row) throws -> String {
        guard bytes.count <= Self.longestField else {
            throw TableError(
                file: file, line: row.line,
                "found a field of \(bytes.count) bytes, expected at most \(Self.longestField)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw TableError(file: file, line: row.line, "found bytes that are not UTF-8, expected text in UTF-8")
        }
        // Spaces beside a comma are no part of a value.
        var trimmed = text[...]
        while trimmed.first == " " || trimmed.first == "\t" { trimmed.removeFirst() }
        while trimmed.last == " " || trimmed.last == "\t" { trimmed.removeLast() }
        return String(trimmed)
    }
}

/// A field as it is written: quoted where it must be.
func csvField(_ text: String) -> String {
    guard text.utf8.contains(where: { [44, 34, 10, 13].contains($0) }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
}
