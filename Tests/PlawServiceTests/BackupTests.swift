import Foundation
import Client
import Domain
import PlawTesting
import Store
import Testing

@testable import PlawService
import StrictJSON
@testable import Wire

/// Snapshots of a working daemon, and daemons on what was restored from them.
@Suite struct BackupTests {
    private static func restore(_ file: String, in folder: String) async throws {
        let state = folder + "/state"
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
        let tar = try await runProgram(path: "/usr/bin/tar", ["-xf", file, "-C", state])
        #expect(tar.code == 0 && tar.errors.isEmpty, "\(tar.errors)")
    }

    /// Everything asked of a daemon that rests on its state.
    private static func answers(_ socket: String) async throws -> [JSONValue] {
        let name = JSONValue.object(["name": .string("demo")])
        return try await [
            raw(socket, "advisor.recommend", name), raw(socket, "law.list", .object([:])),
            raw(socket, "observation.list", name), raw(socket, "dataset.get", name),
            raw(socket, "job.list", .object([:])), raw(socket, "job.get", .object(["id": .integer(1)])),
            // Needs the corpus.
            raw(socket, "dataset.entropy", .object(["name": .string("demo"), "m": .integer(2)])),
        ]
    }

    @Test("an archive has no room for a name of more than 100 bytes, and says so")
    func longName() async throws {
        try await withTemporaryFolder { folder in
            for (length, isKept) in [(100, true), (101, false)] {
                let name = String(repeating: "n", count: length)
                try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
                let made = Result { try TarArchive(root: folder, files: [name], time: 0) }
                switch made {
                case .success: #expect(isKept)
                case .failure(let error): #expect(!isKept && "\(error)".contains("101 bytes, expected at most 100"))
                }
            }
        }
    }

