internal import Glibc

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
    /// Scripts of jobs in the queues of clusters.
    package var clusters: String { root + "/clusters" }
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
    ///
    /// - Throws: `StateError`, also where the database was lost; nothing else
    ///   is created then.
    package func prepare() throws {
        try Self.makeFolder(root)
        try Self.refuseShared(root)
        try refuseLostDatabase()
        for folder in [corpora, trials, uploads, backups] {
            try Self.makeFolder(folder)
            try Self.refuseShared(folder)
        }
    }

    /// Whoever may write to a folder may replace what lies in it, databases and corpora alike.
    ///
    /// - Throws: `StateError`.
    package static func refuseShared(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw StateError("\(path): cannot be examined: \(String(cString: strerror(errno)))")
        }
        guard status.st_uid == geteuid() else {
            throw StateError(
                "\(path): belongs to user \(status.st_uid), and plawd runs as user \(geteuid()); give it to that user (chown), or "
                    + "name a directory of its own with --state-directory")
        }
        guard status.st_mode & 0o022 == 0 else {
            throw StateError(
                "\(path): may be written by others (mode \(String(status.st_mode & 0o7777, radix: 8))); take that right away "
                    + "(chmod go-w), or name another directory with --state-directory")
        }
    }

    /// Creates a folder and those above it.
    ///
    /// - Throws: `StateError` naming what is in the way.
    package static func makeFolder(_ path: String) throws {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += made.isEmpty || made == "/" ? String(part) : "/" + part
            var status = stat()
            if stat(made, &status) == 0 {
                guard status.st_mode & S_IFMT == S_IFDIR else {
                    throw StateError("\(made): is no directory, and one is needed there")
                }
            } else if mkdir(made, 0o700) != 0 {
                throw StateError("\(made): cannot be created: \(String(cString: strerror(errno)))")
            }
        }
    }

    /// Beside a new database the files of a former one would be leftovers.
    private func refuseLostDatabase() throws {
        var status = stat()
        let isThere = stat(database, &status) == 0
        // One of no bytes is what a crash leaves of a first start, and what a slip of the hand leaves of any.
        guard isThere ? status.st_size == 0 : errno == ENOENT else { return }
        let folder = try [corpora, trials, uploads, backups].first { try !Self.names(in: $0).isEmpty }
        let former = try Self.names(in: root).first {
            $0.hasPrefix("plawd.sqlite.") && !$0.contains(".partial")
        }
        let log = database + "-wal"
        let hasLog = stat(log, &status) == 0 && status.st_size > 0
        guard let found = folder ?? former.map({ root + "/" + $0 }) ?? (hasLog ? log : nil) else { return }
        throw StateError(
            "\(database): \(isThere ? "is empty" : "is missing"), though \(found) is not from an empty state; nothing was "
                + "changed. Put the database back from a backup, or name an empty directory with --state-directory")
    }

    /// What lies in a folder; nothing where there is none.
    ///
    /// - Throws: `StateError`.
    private static func names(in folder: String) throws -> [String] {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return [] }
        guard descriptor >= 0, close(descriptor) == 0 else {
            throw StateError("\(folder): cannot be listed: \(String(cString: strerror(errno)))")
        }
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    // MARK: - Leftovers

    /// Removes what a crash left over: uploads, snapshots, corpora no dataset refers to, directories of trials that are gone, files half
    /// written in those of others. Only what has a name and a kind that the daemon gives is removed; returns the paths of what else
    /// is there.
    ///
    /// - Throws: `StateError`.
    func removeLeftovers(corpora known: Set<String>, trials: Set<Int64>) throws -> [String] {
        var strangers: [String] = []
        func clear(_ folder: String, unless isInUse: (String) -> Bool = { _ in false }, _ isOwn: (String) -> Bool)
            throws
        {
            for name in try Self.names(in: folder) where !isInUse(name) {
                let path = folder + "/" + name
                guard isOwn(name) else {
                    strangers.append(path)
                    continue
                }
                guard unlink(path) == 0 || (try? FileManager.default.removeItem(atPath: path)) != nil else {
                    throw StateError("\(path): cannot be removed: \(String(cString: strerror(errno)))")
                }
            }
        }
        // Trials that measured speeds; there are none where no executor is configured.
        try? FileManager.default.removeItem(atPath: clusters + "/probes")
        try clear(uploads) { Self.isRandom($0) && Self.kind(uploads + "/" + $0) == S_IFREG }
        try clear(backups) { Self.isRandom($0) && Self.kind(backups + "/" + $0) == S_IFDIR }
        try clear(corpora, unless: known.contains) { Self.isCorpus($0) && Self.kind(corpora + "/" + $0) == S_IFREG }
        let ids = Set(trials.map(String.init))
        try clear(self.trials, unless: ids.contains) { Self.isTrial($0, self.trials + "/" + $0) }
        for id in ids.sorted() {
            // A worker that was killed while it wrote leaves what is not whole.
            try clear("\(self.trials)/\(id)", unless: { !$0.hasSuffix(".partial") }) { Self.trialFiles.contains($0) }
        }
        return strangers
    }

    /// What a trial's directory may hold.
    private static let trialFiles: Set<String> = {
        let files = ["spec.json", "progress.jsonl", "checkpoint", "ranks.bin", "result.json", "worker.log"]
        return Set(files + files.map { $0 + ".partial" } + ["attempts"])
    }()

    private static func kind(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }

    /// Names of uploads and snapshots.
    private static func isRandom(_ name: String) -> Bool {
        UUID(uuidString: name) != nil && name.lowercased() == name
    }

    /// `<dataset>.<8 digits>.corpus`, whole or not.
    private static func isCorpus(_ name: String) -> Bool {
        let whole = name.hasSuffix(".partial") ? name.dropLast(8) : name[...]
        let parts = whole.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts.last == "corpus" else { return false }
        let digits = parts[parts.count - 2]
        return digits.utf8.count == 8 && digits.allSatisfy { "0123456789abcdef".contains($0) }
            && (try? DatasetService.check(name: parts.dropLast(2).joined(separator: "."))) != nil
    }

    private static func isTrial(_ name: String, _ path: String) -> Bool {
        guard let id = Int64(name), id > 0, String(id) == name, kind(path) == S_IFDIR else { return false }
        return (try? names(in: path))?.allSatisfy(trialFiles.contains) == true
    }
}

/// A state directory that cannot be used: what is in the way, and what to do.
package struct StateError: Error, Sendable, CustomStringConvertible {
    package var description: String
    init(_ description: String) { self.description = description }
}
