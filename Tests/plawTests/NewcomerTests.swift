import Domain
import Foundation
import Wire
import PlawTesting
import Testing

/// What somebody who knows nothing is told: every line says something, and every command can be pasted.
@Suite struct NewcomerTests {
    private static func plaw(_ daemon: DaemonProcess, _ arguments: String...) async throws -> Outcome {
        try await runProgram("plaw", arguments, environment: ["PLAW_SOCKET": daemon.socket, "COLUMNS": "80"])
    }

    private static func write(_ text: String, _ path: String) throws -> String {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// Sequences of users who go on to the next of 40 items, each with its own beginning.
    private static var pairs: String {
        (0..<240).flatMap { user in (0..<8).map { "u\(user)\ti\((user * 7 + $0 * (1 + user % 3)) % 40)\n" } }.joined()
    }

    @Test("a file is shown without a column that says nothing, in lines that fit, and its dates are called dates")
    func inspected() async throws {
        try await withTemporaryFolder { folder in
            let plain = try Self.write(Self.pairs, folder + "/plain.txt")
            let header = "reference_number,customer_id,description_of_the_thing,stock_code,invoice_date,country\n"
            let rows = (0..<90).map { "9\($0),u\($0 % 9),a thing,s\($0 % 13),2011-03-\(10 + $0 / 9) 08:26:00,France\n" }
            let dated = try Self.write(header + rows.joined(), folder + "/dated.csv")
            _ = try await withDaemon(in: folder) { daemon async throws in
                let ordered = try await Self.plaw(daemon, "inspect", plain)
                #expect(ordered.code == 0, "\(ordered.errors)")
                #expect(ordered.output.components(separatedBy: "in file order").count == 2, "\(ordered.output)")
                let shown = try await Self.plaw(daemon, "inspect", dated)
                #expect(shown.output.contains("times are dates"), "\(shown)")
                #expect(shown.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(shown.output)")
                #expect(try await Self.plaw(daemon, "register", "dated", dated).code == 0)
                let kept = try await Self.plaw(daemon, "show", "dated").output
                #expect(kept.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(kept)")
            }
        }
    }

    @Test("impressions are refused with the command that reads their histories, and facts about items are told apart")
    func suggested() async throws {
        try await withTemporaryFolder { folder in
            let impressions = (0..<60).map { row in
                let clicks = (0..<4).map { "N\((row * 5 + $0 * 3) % 30)" }.joined(separator: " ")
                return
                    "\((row * 37) % 997 + 5000)\tU\(row % 20)\t11/\(10 + row % 15)/2019 2:14:46 PM\t\(clicks)\tN1-0 N2-1\n"
            }
            let log = try Self.write(impressions.joined(), folder + "/behaviors.tsv")
            let facts = (0..<40).map { "\($0 + 1),\($0 % 7),\"[\($0), 3]\"\n" }
            let about = try Self.write("item_id,category,also_bought\n" + facts.joined(), folder + "/about.csv")
            let notes = try Self.write("# rows of a log\n1 2 3\n", folder + "/notes of mine.txt")
            _ = try await withDaemon(in: folder) { daemon async throws in
                let refused = try await Self.plaw(daemon, "inspect", log)
                #expect(
                    refused.code == 1 && refused.errors.contains("\(log) --columns user=1,items=3,time=2"),
                    "\(refused.errors)")
                let read = try await Self.plaw(daemon, "inspect", log, "--columns", "user=1,items=3,time=2")
                #expect(read.code == 0 && read.output.contains("U0"), "\(read)")
                let items = try await Self.plaw(daemon, "register", "about", about)
                #expect(
                    items.code == 1 && items.errors.contains("what items are, which holds no interactions"),
                    "\(items.errors)")
                // The command that converts a file names the one that was typed.
                let comment = try await Self.plaw(daemon, "inspect", notes)
                #expect(
                    comment.errors.contains("'\(notes)' > data.txt && plaw inspect data.txt"), "\(comment.errors)")
            }
        }
    }

    @Test("before the first training now is what is recommended, and what is missing is said with the command")
    func beforeTraining() async throws {
        try await withTemporaryFolder { folder in
            let file = try Self.write(Self.pairs, folder + "/pairs.txt")
            _ = try await withDaemon(in: folder) { daemon async throws in
                #expect(try await Self.plaw(daemon, "register", "d", file, "--mask", "none").code == 0)
                let recommended = try await Self.plaw(daemon, "recommend", "d", "--json").output
                let answer = try JSONDecoder().decode(Recommendation.self, from: Data(recommended.utf8))
                let json = try await Self.plaw(daemon, "potential", "d", "--json").output
                let potential = try JSONDecoder().decode(AdvisorPotentialResult.self, from: Data(json.utf8))
                #expect(potential.now.configuration == answer.configuration)
                #expect(potential.warnings.count { $0.code == "outside-range" } <= 1)
                // A limit is named with what would be answered without it.
                let limit = String(Int(answer.cost.parameters) / 3)
                let limited = try await Self.plaw(daemon, "recommend", "d", "--max-params", limit).output
                let shape = "\(answer.configuration.layers) x \(answer.configuration.dim)"
                let said = limited.split(separator: "\n").joined(separator: " ")
                    .replacingOccurrences(of: "    ", with: "")
                #expect(
                    said.contains("without it \(shape) would be the answer")
                        || said.contains("without them \(shape) is expected"), "\(limited)")
                let law = try await Self.plaw(daemon, "law", "d")
                #expect(law.code == 1 && law.errors.contains("has no law yet; get one with: plaw calibrate d"))
                let export = try await Self.plaw(daemon, "export", "d")
                #expect(export.code == 1 && export.errors.contains("plaw calibrate d"), "\(export.errors)")
            }
        }
    }

    @Test("a table of somebody else's trainings is refused with what takes it, and a constant is called one")
    func imported() async throws {
        try await withTemporaryFolder { folder in
            func table(_ header: String, _ row: (_ layers: Int, _ dim: Int) -> String) -> String {
                header + "\n" + [1, 2, 4].flatMap { n in [16, 32, 64].map { row(n, $0) + "\n" } }.joined()
            }
            func metric(_ n: Int, _ d: Int) -> Double { 0.01 * Foundation.log(Double(d)) + 0.001 * Double(n) }
            let study = try Self.write(
                table("value,params_n_layers,params_d_model,hit@10,latency_ms") { n, d in
                    "\(metric(n, d)),\(n),\(d),\(metric(n, d) * 1.8),\(Double(n * d) / 100)"
                }, folder + "/study.csv")
            let comma = try Self.write("layers;dim;hr@10\n1;16;0,07\n", folder + "/comma.csv")
            let constant = try Self.write(
                table("model,layers,dim,ndcg@10") { n, d in "ours,\(n),\(d),0.1" }, folder + "/constant.csv")
            let unfinished = try Self.write(
                "layers,dim,ndcg@10,status\n1,16,0.1,running\n2,16,0.2,running\n", folder + "/unfinished.csv")
            _ = try await withDaemon(in: folder) { daemon async throws in
                let unmade = try await Self.plaw(daemon, "import", "study", study)
                #expect(unmade.errors.contains("To settle it: plaw import study \(study) --create"), "\(unmade.errors)")
                let refused = try await Self.plaw(daemon, "import", "study", study, "--create")
                #expect(refused.errors.contains("--map value=ndcg@10 --ignore latency_ms"), "\(refused.errors)")
                let taken = try await Self.plaw(
                    daemon, "import", "study", study, "--create", "--map", "value=ndcg@10", "--ignore", "latency_ms")
                #expect(taken.code == 0, "\(taken.errors)")
                #expect(taken.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(taken.output)")
                let decimal = try await Self.plaw(daemon, "import", "comma", comma, "--create")
                #expect(decimal.code == 1 && decimal.errors.contains("a decimal point, not a comma"))
                #expect(try await Self.plaw(daemon, "import", "constant", constant, "--create").code == 0)
                let answer = try await Self.plaw(daemon, "recommend", "constant", "--verbose").output
                #expect(answer.contains("warning (constant-metric)"), "\(answer)")
                #expect(answer.components(separatedBy: "warning (cost-unknown)").count == 2, "\(answer)")
                let none = try await Self.plaw(daemon, "import", "none", unfinished, "--create").output
                #expect(none.contains("none of these trainings") && !none.contains("next:"), "\(none)")
            }
        }
    }
}
