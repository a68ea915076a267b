import Calibration
import Domain
import Foundation
import Wire
import PlawTesting
import SequentialDesign
import Store
import Synchronization
import Testing
import Trials

/// Jobs whose trials are chosen one at a time: the supervisor's part.
@Suite struct SequentialTests {
    private static func plan() throws -> SequentialPlan {
        SequentialPlan(
            settings: try CalibrationSettings(
                CalibrationParams(name: "books"), trained: trainedFacts, mask: .full, availableWorkers: 2),
            start: [DesignTrial(layers: 1, dim: 16, seed: 3)])
    }

    private static func outlook(_ regret: Double, isReached: Bool = false, halving: Double? = nil) -> CalibrationOutlook
    {
        CalibrationOutlook(
            metric: Metric(.ndcg, 10), configuration: Configuration(layers: 2, dim: 16), predicted: 0.1,
            expectedRegret: regret, trained: 1, tolerance: 0.01, isReached: isReached, halvingSeconds: halving)
    }

    /// Notes what it is asked, and chooses trials of 2, 3, ... layers up to a last one.
    private final class Chooser: Sendable {
        let asked = Mutex<[(running: [Int], known: [Int])]>([])
        let last: Int
        init(last: Int) { self.last = last }

        func next(_ request: DesignRequest) -> DesignAnswer {
            let known = request.trials.map(\.spec.configuration.layers)
            asked.withLock { $0.append((request.running.map(\.spec.configuration.layers).sorted(), known)) }
            let next = (known.max() ?? 0) + 1
            guard next <= last else { return .end(SequentialTests.outlook(0.0005, isReached: true, halving: 90)) }
            return .train(
                NewTrial(spec: Sample.spec(next), predictedSeconds: 1, predictedEpochs: 40),
                SequentialTests.outlook(0.01 / Double(next)))
        }
    }

