import ArgumentParser
import Domain
import Client
import Wire
import Text

/// `plaw inspect`: shows how files would be read, and registers nothing.
struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how files of interactions would be read, and register nothing.",
        discussion: """
            All rows are read, as by `plaw register` with the same options: what is counted here is what it would count. \
            A file that it would refuse is refused here too.
            """)

    @Argument(
        help: "Files of interactions that make one dataset; - for standard input, ARCHIVE:FILE for one of an archive.",
        completion: .file())
    var files: [String]
    @OptionGroup(title: "Reading") var reading: ReadingOptions
    @Option(help: "Interactions to show. Default: 10.") var events: Int?
    @OptionGroup var common: Common

    func run() async throws {
        let inputs = try await reading.serverPath ? nil : Inputs(files)
        defer { inputs?.close() }
        let names = inputs?.inputs.map(\.name) ?? files.map(Input.last)
        let result: DatasetInspectResult
        do {
            result = try await common.connected { client in
                var params = DatasetInspectParams(fileNames: names)
                (params.container, params.options) = (inputs?.container, reading.options)
                params.events = events
                if let inputs {
                    params.uploadId = try await inputs.send(to: client)
                } else {
                    params.paths = files.map(ReadingOptions.absolute)
                }
                return try await client.call(DatasetInspect.self, params)
            }
        } catch var error as RPCError {
            error.message = reading.pasteable(error.message, "plaw inspect", names, files)
            throw error
        }
        try common.show(result, show)
    }

    private func show(_ result: DatasetInspectResult) {
        Terminal.prose(Register.describe(result.decision))
        var columns = Table("column", "read as", "values")
        columns.leftAligned = [0, 1, 2]
        for column in result.columns {
            columns.add(
                Self.shown(column.name), column.role ?? "", column.values.map(Self.shown).joined(separator: ", "))
        }
        columns.print()
        Terminal.print("")
        if !result.events.isEmpty {
            let hasTimes = result.events.contains { $0.time != nil }
            var events = Table(cells: ["user", "item"] + (hasTimes ? ["time"] : []))
            events.leftAligned = [0, 1, 2]
            for event in result.events {
                events.add(
                    cells: [Self.shown(event.user), Self.shown(event.item)] + (hasTimes ? [event.time ?? ""] : []))
            }
            events.print()
            Terminal.print("")
        }
        DatasetDisplay.print(result.statistics)
    }

    private static func shown(_ text: String) -> String {
        text.isEmpty ? "\"\"" : text.count > 40 ? text.prefix(37) + "..." : text
    }
}
