import ArgumentParser
import Wire

/// `plaw remove`: removes a dataset with everything learned from it.
struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove a dataset with its observations, laws and jobs.")

    @Argument(help: "Name of the dataset.") var name: String
    @OptionGroup var common: Common

    func run() async throws {
        try await common.show(DatasetRemove.self, DatasetName(name: name)) { removed in
            Terminal.print(
                "removed \(removed.name) with \(removed.observations) observations and \(removed.laws) laws")
        }
    }
}
