import ArgumentParser
import Domain
import Wire

/// `plaw jobs`: calibrations, newest first.
struct Jobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List jobs, newest first.")

    @Argument(help: "Only this dataset's.") var name: String?
    @Option(help: "Limit on the jobs listed. Default: 50.") var limit: Int?
    @Option(help: "Only jobs with smaller numbers than this one.") var before: Int64?
    @OptionGroup var common: Common

    func run() async throws {
        try await common.show(JobList.self, JobListParams(name: name, before: before, limit: limit)) { list in
            guard !list.jobs.isEmpty else {
                Terminal.note("no job yet; begin with: plaw calibrate NAME --budget 10m")
                return
            }
            var table = Table("job", "dataset", "state", "trials", "active", "budget", "created", "message")
            table.leftAligned = [0, 1, 2, 7]
            for job in list.jobs {
                table.add(
                    "\(job.id)", job.dataset, job.state.rawValue, "\(job.finishedTrials)/\(job.trialCount)",
                    Format.seconds(job.activeSeconds), Format.seconds(job.budgetSeconds), job.createdAt,
                    job.message ?? "")
            }
            table.print()
            if let next = list.next { Terminal.note("older jobs are shown with: --before \(next)") }
        }
    }
}
