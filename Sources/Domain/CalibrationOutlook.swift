/// What a calibration would answer, and how good that is: of one whose trials are chosen one at a time.
package struct CalibrationOutlook: Codable, Sendable, Hashable {
    package var metric: Metric
    package var configuration: Configuration
    package var predicted: Double
    /// What the best configuration asked about is expected to have more, in metric units.
    package var expectedRegret: Double
    /// Trainings of the configuration on all users.
    package var trained: Int
    /// Expected regret over the predicted metric at which the calibration ends.
    package var tolerance: Double
    /// Whether that is reached, and nothing asked about is too far from what was trained to believe it.
    package var isReached: Bool
    /// The configuration asked about that is furthest from all that were trained, where the law was not shown to hold so far.
    package var untested: Configuration?
    /// Seconds of one worker that would halve the expected regret; absent where the design sees no way to.
    package var halvingSeconds: Double?

    package init(
        metric: Metric, configuration: Configuration, predicted: Double, expectedRegret: Double, trained: Int,
        tolerance: Double, isReached: Bool, untested: Configuration? = nil, halvingSeconds: Double? = nil
    ) {
        (self.metric, self.configuration, self.predicted) = (metric, configuration, predicted)
        (self.expectedRegret, self.trained, self.tolerance) = (expectedRegret, trained, tolerance)
        (self.isReached, self.untested, self.halvingSeconds) = (isReached, untested, halvingSeconds)
    }
}
