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
    @Option(help: "Laws of this loss; the best supported ones unless given.") var loss: Loss?
    @Option(help: "Only models of this backbone.") var backbone: Backbone?
    @Option(help: "Ask the key of this law alone, by its number in plaw law.") var law: Int64?
    @Flag(help: "Answer also more than 2 e-folds outside the observations.") var force = false
    @OptionGroup var verbosity: Verbosity
    @OptionGroup var common: Common

    func run() async throws {
        let params = LawPredictParams(
            name: name, layers: layers, dim: dim, heads: heads, loss: loss, backbone: backbone,
            force: force ? true : nil, law: law)
        try await common.show(LawPredict.self, params) { answer in
            CandidateDisplay.printAnswer(answer.configuration, answer.predicted, answer.interval, answer.cost)
            if answer.grade != .inside { Terminal.print("extrapolation: \(answer.grade.rawValue)") }
            CandidateDisplay.printWarnings(answer.warnings, verbosity)
        }
    }
}
