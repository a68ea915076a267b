import ArgumentParser
import Domain
import Wire

/// `plaw status`: what the daemon is and does.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the daemon's version, state and load.")

    @OptionGroup var common: Common

    func run() async throws {
        try await common.show(ServerInfo.self, NoParams()) { info in
            Terminal.print("\(info.name) \(info.version), protocol \(info.protocolVersion), pid \(info.pid)")
            var table = Table("status", info.status)
            table.leftAligned = [0, 1]
            table.add("up", Format.seconds(info.uptimeSeconds))
            table.add("state", info.stateDirectory + ", schema " + info.schemaVersion)
            table.add("holds", "\(info.datasets) datasets, \(info.observations) observations, \(info.laws) laws")
            table.add("trains", "\(info.workers) trials at once; \(info.jobsRunning) jobs running")
            table.print()
        }
    }
}
