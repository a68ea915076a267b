package import Domain
internal import Glibc
internal import Numerics

/// The validations of a training so far, and where it is heading.
///
/// A curve that has slowed down goes on to slow down: what it gained while its epochs doubled tells what is still to come. Over the
/// trainings of Benchmarks/trainings a quarter of that gain was left on average, a larger share where it was large, and early curves
/// told little: of 700 places along 57 curves in 3 more came than 1.645 deviations (docs/users/calibration.md).
package struct LearningCurve: Sendable, Hashable {
    /// The stopping metric after each epoch.
    package var values: [Double]
    /// What ranking by popularity has; a training that is no better has not begun to learn, and nothing follows from its curve.
    package var popularity: Double

    package init(_ values: [Double], popularity: Double = 0) {
        (self.values, self.popularity) = (values, popularity)
    }

    /// Epochs before which no training is called behind.
    private static let fewestEpochs = 6

    /// How much better than popularity a training is that has begun to learn.
    private static let begun = 1.25
    /// Standard deviation of ln(metric) between two trainings of one shape.
    private static let noise = 0.02

    /// The best value so far.
    package var best: Double { values.max() ?? 0 }

    /// What it would still gain if it went on until it stops by itself; nil where it has not begun to learn.
    package var forecast: Observation.Forecast? {
        guard best > 0, best > Self.begun * popularity,
            let half = values.prefix((values.count + 1) / 2).max(), half > 0
        else { return nil }
        let gained = log(best / half)
        return Observation.Forecast(
            gain: gained * (0.25 + 0.5 * min(gained, 0.5)),
            deviation: 0.01 + 0.3 * gained + 1.2 / Double(values.count))
    }

    /// Whether it will hardly come near to a value that another training has: its end lies under it in 95 of 100.
    package func isBehind(_ value: Double) -> Bool {
        guard value > 0, values.count >= Self.fewestEpochs, let forecast else { return false }
        let deviation = (forecast.deviation * forecast.deviation + 2 * Self.noise * Self.noise).squareRoot()
        return log(value / best) - forecast.gain > normalQuantile95 * deviation
    }
}
