import Domain
import Kernels
import Synchronization
import Testing
import Transformer
import Trials

@testable import Costs

/// Parameters, FLOPs and latencies against the models of the core.
@Suite struct CostTests {
    /// Every backbone with heads, L and feed-forward factors that differ.
    static let shapes: [Configuration] = Model.trainable.flatMap { backbone in
        [(1, 8, 1, 3), (2, 24, 3, 17), (3, 64, 4, 50), (5, 40, 2, 128)].flatMap { layers, dim, heads, length in
            let factors: [Double?] = backbone == .hstu ? [nil] : [nil, 1, 2.7, 4]
            return factors.map { factor in
                Configuration(
                    backbone: backbone, layers: layers, dim: dim, heads: heads, maxLength: length,
                    feedForwardFactor: factor)
            }
        }
    }

    static let facts = DatasetFacts(items: 900, evaluatedUsers: 100, tokens: 5_000, apen: 2, meanContext: 12)

    private static func model(_ c: Configuration, items: Int, kernels: Kernels = .best) -> any SequenceModel {
        let parameters = FloatBuffer(ParameterTable(c, items: items).count)
        for i in 0..<parameters.count { parameters.p[i] = Float((i * 7_919) % 1_009) / 5_000 - 0.1 }
        return c.model.init(c, items: items, parameters: parameters, dropout: 0, kernels: kernels)
    }

    /// A history with times, so that hstu uses its time buckets.
    private static func batch(_ lengths: [Int], items: Int) -> JaggedBatch {
        var batch = JaggedBatch()
        for length in lengths {
            let history = (0...length).map { Int32(($0 * 31) % items) }
            let times = (0...length).map { Int64($0 * $0) * 3_600 }
            history.withUnsafeBufferPointer { history in
                times.withUnsafeBufferPointer { batch.addTraining(history, times: $0, maxLength: length) }
            }
        }
        return batch
    }

    @Test("parameters are those a model of the core takes, embeddings and body apart", arguments: shapes)
    func parameters(_ c: Configuration) {
        let items = 900
        let model = Self.model(c, items: items)
        #expect(CostModel.parameters(c, items: items) == model.parameters.count)
        let embeddings = model.table.entries.filter { $0.name == "item" }.reduce(0) { $0 + $1.count }
        let cost = CostModel(facts: Self.facts, speed: Self.speed, epochs: EpochModel(own: [], limit: 30), negatives: 1)
            .cost(c)
        #expect(Int(cost.embeddingParameters) == embeddings)
        #expect(Int(cost.bodyParameters) == model.parameters.count - embeddings)
        #expect(cost.parameters == cost.embeddingParameters + cost.bodyParameters)
    }

    private static let speed = SpeedModel([
        ThroughputProbe(
            layers: 2, dim: 32, heads: 2, tokensPerSecond: 1e5, evaluatedUsersPerSecond: 1e5, latencySeconds: 1e-4,
            memoryBytes: 1e8, parameters: 1)
    ])

    /// Multiply-adds of all matrix products that the body asks the kernels for.
    private final class Counter: Sendable {
        let products = Atomic(0)
        var kernels: Kernels {
            var kernels = Kernels.best
            let inner = kernels.gemm
            kernels.gemm = { [self] layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch in
                products.add(m * n * k, ordering: .relaxed)
                inner(layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch)
            }
            return kernels
        }
        func take() -> Int { products.exchange(0, ordering: .relaxed) }
    }

