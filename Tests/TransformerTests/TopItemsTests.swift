import Domain
import Kernels
import Testing
import Transformer
import Trials

@Suite struct TopItemsTests {
    @Test("the best items are those of a sort of all scores, without the excluded", arguments: Model.trainable)
    func best(backbone: Model) throws {
        let items = 203
        let c = Configuration(backbone: backbone, layers: 2, dim: 12, heads: 2, maxLength: 9)
        let parameters = FloatBuffer(ParameterTable(c, items: items).count)
        ParameterTable(c, items: items).initialise(parameters, seed: 3)
        // Two items that score the same.
        (parameters.p + 40 * c.dim).update(from: parameters.p + 90 * c.dim, count: c.dim)
        let model = c.model.init(c, items: items, parameters: parameters, dropout: 0, kernels: .best)
        let ranking = TopItems(model)
        for length in [1, 4, 9, 30] {
            let history = (0..<length).map { Int32(($0 * 17) % items) }
            let hidden = ranking.hidden(after: history)
            let h = (0..<c.dim).map { hidden[$0] }
            // Longer histories are cut to the newest.
            let cut = ranking.hidden(after: Array(history.suffix(9)))
            #expect((0..<c.dim).allSatisfy { cut[$0] == h[$0] })
            let scores = (0..<items).map { item in
                (0..<c.dim).reduce(0.0) { $0 + Double(h[$1]) * Double(parameters.p[item * c.dim + $1]) }
            }
            for count in [1, 10, 250] {
                let found = try ranking.best(count, cut, excluding: history)
                let expected = (0..<items).filter { !history.contains(Int32($0)) }
                    .sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(count)
                #expect(found.count == expected.count)
                for (mine, theirs) in zip(found, expected) {
                    #expect(abs(Double(mine.score) - scores[theirs]) < 1e-5)
                    #expect(abs(scores[Int(mine.item)] - scores[theirs]) < 1e-6)
                }
                #expect(Set(found.map(\.item)).count == found.count)
                #expect(Set(found.map(\.item)).isDisjoint(with: history))
                if let a = found.firstIndex(where: { $0.item == 40 }),
                    let b = found.firstIndex(where: { $0.item == 90 })
                {
                    #expect(a < b)
                }
            }
        }
        parameters.p[5 * c.dim] = .nan
        #expect(throws: NonFiniteScore.self) {
            try ranking.best(10, ranking.hidden(after: [7]), excluding: [7])
        }
    }

    @Test("a measured request has a body and a head, and its quantiles are ordered", arguments: Model.trainable)
    func measurement(backbone: Model) throws {
        let c = Configuration(backbone: backbone, layers: 2, dim: 16, heads: 2, maxLength: 10)
        let probe = try LatencyMeasurement.measure(c, items: 500, length: 20, seconds: 0.005)
        #expect(probe.requests >= 21)
        #expect(probe.bodySeconds > 0 && probe.headSeconds > 0)
        #expect(probe.p50Seconds <= probe.p95Seconds)
        #expect(probe.p50Seconds >= max(probe.bodySeconds, probe.headSeconds))
        #expect(probe.items == 500 && probe.length == 20 && probe.backbone == backbone)
    }
}
