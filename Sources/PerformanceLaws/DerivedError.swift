internal import Domain
internal import Glibc

/// The standard error of a mean over users that came without one, from the number of users and the hit rate beside it.
///
/// A user earns a gain g with a hit and 0 without: U se² = hr E[g² | hit] - m², with E[g | hit] = m / hr. What the mean leaves
/// open, E[g² | hit], is that of ranks in the top K distributed as a power law rank^-s, the s being the one that has the mean.
/// docs/users/laws.md says how near that comes.
enum DerivedError {
    /// Where the hit rate is not known, the s of a recommender of usual quality.
    private static let usual = 0.7

    /// nil without users.
    ///
    /// - Parameter hitRate: HR at the same K, of the same training.
    static func standardError(_ metric: Metric, value: Double, hitRate: Double?, users: Int) -> Double? {
        guard users > 0 else { return nil }
        var square = value
        if metric.kind != .hr {
            // Of the hit rate no more is known than that it is a share.
            var hits = min(1, value / moments(metric, usual).mean)
            if let hitRate, hitRate > 0, value <= hitRate { hits = hitRate }
            square = hits > 0 ? hits * moments(metric, exponent(metric, mean: value / hits)).square : 0
        }
        return (max(0, square - value * value) / Double(users)).squareRoot()
    }

    /// The s whose mean gain with a hit is `mean`.
    private static func exponent(_ metric: Metric, mean: Double) -> Double {
        var (low, high) = (-12.0, 12.0)
        // The mean grows with s.
        for _ in 0..<30 {
            let middle = (low + high) / 2
            if moments(metric, middle).mean < mean { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// E[g | hit] and E[g² | hit] of ranks distributed as rank^-s.
    private static func moments(_ metric: Metric, _ s: Double) -> (mean: Double, square: Double) {
        var (total, mean, square) = (0.0, 0.0, 0.0)
        // Beyond the first thousand ranks nothing is left that the moments would show.
        for rank in 1...max(1, min(metric.k, 1_000)) {
            let weight = pow(Double(rank), -s)
            let gain = metric.kind == .mrr ? 1 / Double(rank) : 1 / log2(Double(rank) + 1)
            total += weight
            mean += weight * gain
            square += weight * gain * gain
        }
        return (mean / total, square / total)
    }
}
