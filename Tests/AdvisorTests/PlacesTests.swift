import Costs
import Domain
import Foundation
import PerformanceLaws
import Testing

@testable import Advisor

/// Where an answer is known: what all users trained, of the metric that is asked for.
struct PlacesTests {
    /// The grid of `AdvisorTests`, with ndcg@10 only up to 2 layers and dim 64.
    private static let blank: [Observation] = AdvisorTests.observations.map { o in
        var o = o
        if o.configuration.layers > 2 || o.configuration.dim > 64 { o.metrics["ndcg@10"] = nil }
        return o
    }

    @Test("hull, axes and rivals come from the law of the metric that is asked for")
    func metrics() throws {
        let advisor = try AdvisorTests.advisor(Self.blank)
        #expect(advisor.branches.count == 2)
        let ndcg = try advisor.recommend(Budget(), metric: Metric(.ndcg, 10))
        #expect(ndcg.configuration.layers <= 2 && ndcg.configuration.dim <= 64 && ndcg.grade == .inside)
        #expect(ndcg.bestTrained.map { $0.configuration.layers <= 2 && $0.configuration.dim <= 64 } == true)
        let hr = try advisor.recommend(Budget(), metric: Metric(.hr, 10))
        #expect((2...4).contains(hr.configuration.layers) && (60...90).contains(hr.configuration.dim))
        // What is said of a configuration holds every metric, whichever was searched; one key is one law.
        for answer in [ndcg, hr] {
            #expect(Set(answer.predicted.keys) == ["hr@10", "ndcg@10"] && answer.laws.count == 2)
            #expect(!answer.warnings.contains { $0.code == "several-laws" })
        }
        for candidate in ndcg.indistinguishable + ndcg.runnersUp {
            #expect(candidate.configuration.layers <= 4 && candidate.configuration.dim <= 128)
        }
        // Known of one metric, not of the other.
        #expect(try advisor.predict(layers: 4, dim: 64, heads: nil).grade == .warn)
        #expect(throws: AdvisorError.self) { try advisor.predict(layers: 60, dim: 64, heads: nil) }
    }

    @Test("trainings on shares of the users say nothing of where an answer for all of them is known")
    func shares() throws {
        let shares = [(2, 24, 0.125), (2, 24, 0.25), (16, 256, 0.125)].map { layers, dim, share in
            var o = AdvisorTests.observations[0]
            (o.configuration.layers, o.configuration.dim) = (layers, dim)
            (o.userFraction, o.tokens, o.id) = (
                share, o.tokens.value.map { .said(Int(Double($0) * share)) } ?? .unsaid, Int64(dim * 1_000) + o.id
            )
            o.metrics["ndcg@10"]?.value = 0.04 + 0.004 * share
            return o
        }
        let whole = AdvisorTests.observations.filter { $0.configuration.layers >= 4 }
        let branch = try AdvisorTests.advisor(whole + shares).branches[0]
        #expect(branch.layers == Array(2...16) && branch.dims.max() == 256)
        #expect(branch.grade(branch.configuration(layers: 2, dim: 24)) == .warn)
        #expect(branch.grade(branch.configuration(layers: 4, dim: 24)) == .inside)
        #expect(branch.grade(branch.configuration(layers: 16, dim: 256)) != .inside)
        #expect(branch.trained[Branch.Shape(layers: 2, dim: 24)] == nil)
        // Where nothing trained on all of them, the largest share has to do, and the answer says so.
        let only = AdvisorTests.observations.map { o in
            var o = o
            o.userFraction = 0.5
            return o
        }
        let answer = try AdvisorTests.advisor(only).recommend(Budget())
        #expect(answer.grade == .inside && answer.bestTrained == nil)
        #expect(answer.warnings.contains { $0.code == "no-full-training" })
    }

