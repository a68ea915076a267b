import Domain
import Foundation
import Client
import PlawTesting
import StrictJSON
import Testing
import Trials

@testable import Wire

/// From a file to a recommendation, through the real daemon, its socket, its database and its workers.
@Suite struct SpineTests {
    /// Questions whose answers must not depend on when they are asked.
    private static let questions: [(method: String, params: JSONValue)] = [
        ("dataset.list", .object([:])),
        ("dataset.get", .object(["name": .string("demo")])),
        ("dataset.entropy", .object(["name": .string("demo"), "m": .integer(1)])),
        ("job.list", .object([:])),
        ("job.get", .object(["id": .integer(1)])),
        ("observation.list", .object(["name": .string("demo")])),
        ("law.list", .object([:])),
        ("law.get", .object(["name": .string("demo"), "metric": .string("hr@10")])),
        ("law.predict", .object(["name": .string("demo"), "layers": .integer(2), "dim": .integer(24)])),
        ("advisor.recommend", .object(["name": .string("demo"), "maxParams": .number(20_000)])),
        ("advisor.pareto", .object(["name": .string("demo"), "currency": .string("latencySeconds")])),
    ]

    @Test("a calibrated dataset answers, and after a restart every answer is identical")
    func restart() async throws {
        try await withTemporaryFolder { folder in
            try await CalibratedState.shared.copy(to: folder)
            @Sendable func ask(_ daemon: DaemonProcess) async throws -> [JSONValue] {
                var answers: [JSONValue] = []
                for (method, params) in Self.questions { answers.append(try await raw(daemon.socket, method, params)) }
                return answers
            }
            let before = try await withDaemon(in: folder, ask)
            #expect(before.ending == .exited(0))
            let after = try await withDaemon(in: folder, ask)
            for (index, question) in Self.questions.enumerated() {
                #expect(before.value[index] == after.value[index], "\(question.method)")
            }
        }
    }

