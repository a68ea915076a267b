import Foundation
import Interactions
import Testing
import Transformer
import Trials

@testable import Costs
@testable import Domain

/// What is learnt from finished trials, on made-up machines and datasets.
@Suite struct PredictionTests {
    static let shapes = [1, 2, 4, 8].flatMap { n in [16, 32, 64, 128].map { (n, $0) } }

    /// A seeded normal number.
    struct Noise {
        var random: RandomStream
        init(_ seed: UInt64) { random = RandomStream(seed: seed, .synthetic) }
        mutating func next() -> Double {
            (-2 * log(1 - random.uniform())).squareRoot() * cos(2 * .pi * random.uniform())
        }
    }

    private static func probe(_ n: Int, _ d: Int) -> ThroughputProbe {
        ThroughputProbe(
            layers: n, dim: d, heads: 2, tokensPerSecond: 1 / (2e-6 + 3e-7 * Double(d) + 4e-9 * Double(n * d * d)),
            evaluatedUsersPerSecond: 1 / (1e-6 * Double(n) + 2e-7 * Double(d)), latencySeconds: 1e-4, memoryBytes: 1e8,
            parameters: 1)
    }

    private static let probes = [(1, 16), (1, 64), (1, 128), (4, 16), (4, 64), (4, 128)].map { probe($0.0, $0.1) }

    private static func timing(_ n: Int, _ d: Int, slower: Double, ranking: Double = 1, atOnce: Int = 1) -> TrialTiming
    {
        let truth = probe(n, d)
        return TrialTiming(
            configuration: Configuration(layers: n, dim: d), batchUsers: 256, negatives: 1, atOnce: atOnce,
            tokens: 10_000, users: 500, userFraction: 1, epochs: 40,
            secondsPerEpoch: 10_000 / truth.tokensPerSecond * slower,
            secondsPerValidation: 500 / truth.evaluatedUsersPerSecond * ranking, seconds: 1, converged: true)
    }

    private static func slowness(_ model: SpeedModel, _ n: Int, _ d: Int) -> Double {
        probe(n, d).tokensPerSecond
            / model.estimate(Configuration(layers: n, dim: d), facts: CostTests.facts).tokensPerSecond
    }

