import Advisor
import ArgumentParser
import Costs
import Domain
import Foundation
import Numerics
import Observations
import PerformanceLaws
import Trials

/// What is lost by taking the advisor's answer among the cells of a grid, beside the best cell that was trained.
struct PanelStudy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "panels",
        abstract: "Recommend a cell of a grid from nine of its cells, as a table of imports asks for it.",
        discussion: """
            Grids are of trainings that were made once, and the truth of a cell is what it measured. Without --csv they are made up in \
            the mould of the 20 panels of arXiv 2412.00430: its layers and dimensions, its ranges of hr@10, and the share of the \
            variance that its law explains; the rest is noise. With --csv every seed of a trained grid is a panel. Nine cells are three \
            levels of each axis, the smallest, the largest and one between. All cells of the grid are the candidates.
            """)

    @Option(help: "Trained grids, as Benchmarks/grid writes them; made up ones unless given.") var csv: [String] = []
    @Option(help: "Metric of --csv.") var metric = "ndcg@10"
    @Option(help: "Backbone of --csv.") var backbone = "sasrec"
    @Option(help: "Made up grids of each panel.") var replicates = 10
    @Option(help: "Seed of what is made up.") var seed: UInt64 = 1
    @Flag(help: "Leave out the users of --csv, and with them the standard errors.") var bare = false

    func run() throws {
        var regrets = Regrets()
        if csv.isEmpty {
            var random = SplitMix64(seed: seed)
            for panel in Panel.published {
                for _ in 0..<replicates { try study(panel.grid(&random), into: &regrets) }
            }
        } else {
            guard let metric = Metric(metric) else { throw ValidationError("metric: found \(self.metric)") }
            for path in csv {
                let grid = try TrainedGrid(csv: path, hits: nil, metric: metric, backbone: backbone)
                for seed in Set(grid.cells.flatMap { $0.observations.map(\.seed) }).sorted() {
                    let cells = grid.only(seed: seed).map {
                        Cell(
                            layers: $0.layers, dim: $0.dim, value: $0.seen, truth: $0.truth, row: $0.observations.first)
                    }
                    try study(cells, into: &regrets)
                }
            }
        }
        regrets.print()
    }

    struct Cell {
        var layers: Int
        var dim: Int
        var value: Double
        var truth: Double
        var row: Observation?
    }

    /// Below the best cell, as shares of it.
    struct Regrets {
        private var values: [(name: String, measured: [Double], truth: [Double])] = []

        mutating func note(_ name: String, _ cell: Cell?, _ cells: [Cell]) {
            guard let cell else { return }
            let place = values.firstIndex { $0.name == name } ?? values.count
            if place == values.count { values.append((name, [], [])) }
            let (best, top) = (cells.map(\.value).max() ?? 0, cells.map(\.truth).max() ?? 0)
            values[place].measured.append((best - cell.value) / best)
            values[place].truth.append((top - cell.truth) / top)
        }

        func print() {
            func mean(_ values: [Double]) -> String { percent(values.reduce(0, +) / Double(max(1, values.count))) }
            Swift.print(
                "below the best cell on average: by what was measured once, by the surface or the mean of all seeds, designs"
            )
            for (name, measured, truth) in values {
                Swift.print("  \(padded(name)) \(mean(measured))  \(mean(truth))  \(measured.count)")
            }
        }
    }

    private func study(_ cells: [Cell], into regrets: inout Regrets) throws {
        for layers in threes(cells.map(\.layers)) {
            for dims in threes(cells.map(\.dim)) {
                let nine = cells.filter { layers.contains($0.layers) && dims.contains($0.dim) }
                guard nine.count == 9, let trained = nine.max(by: { $0.value < $1.value }) else { continue }
                let observations = nine.enumerated().map { observation(Int64($0.offset + 1), $0.element) }
                    .sorted {
                        ($0.configuration.layers, $0.configuration.dim) < (
                            $1.configuration.layers, $1.configuration.dim
                        )
                    }
                let fit = try LawFitter(metric: Self.searched, draws: 0).fit(observations, gains: nil)
                let answer = try answer(fit, observations, among: cells)
                func cell(_ c: DeclaredConfiguration) -> Cell? {
                    cells.first { $0.layers == c.layers && $0.dim == c.dim }
                }
                let law = LawPredictor(fit)
                func expected(_ c: Cell) -> Double {
                    law.predict(layers: c.layers, dim: c.dim, effectiveTokens: observations[0].effectiveTokens).mean
                }
                regrets.note("best of the nine, as measured", trained, cells)
                regrets.note("the advisor's answer", cell(answer.configuration), cells)
                // What the advisor did before trained cells were judged by what they measured.
                if let top = cells.max(by: { expected($0) < expected($1) }),
                    let tried = nine.max(by: { expected($0) < expected($1) })
                {
                    func place(_ c: Cell) -> LawPredictor.Place {
                        .init(layers: c.layers, dim: c.dim, effectiveTokens: observations[0].effectiveTokens)
                    }
                    let isBelieved = law.prefers(law.difference(place(tried), place(top)))
                    regrets.note("by the law alone", isBelieved ? top : tried, cells)
                }
                regrets.note("highest expected by the law", cells.max { expected($0) < expected($1) }, cells)
                regrets.note("highest expected of the nine", nine.max { expected($0) < expected($1) }, cells)
            }
        }
    }

    private static let searched = Metric(.ndcg, 10)

    /// What is recommended of a table of imports, of the cells of the grid alone.
    private func answer(_ fit: LawFit, _ observations: [Observation], among cells: [Cell]) throws -> Recommendation {
        let tokens = observations[0].effectiveTokens
        let facts = DatasetFacts(
            items: 1, evaluatedUsers: 1, tokens: max(1, Int(tokens)), apen: max(1, tokens.rounded(.down)) / tokens,
            meanContext: 0)
        let probe = ThroughputProbe(
            layers: 1, dim: 1, heads: 1, tokensPerSecond: 1, evaluatedUsersPerSecond: 1, latencySeconds: 1,
            memoryBytes: 1,
            parameters: 1)
        let costs = CostModel(
            facts: facts, speed: SpeedModel([probe]), epochs: EpochModel(own: []), negatives: 1,
            recorded: RecordedCosts(observations))
        let branch = Branch(
            key: observations[0].key, base: observations[0].configuration, laws: [Self.searched.description: fit],
            lawNumbers: [:], costs: costs, observations: observations)
        let advisor = Advisor(dataset: "panel", hasInteractions: false, branches: [branch])
        guard let candidates = Candidates(layers: cells.map(\.layers), dims: cells.map(\.dim)) else {
            preconditionFailure("a grid has layers")
        }
        return try advisor.restricted(to: candidates).recommend(Budget(), metric: Self.searched)
    }

    private func observation(_ id: Int64, _ cell: Cell) -> Observation {
        if var row = cell.row, !bare {
            row.id = id
            row.metrics[Self.searched.description] = row.metrics[metric]
            return row
        }
        let key = LawKey(
            datasetVersion: .unsaid, filter: .said(""), split: .said(""), mask: .said(.none), candidates: .said(""),
            backbone: .said(.llama), loss: .said(.core(.cce)),
            negatives: .said(0), maxLength: .said(50), policy: TrainingPolicy(""), codeVersion: .said(""),
            saysTokens: false,
            saysApEn: false)
        return Observation(
            id: id, dataset: "panel", key: key,
            configuration: DeclaredConfiguration(
                Configuration(backbone: .llama, layers: cell.layers, dim: cell.dim, heads: 1)), tokens: .unsaid,
            apen: .unsaid,
            userFraction: 1, seed: 0, users: 0,
            metrics: [Self.searched.description: Measurement(value: cell.value, standardError: 0)], epochs: 0,
            seconds: 0,
            converged: true, job: nil, trial: nil)
    }

    private func threes(_ values: [Int]) -> [Set<Int>] {
        let sorted = Set(values).sorted()
        guard let low = sorted.first, let high = sorted.last else { return [] }
        return sorted.dropFirst().dropLast().map { [low, $0, high] }
    }
}

