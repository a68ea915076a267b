internal import Domain
package import Interactions
internal import Trials

/// Some users of a corpus, each with their most recent items.
package struct CorpusPart: Sendable {
    package let corpus: Corpus
    /// Where each user's items lie in the corpus, ascending.
    package let users: [Range<Int>]
    package let interactionCount: Int

    /// - Parameter userFraction: share of the users, those that a trial on that share trains on.
    /// - Parameter maxLength: most recent items taken of each user; all by default.
    package init(_ corpus: Corpus, userFraction: Double = 1, maxLength: Int = .max) {
        self.corpus = corpus
        users = (0..<corpus.userCount).lazy.filter { UserSample.includes(user: $0, fraction: userFraction) }
            .map { corpus.range(of: $0).suffix(maxLength) }
        interactionCount = users.reduce(0) { $0 + $1.count }
    }

    /// The items of all users in a row.
    func withItems<T>(_ body: (UnsafeBufferPointer<Int32>) throws -> T) rethrows -> T {
        if interactionCount == corpus.interactionCount { return try body(corpus.allItems) }
        var items: [Int32] = []
        items.reserveCapacity(interactionCount)
        for user in users { items.append(contentsOf: corpus.allItems[user]) }
        return try items.withUnsafeBufferPointer(body)
    }

    /// Training positions of these users' sequences, truncated to the most recent `maxLength`.
    func tokens(maxLength: Int) -> Int {
        users.reduce(0) { $0 + Split.trainingPositions(length: $1.count, maxLength: maxLength) }
    }

    /// Whether a user has the same item twice.
    var hasRepeats: Bool {
        var seen = [Int](repeating: -1, count: corpus.itemCount)
        for (number, user) in users.enumerated() {
            for item in corpus.allItems[user] {
                if seen[Int(item)] == number { return true }
                seen[Int(item)] = number
            }
        }
        return false
    }
}
