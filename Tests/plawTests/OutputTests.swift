import Foundation
import Glibc
import Wire
import PlawTesting
import Testing

@testable import plaw

/// Where commands write, and what becomes of what was there.
@Suite(.serialized) struct OutputTests {
    private static func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private static func kind(_ path: String) throws -> FileAttributeType? {
        try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
    }

    private static func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    @Test("a link is followed, also one that leads nowhere yet, and nothing but the target changes")
    func links() throws {
        try withFolder { folder in
            let files = FileManager.default
            try files.createDirectory(atPath: folder + "/deep", withIntermediateDirectories: false)
            try "old".write(toFile: folder + "/deep/target", atomically: false, encoding: .utf8)
            chmod(folder + "/deep/target", 0o640)
            try files.createSymbolicLink(atPath: folder + "/deep/second", withDestinationPath: "target")
            try files.createSymbolicLink(atPath: folder + "/first", withDestinationPath: "deep/second")
            try OutputFile.write("new", to: folder + "/first")
            #expect(try Self.text(folder + "/deep/target") == "new")
            #expect(try Self.mode(folder + "/deep/target") == 0o640)
            try files.createSymbolicLink(atPath: folder + "/loose", withDestinationPath: folder + "/deep/later")
            try OutputFile.write("later", to: folder + "/loose")
            #expect(try Self.text(folder + "/deep/later") == "later")
            for link in ["/first", "/deep/second", "/loose"] {
                #expect(try Self.kind(folder + link) == .typeSymbolicLink)
            }
            #expect(try files.contentsOfDirectory(atPath: folder).sorted() == ["deep", "first", "loose"])
            #expect(try files.contentsOfDirectory(atPath: folder + "/deep").sorted() == ["later", "second", "target"])
        }
    }

