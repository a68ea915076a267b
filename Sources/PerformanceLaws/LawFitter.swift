package import Domain
internal import Glibc

/// Fits every law family to observations of one key, scores them on what they were not fitted to, and weights them.
///
///     let law = try LawFitter(metric: Metric(.ndcg, 10)).fit(observations)
///     let predictor = LawPredictor(law)
///     print(predictor.predict(layers: 4, dim: 96, effectiveTokens: 60_000).mean)
///
/// Each family is fitted twice. As a formula, by plain (or Huber) weighted least squares: its parameters, R² and optimum are
/// shown. And as the mean of a Gaussian process, with priors on what few trainings determine badly: that predicts. Nothing has a
/// start value and nothing is random but the seeded bootstrap.
package struct LawFitter {
    package enum Estimator: String, Sendable, CaseIterable {
        case huber
        case leastSquares = "least-squares"
    }

    package var metric: Metric
    package var estimator: Estimator
    /// Fixes the factor p; nil profiles it.
    package var fixedP: Double?
    /// Bootstrap refits behind the intervals of parameters; 0 leaves them out.
    package var draws: Int
    package var families: [LawFamily]

    /// Fewest observations a law is fitted to.
    package static let fewest = 3
    /// Most of them: a law names each, and must fit into an answer.
    package static let most = 50_000
    /// Of more only the leading family tells what its formula gives at each.
    static let mostFitted = 5_000
    /// A family of at least this weight stands out.
    static let standsOut = 0.6
    /// Smallest standard error taken for true: a metric that happened to be 0 has none and would decide the fit.
    static let leastError = 1e-4

    package init(
        metric: Metric, estimator: Estimator = .huber, fixedP: Double? = nil, draws: Int = 200,
        families: [LawFamily] = LawFamily.allCases
    ) {
        (self.metric, self.estimator, self.fixedP) = (metric, estimator, fixedP)
        (self.draws, self.families) = (draws, families)
    }

    /// - Parameters:
    ///   - gains: what every test user earned, where ranks are stored: paired errors instead of independent ones.
    ///   - prior: what other datasets let expect; with it one observation is enough, and where trainings were cut short the fit takes
    ///     what they were heading for as well.
    ///   - checkStop: called after every some milliseconds of work; what it throws ends it.
    ///
    /// - Throws: `LawError` for observations of different keys (naming the first difference), or too few or too many of them.
    package func fit(
        _ observations: [Observation], gains: UserGains? = nil, prior: LawPrior? = nil,
        checkStop: () throws -> Void = {}
    ) throws -> LawFit {
        if let first = observations.first, let other = observations.first(where: { $0.key != first.key }) {
            throw LawError(
                description: "observations \(first.id) and \(other.id) are not comparable: "
                    + Self.difference(first.key, other.key), reason: "mixed-keys")
        }
        let usable = observations.filter { $0.isComplete && $0.metrics[metric.description] != nil }
        let fewest = prior == nil ? Self.fewest : 1
        let cut =
            prior == nil ? [] : observations.filter { $0.forecast != nil && $0.metrics[metric.description] != nil }
        if usable.isEmpty, let prior, let law = prior.law(of: cut, metric: metric) { return law }
        guard usable.count >= fewest else {
            throw LawError(
                description:
                    "found \(usable.count) converged observations of \(metric), expected at least \(fewest)",
                reason: "too-few")
        }
        guard usable.count <= Self.most else {
            throw LawError(
                description: "found \(usable.count) converged observations of \(metric) with one key, expected at most "
                    + "\(Self.most); import fewer into another dataset (plaw import NAME FILE --create), such as the means of "
                    + "repeated trainings", reason: "too-many")
        }
        return try Fitting(
            fitter: self, observations: usable, cut: cut, left: observations.count - usable.count - cut.count,
            gains: gains, prior: prior
        ).law(checkStop)
    }
}

/// Observations as points, and what is known of their noise.
struct Design {
    /// One a training.
    let trainings: [LawPoint]
    /// Distinct places, repeats averaged, at most `mostPoints`.
    let points: [LawPoint]
    let noise: ProcessModel.NoisePrior
    let correlation: Double?
    /// Standard error of a mean over the users, the median of the trainings; nil where none is known.
    let evaluation: Double?
    /// Standard deviation of a training whose noise factor is 1.
    let unit: Double
    let source: LawFit.Noise.Source
    let replicates: Int

    /// The process takes the cube of it in time; more points than these lie so close that they are averaged.
    static let mostPoints = 160

    /// ln D' of an observation; 0 where the data size is not known.
    static func lnData(_ effectiveTokens: Double) -> Double {
        effectiveTokens.isFinite && effectiveTokens > 0 ? log(effectiveTokens) : 0
    }

