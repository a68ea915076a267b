import Domain
import Foundation
import Glibc
import Client
import PlawTesting
import Store
import StrictJSON
import Testing

@testable import Wire

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
                _ = try await call(daemon.socket, CalibrationPlan.self, CrashScript.calibration(round: 1))
            }
            for name in ["calm", "storm"] {
                try FileManager.default.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: base + "/state", toPath: folder + "/" + name + "/state")
            }
            let storm = CrashScript(file: files[1], small: files[0])
            var random = SplitMix64(seed: 20)
            var hits: [CrashScript.Step: Int] = [:]
            for number in 1...Self.kills {
                // Where the script is in its steps decides what a kill can hit: each kind of step gets its share.
                let target = CrashScript.Step.allCases[number % CrashScript.Step.allCases.count]
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
            let calm = CrashScript(file: files[1], small: files[0])
            _ = try await withDaemon(in: folder + "/calm") { daemon async throws in
                while calm.rounds < rounds { try await calm.finishRound(daemon.socket) }
            }
            let (found, wanted) = try await (Self.answers(folder + "/storm"), Self.answers(folder + "/calm"))
            #expect(Self.differences(.array(found), .array(wanted), at: "") == [])
            #expect(hits.count >= CrashScript.Step.allCases.count - (Self.kills < 100 ? 1 : 0), "\(hits)")
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
        // Kills that came between the first step of a migration and its last.
        var met = 0
        let rounds = max(2, Self.kills / 20)
        for round in 0..<rounds {
            try await withTemporaryFolder { folder in
                let state = folder + "/state"
                try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
                let made = try await runProgram(
                    path: "/usr/bin/sqlite3",
                    [
                        state + "/plawd.sqlite", ".read \(fixtures)/schema-\(1 + round % 7).sql",
                        // Pages that are copied before the migration, so that it lasts long enough to be met.
                        "CREATE TABLE fat(x); INSERT INTO fat SELECT zeroblob(1000000) FROM "
                            + "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 64) SELECT i FROM n); "
                            + "DROP TABLE fat;",
                    ])
                #expect(made.code == 0, "\(made.errors)")
                for attempt in 0..<4 {
                    let delay = random.next(upperBound: UInt64(300))
                    let killed = try await runProgram(
                        "plawd", ["--state-directory", state, "--socket", folder + "/plawd.sock"], in: folder
                    ) { pid in
                        if attempt == 0 {
                            // As soon as the migration shows: the old database is being kept.
                            let end = ContinuousClock.now + .seconds(30 * patience)
                            while !Self.keeps(state), .now < end { try await Task.sleep(for: .microseconds(200)) }
                        } else {
                            try await Task.sleep(for: .milliseconds(delay))
                        }
                        kill(pid, SIGKILL)
                    }
                    #expect(killed.ending == .killed(SIGKILL), "\(killed.errors)")
                    let schemas = try await runProgram(
                        path: "/usr/bin/sqlite3",
                        [
                            state + "/plawd.sqlite",
                            "SELECT count(*) FROM grdb_migrations WHERE identifier = '8-unsaid-is-absent'",
                        ])
                    if Self.keeps(state), schemas.output == "0\n" { met += 1 }
                }
                _ = try await withDaemon(in: folder) { daemon async throws in
                    let info = try await call(daemon.socket, ServerInfo.self, NoParams())
                    #expect(info.schemaVersion == "8-unsaid-is-absent")
                    #expect(info.datasets == 2 && info.observations == 5)
                    let store = try Store(path: daemon.state + "/plawd.sqlite")
                    #expect(try await store.integrityCheck() == "ok")
                    try store.close()
                    let names = try FileManager.default.contentsOfDirectory(atPath: state)
                    #expect(names.filter { $0.hasSuffix(".partial") || $0.contains(".partial-") } == [])
                    // What was there before the first migration is kept.
                    #expect(names.contains { $0.hasPrefix("plawd.sqlite.\(1 + round % 7)-") }, "\(names)")
                }
            }
        }
        #expect(met >= rounds, "\(met) kills met a migration")
    }

    /// Whether a state holds a database kept before a migration, or one that is being kept.
    private static func keeps(_ state: String) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: state)) ?? []
        return names.contains { $0.hasPrefix("plawd.sqlite.") }
    }

    /// Starts the daemon, looks whether all is there, works on, and kills the daemon some microseconds after the script has come to
    /// a step of this kind. Returns what was hit.
    private static func life(
        in folder: String, _ script: CrashScript, _ target: CrashScript.Step, delay: UInt64
    ) async throws -> CrashScript.Step {
        let (hit, ending) = try await withDaemon(in: folder) { daemon async throws in
            try await check(daemon, script)
            return try await withThrowingTaskGroup(of: CrashScript.Step?.self) { group in
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
                var hit: CrashScript.Step?
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
    private static func check(_ daemon: DaemonProcess, _ script: CrashScript) async throws {
        script.begin()
        let known = script.acknowledged
        // Listed first: workers that go on may add to it.
        let folders = try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/trials")
        let store = try Store(path: daemon.state + "/plawd.sqlite")
        #expect(try await store.integrityCheck() == "ok")
        let trials = Set(try await store.trialIDs().map(String.init))
        try store.close()
        let datasets = try await call(daemon.socket, DatasetList.self, DatasetListParams()).datasets
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
        try await checkGone(daemon, known.gone, trials: trials)
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

    /// Of datasets that were removed with their trials there is no row and no file.
    private static func checkGone(_ daemon: DaemonProcess, _ gone: CrashScript.Numbers, trials: Set<String>)
        async throws
    {
        #expect(trials.isDisjoint(with: gone.trials.map(String.init)))
        for id in gone.trials { #expect(access("\(daemon.state)/trials/\(id)", F_OK) != 0, "\(id)") }
        if let id = gone.jobs.max() {
            let error = await #expect(throws: RPCError.self) {
                try await call(daemon.socket, JobGet.self, JobID(id: id))
            }
            #expect(error?.reason == "job-unknown")
        }
        if let id = gone.laws.max() {
            let error = await #expect(throws: RPCError.self) {
                try await call(daemon.socket, LawGet.self, LawGetParams(id: id))
            }
            #expect(error?.reason == "law-unknown")
        }
        guard hasSQLite else { return }
        func list(_ ids: Set<Int64>) -> String { "(" + ids.sorted().map(String.init).joined(separator: ",") + ")" }
        let rows = """
            SELECT 'job', count(*) FROM job WHERE id IN \(list(gone.jobs));
            SELECT 'trial', count(*) FROM trial WHERE id IN \(list(gone.trials)) OR jobId IN \(list(gone.jobs));
            SELECT 'law', count(*) FROM law WHERE id IN \(list(gone.laws));
            SELECT 'observation', count(*) FROM observation WHERE trialId IN \(list(gone.trials))
                OR json_extract(body, '$.job') IN \(list(gone.jobs));
            SELECT 'timing', count(*) FROM timing WHERE trialId IN \(list(gone.trials))
                OR datasetId NOT IN (SELECT id FROM dataset);
            SELECT 'probe', count(*) FROM probe WHERE datasetId NOT IN (SELECT id FROM dataset);
            """
        let found = try await runProgram(path: "/usr/bin/sqlite3", ["\(daemon.state)/plawd.sqlite", rows])
        #expect(found.output == "job|0\ntrial|0\nlaw|0\nobservation|0\ntiming|0\nprobe|0\n", "\(found)")
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
