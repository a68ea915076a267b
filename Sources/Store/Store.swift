internal import Dispatch
internal import Domain
internal import GRDB
internal import StrictJSON
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The only module that knows SQL: datasets, jobs, trials, observations and laws in one SQLite file.
///
/// Every write method is one transaction with synchronous=FULL: what it acknowledged survives a power cut.
///
/// - Throws: `StoreError` with what was tried and SQLite's own words.
package final class Store: Sendable {
    private let pool: DatabasePool
    private let path: String
    private let place: DatabasePlace
    /// Set before the connections are closed: SQLite does not forgive the use of a closed one.
    private let isClosed = Mutex(false)
    private let changes = Mutex(Changes())
    /// Every write, also of progress.
    private let writes = Atomic<UInt64>(0)
    /// Removals of observations, each counted with its commit.
    let removals = Atomic<UInt64>(0)
    let epochs = Mutex<[Loss?: EpochTable]>([:])
    let lawHeads = Mutex<[Int64: LawHead]>([:])
    /// Counted last, and after which write.
    private let counted = Mutex<(writes: UInt64, statistics: Statistics)?>(nil)
    private let schema: String
    /// Where statements run: not the cooperative pool, which they would block, and not cancelled with their caller,
    /// so that a state reached during shutdown or cancellation is still written.
    let queue = DispatchQueue(label: "plawd.store", attributes: .concurrent)

    /// Opens or creates the database and brings its schema up to date; one of an older schema is kept beside it
    /// (`backupPath`) before it is changed.
    ///
    /// - Throws: `StoreError` when the file cannot be opened, is damaged, or comes from a newer plawd.
    ///
    /// - Parameters:
    ///   - path: of the database.
    ///   - working: called now and then while an older database is kept and changed, which takes its time.
    package init(path: String, working: @escaping @Sendable () -> Void = {}) throws(StoreError) {
        self.path = path
        place = DatabasePlace(path)
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.qos = .default
        configuration.label = "store"
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            let migrator = Schema.migrator
            if try pool.read(migrator.hasBeenSuperseded) {
                throw StoreError("open \(path)", "its schema comes from a newer plawd; found an unknown migration")
            }
            try Self.backUpBeforeMigrating(pool, migrator, path: path, working: working)
            try migrator.migrate(pool)
            schema = try pool.read { db in try migrator.completedMigrations(db).last ?? "" }
            // GRDB's WAL set-up leaves the writer at NORMAL, which may lose the last commits in a power cut.
            try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
            place.remember()
        } catch {
            throw StoreError.wrap("open \(path)", error, path: path)
        }
    }

    /// Writes the write-ahead log back and closes all connections.
    package func close() throws(StoreError) {
        let wasClosed = isClosed.withLock { closed in
            defer { closed = true }
            return closed
        }
        if wasClosed { return }
        // Alone: what runs already ends before, what still waits finds the store closed.
        let result = queue.sync(flags: .barrier) { [pool] in
            Result {
                try pool.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
                try pool.close()
            }
        }
        do { try result.get() } catch { throw StoreError.wrap("close the database", error, path: path) }
    }

    func copy(_ action: String, to path: String) async throws(StoreError) {
        try await run(action) { [pool] in try Self.copy(pool, to: path) }
    }

    /// Name of the last migration applied.
    package func schemaVersion() async throws(StoreError) -> String { schema }

    /// Returns when the database has answered, to one who reads and to one who writes: a proof that it is not stuck. A disk that
    /// refuses is an answer.
    package func takeTurn() async throws(StoreError) {
        _ = try await read("ask the database") { db in try Int.fetchOne(db, sql: "SELECT 1") }
        try await run("look for the database") { [place] in try place.check() }
        do {
            try await run("take the database's lock") { [pool] in
                try pool.writeWithoutTransaction { db in try db.inTransaction(.immediate) { .rollback } }
            }
        } catch  where error.mayPass {}
    }

    /// Looks at every page, which takes seconds for a large database; gives up when its task is cancelled.
    ///
    /// - Throws: `StoreError` for
    ///   one that is damaged or cannot be read, `CancellationError`.
    package func checkPages() async throws {
        let faults: [String]
        do {
            faults = try await pool.read { db in try String.fetchAll(db, sql: "PRAGMA quick_check(1)") }
        } catch let error as DatabaseError {
            throw StoreError.wrap("check the database", error, path: path)
        }
        if faults != ["ok"] { throw StoreError.damaged(path, faults.joined(separator: "; ")) }
    }

    /// SQLite's own integrity check; `ok` when nothing is wrong.
    package func integrityCheck() async throws(StoreError) -> String {
        try await read("check integrity") { db in
            try String.fetchAll(db, sql: "PRAGMA integrity_check").joined(separator: "; ")
        }
    }

    /// Rows of the tables, for `server.info`.
    package struct Counts: Sendable {
        package var datasets: Int
        package var observations: Int
        package var laws: Int
        package var runningJobs: Int
    }

    package func counts() async throws(StoreError) -> Counts { try await statistics().counts }

    /// What the tables hold, for `metrics.get`.
    package struct Statistics: Sendable {
        package var counts: Counts
        /// Rows by state.
        package var jobs: [String: Int]
        package var trials: [String: Int]
    }

    /// Read again only after a write.
    package func statistics() async throws(StoreError) -> Statistics {
        // Before the rows are read: a write meanwhile makes them old.
        let writes = writes.load(ordering: .sequentiallyConsistent)
        if let known = counted.withLock({ $0 }), known.writes == writes { return known.statistics }
        let statistics = try await read("count rows") { db in
            func count(_ sql: String) throws -> Int { try Int.fetchOne(db.cachedStatement(sql: sql)) ?? 0 }
            func states(_ table: String) throws -> [String: Int] {
                let sql = "SELECT state, COUNT(*) AS rows FROM \(table) GROUP BY state"
                let rows = try Row.fetchAll(db.cachedStatement(sql: sql))
                return Dictionary(uniqueKeysWithValues: rows.map { ($0["state"], $0["rows"]) })
            }
            let jobs = try states("job")
            return Statistics(
                counts: Counts(
                    datasets: try count("SELECT COUNT(*) FROM dataset"),
                    observations: try count("SELECT COUNT(*) FROM observation"),
                    laws: try count("SELECT COUNT(*) FROM law WHERE current"), runningJobs: jobs["running"] ?? 0),
                jobs: jobs, trials: try states("trial"))
        }
        counted.withLock { $0 = (writes, statistics) }
        return statistics
    }

    // MARK: - Shared by the facets

    func read<T: Sendable>(
        _ action: String, _ body: @escaping @Sendable (Database) throws -> T
    ) async throws(StoreError) -> T {
        try await run(action) { [pool] in try pool.read(body) }
    }

    /// - Parameter change: what answers rest on that is written.
    func write<T: Sendable>(
        _ action: String, _ change: Change, _ body: @escaping @Sendable (Database) throws -> T
    ) async throws(StoreError) -> T {
        try await run(action) { [self] in
            // After the commit, before anybody is told of it.
            defer {
                writes.add(1, ordering: .sequentiallyConsistent)
                note(change)
            }
            try place.check()
            return try pool.write(body)
        }
    }

    func note(_ change: Change) { changes.withLock { $0.note(change) } }

    /// Grows with every write that an answer about a dataset rests on, before the write returns: its own rows, and what all datasets share;
    /// of nil, with every write that any answer rests on. What was computed from values read after a version was taken still holds while
    /// the version is the same.
    package func version(of dataset: String?) -> UInt64 { changes.withLock { $0.version(of: dataset) } }

    func run<T: Sendable>(
        _ action: String, _ body: @escaping @Sendable () throws -> T
    ) async throws(StoreError) -> T {
        let result: Result<T, any Error> = await withCheckedContinuation { continuation in
            queue.async {
                continuation.resume(
                    returning: Result {
                        // Here and not before: it may be closed while this waits for its turn.
                        if self.isClosed.withLock({ $0 }) { throw StoreError(action, "the store is closed") }
                        return try body()
                    })
            }
        }
        do { return try result.get() } catch { throw StoreError.wrap(action, error, path: path) }
    }

    static func datasetID(_ db: Database, _ name: String) throws -> Int64 {
        guard let id = try Int64.fetchOne(db, sql: "SELECT id FROM dataset WHERE name = ?", arguments: [name]) else {
            throw StoreError.unknownDataset(name)
        }
        return id
    }
}

