package import Domain
internal import GRDB
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

extension Store {
    /// Stores laws fitted together and serves them from now on in place of older ones of the same key and metric.
    package func insertLaws(
        dataset: String, key: LawKey, fits: [LawFit]
    ) async throws(StoreError) -> [Law] {
        try await write("store laws of \(dataset)", .dataset(dataset)) { db in
            let datasetID = try Self.datasetID(db, dataset)
            let keyText = try encodeJSON(key)
            let now = timestamp()
            return try fits.map { fit in
                try db.execute(
                    sql: "UPDATE law SET current = 0 WHERE datasetId = ? AND key = ? AND metric = ?",
                    arguments: [datasetID, keyText, fit.metric.description])
                try db.execute(
                    sql: """
                        INSERT INTO law (datasetId, key, metric, loss, createdAt, current, format, fit)
                        VALUES (?, ?, ?, ?, ?, 1, 2, ?)
                        """,
                    arguments: [
                        datasetID, keyText, fit.metric.description, key.loss.value?.core?.rawValue, now,
                        try encodeJSON(fit),
                    ])
                return Law(id: db.lastInsertedRowID, dataset: dataset, key: key, createdAt: now, fit: fit)
            }
        }
    }

    /// The laws being served, newest first; of one dataset when named, at most `limit`.
    ///
    /// - Throws: `unknownDataset`.
    package func laws(of dataset: String?, limit: Int? = nil) async throws(StoreError) -> [Law] {
        try await laws(of: dataset, metric: nil, loss: nil, limit: limit).laws
    }

    /// The laws being served, newest first: of one dataset, metric, loss, backbone and numbers where named, with smaller numbers than
    /// `before`, at most `limit`, and as many as `mostBytes` of stored text hold, but one at least; `next` is the `before` of those that
    /// follow.
    ///
    /// - Throws: `unknownDataset`.
    package func laws(
        of dataset: String?, metric: Metric?, loss: Loss?, backbone: Model? = nil, ids: [Int64]? = nil,
        before: Int64? = nil, limit: Int? = nil, mostBytes: Int = .max
    ) async throws(StoreError) -> (laws: [Law], next: Int64?) {
        try await read("read laws") { db in
            var (sql, arguments) = (Self.lawSQL + " WHERE current", StatementArguments())
            func add(_ condition: String, _ value: some DatabaseValueConvertible) {
                sql += " AND \(condition) ?"
                arguments += [value]
            }
            if let dataset { add("datasetId =", try Self.datasetID(db, dataset)) }
            if let metric { add("metric =", metric.description) }
            if let loss { add("law.loss =", loss.rawValue) }
            if let backbone { add("json_extract(key, '$.backbone') =", backbone.rawValue) }
            if let ids {
                sql += " AND law.id IN (\(databaseQuestionMarks(count: ids.count)))"
                arguments += StatementArguments(ids)
            }
            if let before { add("law.id <", before) }
            let rows = try Row.fetchCursor(db, sql: sql + " ORDER BY law.id DESC", arguments: arguments)
            var (laws, bytes): ([Law], Int) = ([], 0)
            while let row = try rows.next() {
                let fit: Data = row["fit"]
                bytes += fit.count
                if laws.count == limit || (bytes > mostBytes && !laws.isEmpty) { return (laws, laws.last?.id) }
                laws.append(try Self.law(row))
            }
            return (laws, nil)
        }
    }

    /// One law by its number, served or replaced.
    ///
    /// - Throws: `unknownLaw`.
    package func law(_ id: Int64) async throws(StoreError) -> Law {
        try await read("read law \(id)") { db in try Self.law(Self.lawRow(db, id)) }
    }

    private static func lawRow(_ db: Database, _ id: Int64) throws -> Row {
        guard let row = try Row.fetchOne(db, sql: lawSQL + " WHERE law.id = ?", arguments: [id]) else {
            throw StoreError("find law", "no law has the number \(id)", kind: .unknownLaw)
        }
        let format: Int = row["format"]
        guard format == 2 else {
            throw StoreError(
                "read law", "law \(id) was fitted by a former version; its observations are fitted anew",
                kind: .unknownLaw)
        }
        return row
    }

