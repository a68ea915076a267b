import Foundation
import Glibc
import Wire
import PlawTesting
import StrictJSON
import Testing

/// Names and cells that a terminal would obey, through the real programs: nothing of them may reach it as it is.
@Suite struct HostileTextTests {
    /// ESC, C1 in UTF-8, an override, an isolate, a mark, a tab, DEL and BEL, as they may stand in the name of a file or a column.
    private static let evil = "e\u{1B}[2Jv\u{9B}31mi\u{202E}l\u{2066}\u{200F}\u{7F}\u{7}"
    private static let shown = "e\\u001b[2Jv\\u009b31mi\\u202el\\u2066\\u200f\\u007f\\u0007"

    /// What readers take for text: no control bytes.
    private static let odd = "v\u{202E}w\u{2066}x\u{200F}y"
    private static let oddShown = "v\\u202ew\\u2066x\\u200fy"

    /// The first character that a terminal would obey, but for the ends of lines that a program itself writes.
    private static func offender(_ text: String) -> Unicode.Scalar? {
        text.unicodeScalars.first { scalar in
            switch scalar.value {
            case 0x0a: false
            case 0...0x1f, 0x7f...0x9f, 0x61c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
            default: false
            }
        }
    }

    private static func expectClean(_ outcome: Outcome, _ command: [String]) {
        for text in [outcome.output, outcome.errors] {
            let offender = offender(text)
            #expect(offender == nil, "\(command.debugDescription): U+\(String(offender?.value ?? 0, radix: 16))")
            // A line of its own could say anything.
            #expect(!text.split(separator: "\n").contains { $0.hasPrefix("forged") }, "\(command.debugDescription)")
        }
        guard case .exited = outcome.ending else {
            Issue.record("\(command.debugDescription): \(outcome.ending)")
            return
        }
    }

    private static func plaw(_ daemon: DaemonProcess, _ arguments: [String]) async throws -> Outcome {
        let outcome = try await runProgram("plaw", arguments, environment: ["PLAW_SOCKET": daemon.socket])
        expectClean(outcome, arguments)
        return outcome
    }

    private static func interactions(_ header: String, users: Int = 8, odd: String = "") -> String {
        let rows = (0..<users * 6).map { "\(odd)u\($0 % users),i\($0 * $0 % 13),\(1_600_000_000 + $0 * 60)" }
        return header + "\n" + rows.joined(separator: "\n") + "\n"
    }