/// Why the store refused or failed.
package struct StoreError: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        case failed, unknownDataset, datasetExists, unknownJob, unknownLaw, unfinishedJob, conflict
        /// The disk is full.
        case noSpace
        /// The disk or the file's permissions refuse, which may pass.
        case unavailable
    }

    /// Whether the same may succeed later.
    package var mayPass: Bool { kind == .noSpace || kind == .unavailable }

    package var kind: Kind
    /// The line of an import that is in conflict.
    package var line: Int?
    /// What was tried.
    package var action: String
    /// What SQLite or the check said.
    package var cause: String

    init(_ action: String, _ cause: String, kind: Kind = .failed, line: Int? = nil) {
        (self.action, self.cause, self.kind, self.line) = (action, cause, kind, line)
    }

    package var description: String { kind == .failed || mayPass ? "cannot \(action): \(cause)" : cause }

    static func unknownDataset(_ name: String) -> StoreError {
        StoreError("find dataset", "no dataset is named \"\(name)\"", kind: .unknownDataset)
    }

    static func unknownJob(_ id: Int64) -> StoreError {
        StoreError("find job", "no job has the number \(id)", kind: .unknownJob)
    }

    static func unfinishedJob(_ job: Int64, of name: String) -> StoreError {
        StoreError(
            "remove dataset", "job \(job) of \"\(name)\" has not ended; cancel it first", kind: .unfinishedJob)
    }

    static func damaged(_ path: String, _ cause: String) -> StoreError {
        StoreError("use \(path)", "the database is damaged (\(cause)); stop plawd and put it back from a backup")
    }

    static func wrap(_ action: String, _ error: any Error, path: String) -> StoreError {
        if let error = error as? StoreError { return error }
        if let error = error as? DatabaseError {
            switch error.resultCode {
            case .SQLITE_FULL: return StoreError(action, "the disk is full (\(error))", kind: .noSpace)
            case .SQLITE_IOERR, .SQLITE_READONLY, .SQLITE_BUSY, .SQLITE_CANTOPEN:
                return StoreError(action, String(describing: error), kind: .unavailable)
            // One that cannot even be opened is named by what was tried.
            case .SQLITE_CORRUPT where !action.contains(path), .SQLITE_NOTADB where !action.contains(path):
                return damaged(path, String(describing: error))
            default: break
            }
        }
        return StoreError(action, String(describing: error))
    }
}

/// JSON text of a value; keys sorted so that equal values are equal text.
func encodeJSON(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

func decodeJSON<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try JSONText(Data(text.utf8)).root.decode(type)
}

/// Now, as ISO 8601 in UTC with seconds.
package func timestamp() -> String { Date().formatted(.iso8601) }
