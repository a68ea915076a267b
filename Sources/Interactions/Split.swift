package import Domain

/// Leave-two-out: of 3 or more interactions the last is the test target, the last but one the validation target, and the
/// rest trains; shorter sequences only train.
package enum Split {
    /// Whether a sequence of this length has targets.
    package static func isEvaluated(length: Int) -> Bool { length >= 3 }

    /// Items of a sequence that training may see.
    package static func trainingItems(length: Int) -> Int { isEvaluated(length: length) ? length - 2 : length }

    /// Training positions after truncation to the most recent `maxLength`: each predicts the item after it.
    package static func trainingPositions(length: Int, maxLength: Int) -> Int {
        min(max(trainingItems(length: length) - 1, 0), maxLength)
    }
}

extension Recipe.Facts {
    /// Counts what trains of a corpus, all users, with at most `maxLength` positions each.
    package init(_ corpus: Corpus, maxLength: Int) {
        var (tokens, users) = (0, 0)
        for user in 0..<corpus.userCount {
            let positions = Split.trainingPositions(length: corpus.length(of: user), maxLength: maxLength)
            tokens += positions
            if positions > 0 { users += 1 }
        }
        self.init(tokens: tokens, users: users)
    }
}
