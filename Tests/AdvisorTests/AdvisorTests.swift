import Costs
import Domain
import Foundation
import PerformanceLaws
import Testing
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
        epochs: EpochModel(own: [], limit: 30), negatives: 1)

    /// Observations of a surface with its optimum at 3 layers, dim 70.
    static let observations: [Observation] = [1, 2, 4, 8].flatMap { layers in
        [16, 32, 64, 128].map { dim -> Observation in
            let (x, y) = (log(Double(layers) / 3), log(Double(dim) / 70))
            let value = 0.06 - 0.002 * x * x - 0.004 * y * y
            return Observation(
                id: Int64(layers * 1_000 + dim), dataset: "d",
                key: LawKey(
                    datasetVersion: .said("v"), split: .said("s"), mask: .said(.full), candidates: .said("all"),
                    backbone: .said(.sasrec), loss: .said(.core(.cce)),
                    negatives: .said(0), maxLength: .said(50), policy: TrainingPolicy("p"), codeVersion: .said("1")),
                configuration: DeclaredConfiguration(Configuration(layers: layers, dim: dim)),
                tokens: .said(facts.tokens), apen: .said(2), userFraction: 1,
                seed: 1, users: 22_363,
                metrics: [
                    "ndcg@10": Measurement(value: value, standardError: 0.001),
                    "hr@10": Measurement(value: value * 1.6, standardError: 0.002),
                ], epochs: 30, seconds: 1, converged: true, job: nil, trial: nil)
        }
    }

    static func branch(
        _ observations: [Observation] = observations, backbone: Model = .sasrec, shift: Double = 0
    ) throws -> Branch {
        let own = observations.map { o -> Observation in
            var o = o
            (o.key.backbone, o.configuration.backbone) = (.said(backbone), .said(backbone))
            for name in o.metrics.keys { o.metrics[name]?.value += shift }
            return o
        }
        let laws = try Dictionary(
            uniqueKeysWithValues: ["hr@10", "ndcg@10"].map { name in
                (name, try LawFitter(metric: #require(Metric(name)), draws: 20).fit(own))
            })
        return Branch(
            key: own[0].key, base: DeclaredConfiguration(Configuration(backbone: backbone, layers: 1, dim: 2)),
            laws: laws,
            lawNumbers: ["ndcg@10": 1, "hr@10": 2], costs: costs, observations: own)
    }

    static func advisor(_ observations: [Observation] = observations) throws -> Advisor {
        Advisor(dataset: "d", branches: [try branch(observations)])
    }

    /// The same surface, with trainings on shares of the users: the metric grows by 0.004 an e-fold of the data.
    static var withData: [Observation] {
        observations
            + [0.5, 0.25, 0.125].map { share -> Observation in
                var o = observations[5]
                o.userFraction = share
                o.tokens = .said(Int(Double(Self.facts.tokens) * share))
                for name in o.metrics.keys { o.metrics[name]?.value += 0.004 * log(share) }
                o.id += Int64(share * 1_000) + 100_000
                return o
            }
    }

    @Test("the cheapest equivalent is the smallest shape inside that a training cannot tell from the best")
    func equivalent() throws {
        let advisor = try Self.advisor()
        let answer = try advisor.recommend(Budget())
        #expect(answer.warnings.contains { $0.code == "cheaper-equivalent" })
        let best = try #require(answer.predicted["ndcg@10"])
        let resolution = try #require(advisor.branches[0].laws["ndcg@10"]).fit.noise.training
        #expect(resolution > 0 && resolution < 0.0015)
        #expect(try #require(answer.cheapest.predicted["ndcg@10"]) >= best - resolution)
        for entry in Exhaustive(advisor).entries
        where entry.isRound && entry.isObserved && entry.cost.parameters < answer.cheapest.cost.parameters {
            let inside = (1...8).contains(entry.configuration.layers) && (16...128).contains(entry.configuration.dim)
            #expect(!inside || entry.value < best - resolution + 1e-7)
        }
    }

    @Test("expected regret is 0 for nobody, grows as predictions fall, and what cannot be told apart lies close")
    func regret() throws {
        let answer = try Self.advisor().recommend(Budget())
        #expect(answer.expectedRegret > 0 && answer.expectedRegret < 0.001)
        #expect(!answer.runnersUp.isEmpty)
        for candidate in answer.runnersUp + [answer.cheapest] {
            let gap = (answer.predicted["ndcg@10"] ?? 0) - (candidate.predicted["ndcg@10"] ?? 0)
            #expect(abs((candidate.expectedRegret ?? -1) - (answer.expectedRegret + gap)) < 1e-12)
        }
        // On a surface a tenth as steep some cannot be told apart from the best.
        let flat = Self.observations.map { o -> Observation in
            var o = o
            o.metrics = o.metrics.mapValues {
                Measurement(value: 0.06 + 0.1 * ($0.value - 0.06), standardError: $0.standardError)
            }
            return o
        }
        let even = try Self.advisor(flat).recommend(Budget())
        #expect(!even.indistinguishable.isEmpty)
        for candidate in even.indistinguishable {
            #expect((even.predicted["ndcg@10"] ?? 0) - (candidate.predicted["ndcg@10"] ?? 0) < 0.003)
        }
        #expect(answer.bestTrained?.trained == 1)
        #expect(answer.grade == .inside)
        #expect(answer.reasons.count >= 3)
    }

    @Test("of two backbones the better is recommended, and the potential names what it would gain")
    func backbones() throws {
        let advisor = Advisor(
            dataset: "d",
            branches: [try Self.branch(), try Self.branch(backbone: .hstu, shift: 0.006)])
        let answer = try advisor.recommend(Budget())
        #expect(answer.configuration.backbone == .said(.hstu))
        #expect(answer.warnings.contains { $0.code == "several-laws" })
        let potential = try advisor.potential(layers: 1, dim: 16, backbone: .sasrec)
        let lever = try #require(potential.levers.first { $0.name == "hstu" })
        let both = try #require(potential.levers.first { $0.name == "depth and width" })
        #expect(abs(lever.gain - both.gain - 0.006) < 0.001)
        let interval = try #require(lever.interval)
        #expect(interval.low < lever.gain && lever.gain < interval.high)
    }

    @Test("the potential finds each axis' optimum, and what the surface has there")
    func potential() throws {
        let found = try Self.advisor().potential(layers: 1, dim: 16)
        let depth = try #require(found.levers.first { $0.name == "depth" })
        let width = try #require(found.levers.first { $0.name == "width" })
        #expect((2...5).contains(depth.configuration.layers) && depth.configuration.dim == 16)
        #expect((50...100).contains(width.configuration.dim) && width.configuration.layers == 1)
        let (n, d) = (log(1 / 3.0), log(16 / 70.0))
        #expect(abs(depth.gain - 0.002 * n * n) < 0.0008)
        #expect(abs(width.gain - 0.004 * d * d) < 0.0015)
        // One data size: nothing is said of more data.
        #expect(!found.levers.contains { $0.name.hasPrefix("data") })
        let data = try Advisor(dataset: "d", branches: [Self.branch(Self.withData)]).potential(layers: 2, dim: 64)
        let lever = try #require(data.levers.first { $0.name == "data x 2" })
        #expect(abs(lever.gain - 0.004 * log(2)) < 0.001)
        #expect(try Self.advisor().potential().now.trained == 1)
        #expect(throws: AdvisorError.self) { try Self.advisor().potential(layers: 2) }
    }

    @Test("what-if answers from laws that can tell, and refuses without them")
    func whatIf() throws {
        let plain = try Self.advisor()
        #expect { try plain.whatIf(Advisor.Change(usersX: 2)) } throws: { "\($0)".contains("one data size") }
        #expect { try plain.whatIf(Advisor.Change(maxLength: 200)) } throws: { "\($0)".contains("no law for L = 200") }
        let half = try plain.whatIf(Advisor.Change(latencyX: 0.5))
        #expect(half.after.cost.latencySeconds <= half.before.cost.latencySeconds * 0.5)
        #expect(half.gain < 0)
        #expect {
            try plain.whatIf(Advisor.Change(latencyX: 0.001))
        } throws: { "\($0)".contains("at most 0.001 times the latency of the best one now") }
        // A limit that somebody gave is named as such.
        #expect {
            try plain.whatIf(Advisor.Change(latencyX: 0.5), budget: Budget(maxLatencySeconds: 1e-9))
        } throws: { "\($0)".contains("latency is limited to") }
        let more = try Advisor(dataset: "d", branches: [Self.branch(Self.withData)])
            .whatIf(Advisor.Change(usersX: 2))
        #expect(abs(more.gain - 0.004 * log(2)) < 0.001)
        #expect(more.warnings.contains { $0.code == "outside-range" })
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
        #expect(abs(measured.tokensPerSecond / Self.probe(2, 32).tokensPerSecond - 1) < 1e-9)
        #expect(abs(measured.latencySeconds / Self.probe(2, 32).latencySeconds - 1) < 1e-9)
    }

    @Test("without limits the answer lies at the optimum; its runners-up differ from it")
    func unlimited() throws {
        let answer = try Self.advisor().recommend(Budget())
        #expect((2...5).contains(answer.configuration.layers))
        #expect((50...96).contains(answer.configuration.dim))
        #expect(abs((answer.predicted["ndcg@10"] ?? 0) - 0.06) < 0.001)
        let interval = try #require(answer.interval["ndcg@10"])
        #expect(interval.low < 0.06 && interval.high > 0.06)
        #expect(answer.runnersUp.count == 4)
        #expect(!answer.runnersUp.map(\.configuration).contains(answer.configuration))
        #expect(answer.laws == ["ndcg@10": 1, "hr@10": 2])
    }

    @Test("each limit is kept to the last unit, and the answer is the best that keeps it")
    func limits() throws {
        let advisor = try Self.advisor()
        let entries = Exhaustive(advisor).entries.filter(\.isObserved)
        let currencies: [(WritableKeyPath<Budget, Double?>, KeyPath<Cost, Double>)] = [
            (\.maxParameters, \.parameters), (\.maxTrainingFlops, \.trainingFlops),
            (\.maxLatencySeconds, \.latencySeconds), (\.maxMemoryBytes, \.memoryBytes),
            (\.maxTrainingSeconds, \.trainingSeconds),
        ]
        for (limit, currency) in currencies {
            let prices = entries.map { $0.cost[keyPath: currency] }.sorted()
            for share in [0.02, 0.2, 0.5] {
                var budget = Budget()
                let allowed = prices[Int(Double(prices.count) * share)]
                budget[keyPath: limit] = allowed
                let answer = try advisor.recommend(budget)
                #expect(answer.cost[keyPath: currency] <= allowed)
                let best = entries.filter { $0.cost[keyPath: currency] <= allowed }.map(\.value).max()
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
        let index = try #require(
            observations.firstIndex { $0.configuration == DeclaredConfiguration(Configuration(layers: 8, dim: 128)) })
        observations[index].metrics["ndcg@10"] = Measurement(value: 0.09, standardError: 0.001)
        let answer = try Self.advisor(observations).recommend(Budget())
        #expect(answer.configuration == DeclaredConfiguration(Configuration(layers: 8, dim: 128)))
    }

    @Test("an extrapolation is recommended only where its gain is sure")
    func extrapolation() throws {
        // Rises with the dimension without an end in sight, and clearly so; hardly with the layers.
        let rising = Self.observations.map { o -> Observation in
            var o = o
            for name in o.metrics.keys {
                o.metrics[name]?.value =
                    0.02 + 0.01 * log(Double(o.configuration.dim)) + 0.0001 * log(Double(o.configuration.layers))
            }
            return o
        }
        let answer = try Self.advisor(rising).recommend(Budget())
        #expect(answer.configuration.dim > 128 && answer.grade != .inside)
        // The same with so little slope that nothing beyond is sure.
        let flat = rising.map { o -> Observation in
            var o = o
            for name in o.metrics.keys {
                o.metrics[name]?.value = 0.06 + 0.0001 * log(Double(o.configuration.dim * o.configuration.layers))
                o.metrics[name]?.standardError = 0.002
            }
            return o
        }
        #expect(try Self.advisor(flat).recommend(Budget()).grade == .inside)
    }

    @Test("what was not trained is recommended only where it is likely to beat the best that was")
    func tried() throws {
        // The best shape lies a little beside one that was trained.
        func answer(standardError: Double) throws -> Recommendation {
            let peaked = Self.observations.map { o -> Observation in
                var o = o
                let (n, d) = (log(Double(o.configuration.layers) / 2.5), log(Double(o.configuration.dim) / 36))
                for name in o.metrics.keys {
                    o.metrics[name] = Measurement(
                        value: 0.06 - 0.004 * d * d - 0.001 * n * n, standardError: standardError)
                }
                return o
            }
            return try Self.advisor(peaked).recommend(Budget())
        }
        let trained = Set(Self.observations.map { [$0.configuration.layers, $0.configuration.dim] })
        func isTrained(_ answer: Recommendation) -> Bool {
            trained.contains([answer.configuration.layers, answer.configuration.dim])
        }
        let sure = try answer(standardError: 0.00002)
        func isTie(_ answer: Recommendation) -> Bool {
            answer.reasons.contains {
                $0.contains("more than chance") || $0.contains("was not, and is expected to have as much")
            }
        }
        #expect(!isTrained(sure) && !isTie(sure))
        let unsure = try answer(standardError: 0.006)
        #expect(isTrained(unsure) && unsure.configuration == unsure.bestTrained?.configuration)
        #expect(isTie(unsure), "\(unsure.reasons)")
    }

    @Test("predictions warn outside the range and refuse beyond two e-folds")
    func outside() throws {
        let advisor = try Self.advisor()
        #expect(try advisor.predict(layers: 4, dim: 96, heads: nil).warnings.map(\.code).contains("one-data-size"))
        #expect(try advisor.predict(layers: 4, dim: 96, heads: nil).grade == .inside)
        let deep = try advisor.predict(layers: 12, dim: 96, heads: nil)
        #expect(deep.warnings.contains { $0.code == "outside-range" } && deep.grade == .warn)
        #expect(try advisor.predict(layers: 8, dim: 96, heads: nil).warnings.contains { $0.code == "optimum-at-edge" })
        #expect(throws: AdvisorError.self) { try advisor.predict(layers: 80, dim: 96, heads: nil) }
        #expect(try advisor.predict(layers: 80, dim: 96, heads: nil, isForced: true).grade == .refused)
        #expect(throws: AdvisorError.self) { try advisor.predict(layers: 2, dim: 97, heads: nil) }
        let few = try Self.advisor(Array(Self.observations.prefix(6)))
        #expect(try few.recommend(Budget()).warnings.contains { $0.code == "few-observations" })
    }

    @Test("nothing on the Pareto front is beaten in both quality and price")
    func pareto() throws {
        let advisor = try Self.advisor()
        let front = try advisor.pareto(.parameters)
        #expect(front.count > 3)
        let inside = Exhaustive(advisor).entries.filter { $0.isObserved && $0.isRound && $0.isInside }
        for point in front {
            #expect(
                !inside.contains {
                    $0.cost.parameters < point.cost.parameters
                        && $0.value > (point.predicted["ndcg@10"] ?? 0) + 1e-7
                })
        }
    }
}
