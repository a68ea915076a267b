/// Why a value of a text is not what was expected.
package struct JSONMismatch: Error, Sendable, CustomStringConvertible {
    /// The member, as `options.kCore` or `layers[1]`; empty for the whole.
    package var path: String
    /// Its text; nil where it is missing.
    package var found: String?
    package var expected: String

    package init(path: String, found: String?, expected: String) {
        (self.path, self.found, self.expected) = (path, found, expected)
    }

    package var description: String {
        let words = (found.map { "found \($0)" } ?? "missing") + ", expected \(expected)"
        return path.isEmpty ? words : "\(path): \(words)"
    }
}

extension JSONNode {
    /// - Throws: `JSONMismatch`, naming the member.
    package func decode<T: Decodable>(_ type: T.Type) throws -> T { try JSONNodeDecoder(node: self, path: []).value() }
}

/// Decodes a value of a text; what does not fit is named with what was found and what was expected.
struct JSONNodeDecoder: Decoder {
    let node: JSONNode
    let path: [any CodingKey]

    var codingPath: [any CodingKey] { path }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard node.kind == .object else { throw mismatch("an object") }
        return KeyedDecodingContainer(Members(self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard node.kind == .array else { throw mismatch("an array") }
        return Elements(self)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    func at(_ node: JSONNode, _ key: any CodingKey) -> JSONNodeDecoder {
        JSONNodeDecoder(node: node, path: path + [key])
    }

    // MARK: - Errors

    static func text(_ path: [any CodingKey]) -> String {
        path.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
            }
        }
    }

    func mismatch(_ expected: String) -> JSONMismatch {
        JSONMismatch(path: Self.text(path), found: node.shown, expected: expected)
    }

    /// What a type takes, in words.
    static func words<T>(_ type: T.Type) -> String {
        func list<C: CaseIterable>(_ type: C.Type) -> String {
            let all = type.allCases.map { value in
                (value as? any RawRepresentable).map { "\($0.rawValue)" } ?? "\(value)"
            }
            return all.count == 1 ? "\"\(all[0])\"" : "one of " + all.joined(separator: ", ")
        }
        if let cases = type as? any CaseIterable.Type { return list(cases) }
        if type is any BinaryInteger.Type { return "a whole number" }
        if type is any BinaryFloatingPoint.Type { return "a number" }
        if type is Bool.Type { return "true or false" }
        if type is String.Type { return "text" }
        return "a value"
    }

    /// An error of a type that decodes itself: what it says of what it expected is kept.
    private func explained<T>(_ error: DecodingError, _ type: T.Type) -> JSONMismatch {
        switch error {
        case .keyNotFound(let key, let context):
            return JSONMismatch(path: Self.text(context.codingPath + [key]), found: nil, expected: "a value")
        case .dataCorrupted(let context), .typeMismatch(_, let context), .valueNotFound(_, let context):
            if type is any CaseIterable.Type { return mismatch(Self.words(type)) }
            let said = context.debugDescription
            return mismatch(said.firstRange(of: ", expected ").map { String(said[$0.upperBound...]) } ?? said)
        @unknown default: return mismatch("\(error)")
        }
    }

    // MARK: - Values

    var isNull: Bool { node.kind == .null }

    func bool() throws -> Bool {
        switch node.kind {
        case .yes: return true
        case .no: return false
        default: throw mismatch(Self.words(Bool.self))
        }
    }

    func string() throws -> String {
        guard let text = node.stringValue else { throw mismatch(Self.words(String.self)) }
        return text
    }

    func integer<T: FixedWidthInteger>() throws -> T {
        guard node.kind == .number else { throw mismatch(Self.words(T.self)) }
        let text = String(decoding: node.source, as: UTF8.self)
        if let value = T(text) { return value }
        // A whole number may be written as 2.0 or 1e3.
        let number = Double(text) ?? .nan
        guard number.rounded() == number else { throw mismatch(Self.words(T.self)) }
        if abs(number) <= 0x1p53, let value = T(exactly: number) { return value }
        throw mismatch("a whole number from \(T.min) to \(T.max)")
    }

