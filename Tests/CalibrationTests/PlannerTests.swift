import Calibration
import Domain
import Testing

@testable import Wire

@Suite struct PlannerTests {
    /// Prices as of a machine with a cost for each epoch and one for each weight.
    private struct Prices: Sendable, CustomStringConvertible {
        var base: Double
        var slope: Double
        var ending: Double

        func epoch(_ c: Configuration, _ share: Double) -> Double {
            base * (0.2 + 0.8 * share) + slope * share * Double(c.dim * (40 + c.layers * c.dim))
        }

        var description: String { "\(base) \(slope) \(ending)" }
    }

    private static let prices = [
        Prices(base: 0, slope: 1e-9, ending: 0), Prices(base: 0.001, slope: 1e-7, ending: 0.3),
        Prices(base: 0.01, slope: 1e-6, ending: 0.3), Prices(base: 0.2, slope: 0, ending: 0),
        Prices(base: 0.05, slope: 1e-5, ending: 2), Prices(base: 1, slope: 1e-4, ending: 1),
        Prices(base: 100, slope: 1e-3, ending: 100),
    ]

    private static func planner(
        _ prices: Prices, budget: Double, workers: Int = 1, heads: Int = 2, layers: [Int]? = nil, dims: [Int]? = nil,
        epochs: Double = 40, maxEpochs: Int? = nil
    ) throws -> CalibrationPlanner {
        let settings = try CalibrationSettings(
            CalibrationParams(
                name: "books", budgetSeconds: budget, heads: heads, layers: layers, dims: dims, seed: 5,
                maxEpochs: maxEpochs), trained: trainedFacts, mask: .none, availableWorkers: workers)
        return CalibrationPlanner(settings: settings, epochs: epochs) { configuration, share in
            (prices.epoch(configuration, share), prices.ending)
        }
    }

    /// Wall-clock seconds when each worker takes the next trial of the plan.
    private static func duration(_ plan: CalibrationPlanResult) -> Double {
        var free = [Double](repeating: 0, count: plan.workers)
        for trial in plan.trials {
            let next = free.indices.min { free[$0] < free[$1] } ?? 0
            free[next] += trial.predictedSeconds
        }
        return free.max() ?? 0
    }

    /// Every plan of a sweep over prices, budgets, workers, heads and epochs, with the words that name it.
    private static func sweep(
        layers: [Int]? = nil, dims: [Int]? = nil, heads: [Int] = [1, 2, 3, 8, 64],
        _ body: (String, Prices, CalibrationPlanner, CalibrationPlanResult) throws -> Void
    ) async throws {
        for prices in prices {
            for budget in [1, 7, 60, 600, 3_600, 2_592_000] as [Double] {
                for workers in [1, 2, 8] {
                    for heads in heads {
                        // Other tests have their turn on this thread.
                        await Task.yield()
                        for epochs in [1, 40, 500] as [Double] {
                            let planner = try planner(
                                prices, budget: budget, workers: workers, heads: heads, layers: layers, dims: dims,
                                epochs: epochs)
                            try body(
                                "prices \(prices), \(budget) s, \(workers) workers, \(heads) heads, \(epochs) epochs",
                                prices, planner, planner.plan())
                        }
                    }
                }
            }
        }
    }

    @Test("no plan promises more than its budget, with as many workers as there are")
    func budget() async throws {
        var tooLong: [String] = []
        var wrong: [String] = []
        var plans = 0
        try await Self.sweep { name, _, planner, plan in
            plans += 1
            let seconds = Self.duration(plan)
            if seconds > planner.settings.budgetSeconds || plan.predictedSeconds > planner.settings.budgetSeconds {
                tooLong.append("\(name): \(seconds) s")
            }
            if abs(plan.predictedSeconds - seconds) > 1e-6 * max(1, seconds) { wrong.append(name) }
            if plan.workers != planner.settings.workers || plan.budgetSeconds != planner.settings.budgetSeconds
                || plan.dataset != "books"
            {
                wrong.append(name)
            }
        }
        #expect(plans == 1_890)
        #expect(tooLong.count == 0, "\(tooLong.count) of \(plans), such as \(tooLong.prefix(3))")
        #expect(wrong.count == 0, "\(wrong.count) of \(plans), such as \(wrong.prefix(3))")
    }

