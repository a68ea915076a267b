package import Calibration
internal import Domain
internal import Glibc
package import Logging
internal import Wire
package import Server
internal import Store
internal import Host
internal import StrictJSON

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Everything plawd is made of, put together: opens the state, builds the routes, runs supervisor and server.
package final class Daemon: Sendable {
    package struct Settings: Sendable {
        package var stateDirectory: String
        package var configuration: DaemonConfiguration
        /// The OpenRPC document, as JSON.
        package var description: [UInt8]
        package var limits: ServerLimits

        package init(
            stateDirectory: String, configuration: DaemonConfiguration, description: [UInt8],
            limits: ServerLimits = ServerLimits()
        ) {
            (self.stateDirectory, self.configuration) = (stateDirectory, configuration)
            (self.description, self.limits) = (description, limits)
        }
    }

    /// Time that requests in progress are given at a stop; with the workers' five seconds beside it, far from ten.
    private static let drainSeconds = 5.0

    private let settings: Settings
    let configuration: LiveConfiguration
    let status = DaemonStatus()
    let store: Store
    let supervisor: CalibrationSupervisor
    let services: Services
    private let uploads: Uploads
    private let space: DiskSpace
    let kept: ResponseCache
    let logger: Logger
    let started = ContinuousClock.now
    let executor: any TrialExecutor
    var databasePath: String { StateLayout(root: settings.stateDirectory).database }

    /// The parts that handlers call.
    struct Services: Sendable {
        var datasets: DatasetService
        var observations: ObservationService
        var calibrations: CalibrationService
        var laws: LawService
        var backups: Backups
    }

    /// Opens the state directory: database, leftovers of a crash.
    ///
    /// - Throws: `StoreError` and `StateError`.
    package init(_ settings: Settings, executor: any TrialExecutor, logger: Logger) async throws {
        self.settings = settings
        self.logger = logger
        self.executor = executor
        let configuration = LiveConfiguration(settings.configuration)
        self.configuration = configuration
        let layout = StateLayout(root: settings.stateDirectory)
        try layout.prepare()
        let store = try Store(path: layout.database) { ServiceManager.stillStarting(seconds: 300) }
        self.store = store
        kept = ResponseCache { store.version(of: $0) }
        let strangers = try layout.removeLeftovers(
            corpora: try await store.corpusFiles(), trials: try await store.trialIDs())
        if !strangers.isEmpty {
            let more = strangers.count > 5 ? " and \(strangers.count - 5) more" : ""
            logger.warning(
                "left alone what is not the daemon's",
                metadata: ["paths": "\(strangers.prefix(5).joined(separator: ", "))\(more)"])
        }
        let corpora = Corpora(folder: layout.corpora)
        let laws = LawService(store: store, trialsFolder: layout.trials, corpora: corpora, logger: logger)
        let chooser = TrialChooser(store: store, trialsFolder: layout.trials, corpora: corpora)
        supervisor = CalibrationSupervisor(
            store: store, executor: executor, trialsFolder: layout.trials, hub: JobHub(), logger: logger,
            choose: { try await chooser.next($0) }
        ) { dataset, key in
            try await laws.fit(LawFitParams(name: dataset), key: key).map(\.id)
        }
        space = DiskSpace(
            root: layout.root, maximum: { configuration.maxStateBytes },
            expected: { try await CalibrationForecast.bytes(unfinished: store) })
        uploads = Uploads(
            folder: layout.uploads, maximumBytes: { configuration.maxUploadBytes }, space: space)
        services = Services(
            datasets: DatasetService(
                store: store, layout: layout, corpora: corpora, uploads: uploads,
                memory: ReadingMemory { configuration.registerMemoryBytes }, space: space, logger: logger),
            observations: ObservationService(
                store: store, uploads: uploads, laws: laws, space: space, logger: logger),
            calibrations: CalibrationService(
                store: store, corporaFolder: layout.corpora, executor: executor, supervisor: supervisor,
                chooser: chooser,
                corpora: corpora, configuration: configuration, space: space),
            laws: laws, backups: Backups(store: store, layout: layout, space: space))
    }

    /// Serves until `stop` is over, then drains, stops the workers at their checkpoints and closes the database.
    package func run(listening: RPCServer.Listening, until stop: @escaping @Sendable () async -> Void) async throws {
        let metrics = ServerMetrics()
        let configuration = configuration
        let server = RPCServer(
            listening: listening, router: try router(metrics), logger: logger, limits: settings.limits,
            authorize: { configuration.authorization.decide($0) })
        metrics.attach(server.state)
        try await withThrowingTaskGroup(of: Part.self) { group in
            let work = AsyncStream.makeStream(of: Void.self)
            group.addTask {
                await self.superviseUntil(work.stream)
                return .supervisor
            }
            group.addTask {
                defer { work.continuation.finish() }
                try await server.run(drainSeconds: Self.drainSeconds) {
                    let counts = try await self.store.counts()
                    self.status.ready(try await self.statusLine())
                    self.logger.notice(
                        "ready",
                        metadata: [
                            "event": "\(JournalEvent.ready)", "laws": "\(counts.laws)",
                            "datasets": "\(counts.datasets)",
                            "connections": "\(self.settings.limits.connections.total)",
                        ])
                }
                return .server
            }
            group.addTask {
                await stop()
                ServiceManager.stopping()
                server.shutdown()
                // Workers stop while requests drain; whoever waits for a job is answered with its state.
                work.continuation.finish()
                return .signals
            }
            group.addTask {
                await self.feedWatchdog()
                return .watchdog
            }
            group.addTask {
                await self.reportStatus()
                return .status
            }
            group.addTask {
                // Beside the first requests: a large database takes longer than its clients should wait.
                try await self.refuseDamage()
                await self.services.laws.refitStale()
                let spare = SpareRoom(StateLayout(root: self.settings.stateDirectory))
                spare.keep()
                while (try? await Task.sleep(for: .seconds(30))) != nil {
                    spare.keep()
                    await self.uploads.discardOverdue()
                    await self.services.backups.discardOverdue()
                }
                return .upkeep
            }
            group.addTask {
                await self.services.laws.prepareAhead()
                return .preparer
            }
            group.addTask {
                await self.executor.serve()
                return .executors
            }
            // Server and supervisor end after `stop`, each in its own time; an error ends everything at once.
            var working: Set<Part> = [.server, .supervisor]
            while !working.isEmpty, let ended = try await group.next() { working.remove(ended) }
            group.cancelAll()
        }
        try store.close()
        logger.notice("stopped", metadata: ["event": "\(JournalEvent.stopped)"])
    }

    private enum Part { case server, supervisor, signals, watchdog, status, upkeep, preparer, executors }

    /// - Throws: `StoreError` for a database that is damaged where its opening did not look.
    private func refuseDamage() async throws {
        do {
            try await store.checkPages()
        } catch let error as StoreError where !error.mayPass {
            throw error
        } catch is CancellationError {
        } catch {
            logger.error("the database could not be checked", metadata: ["error": "\(error)"])
        }
    }

    /// Runs the supervisor until the daemon stops, then stops it: its workers write their checkpoints.
    private func superviseUntil(_ end: AsyncStream<Void>) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.supervisor.run() }
            group.addTask { for await _ in end {} }
            await group.next()
            executor.leave()
            group.cancelAll()
        }
    }

    // MARK: - Routes

    private func router(_ metrics: ServerMetrics) throws -> Router {
        let description = try JSONDecoder().decode(JSONValue.self, from: Data(settings.description))
        var router = Router()
        router.on(ServerInfo.self) { [self] _, _ in try await mappingErrors { try await info() } }
        // It never changes, and is long.
        router.on(RPCDiscover.self, kept: ResponseCache { _ in 0 }) { _, _ in description }
        router.on(MetricsGet.self) { [self] _, _ in
            metrics.result(try await mappingErrors { try await facts() })
        }
        let datasets = services.datasets
        router.on(DatasetUpload.self) { params, context in
            try await mappingErrors { try await datasets.upload(params, context) }
        }
        router.on(DatasetRegister.self) { params, _ in try await mappingErrors { try await datasets.register(params) } }
        router.on(DatasetInspect.self) { params, _ in try await mappingErrors { try await datasets.inspect(params) } }
        router.on(DatasetSequences.self) { params, _ in try await mappingErrors { try await datasets.sequences(params) }
        }
        router.on(DatasetList.self, kept: kept) { params, _ in
            try await mappingErrors { try await datasets.list(params) }
        }
        router.on(DatasetGet.self, kept: kept, about: \.name) { params, _ in
            try await mappingErrors { try await datasets.get(params.name) }
        }
        let laws = services.laws
        router.on(DatasetRemove.self) { params, _ in
            let removed = try await mappingErrors { try await datasets.remove(params.name) }
            await laws.forget(params.name)
            return removed
        }
        router.on(DatasetEntropy.self) { params, _ in try await mappingErrors { try await datasets.entropy(params) } }
        let calibrations = services.calibrations
        router.on(CalibrationPlan.self) { params, _ in try await mappingErrors { try await calibrations.plan(params) } }
        router.on(CalibrationStart.self) { params, _ in try await mappingErrors { try await calibrations.start(params) }
        }
        let observations = services.observations
        router.on(ObservationImport.self) { params, _ in
            try await mappingErrors { try await observations.importTable(params) }
        }
        router.on(ObservationList.self) { params, _ in
            try await mappingErrors { try await observations.list(params) }
        }
        let backups = services.backups
        router.on(StoreBackup.self) { params, context in
            try await mappingErrors {
                try await backups.answer(params) { body in
                    try context.afterReply { _ in await body() }
                }
            }
        }
        addJobs(to: &router)
        addLaws(to: &router)
        return router
    }

    private func addJobs(to router: inout Router) {
        let (store, supervisor) = (store, supervisor)
        router.on(JobList.self) { params, _ in
            try RPCError.check("limit", params.limit, 1...JobListParams.largestPage)
            try RPCError.check("before", params.before, 1 ... .max)
            let (jobs, next) = try await mappingErrors {
                try await store.jobs(
                    dataset: params.name, before: params.before, limit: params.limit ?? 50,
                    mostBytes: FrameLimits.responseBytes / 2)
            }
            var told: [Job] = []
            for job in jobs { told.append(await supervisor.told(Job(job))) }
            return JobListResult(jobs: told, next: next)
        }
        router.on(JobGet.self) { params, _ in try await mappingErrors { try await supervisor.snapshot(params.id) } }
        router.on(JobWait.self) { params, _ in
            let seconds = params.timeoutSeconds ?? 60
            guard seconds >= 0, seconds <= 3_600 else {
                throw RPCError.parameter("timeoutSeconds", found: "\(seconds)", expected: "0 to 3600")
            }
            return try await mappingErrors { try await supervisor.wait(for: params.id, seconds: seconds) }
        }
        router.on(JobCancel.self) { params, _ in
            try await mappingErrors {
                try await supervisor.cancel(params.id)
                return try await supervisor.snapshot(params.id)
            }
        }
        router.on(JobSubscribe.self) { params, context in
            // Following begins before the state is read, so that no change falls between.
            let following = await supervisor.hub.follow(params.id)
            do {
                let job = try await mappingErrors { try await supervisor.snapshot(params.id) }
                if job.state.isFinal { await supervisor.hub.leave(following) }
                try context.afterReply { notifier in
                    if job.state.isFinal { return try await notifier.notify(Catalog.jobProgress, job) }
                    for await state in following.states {
                        try await notifier.notify(Catalog.jobProgress, json: state.text)
                    }
                }
                return job
            } catch {
                await supervisor.hub.leave(following)
                throw error
            }
        }
    }

    private func addLaws(to router: inout Router) {
        let (laws, store, space, kept) = (services.laws, store, space, kept)
        router.on(LawFitMethod.self) { params, _ in
            try await mappingErrors {
                let bytes = LawForecast.bytes(
                    observations: try await store.observationCount(of: params.name), metrics: params.metrics?.count)
                return try await space.writing(bytes, for: "the fit") { try await laws.fitted(params) }
            }
        }
        router.on(LawList.self, kept: kept, about: \.name) { params, _ in
            try await mappingErrors { try await laws.list(params) }
        }
        router.on(LawGet.self, kept: kept, about: \.name) { params, _ in
            try await mappingErrors { try await laws.get(params) }
        }
        router.on(LawPredict.self, kept: kept, about: \.name) { params, _ in
            try await mappingErrors { try await laws.predict(params) }
        }
        router.on(AdvisorRecommend.self, kept: kept, about: \.name) { params, _ in
            try await mappingErrors { try await laws.recommend(params) }
        }
        router.on(AdvisorPareto.self, kept: kept, about: \.name) { params, _ in
            try await mappingErrors { try await laws.pareto(params) }
        }
        router.on(AdvisorPotential.self, kept: kept, about: \.name) { params, _ in
            try await mappingErrors { try await laws.potential(params) }
        }
        router.on(AdvisorWhatIf.self, kept: kept, about: \.name) { params, _ in
            try await mappingErrors { try await laws.whatIf(params) }
        }
        let reports = ReportService(store: store, datasets: services.datasets, laws: laws)
        router.on(ReportRender.self) { params, _ in try await mappingErrors { try await reports.render(params) } }
    }

    private func info() async throws -> ServerInfoResult {
        let counts = try await store.counts()
        return ServerInfoResult(
            name: "plawd", version: plawVersion, protocolVersion: protocolVersion, pid: Int(getpid()),
            uptimeSeconds: started.duration(to: .now).seconds, stateDirectory: settings.stateDirectory,
            schemaVersion: try await store.schemaVersion(), maxRequestBytes: FrameLimits.requestBytes,
            maxResponseBytes: FrameLimits.responseBytes, maxConnections: settings.limits.connections.total,
            datasets: counts.datasets, observations: counts.observations,
            laws: counts.laws, jobsRunning: counts.runningJobs,
            workers: configuration.workers,
            status: await supervisor.waits ?? (counts.runningJobs > 0 ? "calibrating" : "idle"))
    }
}
