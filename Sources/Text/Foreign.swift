/// Text that others made, for people and terminals: names in files, messages of the daemon, what a worker said.
///
/// A terminal obeys control characters (C0, DEL and C1), and it shows text in another order where bidirectional controls say so. Both
/// can make a name look like something else, or do something. They are shown as `\u001B` here, in the notation of JSON.
package enum Foreign {
    /// A line without what a terminal would obey; ends of lines and tabs are shown as `\n`, `\r` and `\t`.
    package static func line(_ text: String) -> String { shown(text) { !isPlain($0) } }

    /// The same for text of several lines, which keeps its ends of lines and tabs.
    package static func lines(_ text: String) -> String {
        shown(text) { !isPlain($0) && $0 != "\n" && $0 != "\t" }
    }

    /// Text that is JSON already: the encoder leaves C1, DEL and bidirectional controls in its strings as they are, and here they become
    /// escapes, which read as the same text.
    package static func json(_ text: String) -> String {
        shown(text) { !isPlain($0) && $0.value >= 0x7f }
    }

    private static func shown(_ text: String, _ isHidden: (Unicode.Scalar) -> Bool) -> String {
        guard text.unicodeScalars.contains(where: isHidden) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isHidden(scalar) {
                result.append(contentsOf: escape(scalar).unicodeScalars)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }

    /// Whether a terminal shows a character where it stands, and does nothing else.
    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7e: true
        // C0, DEL and C1; the Arabic letter mark and the marks, embeddings, overrides and isolates of directions; separators of lines
        // and paragraphs, which some terminals break lines at.
        case 0...0x1f, 0x7f...0x9f, 0x61c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: false
        default: true
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default:
            let digits = String(scalar.value, radix: 16)
            return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }
    }
}
