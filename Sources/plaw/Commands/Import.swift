import ArgumentParser
import Client
import Domain
import StrictJSON
import Text
import Wire

/// `plaw import`: takes observations of trainings made elsewhere, and fits their laws.
struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Import observations of trainings made elsewhere, from a CSV.",
        discussion: """
            The header names the columns: layers, dim and at least one metric such as hr@10 or ndcg@10, and as many of \
            backbone, loss, heads, max_length, tokens, apen, seed, split, mask, users, user_fraction, negatives, \
            candidates, filter, policy, code_version, dataset_version, feed_forward_factor, parameters, flops, \
            memory_bytes, latency_seconds, epochs, best_epoch, seconds, status, source as are known. Files that Optuna, \
            Weights & Biases, MLflow and RecBole write are read by their own names. The backbone may be any model. \
            Observations that leave open what makes them comparable are fitted among themselves, with a warning. All rows \
            are taken, or none.

            Examples:
              plaw import mine grid.csv --create --set mask=full --set split=leave-two-out
              plaw import mine optuna.csv --create --set backbone=gru4rec --map value=ndcg@10 --map params_lr=policy
            """)

    @Argument(help: "Name of the dataset.") var name: String
    @Argument(help: "CSV of observations; - for standard input.", completion: .file()) var file: String
    @Flag(help: "Make the dataset, of these observations alone.") var create = false
    @Option(help: "Where the figures come from, kept with every observation.") var source: String?
    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "A value for all rows of a column that the file lacks: mask=full.", valueName: "column=value"),
        transform: ColumnValue.parse)
    var constants: [ColumnValue] = []
    @Option(
        name: .customLong("map"),
        help: ArgumentHelp(
            "What a column of the file is: hidden_size=dim, value=ndcg@10. Trainings with different values of a column that is "
                + "policy (lr=policy) are not compared.", valueName: "theirs=ours"), transform: ColumnValue.parse)
    var maps: [ColumnValue] = []
    @Option(help: ArgumentHelp("A column of the file to leave out.", valueName: "column")) var ignore: [String] = []
    @Option(
        help: ArgumentHelp(
            "Words of the column status of trainings that ended well: best,kept.", valueName: "words"))
    var statusOk: String?
    @Option(help: "With --create: users of the dataset.") var users: Int?
    @Option(help: "With --create: items, for the count of parameters; else they follow from a column parameters.")
    var items: Int?
    @Option(help: "With --create: interactions of the dataset.") var interactions: Int?
    @OptionGroup var verbosity: Verbosity
    @OptionGroup var common: Common

    func validate() throws {
        for (option, names) in [("--set", constants.map(\.column)), ("--map", maps.map(\.column))] {
            if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
                throw ValidationError("\(option): found \(twice) twice, expected each column once")
            }
        }
        if !create, users != nil || items != nil || interactions != nil {
            throw ValidationError("--users, --items, --interactions: expected with --create only")
        }
    }

    func run() async throws {
        let source = try file == "-" ? LocalFile.standardInput : LocalFile(file)
        defer { source.close() }
        func members(_ values: [ColumnValue]) -> [String: String]? {
            values.isEmpty
                ? nil : Dictionary(values.map { ($0.column, $0.value) }, uniquingKeysWith: { first, _ in first })
        }
        let words = statusOk.map { $0.split(separator: ",").map(String.init) }
        let (columns, map) = (members(constants), members(maps))
        let result: ObservationImportResult
        do {
            result = try await common.connected { client in
                var params = ObservationImportParams(name: name)
                params.uploadId = try await source.send(to: client)
                params.fileName = file == "-" ? "standard input" : String(file.split(separator: "/").last ?? "")
                params.create = create ? true : nil
                (params.source, params.columns, params.map) = (self.source, columns, map)
                (params.ignore, params.statusOk) = (ignore.isEmpty ? nil : ignore, words)
                (params.users, params.items, params.interactions) = (users, items, interactions)
                return try await client.call(ObservationImport.self, params)
            }
        } catch let error as RPCError {
            throw Self.settled(error)
        }
        try common.show(result) { result in
            Self.lines(result, width: Terminal.outputWidth).forEach(Terminal.print)
            CandidateDisplay.printWarnings(result.warnings, verbosity)
            if !result.laws.isEmpty {
                Terminal.print("next: plaw law \(result.dataset), plaw recommend \(result.dataset)")
            }
        }
    }

    /// A refusal with the command that would settle it, where the daemon knows the options.
    private static func settled(_ error: RPCError) -> RPCError {
        guard case .array(let options)? = error.data?["options"] else { return error }
        var error = error
        let words = ["plaw"] + CommandLine.arguments.dropFirst().map(\.shellWord)
        let found = options.compactMap { if case .string(let text) = $0 { text } else { nil } }
        error.message += ". To settle it: " + (words + found).joined(separator: " ")
        return error
    }

    /// What was imported, as text of at most `width` columns.
    static func lines(_ result: ObservationImportResult, width: Int? = nil) -> [String] {
        func rows(_ count: Int) -> String { "\(Format.count(count)) \(count == 1 ? "row" : "rows")" }
        var lines = [
            "\(result.created ? "made" : "added to") \(result.dataset): \(Format.count(result.imported)) of "
                + "\(rows(result.rows)) imported"
        ]
        if result.duplicates > 0 { lines.append("\(rows(result.duplicates)) said again what was known") }
        if result.failed > 0 { lines.append("\(rows(result.failed)) of failed trainings kept, not fitted") }
        if result.skipped > 0 {
            lines.append(
                "\(rows(result.skipped)) left out: cut short without a metric, or failed before layers and dim were said"
            )
        }
        if !result.read.isEmpty {
            let read = result.read.sorted { $0.key < $1.key }.map { "\($0.key) as \($0.value)" }
            lines.append("read \(read.joined(separator: ", "))")
        }
        if !result.unused.isEmpty { lines.append("columns not used: \(result.unused.joined(separator: ", "))") }
        lines = lines.flatMap { Terminal.broken($0, width: width) }
        if !result.keys.isEmpty {
            let keys = result.keys.map(\.key)
            // What the other columns do not show of two keys that would look alike.
            let differences = keys.map { LawDisplay.differences($0, among: keys) }
            let differ = differences.contains { !$0.isEmpty }
            var table = Table(
                cells: ["backbone", "loss", "L", "split", "mask", "observations", "fitted"]
                    + (differ ? ["differs in"] : []) + ["undeclared"])
            table.leftAligned = [0, 1, 3, 4, 7, 8]
            for (imported, difference) in zip(result.keys, differences) {
                let key = imported.key
                table.add(
                    cells: [
                        key.backbone.words, key.loss.words,
                        key.maxLength.words, key.split.words,
                        key.mask.words, Format.count(imported.observations),
                        Format.count(imported.converged),
                    ] + (differ ? [difference] : []) + [key.open.joined(separator: ", ")])
            }
            lines += table.lines(width: width)
        }
        if !result.laws.isEmpty {
            let numbers = result.laws.map(String.init).joined(separator: ", ")
            lines.append(result.laws.count == 1 ? "law \(numbers) is fitted" : "laws \(numbers) are fitted")
        }
        return lines
    }
}

/// `mask=full`: a column and its value.
struct ColumnValue: OptionValue {
    var column: String
    var value: String

    static let expected = "two names such as mask=full"

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        (column, value) = (parts[0], parts[1])
    }
}
