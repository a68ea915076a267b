import ArgumentParser
import Domain
import PerformanceLaws

/// Laws fitted to the cheapest half of a grid predict its most expensive quarter.
struct HalfStudy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "half",
        abstract: "Fit to the cheapest half of a trained grid and compare what is said of the most expensive quarter.",
        discussion: """
            What a cell costs is what its trainings took, on average over the seeds. An error is relative to the mean of the \
            seeds. In standard errors, it is over that of the difference between the cell and the best one of the half, means \
            of their seeds: over the same users, where there are hits.
            """)

    @OptionGroup var options: GridOptions
    @Option(help: "File of hits.") var hits: String?

    func run() throws {
        let grid = try options.grid(hits: hits)
        let cells = grid.cells
        let half = Array(cells.prefix(cells.count / 2))
        let expensive = Array(cells.suffix(max(1, cells.count / 4)))
        let law = try grid.law(half)
        print(
            "\(grid.backbone), \(grid.metric): \(cells.count) cells, fitted to \(half.count) "
                + "(\(half.reduce(0) { $0 + $1.observations.count }) trainings), asked for \(expensive.count)")
        guard let reference = half.max(by: { $0.truth < $1.truth }) else { throw ValidationError("no cells") }
        let errors = expensive.map { grid.standardError($0, reference) }
        func list(_ cells: [TrainedGrid.Cell]) -> String {
            cells.map { "\($0.layers)x\($0.dim)" }.joined(separator: " ")
        }
        print("  fitted to \(list(half)), asked for \(list(expensive))")
        print(
            "  a standard error is \(percent(errors.reduce(0, +) / Double(errors.count) / reference.truth)) on average")
        let predictor = LawPredictor(law)
        show("law, weighted", expensive, errors: errors) {
            predictor.predict(layers: $0.layers, dim: $0.dim, effectiveTokens: $0.effectiveTokens).mean
        }
        var covered = 0
        for cell in expensive {
            let prediction = predictor.predict(
                layers: cell.layers, dim: cell.dim, effectiveTokens: cell.effectiveTokens)
            guard let interval = prediction.interval else { continue }
            let holds = interval.low <= cell.truth && cell.truth <= interval.high
            covered += holds ? 1 : 0
            func short(_ value: Double) -> String { "\((value * 1e5).rounded() / 1e5)" }
            print(
                "    \(cell.layers)x\(cell.dim) measured \(short(cell.truth)), predicted \(short(prediction.mean)), "
                    + "90 % \(short(interval.low)) to \(short(interval.high))")
        }
        print("  90 % intervals hold \(covered) of \(expensive.count)")
        let weights = law.fits.filter { $0.crossValidation.weight > 0 }
            .map { "\($0.family.rawValue) \(percent($0.crossValidation.weight))" }
        print("  weights: \(weights.joined(separator: ", "))")
        for family in families {
            let formula = LawFormula(try grid.law(half, families: [family]))
            show("\(family.rawValue), formula alone", expensive, errors: errors) {
                formula.value(layers: $0.layers, dim: $0.dim, effectiveTokens: $0.effectiveTokens)
            }
        }
        show("nearest neighbour", expensive, errors: errors) { nearest($0, half) }
    }

    /// Prints errors relative to the truth and in standard errors.
    private func show(
        _ name: String, _ cells: [TrainedGrid.Cell], errors: [Double], _ predict: (TrainedGrid.Cell) -> Double
    ) {
        var relative = 0.0
        var standard = 0.0
        for (cell, error) in zip(cells, errors) {
            let off = abs(predict(cell) - cell.truth)
            relative += off / cell.truth
            standard += off / error
        }
        let n = Double(cells.count)
        print(
            "  \(padded(name)) \(percent(relative / n))  \((standard / n * 100).rounded() / 100) standard errors")
    }
}