/// A panel of the published appendix: grid, range of the metric, and R² of its law.
struct Panel {
    var layers: [Int]
    var dims: [Int]
    var range: ClosedRange<Double>
    var r2: Double

    private static let usual = ([4, 8, 12, 16, 24, 32], [25, 50, 75, 100])
    private static let industrial = ([8, 16, 32, 64], [128, 256, 512, 1_024])

    /// HR@10 and NDCG@10 of ten pairs of a dataset and a length; the ranges of NDCG@10 are those of HR@10 by 0.56, the ratio of Table 2.
    static let published: [Panel] = [
        (0.28...0.315, 0.899, 0.852, false), (0.29...0.33, 0.917, 0.882, false), (0.295...0.33, 0.892, 0.908, false),
        (0.040...0.070, 0.893, 0.904, false), (0.040...0.065, 0.852, 0.866, false),
        (0.105...0.130, 0.792, 0.925, false),
        (0.105...0.120, 0.940, 0.928, false), (0.100...0.114, 0.649, 0.657, false), (0.320...0.350, 0.940, 0.913, true),
        (0.320...0.350, 0.952, 0.938, true),
    ].flatMap { range, hr, ndcg, isIndustrial in
        let (layers, dims) = isIndustrial ? industrial : usual
        let small = range.lowerBound * 0.56...range.upperBound * 0.56
        return [
            Panel(layers: layers, dims: dims, range: range, r2: hr),
            Panel(layers: layers, dims: dims, range: small, r2: ndcg),
        ]
    }

