internal import Costs
internal import Domain
package import Wire
package import Store
internal import Trials

/// What a calibration is expected to write, as docs/users/backup.md says: for each trial the ranks of its users, its log and its rows in the
/// database, and for each worker two checkpoints of the largest model, the old one and the new one.
package struct CalibrationForecast {
    /// Trials that have not ended.
    var trials: [(configuration: Configuration, seconds: Double)]
    /// Worker seconds of trials that are chosen later.
    var openSeconds: Double
    var workers: Int
    var evaluatedUsers: Int
    var items: Int

    package var bytes: Int {
        let seconds = trials.reduce(0) { $0 + $1.seconds }
        let mean = trials.isEmpty ? 60 : seconds / Double(trials.count)
        let more = min(Double(CalibrationSettings.mostTrials), openSeconds / max(1, mean))
        // A line of progress at most twice a second.
        let progress = Int(towardZero: 2 * 300 * min(1e7, seconds + openSeconds))
        // Of a model that the core does not train, as many as sasrec has.
        func parameters(_ c: Configuration) -> Int {
            let model = c.backbone.core == nil ? Model.sasrec : c.backbone
            return CostModel.parameters(
                Configuration(backbone: model, layers: c.layers, dim: c.dim, heads: c.heads, maxLength: c.maxLength),
                items: items)
        }
        let largest = trials.map { parameters($0.configuration) }.max() ?? 0
        // Parameters, the best ones, two moments, and the steps of rows.
        let checkpoint = 4 * (4 * largest + items)
        return (trials.count + Int(up: more)) * (12 * evaluatedUsers + 32_768) + progress
            + 2 * workers * checkpoint
    }
}

extension CalibrationForecast {
    package init(_ plan: CalibrationPlanResult, evaluatedUsers: Int, items: Int) {
        self.init(
            trials: plan.trials.map { ($0.configuration, $0.predictedSeconds) }, openSeconds: plan.openSeconds ?? 0,
            workers: plan.workers, evaluatedUsers: evaluatedUsers, items: items)
    }

    /// What a job that waits or runs is still to write.
    init(_ job: UnfinishedJob) {
        let trials = job.trials.filter { !$0.state.isFinal }.map { ($0.spec.configuration, $0.predictedSeconds) }
        let left = max(0, job.job.budgetSeconds - job.job.activeSeconds) * Double(job.workers)
        self.init(
            trials: trials, openSeconds: job.isOpen ? max(0, left - trials.reduce(0) { $0 + $1.1 }) : 0,
            workers: job.workers, evaluatedUsers: job.dataset.statistics?.evaluatedUsers ?? job.dataset.users ?? 0,
            items: job.dataset.items ?? 0)
    }

    /// What all calibrations that wait or run are still to write: of this process, and of one before it.
    package static func bytes(unfinished store: Store) async throws -> Int {
        try await store.unfinished().reduce(0) { $0 + CalibrationForecast($1).bytes }
    }
}
