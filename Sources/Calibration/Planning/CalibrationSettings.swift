package import Domain
internal import StrictJSON
package import Wire
package import Trials

/// What a calibration holds fixed, resolved from a request and the dataset.
package struct CalibrationSettings: Codable, Sendable, Hashable {
    package var dataset: String
    package var budgetSeconds: Double
    package var backbone: Model
    package var loss: Loss
    package var maxLength: Int
    package var heads: Int
    /// Levels asked for; nil leaves them to the planner.
    package var layers: [Int]?
    package var dims: [Int]?
    package var seed: UInt64
    package var workers: Int
    package var mask: CandidateMask
    package var options: TrainingOptions
    /// A grid asked for by name; its levels stand in `layers` and `dims`.
    package var grid: CalibrationGrid?
    /// What the answer must keep.
    package var asked: Budget
    /// Expected regret over the predicted metric at which trials chosen one at a time end.
    package var tolerance: Double
    /// What the user trains today: it is trained too, and compared.
    package var current: ShapeParam?
    /// Who runs the trials, nil for the daemon's own workers; and whose trainings they are, nil for the core's.
    package var executor: String?
    package var trainer: String?
    /// What observations say of an executor whose trainings count as the core's.
    package var source: String?

    /// Whether trials are chosen one at a time: nobody asked for levels.
    package var isSequential: Bool { layers == nil && dims == nil }

    /// Trials of one calibration: more teach a law nothing, and answers name each.
    package static let mostTrials = 1_000
    /// Levels of an axis where the planner chooses them.
    private static let usualLevels = 5

    /// Longest sequence by default.
    package static let standardLength = LawKey.usualLength

    /// Resolves a request; `trained` is what the recipe looks at.
    ///
    /// - Throws: `RPCError.invalidParams` naming the member, what was found and what was expected.
    package init(
        _ params: CalibrationParams, trained: Recipe.Facts, mask: CandidateMask, availableWorkers: Int,
        isCore: Bool = true, bridge: Bridge? = nil
    ) throws(RPCError) {
        func check(_ field: String, _ holds: Bool, _ found: Any, _ expected: String) throws(RPCError) {
            guard holds else {
                throw RPCError.parameter(field, found: "\(found)", expected: expected)
            }
        }
        dataset = params.name
        executor = params.executor
        budgetSeconds = params.budgetSeconds ?? 600
        backbone = params.backbone ?? .sasrec
        loss = params.loss ?? .cce
        source = bridge?.origin(executor: params.executor ?? "", backbone: backbone, loss: loss)
        trainer = isCore || source != nil ? nil : params.executor
        guard backbone.core != nil || trainer != nil else {
            throw RPCError.parameter(
                "backbone", foundText: backbone.rawValue,
                expected:
                    "one that plawd trains itself: \(Model.trained); other models are trained by an executor whose "
                    + "runner knows them (--executor), or their trainings come with `plaw import \(params.name) FILE`")
        }
        maxLength = params.maxLength ?? Self.standardLength
        heads = params.heads ?? 2
        grid = params.grid
        layers = (params.grid?.layers ?? params.layers).map { Array(Set($0)).sorted() }
        dims = (params.grid?.dims ?? params.dims).map { Array(Set($0)).sorted() }
        asked = Budget(
            maxParameters: params.maxParams, maxTrainingFlops: params.maxFlops,
            maxLatencySeconds: params.maxLatencySeconds, maxMemoryBytes: params.maxMemoryBytes,
            maxTrainingSeconds: params.maxTrainSeconds)
        tolerance = params.tolerance ?? 0.01
        current = params.current
        workers = min(params.workers ?? availableWorkers, availableWorkers)
        self.mask = mask
        var options = (params.recipe ?? .standard).options(trained, loss: loss)
        func take<Value>(_ value: Value?, _ member: WritableKeyPath<TrainingOptions, Value>) {
            if let value { options[keyPath: member] = value }
        }
        take(params.learningRate, \.learningRate)
        take(params.weightDecay, \.weightDecay)
        take(params.clipNorm, \.clipNorm)
        take(params.batchUsers, \.batchUsers)
        take(params.dropout, \.dropout)
        take(params.negatives, \.negatives)
        take(params.maxEpochs, \.maxEpochs)
        take(params.patience, \.patience)
        take(params.stopMetric, \.stopMetric)
        take(params.warmup, \.warmup)
        take(params.schedule, \.schedule)
        take(params.scheduleEpochs, \.scheduleEpochs)
        take(params.widthRule, \.widthRule)
        self.options = options
        let seed = params.seed ?? 1
        try check("seed", seed >= 0, seed, "0 or more")
        self.seed = UInt64(max(0, seed))
        try check(
            "budgetSeconds", budgetSeconds >= 1 && budgetSeconds <= 30 * 86_400, budgetSeconds, "1 to 2592000 seconds")
        try check(
            "grid", grid == nil || (params.layers == nil && params.dims == nil), "levels beside it",
            "none: a grid has its own")
        try check("tolerance", tolerance >= 0 && tolerance <= 1, tolerance, "0 to 1")
        for (field, limit) in [
            ("maxParams", params.maxParams), ("maxFlops", params.maxFlops),
            ("maxMemoryBytes", params.maxMemoryBytes), ("maxLatencySeconds", params.maxLatencySeconds),
            ("maxTrainSeconds", params.maxTrainSeconds),
        ] {
            if let limit { try check(field, limit > 0, limit, "more than 0") }
        }
        try check("workers", (params.workers ?? 1) >= 1, params.workers ?? 1, "1 or more")
        try check(
            "learningRate", options.learningRate > 0 && options.learningRate <= 1, options.learningRate,
            "more than 0, at most 1")
        if let problem = options.problem {
            throw RPCError(.invalidParams, problem.message, ["field": .string(problem.field)])
        }
        try check("layers", layers?.isEmpty != true, "no level", "at least one level")
        try check("dims", dims?.isEmpty != true, "no level", "at least one level")
        try check("maxLength", (1...4_096).contains(maxLength), maxLength, "1 to 4096")
        try check("heads", (1...4_096).contains(heads), heads, "1 to 4096")
        if let current {
            try check(
                "current", grid == nil && layers == nil && dims == nil, "levels beside it",
                "none: a grid trains its own")
            try check("current", (1...128).contains(current.layers), "\(current.layers) layers", "1 to 128")
            try check("current", (1...4_096).contains(current.dim), "dim \(current.dim)", "1 to 4096")
            if let problem = problem(configuration(layers: current.layers, dim: current.dim)) {
                throw RPCError(.invalidParams, "current: \(problem)", ["field": .string("current")])
            }
        }
        let cells = (layers?.count ?? Self.usualLevels) * (dims?.count ?? Self.usualLevels)
        try check(
            dims == nil ? "layers" : "dims", cells <= Self.mostTrials,
            "\(cells) configurations of layers and dims together", "at most \(Self.mostTrials)")
        for value in layers ?? [] { try check("layers", (1...128).contains(value), value, "1 to 128") }
        for value in dims ?? [] {
            try check("dims", (1...4_096).contains(value), value, "1 to 4096")
            try check("heads", grid != nil || value % heads == 0, heads, "a divisor of dim \(value)")
            if let problem = problem(configuration(layers: 1, dim: value)) {
                throw RPCError(.invalidParams, problem, ["field": .string("heads")])
            }
        }
    }

    /// The configuration of one shape.
    ///
    /// In a grid asked for by name, dimensions that the heads do not divide get as many heads as fit.
    package func configuration(layers: Int, dim: Int) -> Configuration {
        func configuration(_ heads: Int) -> Configuration {
            Configuration(
                backbone: backbone, layers: layers, dim: dim, heads: heads, maxLength: maxLength, loss: loss)
        }
        guard grid != nil else { return configuration(heads) }
        return (1...heads).reversed().lazy.map(configuration).first { problem($0) == nil } ?? configuration(heads)
    }

    /// Why a configuration cannot be trained; of another trainer's models its runner knows more.
    private func problem(_ c: Configuration) -> String? { trainer == nil ? c.problem : c.shapeProblem }

    /// Whether its model is none that the core trains.
    package var isForeign: Bool { backbone.core == nil }

    /// What dimensions must be multiples of.
    package var dimStep: Int {
        isForeign ? heads : Configuration(backbone: backbone, layers: 1, dim: heads, heads: heads).dimStep
    }

    /// Everything but the shape that training speed depends on.
    package var speedSetting: String {
        Self.speedSetting(
            backbone: backbone, loss: loss, maxLength: maxLength, heads: heads, batchUsers: options.batchUsers,
            negatives: loss.scoresCatalogue ? 1 : options.negatives, executor: executor)
    }

    package static func speedSetting(
        backbone: Model, loss: Loss, maxLength: Int, heads: Int, batchUsers: Int, negatives: Int, executor: String?
    ) -> String {
        "\(backbone.rawValue) \(loss.rawValue) L\(maxLength) h\(heads) b\(batchUsers) n\(negatives)"
            + (executor.map { " @\($0)" } ?? "")
    }

    /// The trial of one shape on a share of the users.
    ///
    /// - Parameter corpusHash: the version of the dataset.
    package func spec(corpus: String, corpusHash: String? = nil, _ trial: PlannedTrial) -> TrialSpec {
        TrialSpec(
            corpus: corpus, corpusHash: corpusHash, configuration: trial.configuration, options: options,
            seed: trial.seed,
            userFraction: trial.userFraction, mask: mask, mostHeads: grid == nil ? nil : heads, executor: executor,
            trainer: trainer, source: source)
    }
}
