import Domain
import Foundation
import Numerics

@testable import PerformanceLaws

extension SplitMix64 {
    mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }
}

/// The published formula, word for word.
struct TrueLaw {
    var p: Double, w1: Double, a1: Double, w2: Double, a2: Double, w3: Double, b: Double

    static let all = [
        TrueLaw(p: 2, w1: 0.02, a1: -0.5, w2: 0.03, a2: -0.17, w3: 0, b: 0.1),
        TrueLaw(p: 8, w1: 0.01, a1: -1.2, w2: 0.02, a2: -0.5, w3: 0, b: 0.05),
        TrueLaw(p: 0.4, w1: 0.05, a1: 0.6, w2: 0.08, a2: 0.22, w3: 0, b: 0.3),
    ]

    func g(_ x: Double, _ a: Double) -> Double { -1 / (p * pow(x, a)) - a * log(x) }
    func callAsFunction(_ layers: Double, _ dim: Double, _ data: Double) -> Double {
        w1 * g(layers, a1) + w2 * g(dim, a2) + w3 * log(data) + b
    }
}

let key = LawKey(
    datasetVersion: .said("v"), split: .said("leave-two-out"), mask: .said(.full), candidates: .said("all"),
    backbone: .said(.sasrec), loss: .said(.core(.cce)),
    negatives: .said(0), maxLength: .said(50), policy: TrainingPolicy("p"), codeVersion: .said("1"))
let metric = Metric(.ndcg, 10)

func observation(
    _ id: Int64, _ layers: Int, _ dim: Int, _ tokens: Int, _ value: Double, error: Double = 0.001, apen: Double = 2,
    seed: UInt64 = 1
) -> Observation {
    Observation(
        id: id, dataset: "d", key: key, configuration: DeclaredConfiguration(Configuration(layers: layers, dim: dim)),
        tokens: .said(tokens),
        apen: .said(apen), userFraction: 1, seed: seed, users: 1_000,
        metrics: ["ndcg@10": Measurement(value: value, standardError: error)], epochs: 10, seconds: 1, converged: true,
        job: nil, trial: nil)
}

/// A full factorial of a surface over N, d and D'.
func grid(
    layers: [Int] = [1, 2, 4, 8], dims: [Int] = [16, 32, 64, 128], tokens: [Int] = [100_000], noise: Double = 0,
    seed: UInt64 = 1, _ surface: (Double, Double, Double) -> Double
) -> [Observation] {
    var random = SplitMix64(seed: seed)
    var observations: [Observation] = []
    for tokens in tokens {
        for layers in layers {
            for dim in dims {
                let value = surface(Double(layers), Double(dim), Double(tokens) / 2) + noise * random.normal()
                observations.append(
                    observation(Int64(observations.count + 1), layers, dim, tokens, value, error: max(noise, 1e-4)))
            }
        }
    }
    return observations
}

/// The same places and values as the laws see them.
func points(_ observations: [Observation]) -> [LawPoint] {
    observations.map { o in
        let m = o.metrics["ndcg@10"] ?? Domain.Measurement(value: 0, standardError: 1)
        return LawPoint(
            x: Design.place(o.configuration.layers, o.configuration.dim, o.effectiveTokens), value: m.value,
            variance: m.standardError * m.standardError)
    }
}
