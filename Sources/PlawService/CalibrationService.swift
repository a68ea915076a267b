internal import Calibration
internal import Costs
internal import Domain
internal import Wire
internal import Server
internal import Store
internal import StrictJSON
internal import Trials

/// Plans calibrations and hands them to the supervisor.
actor CalibrationService {
    private let store: Store
    private let corporaFolder: String
    private let executor: any TrialExecutor
    private let supervisor: CalibrationSupervisor
    private let chooser: TrialChooser
    private let configuration: LiveConfiguration
    private let space: DiskSpace
    private let offload = Offload()
    private let corpora: Corpora
    /// Whatever many ask for, there is one process that measures.
    private let measuring = Turnstile(width: 1)

    init(
        store: Store, corporaFolder: String, executor: any TrialExecutor, supervisor: CalibrationSupervisor,
        chooser: TrialChooser, corpora: Corpora, configuration: LiveConfiguration, space: DiskSpace
    ) {
        (self.store, self.corporaFolder, self.executor, self.supervisor) = (store, corporaFolder, executor, supervisor)
        (self.chooser, self.corpora, self.configuration, self.space) = (chooser, corpora, configuration, space)
    }

    func plan(_ params: CalibrationParams) async throws -> CalibrationPlanResult {
        try await prepare(params).plan
    }

    func start(_ params: CalibrationParams) async throws -> CalibrationStartResult {
        let prepared = try await prepare(params)
        let (settings, plan) = (prepared.settings, prepared.plan)
        guard !plan.trials.isEmpty || (plan.openSeconds ?? 0) > 0 else {
            throw RPCError(
                .infeasible,
                "the budget of \(Int(towardZero: settings.budgetSeconds)) s pays no new trial: "
                    + plan.notes.joined(separator: "; "),
                ["budgetSeconds": .number(settings.budgetSeconds)])
        }
        let trials = plan.trials.map { trial in
            NewTrial(trial, settings: settings, dataset: prepared.dataset)
        }
        // Until the job's own row keeps it.
        let room = try await space.reserve(plan.diskBytes ?? 0, for: "the calibration")
        defer { withExtendedLifetime(room) {} }
        let id = try await supervisor.enqueue(
            dataset: params.name, budgetSeconds: settings.budgetSeconds, workers: settings.workers, message: nil,
            trials: trials, design: prepared.design, spentSeconds: prepared.measuringSeconds)
        return CalibrationStartResult(job: try await supervisor.snapshot(id), plan: plan)
    }

    private func prepare(
        _ params: CalibrationParams
    ) async throws -> Prepared {
        // The dataset is looked at with it before the settings are checked as a whole.
        try RPCError.check("maxLength", params.maxLength, 1...4_096)
        let dataset = try await store.dataset(params.name)
        guard let mask = dataset.info.mask, !dataset.corpusFile.isEmpty else {
            throw DatasetService.noInteractions(params.name, "there is nothing to train on")
        }
        let corpus = corporaFolder + "/" + dataset.corpusFile
        let trained = try await offload.run(cancellable: { [corpora] isCancelled in
            try corpora.recipeFacts(
                dataset, maxLength: params.maxLength ?? CalibrationSettings.standardLength, shouldStop: isCancelled)
        })
        let executor = try configuration.executor(params.executor)
        func resolved(_ params: CalibrationParams) throws -> CalibrationSettings {
            try CalibrationSettings(
                params, trained: trained, mask: mask, availableWorkers: executor?.parallel ?? configuration.workers,
                isCore: executor?.isCore ?? true, bridge: executor?.bridge)
        }
        let settings = try resolved(params)
        let facts = try await offload.run(cancellable: { [corpora] isCancelled in
            try corpora.facts(
                dataset, maxLength: settings.maxLength, batchUsers: settings.options.batchUsers,
                shouldStop: isCancelled)
        })
        guard facts.tokens > 0, facts.evaluatedUsers > 0 else {
            throw RPCError(
                .invalidInput, "\"\(params.name)\" has no user with 4 or more interactions: nothing to train on",
                ["dataset": .string(params.name)])
        }
        var measuring = 0.0
        var pricing = try await pricing(settings, dataset.info, facts, corpus: corpus, &measuring)
        var plan = CalibrationPlanResult(
            dataset: params.name, trials: [], workers: settings.workers, budgetSeconds: settings.budgetSeconds,
            predictedSeconds: 0, notes: [])
        if params.loss == nil, !settings.isForeign, facts.items >= LossChoice.largeCatalogue {
            var sampled = params
            sampled.loss = .sampledSoftmax
            let other = try await self.pricing(
                resolved(sampled),
                dataset.info, facts, corpus: corpus, &measuring)
            let choice = LossChoice(full: pricing.planner, sampled: other.planner, items: facts.items)
            if choice.settings == other.settings { pricing = other }
            plan = choice.plan
        } else if !settings.isSequential {
            plan = pricing.planner.plan()
        }
        var design: SequentialPlan?
        if settings.isSequential {
            (plan, design) = try pricing.sequentialPlan(
                note: facts.items >= LossChoice.largeCatalogue ? plan.notes.first : nil,
                latencies: try await store.latencies(settings.backbone, heads: settings.heads), spentSeconds: measuring)
        }
        plan.diskBytes =
            CalibrationForecast(plan, evaluatedUsers: facts.evaluatedUsers, items: facts.items).bytes
        plan.smallestDifference = try await chooser.smallestDifference(pricing)
        return Prepared(
            settings: pricing.settings, plan: plan, dataset: dataset, design: design, measuringSeconds: measuring)
    }

    private struct Prepared {
        var settings: CalibrationSettings
        var plan: CalibrationPlanResult
        var dataset: StoredDataset
        /// What further trials are chosen by; nil for a grid.
        var design: SequentialPlan?
        /// What it took to measure speeds and latencies, which the budget pays.
        var measuringSeconds: Double
    }

    /// The prices of these settings; what they need and nobody has measured yet is measured.
    private func pricing(
        _ settings: CalibrationSettings, _ dataset: DatasetInfo, _ facts: DatasetFacts, corpus: String,
        _ measuring: inout Double
    ) async throws -> CalibrationPricing {
        let begun = ContinuousClock.now
        if settings.isForeign { try await describe(settings, corpus: corpus) }
        let probes = try await probes(settings, corpus: corpus)
        try await measureLatency(settings, facts)
        measuring += (ContinuousClock.now - begun).seconds
        return try await CalibrationPricing(
            settings, probes: probes, store, dataset: dataset, facts: facts)
    }

    /// Measures how long one user waits, for the advisor; once on this machine for a catalogue and length.
    private func measureLatency(_ settings: CalibrationSettings, _ facts: DatasetFacts) async throws {
        // What another model's request takes is for its runner to say.
        guard !settings.isForeign else { return }
        let length = min(settings.maxLength, facts.longestHistory ?? settings.maxLength)
        let known = try await store.latencies(settings.backbone, heads: settings.heads)
        guard !known.contains(where: { $0.items == facts.items && $0.length == length }) else { return }
        let request = LatencyRequest(
            backbone: settings.backbone, heads: settings.heads, dimStep: settings.dimStep, items: facts.items,
            length: length)
        try await measuring.run { [store, executor] in
            let known = try await store.latencies(settings.backbone, heads: settings.heads)
            guard !known.contains(where: { $0.items == facts.items && $0.length == length }) else { return }
            do {
                try await store.insertLatencies(try await executor.latency(request))
            } catch let error as WorkerError {
                throw RPCError(.workerFailed, "latency cannot be measured: \(error)")
            }
        }
    }

    /// Asks the runner of a model that the core does not train what it costs; once for a dataset, setting and shape.
    private func describe(_ settings: CalibrationSettings, corpus: String) async throws {
        let setting = settings.speedSetting
        try await measuring.run { [store, executor] in
            let known = try await store.descriptions(settings.dataset, setting)
            let shapes = DescribedModel.shapes(
                layers: settings.layers, dims: settings.dims, dimStep: settings.dimStep
            ).filter { shape in !known.contains { $0.layers == shape.layers && $0.dim == shape.dim } }
            guard !shapes.isEmpty else { return }
            do {
                let said = try await executor.describe(
                    ProbeRequest(corpus: corpus, settings: settings, shapes: shapes))
                try await store.insertDescriptions(settings.dataset, setting, said)
            } catch let error as WorkerError {
                throw RPCError(.workerFailed, "the costs of \(settings.backbone) cannot be told: \(error)")
            }
        }
    }

    /// Measured speeds of enough shapes to price the others; measured once per dataset and setting.
    private func probes(_ settings: CalibrationSettings, corpus: String) async throws -> [ThroughputProbe] {
        // A small budget pays a few: a narrow one, and two that tell layers and dimensions apart.
        let isShort = settings.isSequential && settings.budgetSeconds < Self.manyProbes
        let layers = settings.layers ?? [1, 4]
        let dims = settings.dims ?? (isShort ? [16, 64] : [16, 64, 128])
        var shapes: [(layers: Int, dim: Int)] = []
        for layer in Set([layers.first ?? 1, layers.last ?? 1]).sorted() {
            for dim in Set([dims.first ?? 16, dims[dims.count / 2], dims.last ?? 16]).sorted() {
                shapes.append((layer, (dim + settings.dimStep - 1) / settings.dimStep * settings.dimStep))
            }
        }
        func missing(_ probes: [ThroughputProbe]) -> [(layers: Int, dim: Int)] {
            shapes.filter { shape in !probes.contains { $0.layers == shape.layers && $0.dim == shape.dim } }
        }
        let setting = settings.speedSetting
        let known = try await store.probes(ThroughputProbe.self, dataset: settings.dataset, setting: setting)
        if missing(known).isEmpty { return known }
        return try await measuring.run { [store, executor] in
            // Who waited before may have measured the same.
            let before = executor.workers
            let known =
                before.running == 0
                ? try await store.probes(ThroughputProbe.self, dataset: settings.dataset, setting: setting)
                : try await store.speeds(settings.dataset, setting)
            let missing = missing(known)
            guard !missing.isEmpty else { return known }
            let measured: [ThroughputProbe]
            do {
                measured = try await executor.probe(ProbeRequest(corpus: corpus, settings: settings, shapes: missing))
            } catch {
                throw RPCError(.workerFailed, "training speed cannot be measured: \(error)")
            }
            // Trainings beside it take caches and memory from it: what was found holds until it can be measured alone.
            let isAlone = before.running == 0 && executor.workers.starts == before.starts
            try await store.insertProbes(
                dataset: settings.dataset, setting: isAlone ? setting : SpeedSetting.besideTrainings(setting),
                measured.map { (layers: $0.layers, dim: $0.dim, body: $0) })
            return known + measured
        }
    }

    /// Seconds of a budget from which on all shapes are measured.
    private static let manyProbes = 180.0
}
