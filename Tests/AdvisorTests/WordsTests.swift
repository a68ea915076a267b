import Domain
import Foundation
import PerformanceLaws
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
            let binds = answer.reasons.contains {
                $0.contains("the limit that binds") || $0.contains("cost nothing worth naming")
            }
            // Exhaustive values are exact, those of the search interpolated.
            if free < within + 1e-9 { #expect(!binds, "\(limit): \(answer.reasons)") }
            if free > within + 1e-4 { #expect(binds, "\(limit): \(answer.reasons)") }
            seen.insert(binds)
        }
        #expect(seen == [true, false])
    }

    @Test(
        "a difference that one training's noise swallows is called none, never 0 more",
        arguments: [1e-3, 1e-5, 1e-9, 0])
    func equal(height: Double) throws {
        let observations = AdvisorTests.observations.map { o -> Observation in
            var o = o
            let (n, d) = (log(Double(o.configuration.layers) / 2.5), log(Double(o.configuration.dim) / 36))
            for name in o.metrics.keys {
                o.metrics[name] = Measurement(value: 0.06 - height * (d * d + n * n), standardError: 0.002)
            }
            return o
        }
        let advisor = try AdvisorTests.advisor(observations)
        for limit in [300_000, 600_000, Double.infinity] {
            let answer = try advisor.recommend(limit.isFinite ? Budget(maxParameters: limit) : Budget())
            let words = answer.reasons + answer.warnings.map(\.message)
            #expect(!words.contains { $0.contains(" 0 more") || $0.contains(" 0 above") }, "\(words)")
            for text in words where height <= 1e-5 {
                #expect(!text.contains("e-10 more") && !text.contains("e-6 more"), "\(text)")
            }
        }
    }

    @Test("a law that explains nothing says so, and no share below nothing")
    func unexplained() throws {
        var law = try #require(try AdvisorTests.branch().laws["ndcg@10"]).fit
        let lead = try #require(law.fits.firstIndex { $0.family == law.lead?.family })
        for (r2, words) in [(-4899.0, "explains none of"), (0, "explains none of"), (0.31, "explains only 31 % of")] {
            law.fits[lead].r2 = r2
            let advisor = try AdvisorTests.advisor()
            let warnings = advisor.standing(law, advisor.branches[0])
            let poor = try #require(warnings.first { $0.code == "poor-fit" })
            #expect(poor.message.contains(words), "\(poor.message)")
        }
    }

    @Test("warnings that more training answers come with the command that trains, and without interactions with none")
    func commands() throws {
        let few = AdvisorTests.observations.filter { $0.configuration.layers <= 2 && $0.configuration.dim <= 32 }
        for hasInteractions in [true, false] {
            let advisor = Advisor(
                dataset: "books", hasInteractions: hasInteractions, branches: [try AdvisorTests.branch(few)])
            let warnings = try advisor.recommend(Budget()).warnings
            let edge = try #require(warnings.first { $0.code == "optimum-at-edge" })
            #expect(warnings.contains { $0.code == "few-observations" })
            for warning in warnings where ["few-observations", "optimum-at-edge"].contains(warning.code) {
                #expect((warning.command != nil) == hasInteractions, "\(warning)")
            }
            guard hasInteractions else { continue }
            #expect(try #require(edge.command).hasPrefix("plaw calibrate books --layers "))
        }
    }
}
