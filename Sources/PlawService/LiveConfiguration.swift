internal import Glibc
internal import Synchronization
internal import Wire

/// The configuration in force, which a reload replaces as a whole while requests are in progress.
final class LiveConfiguration: Sendable {
    private let state: Mutex<(configuration: DaemonConfiguration, authorization: Authorization)>

    init(_ configuration: DaemonConfiguration) {
        state = Mutex((configuration, configuration.authorization()))
    }

    func replace(by configuration: DaemonConfiguration) {
        let authorization = configuration.authorization()
        state.withLock { $0 = (configuration, authorization) }
    }

    /// What peers that connect from now on may do.
    var authorization: Authorization { state.withLock { $0.authorization } }

    /// Trials that a calibration planned from now on may train at once.
    var workers: Int {
        state.withLock { $0.configuration.workers } ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// The executor of a name; nil for the daemon's own workers.
    ///
    /// - Throws: `RPCError` for a name that the configuration does not have.
    func executor(_ name: String?) throws(RPCError) -> ExecutorConfiguration? {
        guard let name else { return nil }
        let known = state.withLock { $0.configuration.executors }
        if let executor = known[name] { return executor }
        throw RPCError.parameter(
            "executor", foundText: name,
            expected: known.isEmpty
                ? "none: the daemon's configuration has no executors (docs/users/clusters.md)"
                : "one of the daemon's configuration: \(known.keys.sorted().joined(separator: ", "))")
    }

    var maxUploadBytes: Int { state.withLock { $0.configuration.maxUploadBytes } ?? 4 << 30 }

    /// Most bytes of the state directory; nil for as many as the disk has.
    var maxStateBytes: Int? { state.withLock { $0.configuration.maxStateBytes } }

    /// Most memory for files that are being registered, all together.
    var registerMemoryBytes: Int {
        state.withLock { $0.configuration.registerMemoryBytes } ?? availableMemory() / 4
    }
}