    @Test(
        "a start of which the rest of the budget pays at least half begins, and another does not",
        arguments: [(150.0, [1, 2]), (250.0, [2])])
    func halfPaid(seconds: Double, started: [Int]) async throws {
        try await withStore { store, folder in
            let chooser = Chooser(last: 2)
            let executor = FakeExecutor { _ in .finish() }
            _ = try await supervising(store, in: folder, executor, choose: { chooser.next($0) }) { supervisor in
                let id = try await supervisor.enqueue(
                    dataset: "books", budgetSeconds: 100, workers: 1, message: nil, trials: Sample.trials([seconds]),
                    design: try Self.plan(), spentSeconds: 10)
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(executor.notes.started == started)
        }
    }

    @Test("trials are asked for one at a time after the start, stored before they run, and the end says why")
    func oneAtATime() async throws {
        try await withStore { store, folder in
            let chooser = Chooser(last: 4)
            let executor = FakeExecutor { _ in .finish() }
            let job = try await supervising(store, in: folder, executor, choose: { chooser.next($0) }) { supervisor in
                let id = try await supervisor.enqueue(
                    dataset: "books", budgetSeconds: 100, workers: 1, message: nil, trials: Sample.trials([1]),
                    design: try Self.plan())
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(executor.notes.started == [1, 2, 3, 4])
            #expect(chooser.asked.withLock { $0.map(\.known) } == [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]])
            #expect(job.trials?.map(\.index) == [1, 2, 3, 4])
            #expect(job.outlook == Self.outlook(0.0005, isReached: true, halving: 90))
            let message = try #require(job.message)
            let words = "tolerance reached: the expected regret among all that was asked about is 0.5 % of ndcg@10"
            #expect(message.hasPrefix(words), "\(message)")
            #expect(message.hasSuffix("about 90 s more training would halve it"))
            #expect(try await store.observations(of: "books").count == 4)
        }
    }

    @Test(
        "what falls behind is stopped, ranked as it is and kept with where it was heading; what a job begins with never is"
    )
    func behind() async throws {
        try await withStore { store, folder in
            let chooser = Chooser(last: 3)
            let rising = (1...12).map { 0.1 - 0.09 * exp(-Double($0) / 2) }
            let flat = [Double](repeating: 0.02, count: 60)
            // The first is behind the second, and is what the job begins with. The third is behind.
            let curves = [1: (1...12).map { _ in 0.03 }, 2: rising, 3: flat]
            let executor = FakeExecutor { .curve(curves[$0] ?? []) }
            let job = try await supervising(store, in: folder, executor, choose: { chooser.next($0) }) { supervisor in
                let id = try await supervisor.enqueue(
                    dataset: "books", budgetSeconds: 100, workers: 1, message: nil, trials: Sample.trials([1]),
                    design: try Self.plan())
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(executor.notes.started == [1, 2, 3, 3])
            #expect(executor.notes.interrupted == [3])
            #expect(executor.notes.secondsLeft.last == 0)
            let trials = try #require(job.trials)
            #expect(trials.map(\.state) == [.finished, .finished, .finished])
            let message = try #require(trials[2].message)
            #expect(message.contains("falls behind the best") && message.contains("heading"), "\(message)")
            let observations = try await store.observations(of: "books")
            #expect(observations.map { $0.forecast == nil } == [true, true, false])
            #expect(observations.map(\.isComplete) == [true, true, false])
            let forecast = try #require(observations[2].forecast)
            #expect(abs(forecast.gain) < 1e-9 && forecast.deviation < 0.3)
        }
    }

    @Test("an end before the budget's says what was not paid for, one near it that the budget is spent")
    func ends() {
        func message(_ active: Double, untested: Configuration? = nil) -> String {
            var outlook = Self.outlook(0.002, halving: 1_299.5)
            outlook.untested = untested
            return CalibrationSupervisor.message(outlook, budgetSeconds: 100, activeSeconds: active)
        }
        let words = "the expected regret among all that was asked about is 2.0 % of ndcg@10"
        let price = "about 1,300 s more training would halve it"
        let above = "above the tolerance of 1.0 %"
        #expect(message(95) == "budget spent: \(words), \(above); \(price)")
        let rest = "nothing that the last 60 s of the budget pay for would tell enough"
        #expect(message(40) == "\(rest): \(words), \(above); \(price)")
        let far = message(95, untested: Configuration(layers: 8, dim: 256))
        #expect(far == "budget spent: \(words) by the law, which was not tested as far as 8 x 256; \(price)")
    }

    @Test("two workers: the next trial is chosen with those in progress known, and none is chosen while it must wait")
    func beside() async throws {
        try await withStore { store, folder in
            let chooser = Chooser(last: 5)
            // Two of the trials after the law end only when they have run together.
            let executor = FakeExecutor { $0 == 3 || $0 == 4 ? .meet(2) : .finish() }
            let job = try await supervising(
                store, in: folder, executor,
                choose: { request in
                    // No law before two have ended.
                    if request.trials.filter({ $0.state == .finished }).count < 2, !request.running.isEmpty {
                        return .wait
                    }
                    return chooser.next(request)
                }
            ) { supervisor in
                let id = try await supervisor.enqueue(
                    dataset: "books", budgetSeconds: 100, workers: 2, message: nil, trials: Sample.trials([1]),
                    design: try Self.plan())
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(executor.notes.started.sorted() == [1, 2, 3, 4, 5])
            #expect(executor.notes.mostInFlight == 2)
            #expect(
                chooser.asked.withLock { $0.contains { $0.running.count == 1 && $0.known.count > $0.running.count } })
        }
    }

    @Test("after a stop in the middle the job goes on by the plan that is stored with it, and trains nothing twice")
    func resumption() async throws {
        try await withStore { store, folder in
            let before = FakeExecutor { $0 < 3 ? .finish() : .hold() }
            let first = Chooser(last: 5)
            let id = try await supervising(store, in: folder, before, choose: { first.next($0) }) { supervisor in
                let id = try await supervisor.enqueue(
                    dataset: "books", budgetSeconds: 100, workers: 1, message: nil, trials: Sample.trials([1]),
                    design: try Self.plan())
                #expect(await waitUntil { before.notes.started.count == 3 && before.notes.inFlight == 1 })
                return id
            }
            #expect(try await store.shown(id).trials?.map(\.state) == [.finished, .finished, .preempted])
            let after = FakeExecutor { _ in .finish() }
            let second = Chooser(last: 5)
            let plans = Mutex<[SequentialPlan]>([])
            let job = try await supervising(
                store, in: folder, after,
                choose: { request in
                    plans.withLock { $0.append(request.plan) }
                    return second.next(request)
                }
            ) { try await $0.wait(for: id, seconds: 60) }
            #expect(job.state == .finished)
            #expect(after.notes.started == [3, 4, 5])
            let expected = try Self.plan()
            #expect(plans.withLock { $0.allSatisfy { $0 == expected } })
            #expect(job.finishedTrials == 5)
        }
    }

    @Test("a design that fails ends the job with what was trained")
    func failure() async throws {
        try await withStore { store, folder in
            let job = try await supervising(
                store, in: folder, FakeExecutor { _ in .finish() }, choose: { _ in throw WorkerError("no corpus") }
            ) { supervisor in
                let id = try await supervisor.enqueue(
                    dataset: "books", budgetSeconds: 100, workers: 1, message: nil, trials: Sample.trials([1, 1]),
                    design: try Self.plan())
                return try await supervisor.wait(for: id, seconds: 60)
            }
            #expect(job.state == .finished)
            #expect(job.finishedTrials == 2)
            #expect(job.laws == [7, 8])
        }
    }
}
