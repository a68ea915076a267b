/// The transformer family of a trial; docs/training.md describes each.
package enum Backbone: String, Codable, Sendable, Hashable, CaseIterable {
    /// Post-norm self-attention of SASRec as in the public code of arXiv 2301.00979.
    case sasrec
    /// Pre-norm blocks of GPT-2: learned positions, LayerNorm, tanh-GELU.
    case gpt
    /// Pre-norm blocks of Llama: rotary positions, RMSNorm, SwiGLU, no biases.
    case llama
    /// Pointwise attention of arXiv 2402.17152 with relative position and time bias, gated, without feed-forward.
    case hstu
}

/// The training objective of a trial; scores are inner products with tied item embeddings.
package enum Loss: String, Codable, Sendable, Hashable, CaseIterable {
    /// Binary cross-entropy against uniformly drawn negatives, at every position.
    case bce
    /// The enhanced loss of arXiv 2301.00979: full softmax cross-entropy at every non-padding position, averaged.
    case cce
}

/// What a law predicts for and a recommendation names: one model to train.
package struct Configuration: Codable, Sendable, Hashable {
    package var backbone: Backbone
    /// Number of transformer blocks N.
    package var layers: Int
    /// Embedding dimension d; a multiple of `heads`.
    package var dim: Int
    package var heads: Int
    /// Longest sequence the model sees, L, in items.
    package var maxLength: Int
    package var loss: Loss

    package init(
        backbone: Backbone = .sasrec, layers: Int, dim: Int, heads: Int = 2, maxLength: Int = 50, loss: Loss = .cce
    ) {
        self.backbone = backbone
        self.layers = layers
        self.dim = dim
        self.heads = heads
        self.maxLength = maxLength
        self.loss = loss
    }

    /// Why this configuration cannot be trained, naming the field, or nil when it can.
    package var problem: String? {
        if layers < 1 || layers > 128 { return "layers: found \(layers), expected 1...128" }
        if dim < 1 || dim > 4096 { return "dim: found \(dim), expected 1...4096" }
        if heads < 1 || dim % heads != 0 { return "heads: found \(heads), expected a divisor of dim \(dim)" }
        if backbone == .llama, dim / heads % 2 != 0 {
            return
                "heads: found \(heads), expected a divisor of dim \(dim) that leaves an even number of columns a head, "
                + "which llama's rotary positions turn in pairs"
        }
        if maxLength < 1 || maxLength > 4096 { return "maxLength: found \(maxLength), expected 1...4096" }
        return nil
    }

    /// What the dimension must be a multiple of.
    package var dimStep: Int { backbone == .llama ? 2 * heads : heads }

    /// Inner width of the feed-forward layers: 4 d, for llama 8 d / 3 rounded up; hstu has none.
    package var feedForward: Int {
        switch backbone {
        case .sasrec, .gpt: 4 * dim
        case .llama: (8 * dim + 2) / 3
        case .hstu: 0
        }
    }

    /// Entries of hstu's time-bucket bias, of which each layer has its own: 128 buckets and one for all that is longer.
    package static let timeBuckets = 129
}

/// Hyperparameters of a training run that a law holds constant over its observations.
package struct TrainingOptions: Codable, Sendable, Hashable {
    package var learningRate: Double
    package var weightDecay: Double
    package var beta1: Double
    package var beta2: Double
    package var epsilon: Double
    /// Largest global gradient norm; 0 leaves gradients alone.
    package var clipNorm: Double
    /// Users in an optimiser step.
    package var batchUsers: Int
    package var dropout: Double
    /// Negatives per position, for `bce`.
    package var negatives: Int
    package var maxEpochs: Int
    /// Validations without improvement after which training stops.
    package var patience: Int
    /// Validation metric that early stopping maximises.
    package var stopMetric: Metric

    package init(
        learningRate: Double = 1e-3, weightDecay: Double = 0, beta1: Double = 0.9, beta2: Double = 0.999,
        epsilon: Double = 1e-8, clipNorm: Double = 0, batchUsers: Int = 256, dropout: Double = 0.5,
        negatives: Int = 1, maxEpochs: Int = 200, patience: Int = 10, stopMetric: Metric = Metric(.ndcg, 10)
    ) {
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.clipNorm = clipNorm
        self.batchUsers = batchUsers
        self.dropout = dropout
        self.negatives = negatives
        self.maxEpochs = maxEpochs
        self.patience = patience
        self.stopMetric = stopMetric
    }
}
