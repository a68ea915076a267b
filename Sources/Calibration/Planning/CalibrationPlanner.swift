package import Domain
package import Wire

/// Chooses the trials a budget pays for: a pure function of the settings and the predicted prices.
package struct CalibrationPlanner {
    package var settings: CalibrationSettings
    /// Predicted seconds of one epoch (training and validation) and of the final ranking on one worker, all users.
    package var price: (_ configuration: Configuration, _ userFraction: Double) -> (epoch: Double, ending: Double)
    /// Epochs a training is expected to take, at the middle of the search space.
    package var epochs: Double
    /// Epochs of one shape where they depend on it, at most those allowed, and the standard deviation of ln(seconds) of such a trial.
    package var expected:
        (_ configuration: Configuration, _ userFraction: Double) -> (epochs: Double, deviation: Double)?
    /// Trials of these settings that have been measured before; they cost nothing, and are not trained again.
    package var isKnown: (_ configuration: Configuration, _ userFraction: Double) -> Bool

    /// Share of the budget the plan may promise; the rest absorbs what the prediction gets wrong.
    static let fill = 0.9
    /// Share of the budget after which no worker may still be training by the plan.
    static let margin = 0.97

    package init(
        settings: CalibrationSettings, epochs: Double,
        expected:
            @escaping (_ configuration: Configuration, _ userFraction: Double) -> (
                epochs: Double, deviation: Double
            )? = { _, _ in nil },
        isKnown: @escaping (_ configuration: Configuration, _ userFraction: Double) -> Bool = { _, _ in false },
        price: @escaping (_ configuration: Configuration, _ userFraction: Double) -> (epoch: Double, ending: Double)
    ) {
        self.settings = settings
        self.epochs = min(epochs, Double(settings.options.maxEpochs))
        self.expected = expected
        self.isKnown = isKnown
        self.price = price
    }

    private var capacity: Double { settings.budgetSeconds * Double(settings.workers) * Self.fill }

    /// Whether the budget pays a whole design, known trials included.
    package var paysDesign: Bool { bestDesign(capacity: capacity) != nil }

    /// The trials of the smallest design.
    private var smallestDesign: [PlannedTrial] {
        grid(layers: levels.layers.last ?? [1], dims: levels.dims.last ?? [step])
    }

    /// Wall-clock seconds that the smallest design would take, with the reserve of a plan.
    package var smallestSeconds: Double {
        smallestDesign.reduce(0) { $0 + $1.predictedSeconds } / Double(settings.workers) / Self.fill
    }

    /// The plan. It never promises more than the budget; what it leaves out stands in its notes.
    package func plan() -> CalibrationPlanResult {
        let capacity = capacity
        var notes: [String] = []
        var chosen: [PlannedTrial] = []
        if let design = bestDesign(capacity: capacity) {
            chosen = design
        } else {
            let smallest = smallestDesign.sorted { $0.predictedSeconds < $1.predictedSeconds }
            var total = 0.0
            for trial in smallest
            where total + trial.predictedSeconds <= capacity
                && makespan(chosen + [trial]) <= settings.budgetSeconds * Self.margin
            {
                total += trial.predictedSeconds
                chosen.append(trial)
            }
            notes.append(
                "the budget pays \(chosen.count) of the \(smallest.count) trials of the smallest design, which would take "
                    + "\(rounded(smallestSeconds)) s; a law needs at least 6 observations, 3 levels of each axis")
        }
        let dataSizes = dataSizeTrials(beside: chosen, capacity: capacity)
        if !dataSizes.isEmpty {
            notes.append("\(dataSizes.count) trials on a share of the users show how quality grows with data")
        }
        chosen += dataSizes
        let known = chosen.filter { isKnown($0.configuration, $0.userFraction) }
        if !known.isEmpty {
            notes.append(
                "\(known.count) of \(chosen.count) trials are known already and are not repeated; another seed repeats them"
            )
            chosen.removeAll { isKnown($0.configuration, $0.userFraction) }
        }
        chosen.sort { $0.predictedSeconds < $1.predictedSeconds }
        notes.insert(expectation(chosen), at: 0)
        if !chosen.isEmpty {
            let layers = Set(chosen.map(\.configuration.layers)).sorted()
            let dims = Set(chosen.map(\.configuration.dim)).sorted()
            notes.append("layers \(list(layers)), dim \(list(dims)), cheapest first")
        }
        return CalibrationPlanResult(
            dataset: settings.dataset, trials: chosen, workers: settings.workers,
            budgetSeconds: settings.budgetSeconds, predictedSeconds: makespan(chosen), notes: notes)
    }

    // MARK: - Designs

    /// Level sets to choose from, largest first; a request's own levels leave no choice.
    private var levels: (layers: [[Int]], dims: [[Int]]) {
        let layers = settings.layers.map { [$0] } ?? [[1, 2, 4, 8], [1, 2, 4], [1, 2, 3]]
        let dims =
            settings.dims.map { [$0] }
            ?? [[16, 32, 64, 128, 256], [16, 32, 64, 128], [16, 32, 64], [8, 16, 32], [4, 8, 16]].map(multiples)
        return (layers, dims)
    }

    /// What the backbone and its heads divide dimensions by.
    private var step: Int { settings.dimStep }

    /// The dimensions rounded up to multiples of the step, each larger than the one before.
    private func multiples(_ dims: [Int]) -> [Int] {
        var rounded: [Int] = []
        for dim in dims {
            let up = (dim + step - 1) / step * step
            rounded.append(max(up, (rounded.last ?? 0) + (up > (rounded.last ?? 0) ? 0 : step)))
        }
        return rounded.filter { $0 <= 4_096 }
    }

    /// The design with most levels, then the largest model, then most trials, that the capacity pays for.
    private func bestDesign(capacity: Double) -> [PlannedTrial]? {
        var best: (score: Double, trials: [PlannedTrial])?
        for layers in levels.layers {
            for dims in levels.dims {
                for trials in [grid(layers: layers, dims: dims), thinned(layers: layers, dims: dims)] {
                    let total = trials.reduce(0) { $0 + $1.predictedSeconds }
                    let longest = trials.map(\.predictedSeconds).max() ?? 0
                    guard total <= capacity, longest <= settings.budgetSeconds * Self.fill,
                        makespan(trials) <= settings.budgetSeconds * Self.margin
                    else { continue }
                    let score =
                        Double(min(layers.count, 4) + min(dims.count, 4)) + log2(dims.last ?? 1) * 0.75
                        + Double(min(trials.count, 20)) * 0.1
                    if score > (best?.score ?? -1) { best = (score, trials) }
                }
            }
        }
        return best?.trials
    }

    private func grid(layers: [Int], dims: [Int]) -> [PlannedTrial] {
        layers.flatMap { layers in dims.map { dim in trial(settings.configuration(layers: layers, dim: dim)) } }
    }

    /// The cells of a large grid whose indices add up to an even number, and its corners: every level stays, half the price.
    private func thinned(layers: [Int], dims: [Int]) -> [PlannedTrial] {
        guard layers.count >= 3, dims.count >= 4 else { return grid(layers: layers, dims: dims) }
        return layers.indices.flatMap { i in
            dims.indices.compactMap { j in
                let corner = (i == 0 || i == layers.count - 1) && (j == 0 || j == dims.count - 1)
                guard corner || (i + j) % 2 == 0 else { return nil }
                return trial(settings.configuration(layers: layers[i], dim: dims[j]))
            }
        }
    }

    /// The middle shape on 1/2, 1/4 and 1/8 of the users, when at least 9 trials stand and all three fit as well.
    private func dataSizeTrials(beside chosen: [PlannedTrial], capacity: Double) -> [PlannedTrial] {
        // A grid asked for by name is trained as it is.
        guard chosen.count >= 9, settings.grid == nil else { return [] }
        let layers = Set(chosen.map(\.configuration.layers)).sorted()
        let dims = Set(chosen.map(\.configuration.dim)).sorted()
        let middle = settings.configuration(layers: layers[(layers.count - 1) / 2], dim: dims[dims.count / 2])
        let extra = [0.5, 0.25, 0.125].map { trial(middle, userFraction: $0) }
        let total = (chosen + extra).reduce(0) { $0 + $1.predictedSeconds }
        return total <= capacity && makespan(chosen + extra) <= settings.budgetSeconds * Self.margin
            ? extra : []
    }

    private func trial(_ configuration: Configuration, userFraction: Double = 1) -> PlannedTrial {
        let price = isKnown(configuration, userFraction) ? (epoch: 0, ending: 0) : price(configuration, userFraction)
        let expected = expected(configuration, userFraction)
        let epochs = min(expected?.epochs ?? epochs, Double(settings.options.maxEpochs))
        return PlannedTrial(
            configuration: configuration, userFraction: userFraction, seed: settings.seed, predictedEpochs: epochs,
            predictedSeconds: price.epoch * epochs + price.ending, predictedLogDeviation: expected?.deviation)
    }

    private func expectation(_ trials: [PlannedTrial]) -> String {
        let all = trials.map(\.predictedEpochs)
        let (least, most) = (rounded(all.min() ?? epochs), rounded(all.max() ?? epochs))
        return "expecting \(least == most ? least : "\(least) to \(most)") epochs a trial"
    }

    /// Wall-clock seconds when each worker takes the next trial, cheapest first.
    private func makespan(_ trials: [PlannedTrial]) -> Double {
        var free = [Double](repeating: 0, count: max(1, settings.workers))
        for seconds in trials.map(\.predictedSeconds).sorted() {
            let next = free.indices.min { free[$0] < free[$1] } ?? 0
            free[next] += seconds
        }
        return free.max() ?? 0
    }

    private func list(_ levels: [Int]) -> String { levels.map(String.init).joined(separator: ", ") }
    private func rounded(_ value: Double) -> String { String(Int(nearest: value)) }
    private func log2(_ value: Int) -> Double { Double(Int.bitWidth - 1 - max(1, value).leadingZeroBitCount) }
}
