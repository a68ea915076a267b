import Domain
import Foundation
import Interactions
import PerformanceLaws
import Testing
import Transformer
import Trials

@testable import Advisor

struct AdvisorTests {
    static let facts = DatasetFacts(
        items: 12_101, evaluatedUsers: 22_363, tokens: 128_031, apen: 2, meanContext: 12)

    /// Speeds of an imagined machine: a fixed cost per token and one per FLOP.
    static func probe(_ layers: Int, _ dim: Int) -> ThroughputProbe {
        let c = Configuration(layers: layers, dim: dim)
        let seconds = 4e-6 + CostModel.trainingFlopsPerToken(c, facts: facts, negatives: 1) / 1.2e11
        return ThroughputProbe(
            layers: layers, dim: dim, heads: 2, tokensPerSecond: 1 / seconds, evaluatedUsersPerSecond: 0.3 / seconds,
            latencySeconds: 1e-4 + Double(facts.items * dim + 1_200 * layers * dim * dim) / 4e10,
            memoryBytes: 2e7 + 24 * Double(CostModel.parameters(c, items: facts.items)),
            parameters: CostModel.parameters(c, items: facts.items))
    }

    static let costs = CostModel(
        facts: facts,
        speed: SpeedModel([probe(1, 16), probe(1, 64), probe(2, 32), probe(4, 64), probe(4, 16), probe(2, 128)]),
        epochs: 30, negatives: 1)

    /// Observations of a surface with its optimum at 3 layers, dim 70.
    static let observations: [Observation] = [1, 2, 4, 8].flatMap { layers in
        [16, 32, 64, 128].map { dim -> Observation in
            let (x, y) = (log(Double(layers) / 3), log(Double(dim) / 70))
            let value = 0.06 - 0.002 * x * x - 0.004 * y * y
            return Observation(
                id: Int64(layers * 1_000 + dim), dataset: "d",
                key: LawKey(
                    datasetVersion: "v", split: "s", mask: .full, candidates: "all", backbone: .sasrec, loss: .cce,
                    negatives: 0, maxLength: 50, policy: "p", codeVersion: "1"),
                configuration: Configuration(layers: layers, dim: dim), tokens: facts.tokens, apen: 2, userFraction: 1,
                seed: 1, users: 22_363,
                metrics: [
                    "ndcg@10": Measurement(value: value, standardError: 0.001),
                    "hr@10": Measurement(value: value * 1.6, standardError: 0.002),
                ], epochs: 30, seconds: 1, converged: true, job: nil, trial: nil)
        }
    }

