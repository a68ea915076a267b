import ArgumentParser
import Domain
import Foundation
import Observations
import PerformanceLaws
import Trials

/// A grid of layers and dimensions with every cell trained, as `Benchmarks/grid` writes it.
struct TrainedGrid {
    /// One cell of the grid.
    struct Cell {
        var layers: Int
        var dim: Int
        /// The trainings that are known of it, and what every test user earned in them; none unless all have hits.
        var observations: [Observation]
        var gains: [[Float]]
        /// Mean of all its trainings, and of those in `observations`.
        var truth: Double
        var seen: Double
        /// Seconds of a training.
        var cost: Double

        /// Squared, in ln N and ln d.
        func distance(to other: Cell) -> Double {
            let n = log(Double(layers) / Double(other.layers))
            let d = log(Double(dim) / Double(other.dim))
            return n * n + d * d
        }

        var effectiveTokens: Double { observations.first?.effectiveTokens ?? 0 }
    }

    let metric: Metric
    let backbone: String
    /// Cheapest first.
    let cells: [Cell]

    /// Converged trainings of one backbone on all users.
    ///
    /// - Throws: `ValidationError` for a grid without cells or a file that is none of hits; what a table of observations refuses.
    init(csv: String, hits: String?, metric: Metric, backbone: String) throws {
        self.metric = metric
        self.backbone = backbone
        let table = try ObservationTable(
            bytes: Array(Data(contentsOf: URL(filePath: csv))), file: csv, context: TableContext(dataset: "grid"))
        var rows = table.rows.map(\.observation).filter {
            $0.configuration.backbone.value?.rawValue == backbone && $0.userFraction >= 1 && $0.converged
        }
        for i in rows.indices { rows[i].id = Int64(i + 1) }
        let known = try hits.map { try Hits(path: $0) }
        let groups = Dictionary(grouping: rows) { [$0.configuration.layers, $0.configuration.dim] }
        cells = groups.map { shape, group -> Cell in
            let values = group.compactMap { $0.metrics[metric.description]?.value }
            let mean = values.reduce(0, +) / Double(values.count)
            let gains = group.compactMap { known?.gains($0, metric) }
            return Cell(
                layers: shape[0], dim: shape[1], observations: group,
                gains: gains.count == group.count ? gains : [], truth: mean, seen: mean,
                cost: group.reduce(0) { $0 + $1.seconds } / Double(group.count))
        }.sorted { ($0.cost, $0.layers, $0.dim) < ($1.cost, $1.layers, $1.dim) }
        guard !cells.isEmpty else {
            throw ValidationError("\(csv): found no converged training of \(backbone) on all users")
        }
    }

    /// The law of what is known of some cells.
    func law(_ cells: [Cell], families: [LawFamily]? = nil) throws -> LawFit {
        let known = cells.flatMap(\.observations)
        var rows: [Int64: [Float]] = [:]
        for cell in cells { for (o, row) in zip(cell.observations, cell.gains) { rows[o.id] = row } }
        let gains = rows.isEmpty ? nil : UserGains(rows: rows)
        guard let families else { return try LawFitter(metric: metric, draws: 0).fit(known, gains: gains) }
        return try LawFitter(metric: metric, draws: 0, families: families).fit(known)
    }

    /// What is known when only one seed was trained; the truth stays the mean of all.
    func only(seed: UInt64) -> [Cell] {
        cells.compactMap { cell in
            var own = cell
            own.observations = cell.observations.filter { $0.seed == seed }
            own.gains = []
            guard let value = own.observations.first?.metrics[metric.description]?.value else { return nil }
            own.seen = value
            return own
        }
    }

    /// Standard error of what a cell measures more than another, over the same users where there are hits.
    func standardError(_ cell: Cell, _ other: Cell) -> Double {
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
}

/// The test users whose target was among the first 20, by training: what `Benchmarks/grid --hits` writes.
struct Hits {
    private struct Training: Hashable {
        var backbone: String
        var loss: String
        var layers: Int
        var dim: Int
        var seed: UInt64
    }

    private var ranks: [Training: [UInt32]] = [:]

    /// - Throws: `ValidationError` naming file and line.
    init(path: String) throws {
        let lines = try String(contentsOf: URL(filePath: path), encoding: .utf8).split(separator: "\n")
        for (number, line) in lines.enumerated().dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count == 8, let layers = Int(fields[2]), let dim = Int(fields[3]),
                let seed = UInt64(fields[4]), let fraction = Double(fields[5]), let users = Int(fields[6]),
                let found = Self.ranks(fields[7], users: users)
            else { throw ValidationError("\(path), line \(number + 1): found no training with its hits") }
            guard fraction >= 1 else { continue }
            let training = Training(
                backbone: String(fields[0]), loss: String(fields[1]), layers: layers, dim: dim, seed: seed)
            ranks[training] = found
        }
    }

    /// Of every user the rank, 21 for all beyond 20: `12C` stands for twelve users beyond it and one whose target came third.
    private static func ranks(_ text: Substring, users: Int) -> [UInt32]? {
        var ranks: [UInt32] = []
        var gap = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): gap = 10 * gap + Int(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "A")...UInt8(ascii: "T"):
                guard ranks.count + gap < users else { return nil }
                ranks += [UInt32](repeating: 21, count: gap) + [UInt32(byte - UInt8(ascii: "A")) + 1]
                gap = 0
            default: return nil
            }
            guard gap <= users else { return nil }
        }
        return ranks + [UInt32](repeating: 21, count: users - ranks.count)
    }

    /// What every user earned; nil for a training without hits, or with too few of them for the metric.
    func gains(_ observation: Observation, _ metric: Metric) -> [Float]? {
        let c = observation.configuration
        let training = Training(
            backbone: c.backbone.words, loss: c.loss.words, layers: c.layers, dim: c.dim, seed: observation.seed)
        guard metric.k <= 20 else { return nil }
        return ranks[training]?.map { Float(RankMetrics.gain(metric, rank: $0)) }
    }
}
