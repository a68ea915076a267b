/// What makes observations comparable: laws are fitted only among observations whose keys are equal.
package struct LawKey: Codable, Sendable, Hashable {
    /// Content hash of the dataset's corpus, filters and split included.
    package var datasetVersion: String
    package var split: String
    package var mask: CandidateMask
    package var candidates: String
    package var backbone: Backbone
    package var loss: Loss
    package var negatives: Int
    package var maxLength: Int
    /// Optimiser, schedule, dropout and stopping rule, spelled out.
    package var policy: String
    /// Version of the training code.
    package var codeVersion: String

    package init(
        datasetVersion: String, split: String, mask: CandidateMask, candidates: String, backbone: Backbone, loss: Loss,
        negatives: Int, maxLength: Int, policy: String, codeVersion: String
    ) {
        self.datasetVersion = datasetVersion
        self.split = split
        self.mask = mask
        self.candidates = candidates
        self.backbone = backbone
        self.loss = loss
        self.negatives = negatives
        self.maxLength = maxLength
        self.policy = policy
        self.codeVersion = codeVersion
    }
}

/// What one finished trial measured, here or elsewhere.
package struct Observation: Codable, Sendable, Hashable {
    package var id: Int64
    package var dataset: String
    package var key: LawKey
    package var configuration: Configuration
    /// Training positions, after truncation to L.
    package var tokens: Int
    /// Approximate entropy the data size is divided by, in nats.
    package var apen: Double
    /// Share of the users that trained, 1 for all.
    package var userFraction: Double
    package var seed: UInt64
    /// Users whose target was ranked.
    package var users: Int
    /// Test metrics, keyed `hr@10`.
    package var metrics: [String: Measurement]
    package var epochs: Int
    package var seconds: Double
    /// False when the budget ended the trial before its stopping rule did; such trials are kept but not fitted.
    package var converged: Bool
    /// The job and trial it came from.
    package var job: Int64?
    package var trial: Int64?

    package init(
        id: Int64, dataset: String, key: LawKey, configuration: Configuration, tokens: Int, apen: Double,
        userFraction: Double, seed: UInt64, users: Int, metrics: [String: Measurement], epochs: Int, seconds: Double,
        converged: Bool, job: Int64?, trial: Int64?
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
    }

    /// Quality-adjusted data size D' = tokens / ApEn.
    package var effectiveTokens: Double { Double(tokens) / apen }
}
