import Domain
import Wire
import PlawTesting
import Store
import Synchronization
import Testing

/// Writers that have not ended.
private final class Countdown: Sendable {
    private let left: Mutex<Int>
    init(_ count: Int) { left = Mutex(count) }
    var isOver: Bool { left.withLock { $0 == 0 } }
    func countDown() { left.withLock { $0 -= 1 } }
}

@Suite struct ConcurrencyTests {
    @Test("20 writers and 20 readers at once lose nothing, and every read is of one moment")
    func writersAndReaders() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            let store = try Store(path: path)
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            let writing = Countdown(20)
            let jobs = try await withThrowingTaskGroup(of: Int64?.self) { group in
                for writer in 1...20 {
                    group.addTask {
                        defer { writing.countDown() }
                        let (job, trials) = try await store.sampleJob(trials: 5)
                        try await store.updateJob(job, state: .running, activeSeconds: 0)
                        for trial in trials {
                            try await store.updateTrial(trial, state: .running, seconds: 0)
                            try await store.finishTrial(
                                trial, result: Sample.result(), message: nil,
                                observation: Sample.observation("books", job: job, trial: trial))
                        }
                        _ = try await store.insertLaws(
                            dataset: "books", key: Sample.key(policy: "writer \(writer)"),
                            fits: [Sample.fit(.init(.hr, 10)), Sample.fit(.init(.ndcg, 10))])
                        try await store.updateJob(job, state: .finished, activeSeconds: Double(writer))
                        return job
                    }
                    group.addTask {
                        var observations = 0
                        while !writing.isOver {
                            let found = try await store.observations(of: "books")
                            #expect(found.count >= observations)
                            observations = found.count
                            for job in try await store.jobs(dataset: "books", limit: 100).jobs {
                                let (whole, trials) = try await store.jobWithTrials(job.id)
                                #expect(whole.sequence >= job.sequence)
                                #expect(trials.count == 5)
                                #expect(trials.count { $0.state == .finished } == whole.finishedTrials)
                            }
                            // Laws are stored two at a time.
                            #expect(try await store.laws(of: "books").count % 2 == 0)
                        }
                        return nil
                    }
                }
                var jobs: Set<Int64> = []
                for try await job in group { if let job { jobs.insert(job) } }
                return jobs
            }
            #expect(jobs.count == 20)
            try store.close()
            let again = try Store(path: path)
            let observations = try await again.observations(of: "books")
            #expect(observations.count == 100)
            #expect(Set(observations.compactMap(\.trial)).count == 100)
            #expect(try await Set(again.jobs(dataset: nil, limit: 100).jobs.map(\.id)) == jobs)
            #expect(try await again.laws(of: nil).count == 40)
            // Each job was changed by 2 updates of its own and 2 of each of its 5 trials.
            #expect(try await again.jobs(dataset: nil, limit: 100).jobs.allSatisfy { $0.sequence == 12 })
            #expect(try await again.unfinishedJobs().isEmpty)
            #expect(try await again.integrityCheck() == "ok")
            try again.close()
        }
    }

    @Test("many more calls at once than the store has connections are all answered")
    func burst() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        if number % 3 == 0 {
                            try await store.insertProbes(
                                dataset: "books", setting: "s", [(layers: number, dim: 1, body: number)])
                        } else {
                            #expect(try await store.dataset("books").info.name == "books")
                        }
                    }
                }
                try await group.waitForAll()
            }
            let probes = try await store.probes(Int.self, dataset: "books", setting: "s")
            #expect(probes == stride(from: 0, to: 300, by: 3).map { $0 })
        }
    }

    @Test("what a cancelled task began to write is written")
    func cancellation() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            let (job, _) = try await store.sampleJob()
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                try await store.updateJob(job, state: .running, activeSeconds: 42)
            }
            task.cancel()
            try await task.value
            #expect(try await store.job(job).activeSeconds == 42)
        }
    }
}
