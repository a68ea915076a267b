package import Domain

/// Measured latency of one shape on this machine: a line that `plaw-trial latency` prints.
///
/// A request is: the newest hidden state of one user's history, the scores of all items, the best ten without those in the history.
package struct LatencyProbe: Codable, Sendable, Hashable {
    package var backbone: Model
    package var layers: Int
    package var dim: Int
    package var heads: Int
    package var items: Int
    /// Items of the user's history in view.
    package var length: Int
    package var requests: Int
    /// Median seconds up to the hidden state, and from there to the ten items.
    package var bodySeconds: Double
    package var headSeconds: Double
    /// Seconds of a whole request that half of them, and 95 in 100, do not exceed.
    package var p50Seconds: Double
    package var p95Seconds: Double

    package init(
        backbone: Model, layers: Int, dim: Int, heads: Int, items: Int, length: Int, requests: Int,
        bodySeconds: Double, headSeconds: Double, p50Seconds: Double, p95Seconds: Double
    ) {
        self.backbone = backbone
        self.layers = layers
        self.dim = dim
        self.heads = heads
        self.items = items
        self.length = length
        self.requests = requests
        self.bodySeconds = bodySeconds
        self.headSeconds = headSeconds
        self.p50Seconds = p50Seconds
        self.p95Seconds = p95Seconds
    }
}

/// A shape to measure, written `LAYERSxDIM`, with `xITEMSxLENGTH` where catalogue and history are others than given beside it.
package struct LatencyShape: Sendable, Hashable {
    package var layers: Int
    package var dim: Int
    package var items: Int
    package var length: Int

    package init(layers: Int, dim: Int, items: Int, length: Int) {
        (self.layers, self.dim, self.items, self.length) = (layers, dim, items, length)
    }

    package var text: String { "\(layers)x\(dim)x\(items)x\(length)" }

    /// Nil when the text is not one.
    package init?(_ text: String, items: Int, length: Int) {
        let numbers = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard numbers.count == 2 || numbers.count == 4, numbers.allSatisfy({ $0 > 0 }) else { return nil }
        self.init(
            layers: numbers[0], dim: numbers[1], items: numbers.count == 4 ? numbers[2] : items,
            length: numbers.count == 4 ? numbers[3] : length)
    }
}