    @Test("a plan has 3 levels of each axis where the budget pays for them, and says so where it does not")
    func levels() async throws {
        var poor: [String] = []
        var silent: [String] = []
        var (rich, few) = (0, 0)
        try await Self.sweep { name, prices, planner, plan in
            let heads = planner.settings.heads
            // The cheapest three dimensions that the heads allow.
            let dims = [4, 8, 16].map { heads <= 4 ? ($0 + heads - 1) / heads * heads : $0 / 4 * heads }
            let smallest = [1, 2, 3].flatMap { layers in
                dims.map { dim -> Double in
                    let configuration = planner.settings.configuration(layers: layers, dim: dim)
                    return prices.epoch(configuration, 1) * planner.epochs + prices.ending
                }
            }.reduce(0, +)
            let levels = min(
                Set(plan.trials.map(\.configuration.layers)).count, Set(plan.trials.map(\.configuration.dim)).count)
            let explained = plan.notes.contains { $0.contains("the budget pays") }
            if smallest <= 0.85 * planner.settings.budgetSeconds {
                rich += 1
                if levels < 3 { poor.append("\(name): \(levels)") }
                if levels >= 3, explained { silent.append(name) }
            }
            if levels < 3 {
                few += 1
                if !explained { silent.append(name) }
            }
        }
        #expect(rich > 500 && few > 100)
        #expect(poor.count == 0, "\(poor.count) of \(rich), such as \(poor.prefix(3))")
        #expect(silent.count == 0, "\(silent.count), such as \(silent.prefix(3))")
    }

    @Test("no trial stands in a plan twice, every one can be trained, and they are ordered from the cheapest")
    func trials() async throws {
        var twice: [String] = []
        var impossible: [String] = []
        var disordered: [String] = []
        try await Self.sweep { name, prices, planner, plan in
            struct Shape: Hashable {
                var configuration: Configuration
                var share: Double
            }
            let shapes = plan.trials.map { Shape(configuration: $0.configuration, share: $0.userFraction) }
            if Set(shapes).count != shapes.count { twice.append(name) }
            for trial in plan.trials {
                let c = trial.configuration
                let price = prices.epoch(c, trial.userFraction) * planner.epochs + prices.ending
                if c.problem != nil || c.dim % planner.settings.heads != 0 || c.heads != planner.settings.heads
                    || trial.seed != 5 || trial.predictedEpochs != planner.epochs
                    || abs(trial.predictedSeconds - price) > 1e-9 * price
                    || trial.userFraction <= 0 || trial.userFraction > 1
                {
                    impossible.append("\(name): \(trial)")
                }
            }
            let seconds = plan.trials.map(\.predictedSeconds)
            if seconds != seconds.sorted() { disordered.append(name) }
        }
        #expect(twice.count == 0, "\(twice.count), such as \(twice.prefix(3))")
        #expect(impossible.count == 0, "\(impossible.count), such as \(impossible.prefix(3))")
        #expect(disordered.count == 0, "\(disordered.count), such as \(disordered.prefix(3))")
    }

