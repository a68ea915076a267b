import ArgumentParser
import Domain
import PerformanceLaws

/// Laws fitted to all cells but those of the largest N predict these, and the same for d.
struct LargestStudy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "largest",
        abstract:
            "Predict the cells with most layers from all others, and those of the largest dimension from all others.",
        discussion: "Errors are relative to the mean of the seeds, means over the cells that are left out.")

    @OptionGroup var options: GridOptions

    func run() throws {
        let grid = try options.grid()
        let axes: [(name: String, of: (TrainedGrid.Cell) -> Int)] = [("layers", \.layers), ("dim", \.dim)]
        var sums: [(name: String, errors: [Double])] = []
        for axis in axes {
            let largest = grid.cells.map(axis.of).max() ?? 0
            let known = grid.cells.filter { axis.of($0) < largest }
            let asked = grid.cells.filter { axis.of($0) == largest }
            let predictor = LawPredictor(try grid.law(known))
            var rows: [(name: String, predict: (TrainedGrid.Cell) -> Double)] = [
                (
                    "law, weighted",
                    { predictor.predict(layers: $0.layers, dim: $0.dim, effectiveTokens: $0.effectiveTokens).mean }
                )
            ]
            for family in families {
                let formula = LawFormula(try grid.law(known, families: [family]))
                rows.append(
                    (
                        "\(family.rawValue), formula alone",
                        { formula.value(layers: $0.layers, dim: $0.dim, effectiveTokens: $0.effectiveTokens) }
                    ))
            }
            rows.append(("nearest neighbour", { nearest($0, known) }))
            for (place, row) in rows.enumerated() {
                let errors = asked.map { abs(row.predict($0) - $0.truth) / $0.truth }
                if place == sums.count { sums.append((row.name, [])) }
                sums[place].errors.append(errors.reduce(0, +) / Double(errors.count))
            }
        }
        print("\(grid.backbone), \(grid.metric): error at the most layers, at the largest dim, mean")
        for (name, errors) in sums {
            let mean = errors.reduce(0, +) / Double(errors.count)
            print("  \(padded(name)) \((errors + [mean]).map(percent).joined(separator: "  "))")
        }
    }
}
