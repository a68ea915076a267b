internal import Calibration
internal import Domain
internal import Logging
internal import Wire
internal import Server
internal import Store
internal import Synchronization
internal import Host

/// What the service manager is told: signs of life, the state of the work, reloads.
extension Daemon {
    /// Tells systemd that the daemon lives, after a proof: every event loop took a turn, the store answered, and the supervisor
    /// took its turn. What hangs keeps the sign from being given.
    func feedWatchdog() async {
        guard let seconds = ServiceManager.watchdogSeconds() else { return }
        while !Task.isCancelled {
            do {
                try await RPCServer.takeTurn()
                try await store.takeTurn()
                await supervisor.takeTurn()
                ServiceManager.watchdogAlive()
                try await Task.sleep(for: .seconds(seconds / 2))
            } catch is CancellationError {
                return
            } catch {
                logger.error(
                    "no proof of life", metadata: ["event": "\(JournalEvent.noProofOfLife)", "error": "\(error)"])
                do { try await Task.sleep(for: .seconds(seconds / 4)) } catch { return }
            }
        }
    }

    /// Tells systemd what the daemon is doing, when that has changed: what `systemctl status` shows.
    func reportStatus() async {
        guard ServiceManager.isPresent else { return }
        while true {
            do {
                try await Task.sleep(for: .seconds(2))
                status.update(try await statusLine())
            } catch is CancellationError {
                return
            } catch {
                logger.debug("cannot tell the status", metadata: ["error": "\(error)"])
            }
        }
    }

    /// What `metrics.get` tells beside what the server counts.
    func facts() async throws -> ServerMetrics.Facts {
        let workers = executor.workers
        return ServerMetrics.Facts(
            store: try await store.statistics(), tokensPerSecond: await supervisor.tokensPerSecond,
            workers: (workers.running, workers.starts, workers.restarts), databasePath: databasePath,
            answersKept: kept.given, advisorsPrepared: await services.laws.ready.preparations,
            uptimeSeconds: started.duration(to: .now).seconds)
    }

    /// Laws, jobs and progress in a line.
    func statusLine() async throws -> String {
        let counts = try await store.counts()
        let serving = "serving \(counts.laws) laws of \(counts.datasets) datasets"
        let jobs = try await store.unfinishedJobs()
        if let waits = await supervisor.waits { return serving + "; " + waits }
        guard let first = jobs.first else { return serving }
        return serving + "; " + Self.progress(of: try await supervisor.snapshot(first), waiting: jobs.count - 1)
    }

    static func progress(of job: Job, waiting: Int) -> String {
        let trials = job.trials ?? []
        let ended = trials.filter { $0.state.isFinal }.count
        let running = trials.filter { $0.state == .running }.count
        let share = job.budgetSeconds > 0 ? min(1, job.activeSeconds / job.budgetSeconds) : 0
        let others = waiting == 0 ? "" : waiting == 1 ? "; 1 job waits" : "; \(waiting) jobs wait"
        return "job \(job.id) of \(job.dataset): \(ended) of \(trials.count) trials ended, \(running) in training, "
            + "\(Format.share(share, decimals: 0)) of its time used" + others
    }

    /// Takes a new configuration, or says why the former one stays; systemd is told that a reload began and ended.
    /// Open connections keep the rights they have; calibrations that were planned keep their number of workers.
    package func reload(_ read: @Sendable () throws -> DaemonConfiguration) async {
        ServiceManager.reloading()
        do {
            configuration.replace(by: try read())
            status.refusal = nil
            logger.notice("configuration reloaded", metadata: ["event": "\(JournalEvent.configurationReloaded)"])
        } catch {
            status.refusal = "\(error)"
            logger.error(
                "configuration refused, the former one stays",
                metadata: ["event": "\(JournalEvent.configurationRefused)", "error": "\(error)"])
        }
        status.ready(try? await statusLine())
    }
}

/// The line that systemd was last told, so that it is told again only when it has changed.
final class DaemonStatus: Sendable {
    private struct Told {
        var work = ""
        var refusal: String?
        var line: String {
            guard let refusal else { return work }
            return work + "; configuration refused, the former one stays: " + refusal
        }
    }

    private let told = Mutex(Told())

    /// Why the last reload was refused; nil after one that was not.
    var refusal: String? {
        get { told.withLock { $0.refusal } }
        set { told.withLock { $0.refusal = newValue } }
    }

    /// The daemon serves, or serves again after a reload; nil leaves what was said of its work.
    func ready(_ work: String?) {
        told.withLock { told in
            told.work = work ?? told.work
            ServiceManager.ready(status: told.line)
        }
    }

    func update(_ work: String) {
        told.withLock { told in
            guard told.work != work else { return }
            told.work = work
            ServiceManager.status(told.line)
        }
    }
}
