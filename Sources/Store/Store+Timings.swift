package import Domain
internal import GRDB
package import Trials

/// What was measured of this machine.
extension Store {
    /// Stores measured latencies; one of the same shape and sizes is replaced.
    package func insertLatencies(_ probes: [LatencyProbe]) async throws(StoreError) {
        try await write("store latencies") { db in
            for probe in probes {
                try db.execute(
                    sql: """
                        INSERT OR REPLACE INTO latency (backbone, heads, layers, dim, items, length, body)
                        VALUES (?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        probe.backbone.rawValue, probe.heads, probe.layers, probe.dim, probe.items, probe.length,
                        try encodeJSON(probe),
                    ])
            }
        }
    }

    /// Latencies of a backbone measured on this machine, whatever the catalogue.
    package func latencies(_ backbone: Backbone, heads: Int) async throws(StoreError) -> [LatencyProbe] {
        try await read("read latencies") { db in
            try String.fetchAll(
                db,
                sql: """
                    SELECT body FROM latency WHERE backbone = ? AND heads = ?
                    ORDER BY items, length, layers, dim
                    """, arguments: [backbone.rawValue, heads]
            ).map { try decodeJSON(LatencyProbe.self, $0) }
        }
    }

    /// How long trials of a backbone and loss took here, oldest first; of one dataset when named. Errors: `unknownDataset`.
    package func timings(
        of dataset: String?, _ backbone: Backbone, _ loss: Loss
    ) async throws(StoreError) -> [TrialTiming] {
        try await read("read timings") { db in
            var sql = "SELECT body FROM timing WHERE backbone = ? AND loss = ?"
            var arguments: StatementArguments = [backbone.rawValue, loss.rawValue]
            if let dataset {
                sql += " AND datasetId = ?"
                arguments += [try Self.datasetID(db, dataset)]
            }
            return try String.fetchAll(db, sql: sql + " ORDER BY id", arguments: arguments)
                .map { try decodeJSON(TrialTiming.self, $0) }
        }
    }

    /// Keeps how long a trial took, where it says so.
    static func insertTiming(_ db: Database, trial: Int64, _ result: TrialResult, datasetID: Int64) throws {
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT spec, workers FROM trial JOIN job ON job.id = jobId WHERE trial.id = ?",
                arguments: [trial]),
            let timing = TrialTiming(try decodeJSON(TrialSpec.self, row["spec"]), result, atOnce: row["workers"])
        else { return }
        // As with observations: a trial found finished twice took the same time.
        try db.execute(
            sql: "INSERT OR REPLACE INTO timing (datasetId, trialId, backbone, loss, body) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                datasetID, trial, timing.configuration.backbone.rawValue, timing.configuration.loss.rawValue,
                try encodeJSON(timing),
            ])
    }

    /// What trials of a backbone and loss measured, whatever the dataset, oldest first.
    package func observations(_ backbone: Backbone, _ loss: Loss) async throws(StoreError) -> [Observation] {
        try await read("read observations") { db in
            try String.fetchAll(
                db, sql: "SELECT body FROM observation WHERE loss = ? ORDER BY id", arguments: [loss.rawValue]
            ).map { try decodeJSON(Observation.self, $0) }.filter { $0.configuration.backbone == backbone }
        }
    }
}
