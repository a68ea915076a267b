internal import Domain
internal import Glibc

/// A family as a formula: plain or Huber weighted least squares without priors, and what the observations determine of it.
struct Formula {
    let form: LawForm
    private let trainings: [LawPoint]
    private let weights: [Double]
    private let solution: LawSearch.Solution

    /// - Parameter points: number of distinct places, which limits the parameters.
    init(_ family: LawFamily, trainings: [LawPoint], points: Int, fixedP: Double?, isHuber: Bool) {
        self.trainings = trainings
        // One degree of freedom is kept where p would take it.
        let whole = LawForm(family, points: trainings, fixedP: fixedP, limit: points)
        form =
            whole.count >= points
            ? LawForm(family, points: trainings, fixedP: fixedP, profilesP: false, limit: points) : whole
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

    func fit(metric: Metric, model: FamilyModel, score: CrossValidation, rows: [[Double]]) -> FamilyFit {
        let residuals = trainings.map { $0.value - value($0.x) }
        let mean = trainings.reduce(0) { $0 + $1.value } / Double(trainings.count)
        let total = trainings.reduce(0) { $0 + ($1.value - mean) * ($1.value - mean) }
        let squares = residuals.reduce(0) { $0 + $1 * $1 }
        let r2 = total > 0 ? 1 - squares / total : 0
        let known = identify()
        let degrees = max(0, trainings.count - known.rank)
        let published = PublishedForm(form)
        var parameters = published.parameters(solution.parameters)
        for name in published.unidentified(known.identified) { parameters[name] = nil }
        let intervals = LawBootstrap(form: form, solution: solution, points: trainings, weights: weights).intervals(
            of: rows
        ) { parameters in
            let optimum = published.optimum(parameters)
            var values = published.parameters(parameters)
            if let layers = optimum.layers { values["layers"] = layers }
            if let dim = optimum.dim { values["dim"] = dim }
            return values
        }
        let names = form.names
        return FamilyFit(
            family: form.family, metric: metric, form: published.text, parameters: parameters,
            intervals: intervals.filter { parameters[$0.key] != nil || $0.key == "layers" || $0.key == "dim" },
            names: names, identified: names.indices.filter { known.identified[$0] }.map { names[$0] }, rank: known.rank,
            conditionNumber: known.condition, r2: r2,
            adjustedR2: degrees > 0 ? 1 - (1 - r2) * Double(trainings.count - 1) / Double(degrees) : nil,
            degreesOfFreedom: degrees,
            residualDeviation: degrees > 0 ? (squares / Double(degrees)).squareRoot() : nil,
            optimum: published.optimum(solution.parameters), axes: axes(known), crossValidation: score,
            process: FamilyFit.Process(
                parameters: model.process.parameters, amplitude: model.process.settings.amplitude,
                length: model.process.settings.length, noiseFactor: model.process.settings.noiseFactor,
                dataAmplitude: model.process.settings.dataAmplitude))
    }

    // MARK: - Identification

    private struct Known {
        var rank: Int
        var condition: Double
        /// By parameter: outside every null direction.
        var identified: [Bool]
        /// Standard deviation of each parameter; infinite in a null direction.
        var deviations: [Double]
    }

    /// Rank and null directions of the weighted, column-normalised Jacobian.
    private func identify() -> Known {
        let rows = trainings.enumerated().map { index, point in
            form.gradient(point.x, solution.parameters).map { $0 * weights[index].squareRoot() }
        }
        let n = form.count
        let largestNorm = (0..<n).map { c in rows.reduce(0) { $0 + $1[c] * $1[c] }.squareRoot() }
        let norms = largestNorm.map { max($0, 1e-150) }
        var normal = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
        for row in rows {
            for i in 0..<n { for j in 0..<n { normal[i][j] += row[i] * row[j] / (norms[i] * norms[j]) } }
        }
        let eigen = SymmetricEigen(normal)
        let largest = max(eigen.values.last ?? 0, 1e-300)
        // Singular values are roots of eigenvalues: a ratio of 1e-6 between them is a null direction.
        let kept = (0..<n).filter { eigen.values[$0] > 1e-12 * largest }
        let identified = (0..<n).map { i in
            largestNorm[i] > 1e-100 && !(0..<n).contains { k in !kept.contains(k) && abs(eigen.vectors[k][i]) > 0.1 }
        }
        let degrees = trainings.count - kept.count
        let chi = trainings.indices.reduce(0) { sum, i in
            let residual = trainings[i].value - value(trainings[i].x)
            return sum + weights[i] * residual * residual
        }
        // More scatter than measured widens everything.
        let variance = degrees > 0 ? max(1, chi / Double(degrees)) : 1
        let deviations = (0..<n).map { i -> Double in
            guard identified[i] else { return .infinity }
            let own = kept.reduce(0) { $0 + eigen.vectors[$1][i] * eigen.vectors[$1][i] / eigen.values[$1] }
            return (variance * own).squareRoot() / norms[i]
        }
        let smallest = kept.map { eigen.values[$0] }.min() ?? largest
        return Known(
            rank: kept.count, condition: (largest / smallest).squareRoot(), identified: identified,
            deviations: deviations)
    }

    /// Optimum, curvature and skew of each curved axis, and which of them are known: the optimum to within an e-fold, the curvature
    /// to within half of itself, the skew to within 1.
    private func axes(_ known: Known) -> [String: FamilyFit.AxisShape] {
        var axes: [String: FamilyFit.AxisShape] = [:]
        let k = form.linearCount
        let degrees = Double(max(1, trainings.count - known.rank))
        let reach = studentQuantile95(degrees)
        for (place, term) in form.terms.enumerated() {
            guard case .linex(let axis, let optimum, let factor) = term else { continue }
            let c = solution.parameters[place]
            guard c != 0 else { continue }
            let t = solution.parameters[k + optimum]
            let lnP = factor.map { solution.parameters[k + $0] } ?? form.fixedLnP
            var identified: [String] = []
            if reach * known.deviations[k + optimum] < 1 { identified.append("optimum") }
            if reach * known.deviations[place] < 0.5 * abs(c) { identified.append("curvature") }
            let byFactor = factor.map { known.deviations[k + $0] / t } ?? 0
            let byOptimum = abs(lnP) / (t * t) * known.deviations[k + optimum]
            if reach * (byFactor * byFactor + byOptimum * byOptimum).squareRoot() < 1 { identified.append("skew") }
            axes[axis == .layers ? "layers" : "dim"] = FamilyFit.AxisShape(
                optimum: exp(t), curvature: c, skew: lnP / t, identified: identified)
        }
        return axes
    }
}
