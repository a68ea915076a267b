internal import Domain

/// Why no law can be fitted.
package struct LawError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String
    /// Stable word: `mixed-keys`, `too-few`, `too-many`, `no-metric`.
    package var reason: String
}

extension LawFitter {
    /// The first member in which two keys differ, in words.
    static func difference(_ a: LawKey, _ b: LawKey) -> String {
        let fields: [(String, String, String)] = [
            ("datasetVersion", a.datasetVersion.words, b.datasetVersion.words),
            ("filter", a.filter.words, b.filter.words), ("split", a.split.words, b.split.words),
            ("mask", a.mask.words, b.mask.words), ("candidates", a.candidates.words, b.candidates.words),
            ("backbone", a.backbone.words, b.backbone.words), ("loss", a.loss.words, b.loss.words),
            ("negatives", a.negatives.words, b.negatives.words), ("maxLength", a.maxLength.words, b.maxLength.words),
            ("policy", a.policy.text, b.policy.text), ("codeVersion", a.codeVersion.words, b.codeVersion.words),
            ("undeclared", a.undeclared.joined(separator: " "), b.undeclared.joined(separator: " ")),
        ]
        return fields.first { $0.1 != $0.2 }.map { "\($0.0) is \($0.1) and \($0.2)" } ?? "their keys differ"
    }
}
