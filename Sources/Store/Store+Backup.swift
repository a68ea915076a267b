internal import Files
internal import GRDB
internal import Glibc

extension Store {
    /// Copies the database, as it is at one moment, to a new file that needs no other beside it; reading and writing go on
    /// meanwhile.
    ///
    /// - Throws: `noSpace`, and others with the system's words; no file is left then.
    package func backup(to path: String) async throws(StoreError) {
        try await copy("back the database up", to: path)
    }

    /// Corpora and trials that a copy of the database names.
    package func files(of copy: String) async throws(StoreError) -> (corpora: Set<String>, trials: Set<Int64>) {
        try await run("read the copy of the database") {
            var configuration = Configuration()
            configuration.readonly = true
            let queue = try DatabaseQueue(path: copy, configuration: configuration)
            let found = try queue.read { db in
                (
                    corpora: try String.fetchSet(db, sql: "SELECT corpusFile FROM dataset"),
                    trials: try Int64.fetchSet(db, sql: "SELECT id FROM trial")
                )
            }
            try queue.close()
            return found
        }
    }

    /// Where the database of a schema is kept before it becomes one of a newer schema.
    package static func backupPath(_ database: String, schema: String) -> String { "\(database).\(schema)" }

    /// Keeps a database as it is before migrations change it.
    static func backUpBeforeMigrating(
        _ pool: DatabasePool, _ migrator: DatabaseMigrator, path: String, working: @escaping @Sendable () -> Void
    ) throws {
        let (schema, isCurrent) = try pool.read { db in
            (try migrator.completedMigrations(db).last, try migrator.hasCompletedMigrations(db))
        }
        // One that holds nothing yet has nothing to lose.
        guard let schema, !isCurrent else { return }
        try copy(pool, to: backupPath(path, schema: schema), working: working)
        // Of the migrations themselves nobody tells how far they are.
        working()
    }

    /// Replaces `path` atomically.
    static func copy(_ pool: DatabasePool, to path: String, working: (@Sendable () -> Void)? = nil) throws {
        let partial = path + ".partial"
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(partial + suffix) }
        do {
            let destination = try DatabaseQueue(path: partial)
            if let working {
                try pool.backup(to: destination, pagesPerStep: 4_096) { _ in working() }
            } else {
                try pool.backup(to: destination)
            }
            // Written ahead like its origin, it would need a second file.
            try destination.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA journal_mode = DELETE") }
            try destination.close()
            let descriptor = open(partial, O_RDONLY | O_CLOEXEC)
            let isSafe = descriptor >= 0 && uninterrupted { fsync(descriptor) } == 0
            var code = errno
            if descriptor >= 0 { Glibc.close(descriptor) }
            guard isSafe, rename(partial, path) == 0 else {
                if isSafe { code = errno }
                throw StoreError(
                    "back the database up", "\(path): \(String(cString: strerror(code)))",
                    kind: code == ENOSPC || code == EDQUOT ? .noSpace : .failed)
            }
        } catch {
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(partial + suffix) }
            throw error
        }
    }
}