    @Test("trials that took longer than the probes say make the predictions longer, near them most of all")
    func slower() {
        #expect(abs(Self.slowness(SpeedModel(Self.probes), 2, 64) - 1) < 0.05)
        let twice = SpeedModel(
            Self.probes, trials: Self.shapes.map { Self.timing($0.0, $0.1, slower: 2, ranking: 3, atOnce: 1) })
        for (n, d) in Self.shapes { #expect(abs(Self.slowness(twice, n, d) / 2 - 1) < 0.1, "\(n) x \(d)") }
        let users = twice.estimate(Configuration(layers: 2, dim: 64), facts: CostTests.facts).evaluatedUsersPerSecond
        #expect(abs(Self.probe(2, 64).evaluatedUsersPerSecond / users / 3 - 1) < 0.1)
        // Only wide shapes are slow: the narrow ones keep most of their speed.
        let wide = SpeedModel(
            Self.probes, trials: Self.shapes.map { Self.timing($0.0, $0.1, slower: $0.1 >= 128 ? 2 : 1) })
        #expect(Self.slowness(wide, 4, 128) > 1.4)
        #expect(Self.slowness(wide, 4, 16) < 1.15)
    }

    @Test("that trials ran side by side is no reason to call the machine slow")
    func sideBySide() {
        let trials = Self.shapes.map {
            Self.timing($0.0, $0.1, slower: SpeedModel.beside(2), ranking: SpeedModel.beside(2), atOnce: 2)
        }
        let model = SpeedModel(Self.probes, trials: trials)
        for (n, d) in [(1, 16), (4, 64)] { #expect(abs(Self.slowness(model, n, d) - 1) < 0.05) }
    }

    @Test("recent trials weigh more than old ones, and both more than probes")
    func recent() {
        let old = (0..<48).map { _ in Self.timing(2, 64, slower: 3) }
        let new = (0..<24).map { _ in Self.timing(2, 64, slower: 1.5) }
        let mixed = log(Self.slowness(SpeedModel(Self.probes, trials: old + new), 2, 64))
        let plain = (2 * log(3.0) + log(1.5)) / 3
        #expect(mixed < plain - 0.1)
        #expect(mixed > log(1.5))
        #expect(abs(Self.slowness(SpeedModel(Self.probes, trials: new), 2, 64) / 1.5 - 1) < 0.05)
    }

    @Test("the stated deviation is that of trials to come, and shrinks as trials are seen")
    func deviation() {
        var noise = Noise(4)
        func trial(_ n: Int, _ d: Int) -> TrialTiming {
            Self.timing(n, d, slower: 1.3 * exp(0.1 * noise.next() + 0.05 * log(Double(d) / 64)))
        }
        let before = SpeedModel(Self.probes).logDeviation(layers: 2, dim: 64)
        var inside = 0
        for _ in 0..<200 {
            let model = SpeedModel(Self.probes, trials: Self.shapes.map { trial($0.0, $0.1) })
            let deviation = model.logDeviation(layers: 2, dim: 64)
            #expect(deviation < 0.6 * before)
            let next = trial(2, 64)
            let predicted = 10_000 * 1 / model.estimate(next.configuration, facts: CostTests.facts).tokensPerSecond
            if abs(log(next.secondsPerEpoch / predicted)) < 1.645 * deviation { inside += 1 }
        }
        #expect((166...196).contains(inside), "\(inside) of 200")
    }

    // MARK: - Epochs

    private static func samples(
        _ noise: inout Noise, common: Double, layers: Double, dim: Double, count: Int = 16, scatter: Double = 0.15
    ) -> [EpochModel.Sample] {
        shapes.prefix(count).map { n, d in
            let mean = common + layers * log(Double(n) / 2) + dim * log(Double(d) / 48)
            return .init(layers: n, dim: d, epochs: Int(exp(mean + scatter * noise.next()).rounded()))
        }
    }

    @Test("before anything is known forty epochs are expected, of every shape, and it is said how little that is")
    func nothing() {
        let model = EpochModel(own: [])
        for (n, d) in Self.shapes {
            let found = model.expected(layers: n, dim: d)
            #expect(abs(found.epochs - 40) < 1e-9)
            #expect(found.logDeviation > 0.6)
        }
    }

    @Test("the standard recipe is expected to take fewer, and narrow models more of them, until trials say otherwise")
    func recipes() {
        let model = EpochModel(own: [], recipe: .standard)
        #expect(abs(model.expected(layers: 2, dim: 48).epochs - 26) < 1e-9)
        #expect(abs(log(model.expected(layers: 2, dim: 16).epochs / 26) - 0.3 * log(3)) < 1e-9)
        #expect(abs(log(model.expected(layers: 8, dim: 48).epochs / 26)) < 1e-9)
        var noise = Noise(2)
        let own = Self.samples(&noise, common: log(60), layers: 0.35, dim: 0.3)
        let learnt = EpochModel(own: own, recipe: .standard)
        for (n, d) in Self.shapes {
            let truth = 60 * exp(0.35 * log(Double(n) / 2) + 0.3 * log(Double(d) / 48))
            #expect(abs(log(learnt.expected(layers: n, dim: d).epochs / truth)) < 0.3, "\(n) x \(d)")
        }
    }

    @Test("how epochs change with layers and dim is found, as far as there are trials that show it")
    func slopes() {
        var noise = Noise(2)
        let own = Self.samples(&noise, common: log(60), layers: 0.35, dim: -0.3)
        let model = EpochModel(own: own, limit: 100)
        for (n, d) in Self.shapes {
            let truth = min(100, 60 * exp(0.35 * log(Double(n) / 2) - 0.3 * log(Double(d) / 48)))
            #expect(abs(log(model.expected(layers: n, dim: d).epochs / truth)) < 0.25, "\(n) x \(d)")
        }
        #expect(model.expected(layers: 64, dim: 8).epochs == 100)
        // One trial moves the expectation, and makes no slope.
        let one = EpochModel(own: [.init(layers: 2, dim: 48, epochs: 100)])
        #expect((50...95).contains(one.expected(layers: 2, dim: 48).epochs))
        #expect(abs(log(one.expected(layers: 8, dim: 48).epochs / one.expected(layers: 2, dim: 48).epochs)) < 1e-9)
    }

    @Test("other datasets tell what to expect of a new one, and count less once it has trials of its own")
    func others() {
        var noise = Noise(7)
        let others = [80.0, 95, 110].map { Self.samples(&noise, common: log($0), layers: 0.4, dim: 0) }
        let new = EpochModel(own: [], others: others)
        #expect((70...125).contains(new.expected(layers: 2, dim: 48).epochs))
        #expect(new.expected(layers: 8, dim: 48).epochs > 1.4 * new.expected(layers: 2, dim: 48).epochs)
        #expect(
            new.expected(layers: 2, dim: 48).logDeviation
                < EpochModel(own: []).expected(layers: 2, dim: 48).logDeviation)
        let own = Self.samples(&noise, common: log(25), layers: 0.4, dim: 0)
        let known = EpochModel(own: own, others: others)
        for (n, d) in Self.shapes {
            let truth = 25 * exp(0.4 * log(Double(n) / 2))
            #expect(abs(log(known.expected(layers: n, dim: d).epochs / truth)) < 0.3, "\(n) x \(d)")
        }
    }

    @Test("nine of ten trials to come lie within the stated interval")
    func coverage() {
        var noise = Noise(11)
        var inside = 0
        for _ in 0..<300 {
            let (common, layers, dim) = (log(40) + 0.4 * noise.next(), 0.2 * noise.next(), 0.2 * noise.next())
            let model = EpochModel(
                own: Self.samples(&noise, common: common, layers: layers, dim: dim, count: 9, scatter: 0.25))
            let expected = model.expected(layers: 4, dim: 128)
            let truth = exp(common + layers * log(2) + dim * log(128.0 / 48) + 0.25 * noise.next())
            if abs(log(truth / expected.epochs)) < 1.645 * expected.logDeviation { inside += 1 }
        }
        #expect((255...297).contains(inside), "\(inside) of 300")
    }

    // MARK: - Tables

    static func costs(_ backbone: Model, latency: Bool) -> CostModel {
        var facts = CostTests.facts
        facts.batchPairs = 5e4
        facts.longestHistory = 40
        var noise = Noise(3)
        let shapes: [(Int, Int)] = [(1, 16), (1, 64), (4, 16), (4, 48), (2, 128)]
        let probes = shapes.map { n, d -> LatencyProbe in
            let body = 1e-6 * Double(n * d) * exp(0.2 * noise.next())
            let head = 2e-8 * Double(d) * exp(0.2 * noise.next())
            return LatencyProbe(
                backbone: backbone, layers: n, dim: d, heads: 2, items: 900, length: 40, requests: 50,
                bodySeconds: body, headSeconds: head, p50Seconds: body + head, p95Seconds: 1.3 * (body + head))
        }
        let trials = Self.shapes.map { Self.timing($0.0, $0.1, slower: exp(0.2 * noise.next())) }
        return CostModel(
            facts: facts, speed: SpeedModel(Self.probes, trials: trials),
            epochs: EpochModel(own: Self.samples(&noise, common: log(50), layers: 0.3, dim: -0.2), limit: 60),
            negatives: 1, latency: latency ? LatencyModel(probes) : nil)
    }

    @Test("a table's numbers are those of single configurations, in its order", arguments: [true, false])
    func table(latency: Bool) {
        let (layers, dims) = ([1, 2, 3, 7, 64, 128], [8, 12, 16, 50, 64, 100, 128, 1_024, 4_096])
        func near(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-9 * abs(b) }
        for backbone in Model.trainable {
            let costs = Self.costs(backbone, latency: latency)
            for (length, heads) in [(20, 1), (20, 4), (50, 2)] {
                let base = Configuration(backbone: backbone, layers: 1, dim: 2, heads: heads, maxLength: length)
                let table = CostTable(DeclaredConfiguration(base), costs, layers: layers, dims: dims)
                #expect(table.count == 54)
                for (place, index) in layers.flatMap({ n in dims.map { (n, $0) } }).enumerated() {
                    var c = base
                    (c.layers, c.dim) = index
                    #expect(table.configuration(place) == DeclaredConfiguration(c))
                    guard c.dim % c.dimStep == 0 else {
                        #expect(table.parameters[place] == .infinity)
                        continue
                    }
                    let cost = costs.cost(c)
                    #expect(table.cost(place) == cost)
                    #expect(table.parameters[place] == cost.parameters)
                    for currency in Currency.allCases {
                        #expect(near(table[currency][place], cost[currency]), "\(currency) of \(c)")
                    }
                }
            }
        }
    }

    @Test("memory of other numbers of heads is that of the formula", arguments: [Model.sasrec, .gpt, .llama, .hstu])
    func headMemory(backbone: Model) throws {
        let folder = FileManager.default.temporaryDirectory.path + "/plaw-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let text = SyntheticInteractions(users: 2_000, items: 300, meanLength: 20).text()
        try text.write(toFile: folder + "/data", atomically: true, encoding: .utf8)
        _ = try InteractionReader(path: folder + "/data", options: ReadOptions()).buildCorpus(at: folder + "/corpus")
        let data = TrainingData(try Corpus(path: folder + "/corpus"), maxLength: 50)
        func bytes(_ layers: Int, _ dim: Int, _ heads: Int) -> Double {
            let c = Configuration(backbone: backbone, layers: layers, dim: dim, heads: heads)
            return Double(MemoryUse.predictedBytes(c, data: data, options: TrainingOptions()))
        }
        var facts = CostTests.facts
        facts.items = data.corpus.itemCount
        // What a further head takes, as the core counts it.
        facts.batchPairs = (bytes(2, 64, 3) - bytes(2, 64, 2)) / 8
        let model = SpeedModel(
            [(1, 16), (1, 64), (4, 16), (4, 64)].map { layers, dim in
                ThroughputProbe(
                    layers: layers, dim: dim, heads: 2, tokensPerSecond: 1, evaluatedUsersPerSecond: 1,
                    latencySeconds: 1, memoryBytes: bytes(layers, dim, 2),
                    parameters: CostModel.parameters(
                        Configuration(backbone: backbone, layers: layers, dim: dim), items: data.corpus.itemCount))
            })
        for (layers, dim, heads) in [(1, 64, 8), (3, 32, 4), (8, 64, 1), (2, 128, 16)] {
            let c = Configuration(backbone: backbone, layers: layers, dim: dim, heads: heads)
            let found = model.estimate(c, facts: facts).memoryBytes
            #expect(abs(found / bytes(layers, dim, heads) - 1) < 0.01, "\(layers) x \(dim), \(heads) heads")
        }
    }
}
