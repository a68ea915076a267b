import ArgumentParser
import Costs
import Domain
import Trials

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How fast configurations are priced, and how well latencies are predicted.
@main
struct CostBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cost-bench", abstract: "Measure the cost model.",
        subcommands: [Table.self, Latency.self, Search.self])
}

/// Seconds to price a grid of configurations.
struct Table: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Price 4 backbones x layers x dims x heads, on one thread, and print the milliseconds.")

    @Option(help: "Numbers of layers, from 1.") var layers = 64
    @Option(help: "Dimensions, multiples of 8.") var dims = 1_000
    @Option(help: "Numbers of heads: 1, 2, 4, ...") var heads = 4
    @Option(help: "Repetitions; the median is printed.") var rounds = 9

    func run() throws {
        let models = Self.models
        var milliseconds: [Double] = []
        var count = 0
        for _ in 0..<rounds {
            let start = ContinuousClock.now
            let tables = models.flatMap { model in
                (0..<heads).map { heads in
                    var base = model.base
                    base.heads = 1 << heads
                    return CostTable(
                        DeclaredConfiguration(base), model.costs, layers: Array(1...layers),
                        dims: (1...dims).map { 8 * $0 })
                }
            }
            milliseconds.append(start.duration(to: .now) / .milliseconds(1))
            count = tables.reduce(0) { $0 + $1.count }
        }
        let median = (milliseconds.sorted()[rounds / 2] * 100).rounded() / 100
        print("{\"configurations\":\(count),\"pricingMilliseconds\":\(median)}")
    }

    /// A cost model for each backbone, of imagined probes and trials.
    static var models: [(base: Configuration, costs: CostModel)] {
        let facts = DatasetFacts(
            items: 12_101, evaluatedUsers: 22_363, tokens: 131_413, apen: 2, meanContext: 12, longestHistory: 50,
            batchPairs: 1e5)
        let trials = (0..<60).map { Self.timing(1 << ($0 % 4), 16 << ($0 % 5 % 4), Double($0)) }
        let probes = [(1, 16), (1, 64), (1, 128), (4, 16), (4, 64), (4, 128)].map { Self.probe($0.0, $0.1) }
        let epochs = EpochModel(
            own: trials.map { .init(layers: $0.configuration.layers, dim: $0.configuration.dim, epochs: $0.epochs) },
            limit: 200)
        return Backbone.allCases.map { backbone -> (base: Configuration, costs: CostModel) in
            let latency = LatencyModel(
                [(1, 16), (4, 16), (1, 64), (4, 64), (2, 128), (1, 256)].map {
                    Self.latency(backbone, $0.0, $0.1)
                })
            return (
                Configuration(backbone: Model(backbone), layers: 1, dim: 2),
                CostModel(
                    facts: facts, speed: SpeedModel(probes, trials: trials), epochs: epochs, negatives: 1,
                    latency: latency)
            )
        }
    }

    private static func timing(_ layers: Int, _ dim: Int, _ number: Double) -> TrialTiming {
        let probe = probe(layers, dim)
        return TrialTiming(
            configuration: Configuration(layers: layers, dim: dim), batchUsers: 256, negatives: 1,
            atOnce: 2, tokens: 131_413, users: 22_363, userFraction: 1, epochs: 30 + Int(number) % 20,
            secondsPerEpoch: 131_413 / probe.tokensPerSecond * (1.2 + 0.005 * number),
            secondsPerValidation: 22_363 / probe.evaluatedUsersPerSecond, seconds: 60, converged: true)
    }

    private static func probe(_ layers: Int, _ dim: Int) -> ThroughputProbe {
        let work = Double(dim) * Double(12_101 + 12 * layers * dim)
        return ThroughputProbe(
            layers: layers, dim: dim, heads: 2, tokensPerSecond: 6e10 / work, evaluatedUsersPerSecond: 4e10 / work,
            latencySeconds: work / 1e10, memoryBytes: 17e6 + 60 * work,
            parameters: CostModel.parameters(Configuration(layers: layers, dim: dim), items: 12_101))
    }

    private static func latency(_ backbone: Backbone, _ layers: Int, _ dim: Int) -> LatencyProbe {
        let (body, head) = (1e-6 * Double(layers * dim), 2e-8 * 12_101 * Double(dim) / 16)
        return LatencyProbe(
            backbone: Model(backbone), layers: layers, dim: dim, heads: 2, items: 12_101, length: 50, requests: 50,
            bodySeconds: body, headSeconds: head, p50Seconds: body + head, p95Seconds: 1.2 * (body + head))
    }
}

/// Predicted beside measured latencies: see Benchmarks/latency.
struct Latency: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fit latencies to the lines of one file and compare what they predict with the lines of another.")

    @Argument(help: "Lines of `plaw-trial latency` to fit, all of one backbone.") var fitted: String
    @Argument(help: "Lines of shapes that the fit has not seen.") var unseen: String

    func run() throws {
        guard let model = LatencyModel(try Self.probes(fitted)) else {
            throw ValidationError("\(fitted): found no line, expected those of plaw-trial latency")
        }
        var errors: [Double] = []
        for probe in try Self.probes(unseen) {
            let c = Configuration(
                backbone: probe.backbone, layers: probe.layers, dim: probe.dim, heads: probe.heads,
                maxLength: probe.length)
            let found = model.seconds(c, items: probe.items, length: probe.length)
            let error = found.p50 / probe.p50Seconds - 1
            errors.append(abs(error))
            func micro(_ seconds: Double) -> Double { (seconds * 1e7).rounded() / 10 }
            print(
                "\(probe.backbone.rawValue) \(probe.layers) x \(probe.dim) V \(probe.items) L \(probe.length): measured "
                    + "\(micro(probe.p50Seconds)) µs (p95 \(micro(probe.p95Seconds))), predicted \(micro(found.p50)) µs "
                    + "(p95 \(micro(found.p95))), off \(Format.share(error))")
        }
        errors.sort()
        let worst = errors.last ?? 0
        print(
            "{\"shapes\":\(errors.count),\"medianError\":\(errors.isEmpty ? 0 : errors[errors.count / 2]),"
                + "\"worstError\":\(worst),\"within25\":\(errors.count { $0 <= 0.25 })}")
    }

    private static func probes(_ path: String) throws -> [LatencyProbe] {
        let decoder = JSONDecoder()
        return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            .map { try decoder.decode(LatencyProbe.self, from: Data($0.utf8)) }
    }
}
