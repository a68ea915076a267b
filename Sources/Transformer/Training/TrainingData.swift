package import Interactions
internal import Trials

/// A corpus as a trainer sees it: which users train, which are ranked, and their sequences by split.
package struct TrainingData: Sendable {
    package let corpus: Corpus
    package let maxLength: Int
    /// Users with at least one training position, within the chosen share.
    package let trainingUsers: [Int32]
    /// Users with a validation and a test target.
    package let evaluatedUsers: [Int32]
    /// Training positions of an epoch.
    package let tokens: Int

    package init(_ corpus: Corpus, maxLength: Int, userFraction: Double = 1) {
        self.corpus = corpus
        self.maxLength = maxLength
        var training: [Int32] = []
        var evaluated: [Int32] = []
        var tokens = 0
        for user in 0..<corpus.userCount {
            let length = corpus.length(of: user)
            if Split.isEvaluated(length: length) { evaluated.append(Int32(user)) }
            let positions = Split.trainingPositions(length: length, maxLength: maxLength)
            if positions > 0, UserSample.includes(user: user, fraction: userFraction) {
                training.append(Int32(user))
                tokens += positions
            }
        }
        trainingUsers = training
        evaluatedUsers = evaluated
        self.tokens = tokens
    }

    /// The items training may see.
    func trainingItems(_ user: Int32) -> UnsafeBufferPointer<Int32> {
        let items = corpus.items(of: Int(user))
        return UnsafeBufferPointer(rebasing: items.prefix(Split.trainingItems(length: items.count)))
    }

    /// Times of a user's interactions, all of them; nil where the corpus has none.
    func times(_ user: Int32) -> UnsafeBufferPointer<Int64>? { corpus.times(of: Int(user)) }

    /// What comes before the target, and the target: the last item for test, the one before it for validation.
    func context(_ user: Int32, test: Bool) -> (items: UnsafeBufferPointer<Int32>, target: Int32) {
        let items = corpus.items(of: Int(user))
        let end = items.count - (test ? 1 : 2)
        return (UnsafeBufferPointer(rebasing: items.prefix(end)), items[end])
    }
}
