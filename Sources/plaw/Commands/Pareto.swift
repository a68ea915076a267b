import ArgumentParser
import Domain
import Wire

/// `plaw pareto`: the configurations that no other beats in both quality and one currency.
struct Pareto: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the configurations that none beats in both quality and cost.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "parameters, trainingFlops, memoryBytes, latencySeconds or trainingSeconds. Default: parameters.")
    var currency: String?
    @Option(help: "What to maximise. Default: ndcg@10.", transform: Metric.parse) var metric: Metric?
    @Option(help: "Laws of this loss. Default: the best supported ones.") var loss: Loss?
    @Option(help: "Only this backbone, or this model of an import.") var backbone: Model?
    @Option(help: "Ask the key of this law alone, by its number in plaw law.") var law: Int64?
    @Option(help: "Only these numbers of layers: 2,4,8, 2..8, 2..16:2.", transform: Choices.parse) var layers: Choices?
    @Option(help: "Only these dimensions: 64,128, 16..256:16.", transform: Choices.parse) var dims: Choices?
    @OptionGroup var verbosity: Verbosity
    @OptionGroup var common: Common

    func run() async throws {
        var params = AdvisorParetoParams(name: name)
        (params.currency, params.metric, params.loss) = (currency, metric, loss)
        (params.backbone, params.law) = (backbone, law)
        (params.layers, params.dims) = (layers?.values, dims?.values)
        try await common.show(AdvisorPareto.self, params) { answer in
            CandidateDisplay.printTable(answer.points, indent: "")
            CandidateDisplay.printWarnings(answer.warnings, verbosity)
        }
    }
}
