/// `job.wait`: answers when the job has ended, or with its state when the time is over.
package enum JobWait: RPCMethod {
    package typealias Params = JobWaitParams
    package typealias Result = Job
    package static let name = "job.wait"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
    package static let effort = Effort.waiting
}

/// Which job.
package struct JobWaitParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case id, timeoutSeconds
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var id: Int64
    /// 60 by default, at most 3600.
    package var timeoutSeconds: Double?

    package init(id: Int64, timeoutSeconds: Double? = nil) {
        (self.id, self.timeoutSeconds) = (id, timeoutSeconds)
    }
}
