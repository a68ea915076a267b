internal import Domain
internal import Glibc
internal import Numerics

/// A law at several places together, as one normal distribution with the moments of the weighted families: what they are unsure
/// of, and where they disagree.
///
/// A further training conditions it in closed form. Its mean stays where it is as long as nothing is measured, so conditioning
/// tells what a training would teach before it is paid for.
package struct JointPosterior: Sendable {
    package let means: [Double]
    /// Row major.
    fileprivate var covariances: [Double]

    package func covariance(_ a: Int, _ b: Int) -> Double { covariances[a * means.count + b] }

    /// Variance of the law's difference between two places.
    package func differenceVariance(_ a: Int, _ b: Int) -> Double {
        max(0, covariance(a, a) + covariance(b, b) - 2 * covariance(a, b))
    }

    /// How much of `differenceVariance(a, b)` one training at `place` takes away, on average over what it may measure.
    ///
    /// - Parameters:
    ///   - a: a place.
    ///   - b: another place.
    ///   - place: where the training is.
    ///   - noise: variance of a training around the law.
    package func reduction(_ a: Int, _ b: Int, by place: Int, noise: Double) -> Double {
        let spread = covariance(place, place) + noise
        guard spread > 0 else { return 0 }
        let link = covariance(a, place) - covariance(b, place)
        return min(link * link / spread, differenceVariance(a, b))
    }

    /// Conditions on a training at `place` that measures what is expected there.
    package mutating func condition(on place: Int, noise: Double) {
        let n = means.count
        let spread = covariance(place, place) + noise
        guard spread > 0 else { return }
        let column = (0..<n).map { covariance($0, place) }
        // Safe: they are n x n numbers, and live as long as the closure.
        covariances.withUnsafeMutableBufferPointer { c in
            for i in 0..<n {
                let factor = column[i] / spread
                for j in 0..<n { c[i * n + j] -= factor * column[j] }
            }
        }
    }

    /// E[max over `places` - the value at `best`], by seeded draws; 0 for a single place.
    package func expectedRegret(of best: Int, among places: [Int], draws: Int = 512) -> Double {
        let n = places.count
        guard n > 1 else { return 0 }
        var matrix = [Double](repeating: 0, count: n * n)
        let top = places.map { covariance($0, $0) }.max() ?? 0
        for i in 0..<n { for j in 0...i { matrix[i * n + j] = covariance(places[i], places[j]) } }
        // Close places are all but equal: a little more of their variance keeps the factor definite.
        var factor: Cholesky?
        for share in [1e-9, 1e-7, 1e-5] where factor == nil {
            for i in 0..<n { matrix[i * n + i] += share * top + 1e-18 }
            factor = Cholesky(matrix, n: n)
        }
        guard let factor, let own = places.firstIndex(of: best) else { return 0 }
        var random = SplitMix64(seed: 11)
        var sum = 0.0
        var white = [Double](repeating: 0, count: n)
        let centre = places.map { means[$0] }
        for draw in 0..<draws {
            // Each draw and its mirror image: their mean errors cancel.
            for k in 0..<n { white[k] = draw % 2 == 0 ? random.normal() : -white[k] }
            let value = factor.draw(white, around: centre)
            sum += max(0, (value.max() ?? 0) - value[own])
        }
        return sum / Double(draws)
    }
}

extension LawPredictor {
    /// The law at some places together; the cost grows with the square of their number.
    package func joint(_ places: [Place]) -> JointPosterior {
        let n = places.count
        var means = [Double](repeating: 0, count: n)
        var covariances = [Double](repeating: 0, count: n * n)
        var centres: [(weight: Double, means: [Double])] = []
        for (weight, model) in models {
            let spots = places.map { model.process.place(Design.place($0.layers, $0.dim, $0.effectiveTokens)) }
            for i in 0..<n {
                means[i] += weight * spots[i].mean
                covariances[i * n + i] += weight * spots[i].variance
                for j in 0..<i { covariances[i * n + j] += weight * model.process.covariance(spots[i], spots[j]) }
            }
            centres.append((weight, spots.map(\.mean)))
        }
        for i in 0..<n {
            for j in 0...i {
                var sum = covariances[i * n + j]
                for (weight, own) in centres { sum += weight * (own[i] - means[i]) * (own[j] - means[j]) }
                covariances[i * n + j] = sum
                covariances[j * n + i] = sum
            }
        }
        return JointPosterior(means: means, covariances: covariances)
    }
}
