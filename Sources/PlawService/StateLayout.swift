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

    /// Creates the folders, readable by the daemon's user alone.
    package func prepare() throws {
        for folder in [root, corpora, trials, uploads] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
    }

    /// Removes what a crash left over: uploads, corpora no dataset refers to, directories of trials that are gone.
    package func removeLeftovers(corpora known: Set<String>, trials: Set<Int64>) throws {
        let files = FileManager.default
        for name in try files.contentsOfDirectory(atPath: uploads) {
            try files.removeItem(atPath: uploads + "/" + name)
        }
        for name in try files.contentsOfDirectory(atPath: corpora) where !known.contains(name) {
            try files.removeItem(atPath: corpora + "/" + name)
        }
        for name in try files.contentsOfDirectory(atPath: self.trials) {
            if let id = Int64(name), trials.contains(id) { continue }
            try files.removeItem(atPath: self.trials + "/" + name)
        }
    }
}
