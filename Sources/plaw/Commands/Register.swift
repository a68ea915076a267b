import ArgumentParser
import Domain
import Client
import Wire
import Text

/// `plaw register`: sends a file to the daemon, shows what it decided about it, and what it read.
struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Register a file of interactions, or several, as a dataset.",
        discussion: """
            The format is found by looking: lines of `user item item ...` or `user item`, RecBole .inter, \
            `user::item::rating::time`, CSV or TSV with or without a header, lists of items in a field, JSON lines; \
            also out of gzip, bzip2, xz, zstd, zip, tar and 7z, and Parquet where Python with pyarrow or duckdb is there. \
            A file that can be read in two ways is refused with the command line that decides. `plaw inspect FILE` shows \
            how it would be read.
            """)

    @Argument(help: "Name of the dataset: letters, digits, '-', '_' and '.'.") var name: String
    @Argument(
        help: "Files of interactions that make the dataset; - for standard input, ARCHIVE:FILE for one of an archive.",
        completion: .file())
    var files: [String]
    @OptionGroup(title: "Reading") var reading: ReadingOptions
    @Option(help: "Items left out of the ranking: none, window or full. Default: chosen by the share of repeats.")
    var mask: CandidateMask?
    @Option(help: "Longest sequence, for tokens and per-user entropy. Default: 50.") var maxLength: Int?
    @OptionGroup var common: Common

    func run() async throws {
        // Everything wrong with the files on this side is said before the daemon is asked for anything.
        let inputs = try await reading.serverPath ? nil : Inputs(files)
        defer { inputs?.close() }
        let names = inputs?.inputs.map(\.name) ?? files.map(Input.last)
        let result = try await refusals(names) { try await send(inputs, names) }
        try common.show(result) { result in
            guard let dataset = result.dataset else { return }
            DatasetDisplay(dataset).printStatistics()
            DatasetDisplay(dataset).printEntropy()
            DatasetDisplay(dataset).printDoubts()
            Terminal.print("next: plaw calibrate \(dataset.name) --budget 10m")
        }
    }

    /// Makes the command lines of refusals such as can be pasted.
    private func refusals<T>(_ names: [String], _ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch var error as RPCError {
            error.message = reading.pasteable(error.message, "plaw register \(name)", names, files)
            throw error
        }
    }

    private func send(_ inputs: Inputs?, _ names: [String]) async throws -> DatasetRegisterResult {
        try await common.connected { client in
            var params = DatasetRegisterParams(name: name)
            (params.fileNames, params.container) = (names, inputs?.container)
            (params.options, params.mask, params.maxLength) = (reading.options, mask, maxLength)
            if let inputs, inputs.isLarge {
                return try await sendAndRead(inputs, client, params)
            } else if let inputs {
                params.uploadId = try await inputs.send(to: client, for: name)
            } else {
                params.paths = files.map(ReadingOptions.absolute)
            }
            params.dryRun = true
            let decision = try await client.call(DatasetRegister.self, params).decision
            Terminal.note(Self.describe(decision))
            params.dryRun = nil
            return try await client.call(DatasetRegister.self, params)
        }
    }

    /// Registers a file while it is being sent.
    private func sendAndRead(
        _ inputs: Inputs, _ client: PlawClient, _ params: DatasetRegisterParams
    ) async throws -> DatasetRegisterResult {
        var params = params
        params.uploadId = try await inputs.begin(to: client, for: name)
        params.uploading = true
        let upload = params.uploadId
        async let registered = register(params)
        do {
            try await inputs.send(to: client, upload ?? "")
            _ = try await client.call(DatasetUpload.self, DatasetUploadParams(uploadId: upload, last: true))
        } catch let error as CommandFailure {
            // What cannot be read here is the reason, not that the daemon waits for it.
            _ = try? await client.call(DatasetUpload.self, DatasetUploadParams(uploadId: upload, discard: true))
            _ = try? await registered
            throw error
        } catch {
            // A registration that was refused says why; pieces are not taken any more then.
            _ = try await registered
            throw error
        }
        let result = try await registered
        Terminal.note(Self.describe(result.decision))
        return result
    }

    /// On a connection of its own: on one, requests that change something wait for each other.
    private func register(_ params: DatasetRegisterParams) async throws -> DatasetRegisterResult {
        try await common.connected { try await $0.call(DatasetRegister.self, params) }
    }

    /// What the reader decided, in a line.
    static func describe(_ decision: FormatDecision) -> String {
        let columns = ["user", "items", "item", "time", "behavior", "value", "domain"].compactMap { role in
            decision.columns[role].map { "\(role) = \($0)" }
        }
        let header =
            ["sequences", "jsonl"].contains(decision.format)
            ? "" : decision.hasHeader ? ", with header" : ", without header"
        let compression =
            decision.container.map { " out of \($0)" }
            ?? (decision.compression == "none" ? "" : " out of \(decision.compression)")
        let order =
            decision.columns["time"] == nil
            ? "in file order" : decision.timeUnit == "date" ? "times are dates" : "time in \(decision.timeUnit)"
        let unused =
            decision.unused.map { "; not used: \($0.map { $0.isEmpty ? "\"\"" : $0 }.joined(separator: ", "))" } ?? ""
        return
            "format: \(decision.format)\(compression)\(header); \(columns.joined(separator: ", ")); \(order)\(unused)"
    }
}
