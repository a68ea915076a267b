import Foundation
import PlawTesting
import Testing

/// Every `plaw` command that the README and the users' pages show is run against a real daemon, page by page.
///
/// A fence `sh` holds such commands alone. `sh refused` holds commands that the daemon or the program refuses. `sh not-run` holds what
/// needs root, systemd, a network or hours, and `console` a recorded session, of which the commands are run as well.
@Suite struct DocumentCommandTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private struct Command: CustomStringConvertible {
        var page: String
        var line: Int
        var text: String
        var isRefused: Bool

        var description: String { "\(page), line \(line): \(text)" }
    }

    /// A fence: the words behind its backquotes, the number of its first line, and its lines.
    private struct Fence {
        var words: String
        var first: Int
        var lines: [String] = []
    }

    private static func fences(_ text: String) -> [Fence] {
        var fences: [Fence] = []
        var open: Fence?
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("```") {
                if let fence = open {
                    fences.append(fence)
                    open = nil
                } else {
                    open = Fence(words: String(line.dropFirst(3)), first: number + 2)
                }
            } else {
                open?.lines.append(String(line))
            }
        }
        return fences
    }

    /// The lines of a shell, those that end with a backslash joined with the next; without comments and blank lines.
    private static func lines(_ fence: Fence) -> [(number: Int, text: String)] {
        var lines: [(number: Int, text: String)] = []
        var isJoined = false
        for (offset, line) in fence.lines.enumerated() {
            let isContinued = line.hasSuffix("\\")
            let text = (isContinued ? String(line.dropLast()) : line).trimmingCharacters(in: .whitespaces)
            if isJoined, let last = lines.indices.last {
                lines[last].text += " " + text
            } else if !text.isEmpty, !text.hasPrefix("#") {
                lines.append((fence.first + offset, text))
            }
            isJoined = isContinued
        }
        return lines
    }

    private static func pages() throws -> [(name: String, text: String)] {
        let folder = root.appending(path: "docs/users")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".md") }
        return try (["README.md"] + names.sorted().map { "docs/users/" + $0 }).map {
            ($0, try String(contentsOf: root.appending(path: $0), encoding: .utf8))
        }
    }

    private static func commands(_ page: (name: String, text: String)) -> [Command] {
        var commands: [Command] = []
        for fence in fences(page.text) {
            switch fence.words {
            case "sh", "sh refused":
                commands += lines(fence).map {
                    Command(
                        page: page.name, line: $0.number, text: $0.text, isRefused: fence.words.hasSuffix("refused"))
                }
            case "console":
                for (offset, line) in fence.lines.enumerated() where line.hasPrefix("$ plaw ") {
                    commands.append(
                        Command(
                            page: page.name, line: fence.first + offset, text: String(line.dropFirst(2)),
                            isRefused: false))
                }
            default: break
            }
        }
        // A session repeats what the fence before it says.
        return commands.reduce(into: []) { kept, command in
            if kept.contains(where: { $0.text == command.text && command.text.contains("register ") }) { return }
            kept.append(command)
        }
    }

    @Test("fences of a shell hold plaw commands that are run, or say that they are not run or refused")
    func marked() throws {
        var (run, marked) = (0, 0)
        for page in try Self.pages() {
            for fence in Self.fences(page.text) {
                let place = "\(page.name), line \(fence.first)"
                switch fence.words {
                case "sh", "sh refused":
                    for line in Self.lines(fence) {
                        #expect(
                            line.text.hasPrefix("plaw ") || line.text.hasPrefix("cat "),
                            "\(place): \(line.text): mark the fence `sh not-run`")
                        run += 1
                    }
                case "sh not-run": marked += 1
                // Those of Python are run by the tests of clients/python.
                case "", "console", "ini", "json", "python": break
                default:
                    Issue.record(
                        "\(place): found a fence \(fence.words), expected sh, console, ini, json or python")
                }
            }
        }
        #expect(run >= 60 && marked >= 20, "\(run) commands, \(marked) marked fences")
    }

    @Test("the reference of commands and the table of the configuration are what the programs say of themselves")
    func manual() async throws {
        let outcome = try await runProgram(
            path: "/usr/bin/env", ["python3", Self.root.appending(path: "scripts/make-manual.py").path, "--check"],
            environment: ["PLAW": Paths.program("plaw")])
        #expect(outcome.code == 0, "\(outcome.errors)")
    }

    // MARK: - Running them

    /// Budgets of seconds and trainings of two epochs: a grid ends by itself, other calibrations with their budget.
    private static func shortened(_ text: String, seconds: Int = 2) -> String {
        guard text.hasPrefix("plaw calibrate ") else { return text }
        let isGrid = text.contains("--layers ") && text.contains("--dims ")
        var text = text.replacing(/--budget \S+/, with: "--budget \(isGrid ? 60 : seconds)s")
        for (option, value) in [("--max-epochs", "2"), ("--patience", "1")] where !text.contains(option) {
            text += " \(option) \(value)"
        }
        return text
    }

    /// Small files under the names that the pages use.
    private static func makeFiles(in folder: String) async throws {
        func write(_ name: String, _ lines: [String]) throws {
            try (lines.joined(separator: "\n") + "\n").write(
                toFile: folder + "/" + name, atomically: true, encoding: .utf8)
        }
        // Users who go on to the next of 40 items, each with its own beginning; some skip some.
        let rows = (0..<120).flatMap { user in
            (0..<8).map { (user: user, item: (user * 7 + $0 * (1 + user % 3)) % 40, place: $0) }
        }
        func log(_ users: Range<Int>) -> [String] {
            ["user_id,item_id,timestamp,behavior,rating"]
                + rows.filter { users.contains($0.user) }.map { row in
                    "u\(row.user),i\(row.item),\(1_600_000_000 + row.place * 3_600 + row.user),"
                        + "\(row.place % 4 == 3 ? "view" : "buy"),\(1 + (row.item + row.user) % 5)"
                }
        }
        try write("shop.csv", log(0..<120))
        try write("log.csv", log(0..<120))
        try write("part1.csv", log(0..<60))
        try write("part2.csv", log(60..<120))
        try write("triples.txt", rows.map { "\($0.user) \($0.item + 1000) \(1 + $0.item % 5)" })
        try write(
            "ml-100k.inter",
            ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
                + rows.map { "\($0.user)\t\($0.item)\t3\t\(880_000_000 + $0.place * 3_600 + $0.user)" })
        var grid = ["layers,dim,heads,backbone,loss,max_length,users,hr@10,ndcg@10,seed"]
        var study = ["number,value,params_lr,params_num_layers,params_hidden_size,state"]
        var runs = ["status,params.num_layers,params.hidden_size,metrics.ndcg_10,params.comment"]
        for (place, layers) in [1, 2, 4].enumerated() {
            for (column, dim) in [16, 32, 64].enumerated() {
                let quality = Double(400 + 12 * place + 9 * column) / 10_000
                grid.append("\(layers),\(dim),2,sasrec,cce,50,22363,\(quality * 2),\(quality),1")
                study.append("\(place * 3 + column),\(quality),0.001,\(layers),\(dim),COMPLETE")
                runs.append("\(column == 0 ? "best" : "kept"),\(layers),\(dim),\(quality),none")
            }
        }
        try write("grid.csv", grid)
        try write("optuna.csv", study)
        try write("mlflow.csv", runs)
        let kept = "Benchmarks/grid-results/amazon-beauty.csv"
        try FileManager.default.createDirectory(
            atPath: folder + "/Benchmarks/grid-results", withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: root.appending(path: kept).path, toPath: folder + "/" + kept)
    }

    /// Runs a line as a shell does, in the folder of a page.
    private static func run(_ text: String, _ daemon: DaemonProcess, in folder: String) async throws -> Outcome {
        let programs = URL(filePath: Paths.program("plaw")).deletingLastPathComponent().path
        let path = programs + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
        return try await runProgram(
            path: "/bin/sh", ["-c", "cd '\(folder)' && \(text)"],
            environment: ["PLAW_SOCKET": daemon.socket, "PATH": path])
    }

    @Test("every command of the README and of the users' pages does what the page says, in the order of the page")
    func pages() async throws {
        try await withTemporaryFolder { folder in
            let first = folder + "/first"
            try FileManager.default.createDirectory(atPath: first, withIntermediateDirectories: true)
            try await Self.makeFiles(in: first)
            // `shop` is calibrated once; each page begins with a copy of that state, less what it registers itself.
            _ = try await withDaemon(in: first) { daemon async throws in
                for line in [
                    "plaw register shop shop.csv",
                    Self.shortened("plaw calibrate shop --budget 10m --layers 1,2,4 --dims 8,16,32"),
                    "plaw register ml-100k ml-100k.inter",
                ] {
                    let outcome = try await Self.run(line, daemon, in: first)
                    try #require(outcome.code == 0, "\(line): \(outcome.errors)")
                }
            }
            var ran = 0
            for (number, page) in try Self.pages().enumerated() {
                let commands = Self.commands(page)
                if commands.isEmpty { continue }
                let place = folder + "/\(number)"
                try FileManager.default.copyItem(atPath: first, toPath: place)
                try? FileManager.default.removeItem(atPath: place + "/plawd.sock")
                let own = ["shop", "ml-100k"].filter { name in
                    commands.contains { $0.text.hasPrefix("plaw register \(name) ") }
                }
                _ = try await withDaemon(in: place) { daemon async throws in
                    for name in own { _ = try await Self.run("plaw remove \(name)", daemon, in: place) }
                    for command in commands {
                        var outcome = try await Self.run(Self.shortened(command.text), daemon, in: place)
                        if outcome.code != 0, !command.isRefused, command.text.hasPrefix("plaw calibrate ") {
                            // On a busy machine two seconds may pay for no training that tells anything.
                            outcome = try await Self.run(
                                Self.shortened(command.text, seconds: 20), daemon, in: place)
                        }
                        if command.isRefused {
                            #expect(outcome.code == 1 && !outcome.errors.isEmpty, "\(command): is not refused")
                        } else {
                            #expect(
                                outcome.code == 0,
                                "\(command): \(outcome.output.suffix(300)) \(outcome.errors.suffix(600))")
                        }
                    }
                }
                ran += commands.count
                try FileManager.default.removeItem(atPath: place)
            }
            #expect(ran >= 60)
        }
    }
}
