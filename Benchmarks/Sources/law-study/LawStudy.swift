import ArgumentParser
import Domain
import PerformanceLaws

/// Holds laws against grids that were trained in full.
@main
struct LawStudy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "law-study", abstract: "Hold laws against grids that were trained in full.",
        discussion: """
            The CSV and the file of hits are what Benchmarks/grid writes. The truth of a cell is the mean of its seeds.
            """, subcommands: [HalfStudy.self, LargestStudy.self, NineStudy.self, PanelStudy.self],
        defaultSubcommand: HalfStudy.self)
}

/// Which grid is studied.
struct GridOptions: ParsableArguments {
    @Option(help: "Observations, one training a line.") var csv: String
    @Option(help: "Metric.") var metric = "hr@10"
    @Option(help: "Backbone.") var backbone = "sasrec"

    /// - Throws: `ValidationError`, `ObservationError`.
    func grid(hits: String? = nil) throws -> TrainedGrid {
        guard let metric = Metric(metric) else { throw ValidationError("metric: found \(self.metric), expected hr@10") }
        return try TrainedGrid(csv: csv, hits: hits, metric: metric, backbone: backbone)
    }
}

/// The families that are asked alone.
let families = LawFamily.allCases.filter { $0 != .constant }

/// Mean of the cells that lie nearest in ln N and ln d.
func nearest(_ cell: TrainedGrid.Cell, _ known: [TrainedGrid.Cell]) -> Double {
    let distances = known.map { $0.distance(to: cell) }
    let least = distances.min() ?? 0
    let near = zip(known, distances).filter { $0.1 <= least + 1e-9 }.map(\.0.seen)
    return near.reduce(0, +) / Double(max(1, near.count))
}

func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }

func padded(_ text: String) -> String { text.padding(toLength: 44) }

extension String {
    fileprivate func padding(toLength length: Int) -> String {
        self + String(repeating: " ", count: max(0, length - count))
    }
}
