internal import StrictJSON

/// Several items in one field: `1 2 3`, `1,2,3`, `[1, 2, 3]`, `['a', 'b']`, `["a", "b"]`, `a|b`.
struct ItemList {
    /// The byte between items; nil for blanks.
    var separator: UInt8?

    /// How lists are written in a sample of fields: by the separator that most of those have that hold several items.
    init(of sample: [[UInt8]]) {
        let inner = sample.map { field in field.withUnsafeBytes { Array(Self.withoutBrackets($0)) } }
        for byte in [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "|")] {
            let several = inner.filter { $0.contains(byte) || $0.contains(32) }
            if !several.isEmpty, several.filter({ $0.contains(byte) }).count * 2 > several.count {
                separator = byte
                return
            }
        }
        separator = nil
    }

    /// Hands each item that is not empty to `body`, without blanks and quotes around it.
    func forEach(_ field: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        forEachPart(field) { part, _ in if !part.isEmpty { body(part) } }
    }

    /// Whether items are lists or objects themselves, which no name is.
    func isNested(_ field: UnsafeRawBufferPointer) -> Bool {
        func isOpening(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "[") || byte == UInt8(ascii: "(") || byte == UInt8(ascii: "{")
        }
        let text = Self.withoutBrackets(field)
        guard text.count < field.count, text.contains(where: isOpening) else { return false }
        var isNested = false
        forEachPart(field) { part, isQuoted in
            if !isQuoted, let first = part.first, isOpening(first) { isNested = true }
        }
        return isNested
    }

    /// Hands each part of a list to `body`, and whether it was quoted.
    ///
    /// A quote ends where a separator or the end follows it: in `'it's'` there is an apostrophe. Inside of brackets a list is JSON or
    /// a program's, so that a backslash escapes in quotes.
    private func forEachPart(
        _ field: UnsafeRawBufferPointer, _ body: (_ part: UnsafeRawBufferPointer, _ isQuoted: Bool) -> Void
    ) {
        let text = Self.withoutBrackets(field)
        let isBracketed = text.count < field.count
        var place = 0
        while place < text.count {
            while place < text.count, Self.isBlank(text[place]) { place += 1 }
            guard place < text.count else { return }
            if let (end, isEscaped) = closingQuote(text, from: place, escapes: isBracketed) {
                let quoted = UnsafeRawBufferPointer(rebasing: text[place + 1..<end])
                if isEscaped {
                    unescaped(quoted).withUnsafeBytes { body($0, true) }
                } else {
                    body(quoted, true)
                }
                place = end + 1
                if let separator {
                    place = text[place...].firstIndex(of: separator).map { $0 + 1 } ?? text.count
                }
                continue
            }
            let end: Int
            if let separator {
                end = text[place...].firstIndex(of: separator) ?? text.count
            } else {
                end = text[place...].firstIndex(where: Self.isBlank) ?? text.count
            }
            body(trimmed(text, place..<end), false)
            place = end + 1
        }
    }

    /// Where the quote closes that an item begins with, and whether anything is escaped in it; nil where it is a letter.
    private func closingQuote(_ text: UnsafeRawBufferPointer, from place: Int, escapes: Bool) -> (Int, Bool)? {
        let quote = text[place]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { return nil }
        var (end, isEscaped) = (place + 1, false)
        while end < text.count {
            if escapes, text[end] == UInt8(ascii: "\\") {
                isEscaped = true
                end += 2
                continue
            }
            if text[end] == quote {
                var next = end + 1
                while separator != nil, next < text.count, Self.isBlank(text[next]) { next += 1 }
                if next == text.count || text[next] == separator || separator == nil && Self.isBlank(text[next]) {
                    return (end, isEscaped)
                }
            }
            end += 1
        }
        return nil
    }

    /// What a quoted text stands for in JSON or in Python, whose `\x` and `\U` JSON does not know.
    private func unescaped(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var bytes: [UInt8] = []
        var place = 0
        while place < text.count {
            guard text[place] == UInt8(ascii: "\\"), place + 1 < text.count else {
                bytes.append(text[place])
                place += 1
                continue
            }
            // A backslash and its letter are handed on as they are; only what JSON does not know is worked out here.
            let digits = text[place + 1] == UInt8(ascii: "x") ? 2 : text[place + 1] == UInt8(ascii: "U") ? 8 : 0
            let code = text.dropFirst(place + 2).prefix(digits)
            if digits > 0, code.count == digits,
                let scalar = UInt32(String(decoding: code, as: UTF8.self), radix: 16).flatMap(Unicode.Scalar.init)
            {
                bytes += Array(String(Character(scalar)).utf8)
                place += 2 + digits
            } else {
                // Neighbours of the kind \u are handed on together, since two of them may be halves of one character.
                var end = place
                while end + 1 < text.count, text[end] == UInt8(ascii: "\\"), text[end + 1] == UInt8(ascii: "u") {
                    end = min(text.count, end + 6)
                }
                if end == place { end += 2 }
                bytes += jsonUnescaped(UnsafeRawBufferPointer(rebasing: text[place..<end]))
                place = end
            }
        }
        return bytes
    }

    /// Whether a field is a list in brackets.
    static func hasBrackets(_ field: [UInt8]) -> Bool {
        field.withUnsafeBytes { withoutBrackets($0).count } < field.count
    }

    private static func withoutBrackets(_ field: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard field.count >= 2, let first = field.first, let last = field.last else { return field }
        switch (first, last) {
        case (UInt8(ascii: "["), UInt8(ascii: "]")), (UInt8(ascii: "("), UInt8(ascii: ")")),
            (UInt8(ascii: "{"), UInt8(ascii: "}")):
            return UnsafeRawBufferPointer(rebasing: field[1..<field.count - 1])
        default: return field
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
}
