internal import Calibration
internal import Glibc
internal import Wire
internal import Store

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Snapshots of the state on their way out. Each is a folder with a copy of the database and further names (hard links) of the
/// files that belong to it, so that what is removed or trained meanwhile changes nothing; clients read it as a tar archive.
actor Backups {
    /// Largest piece before base64.
    static let maximumPiece = 2 << 20
    /// Snapshots that may be open at once.
    static let maximumOpen = 4

    /// A snapshot that nobody read from for this long is given up; sooner when the connection that asked for it has ended, and nobody
    /// went on on another.
    private let patience: Duration
    private let patienceWithout: Duration

    private struct Snapshot {
        var archive: TarArchive
        var schema: String
        /// Finished with the snapshot, which ends what waits for its connection.
        var end: AsyncStream<Void>.Continuation
        var isLeft = false
        var touched = ContinuousClock.now
    }

    private let store: Store
    private let layout: StateLayout
    private let space: DiskSpace
    private let offload = Offload()
    private var snapshots: [String: Snapshot] = [:]
    /// Snapshots that are being made.
    private var inWork = 0

    init(
        store: Store, layout: StateLayout, space: DiskSpace, patience: Duration = .seconds(900),
        patienceWithout: Duration = .seconds(60)
    ) {
        (self.patience, self.patienceWithout) = (patience, patienceWithout)
        self.store = store
        self.layout = layout
        self.space = space
    }

    /// - Parameter beside: takes what is to run beside the connection until it ends.
    func answer(
        _ params: StoreBackupParams, beside: (@escaping @Sendable () async -> Void) throws -> Void
    ) async throws -> StoreBackupResult {
        guard let id = params.backupId else {
            guard params.offset == nil else {
                throw RPCError.missing("backupId", expected: "that of a snapshot, which is made with no members at all")
            }
            let (made, ended) = try await make()
            do {
                try beside { [self] in
                    for await _ in ended {}
                    await leave(made.backupId)
                }
            } catch {
                discard(made.backupId)
                throw error
            }
            return made
        }
        guard let offset = params.offset else {
            throw RPCError.missing("offset", expected: "a place in the archive beside backupId")
        }
        return try await piece(id, offset)
    }

    /// The connection that asked for a snapshot has ended, or the snapshot has.
    private func leave(_ id: String) { snapshots[id]?.isLeft = true }

    /// Gives up what nobody reads: it lies on the disk.
    func discardOverdue() {
        let now = ContinuousClock.now
        for (id, snapshot) in snapshots where now - snapshot.touched > (snapshot.isLeft ? patienceWithout : patience) {
            discard(id)
        }
    }

    private func make() async throws -> (StoreBackupResult, ended: AsyncStream<Void>) {
        discardOverdue()
        guard snapshots.count + inWork < Self.maximumOpen else {
            throw RPCError(.busy, "\(snapshots.count + inWork) backups are being read; try again later")
        }
        inWork += 1
        defer { inWork -= 1 }
        let id = UUID().uuidString.lowercased()
        let folder = layout.backups + "/" + id
        do {
            let schema = try await store.schemaVersion()
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            // The rest is linked.
            try await space.writing(layout.databaseBytes, for: "a copy of the database") {
                try await store.backup(to: folder + "/plawd.sqlite")
            }
            // Of the copy: a dataset may have been removed since.
            let (corpora, trials) = try await store.files(of: folder + "/plawd.sqlite")
            let archive = try await offload.run { [layout] in
                let files = try layout.link(corpora: corpora.sorted(), trials: trials.sorted(), into: folder)
                return try TarArchive(
                    root: folder, files: ["plawd.sqlite"] + files, time: Int(Date().timeIntervalSince1970))
            }
            let (ended, end) = AsyncStream.makeStream(of: Void.self)
            snapshots[id] = Snapshot(archive: archive, schema: schema, end: end)
            return (StoreBackupResult(backupId: id, bytes: archive.bytes, schemaVersion: schema), ended)
        } catch {
            // Nothing half-made stays behind; the folder may not be there yet.
            try? FileManager.default.removeItem(atPath: folder)
            if let error = error as? TarError { throw RPCError(.storeFailed, error.description) }
            throw error
        }
    }

    private func piece(_ id: String, _ offset: Int) async throws -> StoreBackupResult {
        guard let snapshot = snapshots[id] else {
            throw RPCError(.backupUnknown, "no backup \"\(id)\" is open; make one with store.backup {}")
        }
        let archive = snapshot.archive
        try RPCError.check("offset", offset, 0...archive.bytes - 1)
        snapshots[id]?.touched = .now
        let data: Data
        do {
            data = Data(try await offload.run { try archive.read(at: offset, count: Self.maximumPiece) })
        } catch let error as TarError {
            throw RPCError(.storeFailed, error.description)
        }
        // Whoever has the last byte has all of it.
        if offset + data.count == archive.bytes { discard(id) }
        return StoreBackupResult(
            backupId: id, bytes: archive.bytes, schemaVersion: snapshot.schema, data: data.base64EncodedString())
    }

    private func discard(_ id: String) {
        guard let snapshot = snapshots.removeValue(forKey: id) else { return }
        snapshot.end.finish()
        // What stays is removed at the next start.
        try? FileManager.default.removeItem(atPath: layout.backups + "/" + id)
    }
}

extension StateLayout {
    /// Gives the files of datasets and trials that have ended a second name in a folder; returns their paths in it.
    ///
    /// - Throws: `TarError` for a corpus that is gone or a file system without hard links.
    func link(corpora: [String], trials: [Int64], into folder: String) throws -> [String] {
        var names: [String] = []
        func add(_ name: String, from source: String) throws -> Bool {
            if Glibc.link(source, folder + "/" + name) == 0 {
                names.append(name)
                return true
            }
            if errno == ENOENT { return false }
            throw TarError("\(source): cannot be kept: \(String(cString: strerror(errno)))")
        }
        let files = FileManager.default
        try files.createDirectory(atPath: folder + "/corpora", withIntermediateDirectories: false)
        for corpus in corpora where !corpus.isEmpty {
            guard try add("corpora/" + corpus, from: self.corpora + "/" + corpus) else {
                throw TarError("\(corpus): was removed meanwhile; make the backup again")
            }
        }
        for trial in trials {
            // Not of trials in progress: what they leave is made again, and checkpoints are large.
            guard access("\(self.trials)/\(trial)/result.json", F_OK) == 0 else { continue }
            try files.createDirectory(atPath: "\(folder)/trials/\(trial)", withIntermediateDirectories: true)
            for file in ["spec.json", "ranks.bin", "worker.log", "progress.jsonl", "result.json"] {
                _ = try add("trials/\(trial)/\(file)", from: "\(self.trials)/\(trial)/\(file)")
            }
        }
        return names
    }
}
