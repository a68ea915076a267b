import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

/// `plaw-trial train` as people and scripts use it, and the backbones through the daemon.
@Suite struct TrainCommandTests {
    private static func synthesize(_ path: String) async throws {
        let outcome = try await runProgram(
            "plaw-trial", ["synthesize", "--users", "200", "--items", "80", "--seed", "1", "--output", path])
        try #require(outcome.code == 0)
    }

    private static func train(_ file: String, _ arguments: String...) async throws -> Outcome {
        try await runProgram(
            "plaw-trial", ["train", "--data", file, "--dim", "8", "--epochs", "2", "--json"] + arguments)
    }

    private static func json(_ outcome: Outcome) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
    }

    @Test("saved weights rank as the training did", arguments: ["sasrec", "gpt", "llama", "hstu"])
    func weights(backbone: String) async throws {
        try await withTemporaryFolder { folder in
            let (file, weights) = (folder + "/data", folder + "/W.safetensors")
            try await Self.synthesize(file)
            let trained = try await Self.train(file, "--backbone", backbone, "--save-weights", weights)
            try #require(trained.code == 0, "\(trained.errors)")
            let result = try Self.json(trained)
            // Two epochs end most trainings while they rise.
            #expect([.string("stoppedRising"), .string("converged")].contains(result["status"]))
            #expect(result["key"]?["policy"]?.stringValue?.contains(" recipe=standard-2 ") == true)
            // What grids write down, so that their rows and the daemon's own observations are comparable.
            #expect(result["key"]?["split"] == .string("leave-two-out"))
            #expect(result["key"]?["candidates"] == .string("all") && result["key"]?["filter"] == .string("none"))
            #expect(result["key"]?["backbone"] == .string(backbone) && result["key"]?["mask"] == result["mask"])
            guard case .number(let rate)? = result["test"]?["hr@10"],
                case .number(let error)? = result["testErrors"]?["hr@10"]
            else {
                Issue.record("no hr@10 or no error: \(result)")
                return
            }
            #expect(abs(error - (rate * (1 - rate) / 199).squareRoot()) < 1e-6)
            let ranked = try Self.json(
                try await Self.train(file, "--backbone", backbone, "--weights", weights, "--evaluate-only"))
            #expect(ranked["test"] == result["test"] && ranked["validation"] == result["validation"])
            #expect(ranked["epochs"] == .integer(0))
            let other = try await Self.train(
                file, "--backbone", backbone, "--layers", "1", "--weights", weights, "--evaluate-only")
            #expect(other.code == 1)
            #expect(other.errors.contains("\(weights): layers: found \"2\" in the metadata, expected \"1\""))
            #expect(other.output.isEmpty)
        }
    }

    @Test("a trace has a line an epoch, whose validation is the curve and whose best test is the result's")
    func trace() async throws {
        try await withTemporaryFolder { folder in
            let (file, trace) = (folder + "/data", folder + "/trace.csv")
            try await Self.synthesize(file)
            for recipe in ["standard", "published"] {
                let outcome = try await Self.train(file, "--recipe", recipe, "--epochs", "6", "--trace", trace)
                let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n").map {
                    $0.split(separator: ",").map(String.init)
                }
                #expect(
                    lines.first == [
                        "epoch", "step", "seconds", "loss", "validation hr@10", "validation ndcg@10", "test hr@10",
                        "test ndcg@10",
                    ])
                let rows = lines.dropFirst().map { $0.map { Double($0) ?? .nan } }
                #expect(rows.map { $0[0] } == (1...6).map(Double.init))
                struct Part: Decodable {
                    var curve: [Double]
                    var test: [String: Double]
                }
                let part = try JSONDecoder().decode(Part.self, from: Data(outcome.output.utf8))
                let curve = part.curve
                #expect(zip(rows, curve).allSatisfy { abs($0[5] - $1) < 1e-12 } && curve.count == 6)
                let best = try #require(rows.max { $0[5] < $1[5] })
                #expect(abs((part.test["ndcg@10"] ?? 0) - best[7]) < 1e-12)
            }
        }
    }

    @Test("a divergent training says at which step and ends with 1", arguments: ["sasrec", "gpt", "llama", "hstu"])
    func divergence(backbone: String) async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/data"
            try await Self.synthesize(file)
            let outcome = try await Self.train(file, "--backbone", backbone, "--lr", "10", "--epochs", "100")
            #expect(outcome.code == 1)
            let result = try Self.json(outcome)
            #expect(result["status"] == .string("diverged"))
            #expect(result["test"] == .object([:]))
            guard case .string(let message)? = result["message"] else {
                Issue.record("no message")
                return
            }
            #expect(message.contains("step") && message.contains("a smaller learning rate may help"))
        }
    }

    private static let wrong: [([String], String)] = [
        (["--evaluate-only"], "--evaluate-only needs --weights"),
        (["--save-weights", "/nowhere/at/all/W"], "no folder that can be written to"),
        (["--epochs", "0"], "--epochs: found 0, expected 1 or more"),
        (["--dropout", "1"], "dropout: found 1.0, expected 0 or more, less than 1"),
        (["--backbone", "mamba"], "The value 'mamba' is invalid for '--backbone <backbone>'"),
        (
            ["--backbone", "llama", "--dim", "6"],
            "heads: found 2, expected a divisor of dim 6 that leaves an even number"
        ),
        (["--heads", "3"], "heads: found 3, expected a divisor of dim 8"),
    ]

    @Test("wrong options are refused before anything is read", arguments: wrong)
    func usage(arguments: [String], message: String) async throws {
        try await withTemporaryFolder { folder in
            try await Self.synthesize(folder + "/data")
            let outcome = try await runProgram(
                "plaw-trial", ["train", "--data", folder + "/data", "--dim", "8"] + arguments)
            #expect(outcome.code == 64)
            #expect(outcome.errors.contains(message), "\(outcome.errors)")
            #expect(outcome.output.isEmpty)
        }
    }

    @Test("weights that are none are refused by name")
    func foreignWeights() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/data"
            try await Self.synthesize(file)
            let outcome = try await Self.train(file, "--weights", file)
            #expect(outcome.code == 1)
            #expect(outcome.errors.contains("\(file): found no safetensors header"))
        }
    }

    @Test("a daemon calibrates every backbone")
    func calibrations() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/data"
            try await Self.synthesize(file)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let environment = ["PLAW_SOCKET": daemon.socket]
                let registered = try await runProgram("plaw", ["register", "d", file], environment: environment)
                try #require(registered.code == 0)
                for backbone in ["gpt", "llama", "hstu"] {
                    let outcome = try await runProgram(
                        "plaw",
                        [
                            "calibrate", "d", "--backbone", backbone, "--budget", "60s", "--layers", "1", "--dims", "8",
                            "--max-epochs", "2",
                        ], environment: environment)
                    #expect(outcome.errors.contains("trial 1/1"), "\(outcome)")
                    #expect(outcome.output.contains("finished"))
                }
                let observations = try await runProgram(
                    "plaw", ["rpc", "observation.list", "{\"name\":\"d\"}", "--json"], environment: environment)
                for backbone in ["gpt", "llama", "hstu"] {
                    #expect(observations.output.contains("\"backbone\":\"\(backbone)\""), "\(observations)")
                }
                let odd = try await runProgram(
                    "plaw", ["calibrate", "d", "--backbone", "llama", "--dims", "6", "--plan-only"],
                    environment: environment)
                #expect(odd.code == 1)
                #expect(odd.errors.contains("leaves an even number of columns a head"))
            }
        }
    }
}
