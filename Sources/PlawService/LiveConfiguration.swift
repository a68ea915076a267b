internal import Glibc
internal import Synchronization

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

    var maxUploadBytes: Int { state.withLock { $0.configuration.maxUploadBytes } ?? 4 << 30 }

    /// Most bytes of the state directory; nil for as many as the disk has.
    var maxStateBytes: Int? { state.withLock { $0.configuration.maxStateBytes } }

    /// Most memory for files that are being registered, all together.
    var registerMemoryBytes: Int {
        state.withLock { $0.configuration.registerMemoryBytes } ?? availableMemory() / 4
    }
}
