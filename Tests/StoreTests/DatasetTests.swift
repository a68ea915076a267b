import Domain
import Wire
import Store
import Testing

@Suite struct DatasetTests {
    @Test(
        "a dataset comes back as it went in, whatever its name",
        arguments: ["books", "B-1_2.x", "it's \"quoted\"; DROP TABLE dataset", "größe 🎬", " "])
    func roundTrip(name: String) async throws {
        try await withStore { store in
            #expect(try await !store.datasetExists(name))
            try await store.insertDataset(Sample.dataset(name), corpusFile: name + ".corpus")
            #expect(try await store.datasetExists(name))
            let stored = try await store.dataset(name)
            #expect(stored.info == Sample.dataset(name))
            #expect(stored.corpusFile == name + ".corpus")
            #expect(try await store.corpusFiles() == [name + ".corpus"])
        }
    }

    @Test("a name that is taken is refused, and the first dataset stays as it is")
    func taken() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "first")
            let error = await #expect(throws: StoreError.self) {
                try await store.insertDataset(Sample.dataset("books", version: "v2"), corpusFile: "second")
            }
            #expect(error?.kind == .datasetExists)
            #expect(error?.description.contains("\"books\"") == true)
            #expect(try await store.dataset("books").corpusFile == "first")
            #expect(try await store.dataset("books").info.version == "v1")
            #expect(try await store.corpusFiles() == ["first"])
        }
    }

    @Test("datasets are listed by name, with the numbers of their observations and served laws")
    func list() async throws {
        try await withStore { store in
            #expect(try await store.datasets().isEmpty)
            for name in ["movies", "books", "Zoo"] {
                try await store.insertDataset(Sample.dataset(name), corpusFile: name)
            }
            let (_, trials) = try await store.sampleJob("books")
            for trial in trials {
                try await store.finishTrial(
                    trial, result: Sample.result(), message: nil, observation: Sample.observation("books"))
            }
            for _ in 0..<3 {
                _ = try await store.insertLaws(
                    dataset: "books", key: Sample.key(), fits: [Sample.fit(Metric(.hr, 10))])
            }
            let datasets = try await store.datasets()
            #expect(datasets.map(\.info.name) == ["Zoo", "books", "movies"])
            #expect(datasets[1].info == Sample.dataset("books"))
            #expect(datasets.map(\.observations) == [0, 2, 0])
            #expect(datasets.map(\.laws) == [0, 1, 0])
            let counts = try await store.counts()
            #expect([counts.datasets, counts.observations, counts.laws, counts.runningJobs] == [3, 2, 1, 0])
        }
    }

    @Test("an unknown dataset is an error that names it, whatever is asked of it")
    func unknown() async throws {
        try await withStore { store in
            let calls: [@Sendable () async throws -> Void] = [
                { _ = try await store.dataset("none") },
                { _ = try await store.removeDataset("none") },
                { _ = try await store.observations(of: "none") },
                { _ = try await store.laws(of: "none") },
                { _ = try await store.jobs(dataset: "none", limit: 1).jobs },
                { _ = try await store.unfinishedJobs(of: "none") },
                { _ = try await store.probes(Int.self, dataset: "none", setting: "") },
                { try await store.insertProbes(dataset: "none", setting: "", [(layers: 1, dim: 1, body: 1)]) },
                { _ = try await store.insertLaws(dataset: "none", key: Sample.key(), fits: []) },
                {
                    _ = try await store.insertJob(
                        dataset: "none", budgetSeconds: 1, workers: 1, message: nil, trials: [Sample.newTrial()])
                },
            ]
            for (number, call) in calls.enumerated() {
                let error = await #expect(throws: StoreError.self, "call \(number)") { try await call() }
                #expect(error?.kind == .unknownDataset, "call \(number)")
                #expect(error?.description == "no dataset is named \"none\"", "call \(number)")
            }
            let trials = try await store.trialIDs()
            #expect(trials.isEmpty)
        }
    }

    @Test("removing a dataset removes its jobs, trials, observations, laws and probes, and nobody else's")
    func cascade() async throws {
        try await withStore { store in
            var jobs: [String: Int64] = [:]
            var trials: [String: [Int64]] = [:]
            var laws: [String: [Int64]] = [:]
            for name in ["books", "movies"] {
                let (job, ids) = try await store.sampleJob(name)
                jobs[name] = job
                trials[name] = ids
                try await store.finishTrial(
                    ids[0], result: Sample.result(), message: nil,
                    observation: Sample.observation(name, job: job, trial: ids[0]))
                try await store.updateTrial(ids[1], state: .failed, seconds: 1)
                try await store.updateJob(job, state: .finished, activeSeconds: 10)
                for _ in 0..<2 {
                    laws[name, default: []] += try await store.insertLaws(
                        dataset: name, key: Sample.key(), fits: [Sample.fit(Metric(.hr, 10))]
                    ).map(\.id)
                }
                try await store.insertProbes(dataset: name, setting: "s", [(layers: 1, dim: 2, body: 3)])
            }
            let removed = try await store.removeDataset("books")
            #expect(removed.corpusFile == "books.corpus")
            #expect(removed.trials == trials["books"])
            #expect(removed.observations == 1)
            #expect(removed.laws == 1)

            #expect(try await !store.datasetExists("books"))
            #expect(try await store.trialIDs() == Set(trials["movies"] ?? []))
            #expect(try await store.trials(of: #require(jobs["books"])).isEmpty)
            let jobError = await #expect(throws: StoreError.self) { try await store.job(#require(jobs["books"])) }
            #expect(jobError?.kind == .unknownJob)
            for id in laws["books"] ?? [] {
                let error = await #expect(throws: StoreError.self) { try await store.law(id) }
                #expect(error?.kind == .unknownLaw)
            }
            let counts = try await store.counts()
            #expect([counts.datasets, counts.observations, counts.laws] == [1, 1, 1])
            #expect(try await store.probes(Int.self, dataset: "movies", setting: "s") == [3])
            #expect(try await store.job(#require(jobs["movies"])).finishedTrials == 1)
            #expect(try await store.corpusFiles() == ["movies.corpus"])

            // A new dataset of the old name begins with nothing, and old numbers are not given out again.
            let (job, ids) = try await store.sampleJob("books")
            #expect(job > jobs.values.max() ?? 0)
            #expect(Set(ids).isDisjoint(with: Set(trials.values.joined())))
            #expect(try await store.observations(of: "books").isEmpty)
            #expect(try await store.laws(of: "books").isEmpty)
            #expect(try await store.probes(Int.self, dataset: "books", setting: "s").isEmpty)
        }
    }

    @Test("a dataset with a job that has not ended cannot be removed, and keeps everything", arguments: [false, true])
    func busy(running: Bool) async throws {
        try await withStore { store in
            let (job, trials) = try await store.sampleJob()
            if running { try await store.updateJob(job, state: .running, activeSeconds: 0) }
            await #expect(throws: StoreError.self) { try await store.removeDataset("books") }
            #expect(try await store.datasetExists("books"))
            #expect(try await store.trialIDs() == Set(trials))
        }
    }
}
