import Domain
import Foundation
import PlawTesting
import Testing

@testable import PerformanceLaws

struct LawFitTests {
    private func fitter(_ families: [LawFamily], fixedP: Double? = nil) -> LawFitter {
        LawFitter(metric: metric, estimator: .leastSquares, fixedP: fixedP, draws: 0, families: families)
    }

    private func only(_ family: LawFamily, _ observations: [Observation], fixedP: Double? = nil) throws -> FamilyFit {
        try #require(try fitter([family], fixedP: fixedP).fit(observations).fits.first)
    }

    @Test("noise-free grids give the published parameters back to 1e-6", arguments: TrueLaw.all.indices)
    func recovers(index: Int) throws {
        let law = TrueLaw.all[index]
        // Wide enough that trainings of the least standard error would determine every parameter.
        let wide = grid(layers: [1, 2, 3, 4, 6, 8, 12, 16], dims: [8, 16, 32, 64, 128, 256, 512], law.callAsFunction)
        let fit = try only(.performanceLaw, wide)
        #expect(fit.r2 > 1 - 1e-12)
        for (name, expected) in [
            ("p", law.p), ("w1", law.w1), ("a1", law.a1), ("w2", law.w2), ("a2", law.a2), ("b", law.b),
        ] {
            let found = try #require(fit.parameters[name])
            #expect(abs(found - expected) < 1e-6 * max(1, abs(expected)), "\(name)")
        }
        #expect(abs(try #require(fit.optimum.layers) - pow(law.p, -1 / law.a1)) < 1e-5)
        #expect(abs(try #require(fit.optimum.dim) - pow(law.p, -1 / law.a2)) < 1e-3)
    }

    @Test("four data sizes give the data's slope back; one size reports none")
    func data() throws {
        var law = TrueLaw.all[0]
        law.w3 = 0.013
        let fit = try only(.performanceLaw, grid(tokens: [12_500, 25_000, 50_000, 100_000], law.callAsFunction))
        #expect(abs(try #require(fit.parameters["w3"]) - 0.013) < 1e-6)
        #expect(try only(.performanceLaw, grid(law.callAsFunction)).parameters["w3"] == nil)
    }

    @Test("p can be fixed")
    func fixedP() throws {
        let fit = try only(.performanceLaw, grid(TrueLaw.all[0].callAsFunction), fixedP: 2)
        #expect(abs(try #require(fit.parameters["p"]) - 2) < 1e-12)
        #expect(abs(try #require(fit.parameters["a2"]) + 0.17) < 1e-6)
    }

    @Test("every other family gives its own noise-free surface back")
    func families() throws {
        let sizes = [12_500, 25_000, 50_000, 100_000]
        func check(
            _ family: LawFamily, _ expected: [String: Double], _ surface: (Double, Double, Double) -> Double
        ) throws {
            let fit = try only(family, grid(tokens: sizes, surface))
            for (name, value) in expected {
                let found = try #require(fit.parameters[name], "\(family) \(name)")
                #expect(abs(found - value) < 1e-5 * max(1, abs(value)), "\(family) \(name) \(found)")
            }
        }
        try check(.constant, ["b": 0.1]) { _, _, _ in 0.1 }
        try check(.logLinear, ["w1": 0.01, "w2": 0.02, "w3": 0.03, "b": -0.2]) {
            0.01 * log($0) + 0.02 * log($1) + 0.03 * log($2) - 0.2
        }
        try check(.logQuadratic, ["w11": -0.004, "w22": -0.003, "w12": 0.001, "w1": 0.01, "w2": 0.02, "b": 0.1]) {
            let (n, d) = (log($0), log($1))
            return 0.1 + 0.01 * n + 0.02 * d - 0.004 * n * n - 0.003 * d * d + 0.001 * n * d + 0 * $2
        }
        try check(.scalingLaw, ["A": 0.02, "alpha": 0.7, "B": 0.4, "beta": 0.8, "C": 3, "gamma": 0.5, "b": 0.2]) {
            0.2 - 0.02 * pow($0, -0.7) - 0.4 * pow($1, -0.8) - 3 * pow($2, -0.5)
        }
        try check(.instability, ["kappa": 3, "w1": 0.01, "w2": 0.02, "w3": 0.01]) {
            0.01 * log($0) + 0.02 * log($1) + 0.01 * log($2) - 0.04 * pow(3 * $0 / $1, 2)
        }
        let law = TrueLaw.all[0]
        let (n, d) = (pow(law.p, -1 / law.a1), pow(law.p, -1 / law.a2))
        try check(.performanceLawInteraction, ["rho": 0.002, "p": law.p, "a1": law.a1, "a2": law.a2]) {
            law($0, $1, $2) + 0.002 * log($0 / n) * log($1 / d)
        }
    }

