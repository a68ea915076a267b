package import Domain
internal import Glibc

/// What trainings on other datasets let expect of one that has none or few of its own.
///
/// A law takes it as a family: the level of this dataset times what is expected of each shape, and beside that a process as large as
/// datasets differ there. What is measured outweighs it near where it was measured, and far from it the law is as unsure as other datasets
/// say it has to be.
package struct LawPrior: Sendable, Hashable {
    package typealias Shape = LawFit.PriorUse.Shape

    package var shapes: [Shape]
    /// Datasets it was learnt from.
    package var datasets: Int
    /// ln of the metric of 2 x 64 where nothing was measured, and how far datasets lie from it.
    package var level: Double
    package var levelDeviation: Double
    /// Standard deviation of ln(metric) between two trainings of a shape that differ in their seed.
    package var trainingDeviation: Double
    /// D' of all users.
    package var effectiveTokens: Double

    /// Places of its own that a law needs before it is fitted in all families.
    static let fewestPlaces = 6

    /// What is kept of it with a law.
    func use(levelDeviation: Double) -> LawFit.PriorUse {
        LawFit.PriorUse(datasets: datasets, shapes: shapes, levelDeviation: levelDeviation)
    }

    /// Where a training that was cut short was heading; nil where nothing tells.
    static func ahead(_ o: Observation, _ x: SIMD3<Double>, _ value: Double, noise: Double) -> LawPoint? {
        guard let forecast = o.forecast else { return nil }
        let end = value * exp(forecast.gain)
        let noise = max(noise, LawFitter.leastError)
        return LawPoint(x: x, value: end, variance: noise * noise, ownVariance: pow(end * forecast.deviation, 2))
    }

    /// A law of trainings all of which were cut short; nil without any that tells where it was heading.
    func law(of cut: [Observation], metric: Metric) -> LawFit? {
        var levels: [(level: Double, deviation: Double)] = []
        var ahead: [LawPoint] = []
        for o in cut {
            guard let value = o.metrics[metric.description]?.value, value > 0, let forecast = o.forecast else {
                continue
            }
            let c = o.configuration
            let x = Design.place(c.layers, c.dim, o.effectiveTokens)
            ahead += [Self.ahead(o, x, value, noise: trainingDeviation * value)].compactMap { $0 }
            let ratio = Expectation(use(levelDeviation: 0)).ratio(x)
            levels.append((log(value) + forecast.gain - ratio, forecast.deviation))
        }
        guard let best = levels.min(by: { $0.deviation < $1.deviation }) else { return nil }
        var known = self
        (known.level, known.levelDeviation) = best
        // What even the best known one leaves open moves all of them.
        for i in ahead.indices {
            ahead[i].ownVariance = max(0, ahead[i].ownVariance - pow(ahead[i].value * best.deviation, 2))
        }
        return known.law(metric: metric, ahead: ahead)
    }

    /// A law without any training of its own.
    package func law(_ metric: Metric) -> LawFit? {
        var prior = self
        // The recorded level is that of NDCG@10; more users hit than are ranked first.
        if metric.kind == .hr { prior.level *= Self.hitShare }
        return prior.law(metric: metric, ahead: [])
    }

    /// ln HR@10 over ln NDCG@10, about, between 0.83 at 0.06 and 0.54 at 0.49.
    private static let hitShare = 0.8

    /// Of the metric: the deviation of a level that is taken as it is.
    private static let leastShare = 1e-3

    private func law(metric: Metric, ahead: [LawPoint]) -> LawFit? {
        // The level stands at the shape that all others are held against; how well it is known is kept apart, as it moves all of them.
        let home = Configuration.standardShape
        let value = exp(level)
        let points =
            ahead.isEmpty
            ? [
                LawPoint(
                    x: Design.place(home.layers, home.dim, effectiveTokens), value: value,
                    variance: pow(Self.leastShare * value, 2))
            ] : ahead
        let use = use(levelDeviation: levelDeviation)
        let noise = ProcessModel.NoisePrior(factors: [(1, 0)], squares: 0, degrees: 0)
        guard
            let model = FamilyModel(
                .otherDatasets, points: points, noise: noise, fixedP: nil, expectation: Expectation(use))
        else { return nil }
        let settings = model.process.settings
        let training = exp(level) * trainingDeviation
        return LawFit(
            metric: metric, family: LawFamily.otherDatasets.rawValue, leading: .otherDatasets,
            fits: [
                FamilyFit(
                    family: .otherDatasets, metric: metric, form: PublishedForm(model.form).text,
                    parameters: [:], intervals: [:], names: model.form.names, identified: [], rank: 0,
                    conditionNumber: 1, r2: 0, adjustedR2: nil, degreesOfFreedom: 0, residualDeviation: nil,
                    optimum: FamilyFit.Optimum(layers: nil, dim: nil), axes: [:],
                    crossValidation: CrossValidation(
                        leaveOneOut: FoldScore(relativeError: 0, deviation: 0, logDensity: nil, points: 0),
                        leaveLargestOut: nil, leaveLargestOutAlone: nil, weight: 1),
                    process: FamilyFit.Process(
                        parameters: model.process.parameters, amplitude: settings.amplitude, length: settings.length,
                        noiseFactor: settings.noiseFactor, dataAmplitude: settings.dataAmplitude))
            ],
            noise: LawFit.Noise(evaluation: nil, correlation: nil, training: training, replicates: 0), points: [],
            places: [], expected: points.map(LawFit.Place.init), prior: use, nearestNeighbour: nil,
            layersRange: use.layersRange, dimRange: use.dimRange,
            effectiveTokensRange: [effectiveTokens, effectiveTokens], fixedP: nil,
            choices: [
                "prior": "\(datasets) other datasets",
                "observations": ahead.isEmpty
                    ? "none of this one" : "\(ahead.count) cut short, none trained to its end",
            ])
    }
}

