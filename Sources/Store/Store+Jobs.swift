package import Domain
internal import GRDB
internal import Synchronization
package import Trials

/// A calibration as it is stored.
package struct StoredJob: Encodable, Sendable, Hashable {
    package var id: Int64
    package var kind: String
    package var dataset: String
    package var state: JobState
    package var createdAt: String
    package var endedAt: String?
    package var budgetSeconds: Double
    package var activeSeconds: Double
    package var sequence: Int64
    package var trialCount: Int
    package var finishedTrials: Int
    package var message: String?
    package var laws: [Int64]
    package var outlook: CalibrationOutlook?
}

/// A trial as it is stored.
package struct StoredTrial: Sendable {
    package var id: Int64
    package var job: Int64
    package var place: Int
    package var state: TrialStatus
    package var spec: TrialSpec
    package var predictedSeconds: Double
    package var predictedEpochs: Double
    /// Standard deviation of ln(seconds) around the prediction, where the plan said.
    package var predictedLogDeviation: Double?
    package var seconds: Double
    package var result: TrialResult?
    package var message: String?
    /// How often it was begun again after its worker had ended badly.
    package var retries = 0
    /// The last lines of a worker that ended badly.
    package var log: String?
}

/// A trial to be queued.
package struct NewTrial: Sendable {
    package var spec: TrialSpec
    package var predictedSeconds: Double
    package var predictedEpochs: Double
    package var predictedLogDeviation: Double?

    package init(
        spec: TrialSpec, predictedSeconds: Double, predictedEpochs: Double, predictedLogDeviation: Double? = nil
    ) {
        (self.spec, self.predictedSeconds) = (spec, predictedSeconds)
        (self.predictedEpochs, self.predictedLogDeviation) = (predictedEpochs, predictedLogDeviation)
    }
}

/// A job that waits or runs.
package struct UnfinishedJob: Sendable {
    package var job: StoredJob
    package var workers: Int
    /// Whether further trials are chosen as it goes.
    package var isOpen: Bool
    package var trials: [StoredTrial]
    package var dataset: DatasetInfo
}

