internal import Glibc
internal import Numerics

/// What weighted observations determine of a law, judged against their noise.
///
/// With J the Jacobian over the noise and its columns normalised, the law's parameters have covariance (JᵀJ)⁻¹ but for null
/// directions, in which they can move without any trace. Quantities follow to first order.
struct Identification {
    /// Observations beyond the independent parameters.
    let degrees: Int
    /// Condition number of the normalised Jacobian over its independent directions.
    let condition: Double
    /// Directions that the observations determine to within what is of any use.
    let rank: Int
    /// By coordinate: known to within what is of any use.
    let identified: [Bool]
    /// Student's factor of 90 % intervals.
    let reach: Double

    private let eigen: SymmetricEigen
    private let kept: [Int]
    private let norms: [Double]
    private let variance: Double

    /// - Parameters:
    ///   - weights: 1 / variance of each point.
    ///   - span: how far the metric spreads.
    init(
        _ form: LawForm, _ parameters: [Double], _ points: [LawPoint], weights: [Double], isScaleKnown: Bool,
        span: Double
    ) {
        let rows = points.enumerated().map { index, point in
            form.gradient(point.x, parameters).map { $0 * weights[index].squareRoot() }
        }
        let n = form.count
        let own = (0..<n).map { c in rows.reduce(0) { $0 + $1[c] * $1[c] }.squareRoot() }
        let norms = own.map { max($0, 1e-150) }
        func products(_ scales: [Double]) -> [[Double]] {
            var matrix = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
            for row in rows {
                for i in 0..<n { for j in 0..<n { matrix[i][j] += row[i] * scales[i] * row[j] * scales[j] } }
            }
            return matrix
        }
        let eigen = SymmetricEigen(products(norms.map { 1 / $0 }))
        let largest = max(eigen.values.last ?? 0, 1e-300)
        // Singular values are roots of eigenvalues: a ratio of 1e-6 between them is a null direction.
        let kept = (0..<n).filter { eigen.values[$0] > 1e-12 * largest }
        let degrees = max(0, points.count - kept.count)
        // What no step along the independent directions would explain: where the fit is singular it need not be at its best.
        let residuals = points.indices.map {
            weights[$0].squareRoot() * (points[$0].value - form.value(points[$0].x, parameters))
        }
        let slopes = (0..<n).map { i in zip(rows, residuals).reduce(0) { $0 + $1.0[i] * $1.1 } / norms[i] }
        let chi = kept.reduce(residuals.reduce(0) { $0 + $1 * $1 }) { sum, k in
            let along = zip(eigen.vectors[k], slopes).reduce(0) { $0 + $1.0 * $1.1 }
            return max(0, sum - along * along / eigen.values[k])
        }
        // More scatter than measured widens everything; where nothing was measured the scatter is all there is.
        let scatter = degrees > 0 ? chi / Double(degrees) : 1
        let variance = isScaleKnown ? max(1, scatter) : scatter
        let reach = studentQuantile95(Double(max(1, degrees)))
        (self.eigen, self.kept, self.norms, self.variance) = (eigen, kept, norms, variance)
        (self.degrees, self.reach) = (degrees, reach)
        condition = (largest / (kept.map { eigen.values[$0] }.min() ?? largest)).squareRoot()

        let limits = Self.limits(form, parameters, span)
        let deviations = (0..<n).map { i -> Double in
            let isNull = (0..<n).contains { !kept.contains($0) && abs(eigen.vectors[$0][i]) > 0.1 }
            guard own[i] > 1e-100, !isNull else { return .infinity }
            let sum = kept.reduce(0) { $0 + eigen.vectors[$1][i] * eigen.vectors[$1][i] / eigen.values[$1] }
            return (variance * sum).squareRoot() / norms[i]
        }
        identified = (0..<n).map { reach * deviations[$0] < limits[$0] }
        let scaled = SymmetricEigen(products(limits))
        let least = max(1e-12 * (scaled.values.last ?? 0), reach * reach * variance)
        rank = min(kept.count, scaled.values.count { $0 > least })
    }

    /// How well each coordinate has to be known to be of any use: an optimum to within an e-fold, the factor p to within a factor
    /// of e, what makes a curve to within itself, a level or a slope to within the spread of the metric.
    private static func limits(_ form: LawForm, _ parameters: [Double], _ span: Double) -> [Double] {
        form.names.indices.map { i in
            guard i < form.linearCount else {
                return form.names[i].hasPrefix("exponent") || form.names[i].hasPrefix("power") ? abs(parameters[i]) : 1
            }
            switch form.terms[i] {
            case .linex, .curve, .power, .published, .ratio: return abs(parameters[i])
            case .one, .log, .square, .product, .cross, .expected: return span
            }
        }
    }

    /// Standard deviation of a quantity whose derivatives by the coordinates are given; infinite where it changes along a null
    /// direction.
    func deviation(_ gradient: [Double]) -> Double {
        let whitened = zip(gradient, norms).map { $0 / $1 }
        let length = whitened.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length > 0 else { return 0 }
        guard length.isFinite else { return .infinity }
        var sum = 0.0
        for k in eigen.values.indices {
            let along = zip(eigen.vectors[k], whitened).reduce(0) { $0 + $1.0 * $1.1 }
            if kept.contains(k) {
                sum += along * along / eigen.values[k]
            } else if abs(along) > 0.1 * length {
                return .infinity
            }
        }
        return (variance * sum).squareRoot()
    }

    /// Central differences of named quantities at `parameters`; one that is missing on either side is left out.
    static func gradients(
        _ parameters: [Double], of quantities: (_ parameters: [Double]) -> [String: Double]
    ) -> [String: [Double]] {
        var gradients: [String: [Double]] = [:]
        var missing: Set<String> = []
        for i in parameters.indices {
            let step = 1e-5 * (abs(parameters[i]) + 0.01)
            var (up, down) = (parameters, parameters)
            up[i] += step
            down[i] -= step
            let (above, below) = (quantities(up), quantities(down))
            for name in Set(above.keys).union(below.keys) {
                guard let a = above[name], let b = below[name], a.isFinite, b.isFinite else {
                    missing.insert(name)
                    continue
                }
                gradients[name, default: [Double](repeating: 0, count: parameters.count)][i] = (a - b) / (2 * step)
            }
        }
        return gradients.filter { !missing.contains($0.key) }
    }
}
