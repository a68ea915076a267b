import Domain
import Foundation
import Testing

@testable import PerformanceLaws

/// A generator with a fixed sequence for a fixed seed.
struct Noise {
    var state: UInt64
    mutating func uniform() -> Double {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return Double((z ^ z >> 31) >> 11) * 0x1p-53
    }
    mutating func normal() -> Double { (-2 * log(1 - uniform())).squareRoot() * cos(2 * Double.pi * uniform()) }
}

/// The published formula, word for word.
struct TrueLaw {
    var p: Double, w1: Double, a1: Double, w2: Double, a2: Double, w3: Double, b: Double
    func g(_ x: Double, _ a: Double) -> Double { -1 / (p * pow(x, a)) - a * log(x) }
    func callAsFunction(_ layers: Int, _ dim: Int, _ data: Double) -> Double {
        w1 * g(Double(layers), a1) + w2 * g(Double(dim), a2) + w3 * log(data) + b
    }
}

let key = LawKey(
    datasetVersion: "v", split: "leave-two-out", mask: .full, candidates: "all", backbone: .sasrec, loss: .cce,
    negatives: 0, maxLength: 50, policy: "p", codeVersion: "1")

func observation(_ id: Int64, _ layers: Int, _ dim: Int, _ tokens: Int, _ value: Double, error: Double = 0.001)
    -> Observation
{
    Observation(
        id: id, dataset: "d", key: key, configuration: Configuration(layers: layers, dim: dim), tokens: tokens, apen: 2,
        userFraction: 1, seed: 1, users: 1_000,
        metrics: ["ndcg@10": Measurement(value: value, standardError: error)], epochs: 10, seconds: 1, converged: true,
        job: nil, trial: nil)
}

func grid(
    _ law: TrueLaw, layers: [Int] = [1, 2, 4, 8], dims: [Int] = [16, 32, 64, 128], tokens: [Int] = [100_000],
    noise: Double = 0, seed: UInt64 = 1
) -> [Observation] {
    var random = Noise(state: seed)
    var id: Int64 = 0
    return tokens.flatMap { tokens in
        layers.flatMap { layers in
            dims.map { dim in
                id += 1
                let value = law(layers, dim, Double(tokens) / 2) + noise * random.normal()
                return observation(id, layers, dim, tokens, value, error: max(noise, 1e-4))
            }
        }
    }
}

struct LawFitTests {
    let fitter = LawFitter(metric: Metric(.ndcg, 10), estimator: .leastSquares)
    static let laws = [
        TrueLaw(p: 2, w1: 0.02, a1: -0.5, w2: 0.03, a2: -0.17, w3: 0, b: 0.1),
        TrueLaw(p: 8, w1: 0.01, a1: -1.2, w2: 0.02, a2: -0.5, w3: 0, b: 0.05),
        TrueLaw(p: 0.4, w1: 0.05, a1: 0.6, w2: 0.08, a2: 0.22, w3: 0, b: 0.3),
    ]

    @Test("noise-free grids give the parameters back to 1e-6", arguments: laws.indices)
    func recovers(index: Int) throws {
        let law = Self.laws[index]
        let fit = try fitter.fit(grid(law))
        #expect(fit.r2 > 1 - 1e-12)
        for (name, expected) in [("p", law.p), ("w1", law.w1), ("a1", law.a1), ("w2", law.w2), ("a2", law.a2)] {
            let found = try #require(fit.parameters[name])
            #expect(abs(found - expected) < 1e-6 * max(1, abs(expected)), "\(name)")
        }
        #expect(abs(try #require(fit.optimum.layers) - pow(law.p, -1 / law.a1)) < 1e-5)
        #expect(abs(try #require(fit.optimum.dim) - pow(law.p, -1 / law.a2)) < 1e-3)
        #expect(abs(fit.predict(layers: 16, dim: 200, effectiveTokens: 50_000) - law(16, 200, 50_000)) < 1e-6)
    }

