internal import Domain
internal import Glibc

/// How well each family predicts what it was not fitted to, and the weights that follow.
struct FamilyScores {
    /// Families whose gains diminish or turn, as those of every grid that is known: what few points say against one of them is
    /// not yet believed.
    static let expected: [LawFamily] = [
        .performanceLaw, .performanceLawInteraction, .scalingLaw, .logQuadratic, .otherDatasets,
    ]
    /// As many points as that belief is worth.
    static let priorPoints = 4.0

    /// In the order of the families; nil for one that could not be fitted.
    private(set) var scores: [CrossValidation?]
    private(set) var weights: [Double]
    private(set) var nearest: FoldScore?

    /// - Parameter measured: the first so many points were, and are what is predicted; all by default.
    init(
        _ families: [LawFamily], models: [FamilyModel?], points: [LawPoint], measured: Int? = nil,
        noise: ProcessModel.NoisePrior, fixedP: Double?, expectation: Expectation? = nil
    ) {
        let own = Array(points.prefix(measured ?? points.count))
        let folds = Folds.largest(own)
        var logs: [[Double]] = []
        var partial: [(one: FoldScore, largest: FoldScore?, alone: FoldScore?)?] = []
        for (family, model) in zip(families, models) {
            guard let model else {
                logs.append([])
                partial.append(nil)
                continue
            }
            var one = ScoreSum()
            for (point, other) in zip(own, model.process.leaveOneOut()) {
                one.add(other.mean, variance: other.variance, observed: point.value)
            }
            var largest = ScoreSum()
            var alone = ScoreSum()
            for fold in folds {
                let out = Set(fold)
                let rest = points.indices.filter { !out.contains($0) }.map { points[$0] }
                guard
                    let model = FamilyModel(
                        family, points: rest, noise: noise, fixedP: fixedP, expectation: expectation)
                else { continue }
                for i in fold {
                    let place = model.process.place(points[i].x)
                    let variance = place.variance + model.process.settings.noiseFactor * points[i].variance
                    largest.add(place.mean, variance: variance, observed: points[i].value)
                    alone.add(
                        model.form.value(points[i].x, model.process.parameters), variance: nil,
                        observed: points[i].value)
                }
            }
            logs.append(one.logs + largest.logs)
            partial.append(one.score.map { ($0, largest.score, alone.score) })
        }
        let expected = families.indices.filter { Self.expected.contains(families[$0]) && models[$0] != nil }
        weights = Self.weights(logs, count: own.count, expected: expected)
        let weights = weights
        scores = partial.enumerated().map { place, scores in
            scores.map {
                CrossValidation(
                    leaveOneOut: $0.one, leaveLargestOut: $0.largest, leaveLargestOutAlone: $0.alone,
                    weight: weights[place])
            }
        }
        nearest = Self.nearest(own, folds)
    }

    /// Pseudo-BMA+ weights (Yao et al. 2018, arXiv 1704.02030): exp of the expected log density, averaged over a Bayesian bootstrap
    /// of the points left out, so that a lead which a few points make weighs little. Below 2 % nothing is kept.
    ///
    /// - Parameter expected: families of equal weight before any point was seen.
    static func weights(_ logs: [[Double]], count: Int, expected: [Int] = []) -> [Double] {
        let length = logs.map(\.count).max() ?? 0
        let valid = logs.indices.filter { logs[$0].count == length && length > 0 }
        var weights = [Double](repeating: 0, count: logs.count)
        guard !valid.isEmpty else {
            if let first = logs.indices.first { weights[first] = 1 }
            return weights
        }
        var random = SplitMix64(seed: 7)
        let draws = 200
        for _ in 0..<draws {
            // Dirichlet(1, ..., 1): exponentials over their sum.
            let shares = (0..<length).map { _ in -log(1 - random.uniform()) }
            let total = shares.reduce(0, +)
            let sums = valid.map { family in
                zip(shares, logs[family]).reduce(0) { $0 + $1.0 * $1.1 } / total * Double(count)
            }
            let top = sums.max() ?? 0
            let densities = sums.map { exp($0 - top) }
            let sum = densities.reduce(0, +)
            for (place, family) in valid.enumerated() { weights[family] += densities[place] / sum / Double(draws) }
        }
        let before = expected.filter(valid.contains)
        let share = before.isEmpty ? 0 : Self.priorPoints / (Self.priorPoints + Double(count))
        for family in valid { weights[family] *= 1 - share }
        for family in before { weights[family] += share / Double(before.count) }
        weights = weights.map { $0 < 0.02 ? 0 : $0 }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// The nearest point in (ln N, ln d, ln D') answers; equally near ones are averaged.
    private static func nearest(_ points: [LawPoint], _ folds: [[Int]]) -> FoldScore? {
        var sum = ScoreSum()
        for fold in folds {
            let out = Set(fold)
            let rest = points.indices.filter { !out.contains($0) }
            for i in fold {
                let distances = rest.map { j -> Double in
                    let u = points[i].x - points[j].x
                    return (u * u).sum()
                }
                let least = distances.min() ?? 0
                let near = zip(rest, distances).filter { $0.1 <= least + 1e-9 }.map { points[$0.0].value }
                sum.add(near.reduce(0, +) / Double(near.count), variance: nil, observed: points[i].value)
            }
        }
        return sum.score
    }
}
