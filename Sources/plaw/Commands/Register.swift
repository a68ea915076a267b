import ArgumentParser
import Domain
import PlawClient
import PlawProtocol
import Text

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `plaw register`: sends a file to the daemon, shows what it decided about it, and what it read.
struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Register a file of interactions as a dataset.",
        discussion: """
            The format is found by looking: lines of `user item item ...` or `user item`, RecBole .inter, \
            `user::item::rating::time`, CSV or TSV with or without a header, lists of items in a field, JSON lines; \
            gzip too. A file that can be read in two ways is refused with the command line that decides.
            """)

    @Argument(help: "Name of the dataset: letters, digits, '-', '_' and '.'.") var name: String
    @Argument(help: "File of interactions.", completion: .file()) var file: String
    @Flag(help: "Let the daemon open the path itself instead of sending the bytes.") var serverPath = false
    @Option(
        help: ArgumentHelp(
            "Which column holds what: user=uid,item=sku,time=ts. "
                + "Names, or numbers from 0. A column that holds lists of items is items=.", valueName: "columns")
    )
    var columns: Columns?
    @Option(help: "file: leave times unread and take interactions in the order of the file. Default: by time.")
    var order: ReadOptions.Order?
    @Option(help: "What comes first in dates such as 01/12/2010: dmy or mdy. Default: as some date of the file tells.")
    var dates: ReadOptions.DayOrder?
    @Option(help: "Keep users and items with at least this many interactions, until stable. Default: keep all.")
    var kCore: Int?
    @Option(help: "Keep the first of equal (user, item) pairs, or of equal rows: pairs or rows. Default: keep all.")
    var deduplicate: ReadOptions.Deduplication?
    @Option(help: "Items left out of the ranking: none, window or full. Chosen by the share of repeats unless given.")
    var mask: CandidateMask?
    @Option(help: "Longest sequence, for tokens and per-user entropy. Default: 50.") var maxLength: Int?
    @OptionGroup var common: Common

    func run() async throws {
        // Everything wrong with the file on this side is said before the daemon is asked for anything.
        let source = try serverPath ? nil : LocalFile(file)
        defer { source?.close() }
        let result = try await refusals {
            try await send(source)
        }
        try common.show(result) { result in
            guard let dataset = result.dataset else { return }
            DatasetDisplay(dataset).printStatistics()
            DatasetDisplay(dataset).printEntropy()
            DatasetDisplay(dataset).printDoubts()
            Terminal.print("next: plaw calibrate \(dataset.name) --budget 10m")
        }
    }

    /// Names the file in the command lines of refusals as it was given, so that they can be pasted.
    private func refusals<T>(_ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch var error as RPCError {
            error.message = error.message.replacing(
                "plaw register \(name) \(fileName.shellWord)", with: "plaw register \(name) \(file.shellWord)")
            throw error
        }
    }

    private var fileName: String { String(file.split(separator: "/").last ?? "") }

    private func send(_ source: LocalFile?) async throws -> DatasetRegisterResult {
        try await common.connected { client in
            var params = DatasetRegisterParams(
                name: name, fileName: fileName,
                options: ReadOptions(
                    columns: columns?.values, kCore: kCore, deduplicate: deduplicate, order: order,
                    dates: dates),
                mask: mask,
                maxLength: maxLength)
            if let source {
                params.uploadId = try await source.send(to: client, for: name)
            } else {
                params.path = absolute(file)
            }
            params.dryRun = true
            let decision = try await client.call(DatasetRegister.self, params).decision
            Terminal.note(Self.describe(decision))
            params.dryRun = nil
            return try await client.call(DatasetRegister.self, params)
        }
    }

    /// What the reader decided, in a line.
    static func describe(_ decision: FormatDecision) -> String {
        let columns = ["user", "items", "item", "time"].compactMap { role in
            decision.columns[role].map { "\(role) = \($0)" }
        }
        let header =
            ["sequences", "jsonl"].contains(decision.format)
            ? "" : decision.hasHeader ? ", with header" : ", without header"
        let compression = decision.compression == "none" ? "" : ", \(decision.compression)"
        let order = decision.columns["time"] == nil ? "in file order" : "time in \(decision.timeUnit)"
        let unused =
            decision.unused.map { "; not used: \($0.map { $0.isEmpty ? "\"\"" : $0 }.joined(separator: ", "))" } ?? ""
        return
            "format: \(decision.format)\(compression)\(header); \(columns.joined(separator: ", ")); \(order)\(unused)"
    }

    private func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}
