package import PlawProtocol

/// Hands every change of a job to whoever follows it; a follower that is slow sees the latest state, and always the last.
package actor JobHub {
    private var followers: [Int64: [Int: AsyncStream<Job>.Continuation]] = [:]
    private var nextFollower = 0

    package init() {}

    /// States of a job from now on; ends after its final state.
    package func follow(_ job: Int64) -> AsyncStream<Job> {
        let (stream, continuation) = AsyncStream.makeStream(of: Job.self, bufferingPolicy: .bufferingNewest(1))
        nextFollower += 1
        let follower = nextFollower
        followers[job, default: [:]][follower] = continuation
        return stream
    }

    package func hasFollowers(_ job: Int64) -> Bool { followers[job]?.isEmpty == false }

    func publish(_ job: Job) {
        for (follower, continuation) in followers[job.id] ?? [:] {
            if case .terminated = continuation.yield(job) { followers[job.id]?[follower] = nil }
            if job.state.isFinal { continuation.finish() }
        }
        if job.state.isFinal || followers[job.id]?.isEmpty == true { followers[job.id] = nil }
    }

    /// Ends every stream, for shutdown.
    package func finish() {
        for continuation in followers.values.flatMap(\.values) { continuation.finish() }
        followers = [:]
    }
}
