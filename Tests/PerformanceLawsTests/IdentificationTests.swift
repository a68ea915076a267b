import Domain
import Foundation
import Numerics
import Testing

@testable import PerformanceLaws

/// What the observations do not determine has no number.
struct IdentificationTests {
    private func fits(_ observations: [Observation], draws: Int = 60) throws -> LawFit {
        try LawFitter(metric: metric, draws: draws).fit(observations)
    }

    @Test("of pure noise there is no curve, no optimum and no full rank, and the constant answers", arguments: 0..<6)
    func noise(seed: UInt64) throws {
        var random = SplitMix64(seed: seed + 900)
        let observations = grid(noise: 0) { _, _, _ in 0.06 }.map { o in
            var o = o
            o.metrics["ndcg@10"] = Domain.Measurement(value: 0.06 + 0.0012 * random.normal(), standardError: 0.0012)
            return o
        }
        let fit = try fits(observations)
        for family in fit.fits where family.family == .performanceLaw || family.family == .performanceLawInteraction {
            #expect(family.optimum == FamilyFit.Optimum(layers: nil, dim: nil), "\(family.family)")
            #expect(family.intervals["layers"] == nil && family.intervals["dim"] == nil)
            #expect(family.rank < family.names.count)
            for (name, value) in family.parameters {
                #expect(abs(value) > 1e-6 && abs(value) < 100, "\(family.family) \(name) = \(value)")
            }
        }
        let weights = Dictionary(uniqueKeysWithValues: fit.fits.map { ($0.family, $0.crossValidation.weight) })
        // Families that learnt nothing predict the constant too: it shares its weight with them, and the answer is one everywhere.
        #expect((weights[.constant] ?? 0) > 0.1, "\(weights)")
        let predictor = LawPredictor(fit)
        for (layers, dim) in [(1, 16), (1, 128), (3, 48), (8, 16), (8, 128)] {
            let found = predictor.predict(layers: layers, dim: dim, effectiveTokens: 50_000)
            #expect(abs(found.mean - 0.06) < 0.0018, "\(layers) x \(dim): \(found.mean)")
        }
    }

    @Test("a peak within the observations is found, one far beyond them is not said")
    func optima() throws {
        func curved(_ best: Double) -> [Observation] {
            grid(layers: [1, 2, 3, 4, 6, 8], dims: [16, 24, 32, 48, 64, 96, 128], noise: 0.0002, seed: 3) {
                let (x, y) = (log($0) - 1, log($1) - best)
                return 0.1 - 0.004 * x * x - 0.004 * y * y + 0 * $2
            }
        }
        let inside = try #require(try fits(curved(log(50))).fits.first { $0.family == .logQuadratic })
        #expect(abs(log(try #require(inside.optimum.dim) / 50)) < 0.1)
        #expect(abs(try #require(inside.optimum.layers) - M_E) < 0.3)
        let interval = try #require(inside.intervals["dim"])
        let found = try #require(inside.optimum.dim)
        #expect(interval.low < found && found < interval.high && interval.high < 2 * interval.low)
        let beyond = try #require(try fits(curved(log(128) + 1.5)).fits.first { $0.family == .logQuadratic })
        #expect(beyond.optimum.dim == nil && beyond.intervals["dim"] == nil)
        #expect(beyond.optimum.layers != nil)
    }

    @Test("without a degree of freedom there is no optimum and nothing said of an axis")
    func exhausted() throws {
        let law = TrueLaw.all[0]
        for count in 4...7 {
            let some = Array(
                grid(layers: [1, 4, 8], dims: [16, 48, 128], noise: 0.0001, law.callAsFunction).prefix(count))
            for family in try fits(some).fits where family.degreesOfFreedom == 0 {
                #expect(family.optimum == FamilyFit.Optimum(layers: nil, dim: nil))
                #expect(family.axes.values.allSatisfy { $0.identified.isEmpty && $0.optimum == nil && $0.skew == nil })
            }
        }
    }

    @Test("a parameter is either a number or named as not identified, and an axis likewise")
    func complete() throws {
        let fit = try fits(grid(noise: 0.002, seed: 31, TrueLaw.all[1].callAsFunction))
        for family in fit.fits {
            let open = try #require(family.notIdentified)
            #expect(open.allSatisfy { family.parameters[$0] == nil && family.intervals[$0] == nil })
            #expect(family.intervals.keys.allSatisfy { family.parameters[$0] != nil || $0 == "layers" || $0 == "dim" })
            for axis in family.axes.values {
                #expect(axis.identified.contains("curvature") == (axis.curvature != nil))
                #expect(axis.identified.contains("skew") == (axis.skew != nil))
                #expect(axis.identified.contains("optimum") == (axis.optimum != nil))
            }
        }
        let curves = fit.fits.filter { $0.family == .performanceLaw }
        #expect(curves.contains { !($0.notIdentified ?? []).isEmpty })
    }
}
