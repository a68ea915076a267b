internal import Glibc
internal import Numerics

/// The weighted least-squares fit of one form, found without start values.
///
/// For a given shape the coefficients are a linear least-squares solve (variable projection). A dense grid over the shape finds
/// every basin (`LawGrid`); Levenberg-Marquardt steps with analytic derivatives go to the bottom of the best. With a prior its terms
/// are added to the sum, and the result is the most probable law instead.
struct LawSearch {
    /// A law with numbers in it: coefficients, then shape; and what is left of the weighted sum of squares.
    struct Solution: Sendable {
        var parameters: [Double]
        var cost: Double
    }

    let form: LawForm
    let points: [LawPoint]
    let prior: Prior?
    /// Numbers of a column, a multiple of 4; what lies beyond the points is 0.
    let rows: Int
    /// Root of each point's weight.
    private(set) var roots: [Double]
    private(set) var target: [Double]
    /// Coefficients that may not be positive, a bit each.
    let bounded: Int
    /// Factor of the covariance of the observations where their errors depend on each other.
    private let covariance: Cholesky?
    let columns: LawColumns
    private let bounds: [ClosedRange<Double>]
    /// Of a full step; and of the coefficients alone, so that a step that fails leaves the first as it was.
    private let normal: NormalEquations
    private let linear: NormalEquations

    /// - Parameters:
    ///   - weights: instead of 1 / variance.
    ///   - covariance: of the observations, instead of weights; the grid does not know it.
    init(
        _ form: LawForm, _ points: [LawPoint], weights: [Double]? = nil, prior: Prior? = nil,
        covariance: Cholesky? = nil
    ) {
        self.form = form
        self.points = points
        self.prior = prior
        self.covariance = covariance
        rows = (points.count + 3) & ~3
        roots = [Double](repeating: 0, count: rows)
        for (i, point) in points.enumerated() {
            roots[i] = (weights?[i] ?? 1 / (point.variance + point.ownVariance)).squareRoot()
        }
        target = [Double](repeating: 0, count: rows)
        columns = LawColumns(form, points, roots: roots, covariance: covariance)
        bounds = (0..<form.shapeCount).map(form.bounds)
        bounded = (0..<form.linearCount).reduce(0) { $0 | (form.isBounded($1) ? 1 << $1 : 0) }
        normal = NormalEquations(form.count)
        linear = NormalEquations(form.linearCount)
        replaceValues(points.map(\.value))
    }

    /// The same search for other measured values of the same points.
    mutating func replaceValues(_ values: [Double]) {
        if let covariance {
            let white = covariance.forward(values)
            for i in values.indices { target[i] = white[i] }
        } else {
            for (i, value) in values.enumerated() { target[i] = value * roots[i] }
        }
    }

    /// The best law of all. Its basins are the grid's lowest cells, of each outer level.
    ///
    /// - Parameter exact: to the last digits; else as near as the next fit needs that starts from it.
    mutating func solve(keep: Int = 12, exact: Bool = true) -> Solution {
        guard form.shapeCount > 0 else {
            var only = Solution(parameters: [Double](repeating: 0, count: form.linearCount), cost: 0)
            only.cost = project(&only.parameters)
            return only
        }
        var found: [Solution] = []
        for shape in LawGrid(self).lowest(keep) {
            var start = Solution(parameters: [Double](repeating: 0, count: form.linearCount) + shape, cost: 0)
            start.cost = project(&start.parameters)
            found.append(polish(start, ends: found.map(\.parameters), enough: exact ? 1e-4 : 1e-9))
        }
        // Gauss-Newton steps are slow where the residuals bend more than the law: the bottom is found by Newton's.
        found.sort { $0.cost < $1.cost }
        let close = found.prefix(exact ? 3 : 1).filter { $0.cost <= found[0].cost * 1.5 }
        return (exact ? close.map { finish($0) } : Array(close)).min { $0.cost < $1.cost }
            ?? Solution(parameters: [Double](repeating: 0, count: form.count), cost: .infinity)
    }

    // MARK: - Linear part

    /// Solves the coefficients for the shape that stands in `parameters`; returns the cost.
    private mutating func project(_ parameters: inout [Double]) -> Double {
        let k = form.linearCount
        // Safe: there are `count` parameters, and they live as long as the closure.
        parameters.withUnsafeBufferPointer { p in
            // A law has at least its level, so there is a base address.
            guard let base = p.baseAddress else { return }
            columns.fill(base, slopes: false)
        }
        let (c, rows) = (columns.values, rows)
        // Safe: the target and each of the columns have `rows` numbers, and live as long as the closure.
        target.withUnsafeBufferPointer { target in
            guard let y = target.baseAddress else { return }
            for m in 0..<k {
                linear.right[m] = dot(c + m * rows, y, rows)
                for n in 0...m {
                    let value = dot(c + m * rows, c + n * rows, rows)
                    linear.matrix[m * k + n] = value
                    linear.matrix[n * k + m] = value
                }
            }
        }
        if let prior { linear.add(prior, k, at: nil) }
        guard linear.solve(k, bounded: bounded) > -.infinity else { return .infinity }
        for m in 0..<k { parameters[m] = linear.solution[m] }
        // Summed anew: the difference of large sums would hide a perfect fit.
        subtractLaw(parameters)
        var cost = dot(columns.residual, columns.residual, rows)
        if let prior {
            for m in 0..<form.count {
                let off = (parameters[m] - prior.means[m]) / prior.deviations[m]
                cost += off * off
            }
        }
        return cost.isFinite ? cost : .infinity
    }

