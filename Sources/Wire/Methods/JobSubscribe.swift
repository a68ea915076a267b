/// `job.subscribe`: sends `job.progress` notifications (params: the job) until it has ended; the final state is never dropped.
package enum JobSubscribe: RPCMethod {
    package typealias Params = JobID
    package typealias Result = Job
    package static let name = "job.subscribe"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}
