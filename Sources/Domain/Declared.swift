/// A value that an import may leave unsaid; on the wire what is unsaid is absent.
package enum Declared<Value: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
    case said(Value)
    case unsaid

    /// Nil is unsaid.
    package init(_ value: Value?) { self = value.map(Self.said) ?? .unsaid }

    /// Nil where it is unsaid: whoever asks says what that means.
    package var value: Value? { if case .said(let value) = self { value } else { nil } }

    // Alone, outside of a keyed container, nothing can be absent.
    package init(from decoder: any Decoder) throws { self = .said(try Value(from: decoder)) }
    package func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
}

extension Declared where Value: CustomStringConvertible {
    /// As it is shown: `undeclared` where nobody said it.
    package var words: String { value?.description ?? "undeclared" }
}

extension Declared where Value: RawRepresentable<String> {
    package var words: String { value?.rawValue ?? "undeclared" }
}

// What the compiler writes for a Codable type calls these.
extension KeyedDecodingContainer {
    package func decode<Value>(_: Declared<Value>.Type, forKey key: Key) throws -> Declared<Value> {
        contains(key) ? .said(try decode(Value.self, forKey: key)) : .unsaid
    }
}

extension KeyedEncodingContainer {
    package mutating func encode<Value>(_ declared: Declared<Value>, forKey key: Key) throws {
        if case .said(let value) = declared { try encode(value, forKey: key) }
    }
}
