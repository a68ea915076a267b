package import Domain
internal import Glibc

/// Why no law can be fitted.
package struct LawError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String
    /// Stable word: `mixed-keys`, `too-few`, `no-metric`.
    package var reason: String
}

/// Fits the performance law of arXiv 2412.00430 to observations of one key.
///
///     let law = try LawFitter(metric: Metric(.ndcg, 10)).fit(observations)
///     print(law.optimum.layers, law.predict(layers: 4, dim: 96, effectiveTokens: 60_000))
///
/// metric = w1 g(N; a1) + w2 g(d; a2) + w3 ln D' + b, g(x; a) = -1/(p x^a) - a ln x. For given optima and p the rest is a
/// weighted linear least-squares problem (variable projection): a dense grid over optima and p finds the basin, and
/// Levenberg-Marquardt steps with analytic derivatives polish the best cells. There are no start values and no randomness.
package struct LawFitter {
    package enum Estimator: String, Sendable, CaseIterable {
        case huber
        case leastSquares = "least-squares"
    }

    package var metric: Metric
    package var estimator: Estimator
    /// Fixes the factor p; nil profiles it.
    package var fixedP: Double?

    /// Fewest observations a law is fitted to.
    package static let fewest = 3

    package init(metric: Metric, estimator: Estimator = .huber, fixedP: Double? = nil) {
        self.metric = metric
        self.estimator = estimator
        self.fixedP = fixedP
    }

    /// Errors: `LawError` for observations of different keys (naming the first difference) or too few of them.
    package func fit(_ observations: [Observation]) throws -> LawFit {
        if let first = observations.first, let other = observations.first(where: { $0.key != first.key }) {
            throw LawError(
                description: "observations \(first.id) and \(other.id) are not comparable: "
                    + Self.difference(first.key, other.key), reason: "mixed-keys")
        }
        let usable = observations.filter { $0.converged && $0.metrics[metric.description] != nil }
        guard usable.count >= Self.fewest else {
            throw LawError(
                description:
                    "found \(usable.count) converged observations of \(metric), expected at least \(Self.fewest)",
                reason: "too-few")
        }
        let points = usable.map { point($0) }
        var model = chooseForms(points)
        var weights = points.map(\.weight)
        // Huber: an observation far from the law counts less, by iteratively reweighted least squares.
        for round in 0..<(estimator == .huber ? 8 : 1) {
            let weighted = zip(points, weights).map { p, w in
                var p = p
                p.weight = w
                return p
            }
            // The basin is found once; new weights only move its bottom.
            model = round == 0 ? search(model, weighted) : polish(model, project(&model, weighted), weighted).model
            if estimator == .leastSquares { break }
            let next = huberWeights(model, points)
            let change = zip(next, weights).map { abs($0 - $1) / max($1, 1e-300) }.max() ?? 0
            weights = next
            if change < 1e-6 { break }
        }
        return Summary(fitter: self, model: model, points: points, weights: weights, observations: usable)
            .fit(left: observations.count - usable.count)
    }

    private func point(_ observation: Observation) -> LawModel.Point {
        let measured = observation.metrics[metric.description] ?? Measurement(value: 0, standardError: 0)
        // A floor keeps a metric that happened to be 0, whose standard error is then 0, from deciding the fit.
        let error = max(measured.standardError, 1e-4)
        return LawModel.Point(
            lnLayers: log(Double(observation.configuration.layers)), lnDim: log(Double(observation.configuration.dim)),
            lnData: log(observation.effectiveTokens), value: measured.value, weight: 1 / (error * error))
    }

    private static func difference(_ a: LawKey, _ b: LawKey) -> String {
        let fields: [(String, String, String)] = [
            ("datasetVersion", a.datasetVersion, b.datasetVersion), ("split", a.split, b.split),
            ("mask", a.mask.rawValue, b.mask.rawValue), ("candidates", a.candidates, b.candidates),
            ("backbone", a.backbone.rawValue, b.backbone.rawValue), ("loss", a.loss.rawValue, b.loss.rawValue),
            ("negatives", "\(a.negatives)", "\(b.negatives)"), ("maxLength", "\(a.maxLength)", "\(b.maxLength)"),
            ("policy", a.policy, b.policy), ("codeVersion", a.codeVersion, b.codeVersion),
        ]
        return fields.first { $0.1 != $0.2 }.map { "\($0.0) is \($0.1) and \($0.2)" } ?? "their keys differ"
    }

    // MARK: - Form

    /// What the observations can determine: levels of each axis, and no more parameters than observations.
    private func chooseForms(_ points: [LawModel.Point]) -> LawModel {
        func form(_ levels: Int) -> AxisForm { levels >= 3 ? .linex : levels == 2 ? .log : .none }
        func levels(_ values: [Double]) -> Int { Set(values.map { ($0 * 1e9).rounded() }).count }
        var model = LawModel(
            layersForm: form(levels(points.map(\.lnLayers))), dimForm: form(levels(points.map(\.lnDim))),
            hasData: levels(points.map(\.lnData)) >= 2, profilesP: fixedP == nil)
        model.lnP = log(fixedP ?? 2)
        if abs(model.lnP) < 1e-6 { model.lnP = 1e-6 }
        if model.layersForm != .linex && model.dimForm != .linex { model.profilesP = false }
        // One degree of freedom is kept where it can be, given up in this order.
        if model.parameterNames.count >= points.count { model.profilesP = false }
        if model.parameterNames.count > points.count, model.layersForm == .linex { model.layersForm = .log }
        if model.parameterNames.count > points.count, model.dimForm == .linex { model.dimForm = .log }
        if model.parameterNames.count > points.count { model.hasData = false }
        if model.parameterNames.count > points.count { model.layersForm = .none }
        return model
    }

    private func huberWeights(_ model: LawModel, _ points: [LawModel.Point]) -> [Double] {
        let standardised = points.map { ($0.value - model.value($0)) * $0.weight.squareRoot() }
        // The scale is robust too: the median absolute residual, but never below what the measurement itself leaves.
        let sorted = standardised.map(abs).sorted()
        let scale = max(1, sorted[sorted.count / 2] * 1.4826)
        return zip(points, standardised).map { point, r in
            point.weight * min(1, 1.345 * scale / max(abs(r), 1e-300))
        }
    }

    // MARK: - Search

    /// The global weighted least-squares fit.
    private func search(_ form: LawModel, _ points: [LawModel.Point]) -> LawModel {
        func grid(_ values: [Double]) -> [Double] {
            let low = max(0.03, (values.min() ?? 0) - 1)
            let high = (values.max() ?? 0) + 1.5
            return (0..<28).map { low + (high - low) * Double($0) / 27 }
        }
        let layers = form.layersForm == .linex ? grid(points.map(\.lnLayers)) : [1]
        let dims = form.dimForm == .linex ? grid(points.map(\.lnDim)) : [1]
        let factors = form.profilesP ? [0.05, 0.2, 0.5, 0.9, 1.5, 2.2, 3.2, 4.5].flatMap { [$0, -$0] } : [form.lnP]
        var best: [(cost: Double, model: LawModel)] = []
        for lnP in factors {
            for t1 in layers {
                for t2 in dims {
                    var model = form
                    (model.lnP, model.layersOptimum, model.dimOptimum) = (lnP, t1, t2)
                    let cost = project(&model, points)
                    if best.count < 12 || cost < best[best.count - 1].cost {
                        best.append((cost, model))
                        best.sort { $0.cost < $1.cost }
                        if best.count > 12 { best.removeLast() }
                    }
                }
            }
        }
        let polished = best.map { polish($0.model, $0.cost, points) }
        return polished.min { $0.cost < $1.cost }?.model ?? form
    }

    /// Solves the linear coefficients for the model's shape; curvatures stay at or below 0. Returns the weighted cost.
    private func project(_ model: inout LawModel, _ points: [LawModel.Point]) -> Double {
        let rows = points.map { model.basis($0) }
        let count = rows[0].count
        var bounded: [Bool] = [false]
        if model.layersForm != .none { bounded.append(model.layersForm == .linex) }
        if model.dimForm != .none { bounded.append(model.dimForm == .linex) }
        if model.hasData { bounded.append(false) }
        var active = Array(0..<count)
        while true {
            var normal = [[Double]](repeating: [Double](repeating: 0, count: active.count), count: active.count)
            var right = [Double](repeating: 0, count: active.count)
            for (row, point) in zip(rows, points) {
                for (i, a) in active.enumerated() {
                    right[i] += point.weight * row[a] * point.value
                    for (j, b) in active.enumerated() { normal[i][j] += point.weight * row[a] * row[b] }
                }
            }
            guard let solution = solveDefinite(normal, right) else { return .infinity }
            // A curvature that wants to be positive, which would be a minimum, is held at 0.
            if let offender = active.indices.first(where: { bounded[active[$0]] && solution[$0] > 0 }) {
                active.remove(at: offender)
                continue
            }
            var coefficients = [Double](repeating: 0, count: count)
            for (i, a) in active.enumerated() { coefficients[a] = solution[i] }
            model.coefficients = coefficients
            return zip(rows, points).reduce(0) { sum, item in
                let residual = item.1.value - zip(item.0, coefficients).reduce(0) { $0 + $1.0 * $1.1 }
                return sum + item.1.weight * residual * residual
            }
        }
    }

    /// Levenberg-Marquardt over the shape, coefficients projected out after each step.
    private func polish(
        _ start: LawModel, _ startCost: Double, _ points: [LawModel.Point]
    ) -> (cost: Double, model: LawModel) {
        var model = start
        var cost = startCost
        var damping = 1e-3
        guard cost.isFinite, !model.shape.isEmpty else { return (cost, model) }
        for _ in 0..<120 {
            let gradients = points.map { model.gradient($0) }
            let n = gradients[0].count
            var normal = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
            var right = [Double](repeating: 0, count: n)
            for (row, point) in zip(gradients, points) {
                let residual = point.value - model.value(point)
                for i in 0..<n {
                    right[i] += point.weight * row[i] * residual
                    for j in 0..<n { normal[i][j] += point.weight * row[i] * row[j] }
                }
            }
            for i in 0..<n { normal[i][i] = normal[i][i] * (1 + damping) + 1e-12 * (normal[i][i] + 1e-12) }
            guard let step = solveDefinite(normal, right) else {
                damping *= 10
                if damping > 1e8 { break }
                continue
            }
            var next = model
            let shape = zip(model.shape, step.suffix(model.shape.count)).map { $0 + $1 }
            next.setShape(shape)
            let sane =
                next.layersOptimum > 0.01 && next.dimOptimum > 0.01 && abs(next.lnP) > 1e-4
                && next.layersOptimum < 12 && next.dimOptimum < 16 && abs(next.lnP) < 8
            let nextCost = sane ? project(&next, points) : .infinity
            if nextCost < cost {
                let gain = (cost - nextCost) / max(cost, 1e-300)
                (model, cost) = (next, nextCost)
                damping = max(damping / 5, 1e-12)
                if gain < 1e-14 { break }
            } else {
                damping *= 4
                if damping > 1e8 { break }
            }
        }
        return (cost, model)
    }
}
