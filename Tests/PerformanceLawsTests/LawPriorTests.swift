import Domain
import Foundation
import Numerics
import Testing

@testable import PerformanceLaws

@Suite struct LawPriorTests {
    static let metric = Metric(.ndcg, 10)
    static let tokens = 40_000

    /// ln of the metric over that of 2 x 64: what all datasets have in common.
    static func common(_ layers: Int, _ dim: Int) -> Double {
        -0.02 * pow(log(Double(dim) / 96), 2) - 0.01 * pow(log(Double(layers) / 2), 2) + 0.02 * pow(log(64.0 / 96), 2)
    }

    static let shapes = [1, 2, 4, 8].flatMap { n in [16, 32, 64, 128].map { (layers: n, dim: $0) } }

    /// Datasets that differ in their level and a little in their shapes, smoothly and by chance; each lacks some shapes.
    static func datasets(_ count: Int, deviation: Double) -> [LawPrior.Recorded] {
        (0..<count).map { i in
            var random = SplitMix64(seed: UInt64(i + 1))
            let (slopeN, slopeD) = (random.normal(), random.normal())
            let ratios = shapes.enumerated().compactMap { place, shape -> (layers: Int, dim: Int, ratio: Double)? in
                let (u, v) = (log(Double(shape.layers) / 2), log(Double(shape.dim) / 64))
                let off = deviation * (0.6 * slopeN * u + 0.6 * slopeD * v + 0.3 * random.normal())
                guard (place + i) % 5 != 0 || (shape.layers, shape.dim) == (2, 64) else { return nil }
                return (shape.layers, shape.dim, common(shape.layers, shape.dim) + off)
            }
            return LawPrior.Recorded(
                dataset: "d\(i)", mask: i % 2 == 0 ? .full : .none,
                level: (i % 2 == 0 ? -3 : -0.5) + 0.4 * random.normal(),
                ratios: ratios)
        }
    }

    static func prior(deviation: Double = 0.02) -> LawPrior {
        .learnt(from: datasets(10, deviation: deviation), effectiveTokens: Double(tokens) / 2, mask: .full, trust: 1)
    }

    static func observe(
        _ layers: Int, _ dim: Int, value: Double, seed: UInt64 = 1, forecast: Observation.Forecast? = nil
    ) -> Observation {
        Observation(
            id: Int64(layers * 1_000 + dim) * 10 + Int64(seed), dataset: "d",
            key: LawKey(
                datasetVersion: .said("v"), split: .said("leave-two-out"), mask: .said(.full), candidates: .said("all"),
                backbone: .said(.sasrec),
                loss: .said(.core(.cce)), negatives: .said(0), maxLength: .said(50),
                policy: TrainingPolicy("p recipe=standard-2 q"), codeVersion: .said("1")),
            configuration: DeclaredConfiguration(Configuration(layers: layers, dim: dim)), tokens: .said(tokens),
            apen: .said(2), userFraction: 1,
            seed: seed,
            users: 20_000, metrics: [metric.description: Measurement(value: value, standardError: 0.01 * value)],
            epochs: 20, seconds: 1, converged: forecast == nil, job: nil, trial: 1, forecast: forecast)
    }

    @Test("means over datasets that lack shapes are those that all have in common, and how far they differ is found")
    func learnt() {
        let prior = Self.prior()
        #expect(prior.datasets == 10)
        for shape in prior.shapes where shape.layers <= 8 {
            #expect(abs(shape.ratio - Self.common(shape.layers, shape.dim)) < 0.025, "\(shape)")
            #expect(shape.deviation > 0.01 && shape.deviation < 0.05, "\(shape)")
        }
        #expect(prior.shapes.first { $0.layers == 2 && $0.dim == 64 }?.ratio == 0)
        // Of those that are ranked alike.
        #expect(abs(prior.level + 3) < 0.5)
        #expect(prior.levelDeviation > 0.2 && prior.levelDeviation < 0.8)
        let wide = Self.prior(deviation: 0.08)
        #expect(zip(wide.shapes, prior.shapes).allSatisfy { $0.deviation > 2 * $1.deviation })
    }

