/// A named way to train, from which single options may differ. It is part of the key of observations.
package enum Recipe: String, Codable, Sendable, Hashable, CaseIterable {
    /// Trains every shape of every backbone to its end, in a fraction of the epochs: docs/contributors/training.md has it with what it was held
    /// against.
    case standard
    /// As arXiv 2301.00979 trained: one learning rate, batches of 256 users, ten validations of patience.
    case published

    /// Of the recipes but `published`: changes with what they say, so that observations of the old and the new are not mixed.
    package static let version = 2

    /// What of a dataset a recipe looks at.
    package struct Facts: Sendable, Hashable {
        /// Training positions of an epoch, and users that have any.
        package var tokens: Int
        package var users: Int

        package init(tokens: Int, users: Int) {
            (self.tokens, self.users) = (tokens, users)
        }
    }

    /// The options of a training on a dataset.
    package func options(_ facts: Facts, loss: Loss) -> TrainingOptions {
        switch self {
        case .published: TrainingOptions(negatives: loss.standardNegatives)
        case .standard:
            TrainingOptions(
                learningRate: 0.002, batchUsers: Self.batchUsers(facts), negatives: loss.standardNegatives,
                patience: 4, widthRule: .root,
                initialisation: .residual, averaging: 0.1, itemRate: 8, warmupSteps: 100, patienceSteps: 300,
                patienceShare: 0.3, leastGain: 0.005, recipe: .standard)
        }
    }

    /// Training positions of a batch, where an epoch has enough of them.
    private static let batchTokens = 1_500.0
    /// Steps of an epoch at least: validations must not be further apart than a small model needs to learn.
    private static let leastSteps = 24.0

    /// A batch has as many users as have about 1,500 training positions, whatever the length of their histories, and fewer where an
    /// epoch would have less than 24 steps.
    private static func batchUsers(_ facts: Facts) -> Int {
        let users = Double(max(1, facts.users))
        let wanted = min(users * batchTokens / Double(max(1, facts.tokens)), users / leastSteps)
        return min(65_536, max(1, Int(nearest: wanted)))
    }
}