    @Test("the order of the observations changes nothing")
    func order() throws {
        func answer(_ observations: [Observation]) throws -> Recommendation {
            let laws = try ["hr@10", "ndcg@10"].map { name in
                // A law is fitted in an order of its own.
                (
                    name,
                    try LawFitter(metric: #require(Metric(name)), draws: 20).fit(observations.sorted { $0.id < $1.id })
                )
            }
            let branch = Branch(
                key: observations[0].key, base: DeclaredConfiguration(Configuration(layers: 1, dim: 2)),
                laws: Dictionary(uniqueKeysWithValues: laws), lawNumbers: ["ndcg@10": 1, "hr@10": 2],
                costs: AdvisorTests.costs, observations: observations)
            return try Advisor(dataset: "d", branches: [branch]).recommend(Budget(maxParameters: 900_000))
        }
        let forwards = try answer(Self.blank)
        #expect(try answer(Self.blank.reversed()) == forwards)
        #expect(try answer(Self.blank.shuffled()) == forwards)
    }

    @Test("the expected regret is that among the observations; what may lie beyond is told apart")
    func regret() throws {
        // The optimum is at the edge: much may lie beyond, of which nothing is known.
        let corner = AdvisorTests.observations.filter { $0.configuration.layers <= 4 && $0.configuration.dim <= 64 }
        let advisor = try AdvisorTests.advisor(corner)
        let answer = try advisor.recommend(Budget())
        let beyond = try #require(answer.regretBeyond)
        #expect(answer.grade == .inside && answer.expectedRegret < beyond / 2)
        // The same by draws at every even dimension inside, without a search.
        let branch = advisor.branches[0]
        let law = try #require(branch.laws["ndcg@10"])
        let shapes = (1...4).flatMap { layers in stride(from: 16, through: 64, by: 4).map { (layers, $0) } }
        let own = answer.configuration
        let places = [branch.place(own)] + shapes.map { branch.place(branch.configuration(layers: $0.0, dim: $0.1)) }
        let draws = law.draws(places, count: 2_000, seed: 77)
        let expected = draws.reduce(0) { $0 + (($1.max() ?? 0) - $1[0]) } / Double(draws.count)
        #expect(abs(answer.expectedRegret - expected) < 0.25 * expected + 2e-5)
        #expect(answer.reasons.contains { $0.hasPrefix("beyond the observations: up to") })
        for candidate in answer.indistinguishable {
            #expect(candidate.configuration.layers <= 4 && candidate.configuration.dim <= 64)
        }
        // Where a budget leaves nothing beyond, nothing is said of it.
        let items = AdvisorTests.facts.items
        let least = CostModel.parameters(Configuration(layers: 1, dim: 16), items: items)
        let tight = try advisor.recommend(Budget(maxParameters: Double(least)))
        #expect(tight.configuration.dim <= 16 && tight.expectedRegret <= tight.regretBeyond ?? .infinity)
    }

    @Test("heads that follow from the dimension are searched so, and named so")
    func heads() throws {
        let ruled = AdvisorTests.observations.map { o in
            var o = o
            o.configuration.heads = .said(o.configuration.dim <= 32 ? 1 : 4)
            o.key.policy = TrainingPolicy("heads<=4")
            return o
        }
        var branch = try AdvisorTests.branch(ruled)
        branch = Branch(
            key: branch.key, base: DeclaredConfiguration(Configuration(layers: 1, dim: 4, heads: 4)),
            laws: branch.laws.mapValues(\.fit),
            lawNumbers: branch.lawNumbers, costs: branch.costs, observations: ruled)
        #expect([16, 32, 40, 64, 128].map { branch.ruledHeads($0)?.value } == [1, 1, 1, 4, 4])
        #expect([46, 50, 51].map { branch.ruledHeads($0)?.value } == [1, 1, 1])
        let advisor = Advisor(dataset: "d", branches: [branch])
        let answer = try advisor.recommend(Budget())
        #expect(answer.configuration.heads == .said(4) && (50...100).contains(answer.configuration.dim))
        let items = AdvisorTests.facts.items
        let small = CostModel.parameters(Configuration(layers: 2, dim: 32, heads: 1), items: items)
        let tight = try advisor.recommend(Budget(maxParameters: Double(small)))
        #expect(tight.configuration.heads == .said(1) && !tight.warnings.contains { $0.code == "other-heads" })
    }

    @Test("refusals speak of currencies and units as people do")
    func refusals() throws {
        let advisor = try AdvisorTests.advisor()
        func refusal(_ budget: Budget) throws -> String {
            let error = #expect(throws: AdvisorError.self) { try advisor.recommend(budget) }
            return try #require(error).description
        }
        let memory = try refusal(Budget(maxMemoryBytes: 1e7))
        #expect(memory.contains("memory is limited to 10.0 MB, and the smallest configuration"), "\(memory)")
        #expect(memory.contains(" MB") && memory.hasSuffix("MB") && memory.contains("layers x dim"))
        let latency = try refusal(Budget(maxLatencySeconds: 1e-6))
        #expect(latency.contains("latency is limited to 1 µs, and the fastest"), "\(latency)")
        let time = try refusal(Budget(maxTrainingSeconds: 0.5))
        #expect(time.contains("training time is limited to 500 ms, and the fastest to train"), "\(time)")
        let parameters = try refusal(Budget(maxParameters: 1_000))
        #expect(parameters.contains("parameters are limited to 1,000, and the smallest"), "\(parameters)")
        // There is nothing to calibrate where there are no interactions.
        let blind = Advisor(dataset: "d", hasInteractions: false, branches: [try AdvisorTests.branch(Self.blank)])
        for answer in [try blind.recommend(Budget()), try blind.recommend(Budget(), metric: Metric(.hr, 10))] {
            #expect(!answer.warnings.contains { $0.message.contains("calibrate") })
        }
    }
}
