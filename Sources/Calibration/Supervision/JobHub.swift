internal import Domain
internal import StrictJSON
package import Wire

/// Hands every change of a job to whoever follows it; a follower that is slow sees the latest state, and always the last.
package actor JobHub {
    private var followers: [Int64: [Int: AsyncStream<State>.Continuation]] = [:]
    /// Who waits for the end alone: a change of the job wakes none of them, and there may be thousands.
    private var waiting: [Int64: [Int: AsyncStream<Never>.Continuation]] = [:]
    private var nextFollower = 0
    /// Sequence of the last state handed on, by followed job: states are read one beside the other and may come out of order.
    private var latest: [Int64: Int64] = [:]

    package init() {}

    /// Where a job stands, as JSON that is written once for all followers.
    package struct State: Sendable {
        package let job: Job
        package let text: [UInt8]
    }

    /// One follower of a job.
    package struct Following: Sendable {
        let job: Int64
        let follower: Int
        /// States of the job from now on; ends after its final state.
        package let states: AsyncStream<State>
    }

    /// One that waits for the end of a job.
    struct Waiting: Sendable {
        let job: Int64
        let number: Int
        /// Ends with the job.
        let end: AsyncStream<Never>
    }

    /// Begins to follow a job; a follower that does not wait for the end must `leave`.
    package func follow(_ job: Int64) -> Following {
        let (stream, continuation) = AsyncStream.makeStream(of: State.self, bufferingPolicy: .bufferingNewest(1))
        nextFollower += 1
        followers[job, default: [:]][nextFollower] = continuation
        return Following(job: job, follower: nextFollower, states: stream)
    }

    /// Begins to wait for the end of a job; whoever does not stay until then must `leave`.
    func wait(for job: Int64) -> Waiting {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        nextFollower += 1
        waiting[job, default: [:]][nextFollower] = continuation
        return Waiting(job: job, number: nextFollower, end: stream)
    }

    /// Ends following a job.
    package func leave(_ following: Following) {
        followers[following.job]?.removeValue(forKey: following.follower)?.finish()
        if followers[following.job]?.isEmpty == true { forget(following.job) }
    }

    func leave(_ waiter: Waiting) {
        waiting[waiter.job]?.removeValue(forKey: waiter.number)?.finish()
        if waiting[waiter.job]?.isEmpty == true { waiting[waiter.job] = nil }
    }

    private func forget(_ job: Int64) {
        followers[job] = nil
        latest[job] = nil
    }

    /// Whether anybody is to be told of a job's changes, or of its end.
    package func hasFollowers(_ job: Int64) -> Bool { isFollowed(job) || waiting[job]?.isEmpty == false }

    /// Whether anybody is to be told of every change.
    func isFollowed(_ job: Int64) -> Bool { followers[job]?.isEmpty == false }

    /// - Throws: what writing the job as JSON throws.
    func publish(_ job: Job) throws {
        if job.state.isFinal {
            for waiter in (waiting.removeValue(forKey: job.id) ?? [:]).values { waiter.finish() }
        }
        guard isFollowed(job.id), job.sequence >= latest[job.id] ?? 0 else { return }
        latest[job.id] = job.sequence
        let state = State(job: job, text: try JSONWriter.bytes(of: job))
        for (follower, continuation) in followers[job.id] ?? [:] {
            if case .terminated = continuation.yield(state) { followers[job.id]?[follower] = nil }
            if job.state.isFinal { continuation.finish() }
        }
        if job.state.isFinal || followers[job.id]?.isEmpty == true { forget(job.id) }
    }

    /// Ends every stream, for shutdown.
    package func finish() {
        for continuation in followers.values.flatMap(\.values) { continuation.finish() }
        for continuation in waiting.values.flatMap(\.values) { continuation.finish() }
        (followers, waiting) = ([:], [:])
    }
}
