internal import StrictJSON

/// The place of a value in JSON objects inside each other: the names of the members that lead to it.
struct JSONPath: Hashable {
    var names: [[UInt8]]

    /// `user.id`.
    var text: String { names.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".") }
}

/// Finds members of JSON objects, one object a line, without building values.
///
/// Strict as RFC 8259, but for `NaN` and `Infinity`, which Python writes and which are taken for null. Of members that occur
/// twice the last counts, as in Python and JavaScript.
struct JSONFields {
    /// What a value is.
    enum Kind { case missing, string, escapedString, number, word, null, array, object }

    /// A value's bytes: of a string what stands between the quotes.
    struct Field {
        var range = 0..<0
        var kind = Kind.missing
    }

    /// Names of the members that are wanted; a name that holds an escape is never found.
    private(set) var fields: [Field]
    private let members: [Member]

    /// A member that is wanted, or whose own members are.
    private struct Member {
        let name: [UInt8]
        var index: Int?
        var members: [Member] = []

        /// Those of paths that differ from `depth` on, in the order of their first.
        static func tree(_ paths: [(index: Int, names: ArraySlice<[UInt8]>)]) -> [Member] {
            var order: [[UInt8]] = []
            var groups: [[UInt8]: [(index: Int, names: ArraySlice<[UInt8]>)]] = [:]
            for path in paths {
                guard let name = path.names.first else { continue }
                if groups[name] == nil { order.append(name) }
                groups[name, default: []].append((path.index, path.names.dropFirst()))
            }
            return order.map { name in
                let group = groups[name] ?? []
                return Member(
                    name: name, index: group.first { $0.names.isEmpty }?.index,
                    members: tree(group.filter { !$0.names.isEmpty }))
            }
        }
    }

    /// - Parameter wanted: the indices of the paths to look for; all by default.
    init(_ paths: [JSONPath], wanted: [Int]? = nil) {
        members = Member.tree((wanted ?? Array(paths.indices)).map { ($0, paths[$0].names[...]) })
        fields = paths.map { _ in Field() }
    }

    /// Finds the wanted members of the object that is all of `line`; false for what is no object.
    mutating func split(_ line: UnsafeRawBufferPointer) -> Bool {
        for index in fields.indices { fields[index] = Field() }
        var cursor = JSONCursor()
        return Self.look(&cursor, line, members, &fields) && cursor.isAtEnd(line)
    }

    private static func look(
        _ cursor: inout JSONCursor, _ line: UnsafeRawBufferPointer, _ members: [Member], _ fields: inout [Field]
    ) -> Bool {
        var hint = 0
        return cursor.object(line) { name, field in
            // Members mostly stand in the order of the names: the next one is tried first.
            for step in members.indices {
                let place = (hint + step) % members.count
                let known = members[place]
                guard known.name.count == name.count, known.name.elementsEqual(line[name]) else { continue }
                if let index = known.index { fields[index] = field }
                if !known.members.isEmpty, field.kind == .object {
                    var inside = JSONCursor(at: field.range.lowerBound)
                    _ = look(&inside, line, known.members, &fields)
                }
                hint = place + 1
                break
            }
        }
    }

    /// All members of the object that is all of `line`, in their order; nil for what is no object.
    static func members(_ line: UnsafeRawBufferPointer) -> [(name: [UInt8], field: Field)]? {
        var cursor = JSONCursor()
        var members: [(name: [UInt8], field: Field)] = []
        let isGood = cursor.object(line) { members.append((Array(line[$0]), $1)) }
        return isGood && cursor.isAtEnd(line) ? members : nil
    }

    /// The elements of an array that was found to be one.
    static func elements(_ text: UnsafeRawBufferPointer, _ body: (Field) -> Void) {
        var cursor = JSONCursor()
        _ = cursor.array(text, body)
    }
}

/// A place in a JSON text.
private struct JSONCursor {
    private var place: Int
    private var depth = 0

    init(at place: Int = 0) { self.place = place }

    /// Lists and objects inside each other; more is no record of anything.
    private static let deepest = 64

    mutating func isAtEnd(_ text: UnsafeRawBufferPointer) -> Bool {
        skipBlanks(text)
        return place == text.count
    }

