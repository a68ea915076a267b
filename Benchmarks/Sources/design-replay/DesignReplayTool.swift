import ArgumentParser
import Domain
import PerformanceLaws
import DesignReplay
import SequentialDesign

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a sequential calibration would have recommended, where everything it could have trained is known.
@main
struct DesignReplayTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "design-replay", abstract: "Replay sequential designs.",
        subcommands: [Grid.self, Curves.self, Simulate.self])
}

/// A design and those it is compared with.
private let strategies: [(name: String, strategy: DesignReplay.Strategy)] =
    [("sequential", .sequential), ("cheapest first", .cheapestFirst)]
    + (1...5).map { ("random \($0)", .random(seed: $0)) }

private func percent(_ value: Double) -> String {
    let tenths = Int((value * 1_000).rounded())
    return "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10) %"
}

private func digits(_ value: Double) -> String { "\((value * 1e5).rounded() / 1e5)" }

/// A fully trained grid from a CSV file.
struct Grid: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replay on a trained grid: a CSV with the columns of Benchmarks/grid.")

    @Argument(help: "The file.") var file: String
    @Option(help: "Metric: hr@10, ndcg@10.") var metric = "ndcg@10"
    @Option(help: "Share of the grid's seconds, in percent.") var share = 10.0
    @Option(help: "Most parameters of the answer; may be repeated. Unless given: no limit, and two that bind.")
    var maxParams: [Double] = []
    @Option(help: "Only rows of this backbone.") var backbone: String?
    @Option(help: "Only rows of this loss.") var loss: String?
    @Flag(help: "Print every training in the order it was chosen.") var trials = false

    func run() throws {
        guard let metric = Metric(metric) else {
            throw ValidationError("metric: found \(metric), expected hr@10 or such")
        }
        let trainings = try GridFile(path: file, metric: metric, backbone: backbone, loss: loss).trainings
        let replay = DesignReplay(trainings, metric: metric, prior: .recorded(effectiveTokens: 5e4, mask: .full))
        let budget = replay.totalSeconds * share / 100
        let sizes = Set(trainings.map(\.parameters)).sorted()
        let limits =
            maxParams.isEmpty ? [.infinity, sizes[sizes.count * 3 / 4 - 1], sizes[sizes.count / 2 - 1]] : maxParams
        print(
            "\(trainings.count) trainings, \(Set(trainings.map(\.seed)).count) seeds, \(Int(replay.totalSeconds)) s; "
                + "\(percent(share / 100)) are \(Int(budget)) s; metric \(metric)")
        for limit in limits {
            print("\nat most \(limit.isInfinite ? "any number of" : "\(Int(limit))") parameters")
            for (name, strategy) in strategies {
                let o = try replay.run(strategy, budget: budget, maxParameters: limit)
                let interval = o.interval.map { "\(digits($0.low)) to \(digits($0.high))" } ?? "none"
                let covers = o.interval.map { $0.low <= o.value && o.value <= $0.high ? "covers" : "misses" } ?? ""
                print(
                    "  \(name): \(o.chosen.count) trainings in \(Int(o.seconds)) s recommend \(o.layers) x \(o.dim), "
                        + "\(digits(o.value)) true; best \(o.bestLayers) x \(o.bestDim) \(digits(o.bestValue)): "
                        + "\(percent(o.relativeRegret)) less; best trained \(digits(o.trainedValue)); predicted "
                        + "\(o.predicted.map(digits) ?? "nothing"), interval \(interval) \(covers)")
                if trials {
                    print("    " + o.chosen.map { "\($0.layers)x\($0.dim)#\($0.seed)" }.joined(separator: " "))
                }
            }
        }
    }
}

/// Made-up surfaces.
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Mean regret of sequential, cheapest-first and random designs on made-up surfaces.")

    @Option(help: "Surfaces.") var count = 40
    @Option(help: "Share of the grid's seconds, in percent.") var share = 10.0
    @Option(help: "Standard deviation of a training; the metric is about 0.09.") var noise = 0.0005

    func run() throws {
        for limit in [Double.infinity, 1.2e6] {
            var sums: [String: (regret: Double, trained: Double, covered: Int, runs: Int, trials: Int, worse: Int)] =
                [:]
            for seed in 1...UInt64(count) {
                let surface = StudySurface(
                    seed: seed, noise: noise, layers: [1, 2, 4, 8], dims: [16, 32, 64, 128])
                let replay = DesignReplay(
                    surface.trainings, metric: Metric(.ndcg, 10), prior: .recorded(effectiveTokens: 5e4, mask: .full))
                for (name, strategy) in strategies {
                    let o = try replay.run(
                        strategy, budget: replay.totalSeconds * share / 100, maxParameters: limit)
                    let group = name.hasPrefix("random") ? "random" : name
                    var sum = sums[group] ?? (0, 0, 0, 0, 0, 0)
                    sum.regret += o.relativeRegret
                    sum.trained += (o.bestValue - o.trainedValue) / o.bestValue
                    if let i = o.interval, i.low <= o.value, o.value <= i.high { sum.covered += 1 }
                    if o.value < o.trainedValue { sum.worse += 1 }
                    sum.runs += 1
                    sum.trials += o.chosen.count
                    sums[group] = sum
                }
            }
            print("at most \(limit) parameters, \(count) surfaces")
            for (name, sum) in sums.sorted(by: { $0.key < $1.key }) {
                let runs = Double(sum.runs)
                print(
                    "  \(name): mean regret \(digits(100 * sum.regret / runs)) %, of the best trained "
                        + "\(digits(100 * sum.trained / runs)) %, worse than it in \(sum.worse) of \(sum.runs), "
                        + "interval covers \(sum.covered), \(digits(Double(sum.trials) / runs)) trainings")
            }
        }
    }
}
