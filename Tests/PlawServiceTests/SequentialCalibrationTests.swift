import Domain
import Foundation
import Client
import PlawTesting
import Testing
import Trials

@testable import Wire

/// Trials chosen one at a time, through the real daemon and its workers.
@Suite struct SequentialCalibrationTests {
    private static func identities(_ job: Job) -> [[String]] {
        (job.trials ?? []).map { trial in
            ["\(trial.configuration.layers)", "\(trial.configuration.dim)", "\(trial.userFraction)"]
        }
    }

    /// A budget that pays more than the trials to begin with. A sanitizer makes training slow.
    private static let short = isSanitized ? 400.0 : 20

    @Test("the standard shape comes first; a budget that does not pay it is told what share it pays, and what would do")
    func little() async throws {
        let file = try await syntheticFile(users: 12_000, items: 3_000)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                func plan(_ budget: Double) async throws -> (plan: CalibrationPlanResult, note: String?) {
                    let params = CalibrationParams(name: "demo", budgetSeconds: budget)
                    let plan = try await call(daemon.socket, CalibrationPlan.self, params)
                    return (plan, plan.notes.first { $0.contains("% of one training of 2 x 64") })
                }
                for budget in [1, 5, 20, 100_000] as [Double] {
                    let (plan, note) = try await plan(budget)
                    #expect(plan.trials.count == 1 && plan.trials.first?.userFraction == 1)
                    let c = try #require(plan.trials.first).configuration
                    let isUsual = (c.layers, c.dim) == Configuration.standardShape
                    #expect(note != nil || isUsual, "\(plan.notes)")
                    #expect(isUsual == (note?.contains("is trained instead") != true), "\(plan.notes)")
                    #expect(budget > 1_000 || note != nil, "\(plan.notes)")
                    #expect(plan.predictedSeconds <= budget)
                }
                let note = try #require(try await plan(1).note)
                let words = note.split(separator: " ")
                let place = try #require(
                    words.firstIndex(of: "budget").flatMap { words[($0 + 1)...].firstIndex(of: "budget") })
                let enough = try #require(Double(words[place + 2]))
                #expect(try await plan(enough + 1).note == nil, "\(note)")
            }
        }
    }

    @Test("what is trained today is trained beside the standard shape, and refused where it cannot be")
    func current() async throws {
        let file = try await syntheticFile(users: 200, items: 120)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                func params(_ layers: Int, _ dim: Int) -> CalibrationParams {
                    CalibrationParams(
                        name: "demo", budgetSeconds: Self.short, maxEpochs: 4, tolerance: 1,
                        current: ShapeParam(layers: layers, dim: dim))
                }
                let started = try await call(daemon.socket, CalibrationStart.self, params(3, 24))
                #expect(
                    started.plan.trials.map { [$0.configuration.layers, $0.configuration.dim] } == [[2, 64], [3, 24]])
                let job = try await end(of: started.job.id, daemon.socket)
                #expect(job.state == .finished, "\(job)")
                let begun = (job.trials ?? []).prefix(2)
                #expect(begun.allSatisfy { $0.state == .finished && $0.metrics?["ndcg@10"] != nil })
                for (layers, dim) in [(0, 24), (3, 25), (129, 16), (1, 5_000)] {
                    let refused = await #expect(throws: RPCError.self) {
                        _ = try await call(daemon.socket, CalibrationPlan.self, params(layers, dim))
                    }
                    #expect(
                        refused?.message.contains("current") == true, "\(layers) x \(dim): \(refused.debugDescription)")
                }
                var beside = params(3, 24)
                beside.layers = [1, 2]
                let refused = await #expect(throws: RPCError.self) {
                    _ = try await call(daemon.socket, CalibrationPlan.self, beside)
                }
                #expect(refused?.message.contains("levels beside it") == true)
            }
        }
    }

    @Test(
        "an answer there is right after registration, from other datasets, and after one training of which the budget paid a part"
    )
    func fromOthers() async throws {
        // An epoch is short, and 200 of them are long.
        let file = try await syntheticFile(users: 3_000, items: 1_000)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let ask = AdvisorRecommendParams(name: "demo")
                let before = try await call(daemon.socket, AdvisorRecommend.self, ask)
                #expect(before.laws.isEmpty)
                #expect(
                    before.warnings.contains { $0.code == "other-datasets" && $0.message.contains("none of yours") })
                let wide = try #require(before.interval["ndcg@10"])
                #expect(wide.high > 1.5 * wide.low)
                let limited = try await call(
                    daemon.socket, AdvisorRecommend.self,
                    AdvisorRecommendParams(name: "demo", maxParams: 40_000))
                #expect(limited.cost.parameters <= 40_000)
                let predicted = try await call(
                    daemon.socket, LawPredict.self, LawPredictParams(name: "demo", layers: 4, dim: 32))
                #expect(predicted.interval["ndcg@10"] != nil)
                // Another loss has another level, of which nothing is known.
                let other = await #expect(throws: RPCError.self) {
                    _ = try await call(
                        daemon.socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo", loss: .bce))
                }
                #expect(other?.reason == "law-unknown")

                let started = try await call(
                    daemon.socket, CalibrationStart.self,
                    CalibrationParams(name: "demo", budgetSeconds: isSanitized ? 120 : 12, workers: 1, patience: 200))
                let job = try await end(of: started.job.id, daemon.socket)
                #expect(job.state == .finished && !job.laws.isEmpty, "\(job)")
                let after = try await call(daemon.socket, AdvisorRecommend.self, ask)
                #expect(Set(after.laws.values) == Set(job.laws))
                let said = try #require(after.warnings.first { $0.code == "other-datasets" })
                #expect(said.message.contains("cut short here"), "\(said.message)")
                let narrow = try #require(after.interval["ndcg@10"])
                #expect(narrow.high / narrow.low < wide.high / wide.low)
                let measured = try await call(
                    daemon.socket, ObservationList.self, ObservationListParams(name: "demo")
                ).observations
                #expect(measured.allSatisfy { !$0.isComplete && $0.forecast != nil }, "\(measured)")
            }
        }
    }

    @Test("a handful of users is calibrated without trials that nobody is left for")
    func handful() async throws {
        let file = try await syntheticFile(users: 12, items: 30)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let started = try await call(
                    daemon.socket, CalibrationStart.self,
                    CalibrationParams(name: "demo", budgetSeconds: Self.short, maxEpochs: 3, tolerance: 0.5))
                let job = try await end(of: started.job.id, daemon.socket)
                #expect(job.state == .finished, "\(job)")
                #expect((job.trials ?? []).allSatisfy { $0.userFraction == 1 && $0.state != .failed }, "\(job)")
                let answer = try await call(
                    daemon.socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo"))
                #expect(answer.interval["ndcg@10"] != nil)
            }
        }
    }

    @Test(
        "where every training fails, a few are tried and no more, and the job ends with the cause",
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
                // A few more may be tried, as it may be a matter of the shape; then no others.
                #expect((1...5).contains(failed.count) && job.trialCount == failed.count, "\(job)")
                #expect(failed.allSatisfy { $0.message?.contains("memory") == true })
                #expect(job.message?.contains("memory") == true)
            }
        }
    }

    @Test(
        "a calibration without levels starts from what is good, goes on by itself, says how sure it is, and continues where it ended"
    )
    func whole() async throws {
        let file = try await syntheticFile(users: 200, items: 120)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let params = CalibrationParams(
                    name: "demo", budgetSeconds: Self.short, maxEpochs: 4, maxParams: 20_000, tolerance: 0.0001)
                let plan = try await call(daemon.socket, CalibrationPlan.self, params)
                // 2 x 64 has more parameters than are asked for.
                let first = try #require(plan.trials.first)
                #expect(plan.trials.count == 1 && first.userFraction == 1)
                #expect(CostLimit.parameters(first.configuration, items: 120) <= 20_000)
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
                #expect(outlook.expectedRegret > 0 && outlook.expectedRegret < outlook.predicted)
                #expect(CostLimit.parameters(outlook.configuration, items: 120) <= 20_000)
                let message = try #require(job.message)
                #expect(message.contains("the expected regret among all that was asked about is"), "\(message)")

                // Once more: what is known is used and not repeated.
                let seeds = try await call(
                    daemon.socket, ObservationList.self, ObservationListParams(name: "demo")
                ).observations
                var next = params
                next.budgetSeconds = 10
                next.tolerance = 1e-9
                let again = try await call(daemon.socket, CalibrationStart.self, next)
                let second = try await end(of: again.job.id, daemon.socket)
                #expect(second.state == .finished, "\(second)")
                let all = try await call(
                    daemon.socket, ObservationList.self, ObservationListParams(name: "demo")
                ).observations
                struct Identity: Hashable {
                    var configuration: DeclaredConfiguration
                    var share: Double
                    var seed: UInt64
                }
                let identities = all.filter(\.converged).map {
                    Identity(configuration: $0.configuration, share: $0.userFraction, seed: $0.seed)
                }
                // It may be that nothing more was worth training.
                #expect(identities.count > seeds.filter(\.converged).count || second.trialCount == 0)
                #expect(Set(identities).count == identities.count)

                // Where what is known is enough, nothing is trained and nothing has failed. At first the answer is tried again.
                next.tolerance = 1
                var last = second
                for turn in 0..<8 where turn == 0 || last.trialCount > 0 {
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
