/// One task of a job in a scheduler's queue.
package struct ClusterTask: Sendable, Hashable {
    /// Name of its job, chosen by the daemon and used once. Numbers of jobs are not used: schedulers that crash give them out again.
    package var job: String
    /// From 0.
    package var index: Int

    package init(job: String, index: Int) {
        (self.job, self.index) = (job, index)
    }

    /// `JOB INDEX`, as an attempt keeps it.
    var text: String { "\(job) \(index)" }

    init?(text: String) {
        let words = text.split(separator: " ")
        guard words.count == 2, let index = Int(words[1]) else { return nil }
        self.init(job: String(words[0]), index: index)
    }
}

/// A job to be queued: tasks that run `script` with their index in `PLAW_TASK`, or in what the scheduler sets for it.
package struct ClusterJob: Sendable {
    package var name: String
    /// Where the script, its output and the lists of its tasks lie.
    package var folder: String
    package var script: String
    package var tasks: Int
    /// After which the scheduler may end a task.
    package var minutesPerTask: Int
}

/// What the daemon needs of a cluster's scheduler, and no more.
package protocol ClusterQueue: Sendable {
    /// Queues a job. A job may have been queued although this throws: look before trying again.
    ///
    /// - Throws: `WorkerError` with the scheduler's words.
    func submit(_ job: ClusterJob) async throws

    /// All tasks whose jobs' names begin with a prefix and that have not ended, with whether any of that name runs.
    ///
    /// - Throws: `WorkerError` where the scheduler does not answer; nothing is known then.
    func tasks(prefix: String) async throws -> [ClusterTask: Bool]

    /// Asks the script of a task to stop (SIGTERM), whether it runs or waits.
    func stop(_ task: ClusterTask) async throws

    /// Tells the script of a running task, and nothing else of it, to stop what it runs now.
    func signal(_ task: ClusterTask) async throws
}
