internal import GRDB

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
        return migrator
    }
}
