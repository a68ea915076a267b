package import Domain

/// What a worker is asked to train: written once as `spec.json` into the trial's directory.
package struct TrialSpec: Codable, Sendable, Hashable {
    /// Path of the corpus file, from the trial's directory where it does not begin with `/`.
    package var corpus: String
    /// Content hash of the corpus; nil in specs of older daemons.
    package var corpusHash: String?
    package var configuration: Configuration
    package var options: TrainingOptions
    package var seed: UInt64
    /// Share of the users that train, chosen by a hash of the user index; all evaluated users are ranked regardless.
    package var userFraction: Double
    package var mask: CandidateMask
    /// Active seconds after which training stops at a checkpoint and goes on to the final ranking; nil for no limit.
    package var maxSeconds: Double?
    /// Seconds between checkpoints within an epoch boundary's reach; a checkpoint is also written when training stops.
    package var checkpointSeconds: Double
    /// Drawn items that each target is ranked against instead of all; nil for the full ranking.
    package var sampledRanking: Int?
    /// Heads asked for, where the configuration has the most of at most these that fit its dimension; nil where it has them.
    package var mostHeads: Int?
    /// Name of the executor that runs it; nil for the daemon's own workers.
    package var executor: String?
    /// Whose trainings it is one of; nil for those of plawd's core.
    package var trainer: String?
    /// Where its figures come from, if they count as the core's and are another trainer's; nil for those of the core.
    package var source: String?

    package init(
        corpus: String, corpusHash: String? = nil, configuration: Configuration, options: TrainingOptions, seed: UInt64,
        userFraction: Double = 1, mask: CandidateMask, maxSeconds: Double? = nil, checkpointSeconds: Double = 10,
        sampledRanking: Int? = nil, mostHeads: Int? = nil, executor: String? = nil, trainer: String? = nil,
        source: String? = nil
    ) {
        (self.executor, self.trainer, self.source) = (executor, trainer, source)
        self.mostHeads = mostHeads
        self.corpus = corpus
        self.corpusHash = corpusHash
        self.configuration = configuration
        self.options = options
        self.seed = seed
        self.userFraction = userFraction
        self.mask = mask
        self.maxSeconds = maxSeconds
        self.checkpointSeconds = checkpointSeconds
        self.sampledRanking = sampledRanking
    }

    /// Why this cannot be trained, naming the member, what was found and what was expected; nil when it can. Everything that computes
    /// with the numbers of a specification asks first.
    package var problem: String? {
        if corpus.isEmpty || corpus.utf8.contains(0) { return "corpus: found no path, expected one without NUL" }
        if let problem = trainer == nil ? configuration.problem : configuration.shapeProblem { return problem }
        if let problem = options.problem { return problem.message }
        if !(userFraction > 0 && userFraction <= 1) {
            return "userFraction: found \(userFraction), expected more than 0, at most 1"
        }
        if let maxSeconds, !(maxSeconds >= 0) { return "maxSeconds: found \(maxSeconds), expected 0 or more" }
        if !(checkpointSeconds >= 0) { return "checkpointSeconds: found \(checkpointSeconds), expected 0 or more" }
        if let sampledRanking, sampledRanking < 1 || sampledRanking > Int(Int32.max) {
            return "sampledRanking: found \(sampledRanking), expected 1 to \(Int32.max) items"
        }
        if let mostHeads, !(1...4_096).contains(mostHeads) {
            return "mostHeads: found \(mostHeads), expected 1 to 4096"
        }
        return nil
    }
}

/// One line of `progress.jsonl`.
package struct TrialProgress: Codable, Sendable, Hashable {
    package enum Phase: String, Codable, Sendable, Hashable { case starting, training, validating, testing, finished }

    package var phase: Phase
    /// Epoch in progress, counted from 1.
    package var epoch: Int
    /// Training positions seen so far in this epoch, and per epoch.
    package var tokens: Int
    package var epochTokens: Int
    package var tokensPerSecond: Double
    /// Mean loss of the epoch so far.
    package var loss: Double?
    /// Validation metrics of the last epoch, keyed `ndcg@10`.
    package var validation: [String: Double]?
    /// Best value of the stopping metric so far.
    package var best: Double?
    /// Of ranking by popularity, the same; nil from older workers.
    package var popularity: Double?
    /// Active seconds of this trial, over all its runs.
    package var seconds: Double

    package init(
        phase: Phase, epoch: Int, tokens: Int, epochTokens: Int, tokensPerSecond: Double, loss: Double?,
        validation: [String: Double]?, best: Double?, popularity: Double? = nil, seconds: Double
    ) {
        (self.phase, self.epoch, self.tokens, self.epochTokens) = (phase, epoch, tokens, epochTokens)
        (self.tokensPerSecond, self.loss, self.validation) = (tokensPerSecond, loss, validation)
        (self.best, self.popularity, self.seconds) = (best, popularity, seconds)
    }
}

/// What a finished worker leaves as `result.json`, last and atomically.
package struct TrialResult: Codable, Sendable, Hashable {
    package enum Status: String, Codable, Sendable, Hashable {
        /// Stopped by patience or by the epoch limit, when it no longer rose.
        case converged
        /// Stopped by patience or by the epoch limit while the stopping metric was still rising: its best value stood more than 2 % above
        /// what it was before the last quarter of the epochs.
        case stoppedRising
        /// Stopped by `maxSeconds` at a checkpoint; metrics are of the best epoch so far.
        case stoppedByBudget
        /// A loss or a score was not finite.
        case diverged
        case failed
    }

    package var status: Status
    /// Why, for `diverged` and `failed`.
    package var message: String?
    package var epochs: Int
    package var bestEpoch: Int
    /// Active seconds over all runs of this trial.
    package var seconds: Double
    package var tokensPerSecond: Double
    /// Training positions per epoch, after truncation and sub-sampling.
    package var tokens: Int
    package var parameters: Int
    package var peakMemoryBytes: Int
    /// Users ranked for the test target.
    package var users: Int
    package var validation: [String: Measurement]
    package var test: [String: Measurement]
    /// Seconds one epoch of training and one validation took, on average.
    package var secondsPerEpoch: Double
    package var secondsPerValidation: Double
    /// Drawn items that each target was ranked against; nil for the full ranking.
    package var sampledRanking: Int?
    /// The stopping metric on the validation targets after each epoch; nil in results of older workers.
    package var curve: [Double]?
    /// The stopping metric of ranking by popularity on the validation targets; nil in results of older workers.
    package var popularity: Double?

    package init(
        status: Status, message: String? = nil, epochs: Int, bestEpoch: Int, seconds: Double, tokensPerSecond: Double,
        tokens: Int, parameters: Int, peakMemoryBytes: Int, users: Int, validation: [String: Measurement],
        test: [String: Measurement], secondsPerEpoch: Double, secondsPerValidation: Double, sampledRanking: Int? = nil,
        curve: [Double]? = nil, popularity: Double? = nil
    ) {
        self.status = status
        self.message = message
        self.epochs = epochs
        self.bestEpoch = bestEpoch
        self.seconds = seconds
        self.tokensPerSecond = tokensPerSecond
        self.tokens = tokens
        self.parameters = parameters
        self.peakMemoryBytes = peakMemoryBytes
        self.users = users
        self.validation = validation
        self.test = test
        self.secondsPerEpoch = secondsPerEpoch
        self.secondsPerValidation = secondsPerValidation
        self.sampledRanking = sampledRanking
        self.curve = curve
        self.popularity = popularity
    }
}
