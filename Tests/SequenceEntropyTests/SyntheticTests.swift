import Domain
import Foundation
import Interactions
import SequenceEntropy
import Testing

@Suite struct SyntheticTests {
    @Test("the closed-form entropy rate equals the sum over the chain's transition matrix")
    func closedForm() {
        for (items, clusters, exponent, repeats, loyalty) in [
            (12, 3, 1.0, 0.1, 0.6), (13, 4, 0.7, 0.0, 0.5), (7, 1, 1.3, 0.3, 0.4), (9, 9, 1.0, 0.2, 0.3),
        ] {
            let source = SyntheticInteractions(
                users: 1, items: items, clusters: clusters, exponent: exponent, repeats: repeats, loyalty: loyalty)
            // Popularity of an item within its cluster, by its definition.
            let z = (0..<items).map { item -> Double in
                let ranks = stride(from: item % clusters, to: items, by: clusters).map {
                    pow(Double($0 / clusters + 1), -exponent)
                }
                return pow(Double(item / clusters + 1), -exponent) / ranks.reduce(0, +)
            }
            var rate = 0.0
            for i in 0..<items {
                let stationary = z[i] / Double(clusters)
                for j in 0..<items {
                    var p = (1 - repeats - loyalty) * z[j] / Double(clusters)
                    if i % clusters == j % clusters { p += loyalty * z[j] }
                    if i == j { p += repeats }
                    if p > 0 { rate -= stationary * p * log(p) }
                }
            }
            #expect(abs(source.entropyRate - rate) < 1e-12)
        }
    }

    @Test("pooled ApEn (m = 1) approaches the entropy rate of the source, from below, and its correction comes closer")
    func estimator() throws {
        var previous = Double.infinity
        for users in [500, 5_000, 50_000] {
            let source = SyntheticInteractions(users: users, items: 60, meanLength: 20, clusters: 6, seed: 7)
            var sequences: [[Int32]] = []
            source.forEachUser { _, items in sequences.append(items.map { Int32($0) }) }
            let pooled = try pooled(sequences, m: 1)
            let error = abs(pooled.value - source.entropyRate)
            #expect(error < previous)
            #expect(abs(pooled.biasCorrected - source.entropyRate) < error)
            previous = error
        }
        #expect(previous < 0.005)
    }
}
