package import Domain
internal import Glibc

/// Metrics of ranks, each the mean over users of what one rank earns.
package enum RankMetrics {
    /// What a rank (from 1) earns: HR@K = [rank <= K]; NDCG@K = [rank <= K] / log2(rank + 1); MRR@K = [rank <= K] / rank.
    package static func gain(_ metric: Metric, rank: UInt32) -> Double {
        guard rank >= 1, rank <= metric.k else { return 0 }
        return switch metric.kind {
        case .hr: 1
        case .ndcg: 1 / log2(Double(rank) + 1)
        case .mrr: 1 / Double(rank)
        }
    }

    /// Mean and standard error (standard deviation of a user's gain over the root of the number of users).
    package static func measure(_ metric: Metric, ranks: [UInt32]) -> Measurement {
        guard !ranks.isEmpty else { return Measurement(value: 0, standardError: 0) }
        let n = Double(ranks.count)
        var sum = 0.0
        var squares = 0.0
        for rank in ranks where rank <= metric.k {
            let gain = gain(metric, rank: rank)
            sum += gain
            squares += gain * gain
        }
        let mean = sum / n
        let variance = ranks.count > 1 ? max(0, squares / n - mean * mean) * n / (n - 1) : 0
        return Measurement(value: mean, standardError: (variance / n).squareRoot())
    }

    /// The metrics every trial reports.
    package static let standard: [Metric] =
        [1, 5, 10, 20].flatMap { [Metric(.hr, $0), Metric(.ndcg, $0)] } + [Metric(.mrr, 10)]

    /// The standard metrics and those asked for besides, keyed `hr@10`.
    package static func all(ranks: [UInt32], and more: [Metric] = []) -> [String: Measurement] {
        Dictionary(
            (standard + more).map { ($0.description, measure($0, ranks: ranks)) },
            uniquingKeysWith: { first, _ in first })
    }
}

/// Which users train when a trial takes a share of them: by a hash, so that smaller shares lie inside larger ones.
package enum UserSample {
    package static func includes(user: Int, fraction: Double) -> Bool {
        if fraction >= 1 { return true }
        var random = SplitMix64(seed: UInt64(user))
        return random.uniform() < fraction
    }
}
