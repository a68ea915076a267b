import Domain
import Testing

@testable import Kernels

/// The losses over sampled items and the optimiser on rows equal their naive twins.
struct SampledKernelTests {
    let naive = Kernels.naive

    private func stride(_ columns: Int) -> Int { (columns + 15) / 16 * 16 }

    private func picks(_ count: Int, below bound: Int, _ random: inout SplitMix64) -> [Int32] {
        (0..<count).map { _ in Int32.random(in: 0..<Int32(bound), using: &random) }
    }

    @Test("scores of a few items a row, and their way back", arguments: variants)
    func gather(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 21)
        for dim in sizes {
            for perRow in [0, 1, 7, 16, 33] {
                let (rows, items) = (5, 19)
                let h = Buffer(rows * dim, &random)
                let e = Buffer(items * dim, &random)
                let targets = picks(rows, below: items, &random)
                let negatives = picks(rows * perRow, below: items, &random)
                let ld = stride(perRow)
                let (s, t) = (Buffer(rows * ld, &random), Buffer(rows * ld, &random))
                let (own, other) = (Buffer(rows), Buffer(rows))
                kernels.gatherScores(h.p, rows, dim, e.p, targets, negatives, perRow, ld, own.p, s.p)
                naive.gatherScores(h.p, rows, dim, e.p, targets, negatives, perRow, ld, other.p, t.p)
                #expect(difference(s, t) < 1e-5 && difference(own, other) < 1e-5, "\(dim) \(perRow)")
                for add in [false, true] {
                    let dh = Buffer(rows * dim, &random)
                    let de = Buffer(items * dim, &random)
                    let (dh2, de2) = (dh.copy(), de.copy())
                    kernels.scatterSlopes(
                        h.p, rows, dim, e.p, targets, negatives, perRow, ld, own.p, t.p, 0.37, add, dh.p, de.p)
                    naive.scatterSlopes(
                        h.p, rows, dim, e.p, targets, negatives, perRow, ld, own.p, t.p, 0.37, add, dh2.p, de2.p)
                    #expect(difference(dh, dh2) < 3e-5 && difference(de, de2) < 3e-5, "\(dim) \(perRow) \(add)")
                }
            }
        }
    }

    @Test("slopes of the pairwise losses, small scores and large", arguments: variants, Kernels.PairLoss.allCases)
    func slopes(variant: Kernels.Variant, loss: Kernels.PairLoss) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 22)
        for perRow in [1, 2, 7, 15, 16, 17, 33, 200] {
            for spread: Float in [0.1, 3, 25] {
                let rows = 6
                let ld = stride(perRow)
                let s = Buffer(rows * ld, &random, -spread...spread)
                let own = Buffer(rows, &random, -spread...spread)
                let (t, other) = (s.copy(), own.copy())
                let scratch = Buffer(rows)
                let found = kernels.pairSlopes(loss, 0.3, own.p, s.p, rows, perRow, ld, scratch.p)
                let expected = naive.pairSlopes(loss, 0.3, other.p, t.p, rows, perRow, ld, scratch.p)
                #expect(abs(found - expected) < 1e-5 * (1 + abs(expected)), "\(perRow) \(spread)")
                // What lies past a row's last negative is nobody's.
                for r in 0..<rows { for j in perRow..<ld { (s.p[r * ld + j], t.p[r * ld + j]) = (0, 0) } }
                #expect(difference(s, t) < 1e-5 && difference(own, other) < 1e-5, "\(perRow) \(spread)")
                #expect(scratch.isGuarded)
            }
        }
    }

    @Test("softmax against shared negatives: corrections, accidental hits, large scores", arguments: variants)
    func sampledSoftmax(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 23)
        for count in [1, 7, 16, 17, 63, 200] {
            for spread: Float in [1, 90] {
                let (rows, items) = (9, 12)
                let ld = stride(count)
                let s = Buffer(rows * ld, &random, -spread...spread)
                let own = Buffer(rows, &random, -spread...spread)
                let (t, other) = (s.copy(), own.copy())
                let corrections = Buffer(count, &random, -9...2)
                let targets = picks(rows, below: items, &random)
                // Few items, so that targets are hit; once by every draw.
                var negatives = picks(count, below: items, &random)
                if count == 7 { negatives = [Int32](repeating: targets[0], count: count) }
                let scratch = Buffer(2 * rows)
                let found = kernels.sampledSoftmaxSlopes(
                    own.p, s.p, rows, count, ld, targets, negatives, corrections.p, scratch.p)
                let expected = naive.sampledSoftmaxSlopes(
                    other.p, t.p, rows, count, ld, targets, negatives, corrections.p, scratch.p)
                #expect(abs(found - expected) < 2e-5 * (1 + abs(expected)), "\(count) \(spread)")
                for r in 0..<rows { for j in count..<ld { (s.p[r * ld + j], t.p[r * ld + j]) = (0, 0) } }
                #expect(difference(s, t) < 1e-5 && difference(own, other) < 1e-5, "\(count) \(spread)")
                #expect(scratch.isGuarded)
            }
        }
    }

    @Test("rows are gathered, added and cleared", arguments: variants)
    func rows(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 24)
        for dim in sizes {
            let items = 11
            let which = picks(8, below: items, &random) + [3, 3]
            let e = Buffer(items * dim, &random)
            let (x, y) = (Buffer(which.count * dim), Buffer(which.count * dim))
            kernels.gatherRows(e.p, dim, which, which.count, x.p)
            naive.gatherRows(e.p, dim, which, which.count, y.p)
            #expect(difference(x, y) == 0)
            let (a, b) = (e.copy(), e.copy())
            kernels.addRows(x.p, dim, which, which.count, a.p)
            naive.addRows(x.p, dim, which, which.count, b.p)
            #expect(difference(a, b) < 1e-6)
            kernels.clearRows(a.p, dim, which, which.count)
            naive.clearRows(b.p, dim, which, which.count)
            #expect(difference(a, b) < 1e-6)
            #expect(a.p[3 * dim] == 0)
        }
    }

    @Test("AdamW on rows, and steps without a gradient at once", arguments: variants)
    func adamRows(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 25)
        for dim in sizes {
            let items = 9
            let which: [Int32] = [7, 0, 3]
            let p = Buffer(items * dim, &random)
            let g = Buffer(items * dim, &random)
            let m = Buffer(items * dim, &random)
            let v = Buffer(items * dim, &random, 0...1)
            let (q, n, w) = (p.copy(), m.copy(), v.copy())
            let step = Kernels.AdamStep(
                learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, correction1: 0.4,
                correction2: 0.1)
            kernels.adamWRows(p.p, g.p, m.p, v.p, dim, which, which.count, step)
            naive.adamWRows(q.p, g.p, n.p, w.p, dim, which, which.count, step)
            #expect(difference(p, q) < 1e-6 && difference(m, n) < 1e-6 && difference(v, w) < 1e-6, "\(dim)")
            let factors = Buffer(15, &random, 0.1...1)
            kernels.catchUpRows(p.p, m.p, v.p, dim, which, which.count, factors.p)
            naive.catchUpRows(q.p, n.p, w.p, dim, which, which.count, factors.p)
            #expect(difference(p, q) < 2e-6 && difference(m, n) < 1e-6 && difference(v, w) < 1e-6, "\(dim)")
        }
    }
}
