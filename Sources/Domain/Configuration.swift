/// The transformer family of a trial; docs/contributors/training.md describes each.
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

/// The training objective of a trial; scores are inner products with tied item embeddings. Formulas: docs/contributors/training.md.
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

    /// Negatives by default: as published for `bce`, `bpr`, `top1` and `gbce`.
    package var standardNegatives: Int {
        switch self {
        case .bce, .bpr, .top1, .ce, .cce: 1
        case .bprMax, .top1Max: 128
        case .gbce: 256
        case .sampledSoftmax: 1_024
        }
    }
}

/// The loss of a training: one of the core's, or that of somebody who trained elsewhere, in his words.
package enum LossName: Codable, Sendable, Hashable, CustomStringConvertible {
    case core(Loss)
    case elsewhere(String)

    package init(_ name: String) { self = Loss(rawValue: name).map(Self.core) ?? .elsewhere(name) }

    package var core: Loss? { if case .core(let loss) = self { loss } else { nil } }

    package var description: String {
        switch self {
        case .core(let loss): loss.rawValue
        case .elsewhere(let name): name
        }
    }
}

/// One model to train.
package struct Configuration: Codable, Sendable, Hashable {
    /// What everybody would train who has no time to search: calibrations begin with it, and no answer is worse than it for want
    /// of having tried.
    package static let standardShape = (layers: 2, dim: 64)

    package var backbone: Model
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

    package init(
        backbone: Model = .sasrec, layers: Int, dim: Int, heads: Int = 2, maxLength: Int = 50, loss: Loss = .cce,
        feedForwardFactor: Double? = nil
    ) {
        (self.backbone, self.layers, self.dim, self.heads) = (backbone, layers, dim, heads)
        (self.maxLength, self.loss, self.feedForwardFactor) = (maxLength, loss, feedForwardFactor)
    }

    /// Why this configuration cannot be trained, naming the field, or nil when it can.
    package var problem: String? {
        guard backbone.core != nil else {
            return "backbone: found \"\(backbone)\", expected one that plawd trains itself: \(Model.trained)"
        }
        return shapeProblem
    }

    /// Why no trainer can be asked for it, naming the field, or nil; whether one knows the model is its own business.
    package var shapeProblem: String? {
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

    /// The backbone of the core that trains it and whose formulas hold. `problem` keeps configurations of other models away from whoever asks.
    package var core: Backbone {
        guard let core = backbone.core else { preconditionFailure("no backbone of the core is named \(backbone)") }
        return core
    }

    /// What the dimension must be a multiple of; 1 for a model that is not of the core.
    package var dimStep: Int {
        switch backbone.core {
        case .llama: 2 * heads
        case .sasrec, .gpt, .hstu: heads
        case nil: 1
        }
    }

    /// Inner width of the feed-forward layers: 4 d, for llama 8 d / 3 rounded up, unless a factor says else; hstu has none, and of
    /// a model that is not of the core none is known.
    package var feedForward: Int {
        if let feedForwardFactor, backbone.core != nil, backbone != .hstu {
            return max(1, Int(up: feedForwardFactor * Double(dim)))
        }
        return switch backbone.core {
        case .sasrec, .gpt: 4 * dim
        case .llama: (8 * dim + 2) / 3
        case .hstu, nil: 0
        }
    }

    /// Entries of hstu's time-bucket bias, of which each layer has its own: 128 buckets and one for all that is longer.
    package static let timeBuckets = 129
}

/// What an observation is of, a law predicts for and a recommendation names: one model, as whoever trained it declares it. A loss that the
/// core does not have is unsaid here; the key has its name.
package struct DeclaredConfiguration: Codable, Sendable, Hashable {
    package var backbone: Declared<Model>
    package var layers: Int
    package var dim: Int
    package var heads: Declared<Int>
    package var maxLength: Declared<Int>
    package var loss: Declared<Loss>
    package var feedForwardFactor: Double?

    package init(
        backbone: Declared<Model>, layers: Int, dim: Int, heads: Declared<Int>, maxLength: Declared<Int>,
        loss: Declared<Loss>, feedForwardFactor: Double? = nil
    ) {
        (self.backbone, self.layers, self.dim, self.heads) = (backbone, layers, dim, heads)
        (self.maxLength, self.loss, self.feedForwardFactor) = (maxLength, loss, feedForwardFactor)
    }

    package init(_ c: Configuration) {
        self.init(
            backbone: .said(c.backbone), layers: c.layers, dim: c.dim, heads: .said(c.heads),
            maxLength: .said(c.maxLength), loss: .said(c.loss), feedForwardFactor: c.feedForwardFactor)
    }

    /// In words: `sasrec, cce, 2 heads, sequences of 50`; what nobody declared comes last and is called so.
    package var words: String {
        let all = [
            ("backbone", backbone.value?.rawValue), ("loss", loss.value?.rawValue),
            ("heads", heads.value.map { $0 == 1 ? "1 head" : "\($0) heads" }),
            ("sequence length", maxLength.value.map { "sequences of \($0)" }),
        ]
        let open = all.filter { $0.1 == nil }.map(\.0)
        return (all.compactMap(\.1) + (open.isEmpty ? [] : ["undeclared " + open.joined(separator: ", ")]))
            .joined(separator: ", ")
    }
}
