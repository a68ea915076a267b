/// What makes observations comparable: laws are fitted only among observations whose keys are equal. Observations that leave the same
/// things unsaid are compared among themselves, never with others.
package struct LawKey: Sendable, Hashable {
    /// The longest sequence that a model sees by default.
    package static let usualLength = 50

    /// Content hash of the dataset's corpus.
    package var datasetVersion: Declared<String>
    /// Which interactions were left out before anything was counted, in words: `none`, `k-core=5`.
    package var filter: Declared<String>
    package var split: Declared<String>
    package var mask: Declared<CandidateMask>
    package var candidates: Declared<String>
    package var backbone: Declared<Model>
    package var loss: Declared<LossName>
    package var negatives: Declared<Int>
    package var maxLength: Declared<Int>
    package var policy: TrainingPolicy
    /// Version of the training code.
    package var codeVersion: Declared<String>
    /// Whether its observations say these, each its own.
    package var saysHeads: Bool
    package var saysTokens: Bool
    package var saysApEn: Bool

    package init(
        datasetVersion: Declared<String>, filter: Declared<String> = .said("none"), split: Declared<String>,
        mask: Declared<CandidateMask>, candidates: Declared<String>, backbone: Declared<Model>,
        loss: Declared<LossName>, negatives: Declared<Int>, maxLength: Declared<Int>, policy: TrainingPolicy,
        codeVersion: Declared<String>, saysHeads: Bool = true, saysTokens: Bool = true, saysApEn: Bool = true
    ) {
        self.datasetVersion = datasetVersion
        self.filter = filter
        self.split = split
        self.mask = mask
        self.candidates = candidates
        self.backbone = backbone
        self.loss = loss
        self.negatives = negatives
        self.maxLength = maxLength
        self.policy = policy
        self.codeVersion = codeVersion
        self.saysHeads = saysHeads
        self.saysTokens = saysTokens
        self.saysApEn = saysApEn
    }

    /// Whether its observations say their data size.
    package var saysDataSize: Bool { saysTokens && saysApEn }

    /// What the core cannot rest on, by the columns of an import: what nobody said, and a loss that it does not have.
    package var undeclared: [String] {
        [
            (datasetVersion.value == nil, "dataset_version"), (filter.value == nil, "filter"),
            (split.value == nil, "split"),
            (mask.value == nil, "mask"), (candidates.value == nil, "candidates"), (backbone.value == nil, "backbone"),
            (loss.value?.core == nil, "loss"), (negatives.value == nil, "negatives"),
            (maxLength.value == nil, "max_length"),
            (!policy.isSaid, "policy"), (codeVersion.value == nil, "code_version"), (!saysHeads, "heads"),
            (!saysTokens, "tokens"), (!saysApEn, "apen"),
        ].filter(\.0).map(\.1)
    }

    /// What nobody said.
    package var open: [String] { undeclared.filter { $0 != "loss" || loss == .unsaid } }
}

/// What one finished trial measured, here or elsewhere. Of an import, what the file does not say is 0, where nothing else is said.
package struct Observation: Codable, Sendable, Hashable {
    package var id: Int64
    package var dataset: String
    package var key: LawKey
    package var configuration: DeclaredConfiguration
    /// Training positions, after truncation to L.
    package var tokens: Declared<Int>
    /// Approximate entropy the data size is divided by, in nats.
    package var apen: Declared<Double>
    /// Share of the users that trained, 1 for all.
    package var userFraction: Double
    package var seed: UInt64
    /// Users whose target was ranked.
    package var users: Int
    /// Test metrics, keyed `hr@10`.
    package var metrics: [String: Measurement]
    package var epochs: Int
    package var seconds: Double
    /// Whether the trial ended by its stopping rule, and no longer rose.
    package var converged: Bool
    /// The job and trial it came from.
    package var job: Int64?
    package var trial: Int64?
    /// What an import said besides: how the training ended, the epoch its weights are of, its trainable parameters, and
    /// where the figures come from.
    package var status: String?
    package var bestEpoch: Int?
    package var parameters: Int?
    /// What else an import said that the training cost: FLOPs of the whole training, its peak of memory, and the latency of a request.
    package var trainingFlops: Double?
    package var memoryBytes: Double?
    package var latencySeconds: Double?
    package var source: String?
    /// Where a training that was cut short was heading; nil for one that ended by itself.
    package var forecast: Forecast?

    /// What a training that was cut short would still have gained, told from its curve.
    package struct Forecast: Codable, Sendable, Hashable {
        /// ln of the metric at the end over that where it was cut.
        package var gain: Double
        /// Standard deviation of it.
        package var deviation: Double

        package init(gain: Double, deviation: Double) {
            (self.gain, self.deviation) = (gain, deviation)
        }
    }

    package init(
        id: Int64, dataset: String, key: LawKey, configuration: DeclaredConfiguration, tokens: Declared<Int>,
        apen: Declared<Double>, userFraction: Double, seed: UInt64, users: Int, metrics: [String: Measurement],
        epochs: Int, seconds: Double,
        converged: Bool, job: Int64?, trial: Int64?, status: String? = nil, bestEpoch: Int? = nil,
        parameters: Int? = nil, trainingFlops: Double? = nil, memoryBytes: Double? = nil, latencySeconds: Double? = nil,
        source: String? = nil, forecast: Forecast? = nil
    ) {
        self.id = id
        self.dataset = dataset
        self.key = key
        self.configuration = configuration
        self.tokens = tokens
        self.apen = apen
        self.userFraction = userFraction
        self.seed = seed
        self.users = users
        self.metrics = metrics
        self.epochs = epochs
        self.seconds = seconds
        self.converged = converged
        self.job = job
        self.trial = trial
        self.status = status
        self.bestEpoch = bestEpoch
        self.parameters = parameters
        self.trainingFlops = trainingFlops
        self.memoryBytes = memoryBytes
        self.latencySeconds = latencySeconds
        self.source = source
        self.forecast = forecast
    }

    /// The status of a training that its policy ended, by patience or the most epochs, while it still rose.
    package static let stoppedRising = "stoppedRising"

    /// Whether it ended as its policy says, by patience or by the most epochs, so that laws may hold it against others of its key. What a
    /// budget cut short is kept and shown alone.
    package var isComplete: Bool { converged || status == Self.stoppedRising }

    /// Quality-adjusted data size D' = tokens / ApEn. Where an import leaves one of them unsaid, the share of the users: D' in
    /// units of that of all users, and the key keeps such observations apart.
    package var effectiveTokens: Double {
        if case (.said(let tokens), .said(let apen)) = (tokens, apen), tokens > 0, apen > 0 {
            return Double(tokens) / apen
        }
        return userFraction
    }
}
