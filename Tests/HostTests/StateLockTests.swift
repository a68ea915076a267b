import Foundation
import Glibc
import PlawTesting
import Host
import Testing

@Suite struct StateLockTests {
    private func refusal(_ folder: String) -> StateLockError? {
        #expect(throws: StateLockError.self) { _ = try StateLock(directory: folder) }
    }

    @Test("a second lock of a folder is refused with the first's pid, until the first is gone")
    func exclusion() async throws {
        try await withTemporaryFolder { folder in
            do {
                let lock = try StateLock(directory: folder)
                for _ in 0..<3 {
                    let error = refusal(folder)
                    #expect(error?.pid == getpid())
                    #expect(error?.path == folder + "/plawd.lock")
                    #expect(error?.description.contains(folder) == true)
                    #expect(error?.description.contains("pid \(getpid())") == true)
                }
                _ = consume lock
            }
            // A program that another test starts in this moment holds it too, until it runs.
            let free = await waitUntil {
                do {
                    _ = try StateLock(directory: folder)
                    return true
                } catch {
                    return false
                }
            }
            #expect(free)
        }
    }

    @Test("a lock that is a link, a folder or a pipe is refused, and what a link leads to stays as it is")
    func strange() async throws {
        try await withTemporaryFolder { folder in
            let target = folder + "/precious"
            try Data("precious\n".utf8).write(to: URL(fileURLWithPath: target))
            let make: [(String) -> Int32] = [
                { symlink(target, $0) }, { symlink(folder + "/nowhere", $0) }, { mkdir($0, 0o700) },
                { mkfifo($0, 0o600) },
            ]
            for (number, make) in make.enumerated() {
                let folder = "\(folder)/\(number)"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                #expect(make(folder + "/plawd.lock") == 0)
                let before = openDescriptors()
                #expect(refusal(folder)?.description.contains("plawd.lock") == true)
                #expect(openDescriptors() <= before)
            }
            #expect(try String(contentsOfFile: target, encoding: .utf8) == "precious\n")
            #expect(!FileManager.default.fileExists(atPath: folder + "/nowhere"))
        }
    }

    private func openDescriptors() -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
    }

    @Test("locks of two folders do not know each other")
    func twoFolders() async throws {
        try await withTemporaryFolder { one in
            try await withTemporaryFolder { two in
                let first = try StateLock(directory: one)
                let second = try StateLock(directory: two)
                _ = consume first
                _ = consume second
            }
        }
    }

    @Test("a lock file that a crash left is taken over, and names its new holder alone")
    func leftOver() async throws {
        try await withTemporaryFolder { folder in
            for (number, text) in ["4194304\nand more", "", "no number at all"].enumerated() {
                let folder = "\(folder)/\(number)"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/plawd.lock"))
                let lock = try StateLock(directory: folder)
                let content = try Data(contentsOf: URL(fileURLWithPath: folder + "/plawd.lock"))
                #expect(String(decoding: content, as: UTF8.self) == "\(getpid())\n")
                #expect(refusal(folder)?.pid == getpid())
                _ = consume lock
            }
        }
    }

    @Test("a folder that is absent is an error that names it")
    func absent() async throws {
        try await withTemporaryFolder { folder in
            let error = refusal(folder + "/absent")
            #expect(error?.pid == 0)
            #expect(error?.description.hasPrefix(folder + "/absent/plawd.lock: ") == true)
        }
    }

    @Test("a second plawd on a state directory is refused with the first's pid; a killed one leaves nothing locked")
    func daemons() async throws {
        try await withTemporaryFolder { folder in
            let first = try await withDaemon(in: folder) { daemon in
                let second = try await runProgram(
                    "plawd", ["--state-directory", daemon.state, "--socket", folder + "/second.sock"])
                #expect(second.code == 1)
                #expect(second.errors.contains("pid \(daemon.pid)"))
                #expect(access(folder + "/second.sock", F_OK) != 0)
                let peer = try RawConnection(path: daemon.socket)
                defer { peer.close() }
                let info = try await Info(from: peer)
                #expect(info.pid == daemon.pid)
                daemon.signal(SIGKILL)
                return daemon.pid
            }
            _ = try await withDaemon(in: folder) { daemon in #expect(daemon.pid != first.value) }
        }
    }
}
