package import Domain
internal import Glibc
internal import Numerics

/// Predicts from a stored law: the families' processes, weighted.
///
/// Prepared once from what is stored, so equal after every reload, to the bit.
package final class LawPredictor: Sendable {
    /// What is expected of one configuration, in metric units.
    package struct Prediction: Sendable, Hashable {
        package var mean: Double
        /// Standard deviation of the law there: parameters, process, and the families' disagreement.
        package var lawDeviation: Double
        /// Standard deviation of one new training around it, on the same test users.
        package var trainingDeviation: Double
        /// Standard deviation of ln(metric) that all configurations have in common, where the level was never measured; else 0.
        package var levelDeviation = 0.0
        /// Student's degrees of freedom behind both.
        package var degrees: Double
        /// Whether anything tells how much a training varies.
        package var knowsNoise: Bool

        /// The 90 % interval of one new training on this dataset's test users, cut to [0, 1]; nil where nothing tells how much
        /// a training varies.
        package var interval: Interval? {
            guard knowsNoise else { return nil }
            let half =
                studentQuantile95(degrees)
                * (lawDeviation * lawDeviation + trainingDeviation * trainingDeviation).squareRoot()
            guard levelDeviation > 0, mean > 0 else {
                return Interval(low: max(0, mean - half), high: min(1, mean + half))
            }
            let share = half / mean
            let spread = exp(
                (studentQuantile95(degrees) * levelDeviation * studentQuantile95(degrees) * levelDeviation + share
                    * share)
                    .squareRoot())
            return Interval(low: mean / spread, high: min(1, mean * spread))
        }
    }

    /// Layers, dim and D' of a question.
    package struct Place: Sendable, Hashable {
        package var layers: Int
        package var dim: Int
        package var effectiveTokens: Double

        package init(layers: Int, dim: Int, effectiveTokens: Double) {
            (self.layers, self.dim, self.effectiveTokens) = (layers, dim, effectiveTokens)
        }
    }

    package let fit: LawFit
    let models: [(weight: Double, model: FamilyModel)]
    private let degrees: Double

    /// Whether anything tells how much a training varies.
    package var knowsNoise: Bool { fit.noise.source != .unknown }

    /// Standard deviations of the law in half of a 90 % interval.
    package var reach: Double { studentQuantile95(degrees) }

    package init(_ fit: LawFit) {
        self.fit = fit
        let points = (fit.places + (fit.expected ?? [])).map(\.point)
        let expectation = fit.prior.map(Expectation.init)
        models = fit.fits.compactMap { family in
            guard family.crossValidation.weight > 0 else { return nil }
            return FamilyModel(family, points: points, fixedP: fit.fixedP, expectation: expectation).map {
                (family.crossValidation.weight, $0)
            }
        }
        degrees =
            switch fit.noise.source {
            case .standardErrors:
                Double(max(3, fit.places.count - Design.leastPlaces, (fit.prior?.datasets ?? 0) - 2))
            case .residuals:
                Double(max(1, Design.noiseDegrees(replicates: fit.noise.replicates, places: points.count)))
            case .unknown: 1
            }
    }

    package func predict(layers: Int, dim: Int, effectiveTokens: Double) -> Prediction {
        predict(Place(layers: layers, dim: dim, effectiveTokens: effectiveTokens))
    }

    package func predict(_ place: Place) -> Prediction {
        let x = Design.place(place.layers, place.dim, place.effectiveTokens)
        return prediction(of: models.map { $0.model.process.place(x) })
    }

    /// The same at many places, together in less time.
    package func predict(_ places: [Place]) -> [Prediction] {
        let x = places.map { Design.place($0.layers, $0.dim, $0.effectiveTokens) }
        let found = models.map { $0.model.process.places(x) }
        return places.indices.map { place in prediction(of: found.map { $0[place] }) }
    }

    /// - Parameter places: what each model says of one.
    private func prediction(of places: [ProcessModel.Place]) -> Prediction {
        var mean = 0.0
        var square = 0.0
        for ((weight, _), place) in zip(models, places) {
            mean += weight * place.mean
            square += weight * (place.variance + place.mean * place.mean)
        }
        return Prediction(
            mean: mean, lawDeviation: max(0, square - mean * mean).squareRoot(), trainingDeviation: fit.noise.training,
            levelDeviation: fit.prior?.levelDeviation ?? 0, degrees: degrees, knowsNoise: knowsNoise)
    }

    /// What the metric changes by from one place to another: mean and standard deviation of the law, in which what both places
    /// share cancels.
    package func difference(_ from: Place, _ to: Place) -> (mean: Double, deviation: Double) {
        var mean = 0.0
        var square = 0.0
        for (weight, model) in models {
            let a = model.process.place(Design.place(from.layers, from.dim, from.effectiveTokens))
            let b = model.process.place(Design.place(to.layers, to.dim, to.effectiveTokens))
            let change = b.mean - a.mean
            let variance = max(0, a.variance + b.variance - 2 * model.process.covariance(a, b))
            mean += weight * change
            square += weight * (variance + change * change)
        }
        return (mean, max(0, square - mean * mean).squareRoot())
    }

    /// Whether an answer beyond the observations is believed rather than the best among them: by a law that predicted its largest
    /// observations, which has more there in 95 of 100.
    ///
    /// - Parameter change: from the best among the observations to the answer beyond.
    package func believes(_ change: (mean: Double, deviation: Double)) -> Bool {
        fit.predictsLargest == true && change.mean > normalQuantile95 * change.deviation
    }

    /// Whether an untrained answer is given rather than the best trained one: it has to have more in 60 of 100. Else a tie goes to
    /// what was measured and lies ready.
    ///
    /// - Parameter change: from the best trained to the untrained answer; from what the best trained measured where that counts.
    package func prefers(_ change: (mean: Double, deviation: Double)) -> Bool {
        change.mean > 0.25 * change.deviation
    }

    /// Whether an answer is given rather than the standard shape, which everybody would train.
    ///
    /// - Parameter change: from the standard shape to the answer.
    package func outdoes(_ change: (mean: Double, deviation: Double)) -> Bool {
        change.mean > Self.homeMargin * change.deviation
    }

    /// Standard deviations of the difference (docs/users/advisor.md).
    private static let homeMargin = 0.5

    /// Draws of the law at several places together: a row a draw, seeded.
    ///
    /// - Parameters:
    ///   - places: up to a few hundred; the cost grows with their cube.
    ///   - count: how many draws.
    ///   - seed: of the draws.
    package func draws(_ places: [Place], count: Int, seed: UInt64 = 1) -> [[Double]] {
        guard !places.isEmpty else { return [] }
        var random = SplitMix64(seed: seed)
        var rows: [[Double]] = []
        rows.reserveCapacity(count)
        var done = 0.0
        let n = places.count
        for (weight, model) in models {
            done += weight
            let upTo = Int(nearest: done * Double(count))
            guard upTo > rows.count else { continue }
            let spots = model.process.places(places.map { Design.place($0.layers, $0.dim, $0.effectiveTokens) })
            let means = spots.map(\.mean)
            let factor = model.process.drawFactor(spots)
            while rows.count < upTo {
                let white = (0..<n).map { _ in random.normal() }
                rows.append(
                    factor?.draw(white, around: means)
                        ?? (0..<n).map { means[$0] + spots[$0].variance.squareRoot() * white[$0] })
            }
        }
        return rows
    }
}
