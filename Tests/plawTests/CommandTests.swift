import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

/// The built program against a real daemon, as somebody at a terminal uses it.
@Suite struct CommandTests {
    /// Runs `plaw` with the daemon's socket in the environment.
    private static func plaw(_ daemon: DaemonProcess, _ arguments: String...) async throws -> Outcome {
        try await runProgram("plaw", arguments, environment: ["PLAW_SOCKET": daemon.socket])
    }

    private static func json(_ text: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }

    private static func synthesize(_ path: String, users: Int = 300, items: Int = 200) async throws {
        let outcome = try await runProgram(
            "plaw-trial",
            [
                "synthesize", "--users", "\(users)", "--items", "\(items)", "--mean-length", "12", "--seed", "1",
                "--output", path,
            ])
        try #require(outcome.code == 0)
    }

    @Test("from a file to a recommendation with the commands of the README")
    func session() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/clicks.txt"
            try await Self.synthesize(file)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let registered = try await Self.plaw(daemon, "register", "clicks", file)
                #expect(registered.code == 0)
                #expect(registered.errors.contains("format: pairs, without header; user = 0, item = 1; in file order"))
                for word in [
                    "rows read", "users", "interactions", "repeated", "pooled ApEn, m = 1", "D' = tokens / ApEn",
                ] {
                    #expect(registered.output.contains(word), "\(word)")
                }
                let again = try await Self.plaw(daemon, "register", "clicks", file)
                #expect(again.code == 1)
                #expect(again.errors.contains("already named \"clicks\""))

                let planned = try await Self.plaw(daemon, "calibrate", "clicks", "--budget", "20s", "--plan-only")
                #expect(planned.code == 0)
                #expect(planned.output.contains("budget of 20 s on the clock"))
                #expect(planned.output.contains("the test users resolve differences of hr@10 from"))

                let calibrated = try await Self.plaw(
                    daemon, "calibrate", "clicks", "--budget", "40s", "--layers", "1,2,3", "--dims", "8,16,32",
                    "--max-epochs", "12")
                #expect(calibrated.code == 0, "\(calibrated.errors)")
                #expect(calibrated.errors.contains("trial 1/"))
                #expect(calibrated.errors.contains("ndcg@10 0."))
                #expect(calibrated.output.contains("job 1 finished"))
                #expect(calibrated.output.contains("laws 1, 2 are fitted"))

