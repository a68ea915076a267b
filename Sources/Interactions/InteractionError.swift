/// Why a file of interactions, or a corpus file, was refused.
package struct InteractionError: Error, Sendable, Hashable, CustomStringConvertible {
    package var file: String
    /// Line counted from 1, where one line is to blame.
    package var line: Int?
    /// What was found and what was expected.
    package var message: String
    /// Stable word: `unreadable`, `empty`, `binary`, `ambiguous`, `columns`, `gzip`, `no-rows`, `memory`, `corpus`, `write`, `no-space`.
    package var reason: String

    package init(file: String, line: Int? = nil, reason: String, _ message: String) {
        (self.file, self.line, self.reason, self.message) = (file, line, reason, message)
    }

    package var description: String {
        if let line { return "\(file):\(line): \(message)" }
        return "\(file): \(message)"
    }
}