    static func advisor(_ observations: [Observation] = observations) throws -> Advisor {
        let laws = try Dictionary(
            uniqueKeysWithValues: ["hr@10", "ndcg@10"].map { name in
                (name, try LawFitter(metric: #require(Metric(name))).fit(observations))
            })
        return Advisor(
            dataset: "d", base: Configuration(layers: 1, dim: 2), laws: laws, lawNumbers: ["ndcg@10": 1, "hr@10": 2],
            costs: costs, observations: observations)
    }

    @Test("the cheaper equivalent is the smallest observed shape that a measurement cannot tell from the best")
    func equivalent() throws {
        let advisor = try Self.advisor()
        let answer = try advisor.recommend(Budget())
        #expect(answer.warnings.contains { $0.code == "cheaper-equivalent" })
        let first = try #require(answer.runnersUp.first)
        let best = try #require(answer.predicted["ndcg@10"])
        // Every observation was measured with a standard error of 0.001.
        #expect(try #require(first.predicted["ndcg@10"]) >= best - 0.001)
        for candidate in advisor.table where candidate.cost.parameters < first.cost.parameters {
            let inside =
                (1...8).contains(candidate.configuration.layers) && (16...128).contains(candidate.configuration.dim)
            #expect(!inside || (candidate.predicted["ndcg@10"] ?? 1) < best - 0.001)
        }
    }

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
        #expect(one.estimate(Configuration(layers: 2, dim: 32), facts: Self.facts) == truth(2, 32))
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

    @Test("parameters are those of the model that is trained, for every backbone", arguments: Backbone.allCases)
    func trainedParameters(backbone: Backbone) {
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
        arguments: Backbone.allCases)
    func trainedProducts(backbone: Backbone) {
        let c = Configuration(backbone: backbone, layers: 3, dim: 20)
        let weights = ParameterTable(c, items: 10).entries.filter { $0.kind == .linear }.reduce(0) { $0 + $1.count }
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

    @Test("speeds between and beyond the measured shapes come within a fifth, measured ones exactly")
    func speed() {
        for (layers, dim) in [(2, 64), (3, 48), (1, 32), (8, 64), (4, 128), (2, 16)] {
            let c = Configuration(layers: layers, dim: dim)
            let estimate = Self.costs.speed.estimate(c, facts: Self.facts)
            let truth = Self.probe(layers, dim)
            #expect(abs(estimate.tokensPerSecond / truth.tokensPerSecond - 1) < 0.2, "\(layers)x\(dim)")
            #expect(abs(estimate.latencySeconds / truth.latencySeconds - 1) < 0.35, "\(layers)x\(dim)")
        }
        let measured = Self.costs.speed.estimate(Configuration(layers: 2, dim: 32), facts: Self.facts)
        #expect(measured == Self.probe(2, 32))
    }

    @Test("without limits the answer lies at the optimum; its runners-up differ from it")
    func unlimited() throws {
        let answer = try Self.advisor().recommend(Budget())
        #expect((2...4).contains(answer.configuration.layers))
        #expect((56...90).contains(answer.configuration.dim))
        #expect(abs((answer.predicted["ndcg@10"] ?? 0) - 0.06) < 0.001)
        let interval = try #require(answer.interval["ndcg@10"])
        #expect(interval.low < 0.06 && interval.high > 0.06)
        #expect(answer.runnersUp.count >= 3)
        #expect(!answer.runnersUp.map(\.configuration).contains(answer.configuration))
        #expect(answer.laws == ["ndcg@10": 1, "hr@10": 2])
    }

    @Test("each limit is kept to the last unit, and the answer is the best that keeps it")
    func limits() throws {
        let advisor = try Self.advisor()
        let currencies: [(WritableKeyPath<Budget, Double?>, KeyPath<Cost, Double>)] = [
            (\.maxParameters, \.parameters), (\.maxTrainingFlops, \.trainingFlops),
            (\.maxLatencySeconds, \.latencySeconds), (\.maxMemoryBytes, \.memoryBytes),
            (\.maxTrainingSeconds, \.trainingSeconds),
        ]
        for (limit, currency) in currencies {
            let prices = advisor.table.map { $0.cost[keyPath: currency] }.sorted()
            for share in [0.02, 0.2, 0.5] {
                var budget = Budget()
                let allowed = prices[Int(Double(prices.count) * share)]
                budget[keyPath: limit] = allowed
                let answer = try advisor.recommend(budget)
                #expect(answer.cost[keyPath: currency] <= allowed)
                let best = advisor.table.filter { $0.cost[keyPath: currency] <= allowed }
                    .compactMap { $0.predicted["ndcg@10"] }.max()
                #expect((answer.predicted["ndcg@10"] ?? 0) >= (best ?? 1) - 1e-4)
            }
        }
    }

    @Test("an impossible budget names the currency, the limit and the cheapest price")
    func infeasible() throws {
        #expect {
            try Self.advisor().recommend(Budget(maxParameters: 1_000))
        } throws: { error in
            guard let error = error as? AdvisorError else { return false }
            return error.kind == .infeasible && error.currency == "parameters" && error.limit == 1_000
                && (error.cheapest ?? 0) > 90_000
        }
    }

    @Test("a trained configuration that measured better than every prediction is the answer")
    func trained() throws {
        var observations = Self.observations
        let index = try #require(observations.firstIndex { $0.configuration == Configuration(layers: 8, dim: 128) })
        observations[index].metrics["ndcg@10"] = Measurement(value: 0.09, standardError: 0.001)
        let answer = try Self.advisor(observations).recommend(Budget())
        #expect(answer.configuration == Configuration(layers: 8, dim: 128))
    }

    @Test("predictions warn outside the range and refuse beyond two e-folds")
    func outside() throws {
        let advisor = try Self.advisor()
        #expect(try advisor.predict(layers: 4, dim: 96, heads: nil).warnings.map(\.code) == ["one-data-size"])
        #expect(try advisor.predict(layers: 12, dim: 96, heads: nil).warnings.contains { $0.code == "outside-range" })
        #expect(try advisor.predict(layers: 8, dim: 96, heads: nil).warnings.contains { $0.code == "optimum-at-edge" })
        #expect(throws: AdvisorError.self) { try advisor.predict(layers: 80, dim: 96, heads: nil) }
        #expect(throws: AdvisorError.self) { try advisor.predict(layers: 2, dim: 97, heads: nil) }
        let few = try Self.advisor(Array(Self.observations.prefix(6)))
        #expect(try few.recommend(Budget()).warnings.contains { $0.code == "few-observations" })
    }

    @Test("nothing on the Pareto front is beaten in both quality and price")
    func pareto() throws {
        let advisor = try Self.advisor()
        let front = try advisor.pareto(\.parameters)
        #expect(front.count > 3)
        for point in front {
            #expect(
                !advisor.table.contains {
                    $0.cost.parameters < point.cost.parameters
                        && ($0.predicted["ndcg@10"] ?? 0) > (point.predicted["ndcg@10"] ?? 0)
                })
        }
    }
}
