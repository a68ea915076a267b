internal import Domain
internal import Glibc
internal import Numerics

/// What every test user earned in each of several trainings: the source of paired errors.
package struct UserGains: Sendable {
    /// By observation; all rows have the same users in the same order.
    package var rows: [Int64: [Float]]

    package init(rows: [Int64: [Float]]) { self.rows = rows }

    /// Mean correlation over users of the gains of two trainings, from up to 66 pairs; nil with fewer than two rows.
    ///
    /// - Parameter order: of the rows.
    func correlation(in order: [Int64]) -> Double? {
        let ids = order.filter { rows[$0] != nil }
        // Every row need not be paired: a dozen spread over all says enough.
        let chosen = ids.count <= 12 ? ids : (0..<12).map { ids[$0 * ids.count / 12] }
        let centred = chosen.compactMap { id -> [Float]? in
            guard let row = rows[id], let first = rows[ids[0]], row.count == first.count, row.count > 1 else {
                return nil
            }
            let mean = row.reduce(0, +) / Float(row.count)
            let centred = row.map { $0 - mean }
            let norm = centred.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return norm > 0 ? centred.map { $0 / norm } : nil
        }
        var sum = 0.0
        var pairs = 0
        for i in centred.indices {
            for j in 0..<i {
                var product: Float = 0
                for u in centred[i].indices { product += centred[i][u] * centred[j][u] }
                sum += Double(product)
                pairs += 1
            }
        }
        return pairs > 0 ? min(0.99, max(0, sum / Double(pairs))) : nil
    }
}

/// Refits of one form to resampled observations: how parameters and optimum would differ with other users and seeds.
struct LawBootstrap {
    let form: LawForm
    let solution: LawSearch.Solution
    let points: [LawPoint]
    let weights: [Double]

    /// 90 % intervals of named quantities of a law.
    func intervals(
        of values: [[Double]], quantities: (_ parameters: [Double]) -> [String: Double],
        _ checkStop: () throws -> Void
    ) throws -> [String: Interval] {
        var found: [String: [Double]] = [:]
        var search = LawSearch(form, points, weights: weights)
        for row in values {
            try checkStop()
            search.replaceValues(row)
            var start = solution
            start.cost = .infinity
            let refit = search.polish(start, steps: 12)
            for (name, value) in quantities(refit.parameters) { found[name, default: []].append(value) }
        }
        return found.compactMapValues { values -> Interval? in
            // A quantity that most refits do not have has no interval.
            guard values.count * 2 > found.values.map(\.count).max() ?? 0, values.count >= 20 else { return nil }
            let sorted = values.sorted()
            func quantile(_ share: Double) -> Double {
                let place = share * Double(sorted.count - 1)
                let low = Int(towardZero: place)
                let high = min(low + 1, sorted.count - 1)
                return sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
            }
            return Interval(low: quantile(0.05), high: quantile(0.95))
        }
    }
}

/// Resampled values of the observations.
struct Resampler {
    /// Observation numbers, measured values, and the variance of a repeat on the same users.
    var observations: [Int64]
    var values: [Double]
    var variances: [Double]
    var gains: UserGains?

    /// `draws` rows of values. Where gains are stored, users are drawn with replacement, the same for all trainings, and what
    /// another seed would change is added; elsewhere the noise is drawn from its normal distribution.
    func rows(
        _ draws: Int, seed: UInt64, seedVariance: [Double], _ checkStop: () throws -> Void
    ) throws -> [[Double]] {
        var random = SplitMix64(seed: seed)
        let users = gains?.rows.values.map(\.count).min() ?? 0
        let known = observations.map { gains?.rows[$0] }
        let hasGains = users > 1 && known.contains { $0 != nil }
        return try (0..<draws).map { _ in
            try checkStop()
            var weights: [Float] = []
            if hasGains {
                weights = [Float](repeating: 0, count: users)
                for _ in 0..<users { weights[Int(towardZero: random.uniform() * Double(users))] += 1 }
            }
            return observations.indices.map { i in
                if hasGains, let row = known[i] {
                    var sum: Float = 0
                    for u in 0..<users { sum += weights[u] * row[u] }
                    return Double(sum) / Double(users) + seedVariance[i].squareRoot() * random.normal()
                }
                return values[i] + variances[i].squareRoot() * random.normal()
            }
        }
    }
}
