import Domain
import Foundation
import Client
import PlawTesting
import Testing
import Trials

@testable import Wire

@Suite struct LifecycleTests {
    @Test("a second daemon on a state directory is refused with the first one's pid")
    func lock() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let second = try await runProgram(
                    "plawd", ["--state-directory", daemon.state, "--socket", folder + "/other.sock"])
                #expect(second.code == 1)
                #expect(second.errors.contains("another plawd (pid \(daemon.pid))"), "\(second.errors)")
                #expect(!FileManager.default.fileExists(atPath: folder + "/other.sock"))
                #expect(try await call(daemon.socket, ServerInfo.self, NoParams()).pid == Int(daemon.pid))
            }
        }
    }

    /// Processes whose command line names a folder.
    private static func workers(of folder: String) -> [Int32] {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.compactMap { Int32($0) }.filter { pid in
            guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return false }
            let words = data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return words.first?.hasSuffix("/plaw-trial") == true && words.contains { $0.hasPrefix(folder) }
        }
    }

    @Test(
        "SIGTERM in the middle of a calibration ends everything within 10 s, answers who waits, and the job goes on later"
    )
    func termination() async throws {
        let file = try await syntheticFile(users: 1_000, items: 800)
        try await withTemporaryFolder { folder in
            let (stopped, status) = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let params = CalibrationParams(
                    name: "demo", budgetSeconds: 600, layers: [2], dims: [64], patience: 200, maxEpochs: 200)
                let job = try await call(daemon.socket, CalibrationStart.self, params).job.id
                let trains = try await waitUntil(seconds: 30) {
                    let state = try await call(daemon.socket, JobGet.self, JobID(id: job))
                    return (state.trials?.first?.progress?.tokens ?? 0) > 0
                }
                #expect(trains)
                #expect(!Self.workers(of: folder).isEmpty)
                async let waiting = call(daemon.socket, JobWait.self, JobWaitParams(id: job, timeoutSeconds: 600))
                #expect(
                    try await waitUntil {
                        let counters = try await call(daemon.socket, MetricsGet.self, NoParams()).counters
                        return counters["requests_total{method=\"job.wait\"}", default: 0] > 0
                    })
                // One that never says anything holds nothing up.
                let silent = try RawConnection(path: daemon.socket)
                defer { silent.close() }
                let start = ContinuousClock.now
                daemon.signal(SIGTERM)
                let answer = try await waiting
                #expect(answer.state == .running)
                #expect(await waitUntil(seconds: 10) { hasEnded(daemon.pid) })
                return (job, start.duration(to: .now))
            }
            #expect(status == .exited(0))
            #expect(stopped.1 < .seconds(10 * patience))
            #expect(Self.workers(of: folder).isEmpty)
            #expect(!FileManager.default.fileExists(atPath: folder + "/plawd.sock"))
            let trial = try #require(
                try FileManager.default.contentsOfDirectory(atPath: folder + "/state/trials").first)
            #expect(FileManager.default.fileExists(atPath: "\(folder)/state/trials/\(trial)/checkpoint"))
            _ = try await withDaemon(in: folder) { daemon async throws in
                let goesOn = try await waitUntil(seconds: 30) {
                    let state = try await call(daemon.socket, JobGet.self, JobID(id: stopped.0))
                    return (state.trials?.first?.progress?.tokens ?? 0) > 0
                }
                #expect(goesOn)
                _ = try await call(daemon.socket, JobCancel.self, JobID(id: stopped.0))
                #expect(try await end(of: stopped.0, daemon.socket).state == .cancelled)
            }
        }
    }

    @Test("workers do not outlive a daemon that is killed")
    func orphans() async throws {
        let file = try await syntheticFile(users: 1_000, items: 800)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let params = CalibrationParams(
                    name: "demo", budgetSeconds: 600, layers: [2], dims: [64], patience: 200, maxEpochs: 200)
                _ = try await call(daemon.socket, CalibrationStart.self, params)
                #expect(await waitUntil { !Self.workers(of: folder).isEmpty })
                daemon.signal(SIGKILL)
            }
            #expect(await waitUntil { Self.workers(of: folder).isEmpty })
        }
    }

    static let configurations: [(text: String, words: String)] = [
        ("nonsense", "plawd.json:1:2: found 'o', expected null"),
        ("{\n  \"workers\": 2,\n}\n", "plawd.json:3:1: found '}', expected a name in quotation marks"),
        (
            "{\"workers\": 1,\n \"workers\": 999}",
            "plawd.json:2:2: found the member \"workers\" twice in one object, expected it once"
        ),
        ("[1]", "plawd.json: found [1], expected an object"),
        (#"{"worker": 2}"#, "found the member \"worker\""),
        (#"{"workers": 0}"#, "workers: found 0, expected a whole number from 1 to 256"),
        (#"{"workers": 1.5}"#, "workers: found 1.5"),
        (#"{"logLevel": "loud"}"#, "logLevel: found \"loud\", expected one of trace"),
        (#"{"writeGroup": "no-such-group"}"#, "writeGroup: found \"no-such-group\""),
        (#"{"maxUploadBytes": "1"}"#, "maxUploadBytes: found \"1\""),
        (#"{"trialProgram": "/nowhere/plaw-trial"}"#, "trialProgram"),
        (#"{"executors": {"gpu": {}}}"#, "executors.gpu.command: found null, expected a list of words"),
        (
            #"{"executors": {"GPU": {"command": ["x"]}}}"#,
            "executors: found \"GPU\", expected a name of lower-case letters"
        ),
        (
            #"{"executors": {"gpu": {"command": ["x"], "gpus": 2}}}"#,
            "executors.gpu.gpus: found 2, expected some of command"
        ),
        (#"{"executors": {"gpu": {"command": "x"}}}"#, "executors.gpu.command: found \"x\", expected a list of words"),
        (#"{"executors": {"gpu": {"command": ["x"], "parallel": 0}}}"#, "executors.gpu.parallel: found 0"),
        (#"{"executors": {"gpu": {"command": ["x"], "slurm": [1]}}}"#, "executors.gpu.slurm: found [1]"),
        (#"{"executors": {"gpu": {"command": ["x"], "pollSeconds": 0.5}}}"#, "executors.gpu.pollSeconds: found 0.5"),
        (#"{"trialProgram": "/tmp"}"#, "trialProgram: found \"/tmp\", expected the path of a program that may be run"),
    ]

    @Test("a bad configuration names the file, the member and what was expected", arguments: configurations.indices)
    func configuration(index: Int) async throws {
        let (text, words) = Self.configurations[index]
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.json"
            try Data(text.utf8).write(to: URL(filePath: path))
            let outcome = try await runProgram(
                "plawd", ["--state-directory", folder + "/state", "--socket", folder + "/s", "--config", path])
            #expect(outcome.code == 1)
            #expect(outcome.errors.contains(path) && outcome.errors.contains(words), "\(outcome.errors)")
        }
    }

    @Test("a good configuration is followed")
    func goodConfiguration() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.json"
            try Data(#"{"workers": 1, "logLevel": "debug", "maxUploadBytes": 100}"#.utf8).write(to: URL(filePath: path))
            _ = try await withDaemon(in: folder, arguments: ["--config", path]) { daemon async throws in
                #expect(try await call(daemon.socket, ServerInfo.self, NoParams()).workers == 1)
                #expect(daemon.logged.contains(" debug plawd: peer connected"))
                let refused = await #expect(throws: RPCError.self) {
                    _ = try await register(daemon.socket, "demo", bytes: Data(repeating: 65, count: 101))
                }
                #expect(refused?.reason == "too-large")
            }
        }
    }

    @Test("files of the state belong to the daemon's user alone")
    func modes() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                for path in [daemon.state, daemon.state + "/plawd.sqlite", daemon.socket] {
                    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                    #expect((mode ?? 0o777) & 0o077 == 0, "\(path)")
                }
            }
        }
    }
}
