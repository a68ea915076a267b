internal import Domain
internal import Glibc

/// A family as a formula: plain or Huber weighted least squares without priors, and what the observations determine of it.
struct Formula {
    let form: LawForm
    private let trainings: [LawPoint]
    private let weights: [Double]
    /// Whether the variances are known, or only how they compare.
    private let isScaleKnown: Bool
    private let solution: LawSearch.Solution

    /// - Parameter points: number of distinct places, which limits the parameters.
    init(
        _ family: LawFamily, trainings: [LawPoint], points: Int, fixedP: Double?, isHuber: Bool,
        isScaleKnown: Bool = true, expectation: Expectation? = nil
    ) {
        self.trainings = trainings
        self.isScaleKnown = isScaleKnown
        // One degree of freedom is kept where p would take it.
        let whole = LawForm(family, points: trainings, fixedP: fixedP, limit: points, expectation: expectation)
        form =
            whole.count >= points
            ? LawForm(
                family, points: trainings, fixedP: fixedP, profilesP: false, limit: points, expectation: expectation)
            : whole
        let form = form
        var weights = trainings.map { 1 / $0.variance }
        var search = LawSearch(form, trainings, weights: weights)
        var solution = search.solve()
        // Huber: an observation far from the law counts less, by iteratively reweighted least squares. The basin is found once;
        // new weights only move its bottom.
        for _ in 0..<(isHuber ? 8 : 0) {
            let next = Self.huberWeights(form, solution.parameters, trainings)
            let change = zip(next, weights).map { abs($0 - $1) / max($1, 1e-300) }.max() ?? 0
            if change < 1e-6 { break }
            weights = next
            search = LawSearch(form, trainings, weights: weights)
            solution.cost = .infinity
            solution = form.shapeCount > 0 ? search.polish(solution) : search.solve()
        }
        self.weights = weights
        self.solution = solution
    }

    func value(_ x: SIMD3<Double>) -> Double { form.value(x, solution.parameters) }

    private static func huberWeights(_ form: LawForm, _ parameters: [Double], _ points: [LawPoint]) -> [Double] {
        let standardised = points.map { ($0.value - form.value($0.x, parameters)) / $0.variance.squareRoot() }
        // The scale is robust too: the median absolute residual, but never below what the measurement itself leaves.
        let sorted = standardised.map(abs).sorted()
        let scale = max(1, sorted[sorted.count / 2] * 1.4826)
        return zip(points, standardised).map { point, r in
            min(1, 1.345 * scale / max(abs(r), 1e-300)) / point.variance
        }
    }

    // MARK: - The record

    func fit(
        metric: Metric, model: FamilyModel, score: CrossValidation, rows: [[Double]], _ checkStop: () throws -> Void
    ) throws -> FamilyFit {
        let residuals = trainings.map { $0.value - value($0.x) }
        let mean = trainings.reduce(0) { $0 + $1.value } / Double(trainings.count)
        let total = trainings.reduce(0) { $0 + ($1.value - mean) * ($1.value - mean) }
        let squares = residuals.reduce(0) { $0 + $1 * $1 }
        let r2 = total > 0 ? 1 - squares / total : 0
        let span = MetricSpan(trainings).data
        let known = Identification(
            form, solution.parameters, trainings, weights: weights, isScaleKnown: isScaleKnown, span: span)
        let degrees = known.degrees
        let published = PublishedForm(form)
        func quantities(_ parameters: [Double]) -> [String: Double] {
            let optimum = published.optimum(parameters)
            var values = published.parameters(parameters)
            values["layers"] = optimum.layers
            values["dim"] = optimum.dim
            return values
        }
        let all = published.parameters(solution.parameters)
        let gradients = Identification.gradients(solution.parameters, of: quantities)
        let parameters = all.filter { name, value in
            guard let gradient = gradients[name] else { return false }
            return known.reach * known.deviation(gradient) < published.limit(name, value, span: span)
        }
        let optimum = optimum(published, known, gradients)
        let intervals = try LawBootstrap(
            form: form, solution: solution, points: trainings, weights: weights
        ).intervals(of: rows, quantities: quantities, checkStop)
        let names = form.names
        return FamilyFit(
            family: form.family, metric: metric, form: published.text, parameters: parameters,
            intervals: intervals.filter {
                parameters[$0.key] != nil || ($0.key == "layers" && optimum.layers != nil)
                    || ($0.key == "dim" && optimum.dim != nil)
            },
            notIdentified: all.keys.filter { parameters[$0] == nil }.sorted(), names: names,
            identified: names.indices.filter { known.identified[$0] }.map { names[$0] }, rank: known.rank,
            conditionNumber: known.condition, r2: r2,
            adjustedR2: degrees > 0 ? 1 - (1 - r2) * Double(trainings.count - 1) / Double(degrees) : nil,
            degreesOfFreedom: degrees,
            residualDeviation: degrees > 0 ? (squares / Double(degrees)).squareRoot() : nil,
            optimum: optimum, axes: axes(known, optimum), crossValidation: score,
            process: FamilyFit.Process(
                parameters: model.process.parameters, amplitude: model.process.settings.amplitude,
                length: model.process.settings.length, noiseFactor: model.process.settings.noiseFactor,
                dataAmplitude: model.process.settings.dataAmplitude))
    }