    @Test("four data sizes give the data's slope back; one size reports none")
    func data() throws {
        var law = Self.laws[0]
        law.w3 = 0.013
        let fit = try fitter.fit(grid(law, tokens: [12_500, 25_000, 50_000, 100_000]))
        #expect(abs(try #require(fit.parameters["w3"]) - 0.013) < 1e-6)
        let one = try fitter.fit(grid(law))
        #expect(one.parameters["w3"] == nil)
        #expect(one.choices["dataAxis"]?.contains("one data size") == true)
    }

    @Test("p can be fixed")
    func fixedP() throws {
        let fit = try LawFitter(metric: Metric(.ndcg, 10), estimator: .leastSquares, fixedP: 2).fit(grid(Self.laws[0]))
        #expect(abs(try #require(fit.parameters["p"]) - 2) < 1e-12)
        #expect(abs(try #require(fit.parameters["a2"]) + 0.17) < 1e-6)
    }

    @Test("the fit is global: never worse than a far denser grid on noisy problems", arguments: 0..<12)
    func global(seed: UInt64) throws {
        let law = Self.laws[Int(seed) % 3]
        let observations = grid(law, noise: 0.003, seed: seed + 100)
        let fit = try fitter.fit(observations)
        let found = fit.points.reduce(0) { $0 + $1.residual * $1.residual }
        var best = Double.infinity
        for lnP in stride(from: -4.9, through: 4.9, by: 0.2) {
            for t1 in stride(from: 0.05, through: 3.5, by: 0.12) {
                for t2 in stride(from: 1.8, through: 6.3, by: 0.12) {
                    best = min(best, denseCost(observations, lnP, t1, t2))
                }
            }
        }
        #expect(found <= best * (1 + 1e-9))
    }

    /// Least squares for one shape by an independent route: normal equations solved by Cramer's rule, curvatures <= 0.
    private func denseCost(_ observations: [Observation], _ lnP: Double, _ t1: Double, _ t2: Double) -> Double {
        let rows = observations.map { o -> [Double] in
            let p = exp(lnP)
            let (x, y) = (Double(o.configuration.layers), Double(o.configuration.dim))
            func g(_ x: Double, _ a: Double) -> Double { -1 / (p * pow(x, a)) - a * log(x) }
            return [1, g(x, -lnP / t1), g(y, -lnP / t2)]
        }
        let values = observations.map { $0.metrics["ndcg@10"]?.value ?? 0 }
        func dot(_ i: Int, _ j: Int) -> Double { rows.reduce(0) { $0 + $1[i] * $1[j] } }
        func det(_ m: [[Double]]) -> Double {
            m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
                + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
        }
        let normal = (0..<3).map { i in (0..<3).map { dot(i, $0) } }
        let right = (0..<3).map { i in zip(rows, values).reduce(0) { $0 + $1.0[i] * $1.1 } }
        let d = det(normal)
        guard abs(d) > 1e-12 else { return .infinity }
        let solution = (0..<3).map { column in
            det((0..<3).map { i in (0..<3).map { $0 == column ? right[i] : normal[i][$0] } }) / d
        }
        // A negative weight is a minimum, which the family excludes.
        guard solution[1] >= 0, solution[2] >= 0 else { return .infinity }
        return zip(rows, values).reduce(0) { sum, item in
            let residual = item.1 - zip(item.0, solution).reduce(0) { $0 + $1.0 * $1.1 }
            return sum + residual * residual
        }
    }

    @Test("an outlier moves the Huber fit less than the least-squares fit")
    func huber() throws {
        var observations = grid(Self.laws[0], noise: 0.0005, seed: 3)
        observations[5].metrics["ndcg@10"]?.value += 0.02
        let truth = Self.laws[0](4, 64, 50_000)
        let robust = try LawFitter(metric: Metric(.ndcg, 10)).fit(observations)
        let plain = try fitter.fit(observations)
        let (a, b) = (
            abs(robust.predict(layers: 4, dim: 64, effectiveTokens: 50_000) - truth),
            abs(plain.predict(layers: 4, dim: 64, effectiveTokens: 50_000) - truth)
        )
        #expect(a < 0.5 * b)
        #expect(robust.points[5].weight < 0.2 * robust.points[4].weight)
    }

