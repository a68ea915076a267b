import Foundation
import PlawTesting
import StrictJSON
import Testing
import Wire

/// `plaw runner check` with runners that keep the contract and with some that do not.
@Suite struct RunnerCheckTests {
    private static let trial = Paths.program("plaw-trial")

    private static func check(_ script: String, in folder: String) async throws -> Outcome {
        let path = folder + "/runner"
        try ("#!/bin/sh\n" + script).write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o755)
        return try await runProgram("plaw", ["runner", "check", "--patience", "60s", "--", path])
    }

    @Test("plaw-trial keeps the contract")
    func own() async throws {
        let outcome = try await runProgram("plaw", ["runner", "check", "--", Self.trial])
        #expect(outcome.code == 0, "\(outcome)")
        #expect(outcome.output.contains("The runner keeps the contract."))
        let json = try await runProgram("plaw", ["runner", "check", "--json", "--", Self.trial])
        let steps = try JSONDecoder().decode(JSONValue.self, from: Data(json.output.utf8))
        guard case .array(let steps) = steps else {
            Issue.record("\(json.output)")
            return
        }
        #expect(steps.count == 10 && steps.allSatisfy { $0["problem"] == nil || $0["problem"] == .null })
    }

    @Test(
        "what a runner does not keep is named, with what was expected",
        arguments: [
            ("exit 3", "describes a model before training: ended with exited(3), expected status 0"),
            ("echo nonsense", "expected a line of RunnerDescription"),
            ("[ \"$1\" = describe ] && exec TRIAL \"$@\"; exit 0", "trains a trial to its end: result.json"),
            (
                "[ \"$1\" = describe ] && exec TRIAL \"$@\"; TRIAL \"$1\" && sed -i 's/\"users\" : 120/\"users\" : 119/' $1/result.json",
                "users: found 119, expected 120"
            ),
            (
                "[ \"$1\" = describe ] && exec TRIAL \"$@\"; TRIAL \"$1\" && printf x >>$1/ranks.bin",
                "ranks.bin"
            ),
            (
                "[ \"$1\" = describe ] && exec TRIAL \"$@\"; trap '' TERM; TRIAL \"$1\" >/dev/null",
                "prints the lines of its progress: standard output: found no line of progress"
            ),
        ])
    func broken(script: String, words: String) async throws {
        try await withTemporaryFolder { folder in
            let outcome = try await Self.check(script.replacingOccurrences(of: "TRIAL", with: Self.trial), in: folder)
            #expect(outcome.code == 1)
            // Wrapped to the terminal's width.
            let text = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(text.contains(words), "\(outcome.output)")
        }
    }

    @Test(
        "a runner that trains as plawd does joins, one that learns otherwise does not, and a stopped comparison goes on"
    )
    func bridge() async throws {
        try await withTemporaryFolder { folder in
            let runner = folder + "/runner"
            func bridge(_ lines: String) async throws -> Outcome {
                try "#!/bin/sh\n\(lines)\nexec '\(Self.trial)' \"$1\"\n".write(
                    toFile: runner, atomically: true, encoding: .utf8)
                chmod(runner, 0o755)
                return try await runProgram(
                    "plaw",
                    [
                        "runner", "bridge", "--data", folder + "/data.txt", "--shapes", "1x8", "1x16", "--seeds", "2",
                        "--epochs", "6", "--keep", folder + "/trials", "-o", folder + "/bridge.json", "--", runner,
                    ])
            }
            let made = try await runProgram(
                "plaw-trial", ["synthesize", "--users", "200", "--items", "80", "--output", folder + "/data.txt"])
            try #require(made.code == 0, "\(made)")
            let same = try await bridge("")
            #expect(same.code == 0 && same.output.contains("They join."), "\(same)")
            #expect(same.output.contains("sasrec 1x16 seed 2: ndcg@10 "))

            // What is there is not trained again: a runner that would fail is not called.
            let again = try await bridge("exit 1")
            #expect(again.code == 0 && again.output.contains("They join."), "\(again)")

            try FileManager.default.removeItem(atPath: folder + "/trials/runner-sasrec-1x16-2")
            let failed = try await bridge("echo no GPU >&2; exit 1")
            #expect(failed.code == 1 && failed.errors.contains("no GPU"), "\(failed)")

            try FileManager.default.removeItem(atPath: folder + "/trials")
            let other = try await bridge(
                #"sed -i -E 's/"learningRate" ?: ?[^,]*/"learningRate":0.00005/' "$1/spec.json""#)
            #expect(other.code == 0 && other.output.contains("laws of their own."), "\(other)")
            let text = try String(contentsOfFile: folder + "/bridge.json", encoding: .utf8)
            #expect(text.contains("\"verdict\" : \"differs\""), "\(text)")
        }
    }

    @Test(
        "what a comparison cannot rest on is refused before anything is trained",
        arguments: [
            (["--seeds", "1"], "--seeds: found 1, expected 2 or more"),
            (["--shapes", "1x8"], "expected two different shapes"),
            (["--shapes", "1x8", "1x8"], "expected two different shapes"),
            (["--shapes", "1x8", "1x9"], "heads"),
        ])
    func bridgeRefusals(options: [String], words: String) async throws {
        let outcome = try await runProgram(
            "plaw", ["runner", "bridge", "--data", "/nowhere", "-o", "/nowhere/x"] + options + ["--", "false"])
        #expect(outcome.code == 2 && outcome.errors.contains(words), "\(outcome)")
    }
}
