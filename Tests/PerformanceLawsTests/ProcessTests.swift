import Domain
import Foundation
import Numerics
import PlawTesting
import Testing

@testable import PerformanceLaws

struct ProcessTests {
    private let observations = grid(noise: 0.002, seed: 5, TrueLaw.all[0].callAsFunction)

    private static let all = points(grid(noise: 0.002, seed: 5, TrueLaw.all[0].callAsFunction))

    private func process(_ points: [LawPoint], noiseFactor: Double = 1, form: LawForm? = nil, at: [Double]? = nil)
        throws -> ProcessModel
    {
        let form = form ?? LawForm(.logQuadratic, points: points, fixedP: nil)
        let prior = form.prior(MetricSpan(Self.all), points: points)
        return try #require(
            ProcessModel(
                form: form, parameters: at ?? prior.means, prior: prior, points: points,
                settings: ProcessModel.Settings(amplitude: 0.01, length: 1.6, noiseFactor: noiseFactor),
                isFinal: at != nil))
    }

    @Test("without noise the process goes through every point, with no doubt left there")
    func interpolates() throws {
        let points = points(observations)
        let model = try process(points, noiseFactor: 1e-9)
        for point in points {
            let place = model.place(point.x)
            #expect(abs(place.mean - point.value) < 1e-6)
            #expect(place.variance.squareRoot() < 1e-5)
        }
    }

    @Test("leave-one-out in closed form equals the process fitted to the others")
    func leaveOneOut() throws {
        let all = points(observations)
        let form = LawForm(.logQuadratic, points: all, fixedP: nil)
        let model = try process(all, form: form)
        // The linearised process depends on where it is linearised only through the law: a linear one does not.
        for (i, closed) in model.leaveOneOut().enumerated() {
            var rest = all
            let out = rest.remove(at: i)
            let prior = form.prior(MetricSpan(Self.all), points: all)
            let other = try #require(
                ProcessModel(
                    form: form, parameters: prior.means, prior: prior, points: rest, settings: model.settings))
            let place = other.place(out.x)
            #expect(abs(place.mean - closed.mean) < 1e-8)
            #expect(abs(place.variance + out.variance - closed.variance) < 1e-8 * closed.variance)
        }
    }

    @Test("means and variances equal universal kriging by plain elimination")
    func kriging() throws {
        let all = points(observations)
        let form = LawForm(.logLinear, points: all, fixedP: nil)
        let prior = form.prior(MetricSpan(Self.all), points: all)
        let model = try process(all, form: form)
        let (length, amplitude) = (1.6, 0.01)
        // Slopes in ln N and ln d that change with ln D', 0 at the largest D' and at the middle of the shapes there.
        let pinned = all.map { $0.x[2] }.max() ?? 0
        let whole = all.filter { $0.x[2] == pinned }
        let middle = whole.reduce(SIMD3<Double>()) { $0 + $1.x } / Double(whole.count)
        let slope = 0.25 * MetricSpan(all).shapes
        func covariance(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double {
            let u = (a - b) / SIMD3(length, length, 1.5 * length)
            let r = (5 * (u * u).sum()).squareRoot()
            var sum = amplitude * amplitude * (1 + r + r * r / 3) * exp(-r)
            let (p, q) = (a - middle, b - middle)
            sum += slope * slope * (a[2] - pinned) * (b[2] - pinned) * (p[0] * q[0] + p[1] * q[1])
            let zero = [Double](repeating: 0, count: form.count)
            for (m, slopes) in zip(form.gradient(a, zero), form.gradient(b, zero)).enumerated() {
                sum += slopes.0 * slopes.1 * prior.deviations[m] * prior.deviations[m]
            }
            return sum
        }
        let matrix = all.indices.map { i in
            all.indices.map { j in covariance(all[i].x, all[j].x) + (i == j ? all[i].variance : 0) }
        }
        let x = SIMD3(1.1, 3.7, 10.0)
        let with = all.map { covariance($0.x, x) }
        let weights = solved(matrix, with)
        let mean =
            form.value(x, prior.means)
            + zip(weights, all).reduce(0) { $0 + $1.0 * ($1.1.value - form.value($1.1.x, prior.means)) }
        // A straight line in ln D' from where the observations end, here at their only data size.
        let beyond = 0.3 * MetricSpan(all).data * (pinned - x[2])
        let variance = covariance(x, x) - zip(weights, with).reduce(0) { $0 + $1.0 * $1.1 } + beyond * beyond
        let place = model.place(x)
        #expect(abs(place.mean - mean) < 1e-8)
        #expect(abs(place.variance - variance) < 1e-6 * variance)
    }

    @Test("draws have the means of predictions and the deviations of predictions and differences")
    func draws() throws {
        let fit = try LawFitter(metric: metric, draws: 0).fit(observations)
        let predictor = LawPredictor(fit)
        let places = [(2, 48), (4, 200), (12, 30)].map {
            LawPredictor.Place(layers: $0.0, dim: $0.1, effectiveTokens: 50_000)
        }
        let rows = predictor.draws(places, count: 20_000)
        func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
            let mean = values.reduce(0, +) / Double(values.count)
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            return (mean, (squares / Double(values.count)).squareRoot())
        }
        for (i, place) in places.enumerated() {
            let (found, expected) = (moments(rows.map { $0[i] }), predictor.predict(place))
            #expect(abs(found.mean - expected.mean) < 0.04 * expected.lawDeviation)
            #expect(abs(found.deviation - expected.lawDeviation) < 0.05 * expected.lawDeviation)
        }
        let (found, expected) = (moments(rows.map { $0[1] - $0[0] }), predictor.difference(places[0], places[1]))
        #expect(abs(found.mean - expected.mean) < 0.04 * expected.deviation)
        #expect(abs(found.deviation - expected.deviation) < 0.05 * expected.deviation)
    }

    @Test("the true family gains weight as noise falls")
    func weights() throws {
        let weights = try [0.006, 0.001, 0.0001].map { noise -> Double in
            var sum = 0.0
            for seed in 0..<6 {
                let fit = try LawFitter(metric: metric, draws: 0).fit(
                    grid(noise: noise, seed: UInt64(seed) + 40) {
                        0.2 - 0.05 * pow($0, -0.9) - 0.6 * pow($1, -0.8) + 0 * $2
                    })
                sum += fit.fits.first { $0.family == .scalingLaw }?.crossValidation.weight ?? 0
            }
            return sum / 6
        }
        #expect(weights[0] < weights[1] && weights[1] < weights[2], "\(weights)")
        #expect(weights[2] > 0.5)
    }

    @Test("the correlation between trainings is that of their users' gains")
    func correlation() throws {
        var random = SplitMix64(seed: 3)
        let common = (0..<2_000).map { _ in random.normal() }
        var rows: [Int64: [Float]] = [:]
        for id in 1...4 { rows[Int64(id)] = common.map { Float(0.5 + $0 + random.normal()) } }
        func pearson(_ a: [Float], _ b: [Float]) -> Double {
            let (a, b) = (a.map(Double.init), b.map(Double.init))
            let n = Double(a.count)
            let (x, y) = (a.reduce(0, +) / n, b.reduce(0, +) / n)
            let xy = zip(a, b).reduce(0) { $0 + ($1.0 - x) * ($1.1 - y) }
            return xy
                / (a.reduce(0) { $0 + ($1 - x) * ($1 - x) } * b.reduce(0) { $0 + ($1 - y) * ($1 - y) }).squareRoot()
        }
        var sum = 0.0
        for i in 1...4 { for j in 1..<i { sum += pearson(rows[Int64(i)] ?? [], rows[Int64(j)] ?? []) } }
        #expect(abs(try #require(UserGains(rows: rows).correlation(in: [1, 2, 3, 4])) - sum / 6) < 1e-4)
        #expect(UserGains(rows: [1: [0, 1]]).correlation(in: [1]) == nil)
    }

    @Test("bootstrap intervals of a linear law are those of least squares")
    func bootstrap() throws {
        let observations = grid(noise: 0.002, seed: 8) { 0.01 * log($0) + 0.02 * log($1) + 0 * $2 }
        let fit = try LawFitter(
            metric: metric, estimator: .leastSquares, draws: 2_000, families: [.logLinear]
        ).fit(observations)
        let interval = try #require(fit.fits[0].intervals["w2"])
        // Variance of a slope: noise over the spread of ln d; the noise is what the law took it for.
        let logs = observations.map { log(Double($0.configuration.dim)) }
        let mean = logs.reduce(0, +) / Double(logs.count)
        let spread = logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let expected = 2 * 1.645 * fit.noise.training / spread.squareRoot()
        #expect(abs((interval.high - interval.low) / expected - 1) < 0.1)
    }

    @Test("trainings that repeat each other tell the noise")
    func replicates() throws {
        func training(_ noise: Double) throws -> Double {
            var random = SplitMix64(seed: 21)
            var observations = grid(TrueLaw.all[0].callAsFunction)
            for seed in 1...12 {
                observations.append(observation(Int64(100 + seed), 2, 32, 100_000, 0, seed: UInt64(seed)))
            }
            observations = observations.map { o in
                var o = o
                let value = TrueLaw.all[0](Double(o.configuration.layers), Double(o.configuration.dim), 5e4)
                o.metrics["ndcg@10"] = Domain.Measurement(value: value + noise * random.normal(), standardError: 0.002)
                return o
            }
            let fit = try LawFitter(metric: metric, draws: 0).fit(observations)
            #expect(fit.noise.replicates == 12)
            return fit.noise.training
        }
        let (small, large) = (try training(0.0006), try training(0.0025))
        #expect((0.0003...0.0012).contains(small), "\(small)")
        #expect((0.0016...0.004).contains(large), "\(large)")
    }

    @Test("more than 160 places are averaged with their neighbours")
    func merges() throws {
        var random = SplitMix64(seed: 2)
        let many = (0..<300).map { i -> Observation in
            let (n, d) = (1 + i % 10, 16 + 4 * (i / 10))
            return observation(
                Int64(i), n, d, 100_000, TrueLaw.all[0](Double(n), Double(d), 5e4) + 0.001 * random.normal())
        }
        let fit = try LawFitter(metric: metric, draws: 0, families: [.logQuadratic]).fit(many)
        #expect(fit.places.count <= 160 && fit.places.count > 40)
        #expect(fit.points.count == 300)
        let found = LawPredictor(fit).predict(layers: 4, dim: 64, effectiveTokens: 50_000).mean
        #expect(abs(found - TrueLaw.all[0](4, 64, 5e4)) < 0.002)
    }
}