    @Test("90 % intervals hold between 82 and 97 % of new observations inside the range")
    func coverage() throws {
        var inside = 0
        var tried = 0
        var random = Noise(state: 77)
        for seed in 0..<60 {
            let law = Self.laws[seed % 3]
            let fit = try LawFitter(metric: Metric(.ndcg, 10)).fit(grid(law, noise: 0.002, seed: UInt64(seed)))
            for (layers, dim) in [(2, 48), (3, 24), (6, 100), (1, 64)] {
                let interval = fit.interval(layers: layers, dim: dim, effectiveTokens: 50_000)
                let new = law(layers, dim, 50_000) + 0.002 * random.normal()
                tried += 1
                if interval.low <= new, new <= interval.high { inside += 1 }
            }
        }
        let share = Double(inside) / Double(tried)
        #expect((0.82...0.97).contains(share), "\(share)")
    }

    @Test("intervals widen away from the observations")
    func widening() throws {
        let fit = try LawFitter(metric: Metric(.ndcg, 10)).fit(grid(Self.laws[0], noise: 0.001, seed: 9))
        func width(_ layers: Int, _ dim: Int) -> Double {
            let interval = fit.interval(layers: layers, dim: dim, effectiveTokens: 50_000)
            return interval.high - interval.low
        }
        #expect(width(16, 256) > 1.3 * width(3, 48))
    }

    @Test("a law read back from JSON predicts the same bits")
    func roundTrip() throws {
        let fit = try fitter.fit(grid(Self.laws[2], noise: 0.002, seed: 4))
        let again = try JSONDecoder().decode(LawFit.self, from: JSONEncoder().encode(fit))
        for dim in [8, 33, 500] {
            #expect(
                again.predict(layers: 5, dim: dim, effectiveTokens: 1e5).bitPattern
                    == fit.predict(layers: 5, dim: dim, effectiveTokens: 1e5).bitPattern)
            #expect(
                again.interval(layers: 5, dim: dim, effectiveTokens: 1e5)
                    == fit.interval(layers: 5, dim: dim, effectiveTokens: 1e5))
        }
    }

    @Test("few observations get a simpler law, not a wild one")
    func few() throws {
        let law = Self.laws[0]
        for count in 3...8 {
            let some = Array(grid(law, layers: [1, 2, 4], dims: [16, 32, 64], noise: 0.001).prefix(count))
            let fit = try fitter.fit(some)
            #expect(fit.covarianceParameters.count <= count)
            let value = fit.predict(layers: 2, dim: 32, effectiveTokens: 50_000)
            #expect(value.isFinite && abs(value - law(2, 32, 50_000)) < 0.05, "\(count)")
        }
        #expect(throws: LawError.self) { try fitter.fit(Array(grid(law).prefix(2))) }
    }

    @Test("observations of different keys are refused, naming the difference; unconverged ones are left out")
    func keys() throws {
        var mixed = grid(Self.laws[0])
        mixed[3].key.mask = .none
        #expect { try fitter.fit(mixed) } throws: { "\($0)".contains("mask is full and none") }
        var some = grid(Self.laws[0])
        some[0].converged = false
        some[0].metrics["ndcg@10"]?.value = 0.9
        let fit = try fitter.fit(some)
        #expect(fit.points.count == 15)
        #expect(fit.choices["observations"] == "15 converged, 1 left out")
    }

    @Test("a rising axis has its optimum beyond the range, a flat one none")
    func monotone() throws {
        let flat = (0..<12).map { observation(Int64($0), [1, 2, 4][$0 % 3], [16, 32, 64, 128][$0 / 3], 1_000, 0.1) }
        let fit = try fitter.fit(flat)
        #expect(abs(fit.predict(layers: 8, dim: 256, effectiveTokens: 500) - 0.1) < 1e-9)
        let rising = flat.map { o -> Observation in
            var o = o
            o.metrics["ndcg@10"]?.value =
                0.02 * log(Double(o.configuration.dim)) + 0.01 * log(Double(o.configuration.layers))
            return o
        }
        let risingFit = try fitter.fit(rising)
        #expect(risingFit.r2 > 0.999)
        #expect((risingFit.optimum.dim ?? .infinity) > 128)
    }
}
