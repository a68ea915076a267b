internal import Numerics

/// Independent Gaussian priors.
struct Prior: Sendable {
    var means: [Double]
    var deviations: [Double]
}

extension NormalEquations {
    /// Adds a prior of the first `n` unknowns; `now` where the unknowns are a step from somewhere.
    func add(_ prior: Prior, _ n: Int, at now: [Double]?) {
        for m in 0..<n {
            let weight = 1 / (prior.deviations[m] * prior.deviations[m])
            matrix[m * n + m] += weight
            right[m] += weight * (prior.means[m] - (now?[m] ?? 0))
        }
    }
}

/// One observation as the laws see it, or several of one point averaged.
struct LawPoint: Sendable {
    /// ln N, ln d, ln D'.
    var x: SIMD3<Double>
    var value: Double
    /// Variance of the value.
    var variance: Double
    /// By how much the variance was raised because the point is an outlier.
    var inflation = 1.0
    /// Variance besides, that no factor of the noise scales: of what is expected and was not measured.
    var ownVariance = 0.0
}

extension [LawPoint] {
    /// How many values of an axis there are.
    func levels(_ axis: Axis) -> Int { Set(map { ($0.x[axis.rawValue] * 1e9).rounded() }).count }

    /// ln of the largest data size.
    var largestData: Double { map { $0.x[2] }.max() ?? 0 }

    /// Those of the largest data size, as good as all users.
    var ofWholeData: [LawPoint] {
        let largest = largestData
        return filter { $0.x[2] > largest - 0.05 }
    }
}
