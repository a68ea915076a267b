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

/// The training objective of a trial; scores are inner products with tied item embeddings. Formulas: docs/training.md.
package enum Loss: String, Codable, Sendable, Hashable, CaseIterable {
    /// Binary cross-entropy against uniformly drawn negatives, at every position.
    case bce
    /// Bayesian personalised ranking against each negative (Rendle et al. 2009).
    case bpr
    /// Pairwise ranking with a penalty on high negative scores (arXiv 1511.06939).
    case top1
    /// `bpr` and `top1` weighted by the softmax over the negatives (arXiv 1706.03847).
    case bprMax = "bpr-max"
    case top1Max = "top1-max"
    /// Full softmax cross-entropy at the last position of each sequence only.
    case ce
    /// The enhanced loss of arXiv 2301.00979: full softmax cross-entropy at every non-padding position, averaged.
    case cce
    /// Binary cross-entropy whose positive part is calibrated for the share of items drawn as negatives (arXiv 2308.07192).
    case gbce
    /// Softmax cross-entropy against negatives shared by the batch, corrected by the logarithm of their probability.
    case sampledSoftmax = "sampled-softmax"

    /// Whether every item is scored at each position that counts.
    package var scoresCatalogue: Bool { self == .cce || self == .ce }

    /// Whether negatives are drawn for each position; `sampledSoftmax` draws them for the batch.
    package var drawsForPositions: Bool { !scoresCatalogue && self != .sampledSoftmax }

    /// Negatives unless told: as published for `bce`, `bpr`, `top1` and `gbce`.
    package var standardNegatives: Int {
        switch self {
        case .bce, .bpr, .top1, .ce, .cce: 1
        case .bprMax, .top1Max: 128
        case .gbce: 256
        case .sampledSoftmax: 1_024
        }
    }
}

/// How the learning rate goes on after its warm-up.
package enum RateSchedule: String, Codable, Sendable, Hashable, CaseIterable {
    case constant
    /// Half a cosine from the rate to a tenth of it at the expected last step, and that tenth from there on.
    case cosine
}

/// How learning rate, initial values and scores change with the dimension.
package enum WidthRule: String, Codable, Sendable, Hashable, CaseIterable {
    /// Not at all.
    case plain
    /// As maximal update parametrisation for Adam says (arXiv 2203.03466), relative to d = 64: docs/training.md.
    case mup
}

/// How AdamW treats embeddings of items that a step does not touch.
package enum ItemUpdate: String, Codable, Sendable, Hashable, CaseIterable {
    /// Every row at every step.
    case dense
    /// Only touched rows; what steps without a gradient would have done is caught up with when a row is next read.
    case sparse
}

