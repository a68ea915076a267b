/// Measured speed of one shape on one corpus: a line that `plaw-trial probe` prints.
package struct ThroughputProbe: Codable, Sendable, Hashable {
    package var layers: Int
    package var dim: Int
    package var heads: Int
    /// Training positions a second, optimiser step included, on one core.
    package var tokensPerSecond: Double
    /// Users ranked against all items a second, on one core.
    package var evaluatedUsersPerSecond: Double
    /// Seconds to rank all items for one user with a full-length history, median.
    package var latencySeconds: Double
    /// Predicted peak resident bytes of a training.
    package var memoryBytes: Double
    package var parameters: Int
    /// Of `memoryBytes`, what each parameter takes; nil in probes of older workers, which had 20.
    package var bytesPerParameter: Int?

    package init(
        layers: Int, dim: Int, heads: Int, tokensPerSecond: Double, evaluatedUsersPerSecond: Double,
        latencySeconds: Double, memoryBytes: Double, parameters: Int,
        bytesPerParameter: Int? = nil
    ) {
        (self.layers, self.dim, self.heads) = (layers, dim, heads)
        (self.tokensPerSecond, self.evaluatedUsersPerSecond) = (tokensPerSecond, evaluatedUsersPerSecond)
        (self.latencySeconds, self.memoryBytes) = (latencySeconds, memoryBytes)
        (self.parameters, self.bytesPerParameter) = (parameters, bytesPerParameter)
    }
}