    @Test("one dataset left out no longer counts, and what is deeper than all of them is less sure")
    func leftOut() throws {
        let all = LawPrior.recorded(effectiveTokens: 1e4, mask: .full)
        let name = try #require(LawPrior.recorded.first).dataset
        let rest = LawPrior.recorded(effectiveTokens: 1e4, mask: .full, without: name)
        #expect(rest.datasets == all.datasets - 1)
        #expect(rest.shapes != all.shapes)
        #expect(LawPrior.recorded(effectiveTokens: 1e4, mask: .full, without: "no such") == all)
        let (deep, deepest) = (
            all.shapes.first { $0.layers == 8 && $0.dim == 32 }, all.shapes.first { $0.layers == 12 && $0.dim == 32 }
        )
        #expect(try #require(deepest).deviation > #require(deep).deviation)
        #expect(try #require(deepest).ratio == #require(deep).ratio)
        // Other backbones may lie further from it.
        var key = Self.observe(2, 64, value: 0.05).key
        let own = LawPrior.recorded(for: key, effectiveTokens: 1e4)
        key.backbone = .said(.hstu)
        let other = LawPrior.recorded(for: key, effectiveTokens: 1e4)
        #expect(zip(other.shapes, own.shapes).allSatisfy { $0.deviation > $1.deviation && $0.ratio == $1.ratio })
    }

    @Test("before any training the level is as uncertain as datasets differ, and shapes are told apart all the same")
    func nothing() throws {
        let prior = Self.prior()
        let law = LawPredictor(try #require(prior.law(Self.metric)))
        let home = law.predict(layers: 2, dim: 64, effectiveTokens: prior.effectiveTokens)
        #expect(abs(home.mean - exp(prior.level)) < 0.1 * exp(prior.level))
        let interval = try #require(home.interval)
        #expect(interval.low > 0 && interval.low < 0.6 * home.mean && interval.high > 1.6 * home.mean)
        let narrow = law.predict(layers: 1, dim: 16, effectiveTokens: prior.effectiveTokens)
        #expect(abs(log(narrow.mean / home.mean) - Self.common(1, 16)) < 0.03)
        let d = prior.effectiveTokens
        let change = law.difference(
            .init(layers: 1, dim: 16, effectiveTokens: d), .init(layers: 2, dim: 64, effectiveTokens: d))
        #expect(change.mean > change.deviation, "what all have in common is not drowned in the level")
    }

    @Test("one training sets the level of all shapes; a few that differ from what was expected are believed")
    func few() throws {
        let prior = Self.prior()
        let one = LawPredictor(
            try LawFitter(metric: Self.metric, draws: 0).fit([Self.observe(2, 64, value: 0.06)], prior: prior))
        func value(_ law: LawPredictor, _ n: Int, _ d: Int) -> Double {
            law.predict(layers: n, dim: d, effectiveTokens: prior.effectiveTokens).mean
        }
        #expect(abs(value(one, 2, 64) / 0.06 - 1) < 0.01)
        for shape in Self.shapes {
            let ratio = log(value(one, shape.layers, shape.dim) / value(one, 2, 64))
            #expect(abs(ratio - Self.common(shape.layers, shape.dim)) < 0.03, "\(shape)")
        }
        let far = one.predict(layers: 8, dim: 16, effectiveTokens: prior.effectiveTokens)
        let near = one.predict(layers: 2, dim: 64, effectiveTokens: prior.effectiveTokens)
        #expect(far.lawDeviation > near.lawDeviation)
        // Here narrow ones are as good as wide ones.
        let other = LawPredictor(
            try LawFitter(metric: Self.metric, draws: 0).fit(
                [(2, 64), (1, 16), (4, 16), (8, 128)].flatMap { shape in
                    [1, 2].map { Self.observe(shape.0, shape.1, value: 0.06, seed: $0) }
                }, prior: prior))
        #expect(log(value(other, 2, 16) / value(other, 2, 64)) > 0.5 * Self.common(2, 16))
    }

    @Test("a training that was cut short counts by where it was heading, the less the less that is known")
    func cut() throws {
        let prior = Self.prior()
        func law(_ deviation: Double) throws -> LawPredictor {
            LawPredictor(
                try LawFitter(metric: Self.metric, draws: 0).fit(
                    [
                        Self.observe(2, 64, value: 0.06),
                        Self.observe(4, 32, value: 0.03, forecast: .init(gain: 0.2, deviation: deviation)),
                    ], prior: prior))
        }
        func value(_ law: LawPredictor) -> Double {
            law.predict(layers: 4, dim: 32, effectiveTokens: prior.effectiveTokens).mean
        }
        let expected = 0.06 * exp(Self.common(4, 32))
        let (sure, unsure) = (value(try law(0.02)), value(try law(0.6)))
        #expect(sure < 0.9 * expected && sure > 0.03 * exp(0.2))
        #expect(abs(unsure / expected - 1) < 0.04)
        // Without what other datasets say there is no such point.
        #expect(throws: LawError.self) {
            try LawFitter(metric: Self.metric, draws: 0).fit([
                Self.observe(2, 64, value: 0.06),
                Self.observe(4, 32, value: 0.03, forecast: .init(gain: 0.2, deviation: 0.02)),
            ])
        }
        // Alone it tells the level, as well as it is known.
        let alone = try LawFitter(metric: Self.metric, draws: 0).fit(
            [Self.observe(2, 64, value: 0.05, forecast: .init(gain: 0.1, deviation: 0.08))], prior: prior)
        #expect(alone.points.isEmpty && alone.prior?.levelDeviation == 0.08)
        let level = LawPredictor(alone).predict(layers: 2, dim: 64, effectiveTokens: prior.effectiveTokens)
        #expect(abs(level.mean / (0.05 * exp(0.1)) - 1) < 0.02)
        let interval = try #require(level.interval)
        #expect(interval.low < 0.9 * level.mean && interval.low > 0.6 * level.mean)
    }

