internal import Domain
internal import GRDB
internal import StrictJSON

/// The schema's history. A released migration is never edited: a change is a new migration.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1-datasets-jobs-laws") { db in
            try db.execute(
                sql: """
                    CREATE TABLE dataset (
                        id INTEGER PRIMARY KEY,
                        name TEXT NOT NULL UNIQUE,
                        version TEXT NOT NULL,
                        corpusFile TEXT NOT NULL,
                        info TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE job (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
                        kind TEXT NOT NULL,
                        state TEXT NOT NULL,
                        createdAt TEXT NOT NULL,
                        endedAt TEXT,
                        budgetSeconds REAL NOT NULL,
                        activeSeconds REAL NOT NULL DEFAULT 0,
                        workers INTEGER NOT NULL,
                        sequence INTEGER NOT NULL DEFAULT 0,
                        message TEXT,
                        laws TEXT NOT NULL DEFAULT '[]'
                    ) STRICT;
                    CREATE INDEX jobByState ON job(state);
                    CREATE INDEX jobByDataset ON job(datasetId, id);
                    CREATE TABLE trial (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        jobId INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,
                        place INTEGER NOT NULL,
                        state TEXT NOT NULL,
                        spec TEXT NOT NULL,
                        predictedSeconds REAL NOT NULL,
                        predictedEpochs REAL NOT NULL,
                        seconds REAL NOT NULL DEFAULT 0,
                        result TEXT,
                        message TEXT
                    ) STRICT;
                    CREATE INDEX trialByJob ON trial(jobId, place);
                    CREATE TABLE observation (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
                        trialId INTEGER UNIQUE REFERENCES trial(id) ON DELETE SET NULL,
                        loss TEXT NOT NULL,
                        body TEXT NOT NULL
                    ) STRICT;
                    CREATE INDEX observationByDataset ON observation(datasetId, id);
                    CREATE TABLE law (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
                        key TEXT NOT NULL,
                        metric TEXT NOT NULL,
                        loss TEXT NOT NULL,
                        createdAt TEXT NOT NULL,
                        current INTEGER NOT NULL,
                        fit TEXT NOT NULL
                    ) STRICT;
                    CREATE INDEX lawByDataset ON law(datasetId, current, id);
                    CREATE TABLE probe (
                        id INTEGER PRIMARY KEY,
                        datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
                        setting TEXT NOT NULL,
                        layers INTEGER NOT NULL,
                        dim INTEGER NOT NULL,
                        body TEXT NOT NULL,
                        UNIQUE (datasetId, setting, layers, dim)
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("2-latency") { db in
            // Of the machine, not of a dataset: nothing but the shape and the sizes goes into it.
            try db.execute(
                sql: """
                    CREATE TABLE latency (
                        id INTEGER PRIMARY KEY,
                        backbone TEXT NOT NULL,
                        heads INTEGER NOT NULL,
                        layers INTEGER NOT NULL,
                        dim INTEGER NOT NULL,
                        items INTEGER NOT NULL,
                        length INTEGER NOT NULL,
                        body TEXT NOT NULL,
                        UNIQUE (backbone, heads, layers, dim, items, length)
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("3-timings") { db in
            try db.execute(
                sql: """
                    CREATE TABLE timing (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        datasetId INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
                        trialId INTEGER UNIQUE REFERENCES trial(id) ON DELETE SET NULL,
                        backbone TEXT NOT NULL,
                        loss TEXT NOT NULL,
                        body TEXT NOT NULL
                    ) STRICT;
                    CREATE INDEX timingByDataset ON timing(datasetId, backbone, loss, id);
                    ALTER TABLE trial ADD COLUMN predictedLogDeviation REAL;
                    """)
            // What was trained before is known as well.
            try db.execute(
                sql: """
                    INSERT INTO timing (datasetId, trialId, backbone, loss, body)
                    SELECT job.datasetId, trial.id, json_extract(spec, '$.configuration.backbone'),
                        json_extract(spec, '$.configuration.loss'),
                        json_object(
                            'configuration', json_extract(spec, '$.configuration'),
                            'batchUsers', json_extract(spec, '$.options.batchUsers'),
                            'negatives', json_extract(spec, '$.options.negatives'),
                            'threads', json_extract(spec, '$.threads'), 'atOnce', job.workers,
                            'tokens', json_extract(result, '$.tokens'), 'users', json_extract(result, '$.users'),
                            'userFraction', json_extract(spec, '$.userFraction'),
                            'epochs', json_extract(result, '$.epochs'),
                            'secondsPerEpoch', json_extract(result, '$.secondsPerEpoch'),
                            'secondsPerValidation', json_extract(result, '$.secondsPerValidation'),
                            'seconds', json_extract(result, '$.seconds'),
                            'converged',
                            json(CASE json_extract(result, '$.status') WHEN 'converged' THEN 'true' ELSE 'false' END))
                    FROM trial JOIN job ON job.id = jobId
                    WHERE trial.state = 'finished' AND json_extract(result, '$.epochs') > 0
                        AND json_extract(result, '$.secondsPerEpoch') > 0
                        AND json_extract(result, '$.secondsPerValidation') > 0 AND json_extract(result, '$.tokens') > 0
                    ORDER BY trial.id
                    """)
        }
        migrator.registerMigration("4-keys-with-filters", migrate: writeFilters)
        migrator.registerMigration("5-laws-of-all-families") { db in
            // Laws of former versions had one family; their observations are there and are fitted anew.
            try db.execute(
                sql: "ALTER TABLE law ADD COLUMN format INTEGER NOT NULL DEFAULT 1; UPDATE law SET current = 0;")
        }
        migrator.registerMigration("6-trials-one-at-a-time") { db in
            // What a job's trials are chosen by, so that it goes on after a crash, and what they have shown so far.
            try db.execute(sql: "ALTER TABLE job ADD COLUMN design TEXT; ALTER TABLE job ADD COLUMN outlook TEXT;")
        }
        migrator.registerMigration("7-trial-states") { db in
            // Divergence was a failure like any other; how often a worker was started again was not known.
            try db.execute(
                sql: """
                    ALTER TABLE trial ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE trial ADD COLUMN log TEXT;
                    UPDATE trial SET state = 'diverged'
                    WHERE state = 'failed' AND json_extract(result, '$.status') = 'diverged';
                    """)
        }
        migrator.registerMigration("8-unsaid-is-absent", migrate: leaveOutPlaceholders)
        return migrator
    }

    /// What nobody said had a placeholder in keys and observations, and a list beside it that called it so. Now it is absent, as in what is
    /// sent, and the columns `loss` have no value where it is none of the core's.
    private static func leaveOutPlaceholders(_ db: Database) throws {
        let names = ["dataset_version": "datasetVersion", "max_length": "maxLength", "code_version": "codeVersion"]
        let lists = try String.fetchAll(
            db,
            sql: """
                SELECT json_extract(body, '$.key.undeclared') FROM observation
                UNION SELECT json_extract(key, '$.undeclared') FROM law
                """)
        for list in lists {
            let undeclared = try decodeJSON([String].self, list).map { names[$0] ?? $0 }
            // Heads and feed-forward factors stand in a policy of which nobody said the rest.
            for (table, column, key) in [("observation", "body", "$.key"), ("law", "key", "$")] {
                func leaveOut(_ paths: [String], _ condition: String = "") throws {
                    guard !paths.isEmpty else { return }
                    try db.execute(
                        sql: """
                            UPDATE \(table) SET \(column) = json_remove(\(column), \(databaseQuestionMarks(count: paths.count)))
                            WHERE json_extract(\(column), '\(key).undeclared') = ? \(condition)
                            """, arguments: StatementArguments(paths + [list]))
                }
                try leaveOut(
                    undeclared.filter { $0 != "policy" }.flatMap { name in
                        ["\(key).\(name)"]
                            + (table == "observation" ? ["$.configuration.\(name)", "$.\(name)"] : [])
                    })
                if undeclared.contains("policy") {
                    try leaveOut(["\(key).policy"], "AND json_extract(\(column), '\(key).policy') = ''")
                }
            }
        }
        for (table, path) in [("observation", "body, '$.key.loss'"), ("law", "key, '$.loss'")] {
            try db.execute(
                sql: """
                    ALTER TABLE \(table) ADD COLUMN coreLoss TEXT;
                    UPDATE \(table) SET coreLoss = json_extract(\(path));
                    ALTER TABLE \(table) DROP COLUMN loss;
                    ALTER TABLE \(table) RENAME COLUMN coreLoss TO loss;
                    """)
        }
    }

    /// Keys say which filters made the dataset, and what an import left unsaid. What is there was all measured here: its
    /// filters are those of its dataset, and nothing is undeclared.
    private static func writeFilters(_ db: Database) throws {
        for row in try Row.fetchAll(db, sql: "SELECT id, info FROM dataset") {
            let id: Int64 = row["id"]
            let info = try decodeJSON([String: JSONValue].self, row["info"])
            let options = info["options"] ?? .object([:])
            let filter = try decodeJSON(ReadOptions.self, encodeJSON(options)).filter
            try db.execute(
                sql: """
                    UPDATE observation SET body = json_set(body, '$.key.filter', ?, '$.key.undeclared', json('[]'))
                    WHERE datasetId = ?
                    """, arguments: [filter, id])
            // Laws are found by the text of their key: sorted members, as `encodeJSON` writes them.
            for law in try Row.fetchAll(db, sql: "SELECT id, key FROM law WHERE datasetId = ?", arguments: [id]) {
                var key = try decodeJSON([String: JSONValue].self, law["key"])
                key["filter"] = .string(filter)
                key["undeclared"] = .array([])
                try db.execute(
                    sql: "UPDATE law SET key = ? WHERE id = ?",
                    arguments: [try encodeJSON(key), law["id"] as Int64])
            }
        }
    }
}
