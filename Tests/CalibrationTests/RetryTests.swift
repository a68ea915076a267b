import Calibration
import Domain
import Foundation
import Wire
import PlawTesting
import Store
import Testing
import Trials

/// Workers that end badly: which trials are begun again, how often and with what.
@Suite struct RetryTests {
    private static func end(
        _ play: FakeExecutor.Play
    ) async throws -> (trials: [StoredTrial], job: Job, started: [Int]) {
        try await withStore { store, folder in
            let executor = FakeExecutor { _ in play }
            let job = try await supervising(store, in: folder, executor) { supervisor in
                try await supervisor.wait(for: try await supervisor.start([1]), seconds: 60)
            }
            let files = TrialDirectory(path: "\(folder)/trials/1")
            #expect(!FileManager.default.fileExists(atPath: files.checkpointPath))
            #expect(try files.readSpec() == (try await store.trials(of: job.id)[0].spec))
            return (try await store.trials(of: job.id), job, executor.notes.started)
        }
    }

    @Test("a trial whose worker was killed goes on, says so and keeps the last words")
    func killed() async throws {
        let (trials, job, started) = try await Self.end(.fall(.killed, times: 1))
        #expect(job.state == .finished && started == [1, 1])
        #expect(trials[0].state == .finished && trials[0].retries == 1)
        #expect(trials[0].message == "fell; begun again" && trials[0].log == "last words")
        #expect(trials[0].spec == Sample.spec(1))
    }

    @Test("a trial whose worker is killed three times has failed")
    func killedAgain() async throws {
        let (trials, job, started) = try await Self.end(.fall(.killed, times: 9))
        #expect(job.state == .failed && started == [1, 1, 1])
        #expect(trials[0].state == .failed && trials[0].retries == 2)
        #expect(trials[0].message == "fell; begun 3 times" && trials[0].log == "last words")
    }

    @Test("a trial without memory is begun anew with half the batch, and is another training then")
    func memory() async throws {
        let (trials, job, started) = try await Self.end(.fall(.outOfMemory, times: 2))
        #expect(job.state == .finished && started == [1, 1, 1])
        var spec = Sample.spec(1)
        spec.options.batchUsers /= 4
        #expect(trials[0].spec == spec && trials[0].retries == 2)
        #expect(trials[0].message?.contains("batches of \(spec.options.batchUsers) users") == true)
    }

    @Test("a bug is not tried again")
    func bug() async throws {
        let (trials, job, started) = try await Self.end(.fall(.bug, times: 1))
        #expect(job.state == .failed && started == [1])
        #expect(trials[0].state == .failed && trials[0].retries == 0 && trials[0].message == "fell")
    }

    @Test("a stop while a trial waits for its next try leaves it to go on later")
    func stopped() async throws {
        try await withStore { store, folder in
            let executor = FakeExecutor { _ in .fall(.killed, times: 1) }
            let id = try await supervising(store, in: folder, executor) { supervisor in
                let id = try await supervisor.start([1])
                #expect(try await waitUntil { try await store.trials(of: id)[0].retries == 1 })
                return id
            }
            let left = try await store.trials(of: id)[0]
            #expect(left.state == .preempted && executor.notes.started == [1])
            let job = try await supervising(store, in: folder, executor) { try await $0.wait(for: id, seconds: 60) }
            #expect(job.state == .finished && executor.notes.started == [1, 1])
        }
    }
}
