import Domain
import Foundation
import Testing
@testable import Advisor

/// What an answer says of itself.
@Suite struct WordsTests {
    @Test("reasons call the answer best of what it is best of, and no limit binding that keeps nothing better away")
    func words() throws {
        // Grows beyond the largest dim observed and falls with the layers: what a limit forbids last is not what is best.
        let observations = AdvisorTests.observations.filter {
            $0.configuration.layers <= 4 && $0.configuration.dim <= 32
        }
        .map { o -> Observation in
            var o = o
            for name in o.metrics.keys { o.metrics[name]?.value -= 0.004 * log(Double(o.configuration.layers)) }
            return o
        }
        let advisor = try AdvisorTests.advisor(observations)
        let entries = Exhaustive(advisor).entries
        let free = try #require(entries.map(\.value).max())
        var seen: Set<Bool> = []
        for limit in stride(from: 300_000.0, through: 1_000_000, by: 50_000) {
            let answer = try advisor.recommend(Budget(maxParameters: limit))
            let within = try #require(entries.filter { $0.cost.parameters <= limit }.map(\.value).max())
            let isBeyond = answer.warnings.contains { $0.code == "more-beyond" }
            #expect(answer.reasons[0].contains("among the observations") == isBeyond, "\(answer.reasons)")
            let binds = answer.reasons.contains { $0.contains("is the limit that binds") }
            // Exhaustive values are exact, those of the search interpolated.
            if free < within + 1e-9 { #expect(!binds, "\(limit): \(answer.reasons)") }
            if free > within + 1e-4 { #expect(binds, "\(limit): \(answer.reasons)") }
            seen.insert(binds)
        }
        #expect(seen == [true, false])
    }
}