/// What other datasets let expect, between their shapes too.
struct Expectation: Sendable {
    let datasets: Int
    /// ln N and ln d of each shape.
    private let places: [SIMD2<Double>]
    private let ratios: [Double]
    private let deviations: [Double]

    /// ln N and ln d over which shapes tell of each other.
    private static let width = 0.35
    /// Length scale of the process: over how many e-folds of N and d datasets lie on the same side of what is expected.
    let length = 1.2

    init(_ use: LawFit.PriorUse) {
        datasets = use.datasets
        places = use.shapes.map { SIMD2(log(Double($0.layers)), log(Double($0.dim))) }
        ratios = use.shapes.map(\.ratio)
        deviations = use.shapes.map(\.deviation)
    }

    /// ln of the metric over that of 2 x 64 at ln N, ln d.
    func ratio(_ x: SIMD3<Double>) -> Double { mean(ratios, at: x) }

    /// By how much datasets differ there.
    func deviation(_ x: SIMD3<Double>) -> Double { mean(deviations, at: x) }

    private func mean(_ values: [Double], at x: SIMD3<Double>) -> Double {
        let distances = places.map { place in
            let off = place - SIMD2(x[0], x[1])
            return (off * off).sum()
        }
        let nearest = distances.min() ?? 0
        var (sum, total) = (0.0, 0.0)
        for (value, distance) in zip(values, distances) {
            let weight = exp(-(distance - nearest) / (2 * Self.width * Self.width))
            sum += weight * value
            total += weight
        }
        return total > 0 ? sum / total : 0
    }

    /// The corners of what they had, at a data size.
    func corners(data: Double) -> [SIMD3<Double>] {
        guard let first = places.first else { return [] }
        let low = places.reduce(first) { pointwiseMin($0, $1) }
        let high = places.reduce(first) { pointwiseMax($0, $1) }
        return [SIMD3(low.x, low.y, data), SIMD3(high.x, high.y, data)]
    }
}

extension LawFit.Place {
    init(_ point: LawPoint) {
        self.init(
            x: [point.x[0], point.x[1], point.x[2]], value: point.value, variance: point.variance,
            ownVariance: point.ownVariance > 0 ? point.ownVariance : nil)
    }

    var point: LawPoint {
        LawPoint(x: SIMD3(x[0], x[1], x[2]), value: value, variance: variance, ownVariance: ownVariance ?? 0)
    }
}

extension LawPrior {
    /// What was recorded of one dataset.
    struct Recorded: Sendable {
        var dataset: String
        var mask: CandidateMask
        /// ln of the test NDCG@10 of 2 x 64.
        var level: Double
        /// Layers, dim, and ln of the metric over that of 2 x 64.
        var ratios: [(layers: Int, dim: Int, ratio: Double)]
    }

    /// For trainings of a key. Those of another backbone, loss or recipe than the recorded ones may lie further from what is expected.
    package static func recorded(for key: LawKey, effectiveTokens: Double) -> LawPrior {
        let isRecorded =
            key.backbone == .said(.sasrec) && key.loss == .said(.core(.cce)) && key.policy.recipe == .standard
        return recorded(
            effectiveTokens: effectiveTokens, mask: key.mask.value ?? .none, trust: isRecorded ? 1 : otherTrust)
    }

