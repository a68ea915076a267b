internal import Domain

/// What a dataset brings into the cost of a configuration.
package struct DatasetFacts: Sendable, Hashable {
    package var items: Int
    package var evaluatedUsers: Int
    /// Training positions of an epoch.
    package var tokens: Int
    /// Pooled ApEn (m = 1) that D' divides by, nats.
    package var apen: Double
    /// Mean squared training length over mean length: the positions that a position attends to, doubled.
    package var meanContext: Double
    /// Items before the test target of the user with most; the longest sequence of the model where unknown.
    package var longestHistory: Int?
    /// Largest sum of squared training lengths in a batch: what attention keeps for each head; nil where unknown.
    package var batchPairs: Double?
    /// The lengths that these were counted from; nil where unknown.
    package var histories: Histories?

    package init(
        items: Int, evaluatedUsers: Int, tokens: Int, apen: Double, meanContext: Double, longestHistory: Int? = nil,
        batchPairs: Double? = nil
    ) {
        (self.items, self.evaluatedUsers, self.tokens, self.apen) = (items, evaluatedUsers, tokens, apen)
        (self.meanContext, self.longestHistory, self.batchPairs) = (meanContext, longestHistory, batchPairs)
    }

    package var effectiveTokens: Double { Double(tokens) / apen }
}

extension DatasetFacts {
    /// What training sees of a corpus.
    package init(_ histories: Histories, items: Int, apen: Double) {
        let totals = histories.totals()
        self.init(items: items, evaluatedUsers: 0, tokens: 0, apen: apen, meanContext: 0)
        self.histories = histories
        take(totals)
    }

    private mutating func take(_ totals: Histories.Totals) {
        evaluatedUsers = Int(nearest: totals.evaluated)
        tokens = Int(nearest: totals.tokens)
        meanContext = totals.squares / max(1, totals.tokens)
        longestHistory = totals.longest
        batchPairs = totals.batchPairs
    }

    /// The same with more users of the same kind, and with longer histories of each; ApEn as now. Nil where longer histories are asked
    /// for and how long they are is not known.
    package func changed(usersX: Double = 1, interactionsX: Double = 1) -> DatasetFacts? {
        guard usersX != 1 || interactionsX != 1 else { return self }
        var facts = self
        if let histories {
            facts.take(histories.totals(usersX: usersX, interactionsX: interactionsX))
        } else {
            guard interactionsX == 1 else { return nil }
            facts.tokens = max(1, Int(nearest: Double(tokens) * usersX))
            facts.evaluatedUsers = max(1, Int(nearest: Double(evaluatedUsers) * usersX))
        }
        return facts
    }
}
