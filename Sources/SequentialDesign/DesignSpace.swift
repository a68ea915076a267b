package import Domain
internal import Glibc
internal import PerformanceLaws

/// One training a design may ask for.
package struct DesignTrial: Codable, Sendable, Hashable {
    package var layers: Int
    package var dim: Int
    /// Share of the users that train.
    package var userFraction: Double
    package var seed: UInt64

    package init(layers: Int, dim: Int, userFraction: Double = 1, seed: UInt64) {
        (self.layers, self.dim, self.userFraction, self.seed) = (layers, dim, userFraction, seed)
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
    package var isEligible: @Sendable (_ layers: Int, _ dim: Int) -> Bool

    package init(
        layers: [Int], dims: [Int], fractions: [Double] = [1], firstSeed: UInt64 = 1, mostSeeds: Int = 3,
        effectiveTokens: Double, seconds: @escaping @Sendable (Int, Int, Double) -> Double,
        isEligible: @escaping @Sendable (Int, Int) -> Bool = { _, _ in true }
    ) {
        self.layers = layers
        self.dims = dims
        self.fractions = fractions
        self.firstSeed = firstSeed
        self.mostSeeds = mostSeeds
        self.effectiveTokens = effectiveTokens
        self.seconds = seconds
        self.isEligible = isEligible
    }

    func seconds(_ trial: DesignTrial) -> Double { seconds(trial.layers, trial.dim, trial.userFraction) }

    // MARK: - The start

    /// The training that a calibration begins with: the standard shape on all users, where it is asked about and may be trained; else
    /// the one asked about that a law expects most of, or without one that is nearest to it; nil where nothing is asked about.
    ///
    /// - Parameters:
    ///   - law: what is expected before anything was trained.
    ///   - pays: whether a budget pays a training.
    package func first(law: LawFit?, pays: (DesignTrial) -> Bool) -> DesignTrial? {
        let asked = layers.flatMap { n in dims.map { DesignTrial(layers: n, dim: $0, seed: firstSeed) } }
            .filter { isEligible($0.layers, $0.dim) }
        let standard = Configuration.standardShape
        let home = DesignTrial(layers: standard.layers, dim: standard.dim, seed: firstSeed)
        let paid = asked.filter(pays)
        if paid.contains(home) || (paid.isEmpty && asked.contains(home)) { return home }
        func distance(_ t: DesignTrial) -> Double {
            pow(log(Double(t.layers) / Double(home.layers)), 2) + pow(log(Double(t.dim) / Double(home.dim)), 2)
        }
        // Where a budget pays none to its end, the cheapest comes furthest.
        guard !paid.isEmpty else { return asked.min { seconds($0) < seconds($1) } }
        guard let law else { return paid.min { distance($0) < distance($1) } }
        let predicted = LawPredictor(law).predict(
            paid.map { .init(layers: $0.layers, dim: $0.dim, effectiveTokens: effectiveTokens) })
        return zip(paid, predicted).max { ($0.1.mean, -seconds($0.0)) < ($1.1.mean, -seconds($1.0)) }?.0
    }
}
