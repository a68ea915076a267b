import Domain
import Foundation
import PlawTesting
import Testing

@testable import plaw

/// How results stand in a terminal, and what is shown of their warnings.
@Suite struct LayoutTests {
    @Test("no line of a table is wider than the terminal, and none of its cells is lost", arguments: 0..<60)
    func width(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        func number(_ range: ClosedRange<Int>) -> Int {
            range.lowerBound + Int(random.next() % UInt64(range.count))
        }
        let columns = number(2...14)
        let hasText = seed % 3 == 0
        var table = Table(cells: (0..<columns).map { "c\($0)" })
        table.keyColumns = number(1...min(2, columns))
        if hasText { table.leftAligned = [0, columns - 1] }
        var cells: [[String]] = []
        for row in 0..<number(1...9) {
            let own = (0..<columns).map { column in
                hasText && column == columns - 1
                    ? (0..<number(1...40)).map { "w\(row)x\($0)" }.joined(separator: " ")
                    : "\(row)-\(column)-" + String(repeating: "9", count: number(0...7))
            }
            cells.append(own)
            table.add(cells: own)
        }
        let width = number(60...120)
        let lines = table.lines(width: width)
        #expect(lines.allSatisfy { $0.count <= width }, "\(lines)")
        let words = Set(lines.joined(separator: " ").split(separator: " ").map(String.init))
        for cell in cells.joined() {
            #expect(cell.split(separator: " ").allSatisfy { words.contains(String($0)) }, "\(cell)")
        }
        // Where there is room nothing is broken.
        #expect(table.lines(width: 10_000) == table.lines && table.lines.count == cells.count + 1)
    }

    @Test("sentences are broken between words, and nothing of them is lost", arguments: 20...90)
    func wrap(width: Int) {
        let text =
            "the standard shape: 12 x 64 is expected to have 0.0140 more, hardly more than chance, "
            + String(repeating: "a", count: 30)
        let lines = Wrap.lines(text, width: width)
        #expect(lines.joined(separator: " ") == text)
        #expect(lines.allSatisfy { $0.count <= max(width, 30) })
    }

    @Test("every code of a warning that the programs give has its place among the others")
    func codes() throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources")
        let known = Warning.consequential + Warning.explanatory
        #expect(Set(known).count == known.count)
        var found: Set<String> = []
        for case let file as URL in try #require(
            FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /Warning\(\s*code: "([a-z-]+)"/) { found.insert(String(match.output.1)) }
        }
        #expect(found == Set(known))
    }

    @Test("warnings that change what to do come first; three are shown, each with its command, once")
    func warnings() async throws {
        let all = Warning.ranked([
            Warning(code: "several-laws", message: "a"), Warning(code: "cost-unknown", message: "b", command: "plaw x"),
            Warning(code: "trivial-metric", message: "c"), Warning(code: "unheard-of", message: "d"),
            Warning(code: "few-observations", message: "e", command: "plaw x"),
        ])
        #expect(
            all.map(\.code) == ["trivial-metric", "few-observations", "cost-unknown", "unheard-of", "several-laws"])
    }

    @Test(
        "the second lines of what an option means stand under its first",
        arguments: [
            "calibrate", "register", "recommend", "import", "fit", "predict", "what-if", "potential", "law", "report",
            "export",
        ])
    func help(command: String) async throws {
        let help = try await runProgram("plaw", [command, "--help"], environment: ["COLUMNS": "80"]).output
        let options = try #require(help.components(separatedBy: "\nOPTIONS:\n").last).split(separator: "\n")
        #expect(options.count > 2)
        for line in options {
            let indent = line.prefix { $0 == " " }.count
            #expect(indent == 2 || indent == 26, "\(line)")
        }
    }

    @Test("an answer about a trivial metric says so first, fits the terminal, and before any training is refused")
    func trivial() async throws {
        try await withTemporaryFolder { folder in
            var random = SplitMix64(seed: 7)
            var lines = ["user_id,item_id,timestamp"]
            for user in 0..<300 {
                for step in 0..<8 {
                    lines.append("u\(user),i\(Int(random.next() % 9)),\(1_600_000_000 + user * 100_000 + step * 3_600)")
                }
            }
            let file = folder + "/few.csv"
            try (lines.joined(separator: "\n") + "\n").write(toFile: file, atomically: true, encoding: .utf8)
            _ = try await withDaemon(in: folder) { daemon async throws in
                func plaw(_ arguments: String...) async throws -> Outcome {
                    try await runProgram(
                        "plaw", arguments, environment: ["PLAW_SOCKET": daemon.socket, "COLUMNS": "72"])
                }
                let registered = try await plaw("register", "few", file)
                #expect(registered.code == 0 && registered.output.contains("warning (trivial-metric)"))
                let before = try await plaw("recommend", "few")
                #expect(before.code == 1 && before.errors.contains("ndcg@10 is trivial"), "\(before)")
                #expect(before.errors.contains("plaw calibrate few"))
                let refused = try await plaw("calibrate", "few", "--max-params", "10")
                #expect(refused.code == 1 && refused.errors.contains("parameters are limited to 10"), "\(refused)")
                #expect(!refused.errors.contains("budget of"))
                #expect(
                    try await plaw("calibrate", "few", "--layers", "1,2", "--dims", "8,16", "--max-epochs", "2").code
                        == 0)
                let answer = try await plaw("recommend", "few")
                #expect(answer.code == 0, "\(answer.errors)")
                let shown = answer.output.split(separator: "\n")
                #expect(shown.allSatisfy { $0.count <= 72 || $0.hasPrefix("  try: ") }, "\(answer.output)")
                let warnings = shown.filter { $0.hasPrefix("warning (") }
                #expect(warnings.count <= 3 && warnings.first?.hasPrefix("warning (trivial-metric)") == true)
                let verbose = try await plaw("recommend", "few", "--verbose").output
                let all = verbose.split(separator: "\n").filter { $0.hasPrefix("warning (") }
                #expect(all.count >= warnings.count && !verbose.contains("with --verbose"))
                let report = folder + "/few.html"
                #expect(try await plaw("report", "few", "-o", report).code == 0)
                let page = try String(contentsOfFile: report, encoding: .utf8)
                for word in ["trivial-metric", "Why", "expected regret", "Trainings", "finished"] {
                    #expect(page.contains(word), "\(word)")
                }
            }
        }
    }
}