    @Test("a new file has the mode of the umask, one that is replaced keeps its own; a backup is its owner's alone")
    func modes() throws {
        try withFolder { folder in
            let mask = umask(0)
            umask(mask)
            try OutputFile.write("a", to: folder + "/new")
            #expect(try Self.mode(folder + "/new") == Int(0o666 & ~mask))
            chmod(folder + "/new", 0o604)
            try OutputFile.write("b", to: folder + "/new")
            #expect(try Self.mode(folder + "/new") == 0o604)
            let backup = try OutputFile(folder + "/new", .ownerAlone)
            // Until it is whole, what was there stays.
            try backup.write(Array("c".utf8))
            #expect(try Self.text(folder + "/new") == "b")
            let part = try #require(
                try FileManager.default.contentsOfDirectory(atPath: folder).first { $0.hasSuffix(".part") })
            #expect(try Self.mode(folder + "/" + part) == 0o600)
            try backup.finish()
            #expect(try Self.text(folder + "/new") == "c" && Self.mode(folder + "/new") == 0o600)
            let given = try OutputFile(folder + "/new")
            given.discard()
            #expect(try Self.text(folder + "/new") == "c")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["new"])
        }
    }

    @Test("files that were laid where an unfinished one used to be are neither written to nor followed")
    func planted() throws {
        try withFolder { folder in
            let files = FileManager.default
            try "theirs".write(toFile: folder + "/victim", atomically: false, encoding: .utf8)
            try files.createSymbolicLink(atPath: folder + "/x.tar.part", withDestinationPath: folder + "/victim")
            try "theirs".write(toFile: folder + "/y.tar.part", atomically: false, encoding: .utf8)
            for name in ["x.tar", "y.tar"] {
                let file = try OutputFile(folder + "/" + name, .ownerAlone)
                try file.write(Array("secret".utf8))
                try file.finish()
                #expect(try Self.text(folder + "/" + name) == "secret")
                #expect(try Self.kind(folder + "/" + name) == .typeRegular)
            }
            #expect(try Self.text(folder + "/victim") == "theirs" && Self.text(folder + "/y.tar.part") == "theirs")
        }
    }

    @Test("what cannot be written to is refused with its name and stays as it is")
    func refused() throws {
        try withFolder { folder in
            try FileManager.default.createSymbolicLink(atPath: folder + "/loop", withDestinationPath: "loop")
            for (path, reason) in [
                (folder, "Is a directory"), (folder + "/absent/file", "No such file"), ("", "No such file"),
                (folder + "/loop", "Too many levels"),
            ] {
                let error = #expect(throws: CommandFailure.self) { try OutputFile.write("a", to: path) }
                #expect(error?.description.hasPrefix("\(path): cannot be written: \(reason)") == true, "\(path)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["loop"])
        }
    }

    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = "/tmp/plaw-output-\(getpid())-\(UInt32.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private static let table = "layers,dim,users,ndcg@10\n1,16,900,0.1\n2,16,900,0.2\n"

    @Test("a pipe is written through and stays a pipe; - is standard output")
    func pipes() async throws {
        try await withTemporaryFolder { folder in
            try Self.table.write(toFile: folder + "/a.csv", atomically: true, encoding: .utf8)
            _ = try await withDaemon(in: folder) { daemon async throws in
                func plaw(_ arguments: String...) async throws -> Outcome {
                    try await runProgram("plaw", arguments, environment: ["PLAW_SOCKET": daemon.socket])
                }
                #expect(try await plaw("import", "grid", folder + "/a.csv", "--create").code == 0)
                let whole = try await plaw("export", "grid").output
                #expect(whole.split(separator: "\n").count == 3)
                #expect(try await plaw("export", "grid", "-o", "-").output == whole)
                let pipe = folder + "/pipe"
                #expect(mkfifo(pipe, 0o600) == 0)
                for (command, expected) in [
                    (["export", "grid", "-o", pipe], whole), (["report", "grid", "-o", pipe], "</html>"),
                    (["backup", pipe], "plawd.sqlite"),
                ] {
                    async let reading = runProgram(
                        path: "/bin/sh", ["-c", "tr -d '\\0' < \"$0\" | iconv -c -t UTF-8", pipe])
                    let outcome = try await runProgram("plaw", command + ["--socket", daemon.socket])
                    #expect(outcome.code == 0, "\(outcome.errors)")
                    #expect(try await reading.output.contains(expected), "\(command)")
                    var status = stat()
                    #expect(lstat(pipe, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
                }
                let script = "\"$0\" backup - --socket \"$1\" > \"$2\"/out.tar && tar -tf \"$2\"/out.tar"
                let listed = try await runProgram(
                    path: "/bin/sh", ["-c", script, Paths.program("plaw"), daemon.socket, folder])
                #expect(listed.code == 0 && listed.output.contains("plawd.sqlite"), "\(listed)")
                #expect(try await plaw("backup", "-", "--json").code == 2)
                #expect(access("./-", F_OK) != 0)
            }
        }
    }

    @Test("a backup that is interrupted leaves no piece of itself")
    func interrupted() async throws {
        try await withTemporaryFolder { folder in
            // A daemon that never answers.
            let listener = try SilentListener(folder + "/silent.sock")
            defer { listener.close() }
            let target = folder + "/new"
            try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: false)
            let outcome = try await runProgram(
                "plaw", ["backup", target + "/x.tar", "--socket", folder + "/silent.sock"], in: folder
            ) { pid in
                let begun = await waitUntil(seconds: 20) {
                    (try? FileManager.default.contentsOfDirectory(atPath: target).count) == 1
                }
                #expect(begun)
                kill(pid, SIGTERM)
            }
            #expect(outcome.ending == .killed(SIGTERM))
            #expect(try FileManager.default.contentsOfDirectory(atPath: target).isEmpty)
        }
    }

    @Test("a pipe is read when something comes out of it, and waited for with a word")
    func registeredPipe() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let pipe = folder + "/pipe"
                #expect(mkfifo(pipe, 0o600) == 0)
                let rows = (0..<200).map { "\($0 % 20) \($0 % 7 + $0 / 20)" }.joined(separator: "\n") + "\n"
                let outcome = try await runProgram(
                    "plaw", ["register", "piped", pipe, "--socket", daemon.socket], in: folder
                ) { _ in
                    let errors = folder + "/program.err"
                    let told = await waitUntil(seconds: 20) {
                        (try? String(contentsOfFile: errors, encoding: .utf8))?.contains("is a pipe") == true
                    }
                    #expect(told)
                    try rows.write(toFile: pipe, atomically: false, encoding: .utf8)
                }
                #expect(outcome.code == 0, "\(outcome.errors)")
                #expect(outcome.output.contains("interactions"))
            }
        }
    }

    @Test("options of every command may stand before it, and negative values are refused as values")
    func arguments() async throws {
        #expect(Arguments.normalized(["--socket", "S", "--json", "status"]) == ["status", "--socket", "S", "--json"])
        #expect(Arguments.normalized(["--socket=S", "show", "x"]) == ["show", "--socket=S", "x"])
        #expect(
            Arguments.normalized(["--help"]) == ["--help"]
                && Arguments.normalized(["--json", "--version"]) == ["--json", "--version"])
        #expect(Arguments.normalized([]) == [] && Arguments.normalized(["--socket"]) == ["--socket"])
        #expect(
            Arguments.normalized(["calibrate", "x", "--budget", "-5m", "--json"]) == [
                "calibrate", "x", "--budget=-5m", "--json",
            ])
        #expect(Arguments.normalized(["export", "x", "-o", "-"]) == ["export", "x", "-o", "-"])
        let commands = ["status", "show", "datasets", "law"]
        #expect(Arguments.unknownCommand(["status", "x"], among: commands) == nil)
        #expect(Arguments.unknownCommand(["--help"], among: commands) == nil)
        #expect(Arguments.unknownCommand(["help", "law"], among: commands) == nil)
        #expect(
            Arguments.unknownCommand(["statu"], among: commands)?.contains("\"statu\"; did you mean status?") == true)
        #expect(Arguments.unknownCommand(["laws"], among: commands)?.contains("did you mean law?") == true)
        #expect(Arguments.unknownCommand(["frobnicate"], among: commands)?.contains("did you mean") == false)
        #expect(Arguments.normalized(["show", "--", "--a", "-5"]) == ["show", "--", "--a", "-5"])
        let refused = try await runProgram("plaw", ["calibrate", "x", "--budget", "-5m"])
        #expect(
            refused.code == 2
                && refused.errors.contains("'-5m' is invalid for '--budget <budget>': expected a duration"),
            "\(refused.errors)")
        let absent = try await runProgram("plaw", ["--socket", "/tmp/absent.sock", "status"])
        #expect(absent.code == 1)
        #expect(absent.errors.contains("no daemon answers at /tmp/absent.sock (No such file or directory); start it"))
        let long = "/tmp/" + String(repeating: "a", count: 200)
        let tooLong = try await runProgram("plaw", ["--socket", long, "status"])
        #expect(tooLong.errors.contains("(longer than 107 bytes)"), "\(tooLong.errors)")
    }
}

/// A socket that takes connections and says nothing.
private struct SilentListener {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && listen(descriptor, 4) == 0)
    }

    func close() { Glibc.close(descriptor) }
}
