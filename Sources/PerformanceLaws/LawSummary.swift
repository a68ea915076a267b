internal import Domain
internal import Glibc

/// Turns a fitted model into the record that is stored: statistics, identification, covariance, choices.
struct Summary {
    let fitter: LawFitter
    let model: LawModel
    let points: [LawModel.Point]
    let weights: [Double]
    let observations: [Observation]

    func fit(left: Int) -> LawFit {
        let fitted = points.map { model.value($0) }
        let residuals = zip(points, fitted).map { $0.value - $1 }
        let mean = points.reduce(0) { $0 + $1.value } / Double(points.count)
        let total = points.reduce(0) { $0 + ($1.value - mean) * ($1.value - mean) }
        let squares = residuals.reduce(0) { $0 + $1 * $1 }
        let r2 = total > 0 ? 1 - squares / total : 0
        let identification = identify()
        let degrees = points.count - identification.rank
        let names = model.parameterNames
        var parameters = model.published
        // Optima and the factor mean nothing where an axis turned out flat.
        if model.layersForm == .linex, model.layersCoefficient == 0 { ["w1", "a1"].forEach { parameters[$0] = nil } }
        if model.dimForm == .linex, model.dimCoefficient == 0 { ["w2", "a2"].forEach { parameters[$0] = nil } }
        let identified = names.enumerated().filter { identification.identified[$0.offset] }.map(\.element)
        return LawFit(
            metric: fitter.metric, family: "performance-law", parameters: parameters, identified: identified,
            rank: identification.rank, conditionNumber: identification.condition, r2: r2,
            adjustedR2: degrees > 0 ? 1 - (1 - r2) * Double(points.count - 1) / Double(degrees) : nil,
            optimum: LawFit.Optimum(
                layers: model.layersForm == .linex && model.layersCoefficient < 0 ? exp(model.layersOptimum) : nil,
                dim: model.dimForm == .linex && model.dimCoefficient < 0 ? exp(model.dimOptimum) : nil),
            residualDeviation: deviation(squares, degrees), covariance: identification.inverse.flatMap { $0 },
            covarianceParameters: names, degreesOfFreedom: max(0, degrees),
            layersRange: range(observations.map(\.configuration.layers)),
            dimRange: range(observations.map(\.configuration.dim)),
            effectiveTokensRange: [
                observations.map(\.effectiveTokens).min() ?? 0, observations.map(\.effectiveTokens).max() ?? 0,
            ],
            points: observations.indices.map { i in
                LawFit.Point(
                    observation: observations[i].id, layers: observations[i].configuration.layers,
                    dim: observations[i].configuration.dim, effectiveTokens: observations[i].effectiveTokens,
                    observed: points[i].value, fitted: fitted[i], residual: residuals[i], weight: weights[i])
            }, choices: choices(left: left))
    }

    private func range(_ values: [Int]) -> [Int] { [values.min() ?? 0, values.max() ?? 0] }

    /// Standard deviation of a new observation: what the residuals show, but not less than the measurement's own error.
    private func deviation(_ squares: Double, _ degrees: Int) -> Double {
        let measurement = (points.reduce(0) { $0 + 1 / $1.weight } / Double(points.count)).squareRoot()
        guard degrees > 0 else { return measurement }
        return max((squares / Double(degrees)).squareRoot(), measurement)
    }

    private struct Identification {
        var rank: Int
        var condition: Double
        var identified: [Bool]
        /// Pseudo-inverse of the weighted normal matrix: the covariance of the parameters.
        var inverse: [[Double]]
    }

    /// Rank and null directions of the column-normalised Jacobian.
    private func identify() -> Identification {
        let rows = points.enumerated().map { index, point in
            model.gradient(point).map { $0 * weights[index].squareRoot() }
        }
        let n = rows[0].count
        let norms = (0..<n).map { c in max(rows.reduce(0) { $0 + $1[c] * $1[c] }.squareRoot(), 1e-150) }
        var normal = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
        for row in rows {
            for i in 0..<n { for j in 0..<n { normal[i][j] += row[i] * row[j] / (norms[i] * norms[j]) } }
        }
        let eigen = SymmetricEigen(normal)
        let largest = max(eigen.values.last ?? 0, 1e-300)
        // Singular values are roots of eigenvalues: a ratio of 1e-6 between them is a null direction.
        let kept = (0..<n).filter { eigen.values[$0] > 1e-12 * largest }
        let identified = (0..<n).map { i in
            !(0..<n).contains { k in !kept.contains(k) && abs(eigen.vectors[k][i]) > 0.1 }
        }
        let variance = varianceFactor(rank: kept.count)
        let inverse = (0..<n).map { i in
            (0..<n).map { j in
                variance * kept.reduce(0) { $0 + eigen.vectors[$1][i] * eigen.vectors[$1][j] / eigen.values[$1] }
                    / (norms[i] * norms[j])
            }
        }
        let smallest = kept.map { eigen.values[$0] }.min() ?? largest
        return Identification(
            rank: kept.count, condition: (largest / smallest).squareRoot(), identified: identified, inverse: inverse)
    }

    /// Residual variance in units of the weights, not below 1: more scatter than measured widens everything.
    private func varianceFactor(rank: Int) -> Double {
        let degrees = points.count - rank
        guard degrees > 0 else { return 1 }
        let chi = points.enumerated().reduce(0) { sum, item in
            let residual = item.element.value - model.value(item.element)
            return sum + weights[item.offset] * residual * residual
        }
        return max(1, chi / Double(degrees))
    }

    /// The law as a formula, with the terms that the observations allow.
    private var form: String {
        func term(_ form: AxisForm, _ number: Int, _ axis: String) -> String? {
            switch form {
            case .none: nil
            case .log: "w\(number) ln \(axis)"
            case .linex: "w\(number) g(\(axis); a\(number))"
            }
        }
        let terms = [
            term(model.layersForm, 1, "N"), term(model.dimForm, 2, "d"), model.hasData ? "w3 ln D'" : nil, "b",
        ]
        let sum = terms.compactMap { $0 }.joined(separator: " + ")
        let usesG = model.layersForm == .linex || model.dimForm == .linex
        return sum + (usesG ? ", g(x; a) = -1/(p x^a) - a ln x" : "")
    }

    private func choices(left: Int) -> [String: String] {
        [
            "form": form,
            "layersAxis": model.layersForm.rawValue, "dimAxis": model.dimForm.rawValue,
            "dataAxis": model.hasData ? "log" : "none: one data size, D' and b cannot be told apart",
            "p": fitter.fixedP.map { "fixed at \($0)" }
                ?? (model.profilesP ? "profiled" : "fixed at 2: too few observations"),
            "estimator": fitter.estimator == .huber ? "Huber, 1.345 robust standard deviations" : "least squares",
            "weights": "1 / standard error², standard error at least 0.0001",
            "search":
                "grid of 28 x 28 optima and 16 values of p, variable projection, Levenberg-Marquardt from the best 12",
            "bounds": "no axis may have a minimum",
            "observations": "\(points.count) converged, \(left) left out",
            "metric": "\(fitter.metric) of the test targets, raw",
            "checkpoints": "final weights of the best validation epoch only",
        ]
    }
}
