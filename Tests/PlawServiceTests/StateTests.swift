import Foundation
import Glibc
import Wire
import PlawService
import PlawTesting
import Testing

/// What a start does to a directory that is not as the daemon left it.
@Suite struct StateTests {
    /// Every file below a folder with its content.
    private static func content(_ folder: String) throws -> [String: Data] {
        let paths = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        var content: [String: Data] = [:]
        // The lock is rewritten by whoever takes it, and one that is refused had taken it.
        for path in paths where !path.hasSuffix("plawd.lock") {
            let kind =
                try FileManager.default.attributesOfItem(atPath: folder + "/" + path)[.type] as? FileAttributeType
            guard kind == .typeRegular else { continue }
            content[path] = try Data(contentsOf: URL(filePath: folder + "/" + path))
        }
        return content
    }

    private static func write(_ path: String, _ text: String = "precious") throws {
        let folder = URL(filePath: path).deletingLastPathComponent().path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    /// Starts a daemon that is expected to refuse; what it said.
    private static func refusal(_ folder: String, state: String) async throws -> String {
        let outcome = try await runProgram(
            "plawd", ["--state-directory", state, "--socket", folder + "/refused.sock"], in: folder
        ) { pid in
            // One that serves instead would never end.
            _ = await waitUntil(seconds: 20) { access(folder + "/refused.sock", F_OK) == 0 || hasEnded(pid) }
            kill(pid, SIGTERM)
        }
        #expect(outcome.code == 1, "\(outcome)")
        #expect(!outcome.errors.contains("NSCocoaErrorDomain"), "\(outcome.errors)")
        return outcome.errors
    }

    @Test(
        "a database that is missing or empty beside corpora and trials is refused, and nothing is touched",
        arguments: [false, true])
    func lostDatabase(isEmpty: Bool) async throws {
        try await withTemporaryFolder { folder in
            try await CalibratedState.shared.copy(to: folder)
            let state = folder + "/state"
            for suffix in ["", "-wal", "-shm"] { unlink(state + "/plawd.sqlite" + suffix) }
            if isEmpty { try Data().write(to: URL(filePath: state + "/plawd.sqlite")) }
            let before = try Self.content(state)
            #expect(
                before.keys.contains { $0.hasPrefix("corpora/") } && before.keys.contains { $0.hasPrefix("trials/") })
            let said = try await Self.refusal(folder, state: state)
            #expect(said.contains("\(state)/plawd.sqlite: is \(isEmpty ? "empty" : "missing")"), "\(said)")
            #expect(said.contains("Put the database back"), "\(said)")
            #expect(try Self.content(state) == before)
        }
    }

    @Test(
        "a folder of somebody else, and what a lost database left, is refused as it is",
        arguments: [
            "backups/photos.tar", "uploads/a", "corpora/notes.txt", "trials/7/thesis.tex", "plawd.sqlite-wal",
            "plawd.sqlite.6-trials-one-at-a-time",
        ])
    func foreign(path: String) async throws {
        try await withTemporaryFolder { folder in
            let state = folder + "/state"
            try Self.write(state + "/" + path)
            #expect(throws: StateError.self) { try StateLayout(root: state).prepare() }
            #expect(try Self.content(state) == [path: Data("precious".utf8)])
            #expect(try await Self.refusal(folder, state: state).contains("is missing, though"))
            #expect(try Self.content(state) == [path: Data("precious".utf8)])
        }
    }

