import Foundation
import Interactions
import Testing
import Transformer
import Trials

@testable import Costs
@testable import Domain

/// Formulas against counting by hand and against the core.
@Suite struct CostModelTests {
    private static let facts = CostTests.facts

    @Test("memory of any shape is that of the formula, though four shapes are probed", arguments: [Loss.cce, .bce])
    func memory(loss: Loss) throws {
        let folder = FileManager.default.temporaryDirectory.path + "/plaw-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let text = SyntheticInteractions(users: 3_000, items: 2_000, meanLength: 9).text()
        try text.write(toFile: folder + "/data", atomically: true, encoding: .utf8)
        _ = try InteractionReader(path: folder + "/data", options: ReadOptions()).buildCorpus(at: folder + "/corpus")
        let data = TrainingData(try Corpus(path: folder + "/corpus"), maxLength: 50)
        func bytes(_ layers: Int, _ dim: Int) -> Double {
            let c = Configuration(layers: layers, dim: dim, loss: loss)
            return Double(MemoryUse.predictedBytes(c, data: data, options: TrainingOptions()))
        }
        let model = SpeedModel(
            [(1, 16), (1, 64), (4, 16), (4, 64)].map { layers, dim in
                ThroughputProbe(
                    layers: layers, dim: dim, heads: 2, tokensPerSecond: 1, evaluatedUsersPerSecond: 1,
                    latencySeconds: 1, memoryBytes: bytes(layers, dim),
                    parameters: CostModel.parameters(
                        Configuration(layers: layers, dim: dim, loss: loss), items: data.corpus.itemCount))
            })
        var facts = Self.facts
        facts.items = data.corpus.itemCount
        for (layers, dim) in [(1, 8), (2, 32), (2, 64), (3, 48), (8, 16), (8, 64), (2, 128), (4, 256)] {
            let found = model.estimate(Configuration(layers: layers, dim: dim, loss: loss), facts: facts)
            #expect(abs(found.memoryBytes / bytes(layers, dim) - 1) < 0.005, "\(layers) x \(dim)")
        }
    }

    @Test("speed and memory between, below and above the probes follow the constant part as well as the growing ones")
    func speeds() {
        func truth(_ n: Int, _ d: Int) -> ThroughputProbe {
            let (layers, dim) = (Double(n), Double(d))
            let parameters = CostModel.parameters(Configuration(layers: n, dim: d), items: Self.facts.items)
            return ThroughputProbe(
                layers: n, dim: d, heads: 2, tokensPerSecond: 1 / (2e-6 + 3e-7 * dim + 4e-9 * layers * dim * dim),
                evaluatedUsersPerSecond: 1 / (1e-6 * layers + 2e-7 * dim),
                latencySeconds: 2e-5 + 1e-6 * layers + 3e-7 * layers * dim,
                memoryBytes: 1.5e7 + 1e5 * dim + 4e4 * layers * dim + 20 * Double(parameters), parameters: parameters)
        }
        let model = SpeedModel([(1, 16), (1, 32), (1, 64), (4, 16), (4, 32), (4, 64)].map(truth))
        for (n, d) in [(1, 4), (2, 24), (3, 48), (8, 16), (8, 128), (2, 8)] {
            let (found, expected) = (model.estimate(Configuration(layers: n, dim: d), facts: Self.facts), truth(n, d))
            #expect(abs(found.tokensPerSecond / expected.tokensPerSecond - 1) < 1e-6)
            #expect(abs(found.evaluatedUsersPerSecond / expected.evaluatedUsersPerSecond - 1) < 1e-6)
            #expect(abs(found.latencySeconds / expected.latencySeconds - 1) < 1e-6)
            #expect(abs(found.memoryBytes / expected.memoryBytes - 1) < 1e-6)
        }
        // One probe says no more than how cost grows with the work.
        let one = SpeedModel([truth(2, 32)])
        let same = one.estimate(Configuration(layers: 2, dim: 32), facts: Self.facts)
        #expect(abs(same.tokensPerSecond / truth(2, 32).tokensPerSecond - 1) < 1e-9)
        #expect(abs(same.memoryBytes / truth(2, 32).memoryBytes - 1) < 1e-9)
        let wider = one.estimate(Configuration(layers: 2, dim: 64), facts: Self.facts)
        #expect(wider.memoryBytes > truth(2, 32).memoryBytes)
    }

    @Test("parameters equal counting them by hand, and the published count up to its two extra rows")
    func parameters() {
        let c = Configuration(layers: 2, dim: 64)
        #expect(CostModel.parameters(c, items: 12_103) == 877_888)
        // 3 items, 5 positions, d 2: 6 + 10 + 4; a block: qkv 12 + 6, output 4 + 2, norms 8, ffn 16 + 8 + 16 + 2.
        #expect(CostModel.parameters(Configuration(layers: 1, dim: 2, maxLength: 5), items: 3) == 20 + 74)
    }

    @Test("parameters are those of the model that is trained, for every backbone", arguments: Model.trainable)
    func trainedParameters(backbone: Model) {
        for (layers, dim, heads, maxLength, items) in [(1, 4, 2, 5, 3), (2, 64, 2, 50, 12_101), (5, 36, 3, 17, 100)] {
            let c = Configuration(
                backbone: backbone, layers: layers, dim: dim, heads: heads, maxLength: maxLength)
            #expect(CostModel.parameters(c, items: items) == ParameterTable(c, items: items).count)
            guard backbone != .hstu else { continue }
            var narrow = c
            narrow.feedForwardFactor = 1.7
            #expect(CostModel.parameters(narrow, items: items) == ParameterTable(narrow, items: items).count)
        }
    }

    @Test(
        "the products of a token are two for each weight of a linear layer, three times over",
        arguments: Model.trainable)
    func trainedProducts(backbone: Model) {
        let c = Configuration(backbone: backbone, layers: 3, dim: 20)
        let weights = ParameterTable(c, items: 10).entries.filter(\.isMatrix).reduce(0) { $0 + $1.count }
        let facts = DatasetFacts(items: 1_000, evaluatedUsers: 1, tokens: 1, apen: 1, meanContext: 0)
        #expect(
            CostModel.trainingFlopsPerToken(c, facts: facts, negatives: 1) == 6 * (20_000.0 + Double(weights)))
    }

    @Test("training FLOPs of a token are the products' multiply-adds, twice, three times over")
    func flops() {
        let facts = DatasetFacts(items: 1_000, evaluatedUsers: 1, tokens: 1, apen: 1, meanContext: 0)
        let c = Configuration(layers: 3, dim: 32)
        #expect(CostModel.trainingFlopsPerToken(c, facts: facts, negatives: 1) == 6 * (32_000.0 + 3 * 12 * 1_024))
        var bce = c
        bce.loss = .bce
        #expect(CostModel.trainingFlopsPerToken(bce, facts: facts, negatives: 4) == 6 * (160.0 + 3 * 12 * 1_024))
    }
}
