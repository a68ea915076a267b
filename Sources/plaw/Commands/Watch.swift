import ArgumentParser

/// `plaw watch`: follows a job until it ends.
struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Follow a job until it ends; Ctrl-C detaches.")

    @Argument(help: "Number of the job.") var job: Int64
    @OptionGroup var common: Common

    func run() async throws { try await JobFollower(common: common, job: job).run() }
}
