import ArgumentParser
import Domain
import PlawProtocol

/// `plaw potential`: what is left to gain by depth, width, data and other backbones.
struct Potential: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is left to gain by depth, width, data and other backbones.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Layers in use, with --dim; the best trained configuration unless given.") var layers: Int?
    @Option(help: "Dimension in use.") var dim: Int?
    @Option(help: "What to look at: ndcg@10 unless given.") var metric: Metric?
    @Option(help: "Laws of this loss; of the newest good fit unless given.") var loss: Loss?
    @OptionGroup var common: Common

    func run() async throws {
        let params = AdvisorPotentialParams(name: name, layers: layers, dim: dim, metric: metric, loss: loss)
        try await common.show(AdvisorPotential.self, params) { answer in
            let name = answer.metric.description
            let c = answer.now.configuration
            Terminal.print(
                "now \(c.layers) x \(c.dim) (\(c.backbone.rawValue)): \(name) "
                    + (answer.now.predicted[name].map(Format.quality) ?? "unknown"))
            var table = Table("lever", "layers", "dim", "gain", "relative", "90 % interval", "parameters")
            table.leftAligned = [0]
            for lever in answer.levers {
                table.add(
                    lever.name, "\(lever.configuration.layers)", "\(lever.configuration.dim)",
                    Format.quality(lever.gain),
                    Format.fixed(lever.relativeGain * 100, 1) + " %", Format.interval(lever.interval),
                    lever.cost.parameters.isFinite ? Format.count(lever.cost.parameters) : "unknown")
            }
            table.print()
            CandidateDisplay.printWarnings(answer.warnings)
        }
    }
}
