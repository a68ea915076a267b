extension TrainingOptions {
    /// How much better than ranking by popularity is no accident.
    package static let clearlyBetter = 1.25

    /// How much more patience there is before.
    private static func factor(_ recipe: Recipe) -> Int { recipe == .published ? 5 : 2 }

    /// Validations without improvement that end a training. Before a model is better than ranking by popularity it has not begun to
    /// learn: narrow and deep ones stay there for dozens of epochs first, and are given more time.
    ///
    /// - Parameters:
    ///   - steps: optimiser steps of an epoch.
    ///   - done: validations so far.
    ///   - stale: of them, those since the last improvement by `leastGain`.
    ///   - best: the best value of the stopping metric; 0 before the first validation.
    ///   - popularity: that of ranking by popularity.
    package func patience(steps: Int, done: Int, stale: Int, best: Double, popularity: Double) -> Int {
        let steps = max(1, steps)
        let validations = max(
            patience, (patienceSteps + steps - 1) / steps, Int(up: patienceShare * Double(done - stale)))
        return validations * (best > Self.clearlyBetter * popularity ? 1 : Self.factor(recipe))
    }
}
