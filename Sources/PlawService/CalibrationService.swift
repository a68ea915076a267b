internal import Advisor
internal import Calibration
internal import Domain
internal import Interactions
internal import Logging
internal import PlawProtocol
internal import Store
internal import Trials

/// Plans calibrations and hands them to the supervisor.
actor CalibrationService {
    private let store: Store
    private let layout: StateLayout
    private let executor: any TrialExecutor
    private let supervisor: CalibrationSupervisor
    private let workers: Int
    private let offload = Offload()

    init(
        store: Store, layout: StateLayout, executor: any TrialExecutor, supervisor: CalibrationSupervisor, workers: Int
    ) {
        self.store = store
        self.layout = layout
        self.executor = executor
        self.supervisor = supervisor
        self.workers = workers
    }

    func plan(_ params: CalibrationParams) async throws -> CalibrationPlanResult {
        try await prepare(params).plan
    }

    func start(_ params: CalibrationParams) async throws -> CalibrationStartResult {
        let (settings, plan, corpus) = try await prepare(params)
        guard !plan.trials.isEmpty else {
            throw RPCError(
                .infeasible,
                "the budget of \(Int(settings.budgetSeconds)) s pays no new trial: "
                    + plan.notes.joined(separator: "; "),
                ["budgetSeconds": .number(settings.budgetSeconds)])
        }
        let trials = plan.trials.map { trial in
            NewTrial(
                spec: settings.spec(corpus: corpus, trial), predictedSeconds: trial.predictedSeconds,
                predictedEpochs: trial.predictedEpochs)
        }
        let id = try await supervisor.enqueue(
            dataset: params.name, budgetSeconds: settings.budgetSeconds, workers: settings.workers, message: nil,
            trials: trials)
        return CalibrationStartResult(job: try await store.job(id), plan: plan)
    }

    private func prepare(
        _ params: CalibrationParams
    ) async throws -> (settings: CalibrationSettings, plan: CalibrationPlanResult, corpus: String) {
        let dataset = try await store.dataset(params.name)
        let settings = try CalibrationSettings(params, mask: dataset.info.mask, availableWorkers: workers)
        let corpus = layout.corpora + "/" + dataset.corpusFile
        let facts = try await offload.run {
            try DatasetFacts(corpus: Corpus(path: corpus), info: dataset.info, maxLength: settings.maxLength)
        }
        guard facts.tokens > 0, facts.evaluatedUsers > 0 else {
            throw RPCError(
                .invalidInput, "\"\(params.name)\" has no user with 4 or more interactions: nothing to train on",
                ["dataset": .string(params.name)])
        }
        let planner = try await planner(settings, dataset.info.version, facts, corpus: corpus)
        guard params.loss == nil, facts.items >= LossChoice.largeCatalogue else {
            return (settings, planner.plan(), corpus)
        }
        var sampled = params
        sampled.loss = .sampledSoftmax
        let other = try await self.planner(
            CalibrationSettings(sampled, mask: dataset.info.mask, availableWorkers: workers), dataset.info.version,
            facts, corpus: corpus)
        let choice = LossChoice(full: planner, sampled: other, items: facts.items)
        return (choice.settings, choice.plan, corpus)
    }

    /// The planner of these settings, with prices from probes and expected epochs from what was trained before.
    private func planner(
        _ settings: CalibrationSettings, _ datasetVersion: String, _ facts: DatasetFacts, corpus: String
    ) async throws -> CalibrationPlanner {
        let probes = try await probes(settings, corpus: corpus)
        let key = settings.spec(
            corpus: corpus,
            PlannedTrial(
                configuration: settings.configuration(layers: 1, dim: settings.heads), userFraction: 1,
                seed: settings.seed, predictedEpochs: 0, predictedSeconds: 0)
        ).lawKey(datasetVersion: datasetVersion)
        let before = try await store.observations(of: settings.dataset).filter { $0.key == key && $0.converged }
        let done = before.map { Double($0.epochs) }.sorted()
        let speed = SpeedModel(probes)
        return CalibrationPlanner(
            settings: settings, epochs: done.isEmpty ? CalibrationPlanner.defaultEpochs : done[done.count / 2],
            isKnown: { configuration, userFraction in
                before.contains {
                    $0.configuration == configuration && $0.userFraction == userFraction && $0.seed == settings.seed
                }
            }
        ) { configuration, userFraction in
            let estimate = speed.estimate(configuration, facts: facts)
            let ranking = Double(facts.evaluatedUsers) / estimate.evaluatedUsersPerSecond
            // A quarter more than the probe says: two trainings side by side share caches and memory.
            let epoch = 1.25 * (Double(facts.tokens) * userFraction / estimate.tokensPerSecond + ranking)
            return (epoch, 2 * ranking + Self.startSeconds)
        }
    }

    /// Seconds a worker needs besides training: to start, map the corpus and write its results.
    private static let startSeconds = 0.3

    /// Measured speeds of enough shapes to price the others; measured once per dataset and setting.
    private func probes(_ settings: CalibrationSettings, corpus: String) async throws -> [ThroughputProbe] {
        let layers = settings.layers ?? [1, 4]
        let dims = settings.dims ?? [16, 64, 128]
        var shapes: [(layers: Int, dim: Int)] = []
        for layer in Set([layers.first ?? 1, layers.last ?? 1]).sorted() {
            for dim in Set([dims.first ?? 16, dims[dims.count / 2], dims.last ?? 16]).sorted() {
                shapes.append((layer, (dim + settings.dimStep - 1) / settings.dimStep * settings.dimStep))
            }
        }
        var probes = try await store.probes(
            ThroughputProbe.self, dataset: settings.dataset, setting: settings.speedSetting)
        let missing = shapes.filter { shape in
            !probes.contains { $0.layers == shape.layers && $0.dim == shape.dim }
        }
        guard !missing.isEmpty else { return probes }
        let measured: [ThroughputProbe]
        do {
            measured = try await executor.probe(ProbeRequest(corpus: corpus, settings: settings, shapes: missing))
        } catch {
            throw RPCError(.workerFailed, "training speed cannot be measured: \(error)")
        }
        try await store.insertProbes(
            dataset: settings.dataset, setting: settings.speedSetting,
            measured.map { (layers: $0.layers, dim: $0.dim, body: $0) })
        probes += measured
        return probes
    }
}

/// The setting under which speeds are stored, from the key of observations.
struct SpeedSetting {
    let text: String

    init(observationKey key: LawKey, heads: Int) {
        let batch =
            key.policy.split(separator: " ").first { $0.hasPrefix("batch=") }.flatMap { Int($0.dropFirst(6)) } ?? 256
        text = CalibrationSettings.speedSetting(
            backbone: key.backbone, loss: key.loss, maxLength: key.maxLength, heads: heads, batchUsers: batch,
            negatives: max(1, key.negatives))
    }
}

extension DatasetFacts {
    /// Counts a corpus as training with this maximum length sees it.
    init(corpus: Corpus, info: DatasetInfo, maxLength: Int) {
        var tokens = 0
        var squares = 0
        var evaluated = 0
        for user in 0..<corpus.userCount {
            let length = corpus.length(of: user)
            let positions = Split.trainingPositions(length: length, maxLength: maxLength)
            tokens += positions
            squares += positions * positions
            if Split.isEvaluated(length: length) { evaluated += 1 }
        }
        self.init(
            items: corpus.itemCount, evaluatedUsers: evaluated, tokens: tokens, apen: info.entropy.dataApEn,
            meanContext: Double(squares) / Double(max(1, tokens)))
    }
}