    static func place(_ layers: Int, _ dim: Int, _ effectiveTokens: Double) -> SIMD3<Double> {
        SIMD3(log(Double(layers)), log(Double(dim)), lnData(effectiveTokens))
    }

    /// Without any standard error, the share of the metric's spread that trainings are first taken to vary by.
    private static let assumedShare = 0.1
    /// As many places as these, without repeats, leave nothing over that would tell the noise: a level and a slope an axis.
    static let leastPlaces = 4

    /// What there is beyond the parameters of a law to tell the noise from, where no standard error does.
    static func noiseDegrees(replicates: Int, places: Int) -> Int { replicates + max(0, places - leastPlaces) }

    /// - Parameter trainings: with the standard errors that are known. One without counts like the least certain.
    init(_ trainings: [(x: SIMD3<Double>, value: Double, error: Double?)], correlation: Double?) {
        let largest = trainings.compactMap(\.error).max()
        self.correlation = largest == nil ? nil : correlation
        let own = 1 - (self.correlation ?? 0)
        let errors: [Double]
        if let largest {
            errors = trainings.map { max($0.error ?? largest, LawFitter.leastError) }
        } else {
            let mean = trainings.reduce(0) { $0 + $1.value } / Double(trainings.count)
            let squares = trainings.reduce(0) { $0 + ($1.value - mean) * ($1.value - mean) }
            let spread = (squares / Double(trainings.count)).squareRoot()
            errors = [Double](repeating: max(Self.assumedShare * spread, 1e-6), count: trainings.count)
        }
        self.trainings = zip(trainings, errors).map {
            LawPoint(x: $0.x, value: $0.value, variance: own * $1 * $1)
        }
        let median = errors.sorted()[errors.count / 2]
        evaluation = largest == nil ? nil : median
        unit = own.squareRoot() * median
        var step = 1e-9
        var merged = Self.merge(self.trainings, step: step)
        let repeats = merged
        while merged.points.count > Self.mostPoints {
            step = max(0.02, step * 1.5)
            merged = Self.merge(self.trainings, step: step)
        }
        points = merged.points
        replicates = repeats.degrees
        // With ranks the users' own part is known, and a seed can only add to it. Without, trainings on the same users may
        // differ far less than their standard errors say. Without either repeats and residuals alone say how much they differ:
        // anything from a three-hundredth of the metric's spread to all of it.
        let factors: [Double]
        let (center, width): (Double, Double)
        if largest == nil {
            factors = (0..<16).map { 1e-3 * pow(1e5, Double($0) / 15) }
            (center, width) = (0, 2.8)
            source =
                Self.noiseDegrees(replicates: repeats.degrees, places: repeats.points.count) > 0 ? .residuals : .unknown
        } else {
            factors =
                self.correlation != nil
                ? [0.7, 1, 1.4, 2, 2.8, 4, 6, 9] : [0.05, 0.1, 0.2, 0.4, 0.7, 1, 1.4, 2, 2.8, 4, 8, 16]
            (center, width) = self.correlation != nil ? (0.3, 0.5) : (-0.4, 0.9)
            source = .standardErrors
        }
        noise = ProcessModel.NoisePrior(
            factors: factors.map { ($0, -pow((log($0) - center) / width, 2) / 2) }, squares: repeats.squares,
            degrees: repeats.degrees)
    }

    /// Points of equal places averaged, and how they differ from their averages.
    private static func merge(_ points: [LawPoint], step: Double) -> (points: [LawPoint], squares: Double, degrees: Int)
    {
        var order: [SIMD3<Double>] = []
        var groups: [SIMD3<Double>: [LawPoint]] = [:]
        for point in points {
            let place = (point.x / step).rounded(.toNearestOrAwayFromZero)
            if groups[place] == nil { order.append(place) }
            groups[place, default: []].append(point)
        }
        var squares = 0.0
        var degrees = 0
        let merged = order.map { place -> LawPoint in
            let group = groups[place] ?? []
            let weight = group.reduce(0) { $0 + 1 / $1.variance }
            let value = group.reduce(0) { $0 + $1.value / $1.variance } / weight
            for point in group { squares += (point.value - value) * (point.value - value) / point.variance }
            degrees += group.count - 1
            let x = group.reduce(SIMD3<Double>()) { $0 + $1.x } / Double(group.count)
            return LawPoint(x: group.count == 1 ? group[0].x : x, value: value, variance: 1 / weight)
        }
        return (merged, squares, degrees)
    }
}

/// One fit in progress.
private struct Fitting {
    let fitter: LawFitter
    let observations: [Observation]
    /// Cut short, with what they were heading for.
    let cut: [Observation]
    let left: Int
    let gains: UserGains?
    let prior: LawPrior?

