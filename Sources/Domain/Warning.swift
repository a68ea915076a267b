/// Something the reader of an answer must know before trusting it.
package struct Warning: Codable, Sendable, Hashable {
    /// Stable word: `outside-range`, `optimum-at-edge`, `few-observations`, `not-identified`, ...
    package var code: String
    package var message: String
    /// The command that helps, ready to paste; nil where there is none.
    package var command: String?

    package init(code: String, message: String, command: String? = nil) {
        (self.code, self.message, self.command) = (code, message, command)
    }

    /// Codes of warnings that change what to do, the one that changes most of it first.
    package static let consequential = [
        "trivial-metric", "constant-metric", "unseen-targets", "few-users", "other-datasets", "candidates-left-out",
        "validation-metrics", "recall-as-hr", "other-observations", "no-full-training",
        "still-rising", "outside-range", "outside-hull", "optimum-at-edge", "more-beyond", "undeclared",
        "noise-unknown", "few-observations", "no-better-than-nearest", "poor-fit", "no-law", "no-standard-error",
        "other-version", "many-keys", "other-heads", "other-law", "memory-as-now", "cost-unknown", "cost-imported",
    ]

    /// Codes of warnings that say how an answer came about, and change nothing of it.
    package static let explanatory = [
        "not-identified", "one-data-size", "several-laws", "joined-trainer", "cheaper-equivalent",
    ]

    package var isConsequential: Bool { !Self.explanatory.contains(code) }

    private static let places: [String: Int] = Dictionary(
        uniqueKeysWithValues: (consequential + explanatory).enumerated().map { ($1, $0) })

    /// The same, what changes most of what to do first; of equal codes in the order given.
    package static func ranked(_ warnings: [Warning]) -> [Warning] {
        warnings.enumerated().sorted { a, b in
            let (x, y) = (places[a.element.code] ?? consequential.count, places[b.element.code] ?? consequential.count)
            return (x, a.offset) < (y, b.offset)
        }.map(\.element)
    }
}