/// The distribution that the shared negatives of `sampledSoftmax` are drawn from.
package enum NegativeSampling: String, Codable, Sendable, Hashable, CaseIterable {
    case uniform
    /// In proportion to 1 + how often an item is a training target.
    case popularity
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
    /// Inner width of the feed-forward layers as a multiple of d; the backbone's own where nil.
    package var feedForwardFactor: Double?
    /// What nobody declared of `backbone`, `heads`, `max_length` and `loss`, by the columns of an import: the members hold a
    /// placeholder, and are absent on the wire.
    package var undeclared: [String] = []

    package init(
        backbone: Backbone = .sasrec, layers: Int, dim: Int, heads: Int = 2, maxLength: Int = 50, loss: Loss = .cce,
        feedForwardFactor: Double? = nil
    ) {
        self.backbone = backbone
        self.layers = layers
        self.dim = dim
        self.heads = heads
        self.maxLength = maxLength
        self.loss = loss
        self.feedForwardFactor = feedForwardFactor
    }

    private enum CodingKeys: CodingKey {
        case backbone, layers, dim, heads, maxLength, loss, feedForwardFactor
    }

    package init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        var undeclared: [String] = []
        func declared<Value: Decodable>(_ key: CodingKeys, _ column: String, _ placeholder: Value) throws -> Value {
            if c.contains(key) { return try c.decode(Value.self, forKey: key) }
            undeclared.append(column)
            return placeholder
        }
        backbone = try declared(.backbone, "backbone", .sasrec)
        layers = try c.decode(Int.self, forKey: .layers)
        dim = try c.decode(Int.self, forKey: .dim)
        heads = try declared(.heads, "heads", 1)
        maxLength = try declared(.maxLength, "max_length", 50)
        loss = try declared(.loss, "loss", .cce)
        feedForwardFactor = try c.decodeIfPresent(Double.self, forKey: .feedForwardFactor)
        self.undeclared = undeclared
    }

    package func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: CodingKeys.self)
        func isDeclared(_ column: String) -> Bool { !undeclared.contains(column) }
        if isDeclared("backbone") { try c.encode(backbone, forKey: .backbone) }
        try c.encode(layers, forKey: .layers)
        try c.encode(dim, forKey: .dim)
        if isDeclared("heads") { try c.encode(heads, forKey: .heads) }
        if isDeclared("max_length") { try c.encode(maxLength, forKey: .maxLength) }
        if isDeclared("loss") { try c.encode(loss, forKey: .loss) }
        try c.encodeIfPresent(feedForwardFactor, forKey: .feedForwardFactor)
    }

    /// In words: `sasrec, cce, 2 heads, sequences of 50`; what nobody declared comes last and is called so.
    package var words: String {
        var said: [String] = []
        var open: [String] = []
        func add(_ column: String, _ name: String, _ text: String) {
            if undeclared.contains(column) { open.append(name) } else { said.append(text) }
        }
        add("backbone", "backbone", backbone.rawValue)
        add("loss", "loss", loss.rawValue)
        add("heads", "heads", heads == 1 ? "1 head" : "\(heads) heads")
        add("max_length", "sequence length", "sequences of \(maxLength)")
        return (said + (open.isEmpty ? [] : ["undeclared " + open.joined(separator: ", ")])).joined(separator: ", ")
    }

    /// Why this configuration cannot be trained, naming the field, or nil when it can.
    package var problem: String? {
        if let column = undeclared.first { return "\(column): found nothing, expected it" }
        if layers < 1 || layers > 128 { return "layers: found \(layers), expected 1...128" }
        if dim < 1 || dim > 4096 { return "dim: found \(dim), expected 1...4096" }
        if heads < 1 || dim % heads != 0 { return "heads: found \(heads), expected a divisor of dim \(dim)" }
        if backbone == .llama, dim / heads % 2 != 0 {
            return
                "heads: found \(heads), expected a divisor of dim \(dim) that leaves an even number of columns a head, "
                + "which llama's rotary positions turn in pairs"
        }
        if maxLength < 1 || maxLength > 4096 { return "maxLength: found \(maxLength), expected 1...4096" }
        if let factor = feedForwardFactor {
            if backbone == .hstu {
                return "feedForwardFactor: found \(factor), expected none: hstu has no feed-forward layers"
            }
            if !(factor > 0 && factor <= 64) {
                return "feedForwardFactor: found \(factor), expected more than 0, at most 64"
            }
        }
        return nil
    }

    /// What the dimension must be a multiple of.
    package var dimStep: Int { backbone == .llama ? 2 * heads : heads }

    /// Inner width of the feed-forward layers: 4 d, for llama 8 d / 3 rounded up, unless a factor says else; hstu has none.
    package var feedForward: Int {
        if let feedForwardFactor, backbone != .hstu {
            return max(1, Int((feedForwardFactor * Double(dim)).rounded(.up)))
        }
        return switch backbone {
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
    /// What a training holds for each parameter: itself, its gradient, two moments, and the copy of the best epoch.
    package static let bytesPerParameter = 20

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
    /// Negatives per position, or per batch for `sampledSoftmax`; those that score the catalogue ignore it.
    package var negatives: Int
    package var maxEpochs: Int
    /// Validations without improvement after which training stops.
    package var patience: Int
    /// Validation metric that early stopping maximises.
    package var stopMetric: Metric
    /// Share of the expected steps over which the learning rate rises from 0.
    package var warmup: Double
    package var schedule: RateSchedule
    /// Epochs whose steps warm-up and schedule count by; 0 for `maxEpochs`.
    package var scheduleEpochs: Int
    package var widthRule: WidthRule
    package var itemUpdate: ItemUpdate
    /// t of `gbce`, from 0 (plain binary cross-entropy) to 1 (fully calibrated).
    package var calibration: Double
    /// Where `sampledSoftmax` draws its negatives from.
    package var sampling: NegativeSampling
    /// Standard deviation of the normal distribution that weights and embeddings begin with.
    package var initialDeviation: Double

    package init(
        learningRate: Double = 1e-3, weightDecay: Double = 0, beta1: Double = 0.9, beta2: Double = 0.999,
        epsilon: Double = 1e-8, clipNorm: Double = 0, batchUsers: Int = 256, dropout: Double = 0.5,
        negatives: Int = 1, maxEpochs: Int = 200, patience: Int = 10, stopMetric: Metric = Metric(.ndcg, 10),
        warmup: Double = 0, schedule: RateSchedule = .constant, scheduleEpochs: Int = 0,
        widthRule: WidthRule = .plain, itemUpdate: ItemUpdate = .sparse, calibration: Double = 0.75,
        sampling: NegativeSampling = .popularity, initialDeviation: Double = 0.02
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
        self.warmup = warmup
        self.schedule = schedule
        self.scheduleEpochs = scheduleEpochs
        self.widthRule = widthRule
        self.itemUpdate = itemUpdate
        self.calibration = calibration
        self.sampling = sampling
        self.initialDeviation = initialDeviation
    }

    /// Members that older specifications lack get what training did before there was a choice.
    package init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        learningRate = try c.decode(Double.self, forKey: .learningRate)
        weightDecay = try c.decode(Double.self, forKey: .weightDecay)
        beta1 = try c.decode(Double.self, forKey: .beta1)
        beta2 = try c.decode(Double.self, forKey: .beta2)
        epsilon = try c.decode(Double.self, forKey: .epsilon)
        clipNorm = try c.decode(Double.self, forKey: .clipNorm)
        batchUsers = try c.decode(Int.self, forKey: .batchUsers)
        dropout = try c.decode(Double.self, forKey: .dropout)
        negatives = try c.decode(Int.self, forKey: .negatives)
        maxEpochs = try c.decode(Int.self, forKey: .maxEpochs)
        patience = try c.decode(Int.self, forKey: .patience)
        stopMetric = try c.decode(Metric.self, forKey: .stopMetric)
        warmup = try c.decodeIfPresent(Double.self, forKey: .warmup) ?? 0
        schedule = try c.decodeIfPresent(RateSchedule.self, forKey: .schedule) ?? .constant
        scheduleEpochs = try c.decodeIfPresent(Int.self, forKey: .scheduleEpochs) ?? 0
        widthRule = try c.decodeIfPresent(WidthRule.self, forKey: .widthRule) ?? .plain
        itemUpdate = try c.decodeIfPresent(ItemUpdate.self, forKey: .itemUpdate) ?? .dense
        calibration = try c.decodeIfPresent(Double.self, forKey: .calibration) ?? 0.75
        sampling = try c.decodeIfPresent(NegativeSampling.self, forKey: .sampling) ?? .popularity
        initialDeviation = try c.decodeIfPresent(Double.self, forKey: .initialDeviation) ?? 0.02
    }

    /// Why these options cannot be trained with, naming the member, what was found and what was expected; nil when they can.
    package var problem: (field: String, message: String)? {
        func outside(_ field: String, _ found: Any, _ expected: String) -> (field: String, message: String) {
            (field, "\(field): found \(found), expected \(expected)")
        }
        if patience < 1 { return outside("patience", patience, "1 or more") }
        if maxEpochs < 1 { return outside("maxEpochs", maxEpochs, "1 or more") }
        if !(1...65_536).contains(batchUsers) { return outside("batchUsers", batchUsers, "1 to 65536") }
        if !(1...65_536).contains(negatives) { return outside("negatives", negatives, "1 to 65536") }
        if !(dropout >= 0 && dropout < 1) { return outside("dropout", dropout, "0 or more, less than 1") }
        if !(learningRate > 0) { return outside("learningRate", learningRate, "more than 0") }
        if !(weightDecay >= 0) { return outside("weightDecay", weightDecay, "0 or more") }
        if !(clipNorm >= 0) { return outside("clipNorm", clipNorm, "0 or more") }
        if !(beta1 >= 0 && beta1 < 1) { return outside("beta1", beta1, "0 or more, less than 1") }
        if !(beta2 > 0 && beta2 < 1) { return outside("beta2", beta2, "more than 0, less than 1") }
        if !(epsilon > 0) { return outside("epsilon", epsilon, "more than 0") }
        if !(warmup >= 0 && warmup <= 1) { return outside("warmup", warmup, "0 to 1") }
        if scheduleEpochs < 0 { return outside("scheduleEpochs", scheduleEpochs, "0 or more") }
        if !(initialDeviation > 0 && initialDeviation <= 1) {
            return outside("initialDeviation", initialDeviation, "more than 0, at most 1")
        }
        if !(calibration >= 0 && calibration <= 1) { return outside("calibration", calibration, "0 to 1") }
        return nil
    }
}
