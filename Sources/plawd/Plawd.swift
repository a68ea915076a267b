import ArgumentParser
import CPlaw
import Calibration
import Domain
import Files
import Glibc
import Logging
import Wire
import PlawService
import Server
import Synchronization
import Host
import Text
import UnixSignals

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The daemon: parses its arguments, takes the lock, and runs until a signal.
@main
struct Plawd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plawd", abstract: "Keep performance laws of sequential recommenders and answer from them.",
        version: plawVersion)

    static func main() async {
        do {
            var command = try parseAsRoot()
            if let plawd = command as? Plawd { try await plawd.run() } else { try command.run() }
        } catch {
            // As the parser's own main does it, but for what the arguments may hold.
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if !text.isEmpty { Console.lines(text, to: code.isSuccess ? .output : .errors) }
            exit(withError: code)
        }
    }

    @Option(help: "Where datasets, trials and laws are kept.", completion: .directory) var stateDirectory: String
    @Option(help: "Unix socket to serve on; ignored when systemd passes one.", completion: .file()) var socket: String?
    @Option(help: "Configuration file (JSON); read again at SIGHUP.", completion: .file()) var config: String?
    @Flag(help: "Only say whether the configuration file can be used.") var checkConfig = false

    /// An empty path would be the directory that the daemon happens to be in.
    func validate() throws {
        for (option, path) in [("state-directory", stateDirectory), ("socket", socket), ("config", config)]
        where path?.isEmpty == true {
            throw ValidationError("--\(option): found an empty path")
        }
    }

    func run() async throws {
        // A peer that goes away while it is written to must not end the daemon.
        signal(SIGPIPE, SIG_IGN)
        // What the daemon keeps is nobody else's to read, whoever started it.
        umask(0o077)
        plaw_map_large_allocations()
        do {
            if checkConfig {
                _ = try readConfiguration()
            } else {
                try await serve()
            }
        } catch {
            Console.line("plawd: \(error)", to: .errors)
            throw ExitCode(1)
        }
    }

    private func serve() async throws {
        let configuration = try readConfiguration()
        let inForce = InForce(configuration)
        let logger = Logger(label: "plawd") {
            ServiceLogHandler(label: $0, level: inForce.level, messageIDs: JournalEvent.messageIDs)
        }
        let limits = try ServerLimits(
            descriptors: Self.raiseDescriptorLimit(),
            workers: configuration.workers ?? sysconf(Int32(_SC_NPROCESSORS_ONLN)), loops: RPCServer.loops)
        let sockets = ServiceManager.listeningSockets()
        let state =
            stateDirectory.hasPrefix("/")
            ? stateDirectory : FileManager.default.currentDirectoryPath + "/" + stateDirectory
        try StateLayout.makeFolder(state)
        try StateLayout.refuseShared(state)
        let lock = try StateLock(directory: state)
        let daemon = try await Daemon(
            Daemon.Settings(
                stateDirectory: state, configuration: configuration, description: Array(openRPCDocument.utf8),
                limits: limits),
            executor: try executors(
                configuration, StateLayout(root: state),
                local: LocalExecutor(cgroups: cgroups(configuration, logger), settings: { inForce.workers })),
            logger: logger)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        try await daemon.run(listening: try listening(sockets)) {
            for await signal in signals {
                if signal == .sighup, config != nil {
                    await daemon.reload {
                        let configuration = try readConfiguration()
                        inForce.replace(by: configuration)
                        return configuration
                    }
                    continue
                }
                logger.notice("stopping", metadata: ["signal": "\(signal)"])
                // A stop takes ten seconds at most, whatever the daemon is doing: what was acknowledged is in the database, and workers end
                // with their daemon and go on from their checkpoints.
                plaw_end_after(9)
                return
            }
        }
        _ = consume lock
    }

    private func readConfiguration() throws -> DaemonConfiguration {
        try config.map { try DaemonConfiguration(contentsOf: $0) } ?? DaemonConfiguration()
    }

    private func executors(
        _ configuration: DaemonConfiguration, _ layout: StateLayout, local: any TrialExecutor
    ) throws -> any TrialExecutor {
        guard !configuration.executors.isEmpty else { return local }
        let others = try configuration.executors.map { name, executor in
            (
                name,
                try executor.executor(
                    folder: layout.clusters + "/" + name,
                    trialProgram: configuration.trialProgram ?? siblingProgram("plaw-trial"))
            )
        }
        return ExecutorSet(
            local: local, others: Dictionary(uniqueKeysWithValues: others), probes: layout.clusters + "/probes")
    }

    /// Groups for the workers, where the configuration asks for them and systemd delegated a tree.
    private func cgroups(_ configuration: DaemonConfiguration, _ logger: Logger) -> WorkerCgroups? {
        guard configuration.trialCgroups == true else { return nil }
        do {
            let groups = try WorkerCgroups()
            logger.info(
                "trials get control groups", metadata: ["controllers": "\(groups.controllers.joined(separator: ","))"])
            return groups
        } catch {
            logger.warning("trials get no control groups", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// What a reload changes beside the daemon's own parts.
    private final class InForce: Sendable {
        let level: LogLevel
        private let settings: Mutex<LocalExecutor.Settings>

        init(_ configuration: DaemonConfiguration) {
            level = LogLevel(Self.level(configuration))
            settings = Mutex(Self.settings(configuration))
        }

        func replace(by configuration: DaemonConfiguration) {
            level.value = Self.level(configuration)
            settings.withLock { $0 = Self.settings(configuration) }
        }

        var workers: LocalExecutor.Settings { settings.withLock { $0 } }

        private static func level(_ configuration: DaemonConfiguration) -> Logger.Level {
            configuration.logLevel.flatMap(Logger.Level.init(rawValue:)) ?? .info
        }

        private static func settings(_ configuration: DaemonConfiguration) -> LocalExecutor.Settings {
            LocalExecutor.Settings(
                program: configuration.trialProgram ?? siblingProgram("plaw-trial"),
                memoryBytes: configuration.trialMemoryBytes)
        }
    }

    /// As many connections as the server takes need more descriptors than the usual soft limit. Returns the limit in force.
    private static func raiseDescriptorLimit() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        // It does not fail for a resource that exists.
        guard getrlimit(resource, &limit) == 0 else { return 1_024 }
        let before = limit.rlim_cur
        limit.rlim_cur = max(before, min(limit.rlim_max, 20_480))
        return Int(clamping: setrlimit(resource, &limit) == 0 ? limit.rlim_cur : before)
    }

    private func listening(_ sockets: [(name: String, descriptor: Int32)]) throws -> RPCServer.Listening {
        if let first = sockets.first { return .descriptor(first.descriptor) }
        let path = SocketPath.resolve(explicit: socket ?? (getuid() == 0 ? SocketPath.system : SocketPath.user()))
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        try StateLayout.makeFolder(folder)
        return .path(path, mode: 0o600)
    }
}
