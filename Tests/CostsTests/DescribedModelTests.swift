import Domain
import Testing
import Trials

@testable import Costs

/// Costs of models that the core does not train, against formulas of such models.
@Suite struct DescribedModelTests {
    /// Parameters of PyTorch's GRU with L layers of d, tied embeddings of 1,000 items, and a projection.
    private static func gru(_ n: Int, _ d: Int) -> Int { 1_000 * d + n * (6 * d * d + 6 * d) + d * d + d }

    private static let facts = DatasetFacts(
        items: 1_000, evaluatedUsers: 200, tokens: 10_000, apen: 1, meanContext: 20)

    private static func model(
        _ shapes: [(layers: Int, dim: Int)], probes: [ThroughputProbe] = [], latency: Double? = nil
    ) -> DescribedModel? {
        DescribedModel(
            shapes.map { shape in
                let parameters = gru(shape.layers, shape.dim)
                return DescribedModel.Shape(
                    layers: shape.layers, dim: shape.dim,
                    description: RunnerDescription(
                        parameters: parameters, flopsPerToken: 6 * Double(parameters),
                        memoryBytes: 3e8 + 16 * Double(parameters),
                        latencySeconds: latency.map { $0 * Double(shape.layers) }))
            }, probes: probes)
    }

    private static func costs(_ described: DescribedModel?) -> CostModel {
        let probe = ThroughputProbe(
            layers: 1, dim: 16, heads: 1, tokensPerSecond: 1_000, evaluatedUsersPerSecond: 100, latencySeconds: 0.01,
            memoryBytes: 1e8, parameters: 1_000)
        return CostModel(
            facts: facts, speed: SpeedModel([probe]),
            epochs: EpochModel(own: [], others: [], recipe: .standard, limit: 100),
            negatives: 1, described: described)
    }

    private static func configuration(_ layers: Int, _ dim: Int) -> DeclaredConfiguration {
        DeclaredConfiguration(Configuration(backbone: Model("gru") ?? .sasrec, layers: layers, dim: dim))
    }

    @Test("the shapes that are asked about tell those of any other shape, exactly where the parts are the model's")
    func exact() {
        let costs = Self.costs(Self.model(DescribedModel.shapes(dimStep: 2)))
        for layers in [1, 2, 3, 5, 12, 24] {
            for dim in [4, 10, 16, 50, 96, 200, 512] {
                let (cost, parameters) = (costs.cost(Self.configuration(layers, dim)), Double(Self.gru(layers, dim)))
                #expect(cost.parameters == parameters, "\(layers) x \(dim)")
                #expect(abs(cost.trainingFlopsPerToken / (6 * parameters) - 1) < 1e-6)
                #expect(abs(cost.memoryBytes / (3e8 + 16 * parameters) - 1) < 1e-6)
                #expect(cost.latencySeconds == .infinity && cost.trainingSeconds > 0)
            }
        }
        #expect(Self.model([]) == nil)
        // A model without depth has one level.
        let flat = Self.costs(Self.model(DescribedModel.shapes(layers: [1], dimStep: 1)))
        for dim in [4, 20, 90, 300] {
            #expect(flat.cost(Self.configuration(1, dim)).parameters == Double(Self.gru(1, dim)))
        }
        let asked = DescribedModel.shapes(layers: [2, 3, 4, 9], dims: [30], dimStep: 4).map { [$0.layers, $0.dim] }
        #expect(asked == [[2, 32], [4, 32], [9, 32]])
    }

    @Test("the table of a search has what the model says, and what was measured scales the memory")
    func table() throws {
        let probe = ThroughputProbe(
            layers: 2, dim: 64, heads: 1, tokensPerSecond: 1_000, evaluatedUsersPerSecond: 100, latencySeconds: 0.01,
            memoryBytes: 2 * (3e8 + 16 * Double(Self.gru(2, 64))), parameters: Self.gru(2, 64))
        let described = try #require(
            Self.model(DescribedModel.shapes(dimStep: 1), probes: [probe], latency: 0.004))
        #expect(described.saysLatency)
        let costs = Self.costs(described)
        let table = CostTable(Self.configuration(1, 8), costs, layers: [1, 3], dims: [8, 24, 80])
        #expect(table.count == 6)
        for place in 0..<table.count {
            let c = table.configuration(place)
            let parameters = Double(Self.gru(c.layers, c.dim))
            #expect(table.parameters[place] == parameters)
            #expect(abs(table.memoryBytes[place] / (2 * (3e8 + 16 * parameters)) - 1) < 1e-6)
            #expect(abs(table.latencySeconds[place] / (0.004 * Double(c.layers)) - 1) < 1e-6)
            #expect(table.trainingSeconds[place] == costs.cost(c).trainingSeconds)
        }
    }
}
