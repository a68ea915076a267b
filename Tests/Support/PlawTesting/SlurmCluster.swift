#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif
internal import Subprocess
internal import SystemPackage

/// A Slurm cluster of two nodes on this machine, started for a test.
package struct SlurmCluster: Sendable {
    package static let isInstalled = ["/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/bin/sbatch"].allSatisfy {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    package let folder: String

    package init(folder: String) { self.folder = folder }

    /// What its clients need in their environment as `SLURM_CONF`.
    package var configuration: String { folder + "/slurm.conf" }

    /// `start`, `stop`, `restart`, `node-down NODE`, `node-up NODE`.
    package func call(_ verb: String, _ more: String...) async throws {
        let script = Paths.root + "/Tests/Support/Slurm/cluster"
        let outcome = try await Subprocess.run(
            .path(FilePath(script)), arguments: Arguments([verb, folder] + more), input: .none, output: .discarded,
            error: .string(limit: 65_536))
        guard outcome.terminationStatus == .exited(0) else {
            throw Failure(
                description: "cluster \(verb) ended with \(outcome.terminationStatus): \(outcome.standardError)")
        }
    }

    private struct Failure: Error, CustomStringConvertible { var description: String }

    /// Runs `body` beside a cluster, which is ended in any case.
    package static func with<T>(in folder: String, _ body: (SlurmCluster) async throws -> T) async throws -> T {
        let cluster = SlurmCluster(folder: folder + "/slurm")
        try await cluster.call("start")
        let result: Result<T, any Error>
        do { result = .success(try await body(cluster)) } catch { result = .failure(error) }
        try await cluster.call("stop")
        return try result.get()
    }
}