    func number<T: BinaryFloatingPoint & LosslessStringConvertible>() throws -> T {
        guard node.kind == .number else { throw mismatch(Self.words(T.self)) }
        guard let value = T(String(decoding: node.source, as: UTF8.self)), value.isFinite else {
            throw mismatch("a number of at most \(T.greatestFiniteMagnitude) either way")
        }
        return value
    }

    func value<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        do {
            return try T(from: self)
        } catch let error as DecodingError {
            throw explained(error, type)
        }
    }
}

extension JSONNodeDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { isNull }
    func decode(_ type: Bool.Type) throws -> Bool { try bool() }
    func decode(_ type: String.Type) throws -> String { try string() }
    func decode(_ type: Double.Type) throws -> Double { try number() }
    func decode(_ type: Float.Type) throws -> Float { try number() }
    func decode<T: FixedWidthInteger & Decodable>(_ type: T.Type) throws -> T { try integer() }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try value() }
}

/// A place of an array in a path.
private struct Place: CodingKey {
    var intValue: Int?
    var stringValue: String { "\(intValue ?? 0)" }
    init(_ place: Int) { intValue = place }
    init?(intValue: Int) { self.intValue = intValue }
    init?(stringValue: String) { return nil }
}

private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let decoder: JSONNodeDecoder
    /// Of an object with many members; few are looked through.
    private let index: [String: JSONNode]?

    init(_ decoder: JSONNodeDecoder) {
        self.decoder = decoder
        index =
            decoder.node.memberCount > 16
            ? Dictionary(decoder.node.members.map { ($0.name, $0.value) }) { first, _ in first } : nil
    }

    var codingPath: [any CodingKey] { decoder.path }
    var allKeys: [Key] { decoder.node.members.compactMap { Key(stringValue: $0.name) } }

    private func find(_ key: Key) -> JSONNode? {
        index.map { $0[key.stringValue] } ?? decoder.node.member(key.stringValue)
    }

    private func at<T>(_ key: Key, _ type: T.Type) throws -> JSONNodeDecoder {
        guard let node = find(key) else {
            throw JSONMismatch(
                path: JSONNodeDecoder.text(decoder.path + [key]), found: nil, expected: JSONNodeDecoder.words(type))
        }
        return decoder.at(node, key)
    }

    func contains(_ key: Key) -> Bool { find(key) != nil }
    func decodeNil(forKey key: Key) throws -> Bool { find(key)?.kind == .null }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try at(key, type).value() }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try at(key, type).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try at(key, Self.self).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { decoder }
    func superDecoder(forKey key: Key) throws -> any Decoder { try at(key, Self.self) }
}

private struct Elements: UnkeyedDecodingContainer {
    private let decoder: JSONNodeDecoder
    private let nodes: [JSONNode]
    private(set) var currentIndex = 0

    init(_ decoder: JSONNodeDecoder) {
        self.decoder = decoder
        nodes = decoder.node.elements
    }

    var codingPath: [any CodingKey] { decoder.path }
    var count: Int? { nodes.count }
    var isAtEnd: Bool { currentIndex == nodes.count }

    /// The next element; it counts as read when `body` does not fail.
    private mutating func next<T>(_ body: (JSONNodeDecoder) throws -> T) throws -> T {
        guard !isAtEnd else { throw decoder.mismatch("more elements than \(nodes.count)") }
        let value = try body(decoder.at(nodes[currentIndex], Place(currentIndex)))
        currentIndex += 1
        return value
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, nodes[currentIndex].kind == .null else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next { try $0.value() } }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try next { try $0.container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next { try $0.unkeyedContainer() }
    }

    mutating func superDecoder() throws -> any Decoder { try next { $0 } }
}
