package import Store
internal import Trials
package import Wire

extension Job {
    /// A job as clients see it.
    package init(_ stored: StoredJob, trials: [StoredTrial]? = nil) {
        self.init(
            id: stored.id, kind: stored.kind, dataset: stored.dataset, state: stored.state,
            createdAt: stored.createdAt, endedAt: stored.endedAt, budgetSeconds: stored.budgetSeconds,
            activeSeconds: stored.activeSeconds, sequence: stored.sequence, trialCount: stored.trialCount,
            finishedTrials: stored.finishedTrials, message: stored.message, laws: stored.laws,
            trials: trials.map(Self.states), outlook: stored.outlook)
    }

    /// What an answer may hold of its workers' last lines, which take six times as much where they are no text.
    private static let mostLogBytes = 1 << 20

    /// The trials without the lines of older ones where they would be more than an answer holds.
    private static func states(_ trials: [StoredTrial]) -> [TrialState] {
        var (states, left) = (trials.map(TrialState.init), mostLogBytes)
        for place in states.indices.reversed() {
            left -= states[place].log?.utf8.count ?? 0
            if left < 0 { states[place].log = nil }
        }
        return states
    }
}

extension TrialState {
    init(_ trial: StoredTrial) {
        self.init(
            id: trial.id, index: trial.place, state: trial.state, configuration: trial.spec.configuration,
            userFraction: trial.spec.userFraction, predictedSeconds: trial.predictedSeconds,
            predictedEpochs: trial.predictedEpochs, predictedLogDeviation: trial.predictedLogDeviation,
            seconds: trial.seconds, epochs: trial.result?.epochs,
            converged: trial.result.map { $0.status == .converged }, metrics: trial.result?.test,
            message: trial.message, retries: trial.retries > 0 ? trial.retries : nil, log: trial.log)
    }
}
