package import Domain
internal import Trials

/// Costs of configurations in all five currencies; formulas and sources in docs/users/costs.md.
package struct CostModel: Sendable, Hashable {
    package var facts: DatasetFacts
    package var speed: SpeedModel
    /// Epochs until the stopping rule ends training.
    package var epochs: EpochModel
    /// Negatives of the losses that draw some.
    package var negatives: Int
    /// Latency by a benchmark of its own; where there is none, that of the speeds' probes.
    package var latency: LatencyModel?
    /// What imports state of a model that the core does not train; no formula is asked then.
    package var recorded: RecordedCosts?
    /// What its runner says of one; no formula is asked then either.
    package var described: DescribedModel?

    package init(
        facts: DatasetFacts, speed: SpeedModel, epochs: EpochModel, negatives: Int, latency: LatencyModel? = nil,
        recorded: RecordedCosts? = nil, described: DescribedModel? = nil
    ) {
        (self.facts, self.speed, self.epochs) = (facts, speed, epochs)
        (self.negatives, self.latency) = (negatives, latency)
        (self.recorded, self.described) = (recorded, described)
    }

    /// Whether it is of a model that the core does not train.
    package var isForeign: Bool { recorded != nil || described != nil }

    /// Trainable parameters of a backbone of the core, tied output; F the feed-forward width:
    /// sasrec and gpt V d + L d + 2 d + N (4 d² + 2 d F + 9 d + F), F = 4 d; llama V d + d + N (4 d² + 3 d F + 2 d);
    /// hstu V d + 2 d + N (5 d² + 9 d + L + 129).
    package static func parameters(_ c: Configuration, items: Int) -> Int {
        let d = c.dim
        let (outside, block) =
            switch c.core {
            case .sasrec, .gpt: (c.maxLength * d + 2 * d, 9 * d + c.feedForward)
            case .llama: (d, 2 * d)
            case .hstu: (2 * d, 9 * d + c.maxLength + Configuration.timeBuckets)
            }
        return items * d + outside + c.layers * (blockProducts(c) + block)
    }

    /// Multiply-adds of a block's linear layers for one position, and their weights: attention has 4 d², a
    /// feed-forward layer 2 d F, with a gate 3 d F; hstu 5 d² in all.
    private static func blockProducts(_ c: Configuration) -> Int {
        switch c.core {
        case .sasrec, .gpt: 4 * c.dim * c.dim + 2 * c.dim * c.feedForward
        case .llama: 4 * c.dim * c.dim + 3 * c.dim * c.feedForward
        case .hstu: 5 * c.dim * c.dim
        }
    }

    /// Training FLOPs of one position, forward and backward, 2 a multiply-add:
    /// 6 (V' d + N W) + 6 N d s, V' the items scored at a position (all for cce, all at one position of a sequence for ce, else
    /// 1 + negatives), W the weights of a block's linear layers (4 d² + 2 d F for sasrec and gpt, 4 d² + 3 d F for llama, 5 d² for
    /// hstu), s the mean attended positions x 2.
    package static func trainingFlopsPerToken(_ c: Configuration, facts: DatasetFacts, negatives: Int) -> Double {
        let d = Double(c.dim)
        let scored =
            switch c.loss {
            case .cce: Double(facts.items)
            case .ce: Double(facts.items) * min(1, Double(facts.evaluatedUsers) / Double(max(1, facts.tokens)))
            case .bce, .bpr, .top1, .bprMax, .top1Max, .gbce, .sampledSoftmax: Double(1 + negatives)
            }
        return 6 * (scored * d + Double(c.layers * blockProducts(c))) + 6 * Double(c.layers) * d * facts.meanContext
    }

    /// Multiply-adds of the linear layers up to the hidden state of the newest of `length` items: the last block computes keys and
    /// values of all positions, and everything else of the newest.
    static func newestProducts(_ c: Configuration, length: Int) -> Double {
        let (n, block, keysAndValues) = (length, blockProducts(c), 2 * c.dim * c.dim)
        return Double((c.layers - 1) * n * block + n * keysAndValues + block - keysAndValues)
    }

    /// Multiply-adds of attention, scores and weighted values, on the way there.
    static func newestAttentionProducts(_ c: Configuration, length: Int) -> Double {
        Double(((c.layers - 1) * length * (length + 1) + 2 * length) * c.dim)
    }

    /// FLOPs of one position through all blocks, forward: 2 N (W + d s), s the mean attended positions x 2. The scores of the items,
    /// once a request, are not included.
    package static func inferenceFlopsPerToken(_ c: Configuration, facts: DatasetFacts) -> Double {
        2 * Double(c.layers) * (Double(blockProducts(c)) + Double(c.dim) * facts.meanContext)
    }

    /// FLOPs of one request: the hidden state of the newest of `length` items, and the scores of all items.
    package static func inferenceFlops(_ c: Configuration, items: Int, length: Int) -> Double {
        2 * (newestProducts(c, length: length) + newestAttentionProducts(c, length: length) + Double(items * c.dim))
    }

    /// Items in view of the user with most.
    func length(_ c: Configuration) -> Int { min(c.maxLength, facts.longestHistory ?? c.maxLength) }

    package func cost(_ c: DeclaredConfiguration) -> Cost {
        recorded?.cost(layers: c.layers, dim: c.dim) ?? cost(c.priced)
    }

    /// By what a runner says, else by the core's formulas.
    package func cost(_ c: Configuration) -> Cost {
        if let described { return described.cost(layers: c.layers, dim: c.dim, self) }
        let token = Self.trainingFlopsPerToken(c, facts: facts, negatives: negatives)
        let estimate = speed.estimate(c, facts: facts)
        let epoch =
            Double(facts.tokens) / estimate.tokensPerSecond
            + Double(facts.evaluatedUsers) / estimate.evaluatedUsersPerSecond
        let epochs = epochs.expected(layers: c.layers, dim: c.dim).epochs
        let length = length(c)
        let waiting = latency?.seconds(c, items: facts.items, length: length)
        return Cost(
            parameters: Double(Self.parameters(c, items: facts.items)),
            embeddingParameters: Double(facts.items * c.dim),
            trainingFlops: token * Double(facts.tokens) * epochs, trainingFlopsPerToken: token,
            inferenceFlopsPerToken: Self.inferenceFlopsPerToken(c, facts: facts),
            inferenceFlops: Self.inferenceFlops(c, items: facts.items, length: length),
            latencySeconds: waiting?.p50 ?? estimate.latencySeconds, latencyP95Seconds: waiting?.p95,
            memoryBytes: estimate.memoryBytes,
            trainingSeconds: epoch * epochs + 2 * Double(facts.evaluatedUsers) / estimate.evaluatedUsersPerSecond)
    }
}
