import Domain
import Foundation
import GRDB
import Wire
import PlawTesting
import Synchronization
import Testing

@testable import Store

@Suite struct SchemaTests {
    private static let tables = ["dataset", "job", "latency", "law", "observation", "probe", "timing", "trial"]

    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    /// Schema and rows of a database, a line each.
    private func dump(_ path: String) async throws -> [String] {
        let queue = try DatabaseQueue(path: path)
        let lines = try await queue.read { db in
            let schema = try String.fetchAll(db, sql: "SELECT name || ' ' || coalesce(sql, '') FROM sqlite_master")
            let tables = try String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'table'")
            return try schema
                + tables.flatMap { table in
                    try Row.fetchAll(db, sql: "SELECT * FROM \(table)").map { "\(table) \($0)" }
                }
        }
        try queue.close()
        return lines
    }

    // A first start that is killed leaves an empty file; what else an empty one may mean is the daemon's to judge (StateTests).
    @Test("an absent and an empty file become a database with every table", arguments: [false, true])
    func creation(present: Bool) async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            if present { try Data().write(to: URL(fileURLWithPath: path)) }
            let store = try Store(path: path)
            let tables = try await store.read("list tables") { db in
                try String.fetchAll(
                    db,
                    sql: """
                        SELECT name FROM sqlite_master
                        WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'grdb_migrations' ORDER BY name
                        """)
            }
            #expect(tables == Self.tables)
            #expect(try await store.schemaVersion() == "8-unsaid-is-absent")
            #expect(try await store.integrityCheck() == "ok")
            let counts = try await store.counts()
            #expect(counts.datasets + counts.observations + counts.laws + counts.runningJobs == 0)
            try store.close()
        }
    }

    @Test("a database that is opened again has kept everything, also when it was not closed")
    func reopening() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            let first = try Store(path: path)
            let (job, trials) = try await first.sampleJob()
            try await first.finishTrial(
                trials[0], result: Sample.result(), message: nil, observation: Sample.observation("books"))
            let law = try await first.insertLaws(
                dataset: "books", key: Sample.key(), fits: [Sample.fit(.init(.hr, 10))])
            // As after a crash, the first is not closed when the second looks.
            for close in [false, true] {
                let second = try Store(path: path)
                #expect(try await second.dataset("books").info == Sample.dataset("books"))
                let (jobs, jobsFirst) = try await (second.job(job), first.job(job))
                #expect(jobs == jobsFirst)
                let (found, foundFirst) = try await (
                    second.observations(of: "books"), first.observations(of: "books")
                )
                #expect(found == foundFirst)
                #expect(found.count == 1)
                #expect(try await second.laws(of: "books") == law)
                #expect(try await second.schemaVersion() == "8-unsaid-is-absent")
                try second.close()
                if close { try first.close() }
            }
            let third = try Store(path: path)
            #expect(try await third.laws(of: nil) == law)
            #expect(try await third.job(job).finishedTrials == 1)
            try third.close()
        }
    }

    /// A database as it was before keys had filters.
    private func downgrade(_ path: String) async throws {
        let queue = try DatabaseQueue(path: path)
        try await queue.write { db in
            try db.execute(
                sql: """
                    UPDATE observation SET body = json_remove(body, '$.key.filter', '$.key.undeclared');
                    UPDATE law SET key = json_remove(key, '$.filter', '$.undeclared');
                    ALTER TABLE law DROP COLUMN format;
                    DELETE FROM grdb_migrations WHERE identifier IN ('4-keys-with-filters', '5-laws-of-all-families');
                    """)
        }
        try queue.close()
    }

    @Test("a database without filters in its keys gets those of its datasets, and loses nothing")
    func upgrade() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            let first = try Store(path: path)
            let trials = try await first.sampleJob().trials
            try await first.finishTrial(
                trials[0], result: Sample.result(), message: nil, observation: Sample.observation("books"))
            let old = try await first.insertLaws(
                dataset: "books", key: Sample.key(), fits: [Sample.fit(.init(.hr, 10)), Sample.fit(.init(.ndcg, 10))])
            let observations = try await first.observations(of: "books")
            let info = try await first.dataset("books").info
            try first.close()
            try await downgrade(path)

            let second = try Store(path: path)
            let filter = "k-core=5 deduplicate=pairs"
            var key = Sample.key()
            key.filter = .said(filter)
            let found = try await second.observations(of: "books")
            #expect(found.map(\.key) == [key])
            #expect(
                found.map { observation in
                    var observation = observation
                    observation.key = Sample.key()
                    return observation
                } == observations)
            // Laws of former versions are not served; their keys say what is to be fitted anew.
            #expect(try await second.laws(of: "books").isEmpty)
            let stale = try await second.staleLaws()
            #expect(stale.map(\.dataset) == ["books"] && stale.map(\.key) == [key])
            await #expect(throws: StoreError.self) { try await second.law(old[0].id) }
            #expect(try await second.dataset("books").info == info)
            let new = try await second.insertLaws(dataset: "books", key: key, fits: [Sample.fit(.init(.hr, 10))])
            #expect(try await second.laws(of: "books").map(\.id) == [new[0].id])
            #expect(try await second.staleLaws().isEmpty)
            try second.close()
        }
    }

    @Test("writes go through a write-ahead log, are on the disk before they are acknowledged, and keep references")
    func durability() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            for _ in 0..<2 {
                let store = try Store(path: path)
                let (journal, synchronous, foreignKeys) = try await store.write("ask", .shared) { db in
                    (
                        try String.fetchOne(db, sql: "PRAGMA journal_mode"),
                        try Int.fetchOne(db, sql: "PRAGMA synchronous"),
                        try Int.fetchOne(db, sql: "PRAGMA foreign_keys")
                    )
                }
                #expect(journal == "wal")
                #expect(synchronous == 2)
                #expect(foreignKeys == 1)
                try store.close()
            }
        }
    }

    @Test("a database of a newer plawd is refused with what is wrong and where, and left as it is")
    func newer() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            let store = try Store(path: path)
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            try await store.write("pretend", .shared) { db in
                try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('9-from-the-future')")
                try db.execute(sql: "CREATE TABLE future (a TEXT)")
            }
            try store.close()
            let before = try await dump(path)
            #expect(before.count > 10)
            let error = #expect(throws: StoreError.self) { try Store(path: path) }
            #expect(error?.kind == .failed)
            #expect(error?.description.contains(path) == true)
            #expect(error?.description.contains("newer plawd") == true)
            let after = try await dump(path)
            #expect(after == before)
            // Without the future's mark it opens again, with what it held.
            let queue = try DatabaseQueue(path: path)
            try await queue.write { db in
                try db.execute(sql: "DELETE FROM grdb_migrations WHERE identifier LIKE '9-%'")
            }
            try queue.close()
            let again = try Store(path: path)
            #expect(try await again.dataset("books").info == Sample.dataset("books"))
            try again.close()
        }
    }

    @Test("a file of random bytes is refused with its path and left as it is", arguments: [2, 100, 4_096, 100_000])
    func foreign(count: Int) async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            let content = Data((0..<count).map { _ in UInt8.random(in: 1...255) })
            try content.write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: StoreError.self) { try Store(path: path) }
            #expect(error?.kind == .failed)
            #expect(error?.description.hasPrefix("cannot open \(path): ") == true)
            #expect(try bytes(path) == content)
        }
    }

    @Test("a database that was cut is refused with its path and left as it is")
    func truncated() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/whole.sqlite"
            let store = try Store(path: path)
            for number in 0..<50 { _ = try await store.sampleJob("d\(number)") }
            try store.close()
            let whole = try bytes(path)
            for count in [10, 100, 4_096, whole.count / 2, whole.count - 4_096] {
                let cut = folder + "/cut-\(count).sqlite"
                try whole.prefix(count).write(to: URL(fileURLWithPath: cut))
                let error = #expect(throws: StoreError.self, "cut to \(count) bytes") { try Store(path: cut) }
                #expect(error?.description.hasPrefix("cannot open \(cut): ") == true)
                #expect(try bytes(cut) == whole.prefix(count), "cut to \(count) bytes")
            }
        }
    }

    @Test("damage inside is found by looking at every page, and named with the path by whatever meets it")
    func damaged() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            let store = try Store(path: path)
            for number in 0..<200 { _ = try await store.sampleJob("d\(number)") }
            try await store.checkPages()
            try store.close()
            var whole = try bytes(path)
            // The first page, with the schema, stays as it is.
            for place in 4_096 * 2..<whole.count { whole[place] = 0xa5 }
            try whole.write(to: URL(fileURLWithPath: path))
            // Where the opening meets it that is as good.
            do {
                let again = try Store(path: path)
                let found = await #expect(throws: StoreError.self) { try await again.checkPages() }
                #expect(found?.description.contains("cannot use \(path): the database is damaged") == true, "\(found)")
                #expect(found?.mayPass == false)
                let met = await #expect(throws: StoreError.self) {
                    for number in 0..<200 { _ = try await again.dataset("d\(number)") }
                }
                #expect(met?.description.contains(path) == true, "\(met)")
                try? again.close()
            } catch {
                #expect((error as? StoreError)?.description.contains(path) == true, "\(error)")
            }
        }
    }

    @Test("a database that is new is made without a word; one that is kept and changed tells of it on the way")
    func working() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            let told = Mutex(0)
            func open() throws { try Store(path: path) { told.withLock { $0 += 1 } }.close() }
            try open()
            try open()
            #expect(told.withLock { $0 } == 0)
            try await downgrade(path)
            try open()
            // A step of the copy at least, and the migrations after it.
            #expect(told.withLock { $0 } >= 2)
        }
    }

    @Test("a writer that is stuck keeps the proof of life from being given; readers alone do not give it")
    func turns() async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(path: folder + "/plawd.sqlite")
            try await store.takeTurn()
            let (held, holds) = (DispatchSemaphore(value: 0), AsyncStream.makeStream(of: Void.self))
            async let stuck: Void = store.write("hold the lock", .shared) { _ in
                holds.continuation.yield()
                held.wait()
            }
            for await _ in holds.stream { break }
            let given = Mutex(false)
            async let turn: Void = {
                try await store.takeTurn()
                given.withLock { $0 = true }
            }()
            try await Task.sleep(for: .milliseconds(500))
            #expect(!given.withLock { $0 })
            #expect(try await store.counts().datasets == 0)
            held.signal()
            try await stuck
            try await turn
            #expect(given.withLock { $0 })
            try store.close()
        }
    }

    @Test("a path that is no file is refused with the path")
    func unusablePaths() async throws {
        try await withTemporaryFolder { folder in
            for path in [folder, folder + "/absent/plawd.sqlite"] {
                let error = #expect(throws: StoreError.self) { try Store(path: path) }
                #expect(error?.description.hasPrefix("cannot open \(path): ") == true)
            }
        }
    }

    #if compiler(>=6.2)
    @Test("a store that is closed refuses what is asked of it, also to be closed again")
    func closed() async {
        // In a process of its own: SQLite does not forgive a closed connection.
        await #expect(processExitsWith: .success) {
            try await withTemporaryFolder { folder in
                let store = try Store(path: folder + "/plawd.sqlite")
                _ = try await store.sampleJob()
                try store.close()
                await #expect(throws: StoreError.self) { try await store.counts() }
                await #expect(throws: StoreError.self) { try await store.sampleJob() }
                // Whether it refuses or has nothing to do, it returns.
                try? store.close()
            }
        }
    }
    #endif
}
