import ArgumentParser
import Domain
import Wire

/// `plaw potential`: what is left to gain by depth, width, data and other backbones.
struct Potential: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is left to gain by depth, width, data and other backbones.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Layers in use, with --dim. Default: the best trained configuration of all backbones.")
    var layers: Int?
    @Option(help: "Dimension in use.") var dim: Int?
    @Option(help: "What to look at. Default: ndcg@10.", transform: Metric.parse) var metric: Metric?
    @Option(help: "Laws of this loss. Default: the best supported ones.") var loss: Loss?
    @Option(help: "Backbone or model in use. Default: the best one.") var backbone: Model?
    @Option(help: "Ask the key of this law alone, by its number in plaw law.") var law: Int64?
    @OptionGroup var verbosity: Verbosity
    @OptionGroup var common: Common

    func run() async throws {
        var params = AdvisorPotentialParams(name: name)
        (params.layers, params.dim) = (layers, dim)
        (params.metric, params.loss, params.backbone, params.law) = (metric, loss, backbone, law)
        try await common.show(AdvisorPotential.self, params) { answer in
            let name = answer.metric.description
            let c = answer.now.configuration
            Terminal.print(
                "now \(c.layers) x \(c.dim) (\(CandidateDisplay.backbone(c))): \(name) "
                    + (answer.now.predicted[name].map(Format.quality) ?? "unknown"))
            let isOutside = answer.levers.contains { $0.grade != .inside }
            var table = Table(
                cells: ["lever", "layers", "dim", "gain", "relative", "90 % interval", "parameters"]
                    + (isOutside ? ["extrapolation"] : []))
            table.leftAligned = [0]
            for lever in answer.levers {
                table.add(
                    cells: [
                        lever.name, "\(lever.configuration.layers)", "\(lever.configuration.dim)",
                        Format.quality(lever.gain),
                        lever.relativeGain > 1 ? Format.relative(lever.relativeGain) : Format.share(lever.relativeGain),
                        lever.interval.map(Format.interval) ?? "unknown",
                        Format.known(lever.cost.parameters, Format.count),
                    ] + (isOutside ? [lever.grade.rawValue] : []))
            }
            table.print()
            CandidateDisplay.printWarnings(answer.warnings, verbosity)
        }
    }
}
