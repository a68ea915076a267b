import ArgumentParser
import Domain
import Foundation
import Observations
import PerformanceLaws
import Trials

/// Holds laws against a grid that was trained in full: fitted to its cheapest half, they predict its dearest quarter.
@main
struct LawStudy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "law-study",
        abstract: "Fit laws to the cheapest half of a trained grid and compare what they say of the dearest quarter.",
        discussion: """
            The CSV and the folder of ranks are what Benchmarks/grid writes. An error is relative to the mean of the seeds; its \
            standard errors are of that mean: of the users, paired with the best cell of the half, and of the seeds.
            """)

    @Option(help: "Observations, one training a line.") var csv: String
    @Option(help: "Folder of ranks.") var ranks: String?
    @Option(help: "Metric.") var metric = "hr@10"
    @Option(help: "Backbone.") var backbone = "sasrec"
    @Option(help: "Items of the catalogue, for the cost of a cell.") var items = 10_000

    /// One cell of the grid.
    private struct Cell {
        var layers: Int
        var dim: Int
        var observations: [Observation]
        var gains: [[Float]]
        var truth: Double
        var cost: Double
    }

    func run() throws {
        guard let metric = Metric(metric) else { throw ValidationError("metric: found \(self.metric), expected hr@10") }
        let table = try ObservationTable(
            bytes: Array(Data(contentsOf: URL(filePath: csv))), file: csv, context: TableContext(dataset: "grid"))
        var rows = table.rows.map(\.observation).filter {
            $0.configuration.backbone.rawValue == backbone && $0.userFraction >= 1 && $0.converged
        }
        for i in rows.indices { rows[i].id = Int64(i + 1) }
        let cells = try self.cells(rows, metric).sorted { $0.cost < $1.cost }
        let half = Array(cells.prefix(cells.count / 2))
        let dear = Array(cells.suffix(max(1, cells.count / 4)))
        let known = half.flatMap(\.observations)
        var rowsOfGains: [Int64: [Float]] = [:]
        for cell in half { for (o, row) in zip(cell.observations, cell.gains) { rowsOfGains[o.id] = row } }
        let gains = UserGains(rows: rowsOfGains)
        let law = try LawFitter(metric: metric, draws: 0).fit(known, gains: gains.rows.isEmpty ? nil : gains)
        print(
            "\(backbone), \(metric): \(cells.count) cells, fitted to \(half.count) (\(known.count) trainings), asked for \(dear.count)"
        )
        let predictor = LawPredictor(law)
        show("law, weighted", dear, known, metric) {
            predictor.predict(layers: $0.layers, dim: $0.dim, effectiveTokens: $1).mean
        }
        let covered = dear.filter { cell in
            let interval = predictor.predict(
                layers: cell.layers, dim: cell.dim, effectiveTokens: cell.observations[0].effectiveTokens
            ).interval
            return interval.low <= cell.truth && cell.truth <= interval.high
        }
        print("  90 % intervals hold \(covered.count) of \(dear.count)")
        for family in LawFamily.allCases where family != .constant {
            let alone = try LawFitter(metric: metric, draws: 0, families: [family]).fit(known)
            let formula = LawFormula(alone)
            show("\(family.rawValue), formula alone", dear, known, metric) {
                formula.value(layers: $0.layers, dim: $0.dim, effectiveTokens: $1)
            }
        }
        show("nearest neighbour", dear, known, metric) { cell, _ in
            let distances = half.map { other -> Double in
                let n = log(Double(other.layers) / Double(cell.layers))
                let d = log(Double(other.dim) / Double(cell.dim))
                return n * n + d * d
            }
            let least = distances.min() ?? 0
            let near = zip(half, distances).filter { $0.1 <= least + 1e-9 }.map(\.0.truth)
            return near.reduce(0, +) / Double(near.count)
        }
    }

    private func cells(_ rows: [Observation], _ metric: Metric) throws -> [Cell] {
        let groups = Dictionary(grouping: rows) { [$0.configuration.layers, $0.configuration.dim] }
        return try groups.map { shape, group -> Cell in
            let (n, d) = (shape[0], shape[1])
            let gains = try group.compactMap { observation -> [Float]? in
                guard let ranks else { return nil }
                let name =
                    "\(backbone)-\(observation.configuration.loss.rawValue)-\(n)x\(d)-s\(observation.seed)-1.0.ranks"
                return try Ranks(contentsOf: ranks + "/" + name).test.map { Float(RankMetrics.gain(metric, rank: $0)) }
            }
            let values = group.compactMap { $0.metrics[metric.description]?.value }
            return Cell(
                layers: n, dim: d, observations: group, gains: gains, truth: values.reduce(0, +) / Double(values.count),
                cost: Double(6 * items * d + 72 * n * d * d))
        }
    }

    /// Prints errors relative to the truth and in standard errors of it.
    private func show(
        _ name: String, _ cells: [Cell], _ known: [Observation], _ metric: Metric,
        _ predict: (_ cell: Cell, _ effectiveTokens: Double) -> Double
    ) {
        var relative = 0.0
        var standard = 0.0
        for cell in cells {
            let off = abs(predict(cell, cell.observations[0].effectiveTokens) - cell.truth)
            relative += off / cell.truth
            let errors = cell.observations.compactMap { $0.metrics[metric.description]?.standardError }
            let error = (errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
            standard += off / error
        }
        let n = Double(cells.count)
        print(
            "  \(name.padding(toLength: 44, withPad: " ", startingAt: 0)) \(percent(relative / n))  "
                + "\((standard / n * 100).rounded() / 100) standard errors of a mean over the users")
    }

    private func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }
}
