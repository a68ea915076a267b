package import Wire

/// Hands every change of a job to whoever follows it; a follower that is slow sees the latest state, and always the last.
package actor JobHub {
    private var followers: [Int64: [Int: AsyncStream<Job>.Continuation]] = [:]
    private var nextFollower = 0
    /// Sequence of the last state handed on, by followed job: states are read one beside the other and may come out of order.
    private var latest: [Int64: Int64] = [:]

    package init() {}

    /// One follower of a job.
    package struct Following: Sendable {
        let job: Int64
        let follower: Int
        /// States of the job from now on; ends after its final state.
        package let states: AsyncStream<Job>
    }

    /// Begins to follow a job; a follower that does not wait for the end must `leave`.
    package func follow(_ job: Int64) -> Following {
        let (stream, continuation) = AsyncStream.makeStream(of: Job.self, bufferingPolicy: .bufferingNewest(1))
        nextFollower += 1
        let follower = nextFollower
        followers[job, default: [:]][follower] = continuation
        return Following(job: job, follower: follower, states: stream)
    }

    /// Ends following a job.
    package func leave(_ following: Following) {
        followers[following.job]?.removeValue(forKey: following.follower)?.finish()
        if followers[following.job]?.isEmpty == true { forget(following.job) }
    }

    private func forget(_ job: Int64) {
        followers[job] = nil
        latest[job] = nil
    }

    package func hasFollowers(_ job: Int64) -> Bool { followers[job]?.isEmpty == false }

    func publish(_ job: Job) {
        guard hasFollowers(job.id), job.sequence >= latest[job.id] ?? 0 else { return }
        latest[job.id] = job.sequence
        for (follower, continuation) in followers[job.id] ?? [:] {
            if case .terminated = continuation.yield(job) { followers[job.id]?[follower] = nil }
            if job.state.isFinal { continuation.finish() }
        }
        if job.state.isFinal || followers[job.id]?.isEmpty == true { forget(job.id) }
    }

    /// Ends every stream, for shutdown.
    package func finish() {
        for continuation in followers.values.flatMap(\.values) { continuation.finish() }
        followers = [:]
    }
}