    @Test("the recommendation keeps its budget, and says what it expects, what it costs and how sure it is")
    func recommendation() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let answer = try await call(
                daemon.socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo", maxParams: 12_000))
            #expect(answer.cost.parameters <= 12_000)
            #expect(Set(answer.predicted.keys) == ["hr@10", "ndcg@10"])
            for (metric, value) in answer.predicted {
                let interval = try #require(answer.interval[metric])
                #expect(interval.low <= value && value <= interval.high)
            }
            #expect(answer.cost.trainingFlops > 0 && answer.cost.trainingSeconds > 0)
            #expect(answer.cost.memoryBytes > 0 && answer.cost.latencySeconds > 0)
            #expect(!answer.runnersUp.isEmpty)
            #expect(answer.runnersUp.allSatisfy { $0.cost.parameters <= 12_000 })
            let refused = await #expect(throws: RPCError.self) {
                _ = try await call(
                    daemon.socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo", maxParams: 10))
            }
            #expect(refused?.reason == "infeasible")
            let law = try await call(daemon.socket, LawGet.self, LawGetParams(name: "demo"))
            let observations = try await call(daemon.socket, ObservationList.self, ObservationListParams(name: "demo"))
                .observations
            #expect(law.fit.points.count == observations.filter(\.isComplete).count)
            for point in law.fit.points {
                #expect(abs(point.observed - point.fitted - point.residual) < 1e-12)
                let observation = try #require(observations.first { $0.id == point.observation })
                #expect(observation.metrics["ndcg@10"]?.value == point.observed)
            }
        }
    }

    @Test("a calibration whose daemon is killed keeps its finished trials and goes on from the checkpoint")
    func killed() async throws {
        let file = try await syntheticFile(users: 400, items: 300)
        try await withTemporaryFolder { folder in
            let (before, status) = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let params = CalibrationParams(
                    name: "demo", budgetSeconds: isSanitized ? 2_400 : 120, layers: [1, 2, 4], dims: [8, 16],
                    workers: 1,
                    patience: 40, maxEpochs: 40)
                let job = try await call(daemon.socket, CalibrationStart.self, params).job.id
                var state = try await call(daemon.socket, JobGet.self, JobID(id: job))
                let reached = try await waitUntil(seconds: 60) {
                    state = try await call(daemon.socket, JobGet.self, JobID(id: job))
                    let running = state.trials?.first { $0.state == .running }
                    return state.finishedTrials >= 2 && (running?.progress?.epoch ?? 0) >= 3
                }
                #expect(reached)
                daemon.signal(SIGKILL)
                return state
            }
            #expect(status == .killed(SIGKILL))
            let interrupted = try #require(before.trials?.first { $0.state == .running })
            let after = try await withDaemon(in: folder) { daemon async throws in
                let ended = try await end(of: before.id, daemon.socket)
                let observations = try await call(
                    daemon.socket, ObservationList.self, ObservationListParams(name: "demo")
                ).observations
                #expect(ended.state == .finished)
                #expect(ended.laws.count == 2)
                #expect(observations.count == ended.finishedTrials)
                #expect(Set(observations.compactMap(\.trial)).count == observations.count)
                return ended
            }.value
            for trial in before.trials ?? [] where trial.state == .finished {
                #expect(after.trials?.first { $0.id == trial.id } == trial)
            }
            #expect(after.trials?.allSatisfy { $0.state == .finished } == true)
            #expect(after.activeSeconds >= before.activeSeconds - 2)
            // Its workers wrote where they began: the second one not at the first epoch again.
            let lines = try String(
                contentsOf: URL(filePath: "\(folder)/state/trials/\(interrupted.id)/progress.jsonl"), encoding: .utf8
            ).split(separator: "\n").map { try JSONDecoder().decode(JSONValue.self, from: Data($0.utf8)) }
            let starts = lines.filter { $0["phase"] == .string("starting") }
            #expect(starts.count == 2)
        }
    }

    @Test(
        "the budget is kept: what does not fit is not started or stops, and says so",
        .disabled(if: isSanitized, "a sanitizer makes training too slow for budgets of seconds"))
    func budget() async throws {
        let file = try await syntheticFile(users: 600, items: 500)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                // The planner expects 40 epochs; with this patience all trials would take 4,000.
                var params = CalibrationParams(
                    name: "demo", budgetSeconds: 3_600, layers: [1, 2, 3], dims: [8, 16], patience: 4_000,
                    maxEpochs: 4_000)
                // As much as the plan takes on this machine now, however busy it is.
                let whole = try await call(daemon.socket, CalibrationPlan.self, params).predictedSeconds
                let budget = (1.5 * whole + 4).rounded()
                params.budgetSeconds = budget
                let started = try await call(daemon.socket, CalibrationStart.self, params)
                #expect(started.plan.predictedSeconds <= budget)
                let job = try await end(of: started.job.id, daemon.socket)
                #expect(job.activeSeconds <= budget + 1.5)
                let unfinished = (job.trials ?? []).filter { $0.converged != true }
                #expect(!unfinished.isEmpty)
                for trial in unfinished {
                    let message = trial.message ?? ""
                    #expect(message.contains("stopped by the budget") || message.contains("not started"), "\(trial)")
                }
            }
        }
    }

    @Test("a cancelled job keeps what it has; its dataset cannot be removed before")
    func cancellation() async throws {
        let file = try await syntheticFile(users: 400, items: 300)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let params = CalibrationParams(
                    name: "demo", budgetSeconds: 300, layers: [1, 2, 8], dims: [8, 64], workers: 1, patience: 100,
                    maxEpochs: 100)
                let job = try await call(daemon.socket, CalibrationStart.self, params).job.id
                let queued = try await call(daemon.socket, CalibrationStart.self, params).job.id
                let busy = await #expect(throws: RPCError.self) {
                    _ = try await call(daemon.socket, DatasetRemove.self, DatasetName(name: "demo"))
                }
                #expect(busy?.reason == "busy")
                _ = try await waitUntil(seconds: 60) {
                    try await call(daemon.socket, JobGet.self, JobID(id: job)).finishedTrials >= 1
                }
                _ = try await call(daemon.socket, JobCancel.self, JobID(id: queued))
                #expect(try await end(of: queued, daemon.socket).state == .cancelled)
                _ = try await call(daemon.socket, JobCancel.self, JobID(id: job))
                let ended = try await end(of: job, daemon.socket)
                #expect(ended.state == .cancelled)
                #expect(ended.finishedTrials >= 1)
                let again = try await call(daemon.socket, JobCancel.self, JobID(id: job))
                #expect(again.state == .cancelled)
                let observations = try await call(
                    daemon.socket, ObservationList.self, ObservationListParams(name: "demo"))
                #expect(observations.observations.count == ended.finishedTrials)
                let removed = try await call(daemon.socket, DatasetRemove.self, DatasetName(name: "demo"))
                #expect(removed.observations == ended.finishedTrials)
                for folder in ["corpora", "trials", "uploads"] {
                    #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/" + folder) == [])
                }
            }
        }
    }

    @Test("a large catalogue is priced with full and with sampled softmax when no loss is asked for")
    func largeCatalogue() async throws {
        try await withTemporaryFolder { folder in
            // 21,000 items, each bought by one or two of 2,500 users.
            let lines = (0..<2_500).map { user in
                "u\(user) " + (0..<10).map { "i\((user * 10 + $0) % 21_000)" }.joined(separator: " ")
            }
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "large", bytes: Data(lines.joined(separator: "\n").utf8))
                var params = CalibrationParams(
                    name: "large", budgetSeconds: 86_400, layers: [1], dims: [8], maxEpochs: 1)
                let plan = try await call(daemon.socket, CalibrationPlan.self, params)
                let note = try #require(plan.notes.first)
                #expect(note.contains("21000 items") && note.contains("with cce, "), "\(note)")
                #expect(note.contains("with sampled-softmax; training with cce"), "\(note)")
                #expect(plan.trials.map(\.configuration.loss) == [.cce])
                params.loss = .sampledSoftmax
                let asked = try await call(daemon.socket, CalibrationPlan.self, params)
                #expect(asked.trials.map(\.configuration.loss) == [.sampledSoftmax])
                #expect(!asked.notes.contains { $0.contains("with cce") })
            }
        }
    }
}
