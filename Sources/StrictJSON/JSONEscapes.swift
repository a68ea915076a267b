/// The bytes that the content of a JSON string stands for: escapes resolved, half surrogates replaced.
///
/// - Parameter text: what stands between the quotes, whose form was checked.
package func jsonUnescaped(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var place = 0
    func unit(_ start: Int) -> UInt16? {
        guard start + 4 <= text.count else { return nil }
        return text[start..<start + 4].reduce(0) { $0 << 4 | (hexadecimal($1) ?? 0) }
    }
    while place < text.count {
        guard text[place] == UInt8(ascii: "\\"), place + 1 < text.count else {
            bytes.append(text[place])
            place += 1
            continue
        }
        let letter = text[place + 1]
        place += 2
        switch letter {
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            var units = [unit(place) ?? 0xfffd]
            place += 4
            if (0xd800..<0xdc00).contains(units[0]), place + 1 < text.count, text[place] == UInt8(ascii: "\\"),
                text[place + 1] == UInt8(ascii: "u"), let low = unit(place + 2), (0xdc00..<0xe000).contains(low)
            {
                units.append(low)
                place += 6
            }
            bytes.append(contentsOf: String(decoding: units, as: UTF16.self).utf8)
        default: bytes.append(letter)
        }
    }
    return bytes
}
