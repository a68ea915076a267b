import Domain
import Foundation
import Client
import PlawTesting
import Testing
import Trials

@testable import Wire

/// Prepared answers are never old ones, through the real daemon.
@Suite struct FreshnessTests {
    @Test(
        "answers change with the laws, the observations and the datasets they rest on, at once and on a connection that is open"
    )
    func changes() async throws {
        try await withCalibratedDaemon { daemon async throws in
            try await PlawClient.withConnection(path: daemon.socket) { client in
                let question = AdvisorRecommendParams(name: "demo", maxParams: 20_000)
                func ask() async throws -> Recommendation { try await client.call(AdvisorRecommend.self, question) }
                let first = try await ask()
                for _ in 0..<3 { #expect(try await ask() == first) }
                let lists = [LawListParams(name: "demo"), LawListParams()]
                for list in lists {
                    let numbers = try await client.call(LawList.self, list).laws.map(\.id)
                    #expect(Set(numbers).isSuperset(of: first.laws.values))
                    #expect(try await client.call(LawList.self, list).laws.map(\.id) == numbers)
                }
                _ = try await client.call(LawGet.self, LawGetParams(name: "demo"))
                // Other laws: the numbers in the answer are those of the new ones.
                let fitted = try await client.call(
                    LawFitMethod.self, LawFitParams(name: "demo", estimator: "least-squares"))
                let second = try await ask()
                #expect(second.laws != first.laws)
                #expect(Set(second.laws.values) == Set(fitted.laws.map(\.id)))
                for list in lists {
                    let listed = try await client.call(LawList.self, list).laws.map(\.id)
                    #expect(Set(listed) == Set(fitted.laws.map(\.id)))
                }
                let got = try await client.call(LawGet.self, LawGetParams(name: "demo"))
                #expect(fitted.laws.map(\.id).contains(got.id))
                let predicted = try await client.call(
                    LawPredict.self, LawPredictParams(name: "demo", layers: 2, dim: 16))
                #expect(Set(predicted.laws.values) == Set(fitted.laws.map(\.id)))
                // A dataset that was removed is not answered for, nor one that took its name.
                _ = try await client.call(DatasetRemove.self, DatasetName(name: "demo"))
                let gone = await #expect(throws: RPCError.self) { _ = try await ask() }
                #expect(gone?.reason == "dataset-unknown")
                #expect(try await client.call(LawList.self, lists[1]).laws.isEmpty)
                let file = try await syntheticFile(users: 60, items: 40)
                _ = try await register(daemon.socket, "demo", bytes: file)
                let bare = try await ask()
                #expect(bare.laws.isEmpty && bare.warnings.contains { $0.code == "other-datasets" })
            }
        }
    }

    @Test("a calibration beside the questions is seen as soon as its job has ended")
    func calibration() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let socket = daemon.socket
            let before = try await call(socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo"))
            let started = try await call(
                socket, CalibrationStart.self,
                CalibrationParams(
                    name: "demo", budgetSeconds: 30, layers: [1, 2, 4], dims: [8, 16, 48], maxEpochs: 15))
            // Asked all the while: whatever is prepared meanwhile must not outlive the laws.
            while true {
                _ = try await call(socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo"))
                let job = try await call(socket, JobGet.self, JobID(id: started.job.id))
                if !job.state.isFinal { continue }
                let after = try await call(socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo"))
                #expect(Set(after.laws.values) == Set(job.laws))
                #expect(after.laws != before.laws)
                break
            }
        }
    }
}
