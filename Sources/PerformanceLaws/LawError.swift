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
            ("datasetVersion", a.datasetVersion, b.datasetVersion), ("filter", a.filter, b.filter),
            ("split", a.split, b.split),
            ("mask", a.mask.rawValue, b.mask.rawValue), ("candidates", a.candidates, b.candidates),
            ("backbone", a.backbone.rawValue, b.backbone.rawValue), ("loss", a.loss.rawValue, b.loss.rawValue),
            ("negatives", "\(a.negatives)", "\(b.negatives)"), ("maxLength", "\(a.maxLength)", "\(b.maxLength)"),
            ("policy", a.policy, b.policy), ("codeVersion", a.codeVersion, b.codeVersion),
            ("undeclared", a.undeclared.joined(separator: " "), b.undeclared.joined(separator: " ")),
        ]
        return fields.first { $0.1 != $0.2 }.map { "\($0.0) is \($0.1) and \($0.2)" } ?? "their keys differ"
    }
}
