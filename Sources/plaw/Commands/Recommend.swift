import ArgumentParser
import Client
import Domain
import Text
import Wire

/// `plaw recommend`: the best layers and dimension within a budget.
struct Recommend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Recommend the best layers and dimension within a budget.")

    @Argument(help: "Name of the dataset.") var name: String
    @OptionGroup var limits: LimitOptions
    @Option(help: "What to maximise. Default: ndcg@10.", transform: Metric.parse) var metric: Metric?
    @Option(help: "Laws of this loss. Default: the best supported ones.") var loss: Loss?
    @Option(help: "Only this backbone, or this model of an import.") var backbone: Model?
    @Flag(help: "Answer also more than 2 e-folds outside the observations.") var force = false
    @Option(help: "Ask the key of this law alone, by its number in plaw law.") var law: Int64?
    @Option(help: "Only these numbers of layers: 2,4,8, 2..8, 2..16:2.", transform: Choices.parse) var layers: Choices?
    @Option(help: "Only these dimensions: 64,128, 16..256:16.", transform: Choices.parse) var dims: Choices?
    @Option(
        help: ArgumentHelp(
            "Write the configuration, ready to train, and nothing else: json, a Python module for pytorch, or a file for recbole.",
            valueName: "format"))
    var emit: EmissionFormat?
    @OptionGroup var verbosity: Verbosity
    @OptionGroup var common: Common

    func validate() throws {
        if emit != nil, common.json { throw ValidationError("--emit: found --json beside it, expected one of them") }
    }

    func run() async throws {
        var params = AdvisorRecommendParams(name: name)
        limits.set(&params)
        (params.metric, params.loss, params.backbone, params.law) = (metric, loss, backbone, law)
        (params.layers, params.dims) = (layers?.values, dims?.values)
        params.force = force ? true : nil
        if let emit { return try await write(params, for: emit) }
        try await common.show(AdvisorRecommend.self, params) { answer in
            CandidateDisplay.printAnswer(
                answer.configuration, answer.predicted, answer.interval, answer.cost)
            Terminal.print("why")
            for reason in answer.reasons { Terminal.prose(reason, indent: 2) }
            if answer.grade != .inside { Terminal.print("  extrapolation: \(answer.grade.rawValue)") }
            let lists = answer.alternatives
            let several = lists.flatMap(\.candidates).contains {
                $0.configuration.backbone != answer.configuration.backbone
            }
            for list in lists {
                Terminal.print(list.title)
                CandidateDisplay.printTable(list.candidates, indent: "  ", showsBackbones: several)
                if list.more > 0 { Terminal.print("  and \(list.more) more") }
            }
            CandidateDisplay.printWarnings(answer.warnings, verbosity)
        }
    }

    /// Writes the answer as a configuration, and its warnings to standard error.
    private func write(_ params: AdvisorRecommendParams, for format: EmissionFormat) async throws {
        let emission = try await common.connected { client in
            let answer = try await client.call(AdvisorRecommend.self, params)
            guard let law = answer.laws[answer.metric.description] else { return Emission(answer: answer, key: nil) }
            return Emission(answer: answer, key: try await client.call(LawGet.self, LawGetParams(law: law)).key)
        }
        try OutputFile.write(try emission.text(format), to: "-")
        for warning in Warning.ranked(emission.answer.warnings) where verbosity.verbose || warning.isConsequential {
            Console.line("warning (\(warning.code)): \(warning.message)", to: .errors)
        }
    }
}
