internal import Domain
internal import Glibc

/// One family fitted for prediction: its most probable law, and the process over its residuals.
struct FamilyModel: Sendable {
    let form: LawForm
    let process: ProcessModel

    /// - Parameters:
    ///   - points: distinct places, repeats averaged.
    ///   - fixedP: the factor p of both axes; nil gives each its own skew.
    ///   - expectation: what other datasets let expect, for the family that asks.
    init?(
        _ family: LawFamily, points: [LawPoint], noise: ProcessModel.NoisePrior, fixedP: Double?,
        expectation: Expectation? = nil
    ) {
        form = LawForm(family, points: points, fixedP: fixedP, untied: fixedP == nil, expectation: expectation)
        let span = MetricSpan(points)
        let prior = form.prior(span, points: points)
        var search = LawSearch(form, points, prior: prior)
        let solution = search.solve(keep: 6, exact: false)
        guard solution.cost.isFinite else { return nil }
        let settings = ProcessModel.settings(
            form: form, parameters: solution.parameters, prior: prior, points: points, span: span, noise: noise)
        guard
            let process = ProcessModel(
                form: form, parameters: solution.parameters, prior: prior, points: points, settings: settings)
        else { return nil }
        self.process = process
    }

    /// From what is stored.
    init?(_ fit: FamilyFit, points: [LawPoint], fixedP: Double?, expectation: Expectation? = nil) {
        form = LawForm(fit.family, points: points, fixedP: fixedP, untied: fixedP == nil, expectation: expectation)
        guard fit.process.parameters.count == form.count else { return nil }
        let prior = form.prior(MetricSpan(points), points: points)
        let settings = ProcessModel.Settings(
            amplitude: fit.process.amplitude, length: fit.process.length, noiseFactor: fit.process.noiseFactor,
            dataAmplitude: fit.process.dataAmplitude)
        guard
            let process = ProcessModel(
                form: form, parameters: fit.process.parameters, prior: prior, points: points, settings: settings,
                isFinal: true)
        else { return nil }
        self.process = process
    }
}

/// How far a metric spreads: at least what noise alone would spread it.
struct MetricSpan: Sendable {
    let mean: Double
    /// Over shapes, at the largest data size.
    let shapes: Double
    /// Over all points.
    let data: Double

    init(_ points: [LawPoint]) {
        let noise = points.map(\.variance).max()?.squareRoot() ?? 0
        func spread(_ values: [Double]) -> Double {
            max((values.max() ?? 0) - (values.min() ?? 0), 2 * noise, 1e-6)
        }
        let whole = points.ofWholeData
        let shapesPoints = whole.count >= 4 ? whole : points
        mean = shapesPoints.reduce(0) { $0 + $1.value } / Double(max(1, shapesPoints.count))
        shapes = spread(shapesPoints.map(\.value))
        data = spread(points.map(\.value))
    }
}

/// Which points are left out together to see whether a law would have predicted them.
enum Folds {
    /// The largest N, the largest d and the most expensive quarter, as far as at least 6 points and 2 levels of each axis remain.
    static func largest(_ points: [LawPoint]) -> [[Int]] {
        func top(_ axis: Int) -> [Int] {
            let largest = points.map { $0.x[axis] }.max() ?? 0
            return points.indices.filter { points[$0].x[axis] > largest - 1e-9 }
        }
        // What a training costs grows with 12 N d² + V d; V is taken as ten thousand items.
        func cost(_ point: LawPoint) -> Double {
            let (n, d) = (exp(point.x[0]), exp(point.x[1]))
            return (12 * n * d * d + 1e4 * d) * exp(point.x[2])
        }
        let mostExpensive = points.indices.sorted { cost(points[$0]) > cost(points[$1]) }.prefix(
            max(1, points.count / 4))
        var folds: [[Int]] = []
        for fold in [top(0), top(1), mostExpensive.sorted()] where !folds.contains(fold) {
            let rest = points.indices.filter { !fold.contains($0) }.map { points[$0] }
            if rest.count >= 6, rest.levels(.layers) >= 2, rest.levels(.dim) >= 2 { folds.append(fold) }
        }
        return folds
    }
}

/// Collects errors of predictions.
struct ScoreSum {
    private(set) var logs: [Double] = []
    private var relative = 0.0
    private var squares = 0.0
    private var count = 0

    mutating func add(_ mean: Double, variance: Double?, observed: Double) {
        let error = mean - observed
        relative += abs(error) / max(abs(observed), 1e-12)
        squares += error * error
        count += 1
        if let variance { logs.append(-0.5 * (log(2 * Double.pi * variance) + error * error / variance)) }
    }

    var score: FoldScore? {
        guard count > 0 else { return nil }
        return FoldScore(
            relativeError: relative / Double(count), deviation: (squares / Double(count)).squareRoot(),
            logDensity: logs.isEmpty ? nil : logs.reduce(0, +) / Double(logs.count), points: count)
    }
}
