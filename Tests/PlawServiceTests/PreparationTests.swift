import Domain
import Foundation
import Client
import PlawTesting
import Store
import StrictJSON
import Testing

@testable import Wire

/// What is kept and prepared, counted by the daemon itself.
@Suite struct PreparationTests {
    private static func counters(_ client: PlawClient) async throws -> (kept: Int, prepared: Int) {
        let counters = try await client.call(MetricsGet.self, NoParams()).counters
        return (
            Int(try #require(counters["answers_kept_total"])), Int(try #require(counters["advisors_prepared_total"]))
        )
    }

    /// Waits until so many advisors were prepared.
    private static func prepared(_ count: Int, _ client: PlawClient) async throws {
        while try await counters(client).prepared < count { try await Task.sleep(for: .milliseconds(20)) }
    }

    @Test("a change of another dataset leaves answers kept and advisors prepared; one of their own is seen at once")
    func others() async throws {
        try await withCalibratedDaemon { daemon async throws in
            try await PlawClient.withConnection(path: daemon.socket) { client in
                // After the start what is stored is prepared without a question.
                try await Self.prepared(1, client)
                let question = AdvisorRecommendParams(name: "demo", maxParams: 20_000)
                let first = try await client.call(AdvisorRecommend.self, question)
                let listed = try await client.call(DatasetList.self, DatasetListParams())
                let before = try await Self.counters(client)
                #expect(before.prepared == 1)
                let file = try await syntheticFile(users: 60, items: 40)
                _ = try await register(daemon.socket, "other", bytes: file)
                #expect(try await client.call(AdvisorRecommend.self, question) == first)
                _ = try await client.call(
                    AdvisorRecommend.self, AdvisorRecommendParams(name: "demo", maxParams: 20_001))
                let after = try await Self.counters(client)
                #expect(after.kept == before.kept + 1)
                #expect(after.prepared == 1)
                // The list rests on all datasets.
                #expect(
                    try await client.call(DatasetList.self, DatasetListParams()).datasets.count == listed.datasets.count
                        + 1)
                // Of its own: the new laws are named, and their advisor is prepared before the next question.
                let fitted = try await client.call(
                    LawFitMethod.self, LawFitParams(name: "demo", estimator: "least-squares"))
                try await Self.prepared(2, client)
                let second = try await client.call(AdvisorRecommend.self, question)
                #expect(Set(second.laws.values) == Set(fitted.laws.map(\.id)) && second.laws != first.laws)
                #expect(try await Self.counters(client).prepared == 2)
            }
        }
    }

    @Test(
        "a trial of another dataset makes no answer old, nor does one that measured nothing; latencies and removals do")
    func versions() async throws {
        try await withTemporaryFolder { folder in
            try await CalibratedState.shared.copy(to: folder)
            let store = try Store(path: folder + "/state/plawd.sqlite")
            let observation = try #require(try await store.observations(of: "demo").first)
            let demo = try await store.dataset("demo").info
            var info = demo
            info.name = "other"
            let (own, all) = (store.version(of: "demo"), store.version(of: nil))
            try await store.insertDataset(info, corpusFile: "none")
            #expect(store.version(of: "demo") == own && store.version(of: nil) > all)
            let calibration = try #require(observation.job)
            let trial = try #require(try await store.trials(of: calibration).first)
            let job = try await store.insertJob(
                dataset: "other", budgetSeconds: 1, workers: 1, message: nil,
                trials: [NewTrial(spec: trial.spec, predictedSeconds: 1, predictedEpochs: 1)])
            let id = try #require(try await store.trials(of: job).first?.id)
            let other = store.version(of: "other")
            let result = try #require(trial.result)
            try await store.updateTrial(id, state: .running, seconds: 0)
            try await store.finishTrial(id, result: result, message: nil, observation: nil)
            #expect(store.version(of: "other") == other)
            var measured = observation
            (measured.dataset, measured.trial, measured.job) = ("other", id, job)
            let known = try await store.trainedEpochs(
                observation.key.backbone, observation.key.loss, upTo: .max
            ).flatMap(\.trainings).count
            let last = try #require(try await store.observations(of: "demo").map(\.id).max())
            try await store.finishTrial(id, result: result, message: nil, observation: measured)
            #expect(store.version(of: "other") > other && store.version(of: "demo") == own)
            // Nor does it enter what is expected of the first.
            func epochs(upTo last: Int64) async throws -> Int {
                try await store.trainedEpochs(observation.key.backbone, observation.key.loss, upTo: last)
                    .flatMap(\.trainings).count
            }
            #expect(try await epochs(upTo: last) == known)
            #expect(try await epochs(upTo: .max) == known + (observation.converged ? 1 : 0))
            // The same again takes the place of the first, which others may have learnt from.
            try await store.finishTrial(id, result: result, message: nil, observation: measured)
            let replaced = store.version(of: "demo")
            #expect(replaced > own)
            try await store.insertLatencies([])
            let latencies = store.version(of: "demo")
            #expect(latencies > replaced)
            try await store.updateJob(job, state: .finished, activeSeconds: 1)
            #expect(store.version(of: "demo") == latencies)
            _ = try await store.removeDataset("other")
            #expect(store.version(of: "demo") > latencies)
            try store.close()
        }
    }

    @Test("a recommendation is read as it was meant, and the same kept or not")
    func text() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let peer = try RawConnection(path: daemon.socket)
            defer { peer.close() }
            var random = SplitMix64(seed: 3)
            var answered = 0
            for number in 1...60 {
                let limit = 8_000 * (1 + 20 * random.uniform())
                let params = number == 1 ? #"{"name":"demo"}"# : #"{"name":"demo","maxParams":\#(limit)}"#
                var results: [JSONValue?] = []
                // The blank makes another text of it, which is worked out anew.
                for text in [params, params, " " + params.dropLast() + " }"] {
                    results.append(
                        try await peer.exchange(
                            #"{"jsonrpc":"2.0","id":1,"method":"advisor.recommend","params":\#(text)}"#)?["result"])
                }
                #expect(results[0] == results[1] && results[0] == results[2])
                guard let result = results[0] else { continue }
                answered += 1
                let meant = try JSONDecoder().decode(Recommendation.self, from: JSONEncoder().encode(result))
                #expect(try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(meant)) == result)
            }
            #expect(answered > 30)
        }
    }
}
