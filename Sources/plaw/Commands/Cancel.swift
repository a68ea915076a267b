import Domain
import ArgumentParser
import Client
import Wire

/// `plaw cancel`: stops a job; what it has finished stays.
struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop a job; finished trials are kept and their laws fitted.")

    @Argument(help: "Number of the job.") var job: Int64
    @OptionGroup var common: Common

    func run() async throws {
        let id = job
        let ended = try await common.connected { client in
            let asked = try await client.call(JobCancel.self, JobID(id: id))
            // Workers stop at a checkpoint, which takes a moment.
            return asked.state.isFinal
                ? asked : try await client.call(JobWait.self, JobWaitParams(id: id, timeoutSeconds: 30))
        }
        try common.show(ended) { job in
            Terminal.print(
                "job \(job.id) is \(job.state.rawValue); \(job.finishedTrials) of \(job.trialCount) trials are kept")
        }
    }
}
