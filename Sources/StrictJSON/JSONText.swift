#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// A JSON text as RFC 8259 has it, read once: one pass finds every value and its place, and whether there is anything that is no JSON.
/// Nothing is converted before it is asked for.
///
/// Stricter than Foundation's decoder: no comma before a closing bracket, UTF-8 alone, and of an object no member twice (which is
/// noted, not thrown, since such a text can still be answered; `root(of:)` throws it).
package final class JSONText: Sendable {
    enum Kind: UInt8, Sendable { case null, no, yes, number, plainString, escapedString, array, object }

    /// A value; of an object each name and each value in turn. 16 bytes: a message may hold two million.
    struct Entry: Sendable {
        /// First byte, and the one behind the last.
        var start: UInt32
        var end: UInt32
        /// The entry behind this one and all within it.
        var next: UInt32
        var kind: Kind
    }

    /// A member that stands twice in one object.
    package struct Duplicate: Sendable, CustomStringConvertible {
        package var name: String
        /// Byte at which it stands again.
        package var offset: Int
        /// Whether the object is not within another or an array.
        package var isOutermost: Bool

        var error: JSONSyntaxError {
            JSONSyntaxError(
                offset: offset, found: "the member \"\(shortened(name))\" twice in one object", expected: "it once")
        }

        package var description: String { "found \(error.found), expected \(error.expected)" }
    }

    let data: Data
    let entries: [Entry]
    /// The first one.
    package let duplicate: Duplicate?

    /// Objects and arrays within each other.
    package static let usualDepth = 64

    /// - Parameter values: as many values as there may be, where that is known.
    /// - Throws: `JSONSyntaxError`.
    package init(_ data: Data, values: Int = 0, mostDepth: Int = JSONText.usualDepth) throws(JSONSyntaxError) {
        guard data.count < Int(Int32.max) else {
            throw JSONSyntaxError(offset: 0, found: "\(data.count) bytes", expected: "fewer than 2147483647")
        }
        var parser = JSONParser(mostDepth: mostDepth, values: values)
        let failure: JSONSyntaxError? = data.withUnsafeBytes { bytes in
            do throws(JSONSyntaxError) {
                try parser.read(bytes)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        self.data = data
        entries = parser.entries
        duplicate = parser.duplicate
    }

    package var root: JSONNode { JSONNode(text: self, index: 0) }

    /// The value of a text in which no object has a member twice.
    ///
    /// - Throws: `JSONSyntaxError`.
    package static func root(of data: Data) throws(JSONSyntaxError) -> JSONNode {
        let text = try JSONText(data)
        if let duplicate = text.duplicate { throw duplicate.error }
        return text.root
    }
}

/// Where a text is no JSON.
package struct JSONSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Byte, counted from 0.
    package var offset: Int
    package var found: String
    package var expected: String

    package init(offset: Int, found: String, expected: String) {
        (self.offset, self.found, self.expected) = (offset, found, expected)
    }

    package var description: String { "found \(found) at byte \(offset), expected \(expected)" }

    /// Line and column of a byte, counted from 1; columns are bytes.
    package static func position(of offset: Int, in data: Data) -> (line: Int, column: Int) {
        let before = data.prefix(offset)
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 - before.startIndex + 1 } ?? 0
        return (1 + before.count { $0 == UInt8(ascii: "\n") }, before.count - start + 1)
    }
}

/// A text of which people need see no more than its beginning.
package func shortened(_ text: String) -> String {
    text.utf8.count <= 60 ? text : String(text.prefix(57)) + "..."
}

/// The one pass.
private struct JSONParser {
    private(set) var entries: [JSONText.Entry] = []
    private(set) var duplicate: JSONText.Duplicate?
    private let mostDepth: Int
    private var place = 0
    /// Entries of the names of the objects that are open.
    private var names: [Int] = []

    init(mostDepth: Int, values: Int) {
        self.mostDepth = mostDepth
        entries.reserveCapacity(values)
    }