    @Test("the fit is global: never worse than a far denser grid on noisy problems", arguments: 0..<12)
    func global(seed: UInt64) throws {
        let observations = grid(noise: 0.003, seed: seed + 100, TrueLaw.all[Int(seed) % 3].callAsFunction)
        let found = try fitter([.performanceLaw]).fit(observations).points.reduce(0) { $0 + $1.residual * $1.residual }
        var best = Double.infinity
        for lnP in stride(from: -4.9, through: 4.9, by: 0.4) {
            for t1 in stride(from: 0.05, through: 3.5, by: 0.12) {
                for t2 in stride(from: 1.8, through: 6.3, by: 0.12) {
                    best = min(best, denseCost(observations, lnP, t1, t2))
                }
            }
        }
        #expect(found <= best * (1 + 1e-9))
    }

    /// Least squares for one shape by an independent route: the published formula, normal equations, elimination.
    private func denseCost(_ observations: [Observation], _ lnP: Double, _ t1: Double, _ t2: Double) -> Double {
        let p = exp(lnP)
        func g(_ x: Int, _ a: Double) -> Double { -1 / (p * pow(Double(x), a)) - a * log(Double(x)) }
        let rows = observations.map {
            [1, g($0.configuration.layers, -lnP / t1), g($0.configuration.dim, -lnP / t2)]
        }
        let values = observations.map { $0.metrics["ndcg@10"]?.value ?? 0 }
        let normal = (0..<3).map { i in (0..<3).map { j in rows.reduce(0) { $0 + $1[i] * $1[j] } } }
        let solution = solved(normal, (0..<3).map { i in zip(rows, values).reduce(0) { $0 + $1.0[i] * $1.1 } })
        // A negative weight is a minimum, which the family excludes.
        guard solution.allSatisfy(\.isFinite), solution[1] >= 0, solution[2] >= 0 else { return .infinity }
        return zip(rows, values).reduce(0) { sum, item in
            let residual = item.1 - zip(item.0, solution).reduce(0) { $0 + $1.0 * $1.1 }
            return sum + residual * residual
        }
    }

