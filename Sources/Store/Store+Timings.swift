package import Domain
internal import GRDB
internal import Synchronization
package import Trials

/// What was measured of this machine.
extension Store {
    /// Stores measured latencies; one of the same shape and sizes is replaced.
    package func insertLatencies(_ probes: [LatencyProbe]) async throws(StoreError) {
        try await write("store latencies", .shared) { db in
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
    package func latencies(_ backbone: Model, heads: Int) async throws(StoreError) -> [LatencyProbe] {
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

    /// How long trials of a backbone and loss took here, oldest first; of one dataset when named.
    ///
    /// - Throws: `unknownDataset`.
    package func timings(
        of dataset: String?, _ backbone: Model, _ loss: Loss
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

    /// How long trainings of a backbone and loss took until they converged, whatever the dataset: key by key, in the order the
    /// keys came first. What was read once is kept; rows are never changed, only added and removed.
    ///
    /// - Parameter last: number of the last observation that counts; all where nil.
    package func trainedEpochs(
        _ backbone: Declared<Model>, _ loss: Declared<LossName>, upTo last: Int64? = nil
    ) async throws(StoreError) -> [TrainedEpochs] {
        // Before the rows are read: what is removed meanwhile makes the next one read all anew.
        let removals = removals.load(ordering: .sequentiallyConsistent)
        let core = loss.value?.core
        var table = epochs.withLock { $0[core] } ?? EpochTable()
        if table.removals != removals { table = EpochTable(removals: removals) }
        let (before, read) = (table, table.last)
        table = try await self.read("read how long trainings took") { db in
            var table = before
            // As text where SQLite's reading of a number is not Swift's to the last bit.
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT id, body -> '$.key' AS key, json_extract(body, '$.configuration.layers') AS layers,
                        json_extract(body, '$.configuration.dim') AS dim, body -> '$.userFraction' AS userFraction,
                        json_extract(body, '$.epochs') AS epochs, json_extract(body, '$.converged') AS converged
                    FROM observation WHERE loss IS ? AND id > ? ORDER BY id
                    """, arguments: [core?.rawValue, read])
            while let row = try rows.next() {
                table.last = row["id"]
                guard row["converged"] as Bool? == true else { continue }
                let training = TrainedEpochs.Training(
                    observation: table.last, layers: row["layers"], dim: row["dim"],
                    userFraction: Double(row["userFraction"] as String) ?? 1,
                    epochs: row["epochs"])
                try table.add(training, row["key"])
            }
            return table
        }
        epochs.withLock { [table] all in
            let known = all[core] ?? EpochTable()
            if (known.removals, known.last) <= (table.removals, table.last) { all[core] = table }
        }
        let groups = table.groups.filter { $0.key.backbone == backbone && $0.key.loss == loss }
        guard let last else { return groups }
        return groups.compactMap { group in
            var group = group
            // They stand in the order of their numbers.
            group.trainings = Array(group.trainings.prefix { $0.observation <= last })
            return group.trainings.isEmpty ? nil : group
        }
    }
}

/// Trainings of one key until they converged.
package struct TrainedEpochs: Sendable {
    package struct Training: Sendable {
        package var observation: Int64
        package var layers: Int
        package var dim: Int
        package var userFraction: Double
        package var epochs: Int
    }

    package var key: LawKey
    package var trainings: [Training]
}

/// Those of one loss that were read so far.
struct EpochTable {
    /// Removals from the store before they were read.
    var removals: UInt64 = 0
    /// Number of the last observation that was looked at.
    var last: Int64 = 0
    private(set) var groups: [TrainedEpochs] = []
    private var places: [String: Int] = [:]

    init(removals: UInt64 = 0) { self.removals = removals }

    mutating func add(_ training: TrainedEpochs.Training, _ key: String) throws {
        if let place = places[key] {
            groups[place].trainings.append(training)
        } else {
            places[key] = groups.count
            groups.append(TrainedEpochs(key: try decodeJSON(LawKey.self, key), trainings: [training]))
        }
    }
}