    /// Datasets and keys with laws of a former version and none of this one.
    package func staleLaws() async throws(StoreError) -> [(dataset: String, key: LawKey)] {
        try await read("find laws of former versions") { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT dataset.name AS dataset, law.key AS key FROM law JOIN dataset ON dataset.id = datasetId
                    WHERE format = 1 AND NOT EXISTS
                        (SELECT 1 FROM law AS other
                            WHERE other.datasetId = law.datasetId AND other.key = law.key AND other.format = 2)
                    """
            ).map { ($0["dataset"], try decodeJSON(LawKey.self, $0["key"])) }
        }
    }

    /// Names of the datasets that have laws being served, those with the newest first.
    package func datasetsByNewestLaw() async throws(StoreError) -> [String] {
        try await read("list datasets with laws") { db in
            try String.fetchAll(
                db,
                sql: """
                    SELECT dataset.name FROM law JOIN dataset ON dataset.id = datasetId WHERE current
                    GROUP BY datasetId ORDER BY MAX(law.id) DESC
                    """)
        }
    }

    private static let lawSQL =
        "SELECT law.*, dataset.name AS dataset FROM law JOIN dataset ON dataset.id = datasetId"

    private static func law(_ row: Row) throws -> Law {
        Law(
            id: row["id"], dataset: row["dataset"], key: try decodeJSON(LawKey.self, row["key"]),
            createdAt: row["createdAt"], fit: try decodeJSON(LawFit.self, row["fit"]))
    }

    /// What laws of a dataset are chosen by, of those being served, newest first.
    ///
    /// - Throws: `unknownDataset`.
    package func lawHeads(of dataset: String) async throws(StoreError) -> [LawHead] {
        let known = lawHeads.withLock { $0 }
        let heads = try await read("read laws of \(dataset)") { db in
            let id = try Self.datasetID(db, dataset)
            let ids = try Int64.fetchAll(
                db, sql: "SELECT id FROM law WHERE datasetId = ? AND current ORDER BY id DESC", arguments: [id])
            var whole: Set<Int64>?
            return try ids.map { lawID in
                if let head = known[lawID] { return head }
                let law = try Self.law(Self.lawRow(db, lawID))
                let all = try whole ?? Self.onAllUsers(db, of: id)
                whole = all
                return LawHead(id: law.id, key: law.key, law.fit, onAllUsers: all)
            }
        }
        lawHeads.withLock { all in
            if all.count > Self.mostLaws { all = [:] }
            for head in heads { all[head.id] = head }
        }
        return heads
    }

    /// Laws of which such things are known; when there are more, all is dropped and comes again.
    private static let mostLaws = 10_000

    /// Numbers of the observations of all users.
    private static func onAllUsers(_ db: Database, of dataset: Int64) throws -> Set<Int64> {
        try Int64.fetchSet(
            db,
            sql: "SELECT id FROM observation WHERE datasetId = ? AND json_extract(body, '$.userFraction') >= 1",
            arguments: [dataset])
    }

    // MARK: - Probes

    /// Stores measured speeds; `setting` names everything but the shape that they depend on.
    package func insertProbes<Probe: Encodable & Sendable>(
        dataset: String, setting: String, _ probes: [(layers: Int, dim: Int, body: Probe)]
    ) async throws(StoreError) {
        try await write("store probes of \(dataset)", .dataset(dataset)) { db in
            let id = try Self.datasetID(db, dataset)
            for probe in probes {
                try db.execute(
                    sql: "INSERT OR REPLACE INTO probe (datasetId, setting, layers, dim, body) VALUES (?, ?, ?, ?, ?)",
                    arguments: [id, setting, probe.layers, probe.dim, try encodeJSON(probe.body)])
            }
        }
    }

    /// Speeds measured before in a setting.
    package func probes<Probe: Decodable & Sendable>(
        _ type: Probe.Type, dataset: String, setting: String
    ) async throws(StoreError) -> [Probe] {
        try await read("read probes of \(dataset)") { db in
            let id = try Self.datasetID(db, dataset)
            return try String.fetchAll(
                db, sql: "SELECT body FROM probe WHERE datasetId = ? AND setting = ? ORDER BY layers, dim",
                arguments: [id, setting]
            ).map { try decodeJSON(type, $0) }
        }
    }
}
