internal import Host
internal import Calibration
internal import Costs
internal import Domain
internal import Logging
internal import Observations
internal import Wire
internal import Server
internal import Store
internal import StrictJSON

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Imports and lists observations.
actor ObservationService {
    private let store: Store
    private let uploads: Uploads
    private let laws: LawService
    private let space: DiskSpace
    private let offload = Offload()
    private let logger: Logger

    /// Keys of an import whose laws are fitted at once, those with most observations first.
    private static let mostKeys = 32
    /// Observations of a key that are still fitted at once; the time of a fit grows with them.
    private static let mostFitted = 5_000

    /// What a row takes in the database and its log, at most.
    private static let bytesOfRow = 4_096

    init(store: Store, uploads: Uploads, laws: LawService, space: DiskSpace, logger: Logger) {
        (self.store, self.uploads, self.laws, self.space, self.logger) = (store, uploads, laws, space, logger)
    }

    func list(_ params: ObservationListParams) async throws -> ObservationListResult {
        try RPCError.check("limit", params.limit, 1...ObservationListParams.largestPage)
        try RPCError.check("after", params.after, 0 ... .max)
        let limit = params.limit ?? ObservationListParams.largestPage
        let page = try await store.observationPage(
            of: params.name, after: params.after ?? 0, limit: limit, mostBytes: FrameLimits.responseBytes / 2)
        return ObservationListResult(observations: page.observations, next: page.next)
    }

    func importTable(_ params: ObservationImportParams) async throws -> ObservationImportResult {
        try DatasetService.check(name: params.name)
        let creates = params.create ?? false
        try Self.check(params, creates: creates)
        let exists = try await store.datasetExists(params.name)
        if creates, exists { throw DatasetService.taken(params.name) }
        if !creates, !exists {
            throw RPCError(
                .datasetUnknown,
                "no dataset is named \"\(params.name)\"; --create makes it of these observations alone",
                ["dataset": .string(params.name), "options": .array([.string("--create")])])
        }
        let info = exists ? try await store.dataset(params.name).info : nil
        let bytes = try await content(params)
        let file = params.fileName ?? "text"
        let table: ObservationTable
        let options = TableOptions(
            constants: params.columns ?? [:], map: params.map ?? [:], ignore: params.ignore ?? [],
            finished: params.statusOk ?? [])
        do {
            let context = TableContext(
                dataset: params.name, source: params.source, tokens: info?.entropy?.tokens,
                apen: info?.entropy?.dataApEn, maxLength: info?.entropy?.perUserApEn.maxLength)
            table = try await offload.run(cancellable: { isCancelled in
                try ObservationTable(
                    bytes: bytes, file: file, options: options, context: context, shouldStop: isCancelled)
            })
        } catch let error as TableError {
            if let upload = params.uploadId { await uploads.discard(upload) }
            throw Self.refusal(error)
        }
        guard table.rows.contains(where: { !$0.observation.metrics.isEmpty }) else {
            if let upload = params.uploadId { await uploads.discard(upload) }
            throw RPCError(
                .invalidInput,
                "\(file): found no training with a metric, expected at least one (\(table.skipped + table.failures) without any)",
                ["cause": .string("no-observations"), "file": .string(file)])
        }
        let created = creates ? Self.dataset(params, table) : nil
        let (added, duplicates) = try await space.writing(table.rows.count * Self.bytesOfRow, for: "the import") {
            try await store(params.name, created, table, file: file)
        }
        if let upload = params.uploadId { await uploads.discard(upload) }
        logger.notice(
            "observations imported",
            metadata: [
                "event": "\(JournalEvent.observationsImported)", "dataset": "\(params.name)",
                "observations": "\(added.count)",
            ])
        return try await answer(
            ObservationImportResult(
                dataset: params.name, created: creates, rows: table.rows.count + table.skipped, imported: added.count,
                duplicates: duplicates, failed: added.count(where: \.isFailed), skipped: table.skipped,
                read: table.read,
                unused: Array(table.unused.prefix(ObservationImportResult.mostUnused)), keys: Self.keys(added),
                laws: [],
                warnings: table.warnings),
            added, of: info ?? created)
    }

    // MARK: - Parts

    private static func check(_ params: ObservationImportParams, creates: Bool) throws {
        for (field, value) in [
            ("users", params.users), ("items", params.items), ("interactions", params.interactions),
        ] {
            guard let value else { continue }
            guard creates else {
                throw RPCError.parameter(
                    field, found: "it without create", expected: "it only where the dataset is made")
            }
            try RPCError.check(field, value, 1...KnownCosts.mostItems)
        }
        if let source = params.source,
            source.isEmpty || source.utf8.count > 500 || source.utf8.contains(where: { $0 < 32 })
        {
            throw RPCError.parameter(
                "source", found: "\(source.utf8.count) bytes", expected: "1 to 500 of text on one line")
        }
    }

    private func content(_ params: ObservationImportParams) async throws -> [UInt8] {
        switch (params.text, params.uploadId) {
        case (let text?, nil): return Array(text.utf8)
        case (nil, let id?):
            let files = try await uploads.files(id)
            guard files.count == 1, let path = files.first else {
                throw RPCError.parameter("uploadId", found: "\(files.count) files", expected: "one table")
            }
            let bytes: [UInt8]? = try await offload.run {
                let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
                return size > ObservationTable.mostBytes ? nil : Array(try Data(contentsOf: URL(filePath: path)))
            }
            if let bytes { return bytes }
            await uploads.discard(id)
            throw RPCError(
                .tooLarge, "the file has more than \(ObservationTable.mostBytes) bytes, the limit of an import")
        case (nil, nil): throw RPCError.missing("text", expected: "it or uploadId")
        case (_?, _?): throw RPCError.parameter("text", found: "uploadId beside it", expected: "one of them")
        }
    }

    private func store(
        _ name: String, _ created: DatasetInfo?, _ table: ObservationTable, file: String
    ) async throws -> (added: [Observation], duplicates: Int) {
        do {
            return try await store.importObservations(into: name, creating: created, table.rows)
        } catch {
            guard error.kind == .conflict else { throw error }
            throw RPCError(
                .invalidInput, "\(file), \(error.cause)",
                ["cause": .string("conflict"), "file": .string(file), "line": .integer(Int64(error.line ?? 1))])
        }
    }

    private static func refusal(_ error: TableError) -> RPCError {
        var fields: [String: JSONValue] = ["cause": .string("table"), "file": .string(error.file)]
        if let line = error.line { fields["line"] = .integer(Int64(line)) }
        if let column = error.column { fields["column"] = .string(column) }
        if !error.options.isEmpty { fields["options"] = .array(error.options.map(JSONValue.string)) }
        return RPCError(.invalidInput, error.description, fields)
    }

    /// A dataset of observations alone. Items follow from the parameters where nobody said them.
    private static func dataset(_ params: ObservationImportParams, _ table: ObservationTable) -> DatasetInfo {
        DatasetInfo(
            name: params.name, version: "", createdAt: timestamp(), fileName: params.fileName ?? "", decision: nil,
            options: ReadOptions(), users: params.users,
            items: params.items ?? KnownCosts.items(from: table.rows.map(\.observation)),
            interactions: params.interactions, statistics: nil, mask: nil, entropy: nil, corpusBytes: 0)
    }

    private static func keys(_ observations: [Observation]) -> [ImportedKey] {
        var keys: [LawKey: ImportedKey] = [:]
        var order: [LawKey] = []
        for observation in observations {
            if keys[observation.key] == nil { order.append(observation.key) }
            keys[observation.key, default: ImportedKey(key: observation.key, observations: 0, converged: 0)]
                .observations += 1
            if observation.isComplete { keys[observation.key]?.converged += 1 }
        }
        return order.compactMap { keys[$0] }
    }

    /// Fits the laws of what was added, and says what the reader must know.
    private func answer(
        _ result: ObservationImportResult, _ added: [Observation], of info: DatasetInfo?
    ) async throws -> ObservationImportResult {
        var result = result
        let keys = result.keys.sorted { $0.converged > $1.converged }
        // Of failed trainings alone there is nothing to fit, and nothing to say.
        let measured = Set(added.lazy.filter { !$0.metrics.isEmpty }.map(\.key))
        for imported in keys.prefix(Self.mostKeys) where measured.contains(imported.key) {
            try Task.checkCancellation()
            result.warnings += Self.undeclared(imported)
            guard imported.converged <= Self.mostFitted else {
                result.warnings.append(
                    Warning(
                        code: "no-law",
                        message: "\(imported.converged) converged observations of \(imported.key.model) take long to "
                            + "fit; start it with plaw fit \(result.dataset)"))
                continue
            }
            guard imported.converged > 0 else {
                result.warnings.append(
                    Warning(
                        code: "no-law",
                        message:
                            "no law was fitted to the \(imported.observations) observations of \(imported.key.model): none "
                            + "of these trainings finished, and a law needs three"))
                continue
            }
            do {
                let bytes = LawForecast.bytes(observations: imported.converged)
                result.laws += try await space.writing(bytes, for: "the fit") {
                    try await laws.fit(LawFitParams(name: result.dataset), key: imported.key).map(\.id)
                }
            } catch {
                result.warnings.append(
                    Warning(
                        code: "no-law",
                        message: "no law was fitted to the \(imported.converged) converged observations of "
                            + "\(imported.key.model): \(error)"))
            }
        }
        if keys.count > Self.mostKeys {
            result.warnings.append(
                Warning(
                    code: "many-keys",
                    message:
                        "found \(keys.count) keys; laws were fitted for the \(Self.mostKeys) with most observations"))
        }
        // The keys of an answer fit into a frame.
        result.keys = Array(keys.prefix(Self.mostKeys))
        result.warnings += Self.errorless(added)
        if let version = info?.version, !version.isEmpty {
            let others = added.count { $0.key.datasetVersion.value.map { $0 != version } ?? false }
            if others > 0 {
                result.warnings.append(
                    Warning(
                        code: "other-version",
                        message:
                            "\(others) observations are of another version of the dataset than the one registered; "
                            + "they are kept apart"))
            }
        }
        return result
    }

    /// What stands for standard errors that nobody said.
    private static func errorless(_ added: [Observation]) -> [Warning] {
        func names(_ observations: [Observation]) -> String {
            Set(observations.flatMap { o in o.metrics.filter { $0.value.lacksError }.keys }).sorted()
                .joined(separator: ", ")
        }
        let (derived, lacking) = (names(added.filter { $0.users > 0 }), names(added.filter { $0.users == 0 }))
        var warnings: [Warning] = []
        if !derived.isEmpty {
            warnings.append(
                Warning(
                    code: "no-standard-error",
                    message: "\(derived) came without standard errors; they follow from the users and the hit rate"))
        }
        if !lacking.isEmpty {
            warnings.append(
                Warning(
                    code: "no-standard-error",
                    message:
                        "\(lacking) came without standard errors and without users in some rows; those count like the "
                        + "least certain of their key, and where none has an error, repeats and residuals say how much "
                        + "trainings vary"))
        }
        return warnings
    }

    private static func undeclared(_ imported: ImportedKey) -> [Warning] {
        let key = imported.key
        return key.open.isEmpty ? [] : [Self.warning(key, observations: imported.observations)]
    }

    /// What an answer that rests on such a key says of it.
    static func warning(_ key: LawKey, observations: Int?) -> Warning {
        let which = observations.map { "\($0) observations" } ?? "the observations"
        let data =
            key.saysDataSize ? "" : "; their data size D' is known only in units of that of all users"
        return Warning(
            code: "undeclared",
            message: "nobody says \(key.open.joined(separator: ", ")). That \(which) of \(key.model) "
                + "agree in these is assumed; they are fitted among themselves only\(data)")
    }
}
