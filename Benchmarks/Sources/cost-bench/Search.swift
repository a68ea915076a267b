import Advisor
import ArgumentParser
import Domain
import Glibc
import PerformanceLaws

/// Seconds to answer a question over a large table of candidates.
struct Search: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: """
            Fit laws of wide calibrations of 4 backbones, prepare their advisor, ask it with limits in all five currencies, on one
            thread, and print the milliseconds of its processor.
            """)

    @Option(help: "Largest number of layers observed; twice as many are searched.") var layers = 32
    @Option(help: "Largest dimension observed; twice as wide is searched.") var dim = 1_280
    @Option(help: "Levels observed of each axis.") var levels = 4
    @Option(help: "Repetitions; medians are printed.") var rounds = 9

    func run() throws {
        let models = Table.models
        let branches = try models.map { base, costs in
            let observations = observations(base)
            let laws = try Dictionary(
                uniqueKeysWithValues: [Metric(.ndcg, 10), Metric(.hr, 10)].map {
                    ($0.description, try LawFitter(metric: $0, draws: 0).fit(observations))
                })
            return Branch(
                key: observations[0].key, base: DeclaredConfiguration(base), laws: laws, lawNumbers: [:], costs: costs,
                observations: observations)
        }
        var preparing: [Double] = []
        var advisor = Advisor(dataset: "bench", branches: branches)
        for _ in 0..<3 {
            let start = Self.processor()
            advisor = Advisor(dataset: "bench", branches: branches)
            preparing.append(Self.processor() - start)
        }
        let budgets = (0..<rounds).map { round in
            // Each question another one, so that nothing is remembered.
            let scale = 1 + 0.01 * Double(round)
            return Budget(
                maxParameters: 2e7 * scale, maxTrainingFlops: 2e16, maxLatencySeconds: 5e-2 * scale,
                maxMemoryBytes: 4e9,
                maxTrainingSeconds: 1e6 * scale)
        }
        let start = Self.processor()
        let unasked = try advisor.recommend(Budget())
        let first = ((Self.processor() - start) * 100).rounded() / 100
        let limited = try median(budgets) { _ = try advisor.recommend($0) }
        let free = try median(budgets) { _ in _ = try advisor.recommend(Budget()) }
        let pareto = try median(budgets) { _ in _ = try advisor.pareto(.parameters) }
        print(
            "{\"candidates\":\(advisor.search.count),\"bytesPerCandidate\":"
                + "\(Double(advisor.bytes) / Double(advisor.search.count)),"
                + "\"predictions\":\(advisor.search.predictions),\"prepareMilliseconds\":\(middle(preparing)),\"firstQuestionMilliseconds\":\(first),"
                + "\"questionMilliseconds\":\(limited),\"unlimitedMilliseconds\":\(free),\"paretoMilliseconds\":\(pareto),"
                + "\"answer\":\"\(unasked.configuration.backbone.words) \(unasked.configuration.layers) x "
                + "\(unasked.configuration.dim)\"}")
    }

    /// Milliseconds of this thread on a processor.
    private static func processor() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
    }

    private func middle(_ values: [Double]) -> Double { (values.sorted()[values.count / 2] * 100).rounded() / 100 }

    private func median(_ budgets: [Budget], _ body: (Budget) throws -> Void) rethrows -> Double {
        middle(
            try budgets.map { budget in
                let start = Self.processor()
                try body(budget)
                return Self.processor() - start
            })
    }

    /// A surface with its optimum inside, a little lower for each backbone after the first.
    private func observations(_ base: Configuration) -> [Observation] {
        func axis(_ low: Int, _ high: Int) -> [Int] {
            (0..<levels).map { place in
                let share = Double(place) / Double(max(1, levels - 1))
                var (steps, value) = (share * log2(Double(high) / Double(low)), Double(low))
                while steps >= 1 { (steps, value) = (steps - 1, value * 2) }
                return Int((value * (1 + steps)).rounded())
            }
        }
        let rank = Double(base.backbone.core.flatMap(Backbone.allCases.firstIndex(of:)) ?? 0)
        return axis(2, layers).flatMap { n in
            axis(16, dim).map { d in
                var c = base
                (c.layers, c.dim) = (n, d / 4 * 4)
                let (x, y) = (log2(Double(n) / 6), log2(Double(d) / 150))
                // A little of what no formula describes.
                let ripple = 0.0003 * Double((n * 7 + d * 3) % 5 - 2)
                let value = 0.06 - 0.0005 * x * x - 0.0005 * y * y - 0.001 * rank + ripple
                return Observation(
                    id: Int64(n * 10_000 + d), dataset: "bench",
                    key: LawKey(
                        datasetVersion: .said("1"), split: .said("leave-one-out"), mask: .said(.full),
                        candidates: .said("all"),
                        backbone: .said(base.backbone), loss: .said(.core(.cce)), negatives: .said(0),
                        maxLength: .said(50), policy: TrainingPolicy("p"), codeVersion: .said("1")),
                    configuration: DeclaredConfiguration(c), tokens: .said(131_413), apen: .said(2), userFraction: 1,
                    seed: 1, users: 22_363,
                    metrics: [
                        "ndcg@10": Measurement(value: value, standardError: 0.001),
                        "hr@10": Measurement(value: 1.6 * value, standardError: 0.0016),
                    ], epochs: 30, seconds: 1, converged: true, job: nil, trial: nil)
            }
        }
    }

}
