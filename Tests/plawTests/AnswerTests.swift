import Domain
import Foundation
import Wire
import PlawTesting
import Testing

@testable import plaw

/// What the program prints of laws and answers, and what it says to a slip of the hand.
@Suite struct AnswerTests {
    private static func plaw(_ daemon: DaemonProcess, _ arguments: String...) async throws -> Outcome {
        try await runProgram("plaw", arguments, environment: ["PLAW_SOCKET": daemon.socket])
    }

    /// A grid with its best at 3 x 60; nothing else is said than `columns`.
    private static func table(_ columns: String, _ values: (_ layers: Int, _ dim: Int) -> String) -> String {
        var lines = [columns + ",layers,dim,hr@10"]
        for layers in [1, 2, 4, 8] {
            for dim in [16, 32, 64, 128] {
                let (x, y) = (log(Double(layers) / 3), log(Double(dim) / 60))
                lines.append("\(values(layers, dim)),\(layers),\(dim),\(0.1 - 0.003 * x * x - 0.006 * y * y)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    @Test("a law shows the form, parameters, R² and residuals of the family asked for, and laws of one backbone alone")
    func families() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/a.csv"
            try Self.table("backbone,loss,users") { layers, _ in "\(layers % 3 == 0 ? "hstu" : "sasrec"),cce,20000" }
                .write(toFile: file, atomically: true, encoding: .utf8)
            _ = try await withDaemon(in: folder) { daemon async throws in
                #expect(try await Self.plaw(daemon, "import", "a", file, "--create").code == 0)
                let answer = try await Self.plaw(daemon, "law", "a", "--json")
                let laws = try JSONDecoder().decode(LawListResult.self, from: Data(answer.output.utf8)).laws
                let fit = try #require(laws.first).fit
                for family in [LawFamily.logLinear, .scalingLaw, .constant] {
                    let own = try #require(fit.fits.first { $0.family == family })
                    let fitted = try #require(own.fitted)
                    let squares = zip(fit.points, fitted).reduce(0) { $0 + pow($1.0.observed - $1.1, 2) }
                    let mean = fit.points.reduce(0) { $0 + $1.observed } / Double(fit.points.count)
                    let total = fit.points.reduce(0) { $0 + pow($1.observed - mean, 2) }
                    #expect(abs(1 - squares / total - own.r2) < 1e-6, "\(family)")
                    let shown = try await Self.plaw(daemon, "law", "a", "--family", family.rawValue).output
                    #expect(shown.contains("\(own.form)  (\(family.rawValue))"), "\(shown)")
                    #expect(shown.contains("R^2") && shown.contains(Format.fixed(own.r2, 4)))
                    for (point, value) in zip(fit.points, fitted).prefix(3) {
                        #expect(
                            shown.contains(
                                Format.quality(value) + (point.observed < value ? "   -" : "    ")
                                    + Format.quality(abs(point.observed - value))), "\(shown)")
                    }
                }
                #expect(try await Self.plaw(daemon, "law", "a", "--backbone", "sasrec").code == 0)
                let none = try await Self.plaw(daemon, "law", "a", "--backbone", "hstu")
                #expect(none.code == 1 && none.errors.contains("sasrec"), "\(none.errors)")
            }
        }
    }

    @Test("an import shows in what keys differ that look alike, and what nobody declared is called so")
    func keys() async throws {
        try await withTemporaryFolder { folder in
            let (two, bare) = (folder + "/two.csv", folder + "/bare.csv")
            try Self.table("heads,policy") { layers, _ in "2,patience=\(layers > 2 ? 5 : 10) batch=64" }
                .write(toFile: two, atomically: true, encoding: .utf8)
            try Self.table("seed") { _, _ in "1" }.write(toFile: bare, atomically: true, encoding: .utf8)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let taken = try await Self.plaw(daemon, "import", "two", two, "--create")
                #expect(taken.output.contains("differs in") && !taken.output.contains("batch=64"), "\(taken.output)")
                #expect(taken.output.contains("patience=5") && taken.output.contains("patience=10"))
                let listed = try await Self.plaw(daemon, "law", "two")
                #expect(listed.output.contains("differs in") && listed.output.contains("patience=5"))
                #expect(try await Self.plaw(daemon, "import", "bare", bare, "--create").code == 0)
                for arguments in [
                    ["law", "bare", "--verbose"], ["recommend", "bare"], ["potential", "bare"],
                    ["predict", "bare", "--layers", "2", "--dim", "32"],
                ] {
                    let shown = try await runProgram(
                        "plaw", arguments, environment: ["PLAW_SOCKET": daemon.socket])
                    #expect(shown.code == 0 && shown.output.contains("undeclared backbone"), "\(arguments): \(shown)")
                    for word in ["sasrec", "cce", "1 head", "sequences of 50"] {
                        #expect(!shown.output.contains(word), "\(arguments): \(word) in \(shown.output)")
                    }
                }
            }
        }
    }

    @Test("a quantity that cannot be read is named with what was expected, a negative one too")
    func quantities() async throws {
        let commands: [(arguments: [String], expected: String)] = [
            (["recommend", "x", "--max-params", "-3"], "a number above 0 such as 500k"),
            (["recommend", "x", "--max-params", "abc"], "a number above 0"),
            (["recommend", "x", "--max-params", "1e300E"], "a number above 0"),
            (["recommend", "x", "--max-flops", "-1e12"], "a number above 0"),
            (["recommend", "x", "--max-memory", "-1GB"], "a size above 0 such as 200MB"),
            (["recommend", "x", "--max-latency", "-5ms"], "a duration above 0 such as 5ms, 10m"),
            (["recommend", "x", "--max-train-time", "0"], "a duration above 0"),
            (["recommend", "x", "--layers", "two"], "numbers and ranges such as 2,4,8"),
            (["predict", "x", "--layers", "2", "--dim", "0"], "numbers and ranges"),
            (["calibrate", "x", "--tolerance", "2"], "a share above 0, at most 1"),
            (["calibrate", "x", "--current", "2,64"], "layers and dimension such as 2x64"),
            (["calibrate", "x", "--dropout", "inf"], "a number such as 0.5"),
            (["calibrate", "x", "--warmup", "half"], "a number such as 0.5"),
            (["what-if", "x", "--users-x", "nan"], "a number such as 0.5"),
            (["fit", "x", "--p", "nan"], "a number such as"),
            (["fit", "x", "--metric", "hr@1000001"], "a metric such as hr@10"),
            (["calibrate", "x", "--stop-metric", "hit"], "a metric such as hr@10"),
            (["register", "x", "y", "--columns", "who"], "roles and columns such as user=uid"),
            (["register", "x", "y", "--where", "rating"], "conditions such as behavior=buy"),
            (["import", "x", "y", "--map", "a"], "two names such as mask=full"),
        ]
        for (arguments, expected) in commands {
            let refused = try await runProgram("plaw", arguments)
            #expect(refused.code == 2 && refused.output.isEmpty)
            let (option, value) = (arguments[arguments.count - 2], arguments[arguments.count - 1])
            let line = refused.errors.split(separator: "\n").first ?? ""
            #expect(
                line.hasPrefix("Error: The value '\(value)' is invalid for '\(option) <")
                    && line.contains(">': expected \(expected)"), "\(refused.errors)")
        }
        #expect(
            Arguments.normalized(["law", "--x", "-3", "-", "--y=1", "-2"]) == ["law", "--x=-3", "-", "--y=1", "-2"])
        #expect(Arguments.normalized(["--", "--x", "-3"]) == ["--", "--x", "-3"])
    }
}
