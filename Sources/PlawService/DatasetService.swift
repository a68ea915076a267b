internal import Calibration
internal import Host
internal import Domain
internal import Interactions
internal import Logging
internal import Wire
internal import Server
internal import SequenceEntropy
internal import Store
internal import StrictJSON
internal import Text

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Registers, shows and removes datasets.
actor DatasetService {
    private let store: Store
    private let layout: StateLayout
    private let corpora: Corpora
    private let uploads: Uploads
    private let memory: ReadingMemory
    private let space: DiskSpace
    private let spare: SpareRoom
    private let pages: SequencePages
    private let offload = Offload()
    private let logger: Logger
    /// Names being registered at this moment.
    private var inWork: Set<String> = []
    /// Entropies asked for last, oldest first: they cost a pass over the corpus each.
    private var measured: [(key: EntropyKey, figures: (EntropyReport, EntropyMovement))] = []

    private static let remembered = 32

    /// A corpus file's name is never used twice.
    private struct EntropyKey: Equatable {
        var corpusFile: String
        var m: Int
        var r: Double
        var maxLength: Int
    }

    init(
        store: Store, layout: StateLayout, corpora: Corpora, uploads: Uploads, memory: ReadingMemory, space: DiskSpace,
        logger: Logger
    ) {
        self.corpora = corpora
        self.store = store
        self.layout = layout
        self.uploads = uploads
        self.memory = memory
        self.space = space
        spare = SpareRoom(layout)
        pages = SequencePages(corpora)
        self.logger = logger
    }

    func upload(_ params: DatasetUploadParams, _ context: RequestContext) async throws -> DatasetUploadResult {
        try RPCError.check("file", params.file, 0...Uploads.maximumFiles - 1)
        guard let id = params.uploadId else {
            guard params.file == nil, params.offset == nil, params.data == nil, params.discard == nil else {
                throw RPCError.missing("uploadId", expected: "that of an upload, which begins with no member but name")
            }
            if let name = params.name {
                try Self.check(name: name)
                guard !inWork.contains(name), try await !store.datasetExists(name) else { throw Self.taken(name) }
            }
            let begun = try await uploads.begin(by: context.standing, on: context.connection)
            context.atEnd("uploads") { [uploads, connection = context.connection] in
                await uploads.discard(of: connection)
            }
            return begun
        }
        guard params.name == nil else {
            throw RPCError.parameter("name", found: "uploadId beside it", expected: "it only where an upload begins")
        }
        if params.discard == true {
            guard params.file == nil, params.offset == nil, params.data == nil else {
                throw RPCError.parameter("discard", found: "file, offset or data beside it", expected: "uploadId alone")
            }
            return DatasetUploadResult(uploadId: id, received: try await uploads.giveUp(id))
        }
        if params.last == true {
            guard params.offset == nil, params.data == nil else {
                throw RPCError.parameter("last", found: "offset or data beside it", expected: "uploadId alone")
            }
            return try await uploads.complete(id)
        }
        guard let offset = params.offset, let data = params.data else {
            throw RPCError.missing(
                params.offset == nil ? "offset" : "data", expected: "both offset and data beside uploadId")
        }
        return try await uploads.append(id, file: params.file ?? 0, offset: offset, data: data)
    }

    func register(_ params: DatasetRegisterParams) async throws -> DatasetRegisterResult {
        try Self.check(name: params.name)
        try RPCError.check("maxLength", params.maxLength, 1...4096)
        try RPCError.check("options.kCore", params.options?.kCore, 1...1_000_000_000)
        try Self.check(container: params.container)
        let maxLength = params.maxLength ?? 50
        // Taken before the first wait, so that of two registrations at once one is refused.
        guard !inWork.contains(params.name) else { throw Self.taken(params.name) }
        inWork.insert(params.name)
        defer { inWork.remove(params.name) }
        guard try await !store.datasetExists(params.name) else { throw Self.taken(params.name) }
        var source = try await SourceFiles(
            uploadId: params.uploadId, path: params.path, paths: params.paths, fileName: params.fileName,
            fileNames: params.fileNames, in: uploads)
        if params.uploading == true {
            guard let id = params.uploadId, params.dryRun != true else {
                throw RPCError.parameter(
                    "uploading", found: "it without uploadId, or beside dryRun", expected: "it beside uploadId")
            }
            source.growing = try await uploads.growing(id)
        }
        do {
            let result = try await refusing(source, params.name) {
                try await read(params, source: source, maxLength: maxLength)
            }
            if result.dataset != nil, let upload = params.uploadId { await uploads.discard(upload) }
            return result
        } catch let error as RPCError where [.invalidInput, .tooLarge].contains(ErrorCode(rawValue: error.code)) {
            if let upload = params.uploadId { await uploads.discard(upload) }
            throw error
        }
    }

    /// Maps what the reader refuses to errors of the wire.
    private func refusing<T>(_ source: SourceFiles, _ name: String?, _ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch let error as InteractionError where ["write", "no-space"].contains(error.reason) {
            // Not the content's fault: an upload stays, and may be registered when there is room.
            throw RPCError(
                error.reason == "no-space" ? .noSpace : .storeFailed, error.description,
                ["cause": .string(error.reason)])
        } catch let error as InteractionError {
            throw source.refusal(error, for: name)
        }
    }

    /// Reads files into a corpus.
    private func corpus<T: Sendable>(
        at path: String, _ source: SourceFiles, _ options: ReadOptions,
        _ body: @escaping @Sendable (InteractionReader, DatasetStatistics, _ isCancelled: () -> Bool) throws -> T
    ) async throws -> T {
        let expected = try await space.expected()
        return try await offload.run(cancellable: { [memory, space] isCancelled in
            try memory.sharing { mayTake in
                let reader = try InteractionReader(
                    paths: source.paths, names: source.names, options: options, growing: source.growing)
                var room: DiskSpace.Reservation?
                let statistics = try reader.buildCorpus(
                    at: path, forTraining: true, shouldStop: isCancelled, mayTake: mayTake
                ) {
                    room = try space.reserveNow($0, for: "the corpus", beside: expected)
                }
                room?.wrote()
                room = nil
                let result = try body(reader, statistics, isCancelled)
                if isCancelled() { throw CancellationError() }
                return result
            }
        })
    }

    private func read(
        _ params: DatasetRegisterParams, source: SourceFiles, maxLength: Int
    ) async throws -> DatasetRegisterResult {
        let options = params.options ?? ReadOptions()
        if params.dryRun == true {
            let decision = try await offload.run {
                try InteractionReader(paths: source.paths, options: options).decision.out(of: params.container)
            }
            return DatasetRegisterResult(decision: decision, dataset: nil)
        }
        let corpusFile = params.name + "." + UUID().uuidString.prefix(8).lowercased() + ".corpus"
        let corpusPath = layout.corpora + "/" + corpusFile
        do {
            let (decision, statistics, entropy, targets, bytes) = try await corpus(at: corpusPath, source, options) {
                reader, statistics, isCancelled in
                func checkStop() throws { if isCancelled() { throw CancellationError() } }
                let corpus = try Corpus(path: corpusPath)
                let entropy = try EntropyReport.measure(corpus, maxLength: maxLength, checkStop: checkStop)
                let targets = try TargetFacts(
                    corpus, mask: Self.mask(params, statistics), maxLength: maxLength, checkStop: checkStop)
                let size = try FileManager.default.attributesOfItem(atPath: corpusPath)[.size] as? Int
                return (reader.decision.out(of: params.container), statistics, entropy, targets, size ?? 0)
            }
            let info = DatasetInfo(
                name: params.name, version: statistics.contentHash, createdAt: timestamp(),
                fileName: source.names[0], fileNames: source.names.count > 1 ? source.names : nil, decision: decision,
                options: options, users: statistics.users, items: statistics.items,
                interactions: statistics.interactions, statistics: statistics,
                mask: Self.mask(params, statistics), entropy: entropy, targets: targets, corpusBytes: bytes)
            try await store.insertDataset(info, corpusFile: corpusFile)
            logger.notice(
                "dataset registered",
                metadata: [
                    "event": "\(JournalEvent.datasetRegistered)", "dataset": "\(info.name)",
                    "interactions": "\(statistics.interactions)",
                ])
            return DatasetRegisterResult(decision: decision, dataset: info)
        } catch {
            // Nothing half-registered stays behind; the file may not exist yet.
            try? FileManager.default.removeItem(atPath: corpusPath)
            throw error
        }
    }

    /// Where users return to items, those are answers too.
    private static func mask(_ params: DatasetRegisterParams, _ statistics: DatasetStatistics) -> CandidateMask {
        params.mask ?? .standard(repeatedShare: statistics.repeatedShare)
    }

    /// Reads files as `register` would, and keeps nothing of them but the upload.
    func inspect(_ params: DatasetInspectParams) async throws -> DatasetInspectResult {
        try RPCError.check("options.kCore", params.options?.kCore, 1...1_000_000_000)
        try RPCError.check("events", params.events, 0...1_000)
        try Self.check(container: params.container)
        let source = try await SourceFiles(
            uploadId: params.uploadId, path: params.path, paths: params.paths, fileName: params.fileName,
            fileNames: params.fileNames, in: uploads)
        let path = layout.corpora + "/inspected." + UUID().uuidString.lowercased() + ".corpus"
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await refusing(source, nil) {
            try await corpus(at: path, source, params.options ?? ReadOptions()) { reader, statistics, _ in
                DatasetInspectResult(
                    decision: reader.decision.out(of: params.container),
                    columns: reader.columns.prefix(200).map { column in
                        InspectedColumn(
                            name: column.name, values: column.values,
                            role: reader.decision.columns.first { $0.value == column.name }?.key)
                    },
                    events: try reader.firstInteractions(params.events ?? 10).map {
                        InspectedEvent(user: $0.user, item: $0.item, time: $0.time)
                    }, statistics: statistics)
            }
        }
    }

    func sequences(_ params: DatasetSequencesParams) async throws -> DatasetSequencesResult {
        try RPCError.check("limit", params.limit, 1...SequencePages.mostInteractions)
        let dataset = try await store.dataset(params.name)
        guard !dataset.corpusFile.isEmpty else {
            throw Self.noInteractions(params.name, "it has no sequences to show")
        }
        return try await offload.run(cancellable: { [pages] isCancelled in
            try pages.page(dataset, params, shouldStop: isCancelled)
        })
    }

    func list(_ params: DatasetListParams) async throws -> DatasetListResult {
        try RPCError.check("limit", params.limit, 1...DatasetListParams.largestPage)
        let limit = params.limit ?? DatasetListParams.largestPage
        // One more than asked for tells whether there are more.
        let found = try await store.datasets(after: params.after ?? "", limit: limit + 1)
        let page = found.prefix(limit).map(Self.summary)
        return DatasetListResult(datasets: page, next: found.count > limit ? page.last?.name : nil)
    }

    private static func summary(_ dataset: CountedDataset) -> DatasetSummary {
        let info = dataset.info
        return DatasetSummary(
            name: info.name, users: info.users, items: info.items, interactions: info.interactions,
            createdAt: info.createdAt, pooledApEn: info.entropy.map { $0.pooled(m: 1)?.value ?? 0 },
            observations: dataset.observations, laws: dataset.laws)
    }

    func get(_ name: String) async throws -> DatasetInfo { try await store.dataset(name).info }

    func remove(_ name: String) async throws -> DatasetRemoveResult {
        if let job = try await store.unfinishedJobs(of: name).first {
            throw RPCError(
                .busy, "job \(job) of \"\(name)\" has not ended; cancel it first", ["job": .integer(job)])
        }
        let removed = try await removed(name)
        defer { spare.keep() }
        // Without the check a dataset without a corpus would take the folder with it.
        if !removed.corpusFile.isEmpty {
            try? FileManager.default.removeItem(atPath: layout.corpora + "/" + removed.corpusFile)
        }
        for trial in removed.trials { try? FileManager.default.removeItem(atPath: "\(layout.trials)/\(trial)") }
        logger.notice("dataset removed", metadata: ["event": "\(JournalEvent.datasetRemoved)", "dataset": "\(name)"])
        return DatasetRemoveResult(name: name, observations: removed.observations, laws: removed.laws)
    }

    /// On a disk that is quite full with the room that is kept for it.
    private func removed(_ name: String) async throws -> Store.RemovedDataset {
        do {
            return try await store.removeDataset(name)
        } catch  where error.kind == .noSpace {
            spare.release()
            return try await store.removeDataset(name)
        }
    }

    func entropy(_ params: DatasetEntropyParams) async throws -> DatasetEntropyResult {
        let dataset = try await store.dataset(params.name)
        guard let stored = dataset.info.entropy else {
            throw Self.noInteractions(params.name, "it has no sequences to measure")
        }
        let m = params.m ?? stored.perUserApEn.m
        let r = params.r ?? stored.perUserApEn.r
        let maxLength = params.maxLength ?? stored.perUserApEn.maxLength
        try RPCError.check("m", m, 1...64)
        guard r.isFinite else { throw RPCError.parameter("r", found: "\(r)", expected: "a finite number") }
        try RPCError.check("maxLength", maxLength, 1...4096)
        let key = EntropyKey(corpusFile: dataset.corpusFile, m: m, r: r, maxLength: maxLength)
        if let (entropy, movement) = measured.first(where: { $0.key == key })?.figures {
            return DatasetEntropyResult(name: params.name, entropy: entropy, movement: movement)
        }
        let same = stored.perUserApEn.m == m && stored.perUserApEn.r == r && stored.perUserApEn.maxLength == maxLength
        do {
            let (entropy, movement) = try await offload.run(cancellable: { [corpora] isCancelled in
                let corpus = try corpora.open(dataset, shouldStop: isCancelled)
                let entropy =
                    same
                    ? stored
                    : try EntropyReport.measure(corpus, m: m, r: r, maxLength: maxLength) {
                        if isCancelled() { throw CancellationError() }
                    }
                let movement = try EntropyMovement.measure(corpus, m: m, r: r, maxLength: maxLength) {
                    if isCancelled() { throw CancellationError() }
                }
                return (entropy, movement)
            })
            measured = measured.suffix(Self.remembered - 1) + [(key, (entropy, movement))]
            return DatasetEntropyResult(name: params.name, entropy: entropy, movement: movement)
        } catch let error as EntropyError {
            throw RPCError(.invalidParams, error.description, ["field": .string("r")])
        }
    }

    // MARK: - Checks

    /// Names become file names, so nothing but letters, digits and `-_.` may stand in them.
    private static func check(container: String?) throws {
        guard let container, !(1...100).contains(container.utf8.count) else { return }
        throw RPCError.parameter("container", foundText: container, expected: "1 to 100 bytes")
    }

    static func check(name: String) throws {
        let letters = name.utf8
        func alphanumeric(_ c: UInt8) -> Bool {
            (48...57).contains(c) || (65...90).contains(c) || (97...122).contains(c)
        }
        let good =
            (1...64).contains(letters.count) && letters.first.map(alphanumeric) == true
            && letters.allSatisfy { alphanumeric($0) || $0 == 45 || $0 == 95 || $0 == 46 }
        guard good else {
            throw RPCError.parameter(
                "name", foundText: name,
                expected: "1 to 64 of letters, digits, '-', '_' and '.', beginning with a letter or digit")
        }
    }

    /// Of a dataset made of observations alone.
    static func noInteractions(_ name: String, _ consequence: String) -> RPCError {
        RPCError(
            .noInteractions,
            "\"\(name)\" is made of imported observations alone: \(consequence); register a file of interactions under "
                + "another name and import the observations there (plaw export, plaw import)",
            ["dataset": .string(name)])
    }

    static func taken(_ name: String) -> RPCError {
        RPCError(
            .datasetExists, "a dataset is already named \"\(name)\"; remove it or choose another name",
            ["name": .string(name)])
    }
}
