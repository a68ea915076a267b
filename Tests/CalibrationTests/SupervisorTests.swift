import Calibration
import Domain
import Foundation
import Wire
import PlawTesting
import Store
import Testing
import Trials

@Suite struct SupervisorTests {
    @Test("a calibration trains all its trials in order, keeps what they measured, and fits their laws once")
    func whole() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { _ in .finish() }
            let fits = Fits()
            let job = try await supervising(store, in: folder, executor, fits: fits) { supervisor in
                let id = try await supervisor.start([1, 2, 3, 4])
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(job.endedAt != nil)
            #expect(job.finishedTrials == 4 && job.trialCount == 4)
            #expect(job.laws == [7, 8])
            #expect(job.message == nil)
            #expect(job.activeSeconds > 0)
            #expect(executor.notes.started == [1, 2, 3, 4])
            #expect(executor.notes.mostInFlight == 1)
            #expect(fits.datasets == ["books"])
            #expect(fits.keys == [Sample.spec(1).lawKey(datasetVersion: "v1", filter: "none")])
            let trials = try await store.trials(of: job.id)
            #expect(trials.allSatisfy { $0.state == .finished && $0.message == nil && $0.result?.status == .converged })
            let observations = try await store.observations(of: "books")
            #expect(observations.map(\.trial) == trials.map(\.id))
            for (place, found) in observations.enumerated() {
                #expect(
                    found
                        == Observation(
                            id: found.id, dataset: "books",
                            key: Sample.spec(1).lawKey(datasetVersion: "v1", filter: "none"),
                            configuration: DeclaredConfiguration(Sample.spec(place + 1).configuration),
                            tokens: .said(700), apen: .said(0.5),
                            userFraction: 1, seed: 3, users: 100, metrics: Sample.result(.converged, seconds: 0).test,
                            epochs: 12, seconds: 0.01, converged: true, job: job.id, trial: trials[place].id))
            }
            for trial in trials {
                let files = TrialDirectory(path: "\(folder)/trials/\(trial.id)")
                #expect(try files.readSpec() == trial.spec)
                #expect(files.hasResult)
                #expect(access(files.checkpointPath, F_OK) != 0)
            }
        }
    }

    @Test("no more trials run at once than the job has workers, and as many while there are", arguments: [1, 3, 8])
    func workers(count: Int) async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { _ in .meet(count) }
            let job = try await supervising(store, in: folder, executor) { supervisor in
                let id = try await supervisor.start([Double](repeating: 1, count: 12), workers: count)
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(executor.notes.started.sorted() == Array(1...12))
            #expect(executor.notes.mostInFlight == count)
        }
    }

    @Test("jobs run one after the other, in the order they were queued")
    func order() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { _ in .finish(after: 0.05) }
            try await supervising(store, in: folder, executor) { supervisor in
                var ids: [Int64] = []
                for _ in 0..<3 { ids.append(try await supervisor.start([1, 1], workers: 1)) }
                let last = try await supervisor.wait(for: ids[2], seconds: 60)
                #expect(last.state == .finished)
                for id in ids.dropLast() { #expect(try await store.shown(id).state == .finished) }
            }
            #expect(executor.notes.started == [1, 2, 1, 2, 1, 2])
            #expect(executor.notes.mostInFlight == 1)
        }
    }

    @Test("trials that do not fit the rest of the budget are not started, and say so")
    func budget() async throws {
        try await withStore { store, folder in
            let predicted: [Double] = [10, 20, 5_000, 900, 1_001]
            let executor = FakeExecutor { .finish(seconds: predicted[$0 - 1]) }
            let job = try await supervising(store, in: folder, executor) { supervisor in
                let id = try await supervisor.start(predicted, budget: 1_000)
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(executor.notes.started == [1, 2, 4])
            #expect(executor.notes.secondsLeft.allSatisfy { $0 > 900 && $0 <= 1_000 })
            let trials = try #require(job.trials)
            #expect(trials.map(\.state) == [.finished, .finished, .cancelled, .finished, .cancelled])
            for (place, needed) in [(2, 5_000), (4, 1_001)] {
                let message = try #require(trials[place].message)
                #expect(message.hasPrefix("not started: needs about \(needed) s, 9"))
                #expect(message.hasSuffix(" s of the budget are left"))
            }
        }
    }

    @Test("what finished trials took corrects what is expected of the others")
    func correction() async throws {
        try await withStore { store, folder in
            // Predicted to take 10 s each and found to take 100: a third would not fit any more.
            let executor = FakeExecutor { _ in .finish(seconds: 100) }
            let job = try await supervising(store, in: folder, executor) { supervisor in
                let id = try await supervisor.start([10, 10, 40, 45], budget: 150)
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(executor.notes.started == [1, 2])
            let states = job.trials?.map(\.state)
            #expect(states == [.finished, .finished, .cancelled, .cancelled])
        }
    }

    @Test("a calibration none of whose trials fits its budget fails with the reason")
    func noBudget() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { _ in .finish() }
            let fits = Fits()
            let job = try await supervising(store, in: folder, executor, fits: fits) { supervisor in
                let id = try await supervisor.start([500, 600], budget: 100)
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .failed)
            #expect(job.message?.hasPrefix("not started: needs about 500 s") == true)
            #expect(executor.notes.started.isEmpty)
            #expect(fits.datasets.isEmpty)
        }
    }

    @Test("a failed trial says why and does not stop the others")
    func failedTrials() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { place in
                switch place {
                case 1: .fail("the worker ended with status 1: no memory")
                case 2: .finish(status: .diverged)
                case 3: .vanish
                case 4: .finish(status: .stoppedByBudget)
                default: .finish()
                }
            }
            let fits = Fits()
            let job = try await supervising(store, in: folder, executor, fits: fits) { supervisor in
                let id = try await supervisor.start([1, 1, 1, 1, 1])
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(job.finishedTrials == 2)
            let trials = try #require(job.trials)
            #expect(trials.map(\.state) == [.failed, .diverged, .failed, .finished, .finished])
            #expect(trials[0].message == "the worker ended with status 1: no memory")
            #expect(trials[0].log == "said the worker ended with status 1: no memory")
            // A worker that says itself what is wrong would say it again.
            #expect(executor.notes.started == [1, 2, 3, 4, 5] && trials.allSatisfy { $0.retries == nil })
            #expect(trials[1].message == "the loss is not finite")
            #expect(trials[2].message?.contains("/trials/\(trials[2].id)/result.json") == true)
            #expect(trials[3].message?.contains("stopped by the budget after 12 epochs") == true)
            #expect(trials[3].converged == false && trials[4].converged == true)
            #expect(try await store.observations(of: "books").map(\.converged) == [false, true])
            #expect(fits.datasets == ["books"])
        }
    }

    @Test("a calibration all of whose trials fail has failed, with the first one's words")
    func allFailed() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { .fail("broken \($0)") }
            let fits = Fits()
            let job = try await supervising(store, in: folder, executor, fits: fits) { supervisor in
                let id = try await supervisor.start([1, 1])
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .failed)
            #expect(job.message == "broken 1")
            #expect(job.endedAt != nil)
            #expect(executor.notes.started == [1, 2])
            #expect(fits.datasets.isEmpty)
        }
    }

    @Test("a calibration whose laws cannot be fitted is finished, with the reason, and keeps what it measured")
    func noFit() async throws {
        try await withStore { store, folder in
            let fits = Fits { throw WorkerError("too few observations") }
            let job = try await supervising(store, in: folder, FakeExecutor { _ in .finish() }, fits: fits) {
                let id = try await $0.start([1])
                return try await $0.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(job.laws == [])
            #expect(job.message == "no law was fitted: too few observations")
            #expect(try await store.observations(of: "books").count == 1)
        }
    }

    @Test("waiting ends when the job does, when the time is over, and when nobody waits any more")
    func waiting() async throws {
        try await withStore { store, folder in
            let release = Signal()
            let executor = FakeExecutor { place in place == 1 ? .finish(after: 0.5) : .hold() }
            try await supervising(store, in: folder, executor) { supervisor in
                let error = await #expect(throws: StoreError.self) {
                    try await supervisor.wait(for: 99, seconds: 5)
                }
                #expect(error?.kind == .unknownJob)
                let short = try await supervisor.start([1])
                let clock = ContinuousClock()
                let time = try await clock.measure {
                    let state = try await supervisor.wait(for: short, seconds: 30).state
                    #expect(state == .finished)
                }
                #expect(time < .seconds(10 * patience))
                // A job that has ended is not waited for.
                let none = try await clock.measure {
                    let state = try await supervisor.wait(for: short, seconds: 30).state
                    #expect(state == .finished)
                }
                #expect(none < .seconds(5 * patience))

                let endless = try await supervisor.enqueue(
                    dataset: "books", budgetSeconds: 1_000, workers: 1, message: nil,
                    trials: [NewTrial(spec: Sample.spec(2), predictedSeconds: 1, predictedEpochs: 1)])
                #expect(await waitUntil { executor.notes.inFlight == 1 })
                let job = try await supervisor.wait(for: endless, seconds: 0.2)
                #expect(job.state == .running)
                #expect(job.trials?[0].progress?.phase == .training)
                #expect(job.remainingSeconds != nil)
                let waiter = Task {
                    defer { release.set() }
                    return try await supervisor.wait(for: endless, seconds: 600)
                }
                _ = await waitUntil(seconds: 0.2) { false }
                waiter.cancel()
                await #expect(throws: CancellationError.self) { try await waiter.value }
                #expect(release.isSet)
            }
        }
    }

    @Test("a job that nobody follows any more is not remembered")
    func followersLeave() async throws {
        try await withStore { store, folder in
            try await supervising(store, in: folder, FakeExecutor { _ in .finish(after: 0.2) }) { supervisor in
                let id = try await supervisor.start([1])
                _ = try await supervisor.wait(for: id, seconds: 0.01)
                #expect(await !supervisor.hub.hasFollowers(id))
                _ = try await supervisor.wait(for: id, seconds: 60)
                #expect(await !supervisor.hub.hasFollowers(id))
                // It has ended: nothing will ever be published that could make the hub look.
                _ = try await supervisor.wait(for: id, seconds: 60)
                #expect(await !supervisor.hub.hasFollowers(id))
                _ = try? await supervisor.wait(for: 99, seconds: 60)
                #expect(await !supervisor.hub.hasFollowers(99))
            }
        }
    }

    @Test("every follower sees the job go on and at last its final state, however slow it is")
    func followers() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { place in place == 7 ? .fail("broken") : .finish(after: 0.1) }
            try await supervising(store, in: folder, executor) { supervisor in
                let id = try await store.insertJob(
                    dataset: "books", budgetSeconds: 1_000, workers: 4, message: nil,
                    trials: Sample.trials([Double](repeating: 1, count: 16)))
                let seen = await withTaskGroup(of: [Job].self) { group in
                    for number in 0..<6 {
                        let states = await supervisor.hub.follow(id).states
                        group.addTask {
                            var seen: [Job] = []
                            for await state in states {
                                seen.append(state.job)
                                if number >= 4 { try? await Task.sleep(for: .milliseconds(150)) }
                            }
                            return seen
                        }
                    }
                    // The second job wakes the supervisor, which takes the first one first.
                    _ = try? await supervisor.start([1])
                    var all: [[Job]] = []
                    for await seen in group { all.append(seen) }
                    return all
                }
                #expect(seen.count == 6)
                let last = try await store.shown(id)
                #expect(last.state == .finished)
                for states in seen {
                    #expect(states.last == last)
                    #expect(states.filter(\.state.isFinal).count == 1)
                    let onwards = zip(states, states.dropFirst()).allSatisfy { before, after in
                        before.sequence <= after.sequence && before.finishedTrials <= after.finishedTrials
                    }
                    #expect(onwards, "the job went backwards: \(states.map(\.sequence))")
                    #expect(states.contains { $0.trials?.contains { $0.progress != nil } == true })
                }
                #expect(await !supervisor.hub.hasFollowers(id))
            }
        }
    }

    @Test("a store that refuses writes is not asked again and again without a pause", .enabled(if: hasSQLite, noSQLite))
    func brokenStore() async throws {
        try await withStore { store, folder in
            let (logger, lines) = countingLogger()
            try await sqlite(
                folder, "CREATE TRIGGER full BEFORE UPDATE ON job BEGIN SELECT RAISE(ABORT, 'disk full'); END")
            let executor = FakeExecutor { _ in .finish() }
            let id = try await supervising(store, in: folder, executor, logger: logger) { supervisor in
                let id = try await supervisor.start([1])
                try await Task.sleep(for: .seconds(1.5))
                return id
            }
            #expect(lines.count > 0)
            #expect(lines.count < 8)
            #expect(executor.notes.started.count <= 2)
            // The job is found again when the disk has room.
            try await sqlite(folder, "DROP TRIGGER full")
            let job = try await supervising(store, in: folder, executor) {
                try await $0.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
        }
    }
}
