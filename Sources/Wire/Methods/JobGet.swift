/// `job.get`: one job with its trials.
package enum JobGet: RPCMethod {
    package typealias Params = JobID
    package typealias Result = Job
    package static let name = "job.get"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}
