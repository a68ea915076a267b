package import Domain
package import Trials

/// `job.list`: jobs, newest first, without their trials.
package enum JobList: RPCMethod {
    package typealias Params = JobListParams
    package typealias Result = JobListResult
    package static let name = "job.list"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Which jobs.
package struct JobListParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, before, limit
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package static let largestPage = 10_000

    /// Only this dataset's.
    package var name: String?
    /// Only those with smaller numbers: the `next` of the answer before.
    package var before: Int64?
    /// 50 by default.
    package var limit: Int?

    package init(name: String? = nil, before: Int64? = nil, limit: Int? = nil) {
        (self.name, self.before, self.limit) = (name, before, limit)
    }
}

/// Jobs, newest first.
package struct JobListResult: Codable, Sendable, Hashable {
    package var jobs: [Job]
    /// Number to go on before; absent when these were the last.
    package var next: Int64?

    package init(jobs: [Job], next: Int64? = nil) {
        (self.jobs, self.next) = (jobs, next)
    }
}

/// A trial of a job.
package struct TrialState: Codable, Sendable, Hashable {
    package var id: Int64
    /// Place in the plan, from 1.
    package var index: Int
    package var state: TrialStatus
    package var configuration: Configuration
    package var userFraction: Double
    package var predictedSeconds: Double
    package var predictedEpochs: Double
    /// Standard deviation of ln(seconds) around the prediction; absent in plans of older versions.
    package var predictedLogDeviation: Double?
    /// Active seconds so far.
    package var seconds: Double
    /// Epochs of a finished trial.
    package var epochs: Int?
    /// Last progress of a running trial.
    package var progress: TrialProgress?
    /// Of a finished trial.
    package var converged: Bool?
    /// Test metrics of a finished trial.
    package var metrics: [String: Measurement]?
    /// Why it failed, was stopped early, was begun again or never started.
    package var message: String?
    /// How often it was begun again after its worker was killed or ran out of memory; absent where it never was.
    package var retries: Int?
    /// The last lines of its worker, where one ended badly; of many trials those of the last alone.
    package var log: String?

    package init(
        id: Int64, index: Int, state: TrialStatus, configuration: Configuration, userFraction: Double,
        predictedSeconds: Double, predictedEpochs: Double, predictedLogDeviation: Double? = nil, seconds: Double,
        epochs: Int? = nil, progress: TrialProgress? = nil, converged: Bool? = nil,
        metrics: [String: Measurement]? = nil, message: String? = nil, retries: Int? = nil, log: String? = nil
    ) {
        self.retries = retries
        self.log = log
        self.id = id
        self.index = index
        self.state = state
        self.configuration = configuration
        self.userFraction = userFraction
        self.predictedSeconds = predictedSeconds
        self.predictedEpochs = predictedEpochs
        self.predictedLogDeviation = predictedLogDeviation
        self.seconds = seconds
        self.epochs = epochs
        self.progress = progress
        self.converged = converged
        self.metrics = metrics
        self.message = message
    }
}

/// A job.
package struct Job: Codable, Sendable, Hashable {
    package var id: Int64
    /// `calibration`.
    package var kind: String
    package var dataset: String
    package var state: JobState
    package var createdAt: String
    package var endedAt: String?
    package var budgetSeconds: Double
    /// Seconds it was worked on; time while the daemon was down does not count.
    package var activeSeconds: Double
    /// Grows with every change that is stored; live progress between two of them keeps it.
    package var sequence: Int64
    package var trialCount: Int
    package var finishedTrials: Int
    /// Estimated time left.
    package var remainingSeconds: Double?
    package var message: String?
    /// Laws fitted when it ended.
    package var laws: [Int64]
    /// Absent in lists.
    package var trials: [TrialState]?
    /// What is known so far; absent for grids, and before there is a law.
    package var outlook: CalibrationOutlook?

    package init(
        id: Int64, kind: String, dataset: String, state: JobState, createdAt: String, endedAt: String? = nil,
        budgetSeconds: Double, activeSeconds: Double, sequence: Int64, trialCount: Int, finishedTrials: Int,
        remainingSeconds: Double? = nil, message: String? = nil, laws: [Int64], trials: [TrialState]? = nil,
        outlook: CalibrationOutlook? = nil
    ) {
        self.outlook = outlook
        self.id = id
        self.kind = kind
        self.dataset = dataset
        self.state = state
        self.createdAt = createdAt
        self.endedAt = endedAt
        self.budgetSeconds = budgetSeconds
        self.activeSeconds = activeSeconds
        self.sequence = sequence
        self.trialCount = trialCount
        self.finishedTrials = finishedTrials
        self.remainingSeconds = remainingSeconds
        self.message = message
        self.laws = laws
        self.trials = trials
    }
}
