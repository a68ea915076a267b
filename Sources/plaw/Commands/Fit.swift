import ArgumentParser
import Domain
import Wire

/// `plaw fit`: fits the laws anew from the stored observations.
struct Fit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Fit the laws anew from the stored observations.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Only the laws of this loss.") var loss: Loss?
    @Option(help: "Metrics to fit, each with its own option. Default: hr@10 and ndcg@10.", transform: Metric.parse)
    var metric: [Metric] = []
    @Option(help: "huber or least-squares. Default: huber.") var estimator: String?
    @Option(
        name: .customLong("p"), help: "Fix the factor p of the performance law. Default: fitted.",
        transform: Number.parse) var p: Number?
    @OptionGroup var common: Common

    func run() async throws {
        let params = LawFitParams(
            name: name, loss: loss, metrics: metric.isEmpty ? nil : metric, estimator: estimator, p: p?.value)
        try await common.show(LawFitMethod.self, params) { fitted in
            for law in fitted.laws { LawDisplay(law).printSummary() }
            if fitted.next != nil { Terminal.note("more laws were fitted; all are shown by: plaw law \(name)") }
        }
    }
}
