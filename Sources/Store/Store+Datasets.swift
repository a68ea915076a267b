package import Domain
internal import GRDB
internal import Synchronization

/// A registered dataset and where its corpus lies.
package struct StoredDataset: Sendable {
    package var id: Int64
    package var info: DatasetInfo
    /// File name inside the corpora folder; empty where the dataset is made of observations alone.
    package var corpusFile: String
}

/// A registered dataset, and how much is known of it.
package struct CountedDataset: Sendable {
    package var info: DatasetInfo
    package var observations: Int
    package var laws: Int
}

extension Store {
    /// Stores a new dataset.
    ///
    /// - Throws: `datasetExists` when the name is taken.
    package func insertDataset(_ info: DatasetInfo, corpusFile: String) async throws(StoreError) {
        try await write("store dataset \(info.name)", .dataset(info.name)) { db in
            try Self.insertDataset(db, info, corpusFile: corpusFile)
        }
    }

    static func insertDataset(_ db: Database, _ info: DatasetInfo, corpusFile: String) throws {
        if try Int.fetchOne(db, sql: "SELECT 1 FROM dataset WHERE name = ?", arguments: [info.name]) != nil {
            throw StoreError(
                "register", "a dataset is already named \"\(info.name)\"; remove it or choose another name",
                kind: .datasetExists)
        }
        try db.execute(
            sql: "INSERT INTO dataset (name, version, corpusFile, info) VALUES (?, ?, ?, ?)",
            arguments: [info.name, info.version, corpusFile, try encodeJSON(info)])
    }

    /// The dataset of that name.
    ///
    /// - Throws: `unknownDataset`.
    package func dataset(_ name: String) async throws(StoreError) -> StoredDataset {
        try await read("read dataset \(name)") { db in
            guard
                let row = try Row.fetchOne(
                    db, sql: "SELECT id, info, corpusFile FROM dataset WHERE name = ?", arguments: [name])
            else { throw StoreError.unknownDataset(name) }
            return StoredDataset(
                id: row["id"], info: try decodeJSON(DatasetInfo.self, row["info"]), corpusFile: row["corpusFile"])
        }
    }

    package func datasetExists(_ name: String) async throws(StoreError) -> Bool {
        try await read("look for dataset \(name)") { db in
            try Int.fetchOne(db, sql: "SELECT 1 FROM dataset WHERE name = ?", arguments: [name]) != nil
        }
    }

    /// The datasets by name; of names behind `after`, at most `limit`.
    package func datasets(after: String = "", limit: Int? = nil) async throws(StoreError) -> [CountedDataset] {
        try await read("list datasets") { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT info,
                        (SELECT COUNT(*) FROM observation WHERE datasetId = dataset.id) AS observations,
                        (SELECT COUNT(*) FROM law WHERE datasetId = dataset.id AND current) AS laws
                    FROM dataset WHERE name > ? ORDER BY name LIMIT ?
                    """, arguments: [after, limit ?? -1]
            ).map {
                CountedDataset(
                    info: try decodeJSON(DatasetInfo.self, $0["info"]), observations: $0["observations"],
                    laws: $0["laws"])
            }
        }
    }

    /// Corpus files that datasets refer to (an empty name is that of those without); anything else in the folder is left over from a crash.
    package func corpusFiles() async throws(StoreError) -> Set<String> {
        try await read("list corpora") { db in
            Set(try String.fetchAll(db, sql: "SELECT corpusFile FROM dataset"))
        }
    }

    /// What was removed with a dataset, and the files that have lost their owner.
    package struct RemovedDataset: Sendable {
        package var corpusFile: String
        package var trials: [Int64]
        package var observations: Int
        package var laws: Int
    }

    /// Removes a dataset with everything that hangs on it.
    ///
    /// - Throws: `unknownDataset`, and `unfinishedJob` while a job of it has not ended.
    package func removeDataset(_ name: String) async throws(StoreError) -> RemovedDataset {
        try await write("remove dataset \(name)", .shared) { db in
            let id = try Self.datasetID(db, name)
            let unfinished = try Int64.fetchOne(
                db, sql: "SELECT id FROM job WHERE datasetId = ? AND state IN ('queued', 'running') ORDER BY id",
                arguments: [id])
            if let unfinished { throw StoreError.unfinishedJob(unfinished, of: name) }
            let trials = try Int64.fetchAll(
                db, sql: "SELECT trial.id FROM trial JOIN job ON job.id = jobId WHERE datasetId = ?", arguments: [id])
            let removed = RemovedDataset(
                corpusFile: try String.fetchOne(
                    db, sql: "SELECT corpusFile FROM dataset WHERE id = ?", arguments: [id]) ?? "",
                trials: trials,
                observations: try Int.fetchOne(
                    db, sql: "SELECT COUNT(*) FROM observation WHERE datasetId = ?", arguments: [id]) ?? 0,
                laws: try Int.fetchOne(
                    db, sql: "SELECT COUNT(*) FROM law WHERE datasetId = ? AND current", arguments: [id]) ?? 0)
            try db.execute(sql: "DELETE FROM dataset WHERE id = ?", arguments: [id])
            db.afterNextTransaction { [self] _ in removals.add(1, ordering: .sequentiallyConsistent) }
            return removed
        }
    }
}
