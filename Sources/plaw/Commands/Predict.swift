import ArgumentParser
import Domain
import PlawProtocol

/// `plaw predict`: what the laws expect of one configuration.
struct Predict: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Predict the quality and cost of one configuration.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Number of transformer blocks.") var layers: Int
    @Option(help: "Embedding dimension.") var dim: Int
    @Option(help: "Attention heads; those of the calibration unless given.") var heads: Int?
    @Option(help: "Laws of this loss; of the newest good fit unless given.") var loss: Loss?
    @OptionGroup var common: Common

    func run() async throws {
        let params = LawPredictParams(name: name, layers: layers, dim: dim, heads: heads, loss: loss)
        try await common.show(LawPredict.self, params) { answer in
            CandidateDisplay.printAnswer(answer.configuration, answer.predicted, answer.interval, answer.cost)
            CandidateDisplay.printWarnings(answer.warnings)
        }
    }
}
