import Domain
import Client
import Wire
import UnixSignals

/// Follows a job on standard error until it ends or the user detaches; its result goes to standard output.
struct JobFollower: Sendable {
    let common: Common
    let job: Int64

    private enum End: Sendable {
        case ended(Job)
        case detached
        case disconnected
    }

    func run() async throws {
        let end = try await withThrowingTaskGroup(of: End.self) { group in
            let interrupts = await UnixSignalsSequence(trapping: .sigint)
            group.addTask {
                for await _ in interrupts { break }
                return .detached
            }
            group.addTask { try await follow() }
            defer { group.cancelAll() }
            return try await group.next() ?? .disconnected
        }
        switch end {
        case .ended(let job): try finish(job)
        case .detached:
            // Below the ^C.
            Terminal.note("")
            Terminal.note("detached; job \(job) goes on. Follow it with: plaw watch \(job)")
        case .disconnected:
            throw CommandFailure(
                "the daemon went away; job \(job) goes on when it is back. Follow it with: plaw watch \(job)")
        }
    }

    private func follow() async throws -> End {
        try await common.connected { client in
            var display = JobDisplay()
            let first = try await client.call(JobSubscribe.self, JobID(id: job))
            display.show(first)
            if !first.state.isFinal {
                for await notification in client.notifications where notification.method == Catalog.jobProgress {
                    let state = try notification.params(Job.self)
                    guard state.id == job else { continue }
                    display.show(state)
                    if state.state.isFinal { break }
                }
            }
            display.clear()
            let last = try await client.call(JobGet.self, JobID(id: job))
            return last.state.isFinal ? .ended(last) : .disconnected
        }
    }

    private func finish(_ job: Job) throws {
        try common.show(job) { job in
            Terminal.print(
                "job \(job.id) \(job.state.rawValue): \(job.finishedTrials) of \(job.trialCount) trials in "
                    + "\(Format.seconds(job.activeSeconds)) of \(Format.seconds(job.budgetSeconds))")
            if let comparison = JobDisplay.comparison(job) { Terminal.print(comparison) }
            if let message = job.message { Terminal.print(message) }
            if !job.laws.isEmpty {
                Terminal.print("laws \(job.laws.map(String.init).joined(separator: ", ")) are fitted")
                Terminal.print("next: plaw law \(job.dataset), plaw recommend \(job.dataset) --max-params 2M")
            }
        }
        // What was measured is kept, but nothing answers yet.
        if job.state == .finished, job.laws.isEmpty, job.finishedTrials > 0 {
            throw CommandFailure("job \(job.id) finished without a law: \(job.message ?? "too little was measured")")
        }
        if job.state == .failed { throw CommandFailure("job \(job.id) failed: \(job.message ?? "no trial finished")") }
    }
}