extension Store {
    /// Queues a calibration with its trials.
    ///
    /// - Throws: `unknownDataset`.
    ///
    /// - Parameters:
    ///   - dataset: its name.
    ///   - budgetSeconds: that it may take.
    ///   - workers: trials at once.
    ///   - message: what is told of it at first.
    ///   - trials: in the order of the plan.
    ///   - design: what further trials are chosen by, as JSON; nil for none but these.
    ///   - activeSeconds: of the budget, what is spent already.
    package func insertJob(
        dataset: String, budgetSeconds: Double, workers: Int, message: String?, trials: [NewTrial],
        design: String? = nil, activeSeconds: Double = 0
    ) async throws(StoreError) -> Int64 {
        try await write("store a calibration of \(dataset)", .nothing) { db in
            let datasetID = try Self.datasetID(db, dataset)
            try db.execute(
                sql: """
                    INSERT INTO job
                        (datasetId, kind, state, createdAt, budgetSeconds, workers, message, design, activeSeconds)
                    VALUES (?, 'calibration', 'queued', ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [datasetID, timestamp(), budgetSeconds, workers, message, design, activeSeconds])
            let job = db.lastInsertedRowID
            for (place, trial) in trials.enumerated() {
                try Self.insertTrial(db, trial, job: job, place: place + 1)
            }
            return job
        }
    }

    private static func insertTrial(_ db: Database, _ trial: NewTrial, job: Int64, place: Int) throws {
        try db.execute(
            sql: """
                INSERT INTO trial
                    (jobId, place, state, spec, predictedSeconds, predictedEpochs, predictedLogDeviation)
                VALUES (?, ?, 'queued', ?, ?, ?, ?)
                """,
            arguments: [
                job, place, try encodeJSON(trial.spec), trial.predictedSeconds, trial.predictedEpochs,
                trial.predictedLogDeviation,
            ])
    }

    /// Adds a trial to the end of a job's plan with what it was chosen by, in one transaction.
    ///
    /// - Throws: `unknownJob`.
    package func appendTrial(
        _ trial: NewTrial, to job: Int64, outlook: CalibrationOutlook?
    ) async throws(StoreError) -> StoredTrial {
        try await write("add a trial to job \(job)", .nothing) { db in
            let last = try Int.fetchOne(db, sql: "SELECT MAX(place) FROM trial WHERE jobId = ?", arguments: [job]) ?? 0
            try Self.insertTrial(db, trial, job: job, place: last + 1)
            let id = db.lastInsertedRowID
            try Self.writeOutlook(db, outlook, of: job)
            return StoredTrial(
                id: id, job: job, place: last + 1, state: .queued, spec: trial.spec,
                predictedSeconds: trial.predictedSeconds, predictedEpochs: trial.predictedEpochs,
                predictedLogDeviation: trial.predictedLogDeviation, seconds: 0)
        }
    }

    /// Keeps what a job's trials have shown so far.
    package func updateOutlook(_ outlook: CalibrationOutlook, of job: Int64) async throws(StoreError) {
        try await write("store the outlook of job \(job)", .nothing) { db in
            try Self.writeOutlook(db, outlook, of: job)
        }
    }

    private static func writeOutlook(_ db: Database, _ outlook: CalibrationOutlook?, of job: Int64) throws {
        try db.execute(
            sql: "UPDATE job SET sequence = sequence + 1, outlook = COALESCE(?, outlook) WHERE id = ?",
            arguments: [try outlook.map { try encodeJSON($0) }, job])
        if db.changesCount == 0 { throw StoreError.unknownJob(job) }
    }

    /// What the further trials of a job are chosen by; nil for a job of a fixed plan.
    package func design(of job: Int64) async throws(StoreError) -> String? {
        try await read("read job \(job)") { db in
            try String.fetchOne(db, sql: "SELECT design FROM job WHERE id = ?", arguments: [job])
        }
    }

    /// Jobs that have not ended, oldest first.
    package func unfinishedJobs() async throws(StoreError) -> [Int64] {
        try await read("list unfinished jobs") { db in
            try Int64.fetchAll(db, sql: "SELECT id FROM job WHERE state IN ('queued', 'running') ORDER BY id")
        }
    }

    /// The same with what they are still to do.
    package func unfinished() async throws(StoreError) -> [UnfinishedJob] {
        try await read("read unfinished jobs") { db in
            try Row.fetchAll(db, sql: Self.jobSQL + " WHERE state IN ('queued', 'running') ORDER BY job.id").map {
                row in
                let info = try String.fetchOne(
                    db, sql: "SELECT info FROM dataset WHERE id = ?", arguments: [row["datasetId"] as Int64])
                return UnfinishedJob(
                    job: try Self.job(row), workers: row["workers"],
                    isOpen: (row["design"] as String?) != nil, trials: try Self.trials(db, of: row["id"]),
                    dataset: try decodeJSON(DatasetInfo.self, info ?? ""))
            }
        }
    }

    /// Jobs of a dataset that have not ended.
    package func unfinishedJobs(of dataset: String) async throws(StoreError) -> [Int64] {
        try await read("list unfinished jobs of \(dataset)") { db in
            let id = try Self.datasetID(db, dataset)
            return try Int64.fetchAll(
                db, sql: "SELECT id FROM job WHERE datasetId = ? AND state IN ('queued', 'running') ORDER BY id",
                arguments: [id])
        }
    }

    /// One job.
    ///
    /// - Throws: `unknownJob`.
    package func job(_ id: Int64) async throws(StoreError) -> StoredJob {
        try await read("read job \(id)") { db in try Self.job(db, id) }
    }

    /// One job with its trials, as they were at one moment.
    ///
    /// - Throws: `unknownJob`.
    package func jobWithTrials(_ id: Int64) async throws(StoreError) -> (job: StoredJob, trials: [StoredTrial]) {
        try await read("read job \(id)") { db in (try Self.job(db, id), try Self.trials(db, of: id)) }
    }

    private static func job(_ db: Database, _ id: Int64) throws -> StoredJob {
        guard let row = try Row.fetchOne(db, sql: jobSQL + " WHERE job.id = ?", arguments: [id]) else {
            throw StoreError.unknownJob(id)
        }
        return try job(row)
    }

    /// Jobs without their trials, newest first, with smaller numbers than `before`: at most `limit`, and as many as take `mostBytes` as
    /// JSON, but one at least; `next` is the `before` of those that follow.
    ///
    /// - Throws: `unknownDataset`.
    package func jobs(
        dataset: String?, before: Int64? = nil, limit: Int, mostBytes: Int = .max
    ) async throws(StoreError) -> (jobs: [StoredJob], next: Int64?) {
        try await read("list jobs") { db in
            var sql = Self.jobSQL + " WHERE job.id < ?"
            var arguments: StatementArguments = [before ?? .max]
            if let dataset {
                sql += " AND datasetId = ?"
                arguments += [try Self.datasetID(db, dataset)]
            }
            let rows = try Row.fetchCursor(db, sql: sql + " ORDER BY job.id DESC", arguments: arguments)
            var (jobs, bytes): ([StoredJob], Int) = ([], 0)
            while let row = try rows.next() {
                let job = try Self.job(row)
                bytes += try encodeJSON(job).utf8.count + 1
                if jobs.count == limit || (bytes > mostBytes && !jobs.isEmpty) { return (jobs, jobs.last?.id) }
                jobs.append(job)
            }
            return (jobs, nil)
        }
    }

    /// The trials of a job in the order of its plan.
    package func trials(of job: Int64) async throws(StoreError) -> [StoredTrial] {
        try await read("read the trials of job \(job)") { db in try Self.trials(db, of: job) }
    }

    /// Trial identifiers of all jobs; folders of others are left over from a crash.
    package func trialIDs() async throws(StoreError) -> Set<Int64> {
        try await read("list trials") { db in Set(try Int64.fetchAll(db, sql: "SELECT id FROM trial")) }
    }

    /// Number of workers a job may use.
    package func workers(of job: Int64) async throws(StoreError) -> Int {
        try await read("read job \(job)") { db in
            try Int.fetchOne(db, sql: "SELECT workers FROM job WHERE id = ?", arguments: [job]) ?? 1
        }
    }

    /// Moves a job to a state and adds to its active time; a final state gets its end time. Returns the new sequence.
    @discardableResult
    package func updateJob(
        _ id: Int64, state: JobState, activeSeconds: Double, message: String? = nil, laws: [Int64]? = nil
    ) async throws(StoreError) -> Int64 {
        try await write("update job \(id)", .nothing) { db in
            try db.execute(
                sql: """
                    UPDATE job SET state = ?, activeSeconds = ?, sequence = sequence + 1,
                        message = COALESCE(?, message), laws = COALESCE(?, laws), endedAt = MAX(createdAt, ?)
                    WHERE id = ?
                    """,
                arguments: [
                    state.rawValue, activeSeconds, message, try laws.map { try encodeJSON($0) },
                    state.isFinal ? timestamp() : nil, id,
                ])
            return try Int64.fetchOne(db, sql: "SELECT sequence FROM job WHERE id = ?", arguments: [id]) ?? 0
        }
    }

    /// Begins or goes on with a job: it is running, and none of its trials is, whatever was stored when its daemon died.
    package func beginJob(_ id: Int64, activeSeconds: Double) async throws(StoreError) {
        try await write("begin job \(id)", .nothing) { db in
            try db.execute(
                sql: "UPDATE trial SET state = 'stale' WHERE jobId = ? AND state = 'running'", arguments: [id])
            try db.execute(
                sql: "UPDATE job SET state = 'running', activeSeconds = ?, sequence = sequence + 1 WHERE id = ?",
                arguments: [activeSeconds, id])
        }
    }

    /// Moves a trial to a state.
    package func updateTrial(
        _ id: Int64, state: TrialStatus, seconds: Double, message: String? = nil, log: String? = nil
    ) async throws(StoreError) {
        try await write("update trial \(id)", .nothing) { db in
            try db.execute(
                sql: """
                    UPDATE trial SET state = ?, seconds = ?, message = COALESCE(?, message), log = COALESCE(?, log)
                    WHERE id = ?
                    """, arguments: [state.rawValue, seconds, message, log, id])
            try Self.bump(db, jobOf: id)
        }
    }

    /// Queues a trial again whose worker ended badly, and counts that; with another specification where the old one is to blame.
    package func retryTrial(_ trial: StoredTrial) async throws(StoreError) {
        try await write("retry trial \(trial.id)", .nothing) { db in
            try db.execute(
                sql: """
                    UPDATE trial SET state = 'queued', seconds = ?, message = ?, log = ?, retries = ?, spec = ? WHERE id = ?
                    """,
                arguments: [
                    trial.seconds, trial.message, trial.log, trial.retries, try encodeJSON(trial.spec), trial.id,
                ])
            try Self.bump(db, jobOf: trial.id)
        }
    }

    private static func bump(_ db: Database, jobOf trial: Int64) throws {
        try db.execute(
            sql: "UPDATE job SET sequence = sequence + 1 WHERE id = (SELECT jobId FROM trial WHERE id = ?)",
            arguments: [trial])
    }

    /// Ends a trial and keeps what it measured, in one transaction.
    package func finishTrial(
        _ id: Int64, result: TrialResult, message: String?, log: String? = nil, observation: Observation?
    ) async throws(StoreError) {
        // A trial that measured nothing leaves all answers as they are.
        let change = observation.map { Change.dataset($0.dataset) } ?? .nothing
        try await write("finish trial \(id)", change) { db in
            try db.execute(
                sql: """
                    UPDATE trial SET state = ?, seconds = ?, result = ?, message = ?, log = COALESCE(?, log) WHERE id = ?
                    """,
                arguments: [
                    Self.state(of: result, observation).rawValue, result.seconds, try encodeJSON(result), message, log,
                    id,
                ])
            try Self.bump(db, jobOf: id)
            guard let observation else { return }
            let datasetID = try Self.datasetID(db, observation.dataset)
            if try Int.fetchOne(db, sql: "SELECT 1 FROM observation WHERE trialId = ?", arguments: [id]) != nil {
                // How long it took may have entered the answers about other datasets by its old number.
                db.afterNextTransaction { [self] _ in
                    removals.add(1, ordering: .sequentiallyConsistent)
                    note(.shared)
                }
            }
            try ObservationRow(observation, dataset: datasetID, trial: id).insert(db)
            try Self.insertTiming(db, trial: id, result, datasetID: datasetID)
        }
    }

    private static func state(of result: TrialResult, _ observation: Observation?) -> TrialStatus {
        guard observation == nil else { return .finished }
        return result.status == .diverged ? .diverged : .failed
    }

    // MARK: - Rows

    private static let jobSQL = """
        SELECT job.*, dataset.name AS dataset,
            (SELECT COUNT(*) FROM trial WHERE jobId = job.id) AS trialCount,
            (SELECT COUNT(*) FROM trial WHERE jobId = job.id AND state = 'finished') AS finishedTrials
        FROM job JOIN dataset ON dataset.id = datasetId
        """

    private static func job(_ row: Row) throws -> StoredJob {
        StoredJob(
            id: row["id"], kind: row["kind"], dataset: row["dataset"], state: try state(row["state"]),
            createdAt: row["createdAt"], endedAt: row["endedAt"], budgetSeconds: row["budgetSeconds"],
            activeSeconds: row["activeSeconds"], sequence: row["sequence"], trialCount: row["trialCount"],
            finishedTrials: row["finishedTrials"], message: row["message"],
            laws: try decodeJSON([Int64].self, row["laws"]),
            outlook: try (row["outlook"] as String?).map { try decodeJSON(CalibrationOutlook.self, $0) })
    }

    private static func state<S: RawRepresentable & CaseIterable>(_ text: String) throws -> S
    where S.RawValue == String {
        guard let state = S(rawValue: text) else {
            let known = S.allCases.map(\.rawValue).joined(separator: ", ")
            throw StoreError("read a state", "found \"\(text)\", expected one of \(known)")
        }
        return state
    }

    private static func trials(_ db: Database, of job: Int64) throws -> [StoredTrial] {
        try Row.fetchAll(db, sql: "SELECT * FROM trial WHERE jobId = ? ORDER BY place", arguments: [job]).map { row in
            let result: String? = row["result"]
            return StoredTrial(
                id: row["id"], job: row["jobId"], place: row["place"], state: try state(row["state"]),
                spec: try decodeJSON(TrialSpec.self, row["spec"]), predictedSeconds: row["predictedSeconds"],
                predictedEpochs: row["predictedEpochs"], predictedLogDeviation: row["predictedLogDeviation"],
                seconds: row["seconds"],
                result: try result.map { try decodeJSON(TrialResult.self, $0) }, message: row["message"],
                retries: row["retries"], log: row["log"])
        }
    }
}
