import ArgumentParser
import Domain
import Client
import Wire

/// `plaw predict`: what the laws expect of one configuration, or of several.
struct Predict: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Predict the quality and cost of one configuration, or of all combinations of several.")

    /// Most configurations of one command.
    static let most = 1_000

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Numbers of transformer blocks: 2, 2,4,8, 2..8.", transform: Choices.parse) var layers: Choices
    @Option(
        name: [.customLong("dims"), .customLong("dim")], help: "Embedding dimensions: 64, 64,128, 16..256:16.",
        transform: Choices.parse)
    var dims: Choices
    @Option(help: "Attention heads. Default: those of the calibration.") var heads: Int?
    @Option(help: "Laws of this loss. Default: the best supported ones.") var loss: Loss?
    @Option(help: "Only this backbone, or this model of an import.") var backbone: Model?
    @Option(help: "Ask the key of this law alone, by its number in plaw law.") var law: Int64?
    @Flag(help: "Answer also more than 2 e-folds outside the observations.") var force = false
    @OptionGroup var verbosity: Verbosity
    @OptionGroup var common: Common

    func validate() throws {
        let count = layers.values.count * dims.values.count
        guard count <= Self.most else {
            throw ValidationError("--layers, --dims: found \(count) configurations, expected at most \(Self.most)")
        }
    }

    private func params(_ layers: Int, _ dim: Int) -> LawPredictParams {
        var params = LawPredictParams(name: name, layers: layers, dim: dim)
        (params.heads, params.loss, params.backbone, params.law) = (heads, loss, backbone, law)
        params.force = force ? true : nil
        return params
    }

    func run() async throws {
        let shapes = layers.values.flatMap { layers in dims.values.map { params(layers, $0) } }
        guard shapes.count > 1 else { return try await runOne(shapes[0]) }
        let answers = try await common.connected { client in
            var answers: [LawPredictResult] = []
            for shape in shapes { answers.append(try await client.call(LawPredict.self, shape)) }
            return answers
        }
        try common.show(answers) { answers in
            CandidateDisplay.printTable(
                answers.map {
                    Candidate(
                        configuration: $0.configuration, predicted: $0.predicted, interval: $0.interval, cost: $0.cost)
                }, indent: "")
            let far = answers.filter { $0.grade != .inside }.map { Format.words($0.configuration) }
            if !far.isEmpty { Terminal.prose("outside the observations: \(far.joined(separator: "; "))") }
            // What a configuration's place among the observations gives cause to say is in its grade.
            let shared = answers[0].warnings.filter { w in answers.allSatisfy { $0.warnings.contains(w) } }
            CandidateDisplay.printWarnings(shared, verbosity)
        }
    }

    private func runOne(_ params: LawPredictParams) async throws {
        try await common.show(LawPredict.self, params) { answer in
            CandidateDisplay.printAnswer(answer.configuration, answer.predicted, answer.interval, answer.cost)
            if answer.grade != .inside { Terminal.print("extrapolation: \(answer.grade.rawValue)") }
            CandidateDisplay.printWarnings(answer.warnings, verbosity)
        }
    }
}
