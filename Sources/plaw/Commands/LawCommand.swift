import ArgumentParser
import Domain
import PlawClient
import PlawProtocol

/// `plaw law`: the laws of a dataset with parameters, optimum and residuals.
struct LawCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "law", abstract: "Show the laws of a dataset: parameters, optimum, residuals.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Only the law of this metric.") var metric: Metric?
    @Option(help: "Only the laws of this loss.") var loss: Loss?
    @OptionGroup var common: Common

    func run() async throws {
        var laws = try await common.connected { [name] in
            try await $0.call(LawList.self, LawListParams(name: name)).laws
        }
        laws = laws.filter { law in
            (metric == nil || law.fit.metric == metric) && (loss == nil || law.key.loss == loss)
        }
        guard !laws.isEmpty else {
            throw CommandFailure("\"\(name)\" has no such law; fit one with: plaw calibrate \(name)")
        }
        try common.show(LawListResult(laws: laws)) { result in
            for law in result.laws {
                LawDisplay(law).printSummary()
                LawDisplay(law).printPoints()
            }
        }
    }
}
