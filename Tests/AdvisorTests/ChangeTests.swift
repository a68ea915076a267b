import Costs
import Domain
import Foundation
import PerformanceLaws
import Testing

@testable import Advisor

/// What-if: the same answers as recommend, before and after a change of what they rest on.
struct ChangeTests {
    /// Rises with both axes so little that nothing beyond the observations is sure, and with the data by `slope` an e-fold.
    static func flat(slope: Double = 0.004) -> [Observation] {
        AdvisorTests.withData.map { o -> Observation in
            var o = o
            let value =
                0.06 + 0.0002 * log(Double(o.configuration.dim * o.configuration.layers)) + slope * log(o.userFraction)
                + (o.configuration.layers * o.configuration.dim % 3 == 0 ? 0.0004 : -0.0004)
            for name in o.metrics.keys { o.metrics[name] = Measurement(value: value, standardError: 0.0005) }
            return o
        }
    }

    static func advisor(_ observations: [Observation]) throws -> Advisor {
        Advisor(dataset: "d", branches: [try AdvisorTests.branch(observations)])
    }

    /// Lengths of users' histories, many short and few long.
    static let lengths = (0..<3_000).map { 1 + $0 * 7_919 % 17 + ($0 % 50 == 0 ? 60 : 0) }

    static func facts(_ lengths: [Int] = lengths, maxLength: Int = 50) -> DatasetFacts {
        DatasetFacts(Histories(lengths: lengths, maxLength: maxLength, batchUsers: 64), items: 500, apen: 2)
    }

    @Test("a factor of one changes nothing, to the last bit, and surely so")
    func nothing() throws {
        var advisors = [try Self.advisor(AdvisorTests.withData), try Self.advisor(Self.flat())]
        var branch = try AdvisorTests.branch(AdvisorTests.withData)
        branch.costs.facts = Self.facts()
        // As many positions as the observations had.
        branch.costs.facts.apen =
            Double(branch.costs.facts.tokens) / AdvisorTests.facts.effectiveTokens
        advisors.append(Advisor(dataset: "d", branches: [branch, try AdvisorTests.branch(backbone: .hstu)]))
        for advisor in advisors {
            for change in [
                Advisor.Change(), Advisor.Change(usersX: 1, interactionsX: 1), Advisor.Change(latencyX: 1),
                Advisor.Change(maxLength: 50),
            ] {
                let found = try advisor.whatIf(change)
                #expect(found.before == found.after && found.beforeGrade == found.grade)
                #expect(found.gain == 0 && found.interval == Interval(low: 0, high: 0))
                let answer = try advisor.recommend(Budget())
                #expect(found.before.configuration == answer.configuration)
                #expect(found.before.predicted == answer.predicted && found.before.cost == answer.cost)
            }
        }
    }

    @Test("before and after are answers: nothing outside the observations that is not sure, with recommend's warnings")
    func answers() throws {
        let advisor = try Self.advisor(Self.flat())
        let answer = try advisor.recommend(Budget())
        #expect(answer.warnings.contains { $0.code == "more-beyond" } && answer.grade == .inside)
        let found = try advisor.whatIf(Advisor.Change(usersX: 2))
        #expect(found.before.configuration == answer.configuration && found.beforeGrade == .inside)
        let hull = advisor.branches[0].hull
        let c = found.after.configuration
        #expect(hull.distance(layers: c.layers, dim: c.dim) == 0)
        #expect(found.warnings.contains { $0.code == "more-beyond" && $0.message.hasPrefix("after the change: ") })
        for warning in answer.warnings where warning.code != "cheaper-equivalent" {
            #expect(found.warnings.contains { $0.code == warning.code && $0.message.hasSuffix(warning.message) })
        }
    }

