package import Domain
internal import GRDB
package import Observations

extension Store {
    /// What a dataset's trainings measured, oldest first, at most `limit`.
    ///
    /// - Throws: `unknownDataset`.
    package func observations(
        of dataset: String, limit: Int? = nil
    ) async throws(StoreError) -> [Observation] {
        try await read("read the observations of \(dataset)") { db in
            let id = try Self.datasetID(db, dataset)
            return try Self.observations(db, of: id, limit: limit)
        }
    }

    /// How many observations a dataset has.
    ///
    /// - Throws: `unknownDataset`.
    package func observationCount(of dataset: String) async throws(StoreError) -> Int {
        try await read("count the observations of \(dataset)") { db in
            let id = try Self.datasetID(db, dataset)
            let sql = "SELECT COUNT(*) FROM observation WHERE datasetId = ?"
            return try Int.fetchOne(db, sql: sql, arguments: [id]) ?? 0
        }
    }

    private static func observations(
        _ db: Database, of dataset: Int64, limit: Int? = nil
    ) throws -> [Observation] {
        try ObservationRow.fetchAll(
            db, sql: "SELECT * FROM observation WHERE datasetId = ? ORDER BY id LIMIT ?",
            arguments: [dataset, limit ?? -1]
        ).map { try $0.observation }
    }

    /// The same with greater numbers than `after`, as many as `mostBytes` of stored text hold, but one at least; `next` is the `after` of those that follow.
    package func observationPage(
        of dataset: String, after: Int64 = 0, limit: Int, mostBytes: Int = .max
    ) async throws(StoreError) -> (observations: [Observation], next: Int64?) {
        try await read("read the observations of \(dataset)") { db in
            let rows = try ObservationRow.fetchCursor(
                db, sql: "SELECT * FROM observation WHERE datasetId = ? AND id > ? ORDER BY id",
                arguments: [try Self.datasetID(db, dataset), after])
            var (observations, bytes): ([Observation], Int) = ([], 0)
            while let row = try rows.next() {
                bytes += row.body.utf8.count
                if observations.count == limit || (bytes > mostBytes && !observations.isEmpty) {
                    return (observations, observations.last?.id)
                }
                observations.append(try row.observation)
            }
            return (observations, nil)
        }
    }

    /// Takes imported observations into a dataset, all or none, and makes the dataset first where `creating` says how.
    /// Rows that say again what is known are left out and counted; returns what was added.
    ///
    /// - Throws: `unknownDataset`, `datasetExists`, and `conflict` with the line of a row that says something else than what is
    ///   known of its key, configuration, seed and share of users.
    package func importObservations(
        into dataset: String, creating: DatasetInfo?, _ rows: [ObservationTable.Row]
    ) async throws(StoreError) -> (added: [Observation], duplicates: Int) {
        try await write("import observations into \(dataset)", .dataset(dataset)) { db in
            if let creating { try Self.insertDataset(db, creating, corpusFile: "") }
            let id = try Self.datasetID(db, dataset)
            var known = KnownObservations()
            for observation in try Self.observations(db, of: id) { known.add(observation, at: nil) }
            var added: [Observation] = []
            for row in rows where try known.isNew(row) {
                try ObservationRow(row.observation, dataset: id, trial: nil).insert(db)
                var observation = row.observation
                observation.id = db.lastInsertedRowID
                added.append(observation)
            }
            return (added, rows.count - added.count)
        }
    }
}

/// A row of the table of observations: the columns that are asked for, and all of it as it is sent.
struct ObservationRow: Codable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "observation"
    // A trial found finished twice, after a crash between its result and its commit, measured the same thing.
    static let persistenceConflictPolicy = PersistenceConflictPolicy(insert: .replace)

    var id: Int64?
    var datasetId: Int64
    var trialId: Int64?
    /// One of the core's.
    var loss: String?
    var body: String

    init(_ observation: Observation, dataset: Int64, trial: Int64?) throws {
        (datasetId, trialId) = (dataset, trial)
        loss = observation.key.loss.value?.core?.rawValue
        body = try encodeJSON(observation)
    }

    /// With its number, which is known since it was stored.
    var observation: Observation {
        get throws {
            var observation = try decodeJSON(Observation.self, body)
            observation.id = id ?? 0
            return observation
        }
    }
}

/// The observations of a dataset by what should make them equal.
private struct KnownObservations {
    private struct Identity: Hashable {
        var key: LawKey
        var configuration: DeclaredConfiguration
        var seed: UInt64
        var userFraction: Double

        init(_ o: Observation) {
            (key, configuration, seed, userFraction) = (o.key, o.configuration, o.seed, o.userFraction)
        }
    }

    /// What an observation says, and the line it stands on, nil where it was stored before.
    private var places: [Identity: [(observation: Observation, line: Int?)]] = [:]

    mutating func add(_ observation: Observation, at line: Int?) {
        places[Identity(observation), default: []].append((observation, line))
    }

    /// Whether a row says something new. Trainings that were cut short may have been cut anywhere: only those that converged
    /// must agree.
    ///
    /// - Throws: `StoreError.conflict`.
    mutating func isNew(_ row: ObservationTable.Row) throws -> Bool {
        let new = row.observation
        let others = (places[Identity(new)] ?? []).filter { $0.observation.converged == new.converged }
        let differences = others.map { Self.difference(new, $0.observation) }
        if differences.contains(where: { $0 == nil }) { return false }
        if new.converged, let other = others.first, let difference = differences[0] {
            let place = other.line.map { "line \($0)" } ?? "observation \(other.observation.id)"
            throw StoreError(
                "import",
                "line \(row.line), \(difference) as in \(place) of the same key, layers, dim, seed and user_fraction; "
                    + "trainings that were repeated need a column seed", kind: .conflict, line: row.line)
        }
        add(new, at: row.line)
        return true
    }

    /// The first value in which two observations differ, found and expected; nil when there is none.
    private static func difference(_ a: Observation, _ b: Observation) -> String? {
        func differs(_ column: String, _ found: some Equatable, _ expected: some Equatable) -> String {
            "column \(column): found \(found), expected \(expected)"
        }
        for name in Set(a.metrics.keys).union(b.metrics.keys).sorted() {
            guard let new = a.metrics[name] else { return "column \(name): found nothing, expected a value" }
            guard let old = b.metrics[name] else { return "column \(name): found \(new.value), expected nothing" }
            if new.value != old.value { return differs(name, new.value, old.value) }
            if new.standardError != old.standardError {
                return differs(name + "_se", new.standardError, old.standardError)
            }
        }
        if a.tokens != b.tokens { return differs("tokens", a.tokens.words, b.tokens.words) }
        if a.apen != b.apen { return differs("apen", a.apen.words, b.apen.words) }
        if a.users != b.users { return differs("users", a.users, b.users) }
        return nil
    }
}
