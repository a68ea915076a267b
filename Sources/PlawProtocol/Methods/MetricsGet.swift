/// `metrics.get`: counters since the daemon started.
package enum MetricsGet: RPCMethod {
    package typealias Params = NoParams
    package typealias Result = MetricsGetResult
    package static let name = "metrics.get"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Counters of the daemon.
package struct MetricsGetResult: Codable, Sendable, Hashable {
    /// Counter name to value: requests and errors by method, connections, requests in flight.
    package var counters: [String: Double]
    /// The same in Prometheus text exposition.
    package var text: String

    package init(counters: [String: Double], text: String) {
        self.counters = counters
        self.text = text
    }
}
