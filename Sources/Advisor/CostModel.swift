package import Domain
internal import Trials

/// What a dataset brings into the cost of a configuration.
package struct DatasetFacts: Codable, Sendable, Hashable {
    package var items: Int
    package var evaluatedUsers: Int
    /// Training positions of an epoch.
    package var tokens: Int
    /// Pooled ApEn (m = 1) that D' divides by, nats.
    package var apen: Double
    /// Mean squared training length over mean length: the positions that a position attends to, doubled.
    package var meanContext: Double

    package init(items: Int, evaluatedUsers: Int, tokens: Int, apen: Double, meanContext: Double) {
        self.items = items
        self.evaluatedUsers = evaluatedUsers
        self.tokens = tokens
        self.apen = apen
        self.meanContext = meanContext
    }

    package var effectiveTokens: Double { Double(tokens) / apen }
}

/// Costs of sasrec configurations in all five currencies; formulas and sources in docs/costs.md.
package struct CostModel: Sendable {
    package var facts: DatasetFacts
    package var speed: SpeedModel
    /// Epochs until the stopping rule ends training.
    package var epochs: Double
    /// Negatives of the losses that draw some.
    package var negatives: Int

    package init(facts: DatasetFacts, speed: SpeedModel, epochs: Double, negatives: Int) {
        self.facts = facts
        self.speed = speed
        self.epochs = epochs
        self.negatives = negatives
    }

    /// Trainable parameters: V d + L d + 2 d + N (12 d² + 13 d), tied output.
    package static func parameters(_ c: Configuration, items: Int) -> Int {
        items * c.dim + c.maxLength * c.dim + 2 * c.dim + c.layers * (12 * c.dim * c.dim + 13 * c.dim)
    }

    /// Training FLOPs of one position, forward and backward, 2 a multiply-add:
    /// 6 (V' d + 12 d² N) + 6 N d s, s the mean attended positions x 2, V' the items scored at a position: all for cce, all at one
    /// position of a sequence for ce, else 1 + negatives.
    package static func trainingFlopsPerToken(_ c: Configuration, facts: DatasetFacts, negatives: Int) -> Double {
        let d = Double(c.dim)
        let scored =
            switch c.loss {
            case .cce: Double(facts.items)
            case .ce: Double(facts.items) * min(1, Double(facts.evaluatedUsers) / Double(max(1, facts.tokens)))
            case .bce, .bpr, .top1, .bprMax, .top1Max, .gbce, .sampledSoftmax: Double(1 + negatives)
            }
        return 6 * (scored * d + 12 * d * d * Double(c.layers)) + 6 * Double(c.layers) * d * facts.meanContext
    }

    package func cost(_ c: Configuration) -> Cost {
        let flops = Self.trainingFlopsPerToken(c, facts: facts, negatives: negatives) * Double(facts.tokens)
        let estimate = speed.estimate(c, facts: facts)
        let epoch =
            Double(facts.tokens) / estimate.tokensPerSecond
            + Double(facts.evaluatedUsers) / estimate.evaluatedUsersPerSecond
        return Cost(
            parameters: Double(Self.parameters(c, items: facts.items)), trainingFlops: flops * epochs,
            latencySeconds: estimate.latencySeconds, memoryBytes: estimate.memoryBytes,
            trainingSeconds: epoch * epochs + 2 * Double(facts.evaluatedUsers) / estimate.evaluatedUsersPerSecond)
    }
}