    @Test("of what lies about in a state, only leftovers of the daemon's own making go; the rest is told once")
    func leftovers() async throws {
        try await withTemporaryFolder { folder in
            try await CalibratedState.shared.copy(to: folder)
            let state = folder + "/state"
            let before = try Self.content(state)
            let id = "0b5e7f0a-1c2d-4e3f-8a9b-001122334455"
            let gone = [
                "uploads/\(id)", "backups/\(id)/plawd.sqlite", "backups/\(id)/corpora/a.00112233.corpus",
                "corpora/my.data.0123abcd.corpus", "corpora/my.data.0123abcd.corpus.partial",
                "trials/4096/spec.json", "trials/4096/checkpoint.partial", "trials/1/checkpoint.partial",
            ]
            let kept = [
                "uploads/photos.tar", "uploads/\(id.uppercased())", "backups/photos.tar", "backups/2024/a.tar",
                "corpora/thesis.corpus", "corpora/a.0123ABCD.corpus", "corpora/-.0123abcd.corpus", "trials/notes.txt",
                "trials/2024/thesis.tex", "trials/007/spec.json", "trials/-4/spec.json",
                "trials/1/thesis.partial", "backups/\(id.replacing("0b5e", with: "0b5f"))",
            ]
            for path in gone + kept { try Self.write(state + "/" + path) }
            // A link is nothing of the daemon's, whatever its name.
            try Self.write(folder + "/elsewhere/precious")
            try FileManager.default.createSymbolicLink(
                atPath: state + "/backups/\(id.replacing("0b5e", with: "0b60"))",
                withDestinationPath: folder + "/elsewhere")
            _ = try await withDaemon(in: folder) { daemon async throws in
                #expect(
                    try await call(daemon.socket, DatasetList.self, DatasetListParams()).datasets.map(\.name) == [
                        "demo"
                    ])
                #expect(daemon.logged.split(separator: "\n").count { $0.contains("left alone") } == 1)
            }
            let after = try Self.content(state)
            for path in gone { #expect(after[path] == nil, "\(path)") }
            for path in kept { #expect(after[path] == Data("precious".utf8), "\(path)") }
            for path in before.keys where !path.hasPrefix("plawd.sqlite") {
                #expect(after[path] == before[path], "\(path)")
            }
            #expect(access(folder + "/elsewhere/precious", F_OK) == 0)
            #expect(access(state + "/backups/" + id, F_OK) != 0 && access(state + "/trials/4096", F_OK) != 0)
            for name in try FileManager.default.contentsOfDirectory(atPath: state + "/backups") {
                #expect(name == "photos.tar" || name == "2024" || name.hasPrefix("0b5f") || name.hasPrefix("0b60"))
            }
        }
    }

    @Test("an empty path, a file in the place of a directory and one that cannot be made are refused in words")
    func paths() async throws {
        try await withTemporaryFolder { folder in
            try Self.write(folder + "/file")
            try FileManager.default.createDirectory(atPath: folder + "/state", withIntermediateDirectories: false)
            try Self.write(folder + "/state/trials")
            for (path, expected) in [
                (folder + "/file", "\(folder)/file: is no directory"),
                (folder + "/file/state", "\(folder)/file: is no directory"),
                (folder + "/state", "\(folder)/state/trials: "), ("/proc/x", "/proc/x: cannot be created"),
            ] {
                let said = try await Self.refusal(folder, state: path)
                #expect(said.contains(expected), "\(said)")
            }
            for option in ["--state-directory", "--socket"] {
                let arguments = ["--state-directory", folder + "/state", "--socket", folder + "/a.sock", option, ""]
                let outcome = try await runProgram("plawd", arguments)
                #expect(outcome.code == 64 && outcome.errors.contains("\(option): found an empty path"), "\(outcome)")
            }
            #expect(try Self.content(folder + "/state") == ["trials": Data("precious".utf8)])
        }
    }

    @Test("a state directory that others own or may write to is refused, with what would mend it")
    func shared() async throws {
        try await withTemporaryFolder { folder in
            let state = folder + "/state"
            for (mode, owner) in [(0o777, nil), (0o770, nil), (0o702, nil), (0o700, 12_345 as UInt32)]
                as [(mode_t, UInt32?)]
            {
                if owner != nil, getuid() != 0 { continue }
                try? FileManager.default.removeItem(atPath: state)
                try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
                #expect(chmod(state, mode) == 0)
                if let owner { #expect(chown(state, owner, owner) == 0) }
                let outcome = try await runProgram(
                    "plawd", ["--state-directory", state, "--socket", folder + "/s"])
                #expect(outcome.code == 1)
                #expect(outcome.errors.contains(state))
                #expect(outcome.errors.contains(owner == nil ? "chmod go-w" : "chown"), "\(outcome.errors)")
                #expect(try FileManager.default.contentsOfDirectory(atPath: state).isEmpty)
            }
        }
    }

    @Test("a configuration that is a pipe, a device or without an end is refused at once")
    func strangeConfiguration() async throws {
        try await withTemporaryFolder { folder in
            #expect(mkfifo(folder + "/pipe", 0o600) == 0)
            for path in [folder + "/pipe", "/dev/zero", "/dev/null", folder] {
                let outcome = try await runProgram(
                    "plawd", ["--state-directory", folder + "/state", "--config", path, "--check-config"])
                #expect(outcome.code == 1)
                #expect(outcome.errors.contains(path), "\(outcome.errors)")
            }
        }
    }

    @Test("a first start that is killed at any moment is no obstacle to the next")
    func firstStart() async throws {
        for delay in stride(from: 0, to: 240, by: 20) {
            try await withTemporaryFolder { folder in
                let arguments = ["--state-directory", folder + "/state", "--socket", folder + "/plawd.sock"]
                _ = try await runProgram("plawd", arguments, in: folder) { pid in
                    try await Task.sleep(for: .milliseconds(delay))
                    kill(pid, SIGKILL)
                }
                _ = try await withDaemon(in: folder) { daemon async throws in
                    #expect(try await call(daemon.socket, ServerInfo.self, NoParams()).datasets == 0)
                }
            }
        }
    }
}
