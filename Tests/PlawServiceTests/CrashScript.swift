import Domain
import Foundation
import Glibc
import Client
import PlawTesting
import Synchronization
import Testing

@testable import Wire

/// What the daemon is asked to do, round after round; a step that a kill left in doubt is looked at and done where it was not.
final class CrashScript: Sendable {
    enum Step: CaseIterable {
        case upload, register, importing, backup, shelve, remove, calibrate, fit

        /// About how long it takes.
        var microseconds: UInt64 {
            switch self {
            case .calibrate: 600_000
            case .shelve: 800_000
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
        /// What a dataset that is removed with its trials, and registered again in the next round, had.
        var shelf = Numbers()
        /// What such datasets had that were removed.
        var gone = Numbers()
    }

    struct Numbers: Sendable {
        var jobs: Set<Int64> = []
        var trials: Set<Int64> = []
        var laws: Set<Int64> = []
    }

    private struct State {
        var step: Step?
        /// A step that somebody waits for.
        var awaited: (step: Step, continuation: AsyncStream<Void>.Continuation)?
        var isKilled = false
        var done = 0
        /// Steps of the round in progress that are done.
        var steps: Set<Step> = []
        var job: Int64?
        var acknowledged = Acknowledged()
    }

    private let state = Mutex(State())
    private let file: Data
    /// Of the dataset that is calibrated before it is removed.
    private let small: Data

    init(file: Data, small: Data) { (self.file, self.small) = (file, small) }

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

    /// Does what is left of a round.
    ///
    /// - Throws: those of the calls.
    func finishRound(_ socket: String) async throws {
        let round = rounds + 1
        try await dataset(socket, "big\(round)")
        try await importing(socket, "table\(round)")
        try await backup(socket)
        try await shelve(socket)
        try await remove(socket, ["big\(round)", "table\(round)", "shelf"])
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
        let list = try await call(socket, DatasetList.self, DatasetListParams()).datasets
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
        let list = try await call(socket, DatasetList.self, DatasetListParams()).datasets
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

    /// A dataset of the same name in every round, with trials and laws to its end.
    private func shelve(_ socket: String) async throws {
        if state.withLock({ $0.steps.contains(.shelve) }) { return }
        state.withLock { _ = $0.acknowledged.removed.remove("shelf") }
        enter(.shelve)
        let list = try await call(socket, DatasetList.self, DatasetListParams()).datasets
        if !list.contains(where: { $0.name == "shelf" }) { _ = try await register(socket, "shelf", bytes: small) }
        var known = try await call(socket, JobList.self, JobListParams(name: "shelf")).jobs.first
        if known == nil {
            let params = CalibrationParams(
                name: "shelf", budgetSeconds: 600, layers: [1], dims: [4, 8, 16, 32], workers: 2, patience: 1,
                maxEpochs: 2, batchUsers: 64)
            known = try await call(socket, CalibrationStart.self, params).job
        }
        let job = try await end(of: try #require(known).id, socket)
        #expect(job.state == .finished && job.finishedTrials == job.trialCount, "\(job)")
        state.withLock { state in
            state.acknowledged.shelf = Numbers(
                jobs: [job.id], trials: Set((job.trials ?? []).map(\.id)), laws: Set(job.laws))
            state.steps.insert(.shelve)
        }
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
            let list = try await call(socket, DatasetList.self, DatasetListParams()).datasets
            if list.contains(where: { $0.name == name }) {
                _ = try await call(socket, DatasetRemove.self, DatasetName(name: name))
            }
            state.withLock { _ = $0.acknowledged.removed.insert(name) }
        }
        state.withLock { state in
            let shelf = state.acknowledged.shelf
            state.acknowledged.gone.jobs.formUnion(shelf.jobs)
            state.acknowledged.gone.trials.formUnion(shelf.trials)
            state.acknowledged.gone.laws.formUnion(shelf.laws)
            state.acknowledged.shelf = Numbers()
            state.steps.insert(.remove)
        }
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