                let law = try await Self.plaw(daemon, "law", "clicks", "--metric", "ndcg@10")
                for word in ["R^2", "optimum", "N*", "residual", "noise", "log-quadratic", "largest left out"] {
                    #expect(law.output.contains(word), "\(word)")
                }
                let recommended = try await Self.plaw(daemon, "recommend", "clicks", "--max-params", "50k")
                #expect(recommended.code == 0)
                for word in ["expected", "90 % interval", "training memory", "latency", "why", "the highest expected"] {
                    #expect(recommended.output.contains(word), "\(word)")
                }
                let verbose = try await Self.plaw(daemon, "law", "clicks", "--verbose", "--family", "scaling-law")
                #expect(verbose.output.contains("holdOut") && verbose.output.contains("scaling-law"))
                let potential = try await Self.plaw(daemon, "potential", "clicks")
                #expect(potential.code == 0 && potential.output.contains("depth and width"), "\(potential)")
                let half = try await Self.plaw(daemon, "what-if", "clicks", "--latency-x", "0.8")
                #expect(half.code == 0 && half.output.contains("ndcg@10 changes by"), "\(half)")
                let same = try await Self.plaw(daemon, "what-if", "clicks", "--interactions-x", "1", "--force")
                #expect(same.output.contains("changes by 0.0000 (90 % 0.0000 to 0.0000)"), "\(same)")
                #expect(try await Self.plaw(daemon, "what-if", "clicks").code == 2)
                let infeasible = try await Self.plaw(daemon, "recommend", "clicks", "--max-latency", "1us")
                #expect(infeasible.code == 1)
                #expect(
                    infeasible.errors.contains("latency is limited to 1 µs, and the fastest configuration"),
                    "\(infeasible.errors)")
                #expect(infeasible.output.isEmpty)
                for command in [
                    ["predict", "clicks", "--layers", "2", "--dim", "20"], ["pareto", "clicks"], ["status"],
                    ["datasets"], ["show", "clicks"], ["entropy", "clicks", "--m", "1"], ["jobs"], ["watch", "1"],
                    ["cancel", "1"], ["fit", "clicks", "--metric", "hr@10"], ["rpc", "server.info"],
                ] {
                    let outcome = try await runProgram("plaw", command + ["--socket", daemon.socket])
                    #expect(outcome.code == 0, "\(command): \(outcome.errors)")
                    #expect(!outcome.output.isEmpty, "\(command)")
                }
                let entropy = try await Self.plaw(daemon, "entropy", "clicks", "--max-length", "12")
                for word in ["pooled ApEn, m = 8", "most recent items", "share of the users", "12.5 %", "100.0 %"] {
                    #expect(entropy.output.contains(word), "\(word)")
                }
                let removed = try await Self.plaw(daemon, "remove", "clicks")
                #expect(removed.output.hasPrefix("removed clicks with "))
                #expect(try await Self.plaw(daemon, "datasets").output.isEmpty)
            }
        }
    }

    @Test("--json prints the daemon's result unchanged on one line, and errors as JSON on standard error")
    func json() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/clicks.txt"
            try await Self.synthesize(file, users: 50, items: 40)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let registered = try await Self.plaw(daemon, "register", "clicks", file, "--k-core", "2", "--json")
                let result = try Self.json(registered.output)
                #expect(registered.output.split(separator: "\n").count == 1)
                let peer = try RawConnection(path: daemon.socket)
                defer { peer.close() }
                let raw = try await peer.exchange(
                    #"{"jsonrpc":"2.0","id":1,"method":"dataset.get","params":{"name":"clicks"}}"#)
                #expect(result["dataset"] == raw?["result"])
                #expect(result["dataset"]?["options"]?["kCore"] == .integer(2))
                let shown = try await Self.plaw(daemon, "show", "clicks", "--json")
                #expect(try Self.json(shown.output) == raw?["result"])
                let unknown = try await Self.plaw(daemon, "show", "nobody", "--json")
                #expect(unknown.code == 1)
                #expect(try Self.json(unknown.errors)["data"]?["reason"] == .string("dataset-unknown"))
                let refused = try await Self.plaw(daemon, "rpc", "dataset.get", #"{"nam": "x"}"#)
                #expect(refused.code == 1)
                #expect(refused.errors.contains("nam: found a member that is not known"))
            }
        }
    }

    @Test("one training is enough for an answer, before it other datasets are, and both say what they rest on")
    func few() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/clicks.txt"
            try await Self.synthesize(file)
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await Self.plaw(daemon, "register", "clicks", file)
                let before = try await Self.plaw(daemon, "recommend", "clicks")
                #expect(before.code == 0 && before.output.contains("none of yours"), "\(before)")
                let front = try await Self.plaw(daemon, "pareto", "clicks")
                #expect(front.code == 0 && front.output.contains("warning (other-datasets): "), "\(front)")
                let calibrated = try await Self.plaw(
                    daemon, "calibrate", "clicks", "--budget", "60s", "--layers", "1", "--dims", "8", "--max-epochs",
                    "3", "--patience", "1")
                #expect(calibrated.code == 0, "\(calibrated)")
                #expect(calibrated.output.contains("job 1 finished: 1 of 1 trials"), "\(calibrated)")
                #expect(calibrated.output.contains("are fitted"), "\(calibrated)")
                let after = try await Self.plaw(daemon, "recommend", "clicks")
                #expect(after.code == 0 && after.output.contains("1 trained here"), "\(after)")
                let law = try await Self.plaw(daemon, "law", "clicks")
                #expect(law.code == 0 && law.output.contains("other-datasets"), "\(law)")
            }
        }
    }

    @Test("Ctrl-C detaches from a calibration, which goes on; cancel from another terminal stops it")
    func detach() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/clicks.txt"
            try await Self.synthesize(file, users: 800, items: 500)
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await Self.plaw(daemon, "register", "clicks", file)
                let detached = try await runProgram(
                    "plaw",
                    [
                        "calibrate", "clicks", "--budget", "10m", "--layers", "4", "--dims", "64", "--patience", "200",
                    ], environment: ["PLAW_SOCKET": daemon.socket], in: folder
                ) { pid in
                    let runs = try await waitUntil(seconds: 30) {
                        try await Self.plaw(daemon, "jobs", "--json").output.contains(#""state":"running""#)
                    }
                    #expect(runs)
                    // The subscription follows the start; the signal is for a client that has shown something.
                    try await Task.sleep(for: .milliseconds(500))
                    kill(pid, SIGINT)
                }
                #expect(detached.code == 0)
                #expect(detached.errors.contains("detached; job 1 goes on"))
                let watching = try await runProgram(
                    "plaw", ["watch", "1"], environment: ["PLAW_SOCKET": daemon.socket], in: folder
                ) { _ in
                    let cancelled = try await Self.plaw(daemon, "cancel", "1")
                    #expect(cancelled.code == 0)
                    #expect(cancelled.output.contains("job 1 is cancelled"))
                }
                #expect(watching.code == 0)
                #expect(watching.output.contains("job 1 cancelled"))
            }
        }
    }

    @Test("observations go out and in again, a report is written, and refusals name file, line and column")
    func observations() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/grid.csv"
            var lines = ["layers,dim,users,hr@10,ndcg@10,epochs"]
            for layers in [1, 2, 4] {
                for dim in [16, 32, 64] { lines.append("\(layers),\(dim),900,0.\(layers + dim),0.0\(layers + dim),30") }
            }
            try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let missing = try await Self.plaw(daemon, "import", "grid", file)
                #expect(missing.code == 1 && missing.errors.contains("--create"))
                let taken = try await Self.plaw(
                    daemon, "import", "grid", file, "--create", "--set", "mask=full", "--set", "backbone=sasrec",
                    "--source", "a paper")
                #expect(taken.code == 0, "\(taken.errors)")
                for word in ["made grid: 9 of 9 rows imported", "laws 1, 2 are fitted", "warning (undeclared)", "full"]
                {
                    #expect(taken.output.contains(word), "\(taken.output)")
                }
                let copy = folder + "/copy.csv"
                let out = try await Self.plaw(daemon, "export", "grid", "-o", copy)
                #expect(out.code == 0 && out.output.isEmpty)
                let printed = try await Self.plaw(daemon, "export", "grid")
                #expect(try printed.output == String(contentsOfFile: copy, encoding: .utf8))
                #expect(try await Self.plaw(daemon, "import", "other", copy, "--create").code == 0)
                #expect(try await Self.plaw(daemon, "export", "other").output == printed.output)
                let law = try await Self.plaw(daemon, "law", "grid")
                #expect(law.output.contains("undeclared: dataset_version"), "\(law.output)")
                for command in [["recommend", "grid"], ["show", "grid"], ["datasets"], ["pareto", "grid"]] {
                    let outcome = try await runProgram("plaw", command + ["--socket", daemon.socket])
                    // Neither items nor a length are known, so no cost is.
                    #expect(outcome.code == (command[0] == "pareto" ? 1 : 0), "\(outcome)")
                    if command[0] == "recommend" { #expect(outcome.output.contains("unknown")) }
                }
                let page = folder + "/report.html"
                #expect(try await Self.plaw(daemon, "report", "grid", "-o", page).code == 0)
                #expect(try String(contentsOfFile: page, encoding: .utf8).hasSuffix("</html>\n"))
                try "layers,dim,ndcg@10\n1,16,5.5".write(toFile: file, atomically: true, encoding: .utf8)
                let refused = try await Self.plaw(daemon, "import", "grid", file)
                #expect(refused.code == 1)
                #expect(refused.errors.contains("grid.csv, line 2, column ndcg@10: found \"5.5\""), "\(refused.errors)")
                let entropy = try await Self.plaw(daemon, "entropy", "grid")
                #expect(entropy.code == 1 && entropy.errors.contains("imported observations alone"))
            }
        }
    }

    static let wrong: [[String]] = [
        [], ["nonsense"], ["recommend"], ["recommend", "x", "--max-params", "many"], ["predict", "x", "--layers", "2"],
        ["calibrate", "x", "--budget", "-3"], ["register", "x"], ["law", "x", "--metric", "hr"], ["rpc", "a", "{"],
        ["import", "x"], ["import", "x", "y", "--set", "mask"], ["import", "x", "y", "--items", "5"], ["export"],
    ]

    @Test("wrong usage ends with 2 and says what was expected", arguments: wrong.dropFirst())
    func usage(arguments: [String]) async throws {
        let outcome = try await runProgram("plaw", arguments)
        #expect(outcome.code == 2, "\(outcome)")
        #expect(outcome.output.isEmpty)
        #expect(!outcome.errors.isEmpty)
    }

    @Test(
        "parameters of rpc that are no JSON, or have a member twice, are refused before they are sent, with the byte",
        arguments: [
            (#"{"name":"a",}"#, "found '}' at byte 12, expected a name in quotation marks"),
            (#"{"name":"a","name":"b"}"#, #"found the member "name" twice in one object at byte 12, expected it once"#),
            ("{name:1}", "found 'n' at byte 1, expected a name in quotation marks"),
            ("[1,]", "found ']' at byte 3, expected a value"),
            (#"{"a":01}"#, "found '1' at byte 6, expected ',' or '}'"),
        ])
    func strictParameters(text: String, words: String) async throws {
        // Nobody is asked: there is no daemon.
        let outcome = try await runProgram("plaw", ["rpc", "dataset.get", text, "--socket", "/tmp/plaw-nobody.sock"])
        #expect(outcome.code == 2, "\(outcome)")
        #expect(outcome.errors.contains("params: " + words), "\(outcome.errors)")
    }

    @Test("without a daemon the error says how to start one; help and version need none")
    func unreachable() async throws {
        let outcome = try await runProgram("plaw", ["status", "--socket", "/tmp/plaw-nobody.sock"])
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains("no daemon answers at /tmp/plaw-nobody.sock"))
        #expect(outcome.errors.contains("systemctl start plawd.socket"))
        let missing = try await runProgram(
            "plaw", ["register", "x", "/nowhere/file", "--socket", "/tmp/plaw-nobody.sock"])
        #expect(missing.errors.contains("/nowhere/file: cannot be read: No such file or directory"))
        for arguments in [["--help"], ["--version"], ["recommend", "--help"]] {
            let shown = try await runProgram("plaw", arguments)
            #expect(shown.code == 0)
            #expect(!shown.output.isEmpty)
        }
    }
}
