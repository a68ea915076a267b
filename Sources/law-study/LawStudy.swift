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
            The CSV and the folder of ranks are what Benchmarks/grid writes. What a cell costs is what its trainings took, on \
            average over the seeds. An error is relative to the mean of the seeds. In standard errors, it is over that of the \
            difference between the cell and the best one of the half, means of their seeds: over the same users, where there \
            are ranks.
            """)

    @Option(help: "Observations, one training a line.") var csv: String
    @Option(help: "Folder of ranks.") var ranks: String?
    @Option(help: "Metric.") var metric = "hr@10"
    @Option(help: "Backbone.") var backbone = "sasrec"
    /// One cell of the grid.
    private struct Cell {
        var layers: Int
        var dim: Int
        var observations: [Observation]
        var gains: [[Float]]
        var truth: Double
        /// Seconds of a training.
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
        guard let reference = half.max(by: { $0.truth < $1.truth }) else { throw ValidationError("no cells") }
        let errors = dear.map { standardError($0, reference, metric) }
        func list(_ cells: [Cell]) -> String { cells.map { "\($0.layers)x\($0.dim)" }.joined(separator: " ") }
        print("  fitted to \(list(half)), asked for \(list(dear))")
        print(
            "  a standard error is \(percent(errors.reduce(0, +) / Double(errors.count) / reference.truth)) on average")
        let predictor = LawPredictor(law)
        show("law, weighted", dear, errors: errors) {
            predictor.predict(layers: $0.layers, dim: $0.dim, effectiveTokens: $1).mean
        }
        var covered = 0
        for cell in dear {
            let prediction = predictor.predict(
                layers: cell.layers, dim: cell.dim, effectiveTokens: cell.observations[0].effectiveTokens)
            guard let interval = prediction.interval else { continue }
            let holds = interval.low <= cell.truth && cell.truth <= interval.high
            covered += holds ? 1 : 0
            func short(_ value: Double) -> String { "\((value * 1e5).rounded() / 1e5)" }
            print(
                "    \(cell.layers)x\(cell.dim) measured \(short(cell.truth)), predicted \(short(prediction.mean)), "
                    + "90 % \(short(interval.low)) to \(short(interval.high))")
        }
        print("  90 % intervals hold \(covered) of \(dear.count)")
        let weights = law.fits.filter { $0.crossValidation.weight > 0 }
            .map { "\($0.family.rawValue) \(percent($0.crossValidation.weight))" }
        print("  weights: \(weights.joined(separator: ", "))")
        for family in LawFamily.allCases where family != .constant {
            let alone = try LawFitter(metric: metric, draws: 0, families: [family]).fit(known)
            let formula = LawFormula(alone)
            show("\(family.rawValue), formula alone", dear, errors: errors) {
                formula.value(layers: $0.layers, dim: $0.dim, effectiveTokens: $1)
            }
        }
        show("nearest neighbour", dear, errors: errors) { cell, _ in
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
            let mean = values.reduce(0, +) / Double(values.count)
            return Cell(
                layers: n, dim: d, observations: group, gains: gains, truth: mean,
                cost: group.reduce(0) { $0 + $1.seconds } / Double(group.count))
        }
    }

    /// Standard error of what a cell measures more than another, over the same users where there are ranks.
    private func standardError(_ cell: Cell, _ other: Cell, _ metric: Metric) -> Double {
        guard !cell.gains.isEmpty, !other.gains.isEmpty else {
            let errors = (cell.observations + other.observations).compactMap {
                $0.metrics[metric.description]?.standardError
            }
            return (2 * errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
        }
        func mean(_ cell: Cell, _ user: Int) -> Double {
            cell.gains.reduce(0) { $0 + Double($1[user]) } / Double(cell.gains.count)
        }
        let users = cell.gains[0].count
        let differences = (0..<users).map { mean(cell, $0) - mean(other, $0) }
        let level = differences.reduce(0, +) / Double(users)
        let squares = differences.reduce(0) { $0 + ($1 - level) * ($1 - level) }
        return (squares / Double(users) / Double(users - 1)).squareRoot()
    }

    /// Prints errors relative to the truth and in standard errors.
    private func show(
        _ name: String, _ cells: [Cell], errors: [Double],
        _ predict: (_ cell: Cell, _ effectiveTokens: Double) -> Double
    ) {
        var relative = 0.0
        var standard = 0.0
        for (cell, error) in zip(cells, errors) {
            let off = abs(predict(cell, cell.observations[0].effectiveTokens) - cell.truth)
            relative += off / cell.truth
            standard += off / error
        }
        let n = Double(cells.count)
        print(
            "  \(name.padding(toLength: 44, withPad: " ", startingAt: 0)) \(percent(relative / n))  "
                + "\((standard / n * 100).rounded() / 100) standard errors")
    }

    private func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }
}
