/// What a model costs by what its runner says before training: the line that `RUNNER describe SPEC.json` prints.
package struct RunnerDescription: Codable, Sendable, Hashable {
    package var parameters: Int
    /// FLOPs of a training position, forward and backward, 2 a multiply-add.
    package var flopsPerToken: Double
    /// Predicted peak memory of a training.
    package var memoryBytes: Double
    /// Seconds to rank all items for one user; nil where the runner does not measure it.
    package var latencySeconds: Double?
    /// Whether a training that is stopped goes on where it was; nil is no.
    package var checkpoint: Bool?

    package init(
        parameters: Int, flopsPerToken: Double, memoryBytes: Double, latencySeconds: Double? = nil,
        checkpoint: Bool? = nil
    ) {
        (self.parameters, self.flopsPerToken, self.memoryBytes) = (parameters, flopsPerToken, memoryBytes)
        (self.latencySeconds, self.checkpoint) = (latencySeconds, checkpoint)
    }

    /// Whether the costs can be those of a model.
    package var isPositive: Bool {
        parameters > 0 && flopsPerToken > 0 && memoryBytes > 0 && latencySeconds ?? 1 > 0
            && (flopsPerToken + memoryBytes + (latencySeconds ?? 1)).isFinite
    }
}