    private var known: UserGains? {
        guard let gains, observations.contains(where: { gains.rows[$0.id] != nil }) else { return nil }
        return gains
    }

    func law(_ checkStop: () throws -> Void) throws -> LawFit {
        try checkStop()
        let gains = known
        let measured = observations.map(measured)
        let design = Design(measured, correlation: gains?.correlation(in: observations.map(\.id)))
        let places = robust(design)
        let expected = expected(design)
        let points = places + expected
        let use = prior?.use(levelDeviation: 0)
        let expectation = use.map(Expectation.init)
        // Fewer places than these are not enough for a law of their own.
        let families =
            prior != nil && places.count < LawPrior.fewestPlaces
            ? [LawFamily.otherDatasets]
            : fitter.families.filter { $0 != .otherDatasets || prior != nil }
        let models = try families.map {
            try checkStop()
            return FamilyModel($0, points: points, noise: design.noise, fixedP: fitter.fixedP, expectation: expectation)
        }
        let scores = FamilyScores(
            families, models: models, points: points, measured: places.count, noise: design.noise,
            fixedP: fitter.fixedP, expectation: expectation)
        let noiseFactor = zip(scores.weights, models).reduce(0) {
            $0 + $1.0 * ($1.1?.process.settings.noiseFactor ?? 1)
        }
        let training = noiseFactor.squareRoot() * design.unit
        let rows = try Resampler(
            observations: observations.map(\.id), values: measured.map(\.value),
            variances: design.trainings.map { $0.variance * noiseFactor }, gains: gains
        ).rows(
            design.source == .unknown ? 0 : fitter.draws, seed: 1,
            seedVariance: design.trainings.map { $0.variance * max(0, noiseFactor - 1) }, checkStop)
        func formula(_ family: LawFamily) -> Formula {
            Formula(
                family, trainings: design.trainings, points: design.points.count, fixedP: fitter.fixedP,
                isHuber: fitter.estimator == .huber, isScaleKnown: design.source == .standardErrors,
                expectation: expectation)
        }
        func values(_ formula: Formula) -> [Double] { design.trainings.map { formula.value($0.x) } }
        var fits: [FamilyFit] = []
        for (place, family) in families.enumerated() {
            guard let model = models[place], let score = scores.scores[place] else { continue }
            let formula = formula(family)
            var fit = try formula.fit(metric: fitter.metric, model: model, score: score, rows: rows, checkStop)
            if observations.count <= LawFitter.mostFitted { fit.fitted = values(formula) }
            fits.append(fit)
        }
        let lead = zip(families, scores.weights).max { $0.1 < $1.1 }?.0 ?? .constant
        let fitted = fits.first { $0.family == lead }?.fitted ?? values(formula(lead))
        let standsOut = (scores.weights.max() ?? 0) >= LawFitter.standsOut
        return LawFit(
            metric: fitter.metric, family: standsOut ? lead.rawValue : "weighted", leading: lead, fits: fits,
            noise: LawFit.Noise(
                source: design.source, evaluation: design.evaluation, correlation: design.correlation,
                training: training,
                replicates: design.replicates),
            points: observations.indices.map { i in
                LawFit.Point(
                    observation: observations[i].id, layers: observations[i].configuration.layers,
                    dim: observations[i].configuration.dim,
                    effectiveTokens: known(observations[i].effectiveTokens),
                    observed: measured[i].value, fitted: fitted[i], residual: measured[i].value - fitted[i],
                    weight: weight(design.trainings[i], places))
            },
            places: places.map(LawFit.Place.init), expected: expected.isEmpty ? nil : expected.map(LawFit.Place.init),
            prior: use, nearestNeighbour: scores.nearest, layersRange: range(observations.map(\.configuration.layers)),
            dimRange: range(observations.map(\.configuration.dim)),
            effectiveTokensRange: [
                observations.map { known($0.effectiveTokens) }.min() ?? 0,
                observations.map { known($0.effectiveTokens) }.max() ?? 0,
            ], fixedP: fitter.fixedP, choices: choices(design, hasGains: gains != nil))
    }

    private func measured(_ o: Observation) -> (x: SIMD3<Double>, value: Double, error: Double?) {
        let m = o.metrics[fitter.metric.description] ?? Measurement(value: 0, standardError: 0)
        var error = m.standardError
        if error <= 0 {
            error =
                DerivedError.standardError(
                    fitter.metric, value: m.value,
                    hitRate: o.metrics[Metric(.hr, fitter.metric.k).description]?.value,
                    users: o.users) ?? 0
        }
        return (
            Design.place(o.configuration.layers, o.configuration.dim, o.effectiveTokens), m.value,
            error > 0 ? error : nil
        )
    }

