import ArgumentParser
import Domain
import Numerics
import PerformanceLaws

/// What is lost by recommending from nine trainings of one seed.
struct NineStudy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nine",
        abstract: "Recommend a cell of a trained grid from nine trainings of one seed.",
        discussion: """
            Every choice of three numbers of layers and three dimensions that holds the smallest and the largest of each, and every \
            seed. What the recommended cell lacks of the best one is judged by the means of all seeds.
            """)

    @OptionGroup var options: GridOptions

    func run() throws {
        let grid = try options.grid()
        let best = grid.cells.map(\.truth).max() ?? 0
        var regrets: [(name: String, values: [Double])] = []
        func note(_ name: String, _ cell: TrainedGrid.Cell?) {
            guard let cell else { return }
            let place = regrets.firstIndex { $0.name == name } ?? regrets.count
            if place == regrets.count { regrets.append((name, [])) }
            regrets[place].values.append((best - cell.truth) / best)
        }
        let seeds = Set(grid.cells.flatMap { $0.observations.map(\.seed) }).sorted()
        for seed in seeds {
            let cells = grid.only(seed: seed)
            for layers in Self.threes(cells.map(\.layers)) {
                for dims in Self.threes(cells.map(\.dim)) {
                    let nine = cells.filter { layers.contains($0.layers) && dims.contains($0.dim) }
                    guard nine.count == 9 else { continue }
                    let predictor = LawPredictor(try grid.law(nine))
                    func expected(_ cell: TrainedGrid.Cell) -> Double { predictor.predict(place(cell)).mean }
                    func place(_ cell: TrainedGrid.Cell) -> LawPredictor.Place {
                        .init(layers: cell.layers, dim: cell.dim, effectiveTokens: cell.effectiveTokens)
                    }
                    let best = cells.max { expected($0) < expected($1) }
                    let tried = nine.max { expected($0) < expected($1) }
                    if let best, let tried {
                        // As the advisor answers: what measured most, unless an untrained one likely measures more.
                        let measured = nine.max { $0.seen < $1.seen } ?? tried
                        let isTrained = nine.contains { $0.layers == best.layers && $0.dim == best.dim }
                        let deviation = predictor.difference(place(measured), place(best)).deviation
                        let gain = (expected(best) - measured.seen, deviation * predictor.reach / normalQuantile95)
                        note("law, weighted", !isTrained && predictor.prefers(gain) ? best : measured)
                    }
                    note("law, weighted, untrained or not", best)
                    note("law, weighted, of the trained ones", tried)
                    for family in families {
                        let formula = LawFormula(try grid.law(nine, families: [family]))
                        func value(_ cell: TrainedGrid.Cell) -> Double {
                            formula.value(layers: cell.layers, dim: cell.dim, effectiveTokens: cell.effectiveTokens)
                        }
                        note("\(family.rawValue), formula alone", cells.max { value($0) < value($1) })
                    }
                    note("best of the trained ones", nine.max { $0.seen < $1.seen })
                }
            }
        }
        print("\(grid.backbone), \(grid.metric): mean of what the recommended cell lacks, and the most")
        for (name, values) in regrets {
            let mean = values.reduce(0, +) / Double(values.count)
            print("  \(padded(name)) \(percent(mean))  \(percent(values.max() ?? 0))  of \(values.count)")
        }
    }

    /// The smallest, the largest, and one between.
    private static func threes(_ values: [Int]) -> [Set<Int>] {
        let sorted = Set(values).sorted()
        guard let low = sorted.first, let high = sorted.last else { return [] }
        return sorted.dropFirst().dropLast().map { [low, $0, high] }
    }
}