    @Test("headers, names of files, cells and what the daemon keeps and says of them, in every command and as JSON")
    func commands() async throws {
        try await withTemporaryFolder { folder in
            let name = Self.evil + "\nforged line\t.csv"
            let file = folder + "/" + name
            let rows = Self.interactions("user_id,item_id,timestamp,\(Self.odd)").split(separator: "\n")
            try (rows[0] + "\n" + rows.dropFirst().map { $0 + ",x\n" }.joined()).write(
                toFile: file, atomically: false, encoding: .utf8)
            let columnFile = folder + "/columns.csv"
            try Self.interactions("u\(Self.odd),i\(Self.odd),timestamp").write(
                toFile: columnFile, atomically: false, encoding: .utf8)
            let ids = folder + "/ids.csv"
            try Self.interactions("user_id,item_id,timestamp", odd: Self.evil).write(
                toFile: ids, atomically: false, encoding: .utf8)
            let odd = folder + "/odd.csv"
            try Self.interactions("\(Self.evil),b\(Self.evil),c").write(toFile: odd, atomically: false, encoding: .utf8)
            let broken = folder + "/\(Self.evil).txt"
            try "\(Self.evil)\n".write(toFile: broken, atomically: false, encoding: .utf8)
            let table = folder + "/\(Self.evil).table"
            try """
            layers,dim,ndcg@10,tokens,apen,users,source
            1,16,0.05,1000,2,500,"a \(Self.odd)"
            2,32,0.06,1000,2,500,\(Self.odd)

            """.write(toFile: table, atomically: false, encoding: .utf8)
            let badTable = folder + "/bad"
            try "layers,dim,ndcg@10,source\n1,16,0.05,\"\(Self.evil)\nforged line\"\n".write(
                toFile: badTable, atomically: false, encoding: .utf8)
            let columns = folder + "/columns"
            try "layers,dim,\(Self.evil),ndcg@10\n1,16,1,0.1\n".write(
                toFile: columns, atomically: false, encoding: .utf8)
            let cells = folder + "/cells"
            try "layers,dim,ndcg@10,status\n1,\(Self.evil),0.1,\(Self.evil)\n".write(
                toFile: cells, atomically: false, encoding: .utf8)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let registered = try await Self.plaw(daemon, ["register", "demo", file])
                #expect(registered.code == 0, "\(registered.errors)")
                let show = try await Self.plaw(daemon, ["show", "demo"])
                #expect(show.code == 0)
                #expect(show.output.contains("\(Self.shown)\\nforged line\\t.csv"), "\(show.output)")
                let json = try await Self.plaw(daemon, ["show", "demo", "--json"])
                let info = try JSONDecoder().decode(JSONValue.self, from: Data(json.output.utf8))
                #expect(info["fileName"] == .string(name), "JSON reads as what it was")
                let imported = try await Self.plaw(daemon, ["import", "table", table, "--create"])
                #expect(imported.code == 0, "\(imported.errors)")
                let exported = try await Self.plaw(daemon, ["export", "table", "--json"])
                #expect(exported.output.contains(Self.oddShown), "\(exported.output)")
                let columned = try await Self.plaw(
                    daemon, ["register", "columned", columnFile, "--columns", "user=u\(Self.odd),item=i\(Self.odd)"])
                #expect(columned.code == 0 && columned.errors.contains(Self.oddShown), "\(columned)")
                #expect(try await Self.plaw(daemon, ["show", "columned"]).output.contains(Self.oddShown))
                for arguments in [
                    ["register", "a", ids], ["register", "b", odd], ["register", "c", broken],
                    ["register", "d", odd, "--columns", "user=\(Self.evil),item=none"],
                    ["register", "e", odd, "--columns", "user=none,item=c"],
                    ["register", "f", folder + "/missing\(Self.evil)"], ["register", Self.evil, file],
                    ["register", "g", file, "--columns", "user=9,item=8"],
                    ["import", "table", columns], ["import", "table", badTable], ["import", "table", cells],
                    ["import", "g", folder + "/\(Self.evil)"],
                    ["import", "demo", table], ["datasets"], ["entropy", "demo"], ["jobs"], ["status"],
                    ["entropy", "demo", "--m", "65"], ["show", Self.evil], ["show", "demo", "--socket", Self.evil],
                    ["remove", Self.evil], ["calibrate", Self.evil], ["calibrate", "demo", "--backbone", Self.evil],
                    ["recommend", "table"], ["recommend", Self.evil],
                    ["recommend", "table", "--max-params", Self.evil],
                    ["recommend", "table", "--metric", Self.evil],
                    ["predict", "table", "--layers", "1", "--dim", "16"],
                    ["law", "table"], ["law", Self.evil], ["law", "table", "--verbose"], ["pareto", "table"],
                    ["pareto", "table", "--currency", Self.evil], ["potential", "table"], ["fit", Self.evil],
                    ["what-if", "table", "--users-x", "2"], ["watch", Self.evil], ["cancel", Self.evil],
                    ["report", "demo", "-o", folder + "/\(Self.evil)/x"], ["report", Self.evil],
                    ["export", Self.evil], ["export", "table", "-o", folder + "/\(Self.evil).out"],
                    ["backup", "-o", folder + "/\(Self.evil)/y"], ["rpc", "dataset.get", "{\"name\":\"demo\"}"],
                    ["rpc", Self.evil], ["rpc", "dataset.get", "{\"\(Self.evil)\":1}"],
                    ["rpc", "dataset.get", Self.evil],
                    ["rpc", "observation.list", "{\"name\":\"table\"}"],
                    [Self.evil], ["--\(Self.evil)"], ["show", "--\(Self.evil)"], ["show", "demo", Self.evil],
                    ["help", Self.evil],
                ] {
                    _ = try await Self.plaw(daemon, arguments)
                    _ = try await Self.plaw(daemon, arguments + ["--json"])
                }
            }
        }
    }

    @Test("the worker and the daemon show names and contents of files without what a terminal obeys")
    func programs() async throws {
        try await withTemporaryFolder { folder in
            let spec = folder + "/\(Self.evil)"
            try FileManager.default.createDirectory(atPath: spec, withIntermediateDirectories: false)
            try "{\"corpus\":\"\(Self.evil)\"}".write(toFile: spec + "/spec.json", atomically: false, encoding: .utf8)
            let configuration = folder + "/\(Self.evil).json"
            try "{\"\(Self.evil)\": 1}".write(toFile: configuration, atomically: false, encoding: .utf8)
            for (program, arguments) in [
                ("plaw-trial", ["train", "--data", folder + "/missing\(Self.evil)"]),
                ("plaw-trial", ["train", "--corpus", configuration]),
                ("plaw-trial", ["train", "--backbone", Self.evil]),
                ("plaw-trial", ["train", "--data", configuration, "--save-weights", folder + "/\(Self.evil)/x/y"]),
                ("plaw-trial", ["run", spec]), ("plaw-trial", [Self.evil]),
                ("plaw-trial", ["run", folder + "/no\(Self.evil)"]),
                ("plaw-trial", ["latency", "--shape", Self.evil]),
                ("plawd", ["--state-directory", folder + "/s", "--config", configuration]),
                (
                    "plawd",
                    ["--state-directory", folder + "/s", "--config", folder + "/\(Self.evil)", "--check-config"]
                ),
                ("plawd", ["--state-directory", configuration]), ("plawd", ["--\(Self.evil)"]),
            ] {
                let outcome = try await runProgram(program, arguments)
                Self.expectClean(outcome, [program] + arguments)
                #expect(outcome.code != 0 && !outcome.errors.isEmpty)
            }
        }
    }

    @Test("a table goes to a file and a pipe as it is, and to a terminal without what it would obey")
    func terminal() async throws {
        try await withTemporaryFolder { folder in
            let table = folder + "/table"
            try "layers,dim,ndcg@10,tokens,apen,users,source\n1,16,0.05,1000,2,500,\(Self.odd)\n".write(
                toFile: table, atomically: false, encoding: .utf8)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let environment = ["PLAW_SOCKET": daemon.socket]
                let imported = try await runProgram(
                    "plaw", ["import", "t", table, "--create"], environment: environment)
                try #require(imported.code == 0, "\(imported.errors)")
                let piped = try await runProgram("plaw", ["export", "t"], environment: environment)
                #expect(piped.output.contains(Self.odd))
                let drawn = try Self.onTerminal(["export", "t"], environment: environment)
                #expect(drawn.contains(Self.oddShown), "\(drawn.debugDescription)")
                #expect(Self.offender(drawn.replacingOccurrences(of: "\r\n", with: "\n")) == nil)
            }
        }
    }

    /// What `plaw` writes where its output is a terminal.
    private static func onTerminal(_ arguments: [String], environment: [String: String]) throws -> String {
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        try #require(master >= 0)
        defer { close(master) }
        // TIOCSPTLCK and TIOCGPTN, which Swift does not see.
        var (lock, number) = (Int32(0), Int32(0))
        try #require(ioctl(master, 0x4004_5431, &lock) == 0 && ioctl(master, 0x8004_5430, &number) == 0)
        let name = "/dev/pts/\(number)"
        let slave = open(name, O_RDWR | O_NOCTTY)
        try #require(slave >= 0)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Paths.program("plaw"))
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = FileHandle(fileDescriptor: slave, closeOnDealloc: false)
        try process.run()
        process.waitUntilExit()
        close(slave)
        #expect(process.terminationStatus == 0)
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4_096)
        // With nobody at the other end a read fails once all is read.
        while case let count = read(master, &piece, piece.count), count > 0 { text += piece[..<count] }
        return String(decoding: text, as: UTF8.self)
    }
}
