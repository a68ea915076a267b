import Domain
import Wire
import Store
import Testing
import Trials

@Suite struct JobTests {
    @Test("a new job is queued with its trials in the order of the plan, everything as it was given")
    func insertion() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            let id = try await store.insertJob(
                dataset: "books", budgetSeconds: 12.5, workers: 3, message: "noted",
                trials: [Sample.newTrial(4, seconds: 9), Sample.newTrial(1, seconds: 0.1)])
            let job = try await store.job(id)
            #expect(job.id == id)
            #expect(job.kind == "calibration")
            #expect(job.dataset == "books")
            #expect(job.state == .queued)
            #expect(job.endedAt == nil)
            #expect(job.budgetSeconds == 12.5)
            #expect(job.activeSeconds == 0)
            #expect(job.trialCount == 2)
            #expect(job.finishedTrials == 0)
            #expect(job.message == "noted")
            #expect(job.laws == [])
            #expect(job.createdAt.count == 20 && job.createdAt.hasSuffix("Z"))
            let trials = try await store.jobWithTrials(id).trials
            #expect(trials.map(\.predictedSeconds) == [9, 0.1])
            #expect(trials.allSatisfy { $0.state == .queued && $0.result == nil })
            #expect(trials.map(\.spec) == [Sample.spec(layers: 4), Sample.spec(layers: 1)])
            #expect(trials.map(\.place) == [1, 2])
            #expect(trials.allSatisfy { $0.job == id && $0.predictedEpochs == 39.5 && $0.result == nil })
            #expect(try await store.workers(of: id) == 3)
            #expect(try await store.trialIDs() == Set(trials.map(\.id)))
        }
    }

    @Test("a job that cannot be stored whole is not stored at all")
    func insertionIsAtomic() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            var bad = Sample.newTrial()
            bad.spec.userFraction = .nan
            let trials = [Sample.newTrial(), bad]
            await #expect(throws: StoreError.self) {
                try await store.insertJob(
                    dataset: "books", budgetSeconds: 1, workers: 1, message: nil, trials: trials)
            }
            #expect(try await store.jobs(dataset: nil, limit: 10).jobs.isEmpty)
            #expect(try await store.trialIDs().isEmpty)
        }
    }

    @Test("jobs move through their states; a final one has its end, a message stays until another is given")
    func states() async throws {
        try await withStore { store in
            let (id, _) = try await store.sampleJob()
            for state in JobState.allCases {
                try await store.updateJob(id, state: state, activeSeconds: 1.5, message: "now \(state.rawValue)")
                try await store.updateJob(id, state: state, activeSeconds: 2.5)
                let job = try await store.job(id)
                #expect(job.state == state)
                #expect(job.activeSeconds == 2.5)
                #expect(job.message == "now \(state.rawValue)")
                #expect((job.endedAt != nil) == state.isFinal)
                #expect(try await store.counts().runningJobs == (state == .running ? 1 : 0))
            }
            try await store.updateJob(id, state: .finished, activeSeconds: 3, laws: [4, 2])
            #expect(try await store.job(id).laws == [4, 2])
            try await store.updateJob(id, state: .finished, activeSeconds: 3)
            #expect(try await store.job(id).laws == [4, 2])
        }
    }

    @Test("the sequence grows with every change of the job and of its trials, and of no other job")
    func sequence() async throws {
        try await withStore { store in
            let (id, trials) = try await store.sampleJob()
            let (other, _) = try await store.sampleJob()
            var last = try await store.job(id).sequence
            func grew(_ what: String) async throws {
                let now = try await store.job(id).sequence
                #expect(now > last, "\(what)")
                last = now
            }
            let returned = try await store.updateJob(id, state: .running, activeSeconds: 0)
            try await grew("updateJob")
            #expect(returned == last)
            try await store.updateTrial(trials[0], state: .running, seconds: 0)
            try await grew("updateTrial")
            try await store.finishTrial(
                trials[0], result: Sample.result(), message: nil, observation: Sample.observation("books"))
            try await grew("finishTrial")
            try await store.finishTrial(trials[1], result: Sample.result(.diverged), message: "no", observation: nil)
            try await grew("finishTrial without an observation")
            #expect(try await store.job(other).sequence == 0)
        }
    }

    @Test("unfinished jobs are listed oldest first, all jobs newest first, each of one dataset when it is named")
    func lists() async throws {
        try await withStore { store in
            var ids: [Int64] = []
            for name in ["books", "movies", "books", "movies", "books"] {
                ids.append(try await store.sampleJob(name).job)
            }
            #expect(ids == ids.sorted())
            try await store.updateJob(ids[4], state: .running, activeSeconds: 0)
            try await store.updateJob(ids[0], state: .finished, activeSeconds: 0)
            try await store.updateJob(ids[3], state: .cancelled, activeSeconds: 0)
            #expect(try await store.unfinishedJobs() == [ids[1], ids[2], ids[4]])
            #expect(try await store.unfinishedJobs(of: "books") == [ids[2], ids[4]])
            #expect(try await store.unfinishedJobs(of: "movies") == [ids[1]])
            #expect(try await store.jobs(dataset: nil, limit: 100).jobs.map(\.id) == ids.reversed())
            #expect(try await store.jobs(dataset: "books", limit: 100).jobs.map(\.id) == [ids[4], ids[2], ids[0]])
            #expect(try await store.jobs(dataset: nil, limit: 2).jobs.map(\.id) == [ids[4], ids[3]])
            #expect(try await store.jobs(dataset: nil, limit: 100).jobs.allSatisfy { $0.trialCount == 2 })
        }
    }

    @Test("an unknown job is an error that names its number")
    func unknown() async throws {
        try await withStore { store in
            _ = try await store.sampleJob()
            for id: Int64 in [0, -1, 2, .max] {
                let error = await #expect(throws: StoreError.self) { try await store.job(id) }
                #expect(error?.kind == .unknownJob)
                #expect(error?.description == "no job has the number \(id)")
            }
        }
    }

    @Test("a trial's state, seconds and message are kept")
    func trialStates() async throws {
        try await withStore { store in
            let (id, trials) = try await store.sampleJob()
            for state in TrialStatus.allCases {
                try await store.updateTrial(trials[0], state: state, seconds: 1.25, message: state.rawValue)
                try await store.updateTrial(trials[0], state: state, seconds: 2.25)
                let stored = try await store.trials(of: id)[0]
                #expect(stored.state == state)
                #expect(stored.seconds == 2.25)
                #expect(stored.message == state.rawValue)
            }
            #expect(try await store.trials(of: id)[1].state == .queued)
        }
    }

    @Test("a job that begins leaves no trial running, and a trial that is tried again counts that and waits")
    func beginning() async throws {
        try await withStore { store in
            let (id, trials) = try await store.sampleJob(trials: 4)
            let (_, others) = try await store.sampleJob(trials: 1)
            let states: [TrialStatus] = [.running, .preempted, .finished, .queued]
            for (trial, state) in zip(trials, states) { try await store.updateTrial(trial, state: state, seconds: 2) }
            try await store.updateTrial(others[0], state: .running, seconds: 2)
            let before = try await store.job(id).sequence
            try await store.beginJob(id, activeSeconds: 7)
            let (job, begun) = try await store.jobWithTrials(id)
            #expect(job.state == .running && job.activeSeconds == 7 && job.sequence > before)
            #expect(begun.map(\.state) == [.stale, .preempted, .finished, .queued])
            #expect(begun.map(\.seconds) == [2, 2, 2, 2])
            #expect(try await store.trials(of: 2).map(\.state) == [.running])

            var again = try await store.trials(of: id)[0]
            (again.retries, again.message, again.log, again.seconds) = (2, "killed", "last words", 1.5)
            again.spec.options.batchUsers = 17
            try await store.retryTrial(again)
            let found = try await store.trials(of: id)[0]
            #expect(found.state == .queued && found.retries == 2 && found.message == "killed")
            #expect(found.log == "last words" && found.seconds == 1.5 && found.spec == again.spec)
            #expect(try await store.trials(of: id)[1].retries == 0)
        }
    }

    @Test("a finished trial has its result and one observation, also when it is finished again")
    func finishTwice() async throws {
        try await withStore { store in
            let (id, trials) = try await store.sampleJob()
            let observation = Sample.observation("books", job: id, trial: trials[0])
            for _ in 0..<2 {
                try await store.finishTrial(
                    trials[0], result: Sample.result(), message: "told", observation: observation)
                let stored = try await store.trials(of: id)[0]
                #expect(stored.state == .finished)
                #expect(stored.result == Sample.result())
                #expect(stored.seconds == 9.25)
                #expect(stored.message == "told")
                let found = try await store.observations(of: "books")
                #expect(found.count == 1)
                var expected = observation
                expected.id = found[0].id
                #expect(found[0] == expected)
                #expect(found[0].id > 0)
                #expect(try await store.job(id).finishedTrials == 1)
            }
        }
    }

    @Test("a trial that measured nothing is failed and leaves no observation")
    func finishWithoutObservation() async throws {
        try await withStore { store in
            let (id, trials) = try await store.sampleJob()
            try await store.finishTrial(
                trials[0], result: Sample.result(.diverged), message: "diverged", observation: nil)
            let stored = try await store.trials(of: id)[0]
            #expect(stored.state == .diverged)
            try await store.finishTrial(
                trials[1], result: Sample.result(.failed), message: "no", log: "its last words", observation: nil)
            let failed = try await store.trials(of: id)[1]
            #expect(failed.state == .failed && failed.log == "its last words")
            #expect(stored.message == "diverged")
            #expect(stored.result == Sample.result(.diverged))
            #expect(try await store.observations(of: "books").isEmpty)
            #expect(try await store.job(id).finishedTrials == 0)
        }
    }

    @Test("a trial is not finished when its observation cannot be kept")
    func finishIsAtomic() async throws {
        try await withStore { store in
            let (id, trials) = try await store.sampleJob()
            let before = try await store.job(id)
            let elsewhere = await #expect(throws: StoreError.self) {
                try await store.finishTrial(
                    trials[0], result: Sample.result(), message: nil, observation: Sample.observation("none"))
            }
            #expect(elsewhere?.kind == .unknownDataset)
            var unstorable = Sample.observation("books")
            unstorable.apen = .said(.nan)
            let bad = unstorable
            await #expect(throws: StoreError.self) {
                try await store.finishTrial(trials[0], result: Sample.result(), message: nil, observation: bad)
            }
            await #expect(throws: StoreError.self) {
                try await store.finishTrial(
                    9_999, result: Sample.result(), message: nil, observation: Sample.observation("books"))
            }
            #expect(try await store.job(id) == before)
            #expect(try await store.trials(of: id)[0].result == nil)
            #expect(try await store.observations(of: "books").isEmpty)
        }
    }

    @Test("observations are listed oldest first, of one dataset")
    func observations() async throws {
        try await withStore { store in
            var trials: [Int64] = []
            for name in ["books", "movies", "books"] {
                let (job, ids) = try await store.sampleJob(name)
                for id in ids {
                    trials.append(id)
                    try await store.finishTrial(
                        id, result: Sample.result(), message: nil,
                        observation: Sample.observation(name, job: job, trial: id))
                }
            }
            let books = try await store.observations(of: "books")
            #expect(books.map(\.trial) == [trials[0], trials[1], trials[4], trials[5]])
            #expect(books.map(\.id) == books.map(\.id).sorted())
            #expect(try await store.observations(of: "movies").map(\.trial) == [trials[2], trials[3]])
        }
    }

    @Test("a trial that is chosen later stands at the end of the plan, with the outlook it was chosen by")
    func appending() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            let id = try await store.insertJob(
                dataset: "books", budgetSeconds: 12.5, workers: 1, message: nil,
                trials: [Sample.newTrial(4, seconds: 9)],
                design: "{}")
            #expect(try await store.design(of: id) == "{}")
            #expect(try await store.job(id).outlook == nil)
            let before = try await store.job(id).sequence
            var outlook = CalibrationOutlook(
                metric: Metric(.ndcg, 10), configuration: Configuration(layers: 2, dim: 16), predicted: 0.1,
                expectedRegret: 0.002, trained: 1, tolerance: 0.01, isReached: false)
            let trial = try await store.appendTrial(Sample.newTrial(2, seconds: 3), to: id, outlook: outlook)
            let (job, trials) = try await store.jobWithTrials(id)
            #expect(job.outlook == outlook)
            #expect(job.sequence > before)
            #expect(trials.map(\.spec.configuration.layers) == [4, 2])
            #expect(trials.last?.id == trial.id && trial.place == 2 && trial.state == .queued)
            // No outlook leaves the last one.
            _ = try await store.appendTrial(Sample.newTrial(1, seconds: 3), to: id, outlook: nil)
            #expect(try await store.job(id).outlook == outlook)
            (outlook.isReached, outlook.halvingSeconds) = (true, 60)
            try await store.updateOutlook(outlook, of: id)
            #expect(try await store.job(id).outlook == outlook)
            let unknown = await #expect(throws: StoreError.self) {
                _ = try await store.appendTrial(Sample.newTrial(1, seconds: 3), to: 99, outlook: nil)
            }
            #expect(unknown != nil)
            #expect(try await store.job(id).trialCount == 3)
        }
    }
}
