import Domain
import Foundation
import Wire
import PlawTesting
import Testing

/// `plaw import` of other people's tables, and questions about the configurations that somebody would consider.
@Suite struct ImportCommandTests {
    private static func plaw(_ daemon: DaemonProcess, _ arguments: [String]) async throws -> Outcome {
        try await runProgram("plaw", arguments, environment: ["PLAW_SOCKET": daemon.socket])
    }

    private static func table() -> String {
        var lines = ["number,value,params_num_layers,params_d_model,params_lr,comment,state"]
        for layers in [1, 2, 4] {
            for dim in [25, 50, 100] {
                let (x, y) = (Foundation.log(Double(layers) / 2), Foundation.log(Double(dim) / 60))
                let value = 0.06 - 0.002 * x * x - 0.004 * y * y
                lines.append("\(lines.count),\(value),\(layers),\(dim),0.001,a b,COMPLETE")
            }
        }
        return lines.joined(separator: "\n") + "\n10,,8,100,0.001,a b,FAIL\n"
    }

    @Test("the command that a refusal names takes the table, and its answers are of the configurations asked for")
    func settled() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/my study.csv"
            try Self.table().write(toFile: file, atomically: true, encoding: .utf8)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let words = ["import", "study", file, "--create", "--set", "backbone=GRU4Rec"]
                let refused = try await Self.plaw(daemon, words)
                #expect(refused.code == 1 && refused.output.isEmpty)
                let options = ["--map", "value=ndcg@10", "--ignore", "params_lr", "--ignore", "comment"]
                let command =
                    "To settle it: plaw import study '\(file)' --create --set backbone=GRU4Rec "
                    + options.joined(separator: " ")
                #expect(refused.errors.contains(command), "\(refused.errors)")
                let taken = try await Self.plaw(daemon, words + options)
                #expect(taken.code == 0, "\(taken.errors)")
                for word in [
                    "made study: 10 of 10 rows imported", "1 row of failed trainings kept, not fitted", "gru4rec",
                    "params_d_model as dim", "value as ndcg@10", "columns not used: number, params_lr, comment",
                ] {
                    #expect(taken.output.contains(word), "\(word): \(taken.output)")
                }
                let answer = try await Self.plaw(
                    daemon, ["recommend", "study", "--layers", "1..4", "--dims", "25..100:25"])
                #expect(answer.code == 0 && answer.output.contains("gru4rec") && answer.output.contains("unknown"))
                #expect(!answer.output.contains("on one core"))
                let lines = try await Self.plaw(
                    daemon, ["predict", "study", "--layers", "1,2", "--dims", "25,33,50", "--json"])
                let parsed = try JSONDecoder().decode([LawPredictResult].self, from: Data(lines.output.utf8))
                #expect(
                    parsed.map { [$0.configuration.layers, $0.configuration.dim] }
                        == [[1, 25], [1, 33], [1, 50], [2, 25], [2, 33], [2, 50]])
                let shown = try await Self.plaw(daemon, ["predict", "study", "--layers", "1,2", "--dim", "25"])
                #expect(shown.code == 0 && shown.output.contains("ndcg@10") && shown.output.contains("warning"))
                for (arguments, word) in [
                    (["calibrate", "study", "--backbone", "gru4rec"], "imported observations alone"),
                    (["recommend", "study", "--max-params", "2M"], "no column parameters"),
                    (["recommend", "study", "--layers", "900"], "layers: found 900"),
                ] {
                    let refused = try await Self.plaw(daemon, arguments)
                    #expect(refused.code == 1 && refused.errors.contains(word), "\(refused.errors)")
                }
                for bad in ["4..2", "1..", "2:3", "1..9:0", "0", "1..99999"] {
                    #expect(try await Self.plaw(daemon, ["recommend", "study", "--dims", bad]).code == 2, "\(bad)")
                }
                // What is exported makes the same dataset.
                let copy = folder + "/copy.csv"
                #expect(try await Self.plaw(daemon, ["export", "study", "-o", copy]).code == 0)
                let again = try await Self.plaw(daemon, ["import", "copy", copy, "--create"])
                #expect(again.code == 0 && again.output.contains("1 row of failed trainings kept"), "\(again.errors)")
            }
        }
    }

    @Test("a model that plawd does not train is not calibrated, in words")
    func calibration() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/clicks.txt"
            try (0..<60).map { user in "u\(user) " + (0..<8).map { "\(user * 7 % 20 + $0)" }.joined(separator: " ") }
                .joined(separator: "\n")
                .write(toFile: file, atomically: true, encoding: .utf8)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let registered = try await Self.plaw(daemon, ["register", "clicks", file])
                #expect(registered.code == 0, "\(registered.errors)")
                let refused = try await Self.plaw(daemon, ["calibrate", "clicks", "--backbone", "gru4rec"])
                #expect(refused.code == 1)
                for word in ["\"gru4rec\"", "sasrec, gpt, llama, hstu", "plaw import clicks FILE"] {
                    #expect(refused.errors.contains(word), "\(refused.errors)")
                }
            }
        }
    }
}