    /// Where trainings that were cut short were heading.
    private func expected(_ design: Design) -> [LawPoint] {
        let own = (1 - (design.correlation ?? 0)).squareRoot()
        return cut.compactMap { o in
            let (x, value, error) = measured(o)
            return LawPrior.ahead(o, x, value, noise: error.map { own * $0 } ?? design.unit)
        }
    }

    private func known(_ effectiveTokens: Double) -> Double {
        effectiveTokens.isFinite && effectiveTokens > 0 ? effectiveTokens : 0
    }

    private func range(_ values: [Int]) -> [Int] { [values.min() ?? 0, values.max() ?? 0] }

    /// 1 / variance, less by as much as the point's place was found to be an outlier.
    private func weight(_ training: LawPoint, _ points: [LawPoint]) -> Double {
        let nearest = points.min { distance($0.x, training.x) < distance($1.x, training.x) }
        return 1 / (training.variance * (nearest?.inflation ?? 1))
    }

    private func distance(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double { ((a - b) * (a - b)).sum() }

    /// With the Huber estimator, points that all others find impossible count less: their variance grows by the square of how
    /// far beyond 2.5 standard deviations they lie, judged by a surface with a process, which is no law's friend.
    private func robust(_ design: Design) -> [LawPoint] {
        guard fitter.estimator == .huber, design.points.count >= 8,
            let model = FamilyModel(.logQuadratic, points: design.points, noise: design.noise, fixedP: nil)
        else { return design.points }
        return zip(design.points, model.process.leaveOneOut()).map { point, other in
            let z = abs(point.value - other.mean) / other.variance.squareRoot()
            var point = point
            let factor = pow(max(1, z / 2.5), 2) * (z > 2.5 ? z * z : 1)
            point.variance *= factor
            point.inflation = factor
            return point
        }
    }

    private func choices(_ design: Design, hasGains: Bool) -> [String: String] {
        let key = observations[0].key
        func list(_ values: [Int]) -> String { Set(values).sorted().map(String.init).joined(separator: ", ") }
        let fractions = Set(observations.map(\.userFraction)).sorted()
        let policy = key.policy
        // Heads and feed-forward factors stand in a policy of which nobody said the rest.
        let rest = policy.isSaid ? "" : (policy.text.isEmpty ? "" : "; else ") + "undeclared"
        return [
            "families": fitter.families.map(\.rawValue).joined(separator: ", "),
            "p": fitter.fixedP.map { "fixed at \($0)" } ?? "profiled where a curve uses it",
            "estimator": fitter.estimator == .huber ? "Huber, 1.345 robust standard deviations" : "least squares",
            "weights": weights(design),
            "search":
                "variable projection; grid of 28 x 28 optima and 16 values of p, or 16 exponents an axis; Levenberg-Marquardt "
                + "with analytic derivatives from the lowest cells, Newton steps at the end of a formula",
            "bounds": "no axis of a performance law may have a minimum, no axis of a scaling law may fall",
            "prediction": "families weighted by cross-validation, each the mean of a Gaussian process (Matérn 5/2)",
            "uncertainty": hasGains
                ? "users and seeds resampled \(fitter.draws) times from stored ranks; process variance, seed variance"
                : "noise resampled \(fitter.draws) times from its normal distribution; process variance, training variance",
            "holdOut": "leave-one-out; largest N, largest d and most expensive quarter left out in turn",
            "observations": "\(observations.count) converged, \(left) left out",
            "layers": list(observations.map(\.configuration.layers)),
            "dims": list(observations.map(\.configuration.dim)),
            "userFractions": fractions.map(Format.short).joined(separator: ", "),
            "seeds": "\(Set(observations.map(\.seed)).count), \(design.replicates) repeats",
            "N": "layers", "d": "embedding dimension, tied input and output", "D'": "tokens / ApEn, measured",
            "metric": "\(fitter.metric) of the test targets, raw", "split": key.split.words,
            "mask": key.mask.words, "candidates": key.candidates.words,
            "loss": key.loss.value?.core?.rawValue ?? "undeclared", "policy": policy.text + rest,
            "checkpoints": "final weights of the best validation epoch only",
            "codeVersion": key.codeVersion.words,
        ]
    }

    private func weights(_ design: Design) -> String {
        switch design.source {
        case .standardErrors:
            "1 / variance of a training: its standard error over users squared"
                + (design.correlation.map { " times 1 - \(Format.short($0)), the correlation between trainings" } ?? "")
                + ", at least \(LawFitter.leastError)²"
        case .residuals: "equal: no standard errors, the noise is that of repeats and residuals"
        case .unknown: "equal: no standard errors, the noise is not known"
        }
    }
}
