internal import PlawProtocol
internal import PlawTransport
internal import Synchronization

/// The counters of the server, as values and as Prometheus text.
final class ServerMetrics: Sendable {
    private let state = Mutex<ServerState?>(nil)

    func attach(_ server: ServerState) { state.withLock { $0 = server } }

    func result() -> MetricsGetResult {
        let counters = state.withLock { $0 }?.counters ?? [:]
        let text = counters.sorted { $0.key < $1.key }.map { "plawd_\($0.key) \($0.value)\n" }.joined()
        return MetricsGetResult(counters: counters, text: text)
    }
}
