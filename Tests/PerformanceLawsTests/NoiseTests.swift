import Domain
import Foundation
import Testing

@testable import PerformanceLaws

/// Where the noise of a training comes from when nobody said a standard error.
struct NoiseTests {
    /// Users whose target stood at ranks 1 to 20, of 22,363: sasrec 4 x 64 on amazon-beauty.
    private static let hits = [
        631, 296, 242, 215, 166, 142, 141, 133, 101, 94, 116, 106, 87, 64, 60, 69, 76, 67, 61, 68,
    ]
    private static let users = 22_363

    @Test("a standard error derived from the mean, the hit rate and the users is that of the ranks to 2 %")
    func derived() throws {
        for (metric, limit) in [
            (Metric(.ndcg, 5), 0.02), (Metric(.ndcg, 10), 0.02), (Metric(.ndcg, 20), 0.02), (Metric(.mrr, 10), 0.02),
            (Metric(.hr, 10), 1e-9),
        ] {
            var (sum, squares, hits) = (0.0, 0.0, 0.0)
            for (place, count) in Self.hits.prefix(metric.k).enumerated() {
                let rank = Double(place + 1)
                let gain =
                    switch metric.kind {
                    case .hr: 1.0
                    case .ndcg: 1 / log2(rank + 1)
                    case .mrr: 1 / rank
                    }
                sum += Double(count) * gain
                squares += Double(count) * gain * gain
                hits += Double(count)
            }
            let n = Double(Self.users)
            let truth = ((squares / n - sum / n * sum / n) / n).squareRoot()
            let found = try #require(
                DerivedError.standardError(metric, value: sum / n, hitRate: hits / n, users: Self.users))
            #expect(abs(found / truth - 1) < limit, "\(metric): \(found), \(truth)")
            let alone = try #require(
                DerivedError.standardError(metric, value: sum / n, hitRate: nil, users: Self.users))
            #expect(abs(alone / truth - 1) < 0.06, "\(metric) without a hit rate: \(alone), \(truth)")
        }
        // Above what a usual recommender gains from a hit, too: 0.74 of wikipedia's edits.
        let high = try #require(
            DerivedError.standardError(Metric(.ndcg, 10), value: 0.74, hitRate: nil, users: 3_958))
        #expect((0.003...0.0071).contains(high), "\(high)")
        #expect(DerivedError.standardError(Metric(.hr, 10), value: 0.1, hitRate: 0.1, users: 0) == nil)
        // A mean that its hit rate cannot have is no reason to fail.
        let odd = DerivedError.standardError(Metric(.ndcg, 10), value: 0.09, hitRate: 0.05, users: 1_000)
        #expect(odd.map { $0 > 0 && $0 < 0.02 } == true)
    }

    private func without(_ observations: [Observation], users: Int = 0) -> [Observation] {
        observations.map { o in
            var o = o
            o.metrics["ndcg@10"]?.standardError = 0
            o.users = users
            return o
        }
    }

    @Test("with users and hit rates a metric without errors has the noise of its ranks")
    func users() throws {
        let observations = without(grid(noise: 0.0005, TrueLaw.all[0].callAsFunction), users: Self.users).map { o in
            var o = o
            o.metrics["hr@10"] = Domain.Measurement(value: 1.65 * (o.metrics["ndcg@10"]?.value ?? 0), standardError: 0)
            return o
        }
        let fit = try LawFitter(metric: metric, draws: 0).fit(observations)
        #expect(fit.noise.source == .standardErrors)
        let level = observations.compactMap { $0.metrics["ndcg@10"]?.value }.sorted()[8]
        // E[g² | hit] is 0.7 of E[g | hit], more or less.
        let expected = ((0.7 * level - level * level) / Double(Self.users)).squareRoot()
        #expect(abs(try #require(fit.noise.evaluation) / expected - 1) < 0.06)
    }

    @Test("without users repeats and residuals set the scale, whatever it is", arguments: [0.0004, 0.002, 0.008])
    func residuals(noise: Double) throws {
        var sum = 0.0
        for seed in 0..<8 {
            let observations = without(grid(noise: noise, seed: UInt64(seed) + 60, TrueLaw.all[0].callAsFunction))
            let fit = try LawFitter(metric: metric, draws: 0).fit(observations)
            #expect(fit.noise.source == .residuals && fit.noise.evaluation == nil)
            sum += log(fit.noise.training)
        }
        let found = exp(sum / 8)
        #expect((0.5 * noise...2 * noise).contains(found), "\(found)")
    }

    @Test("without users, repeats and places to spare the noise is not known, and nothing has an interval")
    func unknown() throws {
        let four = without(Array(grid(layers: [1, 2], dims: [16, 32], noise: 0.001, TrueLaw.all[0].callAsFunction)))
        let fit = try LawFitter(metric: metric).fit(four)
        #expect(fit.noise.source == .unknown && fit.noise.evaluation == nil)
        let found = LawPredictor(fit).predict(layers: 2, dim: 32, effectiveTokens: 50_000)
        #expect(found.interval == nil && abs(found.mean - (four[3].metrics["ndcg@10"]?.value ?? 0)) < 0.01)
        #expect(fit.fits.allSatisfy { $0.intervals.isEmpty })
        let stored = try JSONDecoder().decode(LawFit.self, from: JSONEncoder().encode(fit))
        #expect(stored.noise == fit.noise)
        // One repeat tells something.
        var five = four
        five.append(observation(9, 2, 32, 100_000, (four[3].metrics["ndcg@10"]?.value ?? 0) + 0.001, error: 0, seed: 2))
        five[4].users = 0
        let repeated = try LawFitter(metric: metric, draws: 0).fit(five)
        #expect(repeated.noise.source == .residuals)
        let interval = try #require(LawPredictor(repeated).predict(layers: 2, dim: 32, effectiveTokens: 5e4).interval)
        #expect(interval.high - interval.low > 0.001)
    }

    @Test("a law stored before sources were written down took its noise for known")
    func former() throws {
        let text = #"{"evaluation": 0.001, "training": 0.0008, "replicates": 2}"#
        let noise = try JSONDecoder().decode(LawFit.Noise.self, from: Data(text.utf8))
        #expect(noise.source == .standardErrors && noise.evaluation == 0.001)
    }
}
