internal import Glibc
internal import Numerics

/// How much longer than predicted something really took, as a smooth function of the shape, learnt from what was seen.
///
/// ln(actual / predicted) = a common part + a part that changes with (ln N, ln d) over about an e-fold (layers count half) + noise: a Gaussian
/// process around 0, so that nothing seen means nothing changed. The noise of old observations is larger, and so their say smaller.
struct Drift: Sendable, Hashable {
    /// ln N / 2 and ln d of what was seen.
    private let x: [Double]
    private let y: [Double]
    private var noise: Double
    /// Of the covariance; nil where something that was seen is no number, and nothing is learnt.
    private var factor: Cholesky?
    /// The covariance's inverse times the residuals.
    private var solved: [Double] = []

    /// Observations after which the newest counts twice as much as the oldest.
    static let halfLife = 24.0
    /// Standard deviations in the logarithm before anything was seen: of one trial around its shape's mean, of what all shapes have
    /// in common, and of what a shape has of its own.
    static let priorNoise = 0.1
    static let common = 0.25
    static let own = 0.2

    /// - Parameter seen: shapes with ln(actual / predicted), oldest first.
    init(_ seen: [(layers: Int, dim: Int, residual: Double)]) {
        x = seen.map { 0.5 * log(Double($0.layers)) }
        y = seen.map { log(Double($0.dim)) }
        noise = Self.priorNoise
        let weights = seen.indices.map { pow(0.5, Double(seen.count - 1 - $0) / Self.halfLife) }
        let residuals = seen.map(\.residual)
        solve(residuals, weights)
        // The scatter around the smooth function, with the prior's worth of two.
        var (squares, freedom) = (2 * Self.priorNoise * Self.priorNoise, 2.0)
        for i in residuals.indices {
            // What the function leaves of a residual is its noise's share of the solution.
            let left = solved[i] * noise * noise / weights[i]
            squares += weights[i] * left * left
            // What is left is less than the noise, by what the function has taken of it.
            let unit = factor?.forward(residuals.indices.map { $0 == i ? 1 : 0 }) ?? []
            freedom += noise * noise * unit.reduce(0) { $0 + $1 * $1 }
        }
        noise = (squares / freedom).squareRoot()
        solve(residuals, weights)
    }

    private func covariance(_ ax: Double, _ ay: Double, _ i: Int) -> Double {
        let (dn, dd) = (ax - x[i], ay - y[i])
        return Self.common * Self.common + Self.own * Self.own * exp(-0.5 * (dn * dn + dd * dd))
    }

    private mutating func solve(_ residuals: [Double], _ weights: [Double]) {
        let n = x.count
        let matrix = (0..<n * n).map { place in
            let (i, j) = place.quotientAndRemainder(dividingBy: n)
            return covariance(x[i], y[i], j) + (i == j ? noise * noise / weights[i] : 0)
        }
        factor = Cholesky(matrix, n: n)
        solved = factor?.solve(residuals) ?? [Double](repeating: 0, count: n)
    }

    /// What to add to ln(predicted).
    func shift(_ layers: Int, _ dim: Int) -> Double {
        let (ax, ay) = (0.5 * log(Double(layers)), log(Double(dim)))
        return solved.indices.reduce(0) { $0 + covariance(ax, ay, $1) * solved[$1] }
    }

    /// Standard deviation of one observation around the shifted prediction.
    func deviation(_ layers: Int, _ dim: Int) -> Double {
        let (ax, ay) = (0.5 * log(Double(layers)), log(Double(dim)))
        let known = factor?.forward(x.indices.map { covariance(ax, ay, $0) }) ?? []
        let prior = Self.common * Self.common + Self.own * Self.own
        return (noise * noise + max(0, prior - known.reduce(0) { $0 + $1 * $1 })).squareRoot()
    }
}
