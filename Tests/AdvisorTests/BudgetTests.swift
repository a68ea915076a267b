import Costs
import Domain
import Foundation
import PerformanceLaws
import Testing

@testable import Advisor

/// Questions cut by halving against a pass over every candidate, over many budgets.
@Suite struct BudgetTests {
    /// One candidate as the cost model itself prices it.
    private struct Entry {
        var shape: Int
        var block: Int
        var isObserved: Bool
        var isRound: Bool
        var costs: [Double]
    }

    private static func entries(_ advisor: Advisor) -> [Entry] {
        advisor.search.parts.flatMap { part in
            part.blocks.enumerated().flatMap { number, block in
                (0..<block.costs.count).map { index in
                    let (row, place) = index.quotientAndRemainder(dividingBy: block.columns.count)
                    let column = block.columns[place]
                    let cost = block.costs.cost(index)
                    return Entry(
                        shape: part.first + row * part.dims.count + column, block: number,
                        isObserved: number < part.observedHeads, isRound: part.roundness[column] > 0,
                        costs: Currency.allCases.map { cost[$0] })
                }
            }
        }
    }

    /// Limits in some of the currencies: what candidates cost to the last bit, or a little more or less.
    private static func budget(_ entries: [Entry], _ random: inout SplitMix64) -> (budget: Budget, limits: [Double?]) {
        let kinds = 1 + Int(random.next() % 31)
        let limits = (0..<5).map { currency -> Double? in
            guard kinds >> currency & 1 == 1 else { return nil }
            let cost = entries[Int(random.next() % UInt64(entries.count))].costs[currency]
            return cost * [1, 1, 1 + 1e-12, 1 - 1e-12, 0.7 + random.uniform()][Int(random.next() % 5)]
        }
        return (
            Budget(
                maxParameters: limits[0], maxTrainingFlops: limits[1], maxLatencySeconds: limits[2],
                maxMemoryBytes: limits[3], maxTrainingSeconds: limits[4]), limits
        )
    }

    @Test(
        "300 random budgets in all currencies leave what a pass over all candidates leaves, and lead to the same choices"
    )
    func twin() throws {
        let advisor = try SearchTests.advisor()
        let entries = Self.entries(advisor)
        var random = SplitMix64(seed: 20)
        var answered = 0
        for _ in 0..<300 {
            let (budget, limits) = Self.budget(entries, &random)
            let question = Question(advisor, budget, metric: "ndcg@10")
            let shapes = advisor.search.parts.reduce(0) { $0 + $1.shapes }
            var (feasible, kept) = (0, [Int: Int]())
            var alone = [Currency: Int]()
            for entry in entries {
                let over = (0..<5).filter { limit in limits[limit].map { entry.costs[limit] > $0 } ?? false }
                if over.isEmpty {
                    feasible += 1
                    kept[entry.shape] = min(kept[entry.shape] ?? .max, entry.block)
                } else if over.count == 1, entry.isObserved, entry.isRound {
                    let limit = Currency.allCases[over[0]]
                    let former = alone[limit]
                    if question.value(entry.shape) > former.map(question.value) ?? -1 { alone[limit] = entry.shape }
                }
            }
            #expect(question.feasible == feasible && question.total == entries.count)
            let observed = Set(
                kept.filter { shape, block in
                    block < advisor.search.parts[advisor.search.place(shape).part].observedHeads
                }.keys)
            let open = observed.isEmpty ? Set(kept.keys) : observed
            #expect(question.usesObservedHeads == !observed.isEmpty)
            #expect(Set((0..<shapes).filter { question.isOpen($0) }) == open)
            #expect(Dictionary(uniqueKeysWithValues: question.beyond) == alone)
            #expect(open.allSatisfy { question.block($0) == kept[$0] })
            let round = open.filter {
                advisor.search.parts[advisor.search.place($0).part].roundness[advisor.search.place($0).column] > 0
            }
            let sorted = round.sorted { (question.value($0), -$0) > (question.value($1), -$1) }
            #expect(question.distinct(from: [], count: 1).first == sorted.first)
            #expect(question.hasInside == open.contains(where: question.isInside))
            guard let best = question.best() else {
                #expect(open.isEmpty)
                continue
            }
            answered += 1
            // The cheapest among the observations that is nearly as good.
            let resolution = question.resolution(best)
            func parameters(_ shape: Int) -> Double {
                let part = advisor.branches[advisor.search.place(shape).part]
                return part.costs.cost(question.configuration(shape)).parameters
            }
            let equal = round.filter {
                question.isInside($0) && question.value($0) >= question.value(best) - resolution
            }
            let fewest = equal.map(parameters).min().map { min($0, parameters(best)) } ?? parameters(best)
            #expect(parameters(question.cheapest(best, resolution: resolution)) == fewest)
        }
        #expect(answered > 150)
    }

    @Test("what was asked before changes no answer")
    func memory() throws {
        let (asked, fresh) = (try SearchTests.advisor(), try SearchTests.advisor())
        let entries = Self.entries(asked)
        var random = SplitMix64(seed: 4)
        var budgets = (0..<40).map { _ in Self.budget(entries, &random).budget }
        func answers(_ advisor: Advisor) -> [Budget: Recommendation] {
            Dictionary(uniqueKeysWithValues: Set(budgets).map { ($0, try? advisor.recommend($0)) }).compactMapValues {
                $0
            }
        }
        let first = answers(asked)
        budgets.reverse()
        #expect(answers(fresh) == first && answers(asked) == first && !first.isEmpty)
    }

    @Test("draws at a further place are those that it would have had among the others, as far as draws tell")
    func draws() throws {
        let advisor = try SearchTests.advisor()
        let drawn = RivalDraws(advisor, metric: "ndcg@10")
        let law = try #require(advisor.branches[0].laws["ndcg@10"])
        let known = drawn.stands[0].map(\.shape)
        let shape = try #require((0..<advisor.search.parts[0].shapes).first { !known.contains($0) })
        let found = try #require(drawn.draws(at: shape, of: advisor))
        #expect(drawn.draws(at: shape, of: advisor) == found)
        let (place, other) = (advisor.place(shape), advisor.place(known[0]))
        let expected = law.predict(place)
        let deviation = expected.lawDeviation
        let mean = found.reduce(0) { $0 + Double($1) } / Double(found.count)
        #expect(abs(mean - expected.mean) < 5 * deviation / Double(found.count).squareRoot())
        // The difference of two places is known better than either.
        let change = law.difference(other, place)
        let base = try #require(drawn.draws(at: known[0], of: advisor))
        let differences = zip(found, base).map { Double($0 - $1) }
        let average = differences.reduce(0, +) / Double(differences.count)
        let spread = (differences.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(differences.count - 1))
            .squareRoot()
        #expect(abs(average - change.mean) < 5 * change.deviation / Double(found.count).squareRoot())
        #expect(spread > 0.8 * change.deviation && spread < 1.25 * change.deviation)
    }
}
