/// `job.cancel`: stops a job; finished trials are kept.
package enum JobCancel: RPCMethod {
    package typealias Params = JobID
    package typealias Result = Job
    package static let name = "job.cancel"
    package static let access = Access.write
    package static let isUrgent = true
    package static let ordering = Ordering.concurrent
}
