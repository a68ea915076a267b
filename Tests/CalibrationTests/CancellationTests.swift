import Calibration
import Domain
import Foundation
import Wire
import PlawTesting
import Store
import Testing
import Trials

@Suite struct CancellationTests {
    @Test("cancelling stops the running trial, starts no other, and keeps and fits what has finished")
    func running() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { $0 == 1 ? .finish() : .hold() }
            let fits = Fits()
            let job = try await supervising(store, in: folder, executor, fits: fits) { supervisor in
                let id = try await supervisor.start([1, 1, 1])
                #expect(await waitUntil { executor.notes.started == [1, 2] && executor.notes.inFlight == 1 })
                try await supervisor.cancel(id)
                let job = try await supervisor.wait(for: id, seconds: 60)
                // What has ended cannot be cancelled again.
                try await supervisor.cancel(id)
                #expect(try await supervisor.snapshot(id) == job)
                return job
            }
            #expect(job.state == .cancelled)
            #expect(job.trials?.map(\.state) == [.finished, .cancelled, .cancelled])
            #expect(job.laws == [7, 8])
            #expect(job.endedAt != nil)
            #expect(executor.notes.started == [1, 2])
            #expect(executor.notes.interrupted == [2])
            #expect(try await store.observations(of: "books").count == 1)
            #expect(fits.datasets == ["books"])
            #expect(job.trials?[1].seconds == 0.25)
            #expect(job.trials?.dropFirst().allSatisfy { $0.message != nil } == true)
        }
    }

    @Test("a job that waits for its turn is cancelled without being run, and the others go on")
    func queued() async throws {
        try await withStore { store, folder in
            let release = Signal()
            let executor = FakeExecutor { $0 == 1 ? .finish(after: release.isSet ? 0 : 0.5) : .finish() }
            let fits = Fits()
            try await supervising(store, in: folder, executor, fits: fits) { supervisor in
                let first = try await supervisor.start([1])
                let second = try await supervisor.start([1, 1])
                let third = try await supervisor.start([1])
                try await supervisor.cancel(second)
                let cancelled = try await supervisor.wait(for: second, seconds: 5)
                #expect(cancelled.state == .cancelled)
                #expect(cancelled.trials?.allSatisfy { $0.state == .cancelled } == true)
                release.set()
                #expect(try await supervisor.wait(for: third, seconds: 60).state == .finished)
                #expect(try await supervisor.wait(for: first, seconds: 60).state == .finished)
                #expect(try await store.shown(second).state == .cancelled)
            }
            #expect(executor.notes.started == [1, 1])
            #expect(fits.datasets == ["books", "books"])
        }
    }

    @Test("an unknown job cannot be cancelled, a finished one stays finished")
    func nothingToCancel() async throws {
        try await withStore { store, folder in
            try await supervising(store, in: folder, FakeExecutor { _ in .finish() }) { supervisor in
                let error = await #expect(throws: StoreError.self) { try await supervisor.cancel(99) }
                #expect(error?.kind == .unknownJob)
                let id = try await supervisor.start([1])
                let job = try await supervisor.wait(for: id, seconds: 60)
                try await supervisor.cancel(id)
                #expect(try await store.shown(id) == job)
            }
        }
    }

    @Test("a job cancelled in the moment it begins stays cancelled")
    func race() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { _ in .hold() }
            try await supervising(store, in: folder, executor) { supervisor in
                for round in 0..<40 {
                    let id = try await supervisor.start([1])
                    // From before the supervisor looks at the job to after its trial began.
                    try await Task.sleep(for: .microseconds(round * 75))
                    try await supervisor.cancel(id)
                    let job = try await supervisor.wait(for: id, seconds: 10)
                    try #require(job.state == .cancelled, "round \(round)")
                    try #require(job.trials?[0].state == .cancelled, "round \(round)")
                }
                // Nothing that was cancelled came back.
                _ = await waitUntil(seconds: 0.3) { false }
                #expect(executor.notes.inFlight == 0)
                let states = try await store.jobs(dataset: nil, limit: 100).jobs.map(\.state)
                #expect(states.allSatisfy { $0 == .cancelled })
            }
        }
    }

    @Test("a job whose laws are being fitted when it is cancelled ends once, with its laws fitted once")
    func whileFitting() async throws {
        try await withStore { store, folder in
            let (fitting, fitted) = (Signal(), Signal())
            let fits = Fits {
                fitting.set()
                _ = await waitUntil { fitted.isSet }
                return [7]
            }
            let executor = FakeExecutor { _ in .finish() }
            try await supervising(store, in: folder, executor, fits: fits) { supervisor in
                let id = try await supervisor.start([1])
                #expect(await waitUntil { fitting.isSet })
                let cancel = Task { try await supervisor.cancel(id) }
                _ = await waitUntil(seconds: 0.5) { fits.datasets.count > 1 }
                fitted.set()
                try await cancel.value
                let job = try await supervisor.wait(for: id, seconds: 60)
                #expect(job.state.isFinal)
                #expect(job.laws == [7])
                // What is final stays as it is.
                _ = await waitUntil(seconds: 0.3) { false }
                #expect(try await store.shown(id) == job)
                #expect(fits.datasets.count == 1)
            }
        }
    }

    @Test("while a worker takes its time to stop, the store is written no oftener than before")
    func slowStop() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { _ in .hold(stopping: 1.5) }
            try await supervising(store, in: folder, executor) { supervisor in
                let id = try await supervisor.start([1])
                #expect(await waitUntil { executor.notes.inFlight == 1 })
                let before = try await store.shown(id).sequence
                try await supervisor.cancel(id)
                let job = try await supervisor.wait(for: id, seconds: 60)
                #expect(job.state == .cancelled)
                #expect(job.sequence - before < 10)
            }
        }
    }
}
