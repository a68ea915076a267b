import Domain
import GRDB
import Wire
import PlawTesting
import Testing
import Trials

@testable import Store

@Suite struct TimingTests {
    private static let latency = LatencyProbe(
        backbone: .hstu, layers: 2, dim: 64, heads: 2, items: 1_000, length: 50, requests: 60, bodySeconds: 1e-4,
        headSeconds: 1.0 / 3e4, p50Seconds: 1.4e-4, p95Seconds: 1.6e-4)

    @Test("latencies are kept by shape and sizes, the last one of each")
    func latencies() async throws {
        try await withStore { store in
            var other = Self.latency
            other.items = 500
            try await store.insertLatencies([Self.latency, other])
            var again = Self.latency
            again.p50Seconds = 2e-4
            try await store.insertLatencies([again])
            #expect(try await store.latencies(.hstu, heads: 2) == [other, again])
            #expect(try await store.latencies(.hstu, heads: 1).isEmpty)
            #expect(try await store.latencies(.gpt, heads: 2).isEmpty)
        }
    }

    @Test("a finished trial leaves how long it took, once, with what it depends on")
    func finished() async throws {
        try await withStore { store in
            let (job, trials) = try await store.sampleJob()
            for _ in 0..<2 {
                try await store.finishTrial(
                    trials[0], result: Sample.result(), message: nil, observation: Sample.observation("books"))
            }
            // What diverged tells nothing.
            try await store.finishTrial(trials[1], result: Sample.result(.diverged), message: "no", observation: nil)
            let spec = try await store.trials(of: job)[0].spec
            let expected = TrialTiming(
                configuration: spec.configuration, batchUsers: 64, negatives: 3, atOnce: 3, tokens: 900,
                users: 99, userFraction: 0.125, epochs: 41, secondsPerEpoch: 0.2, secondsPerValidation: 0.02,
                seconds: 9.25, converged: true)
            #expect(try await store.timings(of: "books", .sasrec, .cce) == [expected])
            #expect(try await store.timings(of: nil, .sasrec, .cce) == [expected])
            #expect(try await store.timings(of: "books", .sasrec, .bce).isEmpty)
            #expect(try await store.timings(of: "books", .gpt, .cce).isEmpty)
            await #expect(throws: StoreError.self) { try await store.timings(of: "none", .sasrec, .cce) }
        }
    }

    @Test("the deviation of a prediction is kept with its trial and shown")
    func deviation() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            let job = try await store.insertJob(
                dataset: "books", budgetSeconds: 10, workers: 1, message: nil,
                trials: [
                    NewTrial(
                        spec: Sample.spec(), predictedSeconds: 3, predictedEpochs: 40, predictedLogDeviation: 1.0 / 3),
                    Sample.newTrial(),
                ])
            #expect(try await store.trials(of: job).map(\.predictedLogDeviation) == [1.0 / 3, nil])
            #expect(try await store.trials(of: job).map(\.predictedEpochs) == [40, 39.5])
        }
    }

    @Test("a database of the first version is brought up to date, and the trials in it tell how long they took")
    func upgrade() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            let store = try Store(path: path)
            let (job, trials) = try await store.sampleJob(trials: 3)
            try await store.finishTrial(
                trials[0], result: Sample.result(), message: nil, observation: Sample.observation("books"))
            try await store.finishTrial(
                trials[1], result: Sample.result(.stoppedByBudget), message: nil,
                observation: Sample.observation("books"))
            let (wanted, before) = try await (store.timings(of: "books", .sasrec, .cce), store.job(job))
            #expect(wanted.map(\.converged) == [true, false])
            try store.close()
            // Back to what the first version had written.
            let queue = try DatabaseQueue(path: path)
            try await queue.write { db in
                try db.execute(
                    sql: """
                        DROP TABLE timing; DROP TABLE latency; ALTER TABLE trial DROP COLUMN predictedLogDeviation;
                        ALTER TABLE law DROP COLUMN format; ALTER TABLE job DROP COLUMN design;
                        ALTER TABLE job DROP COLUMN outlook;
                        ALTER TABLE trial DROP COLUMN retries; ALTER TABLE trial DROP COLUMN log;
                        DELETE FROM grdb_migrations WHERE identifier <> '1-datasets-jobs-laws';
                        """)
            }
            try queue.close()
            let upgraded = try Store(path: path)
            #expect(try await upgraded.timings(of: "books", .sasrec, .cce) == wanted)
            #expect(try await upgraded.job(job) == before)
            #expect(try await upgraded.latencies(.sasrec, heads: 2).isEmpty)
            #expect(try await upgraded.integrityCheck() == "ok")
            try upgraded.close()
        }
    }
}
