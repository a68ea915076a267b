#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Where things lie in the state directory; the daemon writes nowhere else.
package struct StateLayout: Sendable {
    package var root: String

    package init(root: String) { self.root = root }

    package var database: String { root + "/plawd.sqlite" }
    package var corpora: String { root + "/corpora" }
    package var trials: String { root + "/trials" }
    package var uploads: String { root + "/uploads" }
    /// Snapshots that clients are reading; backups before migrations lie beside the database.
    package var backups: String { root + "/backups" }

    /// Size of the database with what waits to be written to it.
    var databaseBytes: Int {
        ["", "-wal"].reduce(0) { sum, suffix in
            let size = try? FileManager.default.attributesOfItem(atPath: database + suffix)[.size] as? Int
            return sum + (size ?? 0)
        }
    }

    /// Creates the folders, readable by the daemon's user alone.
    package func prepare() throws {
        for folder in [root, corpora, trials, uploads, backups] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
    }

    /// Removes what a crash left over: uploads, snapshots, corpora no dataset refers to, directories of trials that are gone, files half
    /// written in those of others.
    package func removeLeftovers(corpora known: Set<String>, trials: Set<Int64>) throws {
        let files = FileManager.default
        for folder in [uploads, backups] {
            for name in try files.contentsOfDirectory(atPath: folder) {
                try files.removeItem(atPath: folder + "/" + name)
            }
        }
        for name in try files.contentsOfDirectory(atPath: corpora) where !known.contains(name) {
            try files.removeItem(atPath: corpora + "/" + name)
        }
        for name in try files.contentsOfDirectory(atPath: self.trials) {
            let folder = self.trials + "/" + name
            if let id = Int64(name), trials.contains(id) {
                // A worker that was killed while it wrote leaves what is not whole.
                for file in try files.contentsOfDirectory(atPath: folder) where file.hasSuffix(".partial") {
                    try files.removeItem(atPath: folder + "/" + file)
                }
                continue
            }
            try files.removeItem(atPath: folder)
        }
    }
}