    @Test("plaw backup writes what a daemon elsewhere goes on with, to the same answers")
    func restored() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/plawd.tar"
            let before = try await withCalibratedDaemon { daemon async throws in
                let outcome = try await runProgram("plaw", ["backup", file, "--socket", daemon.socket])
                #expect(outcome.code == 0, "\(outcome.errors)")
                #expect(outcome.errors.contains("backup written to \(file)"))
                #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/backups").isEmpty)
                let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
                #expect(mode == 0o600)
                return try await Self.answers(daemon.socket)
            }
            try await Self.restore(file, in: folder)
            _ = try await withDaemon(in: folder) { daemon async throws in
                #expect(try await Self.answers(daemon.socket) == before)
                let fitted = try await call(daemon.socket, LawFitMethod.self, LawFitParams(name: "demo")).laws
                // The ranks of users are there as well: the same law comes out.
                let law = try await call(daemon.socket, LawGet.self, LawGetParams(name: "demo"))
                #expect(fitted.contains { $0.fit == law.fit })
            }
        }
    }

    private static func read(_ client: PlawClient, _ made: StoreBackupResult) async throws -> Data {
        var archive = Data()
        while archive.count < made.bytes {
            let params = StoreBackupParams(backupId: made.backupId, offset: archive.count)
            let piece = try await client.call(StoreBackup.self, params)
            #expect(piece.bytes == made.bytes && piece.schemaVersion == made.schemaVersion)
            archive += try #require(Data(base64Encoded: piece.data ?? ""))
        }
        return archive
    }

    @Test("a snapshot is of its moment: what is removed or stored later changes nothing in it")
    func moment() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/plawd.tar"
            let later = try await syntheticFile(users: 60, items: 40)
            let before = try await withCalibratedDaemon { daemon async throws in
                let before = try await Self.answers(daemon.socket)
                let made = try await call(daemon.socket, StoreBackup.self, StoreBackupParams())
                _ = try await register(daemon.socket, "later", bytes: later)
                _ = try await call(daemon.socket, DatasetRemove.self, DatasetName(name: "demo"))
                try await PlawClient.withConnection(path: daemon.socket) { client in
                    try await Self.read(client, made).write(to: URL(filePath: file))
                }
                // Once read it is gone.
                let error = await #expect(throws: RPCError.self) {
                    try await call(
                        daemon.socket, StoreBackup.self, StoreBackupParams(backupId: made.backupId, offset: 0))
                }
                #expect(error?.reason == "backup-unknown")
                return before
            }
            try await Self.restore(file, in: folder)
            _ = try await withDaemon(in: folder) { daemon async throws in
                #expect(try await Self.answers(daemon.socket) == before)
                #expect(
                    try await call(daemon.socket, DatasetList.self, DatasetListParams()).datasets.map(\.name) == [
                        "demo"
                    ])
            }
        }
    }

    @Test("pieces may be read from anywhere, few snapshots are open at once, and a start removes them")
    func limits() async throws {
        try await withTemporaryFolder { folder in
            try await CalibratedState.shared.copy(to: folder)
            _ = try await withDaemon(in: folder) { daemon async throws in
                try await PlawClient.withConnection(path: daemon.socket) { client in
                    let made = try await client.call(StoreBackup.self, StoreBackupParams())
                    for _ in 0..<3 { _ = try await client.call(StoreBackup.self, StoreBackupParams()) }
                    let busy = await #expect(throws: RPCError.self) {
                        try await client.call(StoreBackup.self, StoreBackupParams())
                    }
                    #expect(busy?.reason == "busy")
                    for offset in [-1, made.bytes] {
                        let error = await #expect(throws: RPCError.self) {
                            let params = StoreBackupParams(backupId: made.backupId, offset: offset)
                            return try await client.call(StoreBackup.self, params)
                        }
                        #expect(error?.reason == "invalid-params")
                    }
                    // Pieces of the end first: the archive does not care.
                    var ends: [Int: Data] = [:]
                    for offset in [1, 511, 513, 100_001, made.bytes / 2] where offset < made.bytes - (2 << 20) {
                        let params = StoreBackupParams(backupId: made.backupId, offset: offset)
                        ends[offset] = Data(
                            base64Encoded: try await client.call(StoreBackup.self, params).data ?? "")
                    }
                    let whole = try await Self.read(client, made)
                    #expect(whole.count == made.bytes && made.bytes % 512 == 0)
                    for (offset, piece) in ends { #expect(whole[offset..<offset + piece.count] == piece) }
                }
                #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/backups").count == 3)
            }
            _ = try await withDaemon(in: folder) { daemon async throws in
                #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/backups").isEmpty)
            }
        }
    }

    private static func count(_ folder: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: folder + "/backups").count
    }

    @Test("a snapshot that nobody reads is given up, sooner when the connection that asked for it has ended")
    func patience() async throws {
        try await withTemporaryFolder { folder in
            let layout = StateLayout(root: folder)
            try layout.prepare()
            let store = try Store(path: layout.database)
            let backups = Backups(
                store: store, layout: layout, space: DiskSpace(root: folder, maximum: { nil }), patience: .seconds(4),
                patienceWithout: .seconds(1))
            let (beside, besides) = AsyncStream.makeStream(of: (@Sendable () async -> Void).self)
            func make() async throws -> String {
                try await backups.answer(StoreBackupParams()) { besides.yield($0) }.backupId
            }
            var bodies = beside.makeAsyncIterator()
            let left = try await make()
            let following = await bodies.next()
            let connection = Task { await following?() }
            let kept = try await make()
            #expect(try Self.count(folder) == 2)
            connection.cancel()
            await connection.value
            try await Task.sleep(for: .seconds(1.5))
            await backups.discardOverdue()
            #expect(try FileManager.default.contentsOfDirectory(atPath: layout.backups) == [kept])
            await #expect(throws: RPCError.self) {
                try await backups.answer(StoreBackupParams(backupId: left, offset: 0)) { _ in }
            }
            // Whoever reads keeps it. The last byte ends it, and with it what waits for the connection.
            _ = try await backups.answer(StoreBackupParams(backupId: kept, offset: 0)) { _ in }
            #expect(try Self.count(folder) == 0)
            let other = await bodies.next()
            await other?()
            #expect(following != nil && other != nil)
            _ = try await make()
            try await Task.sleep(for: .seconds(2))
            await backups.discardOverdue()
            #expect(try Self.count(folder) == 1)
            try await Task.sleep(for: .seconds(2.5))
            await backups.discardOverdue()
            #expect(try Self.count(folder) == 0)
            // What cannot be followed is not made.
            await #expect(throws: RPCError.self) {
                try await backups.answer(StoreBackupParams()) { _ in throw RPCError(.busy, "full") }
            }
            #expect(try Self.count(folder) == 0)
            try store.close()
        }
    }

    @Test("a backup that cannot be written leaves the file that was there")
    func unwritable() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let outcome = try await runProgram(
                    "plaw", ["backup", folder + "/absent/file", "--socket", daemon.socket])
                #expect(outcome.code == 1 && outcome.errors.contains("/absent/file: cannot be written"))
                // Said before a snapshot was made.
                #expect(try Self.count(daemon.state) == 0)
            }
        }
    }
}