    @Test("intervals before and after a training hold the trainings of datasets that were left out")
    func intervals() throws {
        var (covered, all) = (0, 0)
        let datasets = Self.datasets(12, deviation: 0.03)
        for (i, left) in datasets.enumerated() {
            let prior = LawPrior.learnt(
                from: datasets.enumerated().filter { $0.offset != i }.map(\.element), effectiveTokens: 2e4,
                mask: left.mask, trust: 1)
            func truth(_ ratio: Double) -> Double { exp(left.level + ratio) }
            let home = left.ratios.first { $0.layers == 2 && $0.dim == 64 }?.ratio ?? 0
            let law = LawPredictor(
                try LawFitter(metric: Self.metric, draws: 0).fit(
                    [Self.observe(2, 64, value: truth(home))], prior: prior))
            for ratio in left.ratios where (ratio.layers, ratio.dim) != (2, 64) {
                let p = law.predict(layers: ratio.layers, dim: ratio.dim, effectiveTokens: Double(Self.tokens) / 2)
                let interval = try #require(p.interval)
                all += 1
                covered += interval.low <= truth(ratio.ratio) && truth(ratio.ratio) <= interval.high ? 1 : 0
            }
        }
        #expect(Double(covered) > 0.85 * Double(all), "\(covered) of \(all)")
        #expect(Double(covered) < 0.995 * Double(all), "\(covered) of \(all)")
    }

    @Test(
        "of each recorded dataset the others and its own 2 x 64 tell the other shapes, to within their 90 % intervals")
    func recorded() throws {
        var (covered, all) = (0, 0)
        for left in LawPrior.recorded {
            let prior = LawPrior.recorded(effectiveTokens: 2e4, mask: left.mask, without: left.dataset)
            let law = LawPredictor(
                try LawFitter(metric: Self.metric, draws: 0).fit(
                    [Self.observe(2, 64, value: exp(left.level))], prior: prior))
            for (layers, dim, ratio) in left.ratios where (layers, dim) != (2, 64) {
                let p = law.predict(layers: layers, dim: dim, effectiveTokens: Double(Self.tokens) / 2)
                let interval = try #require(p.interval)
                let truth = exp(left.level + ratio)
                all += 1
                covered += interval.low <= truth && truth <= interval.high ? 1 : 0
            }
        }
        // Of 107: docs/users/laws.md has the number.
        #expect(Double(covered) >= 0.85 * Double(all) && Double(covered) <= 0.99 * Double(all), "\(covered) of \(all)")
    }

    @Test("a law with what it expected beside it is the same after it was stored and read")
    func stored() throws {
        let prior = Self.prior()
        let fit = try LawFitter(metric: Self.metric, draws: 0).fit(
            [Self.observe(2, 64, value: 0.06), Self.observe(1, 32, value: 0.055)], prior: prior)
        let read = try JSONDecoder().decode(LawFit.self, from: JSONEncoder().encode(fit))
        #expect(read == fit)
        let (a, b) = (LawPredictor(fit), LawPredictor(read))
        for shape in Self.shapes {
            #expect(
                a.predict(layers: shape.layers, dim: shape.dim, effectiveTokens: 2e4)
                    == b.predict(layers: shape.layers, dim: shape.dim, effectiveTokens: 2e4))
        }
        #expect(fit.places.count == 2 && fit.prior?.shapes == prior.shapes)
    }
}
