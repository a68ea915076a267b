import ArgumentParser
import Domain
import Observations
import Client
import Wire
import Text

/// `plaw export`: the observations of a dataset as the CSV that `plaw import` reads.
struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Export the observations of a dataset as CSV.",
        discussion: "`plaw import NAME FILE --create` makes the same observations of it, in this daemon or another.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(name: .shortAndLong, help: "File to write. Default: standard output.", completion: .file())
    var output: String?
    @OptionGroup var common: Common

    func run() async throws {
        let observations = try await common.connected { [name] client in
            var observations: [Observation] = []
            var params = ObservationListParams(name: name)
            repeat {
                let page = try await client.call(ObservationList.self, params)
                observations += page.observations
                params.after = page.next
            } while params.after != nil
            return observations
        }
        if common.json {
            return try Console.json(jsonLine(ObservationListResult(observations: observations)), to: .output)
        }
        guard !observations.isEmpty else {
            throw CommandFailure(
                "\"\(name)\" has no observations to export; they come from plaw calibrate \(name) or plaw import \(name) FILE"
            )
        }
        let text = ObservationTable.write(observations)
        let file = output ?? "-"
        try OutputFile.write(text, to: file)
        if file != "-" { Terminal.note("\(Format.count(observations.count)) observations written to \(file)") }
    }
}
