internal import Domain
internal import Glibc

/// A seeded source of interactions whose entropy rate is known: Zipf popularity, users whose interests drift, repeats.
///
/// Items lie in clusters of equal weight, popular within their cluster by Zipf's law. After item i of cluster c a user takes
/// i again with probability `repeats`, an item of c with probability `loyalty`, and else any item. This is a Markov
/// chain over items whose stationary distribution is the popularity, so its entropy rate has a closed form.
package struct SyntheticInteractions: Sendable {
    package var users: Int
    package var items: Int
    /// Mean sequence length; lengths are 5 plus a geometric number.
    package var meanLength: Double
    package var clusters: Int
    package var exponent: Double
    package var repeats: Double
    package var loyalty: Double
    package var seed: UInt64

    package init(
        users: Int = 2_000, items: Int = 500, meanLength: Double = 15, clusters: Int = 20, exponent: Double = 1,
        repeats: Double = 0.1, loyalty: Double = 0.6, seed: UInt64 = 1
    ) {
        self.users = users
        self.items = items
        self.meanLength = max(6, meanLength)
        self.clusters = max(1, min(clusters, items))
        self.exponent = exponent
        self.repeats = repeats
        self.loyalty = loyalty
        self.seed = seed
    }

    private var jumps: Double { 1 - repeats - loyalty }
    /// Items of cluster c are c, c + clusters, c + 2 clusters, ...; the first is the most popular.
    private func size(_ cluster: Int) -> Int { (items - cluster + clusters - 1) / clusters }

    /// Popularity within clusters of `size` items, most popular first.
    private func popularity(size: Int) -> [Double] {
        let weights = (1...size).map { pow(Double($0), -exponent) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// Entropy of the next item given the last, in nats: what pooled ApEn (m = 1) approaches with more data.
    package var entropyRate: Double {
        let weight = 1 / Double(clusters)
        func surprise(_ p: Double) -> Double { p > 0 ? -p * log(p) : 0 }
        var rate = 0.0
        // Σ_j jumps * weight * z_j ln(...) over one cluster, by cluster size (at most two sizes occur).
        let popularities = (0..<clusters).map { popularity(size: size($0)) }
        let outside = popularities.map { z in z.reduce(0) { $0 + surprise(jumps * weight * $1) } }
        let allOutside = outside.reduce(0, +)
        for c in 0..<clusters {
            let inside = loyalty + jumps * weight
            let sum = popularities[c].reduce(0) { $0 + surprise(inside * $1) }
            for z in popularities[c] {
                let row = allOutside - outside[c] + sum - surprise(inside * z) + surprise(repeats + inside * z)
                rate += weight * z * row
            }
        }
        return rate
    }

    /// Hands each user's items to `body`, as numbers from 0, popular items low.
    package func forEachUser(_ body: (_ user: Int, _ items: [Int]) throws -> Void) rethrows {
        var random = SplitMix64(seed: seed)
        let cumulative = (0..<clusters).map { cluster in
            var sum = 0.0
            return popularity(size: size(cluster)).map { weight -> Double in
                sum += weight
                return sum
            }
        }
        func item(of cluster: Int) -> Int {
            let u = random.uniform()
            var low = 0
            var high = cumulative[cluster].count - 1
            while low < high {
                let middle = (low + high) / 2
                if cumulative[cluster][middle] < u { low = middle + 1 } else { high = middle }
            }
            return low * clusters + cluster
        }
        for user in 0..<users {
            let length = 5 + Int(towardZero: log(1 - random.uniform()) / log(1 - 1 / (meanLength - 4)))
            var cluster = Int(towardZero: random.uniform() * Double(clusters))
            var sequence = [item(of: cluster)]
            while sequence.count < length {
                let choice = random.uniform()
                if choice < repeats {
                    sequence.append(sequence[sequence.count - 1])
                } else {
                    if choice >= repeats + loyalty { cluster = Int(towardZero: random.uniform() * Double(clusters)) }
                    sequence.append(item(of: cluster))
                }
            }
            try body(user, sequence)
        }
    }

    /// The interactions as `user item` lines with numbers from 1.
    package func text() -> String {
        var text = ""
        forEachUser { user, items in
            for item in items { text += "\(user + 1) \(item + 1)\n" }
        }
        return text
    }
}
