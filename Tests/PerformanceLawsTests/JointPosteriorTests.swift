import Domain
import Foundation
import Numerics
import Testing

@testable import PerformanceLaws

/// What a further training would teach, before it is paid for.
@Suite struct JointPosteriorTests {
    static let noise = 1e-6
    static let places = [(1, 16), (2, 32), (4, 64), (8, 128), (2, 128)].map {
        LawPredictor.Place(layers: $0.0, dim: $0.1, effectiveTokens: 50_000)
    }

    static func law() throws -> LawFit {
        let key = LawKey(
            datasetVersion: .said("v"), split: .said("leave-two-out"), mask: .said(.full), candidates: .said("all"),
            backbone: .said(.sasrec), loss: .said(.core(.cce)),
            negatives: .said(0), maxLength: .said(50), policy: TrainingPolicy("p"), codeVersion: .said("1"))
        let shapes = [1, 2, 4].flatMap { n in [16, 32, 64].map { (n, $0) } }
        return try LawFitter(metric: Metric(.ndcg, 10), draws: 0).fit(
            shapes.enumerated().map { id, shape in
                let (u, v) = (log(Double(shape.0) / 3), log(Double(shape.1) / 50))
                let value = 0.1 - 0.004 * u * u - 0.006 * v * v + 0.0004 * sin(Double(id * 37))
                return Observation(
                    id: Int64(id), dataset: "d", key: key,
                    configuration: DeclaredConfiguration(Configuration(layers: shape.0, dim: shape.1)),
                    tokens: .said(100_000), apen: .said(2), userFraction: 1, seed: 1, users: 1_000,
                    metrics: ["ndcg@10": Measurement(value: value, standardError: 0.0005)], epochs: 10, seconds: 1,
                    converged: true, job: nil, trial: nil)
            })
    }

    @Test("many places asked together are told what each is told alone, to the bit")
    func together() throws {
        let law = LawPredictor(try Self.law())
        // More than the eight that are worked out side by side, and no multiple of them.
        let many =
            Self.places
            + [(1, 20), (3, 40), (5, 80), (6, 24), (7, 100), (9, 18)].map {
                LawPredictor.Place(layers: $0.0, dim: $0.1, effectiveTokens: 60_000)
            }
        #expect(law.predict(many) == many.map { law.predict($0) })
    }

    @Test("means and deviations are those of the predictions one by one, and of their differences")
    func moments() throws {
        let predictor = LawPredictor(try Self.law())
        let joint = predictor.joint(Self.places)
        for (i, place) in Self.places.enumerated() {
            let single = predictor.predict(place)
            #expect(abs(joint.means[i] - single.mean) < 1e-12)
            #expect(abs(joint.covariance(i, i).squareRoot() - single.lawDeviation) < 1e-9)
            for (j, other) in Self.places.enumerated() where j != i {
                let difference = predictor.difference(place, other)
                #expect(abs(joint.means[j] - joint.means[i] - difference.mean) < 1e-12)
                #expect(abs(joint.differenceVariance(i, j).squareRoot() - difference.deviation) < 1e-6)
            }
        }
    }

    @Test(
        "the closed form of a reduction is what conditioning leaves, and what regression on simulated trainings explains"
    )
    func reduction() throws {
        let joint = LawPredictor(try Self.law()).joint(Self.places)
        for place in Self.places.indices {
            var after = joint
            after.condition(on: place, noise: Self.noise)
            for (a, b) in [(0, 3), (1, 2), (4, 3)] {
                let taken = joint.reduction(a, b, by: place, noise: Self.noise)
                #expect(taken >= 0 && taken <= joint.differenceVariance(a, b) + 1e-15)
                #expect(abs(joint.differenceVariance(a, b) - taken - after.differenceVariance(a, b)) < 1e-12)
            }
        }
        // The same by brute force: draws of the law, a noisy training at a place, and the share of the difference it explains.
        let n = Self.places.count
        let matrix = (0..<n).flatMap { i in (0..<n).map { joint.covariance(i, $0) + (i == $0 ? 1e-12 : 0) } }
        let factor = try #require(Cholesky(matrix, n: n))
        var random = SplitMix64(seed: 5)
        var (xx, xy) = (0.0, 0.0)
        let draws = 60_000
        for _ in 0..<draws {
            let white = (0..<n).map { _ in random.normal() }
            let value = (0..<n).map { i in (0...i).reduce(0.0) { $0 + factor.lower[i * n + $1] * white[$1] } }
            let measured = value[3] + Self.noise.squareRoot() * random.normal()
            xx += measured * measured
            xy += measured * (value[2] - value[0])
        }
        let explained = xy * xy / xx / Double(draws)
        #expect(abs(explained / joint.reduction(2, 0, by: 3, noise: Self.noise) - 1) < 0.05)
    }

    @Test("the expected regret of two places is the closed form, and falls as they are measured")
    func regret() throws {
        var joint = LawPredictor(try Self.law()).joint(Self.places)
        let (a, b) = (2, 3)
        let mean = joint.means[b] - joint.means[a]
        let deviation = joint.differenceVariance(a, b).squareRoot()
        let z = mean / deviation
        let expected =
            deviation * exp(-z * z / 2) / (2 * Double.pi).squareRoot() + mean * 0.5 * erfc(-z / 2.0.squareRoot())
        #expect(abs(joint.expectedRegret(of: a, among: [a, b], draws: 200_000) - expected) < 0.03 * expected)
        #expect(joint.expectedRegret(of: a, among: [a]) == 0)
        let before = joint.expectedRegret(of: a, among: Array(Self.places.indices))
        for place in Self.places.indices { joint.condition(on: place, noise: Self.noise) }
        #expect(joint.expectedRegret(of: a, among: Array(Self.places.indices)) < before)
    }
}
