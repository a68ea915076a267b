import Domain
import Foundation
import PlawClient
import PlawProtocol
import PlawTesting
import Testing
import Trials

/// Trials chosen one at a time, through the real daemon and its workers.
@Suite struct SequentialCalibrationTests {
    private static func identities(_ job: Job) -> [[String]] {
        (job.trials ?? []).map { trial in
            ["\(trial.configuration.layers)", "\(trial.configuration.dim)", "\(trial.userFraction)"]
        }
    }

    /// A budget that pays more than the trials to begin with. A sanitizer makes training slow.
    private static let short = isSanitized ? 400.0 : 20

    @Test("a budget that pays one level of an axis alone is told so, and what both axes take")
    func singleLevel() async throws {
        let file = try await syntheticFile(users: 12_000, items: 3_000)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                var (single, both) = (0, 0)
                var budget = 1.0
                while both == 0, budget < 10_000 {
                    budget *= 1.25
                    let params = CalibrationParams(name: "demo", budgetSeconds: budget, maxEpochs: 200)
                    guard let plan = try? await call(daemon.socket, CalibrationPlan.self, params) else { continue }
                    let shapes = plan.trials.filter { $0.userFraction == 1 }.map(\.configuration)
                    let isSingle = Set(shapes.map(\.layers)).count == 1 || Set(shapes.map(\.dim)).count == 1
                    let note = plan.notes.first { $0.contains("nothing will be known of others") }
                    #expect((note != nil) == isSingle, "\(budget) s: \(shapes), \(plan.notes)")
                    single += isSingle ? 1 : 0
                    both += isSingle ? 0 : 1
                }
                #expect(single > 0 && both > 0, "\(single) and \(both)")
            }
        }
    }

    @Test(
        "where every training fails, no more are chosen than were planned, and the job ends with the cause",
        .disabled(if: isSanitized, "a sanitizer reports that it has no memory itself"))
    func failing() async throws {
        let file = try await syntheticFile(users: 200, items: 120)
        try await withTemporaryFolder { folder in
            let configuration = folder + "/plawd.json"
            try #"{ "trialMemoryBytes": 1048576 }"#.write(toFile: configuration, atomically: true, encoding: .utf8)
            _ = try await withDaemon(in: folder, arguments: ["--config", configuration]) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let started = try await call(
                    daemon.socket, CalibrationStart.self,
                    CalibrationParams(name: "demo", budgetSeconds: 600, maxEpochs: 4, maxParams: 5_000))
                let job = try await end(of: started.job.id, daemon.socket)
                #expect(job.state == .failed && job.activeSeconds < 300, "\(job)")
                let failed = (job.trials ?? []).filter { $0.state == .failed }
                // Those to begin with; none is chosen after them.
                #expect(failed.count == started.plan.trials.count && job.trialCount == failed.count, "\(job)")
                #expect(failed.allSatisfy { $0.message?.contains("memory") == true })
                #expect(job.message?.contains("memory") == true)
            }
        }
    }

    @Test(
        "a calibration without levels starts wide, goes on by itself, says how sure it is, and continues where it ended"
    )
    func whole() async throws {
        let file = try await syntheticFile(users: 200, items: 120)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let params = CalibrationParams(
                    name: "demo", budgetSeconds: Self.short, maxEpochs: 4, maxParams: 20_000, tolerance: 0.0001)
                let plan = try await call(daemon.socket, CalibrationPlan.self, params)
                let whole = plan.trials.filter { $0.userFraction == 1 }
                #expect(Set(whole.map(\.configuration.layers)).count >= 3)
                #expect(Set(whole.map(\.configuration.dim)).count >= 3)
                var longer = params
                longer.budgetSeconds = 600
                let rich = try await call(daemon.socket, CalibrationPlan.self, longer)
                #expect(Set(rich.trials.map(\.userFraction)) == [0.125, 0.25, 0.5, 1])
                #expect((plan.openSeconds ?? 0) > 0)
                let smallest = try #require(plan.smallestDifference)
                #expect(!smallest.isMeasured)
                // 2 sqrt(2 (1 - 0.5) 0.1 0.9 / users)
                let users = Double(
                    try await call(daemon.socket, DatasetGet.self, DatasetName(name: "demo")).statistics?.evaluatedUsers
                        ?? 0)
                #expect(abs(smallest.difference - 2 * (0.09 / users).squareRoot()) < 0.1 * smallest.difference)

                let started = try await call(daemon.socket, CalibrationStart.self, params)
                let job = try await end(of: started.job.id, daemon.socket)
                #expect(job.state == .finished, "\(job)")
                // The last trial and the last choice may be late where much else runs.
                #expect(job.activeSeconds <= 3 * Self.short)
                #expect(job.finishedTrials > plan.trials.count)
                let outlook = try #require(job.outlook)
                #expect(outlook.expectedRegret >= 0)
                #expect(CostLimit.parameters(outlook.configuration, items: 120) <= 20_000)
                let message = try #require(job.message)
                #expect(message.contains("the expected regret among all that was asked about is"), "\(message)")

                // Once more: what is known is used and not repeated.
                let seeds = try await call(
                    daemon.socket, ObservationList.self, ObservationListParams(name: "demo")
                ).observations
                var next = params
                next.budgetSeconds = 4
                next.tolerance = 1e-9
                let again = try await call(daemon.socket, CalibrationStart.self, next)
                let second = try await end(of: again.job.id, daemon.socket)
                #expect(second.state == .finished, "\(second)")
                let all = try await call(
                    daemon.socket, ObservationList.self, ObservationListParams(name: "demo")
                ).observations
                struct Identity: Hashable {
                    var configuration: Configuration
                    var share: Double
                    var seed: UInt64
                }
                let identities = all.filter(\.converged).map {
                    Identity(configuration: $0.configuration, share: $0.userFraction, seed: $0.seed)
                }
                #expect(identities.count > seeds.filter(\.converged).count)
                #expect(Set(identities).count == identities.count)

                // Where what is known is enough, nothing is trained and nothing has failed. At first the answer is tried again.
                next.tolerance = 1
                var last = second
                for _ in 0..<8 where last.trialCount > 0 {
                    last = try await end(
                        of: try await call(daemon.socket, CalibrationStart.self, next).job.id, daemon.socket)
                    #expect(last.state == .finished, "\(last)")
                }
                #expect(last.trialCount == 0)
                #expect(last.message?.contains("tolerance reached") == true, "\(last)")
                let measured = try await call(daemon.socket, CalibrationPlan.self, params)
                #expect(measured.smallestDifference?.isMeasured == true)
                #expect(measured.notes.contains { $0.contains("known already") })
            }
        }
    }

    @Test("a loose tolerance ends it before the budget does, and limits that nothing keeps are refused")
    func tolerance() async throws {
        let file = try await syntheticFile(users: 200, items: 120)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                var params = CalibrationParams(
                    name: "demo", budgetSeconds: 120, maxEpochs: 2, maxParams: 20_000, tolerance: 1)
                let job = try await end(
                    of: try await call(daemon.socket, CalibrationStart.self, params).job.id, daemon.socket)
                #expect(job.state == .finished)
                #expect(job.outlook?.isReached == true, "\(job)")
                #expect((job.outlook?.trained ?? 0) >= 2)
                #expect(job.message?.hasPrefix("tolerance reached") == true)
                #expect(job.activeSeconds < 110)
                params.maxParams = 10
                let refused = await #expect(throws: RPCError.self) {
                    _ = try await call(daemon.socket, CalibrationPlan.self, params)
                }
                #expect(refused?.reason == "infeasible")
            }
        }
    }

    @Test("a daemon killed while a chosen trial runs goes on with it and chooses on")
    func killed() async throws {
        let file = try await syntheticFile(users: 400, items: 300)
        try await withTemporaryFolder { folder in
            let (before, status) = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let params = CalibrationParams(
                    name: "demo", budgetSeconds: Self.short, workers: 2, patience: 40, maxEpochs: 5, tolerance: 0)
                let started = try await call(daemon.socket, CalibrationStart.self, params)
                var state = started.job
                let reached = try await waitUntil(seconds: 60) {
                    state = try await call(daemon.socket, JobGet.self, JobID(id: state.id))
                    return state.trialCount > started.plan.trials.count && state.finishedTrials >= 4
                }
                #expect(reached)
                daemon.signal(SIGKILL)
                return state
            }
            #expect(status == .killed(SIGKILL))
            _ = try await withDaemon(in: folder) { daemon async throws in
                let ended = try await end(of: before.id, daemon.socket)
                #expect(ended.state == .finished)
                #expect(ended.trialCount >= before.trialCount)
                // What was chosen stays as it was.
                #expect(Array(Self.identities(ended).prefix(before.trialCount)) == Self.identities(before))
                let known = (before.trials ?? []).filter { $0.state == .finished }
                for trial in known {
                    #expect(ended.trials?.first { $0.id == trial.id }?.metrics == trial.metrics)
                }
            }
        }
    }
}

/// Parameters of sasrec, counted by hand: V d + L d + 2 d + N (12 d² + 13 d).
private enum CostLimit {
    static func parameters(_ c: Configuration, items: Int) -> Int {
        items * c.dim + c.maxLength * c.dim + 2 * c.dim + c.layers * (12 * c.dim * c.dim + 13 * c.dim)
    }
}
