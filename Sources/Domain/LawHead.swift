/// What laws are chosen by; of a stored law it never changes.
package struct LawHead: Sendable {
    package var id: Int64
    package var key: LawKey
    package var metric: Metric
    /// Whether it has observations to spare.
    package var hasSpare: Bool
    /// Shapes that were trained on all users, observations of all, and the relative error on each of them left out.
    package var shapes: Int
    package var observations: Int
    package var error: Double?
    /// The best that was measured on all users.
    package var best: Double?

    /// - Parameters:
    ///   - id: the law's number.
    ///   - key: what its observations have in common.
    ///   - fit: the law.
    ///   - onAllUsers: numbers of the observations of all users.
    package init(id: Int64, key: LawKey, _ fit: LawFit, onAllUsers: Set<Int64>) {
        let lead = fit.lead
        let whole = fit.points.filter { onAllUsers.contains($0.observation) }
        (self.id, self.key) = (id, key)
        metric = fit.metric
        hasSpare = (lead?.degreesOfFreedom ?? 0) > 0
        shapes = Set(whole.map { SIMD2($0.layers, $0.dim) }).count
        observations = fit.points.count
        error = lead?.crossValidation.leaveOneOut.relativeError
        best = whole.map(\.observed).max()
    }
}
