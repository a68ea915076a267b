#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// A value of a `JSONText`.
package struct JSONNode: Sendable {
    let text: JSONText
    let index: Int

    private var entry: JSONText.Entry { text.entries[index] }
    var kind: JSONText.Kind { entry.kind }
    package var isObject: Bool { kind == .object }

    /// The text of the value, as it came.
    package var source: Data {
        let start = text.data.startIndex
        return text.data[start + Int(entry.start)..<start + Int(entry.end)]
    }

    /// The text of the value as an error shows it.
    package var shown: String { shortened(String(decoding: source.prefix(400), as: UTF8.self)) }

    var isString: Bool { kind == .plainString || kind == .escapedString }

    package var stringValue: String? {
        isString ? text.data.withUnsafeBytes { Self.string($0, entry) } : nil
    }

    /// The first member of this name; nil for what is no object too.
    package func member(_ name: String) -> JSONNode? {
        guard kind == .object else { return nil }
        return text.data.withUnsafeBytes { bytes in
            var at = index + 1
            while at < Int(entry.next) {
                if Self.isNamed(bytes, text.entries[at], name) { return JSONNode(text: text, index: at + 1) }
                at = Int(text.entries[at + 1].next)
            }
            return nil
        }
    }

    /// Members of an object; none of anything else.
    package var memberCount: Int {
        guard kind == .object else { return 0 }
        var (count, at) = (0, index + 1)
        while at < Int(entry.next) {
            count += 1
            at = Int(text.entries[at + 1].next)
        }
        return count
    }

    /// Members of an object, in their order; none of anything else.
    package var members: [(name: String, value: JSONNode)] {
        guard kind == .object else { return [] }
        return text.data.withUnsafeBytes { bytes in
            var found: [(name: String, value: JSONNode)] = []
            var at = index + 1
            while at < Int(entry.next) {
                found.append((Self.string(bytes, text.entries[at]), JSONNode(text: text, index: at + 1)))
                at = Int(text.entries[at + 1].next)
            }
            return found
        }
    }

    /// Elements of an array; none of anything else.
    package var elements: [JSONNode] {
        guard kind == .array else { return [] }
        var found: [JSONNode] = []
        var at = index + 1
        while at < Int(entry.next) {
            found.append(JSONNode(text: text, index: at))
            at = Int(text.entries[at].next)
        }
        return found
    }

    // MARK: - Strings

    private static func isNamed(_ bytes: UnsafeRawBufferPointer, _ entry: JSONText.Entry, _ name: String) -> Bool {
        guard entry.kind == .plainString else { return string(bytes, entry) == name }
        return bytes[Int(entry.start) + 1..<Int(entry.end) - 1].elementsEqual(name.utf8)
    }

    static func string(_ bytes: UnsafeRawBufferPointer, _ entry: JSONText.Entry) -> String {
        guard entry.kind == .escapedString else {
            return String(decoding: bytes[Int(entry.start) + 1..<Int(entry.end) - 1], as: UTF8.self)
        }
        return String(decoding: content(bytes, entry), as: UTF8.self)
    }

    /// What a string means, in UTF-8. Its form was checked when the text was read.
    static func content(_ bytes: UnsafeRawBufferPointer, _ entry: JSONText.Entry) -> [UInt8] {
        let raw = bytes[Int(entry.start) + 1..<Int(entry.end) - 1]
        guard entry.kind == .escapedString else { return Array(raw) }
        return jsonUnescaped(UnsafeRawBufferPointer(rebasing: raw))
    }
}