    /// Leaves in `columns.residual` what the law does not explain.
    private func subtractLaw(_ parameters: [Double]) {
        let rest = columns.residual
        for i in target.indices { rest[i] = target[i] }
        for m in 0..<form.linearCount { subtract(columns.values + m * rows, times: parameters[m], from: rest, rows) }
    }

    // MARK: - Shape

    /// Goes downhill from a law by Levenberg-Marquardt steps; coefficients are solved anew after each.
    ///
    /// - Parameters:
    ///   - start: with its cost, or a cost that is not finite where it is to be solved first.
    ///   - ends: where earlier descents ended; one that comes close to any gives up.
    ///   - enough: ends after three steps that gain less, as a share of the cost.
    mutating func polish(_ start: Solution, steps: Int = 80, ends: [[Double]] = [], enough: Double = 1e-9) -> Solution {
        let (k, s, n) = (form.linearCount, form.shapeCount, form.count)
        var now = start
        if !now.cost.isFinite { now.cost = project(&now.parameters) }
        guard now.cost.isFinite, s > 0 else { return now }
        var damping = 1e-3
        var stalled = 0
        var isFresh = false
        for _ in 0..<steps {
            if !isFresh {
                assemble(now.parameters)
                isFresh = true
                if ends.contains(where: { end in
                    (k..<n).allSatisfy { abs(end[$0] - now.parameters[$0]) < 1e-3 * (abs(end[$0]) + 0.01) }
                }) {
                    break
                }
            }
            // A coefficient at its bound is no reason to move the shape.
            let held = (0..<k).reduce(0) { $0 | (bounded >> $1 & 1 == 1 && now.parameters[$1] == 0 ? 1 << $1 : 0) }
            guard normal.step(k, n, held: held, damping) else {
                damping *= 10
                if damping > 1e10 { break }
                continue
            }
            var next = now
            // A step far beyond what the curve was seen at leads out of the basin.
            let reach =
                form.published
                ? (0..<s).map { 0.3 * (abs(now.parameters[k + $0]) + 0.05) / max(abs(normal.solution[k + $0]), 1e-300) }
                    .min() ?? 1 : 1
            for place in 0..<s {
                let bound = bounds[place]
                let old = now.parameters[k + place]
                var value = old + min(1, reach) * normal.solution[k + place]
                // Halfway to a bound is near enough for one step.
                if value < bound.lowerBound { value = (old + bound.lowerBound) / 2 }
                if value > bound.upperBound { value = (old + bound.upperBound) / 2 }
                next.parameters[k + place] = value
            }
            next.cost = project(&next.parameters)
            if next.cost < now.cost {
                let gain = (now.cost - next.cost) / max(now.cost, 1e-300)
                now = next
                isFresh = false
                damping = max(damping / 8, 1e-12)
                stalled = gain < enough ? stalled + 1 : 0
                if gain < 1e-14 || stalled > 2 { break }
            } else {
                damping *= 5
                if damping > 1e10 { break }
            }
        }
        return now
    }

    /// Goes on by Newton steps in the shape. Second derivatives are differences of the analytic first ones.
    private mutating func finish(_ start: Solution) -> Solution {
        let (k, s, n) = (form.linearCount, form.shapeCount, form.count)
        var now = start
        // Half the slope of the cost, downhill, with the coefficients at their best.
        func downhill(_ parameters: [Double], _ search: inout LawSearch) -> [Double] {
            var parameters = parameters
            _ = search.project(&parameters)
            search.assemble(parameters)
            return (k..<n).map { search.normal.right[$0] }
        }
        var damping = 0.0
        for _ in 0..<20 {
            let slope = downhill(now.parameters, &self)
            var hessian = [Double](repeating: 0, count: s * s)
            for i in 0..<s {
                let step = 1e-4 * (abs(now.parameters[k + i]) + 0.01)
                var (up, down) = (now.parameters, now.parameters)
                up[k + i] += step
                down[k + i] -= step
                let (a, b) = (downhill(up, &self), downhill(down, &self))
                for j in 0..<s {
                    hessian[i * s + j] -= (a[j] - b[j]) / (4 * step)
                    hessian[j * s + i] -= (a[j] - b[j]) / (4 * step)
                }
            }
            var gain = 0.0
            for _ in 0..<12 {
                var matrix = hessian
                for i in 0..<s { matrix[i * s + i] += damping * max(abs(hessian[i * s + i]), 1e-12) }
                if let factor = Cholesky(matrix, n: s) {
                    let step = factor.solve(slope)
                    var next = now
                    for i in 0..<s {
                        let value = now.parameters[k + i] + step[i]
                        next.parameters[k + i] = min(max(value, bounds[i].lowerBound), bounds[i].upperBound)
                    }
                    next.cost = project(&next.parameters)
                    if next.cost < now.cost {
                        gain = (now.cost - next.cost) / max(now.cost, 1e-300)
                        now = next
                        damping /= 30
                        break
                    }
                }
                damping = max(damping * 5, 1e-3)
            }
            if gain < 1e-13 { break }
        }
        return now
    }

    /// The normal equations of a full step in all parameters.
    private mutating func assemble(_ parameters: [Double]) {
        let n = form.count
        // Safe: there are `count` parameters, and they live as long as the closure.
        parameters.withUnsafeBufferPointer { p in
            guard let base = p.baseAddress else { return }
            columns.fill(base, slopes: true)
        }
        subtractLaw(parameters)
        let (c, r, rows) = (columns.values, columns.residual, rows)
        for m in 0..<n {
            normal.right[m] = dot(c + m * rows, r, rows)
            for o in 0...m {
                let value = dot(c + m * rows, c + o * rows, rows)
                normal.matrix[m * n + o] = value
                normal.matrix[o * n + m] = value
            }
        }
        if let prior { normal.add(prior, n, at: parameters) }
    }
}
