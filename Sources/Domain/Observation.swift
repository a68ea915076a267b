/// What makes observations comparable: laws are fitted only among observations whose keys are equal.
package struct LawKey: Codable, Sendable, Hashable {
    /// The longest sequence that a model sees by default.
    package static let usualLength = 50

    /// Content hash of the dataset's corpus.
    package var datasetVersion: String
    /// Which interactions were left out before anything was counted, in words: `none`, `k-core=5`.
    package var filter: String
    package var split: String
    package var mask: CandidateMask
    package var candidates: String
    package var backbone: Model
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
        backbone: Model, loss: Loss, negatives: Int, maxLength: Int, policy: String, codeVersion: String,
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

    private enum CodingKeys: CodingKey {
        case datasetVersion, filter, split, mask, candidates, backbone, loss, negatives, maxLength, policy, codeVersion
        case undeclared

        /// The column of an import.
        var column: String {
            switch self {
            case .datasetVersion: "dataset_version"
            case .maxLength: "max_length"
            case .codeVersion: "code_version"
            default: stringValue
            }
        }
    }

    /// What is absent nobody declared, and has a placeholder. Keys from before filters were written down have neither filter nor
    /// `undeclared`: nothing was undeclared, and which filter it was is known to the dataset alone.
    package init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        func member<Value: Decodable>(_ key: CodingKeys, _ placeholder: Value) throws -> Value {
            c.contains(key) ? try c.decode(Value.self, forKey: key) : placeholder
        }
        datasetVersion = try member(.datasetVersion, "")
        filter = try member(.filter, "")
        split = try member(.split, "")
        mask = try member(.mask, .none)
        candidates = try member(.candidates, "")
        backbone = try member(.backbone, Model.sasrec)
        loss = try member(.loss, .cce)
        negatives = try member(.negatives, 0)
        maxLength = try member(.maxLength, 50)
        policy = try member(.policy, "")
        codeVersion = try member(.codeVersion, "")
        undeclared = try member(.undeclared, [])
    }

    /// What is undeclared is left out, but for what is stored: equal keys are equal text there.
    package func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: CodingKeys.self)
        func add(_ key: CodingKeys, _ value: some Encodable, isKnown: Bool = false) throws {
            guard isKnown || encoder.isStoring || !undeclared.contains(key.column) else { return }
            try c.encode(value, forKey: key)
        }
        try add(.datasetVersion, datasetVersion)
        try add(.filter, filter)
        try add(.split, split)
        try add(.mask, mask)
        try add(.candidates, candidates)
        try add(.backbone, backbone)
        try add(.loss, loss)
        try add(.negatives, negatives)
        try add(.maxLength, maxLength)
        // Heads and feed-forward factors stand in a policy of which nobody said the rest.
        try add(.policy, policy, isKnown: !policy.isEmpty)
        try add(.codeVersion, codeVersion)
        try c.encode(undeclared, forKey: .undeclared)
    }

    /// What nobody declared of a configuration.
    package var undeclaredOfConfiguration: [String] {
        ["backbone", "heads", "max_length", "loss"].filter(undeclared.contains)
    }
}

extension CodingUserInfoKey {
    /// Set where values are encoded to be stored: what nobody declared keeps its placeholder.
    package static let isStoring: CodingUserInfoKey = {
        guard let key = CodingUserInfoKey(rawValue: "plaw.isStoring") else { preconditionFailure("no key of a text") }
        return key
    }()
}