    @Test("FLOPs are those of the products a model really computes, in training and for a request", arguments: shapes)
    func flops(_ c: Configuration) {
        let items = 900
        let counter = Counter()
        let model = Self.model(c, items: items, kernels: counter.kernels)
        let lengths = [1, 2, c.maxLength]
        let batch = Self.batch(lengths, items: items)
        let tokens = lengths.reduce(0, +)
        _ = model.forward(batch, dropoutKey: nil)
        let forward = counter.take()
        let gradient = FloatBuffer(model.parameters.count)
        let dHidden = FloatBuffer(tokens * c.dim)
        model.backward(batch, dropoutKey: nil, dHidden.p, gradient: gradient)
        let backward = counter.take()
        // Without attention: a position attends to none.
        var facts = Self.facts
        facts.meanContext = 0
        #expect(CostModel.inferenceFlopsPerToken(c, facts: facts) * Double(tokens) == Double(2 * forward))
        let head = 6 * Double(items * c.dim)
        let training = CostModel.trainingFlopsPerToken(c, facts: facts, negatives: 1) - head
        #expect(training * Double(tokens) == Double(2 * (forward + backward)))
        // Attention, pair by pair: a query meets its own position and those before it, by its score and by its value.
        let pairs = lengths.reduce(0) { sum, n in sum + (0..<n).reduce(0) { $0 + $1 + 1 } }
        facts.meanContext = Double(lengths.reduce(0) { $0 + $1 * $1 }) / Double(tokens)
        let attention = CostModel.inferenceFlopsPerToken(c, facts: facts) * Double(tokens) - Double(2 * forward)
        // The formula leaves out half of the diagonal: s / 2 positions on average, not (s + 1) / 2.
        let diagonal = 2 * c.layers * c.dim * tokens
        #expect(abs(attention + Double(diagonal) - Double(4 * c.layers * c.dim * pairs)) < 1e-6 * attention)

        _ = model.newest(Self.batch([c.maxLength], items: items))
        let request = counter.take()
        #expect(CostModel.newestProducts(c, length: c.maxLength) == Double(request))
        let n = c.maxLength
        let met = (c.layers - 1) * (0..<n).reduce(0) { $0 + $1 + 1 } + n
        #expect(
            CostModel.inferenceFlops(c, items: items, length: n)
                == 2 * Double(request + 2 * c.dim * met + items * c.dim))
    }

    // MARK: - Latency

    /// A machine with an overhead a block, a time a multiply-add and a time a byte.
    private static func probe(_ layers: Int, _ dim: Int, items: Int, length: Int) -> LatencyProbe {
        let c = Configuration(layers: layers, dim: dim)
        let body =
            3e-6 + 2e-6 * Double(layers) + 4e-11 * CostModel.newestProducts(c, length: length)
            + 9e-11 * CostModel.newestAttentionProducts(c, length: length)
        let head = 1e-6 + 4e-10 * Double(items) + 6e-11 * 4 * Double(items * dim)
        return LatencyProbe(
            backbone: .sasrec, layers: layers, dim: dim, heads: 2, items: items, length: length, requests: 50,
            bodySeconds: body, headSeconds: head, p50Seconds: body + head, p95Seconds: 1.3 * (body + head))
    }

    @Test("latency of shapes that were not measured follows the parts of the time; p95 by the measured ratio")
    func latency() throws {
        #expect(LatencyModel([]) == nil)
        let measured = [
            (1, 16, 10_000, 50), (4, 16, 10_000, 50), (1, 64, 10_000, 50), (4, 64, 10_000, 50), (2, 128, 10_000, 50),
            (1, 256, 10_000, 50), (2, 64, 2_500, 25), (2, 64, 2_500, 100), (4, 128, 10_000, 50),
        ]
        let model = try #require(LatencyModel(measured.map { Self.probe($0.0, $0.1, items: $0.2, length: $0.3) }))
        for (layers, dim, items, length) in [
            (2, 32, 10_000, 50), (8, 64, 10_000, 50), (3, 512, 10_000, 50), (2, 64, 40_000, 50), (4, 96, 10_000, 200),
        ] {
            let c = Configuration(layers: layers, dim: dim, maxLength: length)
            let truth = Self.probe(layers, dim, items: items, length: length)
            let found = model.seconds(c, items: items, length: length)
            #expect(abs(found.p50 / truth.p50Seconds - 1) < 0.02, "\(layers) x \(dim): \(found.p50)")
            #expect(abs(found.p95 / found.p50 - 1.3) < 1e-9)
        }
        // What was measured is given back.
        let first = Self.probe(1, 16, items: 10_000, length: 50)
        let again = model.seconds(Configuration(layers: 1, dim: 16), items: 10_000, length: 50)
        #expect(abs(again.p50 / first.p50Seconds - 1) < 0.01)
    }

    @Test("latency is the benchmark's where there is one, for the longest history that exists")
    func latencyOfCost() throws {
        let latency = try #require(LatencyModel([Self.probe(2, 32, items: 900, length: 20)]))
        var facts = Self.facts
        facts.longestHistory = 20
        var costs = CostModel(facts: facts, speed: Self.speed, epochs: EpochModel(own: [], limit: 30), negatives: 1)
        let c = Configuration(layers: 2, dim: 32)
        #expect(costs.cost(c).latencyP95Seconds == nil)
        costs.latency = latency
        let expected = latency.seconds(c, items: 900, length: 20)
        #expect(costs.cost(c).latencySeconds == expected.p50)
        #expect(costs.cost(c).latencyP95Seconds == expected.p95)
    }
}
