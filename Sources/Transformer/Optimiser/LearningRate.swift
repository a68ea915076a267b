package import Domain
internal import Glibc

/// The learning rate of each step: warm-up, then the schedule.
package struct LearningRate: Sendable {
    private let base: Double
    private let warmupSteps: Double
    private let expectedSteps: Double
    private let schedule: RateSchedule

    /// What a cosine ends at, as a share of the rate (a tenth, as arXiv 2203.15556 found sufficient).
    private static let floor = 0.1

    /// - Parameter stepsPerEpoch: optimiser steps of an epoch; 0 leaves warm-up and schedule out.
    package init(_ options: TrainingOptions, dim: Int = 64, stepsPerEpoch: Int) {
        let epochs = options.scheduleEpochs > 0 ? options.scheduleEpochs : options.maxEpochs
        base = options.learningRate * Width(options.widthRule, dim: dim).rate
        expectedSteps = Double(epochs * stepsPerEpoch)
        warmupSteps = max(
            (options.warmup * expectedSteps).rounded(.up), Double(stepsPerEpoch > 0 ? options.warmupSteps : 0))
        schedule = stepsPerEpoch > 0 ? options.schedule : .constant
    }

    /// The rate of step `step`, which counts from 1.
    package func rate(_ step: Int) -> Double {
        let step = Double(step)
        if step < warmupSteps { return base * step / warmupSteps }
        switch schedule {
        case .constant: return base
        case .cosine:
            let gone = min(1, (step - warmupSteps) / max(1, expectedSteps - warmupSteps))
            return base * (Self.floor + (1 - Self.floor) * 0.5 * (1 + cos(Double.pi * gone)))
        }
    }
}