    @Test("the published fit finds the formula back, of either sign, and its residuals are those of the formula")
    func published() throws {
        for a1 in [-0.5, 0.4] {
            var law = TrueLaw.all[0]
            law.a1 = a1
            law.w1 = -0.01
            let noisy = grid(noise: 0.001, law.callAsFunction)
            let exact = PublishedFit(points(grid(law.callAsFunction)).map { (exp($0.x[0]), exp($0.x[1]), $0.value) })
            #expect(abs(try #require(exact.parameters["a1"]) - a1) < 1e-6)
            #expect(abs(try #require(exact.parameters["w1"]) + 0.01) < 1e-6)
            let fit = PublishedFit(points(noisy).map { (exp($0.x[0]), exp($0.x[1]), $0.value) })
            func parameter(_ name: String) throws -> Double { try #require(fit.parameters[name]) }
            let found = TrueLaw(
                p: 2, w1: try parameter("w1"), a1: try parameter("a1"), w2: try parameter("w2"),
                a2: try parameter("a2"),
                w3: 0, b: try parameter("b"))
            let squares = points(noisy).reduce(0) { sum, point in
                let residual = point.value - found(exp(point.x[0]), exp(point.x[1]), 1)
                return sum + residual * residual
            }
            #expect(abs(squares - fit.cost) < 1e-9 * squares)
        }
    }

    @Test("an outlier moves the Huber prediction less than the least-squares one")
    func huber() throws {
        let law = TrueLaw.all[0]
        var observations = grid(noise: 0.0005, seed: 3, law.callAsFunction)
        observations[5].metrics["ndcg@10"]?.value += 0.02
        func off(_ estimator: LawFitter.Estimator) throws -> (error: Double, fit: LawFit) {
            let fit = try LawFitter(metric: metric, estimator: estimator, draws: 0).fit(observations)
            let found = LawPredictor(fit).predict(layers: 2, dim: 32, effectiveTokens: 50_000)
            return (abs(found.mean - law(2, 32, 50_000)), fit)
        }
        let robust = try off(.huber)
        #expect(robust.error < 0.5 * (try off(.leastSquares).error))
        #expect(robust.fit.points[5].weight < 0.2 * robust.fit.points[4].weight)
    }

    @Test("intervals widen away from the observations")
    func widening() throws {
        let fit = try LawFitter(metric: metric, draws: 0).fit(
            grid(noise: 0.001, seed: 9, TrueLaw.all[0].callAsFunction))
        func width(_ layers: Int, _ dim: Int) -> Double {
            let found = LawPredictor(fit).predict(layers: layers, dim: dim, effectiveTokens: 50_000).interval
            return (found?.high ?? .nan) - (found?.low ?? .nan)
        }
        #expect(width(16, 256) > 1.3 * width(3, 48))
    }

    @Test("a law read back from JSON predicts the same bits")
    func roundTrip() throws {
        let fit = try LawFitter(metric: metric, draws: 20).fit(
            grid(noise: 0.002, seed: 4, TrueLaw.all[2].callAsFunction))
        let again = LawPredictor(try JSONDecoder().decode(LawFit.self, from: JSONEncoder().encode(fit)))
        for dim in [8, 33, 500] {
            let a = again.predict(layers: 5, dim: dim, effectiveTokens: 1e5)
            let b = LawPredictor(fit).predict(layers: 5, dim: dim, effectiveTokens: 1e5)
            #expect(a.mean.bitPattern == b.mean.bitPattern)
            #expect(a.interval == b.interval)
        }
    }

    @Test("few observations get a simpler law, not a wild one")
    func few() throws {
        let law = TrueLaw.all[0]
        for count in 3...8 {
            let some = Array(
                grid(layers: [1, 2, 4], dims: [16, 32, 64], noise: 0.001, law.callAsFunction).prefix(count))
            let fit = try LawFitter(metric: metric, draws: 0).fit(some)
            for family in fit.fits { #expect(family.names.count <= count) }
            let value = LawPredictor(fit).predict(layers: 2, dim: 32, effectiveTokens: 50_000).mean
            #expect(abs(value - law(2, 32, 50_000)) < 0.05, "\(count)")
        }
        #expect(throws: LawError.self) {
            try LawFitter(metric: metric).fit(Array(grid(law.callAsFunction).prefix(2)))
        }
    }

    @Test("observations of different keys are refused, naming the difference; unconverged ones are left out")
    func keys() throws {
        var mixed = grid(TrueLaw.all[0].callAsFunction)
        mixed[3].key.mask = .said(.none)
        #expect { try LawFitter(metric: metric).fit(mixed) } throws: { "\($0)".contains("mask is full and none") }
        var some = grid(TrueLaw.all[0].callAsFunction)
        some[0].converged = false
        some[0].metrics["ndcg@10"]?.value = 0.9
        let fit = try LawFitter(metric: metric, draws: 0).fit(some)
        #expect(fit.points.count == 15)
        #expect(fit.choices["observations"] == "15 converged, 1 left out")
    }

    @Test("a rising axis has its optimum beyond the range, a flat one none; a constant metric predicts itself")
    func monotone() throws {
        let flat = try LawFitter(metric: metric, draws: 0).fit(grid { _, _, _ in 0.1 })
        let far = LawPredictor(flat).predict(layers: 8, dim: 256, effectiveTokens: 50_000).mean
        #expect(abs(far - 0.1) < 1e-6)
        let rising = try only(.performanceLaw, grid { 0.01 * log($0) + 0.02 * log($1) + 0 * $2 })
        #expect(rising.r2 > 0.999)
        #expect((rising.optimum.dim ?? .infinity) > 128)
    }

    @Test("data of unknown size fits and predicts")
    func unknownData() throws {
        let observations = grid(noise: 0.001, TrueLaw.all[0].callAsFunction).map { o in
            var o = o
            o.apen = .unsaid
            return o
        }
        let fit = try LawFitter(metric: metric, draws: 10).fit(observations)
        #expect(fit.effectiveTokensRange[0] == fit.effectiveTokensRange[1])
        let found = LawPredictor(fit).predict(layers: 4, dim: 64, effectiveTokens: .infinity)
        #expect(abs(found.mean - TrueLaw.all[0](4, 64, 1)) < 0.003)
        _ = try JSONEncoder().encode(fit)
    }

    @Test("a design whose depth and width move together has a lower rank, and no number for what it cannot tell")
    func collinear() throws {
        // ln d is a straight line in ln N: their slopes cannot be told apart.
        let observations = (0..<5).map { i -> Observation in
            let value = 0.05 + 0.01 * Double(i) + 0.0005 * Double(i % 2)
            return observation(Int64(i + 1), 1 << i, 16 << i, 100_000, value)
        }
        let fit = try only(.logLinear, observations)
        #expect(fit.rank == 2)
        #expect(fit.names.count == 3)
        #expect(fit.parameters["w1"] == nil && fit.parameters["w2"] == nil)
        #expect(!fit.identified.contains("slopeN") && !fit.identified.contains("slopeD"))
        #expect(fit.identified.contains("level"))
    }

    @Test("two levels give a slope, not a curve")
    func twoLevels() throws {
        let fit = try only(.performanceLaw, grid(layers: [2, 4], noise: 0.0005, TrueLaw.all[0].callAsFunction))
        #expect(fit.names.contains("slopeN") && !fit.names.contains("lnOptimumN"))
        #expect(fit.optimum.layers == nil && fit.parameters["a1"] == nil)
    }

    @Test(
        "laws of many observations leave out what the other families give at each; those of more than an answer names are refused"
    )
    func many() throws {
        func observations(_ count: Int) -> [Observation] {
            (0..<count).map { number -> Observation in
                let layers = 1 + number % 3
                let dim = 16 << (number / 3 % 3)
                return observation(
                    Int64(number + 1), layers, dim, 100_000, 0.1 + 0.01 * Double(layers), seed: UInt64(number))
            }
        }
        let fitter = LawFitter(metric: metric, draws: 0, families: [.constant, .logLinear])
        for (count, isTold) in [(5_000, true), (5_001, false)] {
            let law = try fitter.fit(observations(count))
            let told = law.fits.map { $0.fitted?.count }
            let errors = law.points.map { abs($0.observed - $0.fitted - $0.residual) }
            #expect(law.points.count == count)
            #expect(Set(told) == [isTold ? count : nil])
            #expect(errors.max() ?? 1 < 1e-12)
        }
        let tooMany = observations(LawFitter.most + 1)
        let refused = #expect(throws: LawError.self) { _ = try fitter.fit(tooMany) }
        #expect(refused?.reason == "too-many" && refused?.description.contains("50000") == true)
    }
}
