import ArgumentParser
import Domain
import Wire

/// `plaw show`: one dataset with its statistics and entropy.
struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show a dataset: statistics, entropy, how it was read.")

    @Argument(help: "Name of the dataset.") var name: String
    @OptionGroup var common: Common

    func run() async throws {
        try await common.show(DatasetGet.self, DatasetName(name: name)) { dataset in
            let files = dataset.fileNames ?? [dataset.fileName]
            let more = files.count > 8 ? " and \(Format.count(files.count - 8)) more" : ""
            let shown = files.prefix(8).joined(separator: ", ") + more
            Terminal.print("\(dataset.name), from \(shown), registered \(dataset.createdAt)")
            if let decision = dataset.decision {
                Terminal.prose(Register.describe(decision))
            } else {
                Terminal.print(
                    "made of imported observations alone: there are laws, but nothing to train on or to measure")
            }
            DatasetDisplay(dataset).printStatistics()
            DatasetDisplay(dataset).printEntropy()
            DatasetDisplay(dataset).printDoubts()
        }
    }
}