    @Test(
        "levels asked for are the only ones, and all of them where the budget pays",
        arguments: [([2], [32]), ([1, 5, 9], [8, 24]), ([1, 2, 3, 4, 6], [16, 32, 48, 64, 96])] as [([Int], [Int])])
    func ownLevels(layers: [Int], dims: [Int]) async throws {
        var foreign: [String] = []
        var missing: [String] = []
        try await Self.sweep(layers: layers, dims: dims, heads: [1, 2, 8]) { name, prices, planner, plan in
            let found = (Set(plan.trials.map(\.configuration.layers)), Set(plan.trials.map(\.configuration.dim)))
            if !found.0.isSubset(of: layers) || !found.1.isSubset(of: dims) { foreign.append(name) }
            let all = layers.flatMap { layers in
                dims.map { dim -> Double in
                    let configuration = planner.settings.configuration(layers: layers, dim: dim)
                    return prices.epoch(configuration, 1) * planner.epochs + prices.ending
                }
            }.reduce(0, +)
            if all <= 0.85 * planner.settings.budgetSeconds, found.0 != Set(layers) || found.1 != Set(dims) {
                missing.append(name)
            }
        }
        #expect(foreign.count == 0, "\(foreign.count), such as \(foreign.prefix(3))")
        #expect(missing.count == 0, "\(missing.count), such as \(missing.prefix(3))")
        let onlyLayers = try Self.planner(Self.prices[1], budget: 3_600, layers: [2, 3]).plan()
        #expect(Set(onlyLayers.trials.map(\.configuration.layers)) == [2, 3])
        #expect(Set(onlyLayers.trials.map(\.configuration.dim)).count >= 3)
    }

    @Test("equal settings and prices give equal plans")
    func determinism() async throws {
        var differing: [String] = []
        try await Self.sweep(heads: [2, 8]) { name, _, planner, plan in
            if planner.plan() != plan { differing.append(name) }
        }
        #expect(differing.count == 0, "\(differing.count), such as \(differing.prefix(3))")
    }

