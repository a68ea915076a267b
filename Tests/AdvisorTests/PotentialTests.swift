import Costs
import Domain
import Foundation
import PerformanceLaws
import Testing

@testable import Advisor

/// Potential: what a lever is expected to gain, and what is known of it.
struct PotentialTests {
    @Test("a dimension that no answer would name has a depth of its own", arguments: [18, 26, 50])
    func oddDimension(dim: Int) throws {
        let found = try AdvisorTests.advisor().potential(layers: 1, dim: dim)
        let depth = try #require(found.levers.first { $0.name == "depth" })
        #expect(depth.configuration.dim == dim && (2...5).contains(depth.configuration.layers))
        let gain = 0.002 * log(3.0) * log(3.0)
        #expect(abs(depth.gain - gain) < 0.5 * gain)
        let width = try #require(found.levers.first { $0.name == "width" })
        #expect(width.configuration.layers == 1 && width.configuration.dim > dim)
    }

    @Test("at the optimum nobody is certain: a gain is expected of the best place, whichever that is")
    func certainty() throws {
        let advisor = try ChangeTests.advisor(ChangeTests.flat())
        let found = try advisor.potential()
        #expect(found.levers.map(\.name).contains("data x 2, depth and width"))
        for lever in found.levers {
            let interval = try #require(lever.interval)
            #expect(interval.low < interval.high, "\(lever.name)")
            #expect(interval.low <= lever.gain && lever.gain <= interval.high)
        }
        let (depth, width, both) = (found.levers[0], found.levers[1], found.levers[2])
        #expect(depth.gain > 1e-6 && width.gain > 1e-6)
        #expect(depth.interval?.low ?? -1 >= 0 && width.interval?.low ?? -1 >= 0)
        #expect(both.gain >= max(depth.gain, width.gain))
    }

    @Test("the expected maximum is that of the law's joint distribution, by a calculation of its own")
    func expectedMaximum() throws {
        let advisor = try ChangeTests.advisor(ChangeTests.flat())
        let branch = advisor.branches[0]
        let law = try #require(branch.laws["ndcg@10"])
        let lever = try #require(try advisor.potential(layers: 2, dim: 64).levers.first { $0.name == "depth" })
        let column = (1...16).map { branch.place(branch.configuration(layers: $0, dim: 64)) }
        let truth = law.joint(column).expectedRegret(of: 1, among: Array(column.indices), draws: 4_000)
        #expect(truth > 1e-5)
        #expect(abs(lever.gain / truth - 1) < 0.15, "\(lever.gain) \(truth)")
    }

    @Test("intervals are Student's, as wide as those of predictions")
    func student() throws {
        // Few trainings: the factor is far from that of a normal distribution.
        let few = AdvisorTests.withData.enumerated().filter { $0.offset % 3 == 0 || $0.offset >= 16 }.map(\.element)
        let advisor = try ChangeTests.advisor(few)
        let branch = advisor.branches[0]
        let law = try #require(branch.laws["ndcg@10"])
        #expect(law.reach > 1.645 * 1.15)
        let lever = try #require(try advisor.potential(layers: 1, dim: 64).levers.first { $0.name == "data x 2" })
        var more = branch
        more.costs.facts.tokens *= 2
        let c = branch.configuration(layers: 1, dim: 64)
        let change = law.difference(branch.place(c), more.place(c))
        let interval = try #require(lever.interval)
        let half = (interval.high - interval.low) / 2
        #expect(abs(half / (law.reach * change.deviation) - 1) < 0.12)
        #expect(abs(lever.gain - change.mean) < 0.2 * change.deviation)
        let found = try advisor.whatIf(Advisor.Change(usersX: 2))
        let (a, b) = (branch.place(found.before.configuration), more.place(found.after.configuration))
        let expected = law.reach * law.difference(a, b).deviation
        let changed = try #require(found.interval)
        #expect(abs((changed.high - changed.low) / 2 / expected - 1) < 1e-9)
    }

    @Test("where nothing tells how much a training varies, gains have no interval")
    func unknownNoise() throws {
        let bare = AdvisorTests.observations.filter { $0.configuration.layers <= 2 && $0.configuration.dim <= 32 }
            .map { o -> Observation in
                var o = o
                o.users = 0
                o.metrics = o.metrics.mapValues { Measurement(value: $0.value, standardError: 0) }
                return o
            }
        let advisor = try ChangeTests.advisor(bare)
        #expect(advisor.branches[0].laws["ndcg@10"]?.knowsNoise == false)
        let levers = try advisor.potential().levers
        #expect(!levers.isEmpty && levers.allSatisfy { $0.interval == nil && $0.gain.isFinite })
        let found = try advisor.whatIf(Advisor.Change(latencyX: 0.9))
        #expect(found.interval == nil || found.before.configuration == found.after.configuration)
    }

    @Test("a lever that leads outside the observations says so")
    func outside() throws {
        let rising = AdvisorTests.withData.map { o -> Observation in
            var o = o
            for name in o.metrics.keys { o.metrics[name]?.value += 0.01 * log(Double(o.configuration.dim) / 16) }
            return o
        }
        let found = try ChangeTests.advisor(rising).potential(layers: 2, dim: 64)
        let width = try #require(found.levers.first { $0.name == "width" })
        #expect(width.configuration.dim > 128 && width.grade == .warn)
        #expect(
            found.warnings.contains {
                $0.code == "outside-range" && $0.message.hasPrefix("width") && $0.message.contains("dim")
            })
        let data = try #require(found.levers.first { $0.name == "data x 2" })
        #expect(
            data.grade == .warn
                && found.warnings.contains {
                    $0.message.contains("data x 2: D' ") || $0.message.contains("data x 2; ")
                })
        #expect(try #require(found.levers.first { $0.name == "depth" }).grade == .inside)
        // More data costs more to train on.
        let ratio = data.cost.trainingFlops / found.now.cost.trainingFlops
        #expect(abs(ratio - 2) < 1e-9)
    }

    @Test("now is the best trained of all backbones, of one where it is named")
    func now() throws {
        let advisor = Advisor(
            dataset: "d", branches: [try AdvisorTests.branch(), try AdvisorTests.branch(backbone: .hstu, shift: 0.006)])
        let best = try advisor.potential()
        #expect(best.now.configuration.backbone == .said(.hstu) && best.now.trained == 1)
        #expect(best.levers.map(\.name).contains("sasrec"))
        let other = try #require(best.levers.first { $0.name == "sasrec" })
        #expect(abs(other.gain + 0.006) < 0.002)
        let own = try advisor.potential(backbone: .sasrec)
        #expect(own.now.configuration.backbone == .said(.sasrec) && own.levers.map(\.name).contains("hstu"))
        #expect(try advisor.potential(layers: 2, dim: 64).now.configuration.backbone == .said(.hstu))
        #expect(
            try advisor.potential(layers: 2, dim: 64, backbone: .sasrec).now.configuration.backbone == .said(.sasrec))
        #expect(throws: AdvisorError.self) { try advisor.potential(backbone: .llama) }
    }
}