    /// Factor of the deviations for what was not recorded.
    private static let otherTrust = 1.5
    /// Datasets that a shape must have been trained on.
    private static let fewestDatasets = 3
    /// How many datasets' worth the mean deviation of all shapes is for that of one.
    private static let pooled = 3.0
    /// Factor of the deviations: with it, one dataset left out after the other, 90 % intervals of the others hold its shapes (docs/users/laws.md).
    private static let widening = 1.2
    /// Deeper than what was recorded: as the deepest of its dimension, by so many times its deviation.
    private static let deeper = (layers: 12, trust: 1.5)

    /// From the trainings that came with this version.
    ///
    /// - Parameters:
    ///   - mask: datasets whose targets are ranked alike have metrics of a kind.
    ///   - left: a dataset that is not to count, for studies.
    ///   - trust: factor of the deviations.
    package static func recorded(
        effectiveTokens: Double, mask: CandidateMask, without left: String? = nil, trust: Double = 1
    ) -> LawPrior {
        learnt(
            from: recorded.filter { $0.dataset != left }, effectiveTokens: effectiveTokens, mask: mask, trust: trust)
    }

    /// Means over datasets that need not all have every shape: ratio = dataset + shape + rest, by alternating means.
    static func learnt(
        from datasets: [Recorded], effectiveTokens: Double, mask: CandidateMask, trust: Double
    ) -> LawPrior {
        struct Place: Hashable {
            var layers: Int
            var dim: Int
        }
        let values = datasets.map { dataset in
            Dictionary(dataset.ratios.map { (Place(layers: $0.layers, dim: $0.dim), $0.ratio) }) { first, _ in first }
        }
        let counts = values.flatMap(\.keys).reduce(into: [Place: Int]()) { $0[$1, default: 0] += 1 }
        let places = counts.filter { $0.value >= min(fewestDatasets, datasets.count) }.keys
            .sorted { ($0.layers, $0.dim) < ($1.layers, $1.dim) }
        var offsets = [Double](repeating: 0, count: datasets.count)
        var means: [Place: Double] = [:]
        for _ in 0..<50 {
            for place in places {
                let own = values.indices.compactMap { i in values[i][place].map { $0 - offsets[i] } }
                means[place] = own.reduce(0, +) / Double(own.count)
            }
            for i in values.indices {
                let own = places.compactMap { place in values[i][place].map { $0 - (means[place] ?? 0) } }
                offsets[i] = own.isEmpty ? 0 : own.reduce(0, +) / Double(own.count)
            }
        }
        let squares = places.map { place in
            values.indices.reduce(0.0) { sum, i in
                sum + (values[i][place].map { pow($0 - offsets[i] - (means[place] ?? 0), 2) } ?? 0)
            }
        }
        let all = Double(places.reduce(0) { $0 + (counts[$1] ?? 0) })
        // Each dataset and each shape has a mean of its own.
        let free = max(1, all - Double(places.count + datasets.count))
        let usual = squares.reduce(0, +) / free
        let home = means[Place(layers: Configuration.standardShape.layers, dim: Configuration.standardShape.dim)] ?? 0
        var shapes = zip(places, squares).map { place, squares in
            let count = Double(counts[place] ?? 1)
            let variance = (squares * all / free + pooled * usual) / (count + pooled) * (1 + 1 / count)
            return Shape(
                layers: place.layers, dim: place.dim, ratio: (means[place] ?? 0) - home,
                deviation: widening * trust * variance.squareRoot())
        }
        let deepest = places.map(\.layers).max() ?? 1
        for shape in shapes where shape.layers == deepest && deepest < deeper.layers {
            var shape = shape
            shape.layers = deeper.layers
            shape.deviation *= deeper.trust
            shapes.append(shape)
        }
        // Metrics of datasets whose targets are ranked alike are of a kind.
        let alike = datasets.filter { $0.mask == mask }
        func mean(_ datasets: [Recorded]) -> Double {
            datasets.reduce(0) { $0 + $1.level } / Double(max(1, datasets.count))
        }
        let off = datasets.reduce(0.0) { sum, one in
            sum + pow(one.level - mean(datasets.filter { $0.mask == one.mask }), 2)
        }
        let kinds = Set(datasets.map(\.mask)).count
        let spread = (off / Double(max(1, datasets.count - kinds))).squareRoot()
        return LawPrior(
            shapes: shapes, datasets: datasets.count, level: alike.isEmpty ? mean(datasets) : mean(alike),
            levelDeviation: spread * (1 + 1 / Double(max(1, alike.count))).squareRoot() * (alike.isEmpty ? 2 : 1),
            trainingDeviation: recordedTrainingDeviation, effectiveTokens: effectiveTokens)
    }
}
