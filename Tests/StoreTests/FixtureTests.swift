import Domain
import Foundation
import GRDB
import Wire
import PlawTesting
import Testing
import Trials

@testable import Store

/// A database of every schema that was ever used, as SQL, with what a daemon stored in it: datasets, a calibration, a diverged
/// trial, observations that were measured and imported, laws.
@Suite struct FixtureTests {
    static let schemas = [
        "1-datasets-jobs-laws", "2-latency", "3-timings", "4-keys-with-filters", "5-laws-of-all-families",
        "6-trials-one-at-a-time", "7-trial-states",
        "8-unsaid-is-absent",
    ]

    /// Makes the database of a schema.
    static func make(_ number: Int, at path: String) async throws {
        try await load("\(Paths.root)/Tests/Schemas/schema-\(number).sql", at: path)
    }

    /// Makes a database of a file of SQL.
    static func load(_ file: String, at path: String) async throws {
        let sql = try String(contentsOfFile: file, encoding: .utf8)
        var configuration = GRDB.Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try await queue.writeWithoutTransaction { db in try db.execute(sql: sql) }
        try queue.close()
    }

    /// Rows of all tables, a line each.
    private func rows(_ path: String) async throws -> [String] {
        let queue = try DatabaseQueue(path: path)
        let lines = try await queue.read { db in
            try String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
                .flatMap { table in try Row.fetchAll(db, sql: "SELECT * FROM \(table)").map { "\(table) \($0)" } }
        }
        try queue.close()
        return lines
    }

    @Test("there is a database of every schema") func complete() {
        #expect(Schema.migrator.migrations == Self.schemas)
    }

    @Test("a database of every schema becomes one of the newest, with everything it held", arguments: 1...8)
    func upgrade(number: Int) async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            try await Self.make(number, at: path)
            let before = try await rows(path)
            #expect(before.count > 20)
            let store = try Store(path: path)
            #expect(try await store.schemaVersion() == Self.schemas.last)
            #expect(try await store.integrityCheck() == "ok")
            let broken = try await store.read("check") { try Row.fetchAll($0, sql: "PRAGMA foreign_key_check").count }
            #expect(broken == 0)
            let books = try await store.dataset("books").info
            #expect(books.interactions ?? 0 > 0 && books.entropy != nil)
            let jobs = try await store.jobs(dataset: nil, limit: 10).jobs
            #expect(jobs.map(\.state) == [.finished])
            let trials = try await store.trials(of: jobs[0].id)
            #expect(trials.map(\.state) == [.finished, .finished, .finished, .diverged])
            #expect(trials.allSatisfy { $0.retries == 0 && $0.log == nil && $0.result != nil })
            let observations = try await store.observations(of: "books")
            #expect(observations.count == 3)
            #expect(Set(observations.map(\.key)).count == 1 && observations[0].key.filter == .said("none"))
            #expect(try await store.observations(of: "elsewhere").count == 2)
            for name in ["books", "elsewhere"] {
                let known = try await store.observations(of: name)
                for (limit, bytes) in [(1, Int.max), (10, 1)] {
                    let page = try await store.observationPage(
                        of: name, after: known[0].id, limit: limit, mostBytes: bytes)
                    #expect(page.observations == [known[1]])
                    #expect(page.next == (known.count > 2 ? known[1].id : nil))
                }
            }
            let timings = try await store.timings(of: "books", .sasrec, .cce)
            #expect(timings.count == 3)
            // Laws of one family are not served any more; they are to be fitted anew.
            let laws = try await store.staleLaws().count
            #expect(try await store.laws(of: "books").count == (number < 5 ? 0 : 2))
            #expect(number < 5 ? laws > 0 : laws == 0)
            try store.close()

            // What it was before lies beside it, and a daemon of that time could go on with it.
            let backups = try FileManager.default.contentsOfDirectory(atPath: folder)
                .filter { $0.hasPrefix("plawd.sqlite.") }
            if number == Self.schemas.count {
                #expect(backups == [])
            } else {
                #expect(backups == ["plawd.sqlite." + Self.schemas[number - 1]])
                let kept = Store.backupPath(path, schema: Self.schemas[number - 1])
                #expect(try await rows(kept) == before)
                let mode = try FileManager.default.attributesOfItem(atPath: kept)[.size] as? Int
                #expect(mode ?? 0 > 4_096)
            }
            // Opened again there is nothing to keep.
            let again = try Store(path: path)
            try again.close()
            let files = try FileManager.default.contentsOfDirectory(atPath: folder)
                .filter { !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") }
            #expect(files.count == (number == Self.schemas.count ? 1 : 2), "\(files)")
        }
    }

    @Test("what cannot be kept before a migration is not migrated")
    func noBackup() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            try await Self.make(6, at: path)
            let before = try await rows(path)
            // A folder stands where the copy would.
            let kept = Store.backupPath(path, schema: Self.schemas[5])
            try FileManager.default.createDirectory(atPath: kept + "/x", withIntermediateDirectories: true)
            let error = #expect(throws: StoreError.self) { try Store(path: path) }
            #expect(error?.description.contains("back the database up") == true)
            #expect(try await rows(path) == before)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".partial") } == [])
        }
    }

    @Test("a copy made while others write is of one moment and needs no second file")
    func copies() async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(path: folder + "/plawd.sqlite")
            _ = try await store.sampleJob()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { for number in 0..<60 { _ = try await store.sampleJob("d\(number)") } }
                for number in 0..<4 {
                    group.addTask {
                        let path = "\(folder)/copy-\(number)"
                        try await store.backup(to: path)
                        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
                        let copy = try Store(path: path)
                        #expect(try await copy.integrityCheck() == "ok")
                        // Each job is stored with its trials.
                        for job in try await copy.jobs(dataset: nil, limit: 100).jobs { #expect(job.trialCount == 2) }
                        try copy.close()
                    }
                }
                try await group.waitForAll()
            }
            try store.close()
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(left.filter { $0.contains(".partial") } == [])
        }
    }

    @Test("a clock that was set back changes no order")
    func clock() async throws {
        try await withStore { store in
            for name in ["books", "movies"] { _ = try await store.sampleJob(name) }
            try await store.write("set the clock", .shared) { db in
                try db.execute(sql: "UPDATE job SET createdAt = '2099-01-01T00:00:00Z' WHERE id = 1")
            }
            let (third, _) = try await store.sampleJob()
            #expect(try await store.jobs(dataset: nil, limit: 10).jobs.map(\.id) == [third, 2, 1])
            #expect(try await store.unfinishedJobs() == [1, 2, third])
        }
    }
}