extension Encoder {
    fileprivate var isStoring: Bool { userInfo[.isStoring] != nil }
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
            self.gain = gain
            self.deviation = deviation
        }
    }

    package init(
        id: Int64, dataset: String, key: LawKey, configuration: Configuration, tokens: Int, apen: Double,
        userFraction: Double, seed: UInt64, users: Int, metrics: [String: Measurement], epochs: Int, seconds: Double,
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
    package var effectiveTokens: Double { tokens > 0 && apen > 0 ? Double(tokens) / apen : userFraction }

    // MARK: - Coding

    private enum CodingKeys: CodingKey {
        case id, dataset, key, configuration, tokens, apen, userFraction, seed, users, metrics, epochs, seconds
        case converged, job, trial, status, bestEpoch, parameters, trainingFlops, memoryBytes, latencySeconds, source
        case forecast
    }

    package init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        id = try c.decode(Int64.self, forKey: .id)
        dataset = try c.decode(String.self, forKey: .dataset)
        key = try c.decode(LawKey.self, forKey: .key)
        configuration = try c.decode(Configuration.self, forKey: .configuration)
        tokens = c.contains(.tokens) ? try c.decode(Int.self, forKey: .tokens) : 0
        apen = c.contains(.apen) ? try c.decode(Double.self, forKey: .apen) : 0
        userFraction = try c.decode(Double.self, forKey: .userFraction)
        seed = try c.decode(UInt64.self, forKey: .seed)
        users = try c.decode(Int.self, forKey: .users)
        metrics = try c.decode([String: Measurement].self, forKey: .metrics)
        epochs = try c.decode(Int.self, forKey: .epochs)
        seconds = try c.decode(Double.self, forKey: .seconds)
        converged = try c.decode(Bool.self, forKey: .converged)
        job = try c.decodeIfPresent(Int64.self, forKey: .job)
        trial = try c.decodeIfPresent(Int64.self, forKey: .trial)
        status = try c.decodeIfPresent(String.self, forKey: .status)
        bestEpoch = try c.decodeIfPresent(Int.self, forKey: .bestEpoch)
        parameters = try c.decodeIfPresent(Int.self, forKey: .parameters)
        trainingFlops = try c.decodeIfPresent(Double.self, forKey: .trainingFlops)
        memoryBytes = try c.decodeIfPresent(Double.self, forKey: .memoryBytes)
        latencySeconds = try c.decodeIfPresent(Double.self, forKey: .latencySeconds)
        source = try c.decodeIfPresent(String.self, forKey: .source)
        forecast = try c.decodeIfPresent(Forecast.self, forKey: .forecast)
    }

    /// What the key calls undeclared is left out, but for what is stored.
    package func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: CodingKeys.self)
        func isKnown(_ column: String) -> Bool { encoder.isStoring || !key.undeclared.contains(column) }
        var configuration = configuration
        if !encoder.isStoring { configuration.undeclared = key.undeclaredOfConfiguration }
        try c.encode(id, forKey: .id)
        try c.encode(dataset, forKey: .dataset)
        try c.encode(key, forKey: .key)
        try c.encode(configuration, forKey: .configuration)
        if isKnown("tokens") { try c.encode(tokens, forKey: .tokens) }
        if isKnown("apen") { try c.encode(apen, forKey: .apen) }
        try c.encode(userFraction, forKey: .userFraction)
        try c.encode(seed, forKey: .seed)
        try c.encode(users, forKey: .users)
        try c.encode(metrics, forKey: .metrics)
        try c.encode(epochs, forKey: .epochs)
        try c.encode(seconds, forKey: .seconds)
        try c.encode(converged, forKey: .converged)
        try c.encodeIfPresent(job, forKey: .job)
        try c.encodeIfPresent(trial, forKey: .trial)
        try c.encodeIfPresent(status, forKey: .status)
        try c.encodeIfPresent(bestEpoch, forKey: .bestEpoch)
        try c.encodeIfPresent(parameters, forKey: .parameters)
        try c.encodeIfPresent(trainingFlops, forKey: .trainingFlops)
        try c.encodeIfPresent(memoryBytes, forKey: .memoryBytes)
        try c.encodeIfPresent(latencySeconds, forKey: .latencySeconds)
        try c.encodeIfPresent(source, forKey: .source)
        try c.encodeIfPresent(forecast, forKey: .forecast)
    }
}