    /// A grid of it: the published formula with an optimum inside or at an end of each axis, and noise.
    func grid(_ random: inout SplitMix64) -> [PanelStudy.Cell] {
        func axis(_ values: [Int]) -> [Double] {
            let (low, high) = (log(Double(values[0])), log(Double(values[values.count - 1])))
            // From well inside to somewhat beyond the end: x* = 2^(-1/a).
            let optimum = low + (0.3 + 0.9 * random.uniform()) * (high - low)
            let a = -log(2) / optimum
            let curve = values.map { -1 / (2 * pow(Double($0), a)) - a * log(Double($0)) }
            let (least, most) = (curve.min() ?? 0, curve.max() ?? 1)
            return curve.map { ($0 - least) / max(1e-12, most - least) }
        }
        let (rows, columns) = (axis(layers), axis(dims))
        let share = 0.2 + 0.6 * random.uniform()
        let clean = rows.flatMap { r in columns.map { share * r + (1 - share) * $0 } }
        let mean = clean.reduce(0, +) / Double(clean.count)
        let variance = clean.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(clean.count)
        // The published R² is of seven parameters fitted to as many cells; adjusted, it is the share of the surface.
        let cells = Double(clean.count)
        let adjusted = max(0.05, 1 - (1 - r2) * (cells - 1) / (cells - 7))
        let deviation = (variance * (1 - adjusted) / adjusted).squareRoot()
        let noisy = clean.map { $0 + deviation * random.normal() }
        let (least, most) = (noisy.min() ?? 0, noisy.max() ?? 1)
        let scale = (range.upperBound - range.lowerBound) / (most - least)
        return layers.indices.flatMap { i in
            dims.indices.map { j in
                let k = i * dims.count + j
                func value(_ x: Double) -> Double { range.lowerBound + scale * (x - least) }
                return PanelStudy.Cell(
                    layers: layers[i], dim: dims[j], value: value(noisy[k]), truth: value(clean[k]), row: nil)
            }
        }
    }
}
