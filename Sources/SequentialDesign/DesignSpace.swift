internal import Glibc

/// One training a design may ask for.
package struct DesignTrial: Codable, Sendable, Hashable {
    package var layers: Int
    package var dim: Int
    /// Share of the users that train.
    package var userFraction: Double
    package var seed: UInt64

    package init(layers: Int, dim: Int, userFraction: Double = 1, seed: UInt64) {
        self.layers = layers
        self.dim = dim
        self.userFraction = userFraction
        self.seed = seed
    }
}

/// What may be trained, what it costs, and which of it the answer is looked for among.
package struct DesignSpace: Sendable {
    /// Levels, ascending; also those between the levels a design starts with.
    package var layers: [Int]
    package var dims: [Int]
    /// Shares of the users, 1 among them.
    package var fractions: [Double]
    /// The first seed of every training; repeats count up from it.
    package var firstSeed: UInt64
    /// Trainings of one place that may be asked for.
    package var mostSeeds: Int
    /// D' of all users.
    package var effectiveTokens: Double
    /// Predicted seconds of one training on one worker.
    package var seconds: @Sendable (_ layers: Int, _ dim: Int, _ userFraction: Double) -> Double
    /// Whether a shape keeps the budget that the user asks about.
    package var isAsked: @Sendable (_ layers: Int, _ dim: Int) -> Bool

    package init(
        layers: [Int], dims: [Int], fractions: [Double] = [1], firstSeed: UInt64 = 1, mostSeeds: Int = 3,
        effectiveTokens: Double, seconds: @escaping @Sendable (Int, Int, Double) -> Double,
        isAsked: @escaping @Sendable (Int, Int) -> Bool = { _, _ in true }
    ) {
        self.layers = layers
        self.dims = dims
        self.fractions = fractions
        self.firstSeed = firstSeed
        self.mostSeeds = mostSeeds
        self.effectiveTokens = effectiveTokens
        self.seconds = seconds
        self.isAsked = isAsked
    }

    func seconds(_ trial: DesignTrial) -> Double { seconds(trial.layers, trial.dim, trial.userFraction) }

    // MARK: - The start

    /// Trainings that a law can be begun with, within some seconds of one worker.
    ///
    /// Three levels of each axis, as far apart as the seconds pay for: the shapes along which one axis rises as the other falls
    /// show both axes at every level in three trainings, the smallest shape stands below them, the largest above where it is paid
    /// for. Then the shares of the users at the middle shape, and two more seeds of it. Where not even the closest levels are
    /// paid for, three shapes have to do that tell both axes apart.
    package func start(within limit: Double) -> [DesignTrial] {
        var best: (spread: Double, core: [DesignTrial])?
        var bestWithShares: (spread: Double, core: [DesignTrial])?
        for n in triples(layers, widest: 8) {
            for d in triples(dims, widest: 16) {
                let core = [(n.2, d.0), (n.1, d.1), (n.0, d.2), (n.0, d.0)].map(trial)
                let cost = core.reduce(0) { $0 + seconds($1) }
                // Wide first; of equally wide ones the larger models, which are nearer to what is asked for.
                let spread = ratio(n.0, n.2) + ratio(d.0, d.2) + 0.1 * (log(Double(n.2)) + log(Double(d.2)))
                if cost <= limit, spread > best?.spread ?? 0 { best = (spread, core) }
                let shareSeconds = shares(of: core[1]).reduce(0) { $0 + seconds($1) }
                if cost + shareSeconds <= limit, spread > bestWithShares?.spread ?? 0 {
                    bestWithShares = (spread, core)
                }
            }
        }
        // Shares of the users cost less than the next wider levels, and nothing else shows what more data would do.
        guard let core = bestWithShares?.core ?? best?.core else {
            // Cheap ones leave half of the budget to what they point at; where they do not, nothing is left after any three.
            let three = cheapestThree
            if !three.isEmpty, three.reduce(0, { $0 + seconds($1) }) <= Self.shareOfThree * limit { return three }
            return largestThree(within: Self.shareOfAll * limit)
        }
        let shares = shares(of: core[1])
        var chosen = core
        var total = core.reduce(0) { $0 + seconds($1) }
        let shareSeconds = shares.reduce(0) { $0 + seconds($1) }
        if total + shareSeconds <= limit {
            chosen += shares
            total += shareSeconds
        }
        let largest = trial((core[0].layers, core[2].dim))
        if total + seconds(largest) <= limit {
            chosen.append(largest)
            total += seconds(largest)
        }
        // How far two trainings of one shape are apart cannot be seen from shapes trained once.
        for repetition in 1..<max(1, min(3, mostSeeds)) {
            var again = core[1]
            again.seed += UInt64(repetition)
            if total + seconds(again) <= limit {
                chosen.append(again)
                total += seconds(again)
            }
        }
        return sorted(chosen)
    }

    /// Seconds of one worker within which a start tells both axes apart and leaves as much to what it points at; nil where an axis has
    /// no levels a factor of 2 apart.
    package var secondsForBothAxes: Double? {
        let three = cheapestThree
        return three.isEmpty ? nil : 2 * three.reduce(0) { $0 + seconds($1) }
    }

    /// In units of a start's seconds: half of a budget, and all of it.
    private static let shareOfThree = 0.5 / calibrationStartShare
    private static let shareOfAll = 1 / calibrationStartShare

    /// Shapes first, then shares of the users and repeats; each the cheapest first. A budget that ends early has told shapes apart.
    private func sorted(_ trials: [DesignTrial]) -> [DesignTrial] {
        func order(_ t: DesignTrial) -> (Int, Double, Int, Int) {
            (t.userFraction < 1 || t.seed > firstSeed ? 1 : 0, seconds(t), t.layers, t.dim)
        }
        return trials.sorted { order($0) < order($1) }
    }

    /// (n1, d1), (n2, d1) and (n1, d2) with n2 at least twice n1 and d2 twice d1, the cheapest; none where there are no such levels.
    private var cheapestThree: [DesignTrial] {
        func pairs(_ levels: [Int]) -> [(Int, Int)] {
            levels.flatMap { low in levels.filter { $0 >= 2 * low }.map { (low, $0) } }
        }
        let all = pairs(layers).flatMap { n in
            pairs(dims).map { d in [(n.0, d.0), (n.1, d.0), (n.0, d.1)].map(trial) }
        }
        let cheapest = all.map { (trials: $0, seconds: $0.reduce(0) { $0 + seconds($1) }) }
            .min { $0.seconds < $1.seconds }
        return sorted(cheapest?.trials ?? [])
    }

    /// Of the shapes asked about, (n2, d2), (n1, d2) and (n2, d1) with n1 < n2, d1 < d2, none of the lower levels above the
    /// middle: the largest that are paid for; else the cheapest shapes that are.
    private func largestThree(within limit: Double) -> [DesignTrial] {
        let asked = layers.flatMap { n in dims.map { trial((n, $0)) } }.filter { isAsked($0.layers, $0.dim) }
        let (n, d) = (Set(asked.map(\.layers)).sorted(), Set(asked.map(\.dim)).sorted())
        func lower(_ high: Int, _ count: Int) -> Int { min(high - 1, Int(0.4 * Double(count - 1))) }
        var best: (size: Double, trials: [DesignTrial])?
        for highN in n.indices.dropFirst() {
            for highD in d.indices.dropFirst() {
                let (n1, d1) = (n[lower(highN, n.count)], d[lower(highD, d.count)])
                let trials = [(n[highN], d[highD]), (n1, d[highD]), (n[highN], d1)].map(trial)
                guard trials.allSatisfy({ isAsked($0.layers, $0.dim) }),
                    trials.reduce(0, { $0 + seconds($1) }) <= limit
                else { continue }
                let size = log(Double(n[highN])) + log(Double(d[highD]))
                if size > best?.size ?? -1 { best = (size, trials) }
            }
        }
        if let best { return sorted(best.trials) }
        var total = 0.0
        return sorted(asked).filter { trial in
            let fits = total + seconds(trial) <= limit
            if fits { total += seconds(trial) }
            return fits
        }
    }

    private func shares(of whole: DesignTrial) -> [DesignTrial] {
        fractions.filter { $0 < 1 }.map { share in
            DesignTrial(layers: whole.layers, dim: whole.dim, userFraction: share, seed: firstSeed)
        }
    }

    private func trial(_ shape: (Int, Int)) -> DesignTrial {
        DesignTrial(layers: shape.0, dim: shape.1, seed: firstSeed)
    }

    /// Smallest, middle and largest level: every pair of levels with one between them, at most `widest` times apart.
    private func triples(_ levels: [Int], widest: Int) -> [(Int, Int, Int)] {
        levels.flatMap { low in
            levels.compactMap { high -> (Int, Int, Int)? in
                guard high > low, high <= low * widest else { return nil }
                let centre = (Double(low) * Double(high)).squareRoot()
                let middle = levels.filter { $0 > low && $0 < high }.min {
                    abs(log(Double($0) / centre)) < abs(log(Double($1) / centre)) - 1e-9
                }
                return middle.map { (low, $0, high) }
            }
        }
    }

    private func ratio(_ low: Int, _ high: Int) -> Double { log(Double(high) / Double(low)) }
}
