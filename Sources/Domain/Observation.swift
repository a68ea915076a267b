/// What makes observations comparable: laws are fitted only among observations whose keys are equal.
package struct LawKey: Codable, Sendable, Hashable {
    /// Content hash of the dataset's corpus.
    package var datasetVersion: String
    /// Which interactions were left out before anything was counted, in words: `none`, `k-core=5`.
    package var filter: String
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
    /// What an import left unsaid, by the names of its columns, in their order: the members above hold a placeholder for
    /// these. Observations that leave the same things unsaid are compared among themselves, never with others.
    package var undeclared: [String]

    package init(
        datasetVersion: String, filter: String = "none", split: String, mask: CandidateMask, candidates: String,
        backbone: Backbone, loss: Loss, negatives: Int, maxLength: Int, policy: String, codeVersion: String,
        undeclared: [String] = []
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
        self.undeclared = undeclared
    }

    /// Keys from before filters were written down have neither of the two: nothing was undeclared, and which filter it was
    /// is known to the dataset alone.
    package init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        datasetVersion = try c.decode(String.self, forKey: .datasetVersion)
        filter = try c.decodeIfPresent(String.self, forKey: .filter) ?? ""
        split = try c.decode(String.self, forKey: .split)
        mask = try c.decode(CandidateMask.self, forKey: .mask)
        candidates = try c.decode(String.self, forKey: .candidates)
        backbone = try c.decode(Backbone.self, forKey: .backbone)
        loss = try c.decode(Loss.self, forKey: .loss)
        negatives = try c.decode(Int.self, forKey: .negatives)
        maxLength = try c.decode(Int.self, forKey: .maxLength)
        policy = try c.decode(String.self, forKey: .policy)
        codeVersion = try c.decode(String.self, forKey: .codeVersion)
        undeclared = try c.decodeIfPresent([String].self, forKey: .undeclared) ?? []
    }
}

/// What one finished trial measured, here or elsewhere. Of an import, what the file does not say is 0, where nothing else is said.
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
    /// What an import said besides: how the training ended, the epoch its weights are of, its trainable parameters, and
    /// where the figures come from.
    package var status: String?
    package var bestEpoch: Int?
    package var parameters: Int?
    package var source: String?

    package init(
        id: Int64, dataset: String, key: LawKey, configuration: Configuration, tokens: Int, apen: Double,
        userFraction: Double, seed: UInt64, users: Int, metrics: [String: Measurement], epochs: Int, seconds: Double,
        converged: Bool, job: Int64?, trial: Int64?, status: String? = nil, bestEpoch: Int? = nil,
        parameters: Int? = nil, source: String? = nil
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
        self.source = source
    }

    /// Quality-adjusted data size D' = tokens / ApEn. Where an import leaves one of them unsaid, the share of the users: D' in
    /// units of that of all users, and the key keeps such observations apart.
    package var effectiveTokens: Double { tokens > 0 && apen > 0 ? Double(tokens) / apen : userFraction }
}
