package import Domain
internal import Glibc
internal import Numerics

/// Epochs until the stopping rule ends training, learnt from trials that converged.
///
/// ln epochs = b + b_group + bN ln(N / 2) + bd ln(d / 48) + bs ln(share of users) + noise: least squares with normal priors, around what
/// the recipe takes before anything was trained. Trials of the same law key are a group of their own; those of the same backbone and loss on other data are groups
/// that tell the common part and the slopes.
package struct EpochModel: Sendable, Hashable {
    package struct Sample: Sendable, Hashable {
        package var layers: Int
        package var dim: Int
        package var userFraction: Double
        package var epochs: Int

        package init(layers: Int, dim: Int, userFraction: Double = 1, epochs: Int) {
            (self.layers, self.dim, self.userFraction, self.epochs) = (layers, dim, userFraction, epochs)
        }
    }

    /// Coefficients of 1, ln N, ln d and ln(share).
    let coefficients: [Double]
    /// Of (1, own group, centred ln N, ln d, ln share), row major.
    private let covariance: [Double]
    private let noise: Double
    /// Epochs after which training ends in any case.
    package var limit: Double

    /// Expected epochs before anything was trained, and how they change with ln N and ln d.
    struct Before: Sendable, Hashable {
        /// At 2 layers and d = 48.
        var epochs: Double
        var layers: Double
        var dim: Double
        /// And with ln(share of the users): steps are what patience counts by.
        var share: Double

        init(_ recipe: Recipe) {
            // The published runs on the Amazon sets stop after 34 to 47 epochs. With the standard recipe the trainings of
            // Benchmarks/trainings stopped after 26 at 2 x 48 on average, e^0.35 more or less from dataset to dataset (docs/users/costs.md).
            (epochs, layers, dim, share) =
                switch recipe {
                case .published: (40, 0, 0, 0)
                case .standard: (26, 0, -0.3, -0.7)
                }
        }

        /// ln epochs of a row.
        func value(_ row: [Double]) -> Double { log(epochs) + layers * row[1] + dim * row[2] + share * row[3] }
    }

    private static let centre = (layers: log(2.0), dim: log(48.0))
    /// Prior standard deviations in the logarithm: the common part, a group's, each slope; and of a trial around them.
    private static let prior = (common: 0.5, group: 0.4, slope: 0.3, noise: 0.3)
    /// Of the standard recipe the common part is known from many datasets: a few others here, small ones say, hardly move it.
    private static let knownCommon = 0.15

    /// - Parameters:
    ///   - recipe: of all of them.
    ///   - own: converged trials of the law key in question.
    ///   - others: those of the same backbone and loss elsewhere, a list for each key.
    package init(
        own: [Sample], others: [[Sample]] = [], recipe: Recipe = .published, limit: Double = .infinity
    ) {
        let before = Before(recipe)
        let groups = [own] + others.filter { !$0.isEmpty }
        let rows = groups.enumerated().flatMap { group, samples in
            samples.map { sample in
                let row = Self.row(sample.layers, sample.dim, sample.userFraction)
                return (row, group, log(Double(max(1, sample.epochs))) - before.value(row))
            }
        }
        let size = 4 + groups.count
        let common = recipe == .standard ? Self.knownCommon : Self.prior.common
        var fit = Self.solve(rows, size: size, noise: Self.prior.noise, common: common)
        // The scatter of the trials, with the prior's worth of four.
        let squares = rows.reduce(0.0) { sum, row in
            let off = row.2 - Self.predicted(row, fit.solution)
            return sum + off * off
        }
        let noise = ((4 * Self.prior.noise * Self.prior.noise + squares) / Double(4 + rows.count)).squareRoot()
        fit = Self.solve(rows, size: size, noise: noise, common: common)
        let b = fit.solution
        coefficients = [
            log(before.epochs) + b[0] + b[4] - (b[1] + before.layers) * Self.centre.layers
                - (b[2] + before.dim) * Self.centre.dim,
            b[1] + before.layers, b[2] + before.dim, b[3] + before.share,
        ]
        let used = [0, 4, 1, 2, 3]
        covariance = used.flatMap { i in used.map { fit.inverse[i * size + $0] } }
        self.noise = noise
        self.limit = limit
    }

    /// Epochs that half of such trainings exceed, at most the limit, and the standard deviation of their logarithm.
    package func expected(
        layers: Int, dim: Int, userFraction: Double = 1
    ) -> (epochs: Double, logDeviation: Double) {
        let row = Self.row(layers, dim, userFraction)
        let x = [1, 1, row[1], row[2], row[3]]
        var variance = noise * noise
        for i in 0..<5 { for j in 0..<5 { variance += x[i] * covariance[i * 5 + j] * x[j] } }
        let mean =
            coefficients[0] + coefficients[1] * log(Double(layers)) + coefficients[2] * log(Double(dim))
            + coefficients[3] * log(userFraction)
        return (min(limit, exp(mean)), variance.squareRoot())
    }

    private static func row(_ layers: Int, _ dim: Int, _ share: Double) -> [Double] {
        [1, log(Double(layers)) - centre.layers, log(Double(dim)) - centre.dim, log(max(1e-6, share))]
    }

    private static func predicted(_ row: ([Double], Int, Double), _ b: [Double]) -> Double {
        zip(row.0, b).reduce(0) { $0 + $1.0 * $1.1 } + b[4 + row.1]
    }

    /// Posterior mean of what differs from what was expected before, and covariance: (X'X / noise² + prior)^-1.
    private static func solve(
        _ rows: [([Double], Int, Double)], size: Int, noise: Double, common: Double
    ) -> (solution: [Double], inverse: [Double]) {
        var a = [Double](repeating: 0, count: size * size)
        var b = [Double](repeating: 0, count: size)
        for i in 0..<size {
            let deviation = i == 0 ? common : i < 4 ? prior.slope : prior.group
            a[i * size + i] = 1 / (deviation * deviation)
        }
        for (parts, group, value) in rows {
            var x = parts + [Double](repeating: 0, count: size - 4)
            x[4 + group] = 1
            for i in 0..<size where x[i] != 0 {
                for j in 0..<size { a[i * size + j] += x[i] * x[j] / (noise * noise) }
                b[i] += x[i] * value / (noise * noise)
            }
        }
        // The prior keeps it positive definite, but for more trials than there are.
        let inverse = Cholesky(a, n: size)?.inverse() ?? [Double](repeating: 0, count: size * size)
        let solution = (0..<size).map { i in (0..<size).reduce(0) { $0 + inverse[i * size + $1] * b[$1] } }
        return (solution, inverse)
    }
}