    mutating func read(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        try value(bytes, 1)
        skipSpace(bytes)
        guard place == bytes.count else { throw failure(bytes, "nothing behind the value") }
    }

    private func failure(_ bytes: UnsafeRawBufferPointer, _ expected: String) -> JSONSyntaxError {
        let found: String
        if place >= bytes.count {
            found = "the end"
        } else if (0x21..<0x7f).contains(bytes[place]) {
            found = "'\(Unicode.Scalar(bytes[place]))'"
        } else {
            found = "the byte \(bytes[place])"
        }
        return JSONSyntaxError(offset: place, found: found, expected: expected)
    }

    private mutating func skipSpace(_ bytes: UnsafeRawBufferPointer) {
        while place < bytes.count {
            let byte = bytes[place]
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return }
            place += 1
        }
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer, _ byte: UInt8) -> Bool {
        guard place < bytes.count, bytes[place] == byte else { return false }
        place += 1
        return true
    }

    private mutating func begin(_ kind: JSONText.Kind) -> Int {
        entries.append(JSONText.Entry(start: UInt32(place), end: 0, next: 0, kind: kind))
        return entries.count - 1
    }

    private mutating func end(_ index: Int) {
        entries[index].end = UInt32(place)
        entries[index].next = UInt32(entries.count)
    }

    private mutating func value(_ bytes: UnsafeRawBufferPointer, _ depth: Int) throws(JSONSyntaxError) {
        skipSpace(bytes)
        guard place < bytes.count else { throw failure(bytes, "a value") }
        switch bytes[place] {
        case UInt8(ascii: "{"): try object(bytes, depth)
        case UInt8(ascii: "["): try array(bytes, depth)
        case UInt8(ascii: "\""): try string(bytes)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number(bytes)
        case UInt8(ascii: "t"): try word(bytes, "true", .yes)
        case UInt8(ascii: "f"): try word(bytes, "false", .no)
        case UInt8(ascii: "n"): try word(bytes, "null", .null)
        default: throw failure(bytes, "a value")
        }
    }

    private mutating func object(_ bytes: UnsafeRawBufferPointer, _ depth: Int) throws(JSONSyntaxError) {
        let index = try open(bytes, .object, depth)
        let first = names.count
        skipSpace(bytes)
        if !take(bytes, UInt8(ascii: "}")) {
            repeat {
                skipSpace(bytes)
                guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else {
                    throw failure(bytes, "a name in quotation marks")
                }
                names.append(entries.count)
                try string(bytes)
                skipSpace(bytes)
                guard take(bytes, UInt8(ascii: ":")) else { throw failure(bytes, "':'") }
                try value(bytes, depth + 1)
                skipSpace(bytes)
            } while take(bytes, UInt8(ascii: ","))
            guard take(bytes, UInt8(ascii: "}")) else { throw failure(bytes, "',' or '}'") }
        }
        end(index)
        if duplicate == nil, let again = repeated(bytes, names[first...]) {
            let entry = entries[again]
            duplicate = JSONText.Duplicate(
                name: JSONNode.string(bytes, entry), offset: Int(entry.start), isOutermost: depth == 1)
        }
        names.removeSubrange(first...)
    }

    private mutating func array(_ bytes: UnsafeRawBufferPointer, _ depth: Int) throws(JSONSyntaxError) {
        let index = try open(bytes, .array, depth)
        skipSpace(bytes)
        if !take(bytes, UInt8(ascii: "]")) {
            repeat {
                try value(bytes, depth + 1)
                skipSpace(bytes)
            } while take(bytes, UInt8(ascii: ","))
            guard take(bytes, UInt8(ascii: "]")) else { throw failure(bytes, "',' or ']'") }
        }
        end(index)
    }

    private mutating func open(
        _ bytes: UnsafeRawBufferPointer, _ kind: JSONText.Kind, _ depth: Int
    ) throws(JSONSyntaxError) -> Int {
        guard depth <= mostDepth else {
            throw failure(bytes, "at most \(mostDepth) objects and arrays within each other")
        }
        let index = begin(kind)
        place += 1
        return index
    }

    private mutating func word(
        _ bytes: UnsafeRawBufferPointer, _ word: StaticString, _ kind: JSONText.Kind
    ) throws(JSONSyntaxError) {
        let index = begin(kind)
        for offset in 0..<word.utf8CodeUnitCount {
            guard take(bytes, word.utf8Start[offset]) else { throw failure(bytes, "\(word)") }
        }
        end(index)
    }

    private mutating func number(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        let index = begin(.number)
        _ = take(bytes, UInt8(ascii: "-"))
        if !take(bytes, UInt8(ascii: "0")) { try digits(bytes) }
        if take(bytes, UInt8(ascii: ".")) { try digits(bytes) }
        if take(bytes, UInt8(ascii: "e")) || take(bytes, UInt8(ascii: "E")) {
            if !take(bytes, UInt8(ascii: "+")) { _ = take(bytes, UInt8(ascii: "-")) }
            try digits(bytes)
        }
        end(index)
    }

    private mutating func digits(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        let start = place
        while place < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[place]) { place += 1 }
        guard place > start else { throw failure(bytes, "a digit") }
    }

    private mutating func string(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        let index = begin(.plainString)
        place += 1
        var isASCII = true
        while true {
            guard place < bytes.count else { throw failure(bytes, "a quotation mark that ends the string") }
            let byte = bytes[place]
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                entries[index].kind = .escapedString
                try escape(bytes)
                continue
            }
            guard byte >= 0x20 else { throw failure(bytes, "control characters of a string to be escaped") }
            if byte >= 0x80 { isASCII = false }
            place += 1
        }
        if !isASCII {
            let content = UnsafeRawBufferPointer(rebasing: bytes[Int(entries[index].start) + 1..<place])
            if String(validating: content, as: UTF8.self) == nil {
                throw JSONSyntaxError(
                    offset: Int(entries[index].start), found: "bytes in a string that are no UTF-8", expected: "UTF-8")
            }
        }
        place += 1
        end(index)
    }

    private mutating func escape(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        place += 1
        guard place < bytes.count else { throw failure(bytes, "a character behind '\\'") }
        switch bytes[place] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            place += 1
        case UInt8(ascii: "u"):
            let start = place - 1
            place += 1
            let unit = try unit(bytes)
            if (0xd800..<0xdc00).contains(unit), take(bytes, UInt8(ascii: "\\")), take(bytes, UInt8(ascii: "u")) {
                if (0xdc00..<0xe000).contains(try self.unit(bytes)) { return }
            } else if !(0xd800..<0xe000).contains(unit) {
                return
            }
            throw JSONSyntaxError(offset: start, found: "half of a surrogate pair", expected: "both halves")
        default: throw failure(bytes, "one of \"\\/bfnrtu behind '\\'")
        }
    }

    /// Four hexadecimal digits.
    private mutating func unit(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard place < bytes.count, let digit = hexadecimal(bytes[place]) else {
                throw failure(bytes, "four hexadecimal digits")
            }
            unit = unit << 4 | digit
            place += 1
        }
        return unit
    }

    /// The first name that stands among those before it.
    private func repeated(_ bytes: UnsafeRawBufferPointer, _ names: ArraySlice<Int>) -> Int? {
        func content(_ index: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[Int(entries[index].start) + 1..<Int(entries[index].end) - 1])
        }
        // Few, and as they are written: compared with each other. An object of many is looked up.
        if names.count <= 16, names.allSatisfy({ entries[$0].kind == .plainString }) {
            for (place, name) in names.enumerated() {
                let own = content(name)
                for other in names.prefix(place) where content(other).elementsEqual(own) { return name }
            }
            return nil
        }
        var seen: Set<[UInt8]> = []
        return names.first { !seen.insert(JSONNode.content(bytes, entries[$0])).inserted }
    }
}

/// The value of a hexadecimal digit.
package func hexadecimal(_ byte: UInt8) -> UInt16? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
}
