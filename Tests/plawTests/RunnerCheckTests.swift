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
}
