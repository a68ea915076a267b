import Foundation
import Interactions
import Testing
import Trials

@testable import Domain
@testable import Kernels
@testable import Transformer

struct RankingTests {
    /// The definition: score all items, leave out the masked ones, count.
    private func bruteForce(
        _ model: any SequenceModel, _ corpus: Corpus, user: Int, test: Bool, mask: CandidateMask, maxLength: Int
    ) -> UInt32 {
        let items = Array(corpus.items(of: user))
        let end = items.count - (test ? 1 : 2)
        let context = Array(items[0..<end])
        let target = Int(items[end])
        var batch = JaggedBatch()
        context.withUnsafeBufferPointer { batch.addContext($0, maxLength: maxLength) }
        let d = model.configuration.dim
        let h = model.forward(batch, dropoutKey: nil) + (batch.count - 1) * d
        let scores = (0..<corpus.itemCount).map { item in
            (0..<d).reduce(Float(0)) { $0.addingProduct(h[$1], model.parameters.p[model.table.item + item * d + $1]) }
        }
        var masked: Set<Int> = []
        if mask == .full { masked = Set(context.map(Int.init)) }
        if mask == .window { masked = Set(context.suffix(maxLength).map(Int.init)) }
        masked.remove(target)
        let others = (0..<corpus.itemCount).filter { $0 != target && !masked.contains($0) }
        return UInt32(1 + others.filter { scores[$0] >= scores[target] }.count)
    }

    @Test("a ranking gives a sign after each block of users, so that a long one is not taken for one that hangs")
    func signs() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(users: 300, items: 40, in: folder)
            let data = TrainingData(corpus, maxLength: 6)
            let configuration = Configuration(layers: 1, dim: 8, maxLength: 6)
            let step = TrainingStep(configuration, items: corpus.itemCount, options: TrainingOptions())
            step.initialise(seed: 1)
            var signs = 0
            let ranks = try FullRanking(data, mask: .none, dim: 8).ranks(step.model, test: true) { signs += 1 }
            #expect(ranks.count > 2 * FullRanking.rows)
            #expect(signs == (ranks.count + FullRanking.rows - 1) / FullRanking.rows)
        }
    }

    @Test("ranking by popularity equals counting, for every mask", arguments: CandidateMask.allCases)
    func popularity(mask: CandidateMask) throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(users: 120, items: 40, in: folder)
            let data = TrainingData(corpus, maxLength: 6)
            var counts = [Int](repeating: 0, count: corpus.itemCount)
            for user in 0..<corpus.userCount {
                for item in corpus.items(of: user).dropLast(2) { counts[Int(item)] += 1 }
            }
            let ranks = PopularityRanking(data, mask: mask).ranks(test: true)
            for (place, user) in data.evaluatedUsers.enumerated() {
                let items = Array(corpus.items(of: Int(user)))
                let target = Int(items[items.count - 1])
                let context = items.dropLast()
                var masked = Set((mask == .none ? [] : mask == .window ? context.suffix(6) : context).map { Int($0) })
                masked.remove(target)
                let better = counts.indices.filter {
                    $0 != target && !masked.contains($0) && counts[$0] >= counts[target]
                }
                #expect(ranks[place] == UInt32(1 + better.count))
            }
        }
    }

    private func model(_ corpus: Corpus, dim: Int, maxLength: Int) -> SASRec {
        let configuration = Configuration(layers: 1, dim: dim, heads: 2, maxLength: maxLength)
        let table = ParameterTable(configuration, items: corpus.itemCount)
        let parameters = FloatBuffer(table.count)
        table.initialise(parameters, seed: 2)
        for i in 0..<table.count { parameters.p[i] *= 10 }
        return SASRec(
            configuration, items: corpus.itemCount, parameters: parameters, dropout: 0,
            kernels: Kernels.variant(.v3) ?? .naive)
    }

    @Test(
        "ranks, HR and NDCG equal a brute-force ranking on a real corpus, for every mask",
        .enabled(if: dataPresent, "real datasets are absent: set PLAW_DATA to their folder"),
        arguments: CandidateMask.allCases)
    func realCorpus(mask: CandidateMask) throws {
        let kernels = try #require(Kernels.variant(.v3) ?? Kernels.variant(.v2))
        try withTemporaryFolder { folder in
            let path = folder + "/c"
            _ = try InteractionReader(path: dataFolder + "/lastfm.txt", options: ReadOptions()).buildCorpus(at: path)
            let corpus = try Corpus(path: path)
            let data = TrainingData(corpus, maxLength: 20)
            let model = model(corpus, dim: 10, maxLength: 20)
            let ranking = FullRanking(data, mask: mask, dim: 10, kernels: kernels)
            let ranks = try ranking.ranks(model, test: true)
            #expect(ranks.count == 1_090)
            // Every seventh user: the brute force is slow.
            let chosen = stride(from: 0, to: ranks.count, by: 7).map { $0 }
            let expected = chosen.map {
                bruteForce(
                    model, corpus, user: Int(data.evaluatedUsers[$0]), test: true, mask: mask, maxLength: 20)
            }
            #expect(chosen.map { ranks[$0] } == expected)
            let hits = Double(ranks.filter { $0 <= 10 }.count) / 1_090
            #expect(abs(RankMetrics.measure(Metric(.hr, 10), ranks: ranks).value - hits) < 1e-12)
            let gain = ranks.reduce(0) { $0 + ($1 <= 10 ? 1 / log2(Double($1) + 1) : 0) } / 1_090
            #expect(abs(RankMetrics.measure(Metric(.ndcg, 10), ranks: ranks).value - gain) < 1e-12)
        }
    }

    @Test("a constant scorer ranks last: ties count against the target")
    func ties() throws {
        try withTemporaryFolder { folder in
            let corpus = try corpus("a 1 2 3 4\nb 2 3 4 5\n", in: folder)
            let configuration = Configuration(layers: 1, dim: 4, maxLength: 5)
            let table = ParameterTable(configuration, items: corpus.itemCount)
            let model = SASRec(
                configuration, items: corpus.itemCount, parameters: FloatBuffer(table.count), dropout: 0)
            let data = TrainingData(corpus, maxLength: 5)
            let ranks = try FullRanking(data, mask: .none, dim: 4).ranks(model, test: true)
            #expect(ranks == [5, 5])
            // With the history left out, 2 of the 5 items remain: the target and one more.
            #expect(try FullRanking(data, mask: .full, dim: 4).ranks(model, test: true) == [2, 2])
        }
    }

    @Test("a score that is not finite is an error, never a rank")
    func nonFinite() throws {
        try withTemporaryFolder { folder in
            let corpus = try corpus("a 1 2 3 4\nb 2 3 4 5\n", in: folder)
            let model = model(corpus, dim: 4, maxLength: 5)
            model.parameters.p[model.table.item] = .nan
            let data = TrainingData(corpus, maxLength: 5)
            #expect(throws: NonFiniteScore.self) {
                try FullRanking(data, mask: .full, dim: 4).ranks(model, test: false)
            }
        }
    }

    @Test("standard errors are those of means over users")
    func standardErrors() {
        let ranks: [UInt32] = [1, 3, 30, 2]
        let hit = RankMetrics.measure(Metric(.hr, 10), ranks: ranks)
        #expect(hit.value == 0.75)
        #expect(abs(hit.standardError - (0.75 * 0.25 / 3).squareRoot()) < 1e-12)
        #expect(abs(RankMetrics.measure(Metric(.mrr, 2), ranks: ranks).value - 1.5 / 4) < 1e-12)
        #expect(RankMetrics.measure(Metric(.hr, 10), ranks: []).value == 0)
    }
}
