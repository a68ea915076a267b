import Calibration
import Domain
import Foundation
import Wire
import PlawTesting
import Store
import Testing
import Trials

@Suite struct RestartTests {
    @Test("a calibration that a stop interrupted goes on where it was: no finished trial runs again, the others once")
    func resumption() async throws {
        try await withStore { store, folder in
            let before = FakeExecutor { $0 == 1 ? .finish() : .hold() }
            let fits = Fits()
            let (id, waited) = try await supervising(store, in: folder, before, fits: fits) { supervisor in
                let id = try await supervisor.start([1, 1, 1, 1], workers: 2)
                #expect(await waitUntil { before.notes.started.count == 3 && before.notes.inFlight == 2 })
                return (id, Task { try await supervisor.wait(for: id, seconds: 600) })
            }
            // Whoever waited is answered with the state in which the daemon leaves the job.
            #expect(try await waited.value.state == .running)
            #expect(before.notes.interrupted.sorted() == [2, 3])
            let stopped = try await store.shown(id)
            #expect(stopped.state == .running)
            #expect(stopped.endedAt == nil)
            #expect(stopped.trials?.map(\.state) == [.finished, .preempted, .preempted, .queued])
            #expect(stopped.trials?[1].seconds == 0.25)
            #expect(stopped.activeSeconds > 0)
            #expect(fits.datasets.isEmpty)
            #expect(try await store.unfinishedJobs() == [id])

            // Time while nobody works does not count.
            try await Task.sleep(for: .seconds(1))
            let after = FakeExecutor { _ in .finish(after: 0.1) }
            let started = ContinuousClock.now
            let job = try await supervising(store, in: folder, after, fits: fits) {
                try await $0.wait(for: id, seconds: 60)
            }
            let worked = started.duration(to: .now).seconds
            #expect(job.state == .finished)
            #expect(Set(after.notes.started.prefix(2)) == [2, 3])
            #expect(after.notes.started.sorted() == [2, 3, 4])
            #expect(job.finishedTrials == 4)
            #expect(try await store.observations(of: "books").count == 4)
            #expect(fits.datasets == ["books"])
            #expect(job.activeSeconds >= stopped.activeSeconds)
            #expect(job.activeSeconds - stopped.activeSeconds <= worked)
        }
    }

    @Test("a trial goes on in the directory it had, with its specification as it was")
    func directory() async throws {
        try await withStore { store, folder in
            let before = FakeExecutor { _ in .hold() }
            let id = try await supervising(store, in: folder, before) { supervisor in
                let id = try await supervisor.start([1])
                #expect(await waitUntil { before.notes.inFlight == 1 })
                return id
            }
            let trial = try await store.trials(of: id)[0]
            let files = TrialDirectory(path: "\(folder)/trials/\(trial.id)")
            #expect(try String(contentsOfFile: files.checkpointPath, encoding: .utf8) == "here")
            let spec = try Data(contentsOf: URL(fileURLWithPath: files.specPath))
            let found = Signal()
            let after = FakeExecutor { _ in
                if access(files.checkpointPath, F_OK) == 0 { found.set() }
                return .finish()
            }
            let job = try await supervising(store, in: folder, after) { try await $0.wait(for: id, seconds: 60) }
            #expect(job.state == .finished)
            #expect(found.isSet)
            #expect(try Data(contentsOf: URL(fileURLWithPath: files.specPath)) == spec)
        }
    }

    @Test("a trial whose result was written before the crash and not stored is stored once, without training")
    func resultBeforeCommit() async throws {
        try await withStore { store, folder in
            let id = try await store.insertJob(
                dataset: "books", budgetSeconds: 100, workers: 1, message: nil, trials: Sample.trials([1, 1]))
            let trials = try await store.trials(of: id)
            // As a kill -9 leaves it.
            try await store.updateJob(id, state: .running, activeSeconds: 12)
            try await store.updateTrial(trials[0].id, state: .running, seconds: 0)
            let files = TrialDirectory(path: "\(folder)/trials/\(trials[0].id)")
            try FileManager.default.createDirectory(atPath: files.path, withIntermediateDirectories: true)
            try files.writeSpec(trials[0].spec)
            try files.writeResult(Sample.result(.converged, seconds: 11))

            let executor = FakeExecutor { $0 == 1 ? .fail("trained again") : .finish() }
            let job = try await supervising(store, in: folder, executor) { try await $0.wait(for: id, seconds: 60) }
            #expect(job.state == .finished)
            #expect(job.finishedTrials == 2)
            #expect(job.trials?[0].seconds == 11)
            #expect(job.activeSeconds >= 12)
            #expect(try await store.observations(of: "books").map(\.trial) == trials.map(\.id))
        }
    }

    @Test("a calibration whose trials had all ended before the crash is ended and its laws are fitted")
    func trialsBeforeEnd() async throws {
        try await withStore { store, folder in
            let id = try await store.insertJob(
                dataset: "books", budgetSeconds: 100, workers: 1, message: nil, trials: Sample.trials([1]))
            let spec = Sample.spec(1)
            let observation = Observation(
                id: 0, dataset: "books", key: spec.lawKey(datasetVersion: "v1", filter: "none"),
                configuration: DeclaredConfiguration(spec.configuration),
                tokens: .said(700), apen: .said(0.5), userFraction: 1, seed: 3, users: 100, metrics: [:], epochs: 1,
                seconds: 1,
                converged: true, job: id, trial: try await store.trials(of: id)[0].id)
            try await store.updateJob(id, state: .running, activeSeconds: 12)
            try await store.finishTrial(
                try await store.trials(of: id)[0].id, result: Sample.result(.converged, seconds: 1), message: nil,
                observation: observation)
            let fits = Fits()
            let executor = FakeExecutor { _ in .fail("trained again") }
            let job = try await supervising(store, in: folder, executor, fits: fits) {
                try await $0.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(job.laws == [7, 8])
            #expect(fits.datasets == ["books"])
            #expect(executor.notes.started.isEmpty)
        }
    }

    @Test("a stop before anything began leaves the job queued, and it runs at the next start")
    func untouched() async throws {
        try await withStore { store, folder in
            let id = try await store.insertJob(
                dataset: "books", budgetSeconds: 100, workers: 1, message: nil, trials: Sample.trials([1, 1]))
            for _ in 0..<5 {
                // Stopped in the moment it starts.
                let executor = FakeExecutor { _ in .hold() }
                try await supervising(store, in: folder, executor) { _ in }
                let job = try await store.shown(id)
                #expect(!job.state.isFinal)
                #expect(job.trials?.allSatisfy { !$0.state.isFinal } == true)
            }
            let executor = FakeExecutor { _ in .finish() }
            let job = try await supervising(store, in: folder, executor) { try await $0.wait(for: id, seconds: 60) }
            #expect(job.state == .finished)
            #expect(executor.notes.started == [1, 2])
        }
    }

    @Test("the clock of a running calibration is stored as it goes, so that a crash forgets little")
    func clock() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { _ in .hold() }
            try await supervising(store, in: folder, executor) { supervisor in
                let id = try await supervisor.start([1])
                #expect(await waitUntil { executor.notes.inFlight == 1 })
                let reached = try await waitUntil { try await store.shown(id).activeSeconds >= 0.9 }
                #expect(reached)
            }
        }
    }
}
