import ArgumentParser
import Wire

/// `plaw entropy`: the entropy figures of a dataset, for any template length, tolerance and truncation.
struct Entropy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Show the entropy of a dataset, and how it moves with the length of histories and the number of users.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(name: .customLong("m"), help: "Template length of per-user ApEn. Default: 2.") var m: Int?
    @Option(name: .customLong("r"), help: "Tolerance of per-user ApEn. Default: 0.2.", transform: Number.parse) var r:
        Number?
    @Option(help: "Most recent items taken per user. Default: that of the registration.") var maxLength: Int?
    @OptionGroup var common: Common

    func run() async throws {
        let params = DatasetEntropyParams(name: name, m: m, r: r?.value, maxLength: maxLength)
        try await common.show(DatasetEntropy.self, params) {
            DatasetDisplay.printEntropy($0.entropy, all: true)
            DatasetDisplay.printMovement($0.movement)
        }
    }
}
