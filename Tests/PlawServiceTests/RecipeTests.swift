import Domain
import Foundation
import PlawTesting
import StrictJSON
import Testing

@testable import Wire

/// Recipes through the daemon: laws of each stand side by side, and what still rose is said.
@Suite struct RecipeTests {
    @Test("trainings of another recipe have laws of their own beside the old ones, which stay as they were")
    func recipes() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let socket = daemon.socket
            let before = try await call(socket, LawList.self, LawListParams(name: "demo")).laws
            #expect(before.allSatisfy { $0.key.policy.text.contains(" recipe=standard-2 ") })
            let started = try await call(
                socket, CalibrationStart.self,
                CalibrationParams(
                    name: "demo", budgetSeconds: 60, recipe: .published, layers: [1, 2, 3], dims: [8, 16, 32],
                    maxEpochs: 3))
            let job = try await end(of: started.job.id, socket)
            #expect(job.state == .finished && job.laws.count == 2, "\(job)")
            let observations = try await call(socket, ObservationList.self, ObservationListParams(name: "demo"))
                .observations
            let keys = Dictionary(uniqueKeysWithValues: observations.map { ($0.id, $0.key) })
            let laws = try await call(socket, LawList.self, LawListParams(name: "demo")).laws
            #expect(Set(laws.map(\.key)).count == 2 && laws.count == 4)
            for law in laws { for point in law.fit.points { #expect(keys[point.observation] == law.key) } }
            #expect(laws.filter { before.map(\.id).contains($0.id) }.map(\.fit.points) == before.map(\.fit.points))
            #expect(laws.contains { $0.key.policy.text.hasSuffix("patience=10 epochs<=3") })
            // Three epochs end most of the new ones while they rise. They have a law, and whoever asks it is told.
            let published = try #require(laws.first { !$0.key.policy.text.contains("recipe=") })
            let rising = observations.filter {
                $0.key == published.key && $0.status == Observation.stoppedRising && $0.userFraction == 1
            }
            #expect(!rising.isEmpty && rising.allSatisfy { !$0.converged })
            let answer = try await call(
                socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo", law: published.id))
            let warning = try #require(answer.warnings.first { $0.code == "still-rising" })
            #expect(warning.message.hasPrefix("\(rising.count) of "))
            let trial = try #require(job.trials?.first { $0.message?.contains("still rising") == true })
            #expect(trial.state == .finished && trial.converged == false)
        }
    }

    @Test("an import counts as fitted what its law is fitted to, trainings that were still rising too")
    func risingImports() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let rows = [
                    (1, 16, "converged"), (1, 32, "stoppedRising"), (2, 16, "stoppedRising"), (2, 32, "failed"),
                ]
                let text =
                    "layers,dim,users,backbone,loss,hr@10,ndcg@10,status\n"
                    + rows.map { "\($0.0),\($0.1),1000,gru4rec,cce,0.1\($0.0),0.05,\($0.2)\n" }.joined()
                let imported = try await call(
                    daemon.socket, ObservationImport.self,
                    ObservationImportParams(name: "table", text: text, fileName: "a.csv", create: true))
                #expect(imported.keys.map(\.observations) == [4] && imported.keys.map(\.converged) == [3])
                #expect(imported.laws.count == 2, "\(imported.warnings)")
                let laws = try await call(daemon.socket, LawList.self, LawListParams(name: "table")).laws
                #expect(laws.allSatisfy { $0.fit.points.count == 3 })
            }
        }
    }

    @Test("a recipe that there is none of is refused with those there are")
    func unknown() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let error = await #expect(throws: RPCError.self) {
                _ = try await raw(
                    daemon.socket, "calibration.plan", .object(["name": .string("demo"), "recipe": .string("best")]))
            }
            #expect(error?.reason == "invalid-params")
            #expect(error?.message.contains("recipe") == true && error?.message.contains("standard") == true)
        }
    }

    @Test("training by hand follows a recipe as the daemon does: the keys of both are one", arguments: Recipe.allCases)
    func sameKey(recipe: Recipe) async throws {
        let bytes = try await syntheticFile(users: 200, items: 80)
        try await withTemporaryFolder { folder in
            let file = folder + "/data.txt"
            try Data(bytes).write(to: URL(filePath: file))
            let outcome = try await runProgram(
                "plaw-trial",
                [
                    "train", "--data", file, "--layers", "1", "--dim", "8", "--epochs", "2", "--recipe",
                    recipe.rawValue, "--json",
                ])
            let byHand = try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: bytes)
                let started = try await call(
                    daemon.socket, CalibrationStart.self,
                    CalibrationParams(
                        name: "demo", budgetSeconds: 60, recipe: recipe, layers: [1], dims: [8], maxEpochs: 2))
                _ = try await end(of: started.job.id, daemon.socket)
                let measured = try await call(
                    daemon.socket, ObservationList.self, ObservationListParams(name: "demo")
                ).observations
                let own = try #require(measured.first)
                #expect(byHand["key"]?["policy"] == .string(own.key.policy.text))
                #expect(byHand["key"]?["mask"] == .string(own.key.mask.words))
                // And so are the trainings, to the last digit.
                let value = try #require(own.metrics["ndcg@10"]?.value)
                #expect(byHand["test"]?["ndcg@10"] == .number(value))
            }
        }
    }
}
