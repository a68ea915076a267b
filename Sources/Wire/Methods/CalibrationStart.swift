/// `calibration.start`: starts a calibration as a job that outlives the connection.
package enum CalibrationStart: RPCMethod {
    package typealias Params = CalibrationParams
    package typealias Result = CalibrationStartResult
    package static let name = "calibration.start"
    package static let access = Access.write
    package static let effort = Effort.long
    package static let ordering = Ordering.concurrent
}

/// The job and its plan.
package struct CalibrationStartResult: Codable, Sendable, Hashable {
    package var job: Job
    package var plan: CalibrationPlanResult

    package init(job: Job, plan: CalibrationPlanResult) {
        (self.job, self.plan) = (job, plan)
    }
}
