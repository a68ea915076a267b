package import Domain

/// How long a trial of this machine really took: what later predictions learn from.
package struct TrialTiming: Codable, Sendable, Hashable {
    package var configuration: Configuration
    package var batchUsers: Int
    package var negatives: Int
    /// Trials that its job trained at once.
    package var atOnce: Int
    /// Training positions of an epoch, and users ranked by a validation.
    package var tokens: Int
    package var users: Int
    package var userFraction: Double
    package var epochs: Int
    /// Mean of its epochs' training, and of its validations.
    package var secondsPerEpoch: Double
    package var secondsPerValidation: Double
    /// Of the whole trial.
    package var seconds: Double
    package var converged: Bool
    /// Who ran it; nil for the daemon's own workers.
    package var executor: String?

    package init(
        configuration: Configuration, batchUsers: Int, negatives: Int, atOnce: Int, tokens: Int,
        users: Int, userFraction: Double, epochs: Int, secondsPerEpoch: Double, secondsPerValidation: Double,
        seconds: Double, converged: Bool, executor: String? = nil
    ) {
        self.executor = executor
        self.configuration = configuration
        self.batchUsers = batchUsers
        self.negatives = negatives
        self.atOnce = atOnce
        self.tokens = tokens
        self.users = users
        self.userFraction = userFraction
        self.epochs = epochs
        self.secondsPerEpoch = secondsPerEpoch
        self.secondsPerValidation = secondsPerValidation
        self.seconds = seconds
        self.converged = converged
    }

    /// What a trial tells; nil when it did not train an epoch.
    package init?(_ spec: TrialSpec, _ result: TrialResult, atOnce: Int) {
        guard result.epochs > 0, result.secondsPerEpoch > 0, result.secondsPerValidation > 0, result.tokens > 0 else {
            return nil
        }
        self.init(
            configuration: spec.configuration, batchUsers: spec.options.batchUsers, negatives: spec.options.negatives,
            atOnce: atOnce, tokens: result.tokens, users: result.users,
            userFraction: spec.userFraction, epochs: result.epochs, secondsPerEpoch: result.secondsPerEpoch,
            secondsPerValidation: result.secondsPerValidation, seconds: result.seconds,
            converged: result.status == .converged, executor: spec.executor)
    }
}
