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
        let text = Self.withoutBrackets(field)
        var place = 0
        while place < text.count {
            while place < text.count, Self.isBlank(text[place]) { place += 1 }
            guard place < text.count else { return }
            let first = text[place]
            if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'"),
                let end = text[(place + 1)...].firstIndex(of: first)
            {
                body(UnsafeRawBufferPointer(rebasing: text[place + 1..<end]))
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
            let item = trimmed(text, place..<end)
            if !item.isEmpty { body(item) }
            place = end + 1
        }
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
