import Domain
import Foundation
import Glibc
import PlawClient
import PlawProtocol
import PlawTesting
import Store
import Synchronization
import Testing

/// The daemon is killed again and again, at moments drawn from a seed, while it registers, takes uploads, imports, backs up, removes,
/// calibrates and fits. What it acknowledged must be there ever after, and the answer at the end must be that of a daemon nobody disturbed.
@Suite(.serialized) struct CrashLoopTests {
    /// Ten kills within a minute; 200 where there is time.
    static let kills = ProcessInfo.processInfo.environment["PLAW_LONG_TESTS"] == nil ? 10 : 200

    @Test("kill -9 at any moment loses nothing that was acknowledged, and changes no answer")
    func loop() async throws {
        let files = try await [
            syntheticFile(users: 150, items: 80), syntheticFile(users: 2_000, items: 500, meanLength: 30, seed: 2),
        ]
        try await withTemporaryFolder { folder in
            // Speeds are measured once, so that both daemons plan the same trials.
            let base = folder + "/base"
            try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
            _ = try await withDaemon(in: base) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: files[0])
                _ = try await call(daemon.socket, CalibrationPlan.self, Script.calibration(round: 1))
            }
            for name in ["calm", "storm"] {
                try FileManager.default.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: base + "/state", toPath: folder + "/" + name + "/state")
            }
            let storm = Script(file: files[1])
            var random = SplitMix64(seed: 20)
            var hits: [Script.Step: Int] = [:]
            for number in 1...Self.kills {
                // Where the script is in its steps decides what a kill can hit: each kind of step gets its share.
                let target = Script.Step.allCases[number % Script.Step.allCases.count]
                let hit = try await Self.life(
                    in: folder + "/storm", storm, target, delay: random.next(upperBound: target.microseconds))
                hits[hit, default: 0] += 1
            }
            _ = try await withDaemon(in: folder + "/storm") { daemon async throws in
                try await Self.check(daemon, storm)
                try await storm.finishRound(daemon.socket)
                try await Self.check(daemon, storm)
            }
            let rounds = storm.rounds
            let calm = Script(file: files[1])
            _ = try await withDaemon(in: folder + "/calm") { daemon async throws in
                while calm.rounds < rounds { try await calm.finishRound(daemon.socket) }
            }
            let (found, wanted) = try await (Self.answers(folder + "/storm"), Self.answers(folder + "/calm"))
            #expect(Self.differences(.array(found), .array(wanted), at: "") == [])
            #expect(hits.count >= Script.Step.allCases.count - (Self.kills < 100 ? 1 : 0), "\(hits)")
            #expect(Self.workers(of: folder).isEmpty)
        }
    }

    private static let hasSQLite = access("/usr/bin/sqlite3", X_OK) == 0

    @Test(
        "kill -9 in the middle of a start that migrates leaves what the next start brings up to date",
        .enabled(if: hasSQLite, "sqlite3 is not installed"))
    func migration() async throws {
        var random = SplitMix64(seed: 7)
        let fixtures = Paths.root + "/Tests/Schemas"
        for round in 0..<max(2, Self.kills / 20) {
            try await withTemporaryFolder { folder in
                let state = folder + "/state"
                try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
                let made = try await runProgram(
                    path: "/usr/bin/sqlite3",
                    [state + "/plawd.sqlite", ".read \(fixtures)/schema-\(1 + round % 6).sql"])
                #expect(made.code == 0, "\(made.errors)")
                for _ in 0..<4 {
                    let delay = random.next(upperBound: UInt64(300))
                    let killed = try await runProgram(
                        "plawd", ["--state-directory", state, "--socket", folder + "/plawd.sock"], in: folder
                    ) { pid in
                        try await Task.sleep(for: .milliseconds(delay))
                        kill(pid, SIGKILL)
                    }
                    #expect(killed.ending == .killed(SIGKILL), "\(killed.errors)")
                }
                _ = try await withDaemon(in: folder) { daemon async throws in
                    let info = try await call(daemon.socket, ServerInfo.self, NoParams())
                    #expect(info.schemaVersion == "7-trial-states")
                    #expect(info.datasets == 2 && info.observations == 5)
                    let store = try Store(path: daemon.state + "/plawd.sqlite")
                    #expect(try await store.integrityCheck() == "ok")
                    try store.close()
                    let names = try FileManager.default.contentsOfDirectory(atPath: state)
                    #expect(names.filter { $0.hasSuffix(".partial") || $0.contains(".partial-") } == [])
                    // What was there before the first migration is kept.
                    #expect(names.contains { $0.hasPrefix("plawd.sqlite.\(1 + round % 6)-") }, "\(names)")
                }
            }
        }
    }

    /// Starts the daemon, looks whether all is there, works on, and kills the daemon some microseconds after the script has come to
    /// a step of this kind. Returns what was hit.
    private static func life(
        in folder: String, _ script: Script, _ target: Script.Step, delay: UInt64
    ) async throws -> Script.Step {
        let (hit, ending) = try await withDaemon(in: folder) { daemon async throws in
            try await check(daemon, script)
            return try await withThrowingTaskGroup(of: Script.Step?.self) { group in
                group.addTask {
                    // The last call ends with its connection.
                    do { while true { try await script.finishRound(daemon.socket) } } catch {
                        guard kill(daemon.pid, 0) != 0 || script.isKilled else { throw error }
                    }
                    return nil
                }
                group.addTask {
                    await script.comes(to: target)
                    try await Task.sleep(for: .microseconds(delay))
                    let hit = script.markKilled()
                    daemon.signal(SIGKILL)
                    return hit
                }
                var hit: Script.Step?
                for try await step in group { hit = step ?? hit }
                return hit ?? target
            }
        }
        #expect(ending == .killed(SIGKILL))
        // Workers end with their daemon; only the kernel needs a moment.
        #expect(await waitUntil { workers(of: folder).isEmpty })
        return hit
    }

    /// Everything acknowledged is there, the database is whole, and nothing lies about.
    private static func check(_ daemon: DaemonProcess, _ script: Script) async throws {
        script.begin()
        let known = script.acknowledged
        // Listed first: workers that go on may add to it.
        let folders = try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/trials")
        let store = try Store(path: daemon.state + "/plawd.sqlite")
        #expect(try await store.integrityCheck() == "ok")
        let trials = Set(try await store.trialIDs().map(String.init))
        try store.close()
        let datasets = try await call(daemon.socket, DatasetList.self, NoParams()).datasets
        for (name, interactions) in known.datasets {
            #expect(datasets.contains { $0.name == name && $0.interactions == interactions }, "\(name)")
        }
        for name in known.removed { #expect(!datasets.contains { $0.name == name }, "\(name)") }
        for (name, count) in known.imports {
            let found = try await call(daemon.socket, ObservationList.self, ObservationListParams(name: name))
            #expect(found.observations.count == count, "\(name)")
        }
        for (id, trials) in known.jobs {
            let job = try await call(daemon.socket, JobGet.self, JobID(id: id))
            for trial in trials { #expect(job.trials?.first { $0.id == trial.id } == trial) }
        }
        let laws = try await Set(call(daemon.socket, LawList.self, LawListParams()).laws.map(\.id))
        #expect(laws.isSuperset(of: known.laws))
        // A registration's file has a name of its own until it is known: now none is under way.
        let files = FileManager.default
        for folder in ["/uploads", "/backups"] {
            #expect(try files.contentsOfDirectory(atPath: daemon.state + folder).isEmpty)
        }
        #expect(trials.isSuperset(of: folders), "\(folders)")
        let corpora = try files.contentsOfDirectory(atPath: daemon.state + "/corpora")
        #expect(corpora.count == datasets.filter { $0.interactions != nil }.count, "\(corpora)")
        // Workers that went on write beside this look: what is left over lies about before and after, in a trial that is not worked on.
        let before = partials(daemon)
        var idle: Set<Int64> = []
        for job in try await call(daemon.socket, JobList.self, JobListParams(limit: 10_000)).jobs {
            let trials = try await call(daemon.socket, JobGet.self, JobID(id: job.id)).trials ?? []
            idle.formUnion(trials.filter { $0.state.isFinal || $0.state == .queued }.map(\.id))
        }
        let leftovers = before.intersection(partials(daemon)).filter { path in
            let parts = path.split(separator: "/")
            return parts.first != "trials" || Int64(parts[1]).map(idle.contains) != false
        }
        #expect(leftovers == [])
    }

    /// Files that were being written, by their paths in the state directory.
    private static func partials(_ daemon: DaemonProcess) -> Set<String> {
        let paths = FileManager.default.enumerator(atPath: daemon.state)?.compactMap { $0 as? String } ?? []
        return Set(paths.filter { $0.hasSuffix(".partial") })
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

    /// What the daemon answers at the end, without what is of clocks and of numbers in its database.
    private static func answers(_ folder: String) async throws -> [JSONValue] {
        try await withDaemon(in: folder) { daemon async throws in
            let answer = try await raw(daemon.socket, "advisor.recommend", .object(["name": .string("books")]))
            let law = try await raw(daemon.socket, "law.get", .object(["name": .string("books")]))
            let observations = try await raw(daemon.socket, "observation.list", .object(["name": .string("books")]))
            guard case .array(let list)? = observations["observations"] else { return [] }
            // In whatever order they ended.
            let measured = list.map { timeless($0) }.sorted { text($0) < text($1) }
            return [timeless(answer), timeless(law), .array(measured)]
        }.value
    }

    private static func text(_ value: JSONValue) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Places at which two values are not the same to the last bit.
    private static func differences(_ a: JSONValue, _ b: JSONValue, at place: String) -> [String] {
        switch (a, b) {
        case (.object(let first), .object(let second)):
            return Set(first.keys).union(second.keys).sorted().flatMap { name in
                differences(first[name] ?? .null, second[name] ?? .null, at: "\(place).\(name)")
            }
        case (.array(let first), .array(let second)) where first.count == second.count:
            return zip(first, second).enumerated().flatMap {
                differences($0.element.0, $0.element.1, at: "\(place)[\($0.offset)]")
            }
        default: return a == b ? [] : ["\(place): \(a) and \(b)"]
        }
    }

    private static let ofClocks: Set<String> = [
        "id", "law", "job", "trial", "observation", "createdAt", "seconds", "trainSeconds", "latencySeconds",
        "epochSeconds", "latency", "cost", "costs", "predictedSeconds", "laws",
    ]

    private static func timeless(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            return .object(members.filter { !ofClocks.contains($0.key) }.mapValues { timeless($0) })
        case .array(let elements): return .array(elements.map { timeless($0) })
        case .null, .bool, .integer, .number, .string: return value
        }
    }
}

/// What the daemon is asked to do, round after round; a step that a kill left in doubt is looked at and done where it was not.
private final class Script: Sendable {
    enum Step: CaseIterable {
        case upload, register, importing, backup, remove, calibrate, fit

        /// About how long it takes.
        var microseconds: UInt64 {
            switch self {
            case .calibrate: 1_500_000
            case .register: 300_000
            case .upload, .importing: 100_000
            case .backup: 60_000
            case .fit: 30_000
            case .remove: 10_000
            }
        }
    }

    struct Acknowledged: Sendable {
        /// Interactions by name.
        var datasets: [String: Int] = [:]
        var imports: [String: Int] = [:]
        var removed: Set<String> = []
        /// Trials that were seen finished, by job.
        var jobs: [Int64: [TrialState]] = [:]
        var laws: Set<Int64> = []
    }

    private struct State {
        var step: Step?
        /// A step that somebody waits for.
        var awaited: (step: Step, continuation: AsyncStream<Void>.Continuation)?
        var isKilled = false
        var done = 0
        /// Steps of the round in work that are done.
        var steps: Set<Step> = []
        var job: Int64?
        var acknowledged = Acknowledged()
    }

    private let state = Mutex(State())
    private let file: Data

    init(file: Data) { self.file = file }

    private func enter(_ step: Step) {
        state.withLock { state in
            state.step = step
            if state.awaited?.step == step { state.awaited?.continuation.finish() }
        }
    }

    /// Returns when the script comes to a step, now or in half a minute at the latest.
    func comes(to step: Step) async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        state.withLock { state in
            state.awaited = (step, continuation)
            if state.step == step { continuation.finish() }
        }
        let limit = Task {
            try await Task.sleep(for: .seconds(30))
            continuation.finish()
        }
        for await _ in stream {}
        limit.cancel()
    }

    var isKilled: Bool { state.withLock { $0.isKilled } }
    var rounds: Int { state.withLock { $0.done } }
    var acknowledged: Acknowledged { state.withLock { $0.acknowledged } }

    func begin() { state.withLock { ($0.step, $0.isKilled) = (nil, false) } }

    func markKilled() -> Step? {
        state.withLock { state in
            state.isKilled = true
            return state.step
        }
    }

    static func calibration(round: Int) -> CalibrationParams {
        CalibrationParams(
            name: "books", budgetSeconds: 600, layers: [1, 2], dims: [4, 8, 16], seed: round, workers: 2, patience: 3,
            maxEpochs: 5, dropout: 0.1, batchUsers: 64)
    }

    /// Does what is left of a round. Errors: those of the calls.
    func finishRound(_ socket: String) async throws {
        let round = rounds + 1
        try await dataset(socket, "big\(round)")
        try await importing(socket, "table\(round)")
        try await backup(socket)
        try await remove(socket, ["big\(round)", "table\(round)"])
        try await calibrate(socket, round)
        if state.withLock({ !$0.steps.contains(.fit) }) {
            enter(.fit)
            let laws = try await call(socket, LawFitMethod.self, LawFitParams(name: "books")).laws
            // Older laws of the key make way for these.
            state.withLock { $0.acknowledged.laws = Set(laws.map(\.id)) }
        }
        state.withLock { state in
            state.done += 1
            state.steps = []
            state.job = nil
            state.step = nil
        }
    }

    private func dataset(_ socket: String, _ name: String) async throws {
        if state.withLock({ $0.steps.contains(.register) }) { return }
        enter(.upload)
        let list = try await call(socket, DatasetList.self, NoParams()).datasets
        if let known = list.first(where: { $0.name == name }) {
            state.withLock { $0.acknowledged.datasets[name] = known.interactions }
        } else {
            let file = file
            let interactions = try await PlawClient.withConnection(path: socket) { client in
                let id = try await client.call(DatasetUpload.self, DatasetUploadParams()).uploadId
                var offset = 0
                while offset < file.count {
                    let piece = file[offset..<min(file.count, offset + 50_000)].base64EncodedString()
                    offset = try await client.call(
                        DatasetUpload.self, DatasetUploadParams(uploadId: id, offset: offset, data: piece)
                    ).received
                }
                self.enter(.register)
                let params = DatasetRegisterParams(name: name, uploadId: id, fileName: "data.txt", options: nil)
                return try await client.call(DatasetRegister.self, params).dataset?.interactions
            }
            state.withLock { $0.acknowledged.datasets[name] = interactions }
        }
        state.withLock { _ = $0.steps.insert(.register) }
    }

    private func importing(_ socket: String, _ name: String) async throws {
        if state.withLock({ $0.steps.contains(.importing) }) { return }
        enter(.importing)
        let list = try await call(socket, DatasetList.self, NoParams()).datasets
        var count = 0
        if list.contains(where: { $0.name == name }) {
            count = try await call(socket, ObservationList.self, ObservationListParams(name: name)).observations.count
            // All or nothing.
            #expect(count == Self.rows)
        } else {
            _ = try await call(
                socket, ObservationImport.self,
                ObservationImportParams(name: name, text: Self.table, fileName: "a.csv", create: true))
            count = Self.rows
        }
        state.withLock { state in
            state.acknowledged.imports[name] = count
            state.steps.insert(.importing)
        }
    }

    private static let rows = 400

    private static let table: String = {
        var lines = ["backbone,loss,layers,dim,heads,max_length,tokens,apen,seed,users,hr@10,ndcg@10,epochs,status"]
        for row in 0..<rows {
            let (layers, dim) = (1 + row % 4, 8 * (1 + row / 4 % 8))
            lines.append("sasrec,cce,\(layers),\(dim),2,50,128031,2.97,\(row),22363,0.1,0.0\(row + 100),80,converged")
        }
        return lines.joined(separator: "\n") + "\n"
    }()

    /// A snapshot, read to its end.
    private func backup(_ socket: String) async throws {
        if state.withLock({ $0.steps.contains(.backup) }) { return }
        enter(.backup)
        try await PlawClient.withConnection(path: socket) { client in
            let made = try await client.call(StoreBackup.self, StoreBackupParams())
            var offset = 0
            while offset < made.bytes {
                let params = StoreBackupParams(backupId: made.backupId, offset: offset)
                let data = try await client.call(StoreBackup.self, params).data
                offset += try #require(Data(base64Encoded: data ?? "")).count
            }
        }
        state.withLock { _ = $0.steps.insert(.backup) }
    }

    private func remove(_ socket: String, _ names: [String]) async throws {
        if state.withLock({ $0.steps.contains(.remove) }) { return }
        // From now on they may be there or not.
        state.withLock { state in
            for name in names {
                (state.acknowledged.datasets[name], state.acknowledged.imports[name]) = (nil, nil)
            }
        }
        enter(.remove)
        for name in names {
            let list = try await call(socket, DatasetList.self, NoParams()).datasets
            if list.contains(where: { $0.name == name }) {
                _ = try await call(socket, DatasetRemove.self, DatasetName(name: name))
            }
            state.withLock { _ = $0.acknowledged.removed.insert(name) }
        }
        state.withLock { _ = $0.steps.insert(.remove) }
    }

    private func calibrate(_ socket: String, _ round: Int) async throws {
        if state.withLock({ $0.steps.contains(.calibrate) }) { return }
        // Laws that are fitted at its end make way for those before.
        state.withLock { $0.acknowledged.laws = [] }
        enter(.calibrate)
        var job = state.withLock { $0.job }
        if job == nil {
            let known = Set(acknowledged.jobs.keys)
            let jobs = try await call(socket, JobList.self, JobListParams(name: "books")).jobs
            job = jobs.map(\.id).first { !known.contains($0) }
        }
        if job == nil {
            job = try await call(socket, CalibrationStart.self, Self.calibration(round: round)).job.id
        }
        guard let id = job else { return }
        state.withLock { state in
            state.job = id
            state.acknowledged.jobs[id] = state.acknowledged.jobs[id] ?? []
        }
        let end = ContinuousClock.now + .seconds(120)
        while true {
            let job = try await call(socket, JobWait.self, JobWaitParams(id: id, timeoutSeconds: 0.1))
            let trials = (job.trials ?? []).filter { $0.state == .finished }
            state.withLock { $0.acknowledged.jobs[id] = trials }
            if job.state.isFinal {
                #expect(job.state == .finished && trials.count == job.trialCount, "\(job)")
                break
            }
            guard ContinuousClock.now < end else {
                Issue.record("job \(id) is stuck: \(job)")
                break
            }
        }
        state.withLock { _ = $0.steps.insert(.calibrate) }
    }
}