    // MARK: - Identification

    /// The peak of each axis, where the observations determine it to an e-fold, and that it is one, and it lies within an e-fold of
    /// theirs.
    private func optimum(
        _ published: PublishedForm, _ known: Identification, _ gradients: [String: [Double]]
    ) -> FamilyFit.Optimum {
        let found = published.optimum(solution.parameters)
        func checked(_ axis: Axis, _ name: String, _ value: Double?) -> Double? {
            guard known.degrees > 0, let value, let gradient = gradients[name],
                let bend = form.terms.firstIndex(where: { $0.axis == axis && $0.bends })
            else { return nil }
            let levels = trainings.map { $0.x[axis.rawValue] }
            guard let low = levels.min(), let high = levels.max(), (low - 1...high + 1).contains(log(value)) else {
                return nil
            }
            var unit = [Double](repeating: 0, count: form.count)
            unit[bend] = 1
            let isPeak = known.reach * known.deviation(unit) < abs(solution.parameters[bend])
            return isPeak && known.reach * known.deviation(gradient) < value ? value : nil
        }
        return FamilyFit.Optimum(
            layers: checked(.layers, "layers", found.layers), dim: checked(.dim, "dim", found.dim))
    }

    /// Optimum, curvature and skew of each curved axis, as far as they are known: the optimum as above, the curvature to within
    /// half of itself, the skew to within 1.
    private func axes(_ known: Identification, _ optimum: FamilyFit.Optimum) -> [String: FamilyFit.AxisShape] {
        var axes: [String: FamilyFit.AxisShape] = [:]
        let k = form.linearCount
        for (place, term) in form.terms.enumerated() {
            guard case .linex(let axis, let peak, let factor) = term else { continue }
            let c = solution.parameters[place]
            guard c != 0 else { continue }
            let t = solution.parameters[k + peak]
            let lnP = factor.map { solution.parameters[k + $0] } ?? form.fixedLnP
            var unit = [Double](repeating: 0, count: form.count)
            unit[place] = 1
            let hasCurvature = known.degrees > 0 && known.reach * known.deviation(unit) < 0.5 * abs(c)
            var skew = [Double](repeating: 0, count: form.count)
            skew[k + peak] = -lnP / (t * t)
            if let factor { skew[k + factor] = 1 / t }
            let hasSkew = hasCurvature && known.reach * known.deviation(skew) < 1
            let best = axis == .layers ? optimum.layers : optimum.dim
            axes[axis == .layers ? "layers" : "dim"] = FamilyFit.AxisShape(
                optimum: best, curvature: hasCurvature ? c : nil, skew: hasSkew ? lnP / t : nil)
        }
        return axes
    }
}