    mutating func object(
        _ text: UnsafeRawBufferPointer, _ body: (_ name: Range<Int>, _ field: JSONFields.Field) -> Void
    ) -> Bool {
        guard take(text, "{"), depth < Self.deepest else { return false }
        depth += 1
        defer { depth -= 1 }
        if take(text, "}") { return true }
        repeat {
            skipBlanks(text)
            guard let name = string(text), take(text, ":"), let field = value(text) else { return false }
            body(name.range, field)
        } while take(text, ",")
        return take(text, "}")
    }

    mutating func array(_ text: UnsafeRawBufferPointer, _ body: (JSONFields.Field) -> Void) -> Bool {
        guard take(text, "["), depth < Self.deepest else { return false }
        depth += 1
        defer { depth -= 1 }
        if take(text, "]") { return true }
        repeat {
            guard let field = value(text) else { return false }
            body(field)
        } while take(text, ",")
        return take(text, "]")
    }

    private mutating func value(_ text: UnsafeRawBufferPointer) -> JSONFields.Field? {
        skipBlanks(text)
        guard place < text.count else { return nil }
        let start = place
        switch text[place] {
        case UInt8(ascii: "\""): return string(text)
        case UInt8(ascii: "{"):
            return object(text, { _, _ in }) ? JSONFields.Field(range: start..<place, kind: .object) : nil
        case UInt8(ascii: "["):
            return array(text, { _ in }) ? JSONFields.Field(range: start..<place, kind: .array) : nil
        case UInt8(ascii: "-"), 48...57:
            if word(text, "-Infinity") { return JSONFields.Field(range: start..<place, kind: .null) }
            return number(text)
        default:
            if word(text, "null") || word(text, "NaN") || word(text, "Infinity") {
                return JSONFields.Field(range: start..<place, kind: .null)
            }
            return word(text, "true") || word(text, "false")
                ? JSONFields.Field(range: start..<place, kind: .word) : nil
        }
    }

    private mutating func string(_ text: UnsafeRawBufferPointer) -> JSONFields.Field? {
        guard place < text.count, text[place] == UInt8(ascii: "\"") else { return nil }
        place += 1
        let start = place
        var kind = JSONFields.Kind.string
        while place < text.count {
            switch text[place] {
            case UInt8(ascii: "\""):
                place += 1
                return JSONFields.Field(range: start..<place - 1, kind: kind)
            case UInt8(ascii: "\\"):
                kind = .escapedString
                guard place + 1 < text.count else { return nil }
                if text[place + 1] == UInt8(ascii: "u") {
                    guard place + 6 <= text.count,
                        text[place + 2..<place + 6].allSatisfy({ hexadecimal($0) != nil })
                    else { return nil }
                    place += 6
                } else {
                    guard "\"\\/bfnrt".utf8.contains(text[place + 1]) else { return nil }
                    place += 2
                }
            case 0..<32: return nil
            default: place += 1
            }
        }
        return nil
    }

    private mutating func number(_ text: UnsafeRawBufferPointer) -> JSONFields.Field? {
        let start = place
        func isDigit(_ place: Int) -> Bool { place < text.count && (48...57).contains(text[place]) }
        if text[place] == UInt8(ascii: "-") { place += 1 }
        guard isDigit(place) else { return nil }
        if text[place] == 48 { place += 1 } else { while isDigit(place) { place += 1 } }
        if place < text.count, text[place] == UInt8(ascii: ".") {
            place += 1
            guard isDigit(place) else { return nil }
            while isDigit(place) { place += 1 }
        }
        if place < text.count, text[place] | 32 == UInt8(ascii: "e") {
            place += 1
            if place < text.count, text[place] == UInt8(ascii: "+") || text[place] == UInt8(ascii: "-") { place += 1 }
            guard isDigit(place) else { return nil }
            while isDigit(place) { place += 1 }
        }
        return JSONFields.Field(range: start..<place, kind: .number)
    }

    private mutating func skipBlanks(_ text: UnsafeRawBufferPointer) {
        while place < text.count, text[place] == 32 || (9...13).contains(text[place]) { place += 1 }
    }

    private mutating func take(_ text: UnsafeRawBufferPointer, _ letter: Unicode.Scalar) -> Bool {
        skipBlanks(text)
        guard place < text.count, text[place] == UInt8(ascii: letter) else { return false }
        place += 1
        return true
    }

    private mutating func word(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard place + count <= text.count, (0..<count).allSatisfy({ text[place + $0] == word.utf8Start[$0] }) else {
            return false
        }
        place += count
        return true
    }
}