    @Test("after a change the search goes over all backbones, those that cannot tell left out aloud")
    func backbones() throws {
        let slow = try AdvisorTests.branch(Self.flat(slope: 0.0005))
        let fast = try AdvisorTests.branch(Self.flat(slope: 0.01), backbone: .hstu, shift: -0.004)
        let found = try Advisor(dataset: "d", branches: [slow, fast]).whatIf(Advisor.Change(usersX: 2))
        #expect(
            found.before.configuration.backbone == .said(.sasrec) && found.after.configuration.backbone == .said(.hstu))
        #expect(found.gain > 0.001 && found.gain < 0.005)
        let interval = try #require(found.interval)
        #expect(interval.low < found.gain && found.gain < interval.high)
        let one = try AdvisorTests.branch(AdvisorTests.observations.map { $0 }, shift: 0.02)
        let left = try Advisor(dataset: "d", branches: [one, fast]).whatIf(Advisor.Change(usersX: 2))
        #expect(
            left.before.configuration.backbone == .said(.sasrec) && left.after.configuration.backbone == .said(.hstu))
        #expect(left.warnings.contains { $0.code == "one-data-size" && $0.message.contains("sasrec") })
    }

    @Test("twice the users are twice the positions, FLOPs and training time; what serves one user stays")
    func costs() throws {
        let advisor = try Self.advisor(AdvisorTests.withData)
        let found = try advisor.whatIf(Advisor.Change(usersX: 2))
        #expect(found.tokens?.before == 128_031 && found.tokens?.after == 256_062)
        let c = found.after.configuration
        let now = advisor.branches[0].costs.cost(c)
        #expect(abs(found.after.cost.trainingFlops / now.trainingFlops - 2) < 1e-9)
        #expect(abs(found.after.cost.trainingSeconds / now.trainingSeconds - 2) < 1e-9)
        #expect(found.after.cost.parameters == now.parameters && found.after.cost.memoryBytes == now.memoryBytes)
        #expect(found.after.cost.latencySeconds == now.latencySeconds)
        // A limit on the training is one on the training after the change.
        let limit = advisor.branches[0].costs.cost(Configuration(layers: 2, dim: 64)).trainingSeconds
        let short = try advisor.whatIf(Advisor.Change(usersX: 2), budget: Budget(maxTrainingSeconds: limit))
        #expect(short.before.cost.trainingSeconds <= limit && short.after.cost.trainingSeconds <= limit)
        #expect(short.after.cost.parameters < short.before.cost.parameters)
    }

    @Test("longer histories are cut at L: positions are counted user by user")
    func histories() throws {
        let now = Self.facts()
        /// Counted one by one: the last two of three or more are targets, and each position predicts the item after it.
        func count(_ lengths: [Int]) -> (tokens: Int, squares: Int, evaluated: Int, longest: Int) {
            let positions = lengths.map { min(50, max(0, ($0 >= 3 ? $0 - 2 : $0) - 1)) }
            return (
                positions.reduce(0, +), positions.reduce(0) { $0 + $1 * $1 }, lengths.count { $0 >= 3 },
                (lengths.max() ?? 0) - 1
            )
        }
        for factor in [1, 2, 3, 10] {
            let facts = try #require(now.changed(interactionsX: Double(factor)))
            let truth = count(Self.lengths.map { $0 * factor })
            #expect(facts.tokens == truth.tokens && facts.evaluatedUsers == truth.evaluated)
            #expect(abs(facts.meanContext - Double(truth.squares) / Double(truth.tokens)) < 1e-9)
            #expect(facts.longestHistory == truth.longest && facts.tokens <= Self.lengths.count * 50)
            #expect(facts.apen == now.apen && facts.items == now.items)
        }
        let half = try #require(now.changed(interactionsX: 1.5))
        let (one, two) = (now.tokens, try #require(now.changed(interactionsX: 2)).tokens)
        #expect(half.tokens > one && half.tokens < two)
        #expect(try #require(now.changed(interactionsX: 0.5)).tokens < one)
        let users = try #require(now.changed(usersX: 2))
        #expect(users.tokens == 2 * one && users.evaluatedUsers == 2 * now.evaluatedUsers)
        #expect(users.meanContext == now.meanContext && users.longestHistory == now.longestHistory)
        // Twice the interactions of each are not twice the users.
        #expect(two != 2 * one)

        var branch = try AdvisorTests.branch(AdvisorTests.withData)
        branch.costs.facts = now
        branch.costs.facts.apen = Double(one) / AdvisorTests.facts.effectiveTokens
        let found = try Advisor(dataset: "d", branches: [branch]).whatIf(Advisor.Change(interactionsX: 2))
        #expect(found.tokens?.before == one && found.tokens?.after == two)
        #expect(abs(found.gain - 0.004 * log(Double(two) / Double(one))) < 0.001)
        #expect(found.warnings.contains { $0.code == "memory-as-now" })
    }

    @Test("without interactions longer histories are refused, more users are not")
    func unknownHistories() throws {
        let advisor = try Self.advisor(AdvisorTests.withData)
        #expect { try advisor.whatIf(Advisor.Change(interactionsX: 2)) } throws: {
            "\($0)".contains("how long the users' histories are is not known")
        }
        #expect(try advisor.whatIf(Advisor.Change(usersX: 2)).gain > 0)
    }

    @Test(
        "data beyond the observations has a grade as layers and dim have",
        arguments: [(1.0, "inside"), (2, "warn"), (5, "strong"), (0.5, "inside"), (0.1, "warn")])
    func grades(factor: Double, grade: String) throws {
        let found = try Self.advisor(AdvisorTests.withData).whatIf(Advisor.Change(usersX: factor))
        #expect(found.grade.rawValue == grade && found.beforeGrade == .inside)
        #expect(found.warnings.contains { $0.message.contains("D' ") } == (grade != "inside"))
    }

    @Test("more than two e-folds beyond the data there is no answer unless forced")
    func refused() throws {
        let advisor = try Self.advisor(AdvisorTests.withData)
        #expect {
            try advisor.whatIf(Advisor.Change(usersX: 10))
        } throws: {
            ($0 as? AdvisorError)?.kind == .outsideDomain && "\($0)".contains("2.30 e-folds")
        }
        #expect(try advisor.whatIf(Advisor.Change(usersX: 10), isForced: true).grade == .refused)
        // The same of a dataset that has more than ten times the data its law has seen.
        var branch = try AdvisorTests.branch(AdvisorTests.withData)
        branch.costs.facts.tokens *= 10
        let far = Advisor(dataset: "d", branches: [branch])
        #expect(throws: AdvisorError.self) { try far.recommend(Budget()) }
        #expect(throws: AdvisorError.self) { try far.predict(layers: 2, dim: 64, heads: nil) }
        #expect(try far.recommend(Budget(), isForced: true).grade == .refused)
        #expect(try far.predict(layers: 2, dim: 64, heads: nil, isForced: true).grade == .refused)
    }
}
