package import Domain
internal import GRDB
package import PlawProtocol

extension Store {
    /// Stores laws fitted together and serves them from now on in place of older ones of the same key and metric.
    package func insertLaws(
        dataset: String, key: LawKey, fits: [LawFit]
    ) async throws(StoreError) -> [Law] {
        try await write("store laws of \(dataset)") { db in
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
                        datasetID, keyText, fit.metric.description, key.loss.rawValue, now, try encodeJSON(fit),
                    ])
                return Law(id: db.lastInsertedRowID, dataset: dataset, key: key, createdAt: now, fit: fit)
            }
        }
    }

    /// The laws being served, newest first; of one dataset when named. Errors: `unknownDataset`.
    package func laws(of dataset: String?) async throws(StoreError) -> [Law] {
        try await read("read laws") { db in
            var sql = Self.lawSQL + " WHERE current"
            var arguments: StatementArguments = []
            if let dataset {
                sql += " AND datasetId = ?"
                arguments += [try Self.datasetID(db, dataset)]
            }
            return try Row.fetchAll(db, sql: sql + " ORDER BY law.id DESC", arguments: arguments).map(Self.law)
        }
    }

    /// One law by its number, served or replaced. Errors: `unknownLaw`.
    package func law(_ id: Int64) async throws(StoreError) -> Law {
        try await read("read law \(id)") { db in
            guard let row = try Row.fetchOne(db, sql: Self.lawSQL + " WHERE law.id = ?", arguments: [id]) else {
                throw StoreError("find law", "no law has the number \(id)", kind: .unknownLaw)
            }
            let format: Int = row["format"]
            guard format == 2 else {
                throw StoreError(
                    "read law", "law \(id) was fitted by a former version; its observations are fitted anew",
                    kind: .unknownLaw)
            }
            return try Self.law(row)
        }
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

    private static let lawSQL =
        "SELECT law.*, dataset.name AS dataset FROM law JOIN dataset ON dataset.id = datasetId"

    private static func law(_ row: Row) throws -> Law {
        Law(
            id: row["id"], dataset: row["dataset"], key: try decodeJSON(LawKey.self, row["key"]),
            createdAt: row["createdAt"], fit: try decodeJSON(LawFit.self, row["fit"]))
    }

    // MARK: - Probes

    /// Stores measured speeds; `setting` names everything but the shape that they depend on.
    package func insertProbes<Probe: Encodable & Sendable>(
        dataset: String, setting: String, _ probes: [(layers: Int, dim: Int, body: Probe)]
    ) async throws(StoreError) {
        try await write("store probes of \(dataset)") { db in
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
