/// `metrics.get`: what the daemon counts and measures of itself.
package enum MetricsGet: RPCMethod {
    package typealias Params = NoParams
    package typealias Result = MetricsGetResult
    package static let name = "metrics.get"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Counters since the daemon started, and what it is like now.
package struct MetricsGetResult: Codable, Sendable, Hashable {
    /// Name to value, labels in the name; of histograms the counts and sums alone.
    package var counters: [String: Double]
    /// The same in Prometheus text exposition, with the classes of the histograms.
    package var text: String

    package init(counters: [String: Double], text: String) {
        (self.counters, self.text) = (counters, text)
    }
}
