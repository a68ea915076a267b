import Domain
import Foundation
import Glibc
import Client
import PlawTesting
import Store
import StrictJSON
import Synchronization
import Testing
import Trials

@testable import Wire

/// Disks that are full or refuse, quotas, and files that something damaged.
@Suite(.serialized) struct DiskTests {
    /// A file system of its own may be mounted; else nothing is shown here, and the run says so.
    private static let mayMount: Bool = {
        let folder = "/tmp/plaw-test-\(getpid())-mount"
        guard mkdir(folder, 0o700) == 0 else { return false }
        defer { rmdir(folder) }
        guard mount("tmpfs", folder, "tmpfs", 0, "size=1m") == 0 else { return false }
        return umount(folder) == 0
    }()

    private static let mountless: Comment = "NOT SHOWN: a full disk needs the right to mount a tmpfs (root)"

    /// Runs `body` in a folder whose `state` is a small disk.
    private static func withDisk(_ size: String, _ body: (String) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let state = folder + "/state"
            try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
            try #require(mount("tmpfs", state, "tmpfs", 0, "mode=0700,size=" + size) == 0)
            // MNT_DETACH: a program that is just ending may hold it.
            defer { umount2(state, 2) }
            try await body(folder)
        }
    }

    /// Takes all room but some bytes.
    private static func fill(_ state: String, leaving bytes: Int) {
        let descriptor = open(state + "/filler", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        defer { close(descriptor) }
        let block = [UInt8](repeating: 7, count: 4_096)
        var status = statvfs()
        while statvfs(state, &status) == 0, Int(status.f_bavail) * Int(status.f_frsize) > bytes,
            write(descriptor, block, block.count) > 0
        {}
    }

    private static func free(_ state: String) { unlink(state + "/filler") }

    private static func refusal(_ body: () async throws -> Void) async -> RPCError? {
        await #expect(throws: RPCError.self) { try await body() }
    }

    @Test(
        "a full disk refuses what does not fit, in words, and all goes on when there is room",
        .enabled(if: mayMount, mountless))
    func full() async throws {
        let file = try await syntheticFile(users: 300, items: 120)
        try await Self.withDisk("6m") { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                let params = CalibrationParams(
                    name: "books", budgetSeconds: 60, layers: [1, 2], dims: [8, 16], patience: 2, maxEpochs: 3)
                _ = try await call(daemon.socket, CalibrationPlan.self, params)
                for leaving in [0, 4_096, 20_000, 60_000] {
                    Self.fill(daemon.state, leaving: leaving)
                    let registration = await Self.refusal {
                        for number in 0..<20 { _ = try await register(daemon.socket, "more\(number)", bytes: file) }
                    }
                    #expect(registration?.reason == "no-space", "\(leaving): \(String(describing: registration))")
                    let calibration = await Self.refusal {
                        _ = try await call(daemon.socket, CalibrationStart.self, params)
                    }
                    #expect(calibration?.reason == "no-space", "\(leaving): \(String(describing: calibration))")
                    let snapshot = await Self.refusal {
                        _ = try await call(daemon.socket, StoreBackup.self, StoreBackupParams())
                    }
                    #expect(snapshot?.reason == "no-space", "\(leaving): \(String(describing: snapshot))")
                    // Reading goes on.
                    #expect(try await call(daemon.socket, ServerInfo.self, NoParams()).datasets >= 1)
                    #expect(
                        try await call(daemon.socket, DatasetGet.self, DatasetName(name: "books")).interactions ?? 0
                            > 0)
                    Self.free(daemon.state)
                    for dataset in try await call(daemon.socket, DatasetList.self, DatasetListParams()).datasets
                    where dataset.name != "books" {
                        _ = try await call(daemon.socket, DatasetRemove.self, DatasetName(name: dataset.name))
                    }
                }
                let job = try await call(daemon.socket, CalibrationStart.self, params).job.id
                #expect(try await end(of: job, daemon.socket).state == .finished)
            }
        }
    }

    @Test(
        "on a disk that is quite full a dataset can be removed, and then there is room",
        .enabled(if: mayMount, mountless))
    func removal() async throws {
        let file = try await syntheticFile(users: 300, items: 120)
        try await Self.withDisk("6m") { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                for name in ["one", "two", "three"] { _ = try await register(daemon.socket, name, bytes: file) }
                #expect(await waitUntil { FileManager.default.fileExists(atPath: daemon.state + "/plawd.spare") })
                Self.fill(daemon.state, leaving: 0)
                let refused = await Self.refusal { _ = try await register(daemon.socket, "four", bytes: file) }
                #expect(refused?.reason == "no-space")
                for name in ["one", "two", "three"] {
                    _ = try await call(daemon.socket, DatasetRemove.self, DatasetName(name: name))
                }
                #expect(try await call(daemon.socket, DatasetList.self, DatasetListParams()).datasets.isEmpty)
                Self.free(daemon.state)
                _ = try await register(daemon.socket, "five", bytes: file)
            }
        }
    }

    @Test(
        "a disk that fills in the middle of a calibration fails a trial or puts the job off, and loses nothing",
        .enabled(if: mayMount, mountless))
    func fillsUp() async throws {
        let file = try await syntheticFile(users: 400, items: 200)
        try await Self.withDisk("8m") { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                let params = CalibrationParams(
                    name: "books", budgetSeconds: 600, layers: [1, 2, 3], dims: [8, 16, 32], workers: 2, patience: 20,
                    maxEpochs: 20)
                let id = try await call(daemon.socket, CalibrationStart.self, params).job.id
                #expect(
                    try await waitUntil {
                        try await call(daemon.socket, JobGet.self, JobID(id: id)).finishedTrials >= 1
                    })
                let before = try await call(daemon.socket, JobGet.self, JobID(id: id))
                Self.fill(daemon.state, leaving: 0)
                for _ in 0..<30 {
                    try await Task.sleep(for: .milliseconds(100))
                    #expect(try await call(daemon.socket, ServerInfo.self, NoParams()).datasets == 1)
                }
                let during = try await call(daemon.socket, JobGet.self, JobID(id: id))
                #expect(!during.state.isFinal, "\(during)")
                // Whoever looks is told what the job waits for, and the log is told once.
                #expect(
                    try await waitUntil(seconds: 20) {
                        try await call(daemon.socket, ServerInfo.self, NoParams()).status.hasPrefix("job \(id) waits: ")
                    })
                try await Task.sleep(for: .seconds(3))
                let waits = try await call(daemon.socket, JobGet.self, JobID(id: id))
                #expect(
                    waits.message?.hasPrefix("waits: ") == true && waits.message?.contains("full") == true, "\(waits)")
                let listed = try await call(daemon.socket, JobList.self, JobListParams(name: "books", limit: 5)).jobs
                #expect(listed.first { $0.id == id }?.message == waits.message)
                let seen = try await runProgram("plaw", ["jobs", "--socket", daemon.socket])
                #expect(seen.output.contains("the disk is full"), "\(seen)")
                #expect(daemon.logged.components(separatedBy: "calibration put off").count == 2, "\(daemon.logged)")
                Self.free(daemon.state)
                let job = try await end(of: id, daemon.socket)
                #expect(job.state == .finished)
                for trial in before.trials ?? [] where trial.state == .finished {
                    #expect(job.trials?.first { $0.id == trial.id } == trial)
                }
                for trial in job.trials ?? [] where trial.state != .finished {
                    #expect(trial.state == .failed && trial.message?.contains("No space left") == true, "\(trial)")
                }
                let observations = try await call(
                    daemon.socket, ObservationList.self, ObservationListParams(name: "books")
                ).observations
                #expect(observations.count == job.finishedTrials)
                #expect(Set(observations.compactMap(\.trial)).count == observations.count)
                let store = try Store(path: daemon.state + "/plawd.sqlite")
                #expect(try await store.integrityCheck() == "ok")
                try store.close()
            }
        }
    }

    @Test("a state directory that cannot be written to is refused with its path", .enabled(if: mayMount, mountless))
    func readOnly() async throws {
        try await Self.withDisk("4m") { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await call(daemon.socket, ServerInfo.self, NoParams())
            }
            // MS_REMOUNT | MS_RDONLY
            try #require(mount("tmpfs", folder + "/state", "tmpfs", 32 | 1, nil) == 0)
            let outcome = try await runProgram(
                "plawd", ["--state-directory", folder + "/state", "--socket", folder + "/plawd.sock"])
            #expect(outcome.code == 1)
            #expect(outcome.errors.contains(folder + "/state"), "\(outcome.errors)")
            #expect(outcome.errors.contains("Read-only file system"), "\(outcome.errors)")
        }
    }

    @Test(
        "a quota refuses a registration by path and an import of text that would exceed it, and leaves nothing of them")
    func quotaOfFiles() async throws {
        // Interactions without time: some 4 bytes each and the names.
        let file = try await syntheticFile(users: 6_000, items: 3_000)
        let rows = (1...400).map { "\($0 % 8 + 1),\($0 * 8),0.1\(100 + $0)" }.joined(separator: "\n")
        try await withTemporaryFolder { folder in
            let (path, config) = (folder + "/data.txt", folder + "/plawd.json")
            try file.write(to: URL(filePath: path))
            let bytes = try await withDaemon(in: folder) { daemon async throws in
                let params = DatasetRegisterParams(name: "a", path: path)
                return try #require(try await call(daemon.socket, DatasetRegister.self, params).dataset).corpusBytes
            }.value
            let quota = try Self.used(folder + "/state") + bytes / 2
            try Data("{\"maxStateBytes\": \(quota)}".utf8).write(to: URL(filePath: config))
            _ = try await withDaemon(in: folder, arguments: ["--config", config]) { daemon async throws in
                let params = DatasetRegisterParams(name: "b", path: path)
                let refused = await Self.refusal { _ = try await call(daemon.socket, DatasetRegister.self, params) }
                #expect(refused?.reason == "no-space")
                #expect(refused?.message.hasPrefix("the corpus needs about \(bytes) bytes; maxStateBytes, ") == true)
                #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/corpora").count == 1)
                let text = ObservationImportParams(name: "c", text: "layers,dim,ndcg@10\n" + rows, create: true)
                let imported = await Self.refusal { _ = try await call(daemon.socket, ObservationImport.self, text) }
                #expect(imported?.reason == "no-space", "\(imported as Any)")
                #expect(
                    try await call(daemon.socket, DatasetList.self, DatasetListParams()).datasets.map(\.name) == ["a"])
                #expect(try Self.used(daemon.state) <= quota)
            }
        }
    }

    @Test("a quota refuses uploads and calibrations that would exceed it, with what is needed and what is left")
    func quota() async throws {
        let file = try await syntheticFile(users: 300, items: 120)
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.json"
            @Sendable func allow(_ bytes: Int) throws {
                try Data("{\"maxStateBytes\": \(bytes)}".utf8).write(to: URL(filePath: path))
            }
            let params = CalibrationParams(
                name: "books", budgetSeconds: 60, layers: [1, 2], dims: [8, 16], patience: 2, maxEpochs: 3)
            try allow(50_000_000)
            let forecast = try await withDaemon(in: folder, arguments: ["--config", path]) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                return try await call(daemon.socket, CalibrationPlan.self, params).diskBytes
            }.value
            let bytes = try #require(forecast)
            // Four trials: 12 bytes a user and 32 kB each, at least.
            #expect(bytes > 4 * 32_768 + 4 * 12 * 250)
            try allow(Self.used(folder + "/state") + bytes / 2)
            _ = try await withDaemon(in: folder, arguments: ["--config", path]) { daemon async throws in
                let calibration = await Self.refusal {
                    _ = try await call(daemon.socket, CalibrationStart.self, params)
                }
                #expect(calibration?.reason == "no-space")
                #expect(calibration?.message.contains("maxStateBytes") == true)
                #expect(calibration?.data?["neededBytes"] == .integer(Int64(bytes)))
                let upload = await Self.refusal {
                    _ = try await register(daemon.socket, "big", bytes: Data(repeating: 65, count: 1_000_000))
                }
                #expect(upload?.reason == "no-space")
                #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/uploads").isEmpty)
                // More is allowed without a restart.
                try allow(50_000_000)
                daemon.signal(SIGHUP)
                let started = Mutex<Int64?>(nil)
                #expect(
                    await waitUntil {
                        let job = try? await call(daemon.socket, CalibrationStart.self, params).job.id
                        started.withLock { $0 = job }
                        return job != nil
                    })
                let job = try #require(started.withLock { $0 })
                #expect(try await end(of: job, daemon.socket).state == .finished)
                // The forecast was enough.
                #expect(try Self.used(daemon.state + "/trials") < bytes)
            }
        }
    }

    @Test("room that a calibration is still to fill is kept for it, also after a restart; a fit asks for room too")
    func kept() async throws {
        let file = try await syntheticFile(users: 2_000, items: 600)
        let rows = (0..<40).map { "\($0 % 8 + 1),\(8 << ($0 / 8)),0.0\(100 + $0)" }.joined(separator: "\n")
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.json"
            @Sendable func allow(_ bytes: Int) throws {
                try Data("{\"maxStateBytes\": \(bytes)}".utf8).write(to: URL(filePath: path))
            }
            // Trials that do not end while this looks.
            let params = CalibrationParams(
                name: "books", budgetSeconds: 3_000, layers: [1, 2, 4], dims: [32, 64, 128], workers: 1, patience: 500,
                maxEpochs: 5_000)
            try allow(1 << 30)
            let forecast = try await withDaemon(in: folder, arguments: ["--config", path]) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                _ = try await call(
                    daemon.socket, ObservationImport.self,
                    ObservationImportParams(name: "grid", text: "layers,dim,ndcg@10\n" + rows, create: true))
                let started = try await call(daemon.socket, CalibrationStart.self, params)
                return try #require(started.plan.diskBytes)
            }.value
            try allow(Self.used(folder + "/state") + forecast + 300_000)
            _ = try await withDaemon(in: folder, arguments: ["--config", path]) { daemon async throws in
                let words = " that calibrations are still to write"
                let upload = await Self.refusal {
                    _ = try await register(daemon.socket, "big", bytes: Data(repeating: 65, count: 1_000_000))
                }
                #expect(upload?.reason == "no-space" && upload?.message.contains(words) == true, "\(upload as Any)")
                let second = await Self.refusal { _ = try await call(daemon.socket, CalibrationStart.self, params) }
                #expect(second?.data?["neededBytes"] == .integer(Int64(forecast)), "\(second as Any)")
                let fit = await Self.refusal {
                    _ = try await call(daemon.socket, LawFitMethod.self, LawFitParams(name: "grid"))
                }
                #expect(fit?.reason == "no-space", "\(fit as Any)")
                #expect(fit?.message.hasPrefix("the fit needs about ") == true, "\(fit as Any)")
                // Its end gives the room back.
                _ = try await call(daemon.socket, JobCancel.self, JobID(id: 1))
                #expect(try await end(of: 1, daemon.socket).state == .cancelled)
                #expect(
                    try await call(daemon.socket, LawFitMethod.self, LawFitParams(name: "grid")).laws.count == 1)
                _ = try await register(daemon.socket, "more", bytes: file)
            }
        }
    }

    private static func used(_ folder: String) throws -> Int {
        let files = FileManager.default
        return (files.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []).reduce(0) { sum, name in
            var status = stat()
            return lstat(folder + "/" + name, &status) == 0 ? sum + Int(status.st_blocks) * 512 : sum
        }
    }

    private static func cut(_ path: String, to share: Double) throws {
        let whole = try Data(contentsOf: URL(filePath: path))
        try whole.prefix(Int(Double(whole.count) * share)).write(to: URL(filePath: path))
    }

    @Test("a corpus that was cut is refused by what needs it; ranks that were cut change no measured number")
    func damaged() async throws {
        try await withTemporaryFolder { folder in
            try await CalibratedState.shared.copy(to: folder)
            let state = folder + "/state"
            let corpora = try FileManager.default.contentsOfDirectory(atPath: state + "/corpora")
            let before = try await withDaemon(in: folder) { daemon async throws in
                try await call(daemon.socket, LawGet.self, LawGetParams(name: "demo"))
            }.value
            for trial in try FileManager.default.contentsOfDirectory(atPath: state + "/trials") {
                try Self.cut("\(state)/trials/\(trial)/ranks.bin", to: 0.5)
            }
            try Self.cut("\(state)/corpora/\(corpora[0])", to: 0.7)
            let file = try await syntheticFile(users: 60, items: 40)
            _ = try await withDaemon(in: folder) { daemon async throws in
                let entropy = DatasetEntropyParams(name: "demo", m: 2)
                let measured = await Self.refusal { _ = try await call(daemon.socket, DatasetEntropy.self, entropy) }
                #expect(measured?.reason == "store-failed" && measured?.message.contains("cut short") == true)
                let planned = await Self.refusal {
                    _ = try await call(daemon.socket, CalibrationPlan.self, CalibrationParams(name: "demo"))
                }
                #expect(planned?.reason == "store-failed" && planned?.message.contains("cut short") == true)
                let fitted = try await call(daemon.socket, LawFitMethod.self, LawFitParams(name: "demo")).laws
                let points = try #require(fitted.first { $0.fit.metric == before.fit.metric }).fit.points
                #expect(points.map(\.observed).sorted() == before.fit.points.map(\.observed).sorted())
                _ = try await register(daemon.socket, "other", bytes: file)
            }
        }
    }

    @Test("a checkpoint, and a result, that was cut begins its trial anew, and the log says so")
    func damagedTrials() async throws {
        let file = try await syntheticFile(users: 1_000, items: 800)
        try await withTemporaryFolder { folder in
            let id = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let params = CalibrationParams(
                    name: "demo", budgetSeconds: 600, layers: [4], dims: [64], patience: 4, maxEpochs: 4)
                let id = try await call(daemon.socket, CalibrationStart.self, params).job.id
                #expect(
                    try await waitUntil {
                        let job = try await call(daemon.socket, JobGet.self, JobID(id: id))
                        return (job.trials?.first?.progress?.tokens ?? 0) > 0
                    })
                return id
            }.value
            let trial = folder + "/state/trials/1"
            try Self.cut(trial + "/checkpoint", to: 0.5)
            _ = try await withDaemon(in: folder) { daemon async throws in
                #expect(try await end(of: id, daemon.socket).state == .finished)
            }
            let log = try String(contentsOfFile: trial + "/worker.log", encoding: .utf8)
            #expect(log.contains("cut short"), "\(log)")
            // A result that the daemon had not stored yet when it died.
            let trained = try TrialDirectory(path: trial).readResult()
            try Self.cut(trial + "/result.json", to: 0.5)
            let again = try await runProgram("plaw-trial", ["run", trial])
            #expect(again.code == 0 && again.errors.contains("result.json: is no TrialResult"), "\(again.errors)")
            #expect(try TrialDirectory(path: trial).readResult().test == trained.test)
        }
    }
}