    @Test("more budget never gives fewer than 3 levels where less gave 3")
    func growth() throws {
        for prices in Self.prices {
            var last = 0
            for exponent in 0..<40 {
                let budget = min(2_592_000, 1 * pow(1.45, exponent))
                let plan = try Self.planner(prices, budget: budget, workers: 2).plan()
                let levels = min(
                    Set(plan.trials.map(\.configuration.layers)).count,
                    Set(plan.trials.map(\.configuration.dim)).count)
                #expect(levels >= min(3, last), "prices \(prices), \(budget) s")
                last = levels
            }
            // The longest budget there is buys the largest design there is, where a trial costs seconds.
            if prices.base < 1 { #expect(last >= 4, "prices \(prices)") }
        }
    }

    private func pow(_ base: Double, _ exponent: Int) -> Double {
        (0..<exponent).reduce(1) { value, _ in value * base }
    }

    @Test("a budget that pays no trial gives an empty plan that says what the smallest design costs")
    func nothing() throws {
        let plan = try Self.planner(Self.prices[6], budget: 10).plan()
        #expect(plan.trials.isEmpty)
        #expect(plan.predictedSeconds == 0)
        let note = try #require(plan.notes.first { $0.contains("the budget pays") })
        #expect(note.contains("pays 0 of the 9 trials"))
        let cost = [1, 2, 3].flatMap { n in
            [4, 8, 16].map { d in
                Self.prices[6].epoch(Configuration(layers: n, dim: d), 1) * 40 + Self.prices[6].ending
            }
        }.reduce(0, +)
        #expect(note.contains("\(Int((cost / 0.9).rounded())) s"))
    }

    @Test("a budget that pays some trials takes the cheapest and says how many")
    func some() throws {
        let price = Prices(base: 1, slope: 0, ending: 0)
        let plan = try Self.planner(price, budget: 180).plan()
        #expect(plan.trials.count == 4)
        #expect(plan.notes.contains { $0.contains("the budget pays 4 of the 9 trials") })
        #expect(plan.predictedSeconds == 160)
    }

    @Test("where much is paid, trials on a share of the users are added and noted")
    func dataSizes() throws {
        let plan = try Self.planner(Self.prices[1], budget: 36_000).plan()
        let shares = plan.trials.filter { $0.userFraction < 1 }
        #expect(Set(shares.map(\.userFraction)) == [0.5, 0.25, 0.125])
        #expect(Set(shares.map(\.configuration)).count == 1)
        #expect(plan.trials.contains { $0.userFraction == 1 && $0.configuration == shares[0].configuration })
        #expect(plan.notes.contains { $0.contains("share of the users") })
    }

    @Test("what was measured before is not trained again, costs nothing, and is noted")
    func known() throws {
        var planner = try Self.planner(Self.prices[1], budget: 600)
        let whole = planner.plan()
        try #require(whole.trials.count > 6)
        let known = Set(whole.trials.prefix(4).map(\.configuration))
        planner.isKnown = { configuration, share in share == 1 && known.contains(configuration) }
        let rest = planner.plan()
        #expect(!rest.trials.isEmpty)
        #expect(!rest.trials.contains { $0.userFraction == 1 && known.contains($0.configuration) })
        #expect(rest.notes.contains { $0.contains("known already") })
        #expect(rest.predictedSeconds <= 600)
        planner.isKnown = { _, _ in true }
        let nothing = planner.plan()
        #expect(nothing.trials.isEmpty)
        #expect(nothing.predictedSeconds == 0)
        #expect(nothing.notes.contains { $0.contains("known already") })
    }

    @Test("no more epochs are expected than are allowed")
    func epochs() throws {
        let plan = try Self.planner(Self.prices[1], budget: 600, epochs: 40, maxEpochs: 3).plan()
        #expect(plan.trials.allSatisfy { $0.predictedEpochs == 3 })
        #expect(plan.notes.contains { $0.contains("3 epochs") })
    }

    // MARK: - Large catalogues

    /// A planner of one loss whose epochs take `epoch` seconds whatever the shape.
    private static func flat(_ loss: Loss, epoch: Double, budget: Double, isKnown: Bool = false) throws
        -> CalibrationPlanner
    {
        let settings = try CalibrationSettings(
            CalibrationParams(name: "books", budgetSeconds: budget, loss: loss), trained: trainedFacts, mask: .none,
            availableWorkers: 1)
        return CalibrationPlanner(settings: settings, epochs: 10, isKnown: { _, _ in isKnown }) { _, _ in (epoch, 0) }
    }

    /// Seconds of an epoch with either loss, the budget, and what it is spent on; the smallest design is 9 trials of 10 epochs.
    private static let large: [(cce: Double, sampled: Double, budget: Double, expected: Loss)] = [
        (1, 0.1, 1_000, .cce), (20, 0.1, 1_000, .sampledSoftmax),
        // Neither is paid whole: what trains more. 1 of 9 trials against 8, and none against none.
        (50, 12, 1_080, .sampledSoftmax), (900, 800, 1_000, .cce),
    ]

    @Test(
        "a large catalogue is calibrated with cce where the budget pays a design with it, else with sampled softmax",
        arguments: large)
    func lossOfLargeCatalogues(cce: Double, sampled: Double, budget: Double, expected: Loss) throws {
        let choice = LossChoice(
            full: try Self.flat(.cce, epoch: cce, budget: budget),
            sampled: try Self.flat(.sampledSoftmax, epoch: sampled, budget: budget), items: 200_000)
        #expect(choice.settings.loss == expected)
        #expect(choice.plan.trials.allSatisfy { $0.configuration.loss == expected })
        #expect(choice.settings.options.negatives == (expected == .cce ? 1 : 1_024))
        let note = try #require(choice.plan.notes.first)
        #expect(note.contains("200000 items"))
        #expect(note.contains("\(Int((cce * 100).rounded(.up))) s with cce"), "\(note)")
        #expect(note.contains("\(Int((sampled * 100).rounded(.up))) s with sampled-softmax"), "\(note)")
        #expect(note.contains("training with \(expected.rawValue)"))
    }
}
