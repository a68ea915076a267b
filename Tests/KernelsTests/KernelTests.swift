import Domain
import Testing

@testable import Kernels

/// Floats with a guard before and after, which must still stand when the kernel is done.
final class Buffer {
    private static let guardFloats = 64
    private static let mark: Float = -12_345.678
    private let base: UnsafeMutablePointer<Float>
    let count: Int
    var p: UnsafeMutablePointer<Float> { base + Self.guardFloats }

    init(_ count: Int, _ fill: Float = 0) {
        self.count = count
        base = .allocate(capacity: count + 2 * Self.guardFloats)
        base.initialize(repeating: Self.mark, count: count + 2 * Self.guardFloats)
        p.update(repeating: fill, count: count)
    }

    convenience init(_ count: Int, _ random: inout SplitMix64, _ range: ClosedRange<Float> = -1...1) {
        self.init(count)
        for i in 0..<count { p[i] = Float.random(in: range, using: &random) }
    }

    func copy() -> Buffer {
        let other = Buffer(count)
        other.p.update(from: p, count: count)
        return other
    }

    deinit { base.deallocate() }

    var isGuarded: Bool {
        (0..<Self.guardFloats).allSatisfy {
            base[$0] == Self.mark && base[Self.guardFloats + count + $0] == Self.mark
        }
    }
}

/// Largest |found - expected| / (1 + |expected|); infinite when a guard was overwritten.
func difference(_ found: Buffer, _ expected: Buffer) -> Float {
    guard found.isGuarded, expected.isGuarded else { return .infinity }
    return (0..<found.count).reduce(0) { worst, i in
        let d = abs(found.p[i] - expected.p[i]) / (1 + abs(expected.p[i]))
        return d.isNaN ? .infinity : max(worst, d)
    }
}

let sizes = [1, 7, 15, 17, 63, 65, 200]
let variants: [Kernels.Variant] = [.v2, .v3, .v4].filter { Kernels.variant($0) != nil }

func kernels(_ variant: Kernels.Variant) throws -> Kernels { try #require(Kernels.variant(variant)) }

/// Every kernel of every instruction set this CPU has equals its naive twin, mostly to 1e-5 relative to 1 + |value|.
struct KernelTests {
    let naive = Kernels.naive

    @Test("products of all layouts, with and without accumulation", arguments: variants)
    func gemm(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 1)
        let scratch = Buffer(Kernels.gemmScratch)
        for layout in [Kernels.Layout.nn, .nt, .tn] {
            // Rows of 256 numbers, transposed: copied before tiles read them.
            for m in sizes + (layout == .tn ? [256] : []) {
                for n in [1, 15, 16, 17, 33, 64, 200] {
                    for k in [1, 17, 64, 401] {
                        let a = Buffer(m * k, &random)
                        let b = Buffer(n * k, &random)
                        let c = Buffer(m * n, &random)
                        let d = c.copy()
                        let (lda, ldb) = (layout == .tn ? m : k, layout == .nt ? k : n)
                        let add = (m + n + k) % 2 == 0
                        kernels.gemm(layout, m, n, k, a.p, lda, b.p, ldb, c.p, n, add, scratch.p)
                        naive.gemm(layout, m, n, k, a.p, lda, b.p, ldb, d.p, n, add, scratch.p)
                        #expect(difference(c, d) < 3e-5, "\(layout) \(m) \(n) \(k)")
                    }
                }
            }
        }
        #expect(scratch.isGuarded)
    }

    @Test("an empty inner dimension clears or keeps C", arguments: variants)
    func emptyProduct(variant: Kernels.Variant) throws {
        let c = Buffer(6, 5)
        let scratch = Buffer(Kernels.gemmScratch)
        try kernels(variant).gemm(.nn, 2, 3, 0, c.p, 1, c.p, 3, c.p, 3, true, scratch.p)
        #expect(c.p[5] == 5)
        try kernels(variant).gemm(.nn, 2, 3, 0, c.p, 1, c.p, 3, c.p, 3, false, scratch.p)
        #expect(c.p[5] == 0)
    }

    @Test("bias, column sums, sum of squares", arguments: variants)
    func sums(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 2)
        for columns in sizes {
            let rows = 9
            let x = Buffer(rows * columns, &random)
            let bias = Buffer(columns, &random)
            let (y, z) = (x.copy(), x.copy())
            kernels.addBias(y.p, bias.p, rows, columns)
            naive.addBias(z.p, bias.p, rows, columns)
            #expect(difference(y, z) == 0)
            let (s, t) = (bias.copy(), bias.copy())
            kernels.addColumnSums(x.p, rows, columns, columns, s.p)
            naive.addColumnSums(x.p, rows, columns, columns, t.p)
            #expect(difference(s, t) < 1e-5)
            let (ps, pt) = (bias.copy(), bias.copy())
            kernels.addColumnProducts(x.p, y.p, rows, columns, columns, ps.p, s.p)
            naive.addColumnProducts(x.p, y.p, rows, columns, columns, pt.p, t.p)
            #expect(difference(ps, pt) < 1e-5)
            #expect(difference(s, t) < 1e-5)
            let square = naive.sumOfSquares(x.p, x.count)
            #expect(abs(kernels.sumOfSquares(x.p, x.count) - square) < 1e-5 * square)
        }
    }

    @Test("layer norm forward and backward, normalised values in place of the input", arguments: variants)
    func layerNorm(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 3)
        for columns in sizes where columns > 1 {
            let rows = 5
            let x = Buffer(rows * columns, &random, -3...5)
            let gamma = Buffer(columns, &random)
            let beta = Buffer(columns, &random)
            let (y, z) = (Buffer(rows * columns), Buffer(rows * columns))
            let (hat, expectedHat) = (x.copy(), x.copy())
            let (rstd, expectedRstd) = (Buffer(rows), Buffer(rows))
            kernels.layerNorm(hat.p, gamma.p, beta.p, 1e-12, rows, columns, y.p, hat.p, rstd.p)
            naive.layerNorm(x.p, gamma.p, beta.p, 1e-12, rows, columns, z.p, expectedHat.p, expectedRstd.p)
            #expect(difference(y, z) < 1e-5)
            #expect(difference(hat, expectedHat) < 1e-5)
            #expect(difference(rstd, expectedRstd) < 1e-5)
            let dy = Buffer(rows * columns, &random)
            let (dx, expectedDx) = (dy.copy(), Buffer(rows * columns))
            let (dg, expectedDg) = (gamma.copy(), gamma.copy())
            let (db, expectedDb) = (beta.copy(), beta.copy())
            kernels.layerNormBackward(dx.p, hat.p, rstd.p, gamma.p, rows, columns, dx.p, dg.p, db.p)
            naive.layerNormBackward(
                dy.p, expectedHat.p, expectedRstd.p, gamma.p, rows, columns, expectedDx.p, expectedDg.p, expectedDb.p)
            #expect(difference(dx, expectedDx) < 2e-5)
            #expect(difference(dg, expectedDg) < 1e-5)
            #expect(difference(db, expectedDb) < 1e-5)
        }
    }

    @Test("GELU and its slope from -12 to 12, error below 1e-6", arguments: variants)
    func gelu(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 4)
        for columns in sizes {
            let x = Buffer(4 * columns, &random, -12...12)
            let bias = Buffer(columns, &random, -0.1...0.1)
            let (u, v) = (x.copy(), x.copy())
            let (y, z) = (Buffer(4 * columns), Buffer(4 * columns))
            kernels.biasGelu(u.p, bias.p, 4, columns, y.p)
            naive.biasGelu(v.p, bias.p, 4, columns, z.p)
            #expect(difference(u, v) == 0)
            #expect(difference(y, z) < 1e-6)
            let dy = Buffer(4 * columns, &random)
            let (dx, dz) = (dy.copy(), Buffer(4 * columns))
            kernels.geluBackward(dx.p, u.p, dx.count, dx.p)
            naive.geluBackward(dy.p, v.p, dz.count, dz.p)
            #expect(difference(dx, dz) < 1e-6)
        }
    }

    @Test("dropout is bit-identical to its definition and keeps its share", arguments: variants)
    func dropout(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 5)
        for count in sizes + [10_000] {
            let x = Buffer(count, &random)
            let base = Buffer(count, &random)
            let (y, z) = (base.copy(), Buffer(count))
            kernels.dropoutAdd(x.p, y.p, count, 0.3, 0xdead_beef_1234, .max - 5, y.p)
            naive.dropoutAdd(x.p, base.p, count, 0.3, 0xdead_beef_1234, .max - 5, z.p)
            #expect(difference(y, z) == 0)
            kernels.dropoutAdd(x.p, nil, count, 0.5, 77, 1, y.p)
            naive.dropoutAdd(x.p, nil, count, 0.5, 77, 1, z.p)
            #expect(difference(y, z) == 0)
            if count == 10_000 {
                let kept = (0..<count).filter { y.p[$0] != 0 }.count
                #expect(abs(kept - 5_000) < 200)
            }
        }
    }

    @Test("attention forward and backward at awkward lengths and widths", arguments: variants)
    func attention(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 6)
        for length in sizes {
            for width in [1, 4, 8, 15, 17, 32, 64] where length * width < 7_000 {
                for rate in [0, 0.5] as [Float] {
                    let ld = 3 * width + 5
                    let qkv = Buffer(length * ld, &random)
                    let dOut = Buffer(length * width, &random)
                    let scratch = Buffer(Kernels.attentionScratch(length: length))
                    var results: [(Buffer, Buffer, Buffer)] = []
                    for set in [kernels, naive] {
                        let p = Buffer(length * length)
                        let out = Buffer(length * width)
                        set.attention(
                            qkv.p, qkv.p + width, qkv.p + 2 * width, ld, length, width, 0.3, rate, 9, 100, p.p, out.p,
                            width, scratch.p)
                        let d = Buffer(length * ld)
                        set.attentionBackward(
                            qkv.p, qkv.p + width, qkv.p + 2 * width, ld, length, width, 0.3, rate, 9, 100, p.p, dOut.p,
                            width, d.p, d.p + width, d.p + 2 * width, scratch.p)
                        results.append((p, out, d))
                    }
                    #expect(difference(results[0].0, results[1].0) < 1e-5, "\(length) \(width)")
                    #expect(difference(results[0].1, results[1].1) < 1e-5, "\(length) \(width)")
                    #expect(difference(results[0].2, results[1].2) < 1e-5, "\(length) \(width)")
                    #expect(scratch.isGuarded)
                }
            }
        }
    }

    @Test("softmax cross-entropy, small logits and large ones that need the row maximum", arguments: variants)
    func crossEntropy(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 7)
        for (rows, dim, items) in [(1, 7, 1), (7, 15, 17), (97, 16, 300), (200, 17, 65), (15, 64, 513), (130, 48, 250)]
        {
            for magnitude in [1, 4, 12] as [Float] {
                let h = Buffer(rows * dim, &random, -magnitude...magnitude)
                let e = Buffer(items * dim, &random, -magnitude...magnitude)
                let targets = (0..<rows).map { _ in Int32.random(in: 0..<Int32(items), using: &random) }
                let scratch = Buffer(Kernels.crossEntropyScratch(dim: dim, items: items))
                let start = Buffer(items * dim, &random)
                var results: [(Double, Buffer, Buffer)] = []
                for set in [kernels, naive] {
                    let (dh, de) = (Buffer(rows * dim), start.copy())
                    let loss = set.linearCrossEntropy(
                        h.p, rows, dim, e.p, items, targets, 0.01, dh.p, de.p, scratch.p)
                    results.append((loss, dh, de))
                }
                // A logit is off by the rounding of its dim products, each of up to magnitude².
                let rounding = 2e-7 * Double(rows * dim) * Double(magnitude * magnitude)
                #expect(abs(results[0].0 - results[1].0) < rounding + 1e-5 * abs(results[1].0))
                #expect(difference(results[0].1, results[1].1) < 2e-5)
                #expect(difference(results[0].2, results[1].2) < 2e-5)
                #expect(scratch.isGuarded)
            }
        }
    }

    @Test("a NaN in the hidden state comes out as a NaN loss", arguments: variants)
    func crossEntropyNaN(variant: Kernels.Variant) throws {
        let (h, e) = (Buffer(32, 0.5), Buffer(40 * 16, 0.1))
        h.p[17] = .nan
        let scratch = Buffer(Kernels.crossEntropyScratch(dim: 16, items: 40))
        let kernels = try kernels(variant)
        let (dh, de) = (Buffer(32), Buffer(640))
        // A buffer that nothing but its pointer is used of is freed before the call.
        let loss = withExtendedLifetime((h, e, dh, de, scratch)) {
            kernels.linearCrossEntropy(h.p, 2, 16, e.p, 40, [1, 2], 1, dh.p, de.p, scratch.p)
        }
        #expect(loss.isNaN)
        #expect(dh.isGuarded && de.isGuarded && scratch.isGuarded)
    }

    @Test("binary cross-entropy with several negatives, saturated scores included", arguments: variants)
    func binaryCrossEntropy(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 8)
        for (rows, dim, items, negatives) in [(1, 1, 2, 1), (17, 15, 9, 1), (63, 64, 200, 3)] {
            let h = Buffer(rows * dim, &random, -2...2)
            let e = Buffer(items * dim, &random, -1...1)
            let targets = (0..<rows).map { _ in Int32.random(in: 0..<Int32(items), using: &random) }
            let sampled = (0..<rows * negatives).map { _ in Int32.random(in: 0..<Int32(items), using: &random) }
            var results: [(Double, Buffer, Buffer)] = []
            for set in [kernels, naive] {
                let (dh, de) = (Buffer(rows * dim, 3), Buffer(items * dim, 1))
                let loss = set.linearBinaryCrossEntropy(
                    h.p, rows, dim, e.p, targets, sampled, negatives, 0.1, dh.p, de.p)
                results.append((loss, dh, de))
            }
            #expect(abs(results[0].0 - results[1].0) < 1e-5 * (1 + abs(results[1].0)))
            #expect(difference(results[0].1, results[1].1) < 1e-5)
            #expect(difference(results[0].2, results[1].2) < 1e-5)
        }
    }

    @Test("AdamW takes the same step", arguments: variants)
    func adamW(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 9)
        let step = Kernels.AdamStep(
            learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, correction1: 0.19,
            correction2: 0.002)
        for count in sizes {
            let (p, g, m) = (Buffer(count, &random), Buffer(count, &random), Buffer(count, &random))
            let v = Buffer(count, &random, 0...1)
            let (q, n, w) = (p.copy(), m.copy(), v.copy())
            kernels.adamW(p.p, g.p, m.p, v.p, count, step)
            naive.adamW(q.p, g.p, n.p, w.p, count, step)
            #expect(difference(p, q) < 1e-6)
            #expect(difference(m, n) < 1e-6)
            #expect(difference(v, w) < 1e-6)
        }
    }

    @Test("rank counts equal counting the scores one by one, ties included", arguments: variants)
    func ranks(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 10)
        for (rows, dim, items) in [
            (1, 1, 1), (7, 15, 33), (65, 64, 200), (13, 401, 17), (1, 15, 33), (1, 16, 32), (1, 64, 200), (1, 401, 17),
            (1, 12, 48), (1, 128, 2_000),
        ] {
            let h = Buffer(rows * dim, &random)
            let e = Buffer(items * dim, &random)
            // Two equal items must tie exactly.
            if items > 2 { (e.p + dim).update(from: e.p, count: dim) }
            let all = (0..<Int32(items)).map { $0 }
            let thresholds = Buffer(rows)
            let scores = Buffer(rows * items)
            for r in 0..<rows {
                kernels.itemScores(h.p + r * dim, dim, e.p, all, items, scores.p + r * items)
                thresholds.p[r] = scores.p[r * items]
            }
            var greater = [Int32](repeating: 9, count: rows)
            var equal = greater
            let tile = Buffer(Kernels.rankScratch(rows: rows, dim: dim))
            #expect(
                kernels.rankCounts(h.p, rows, dim, e.p, items, thresholds.p, &greater, &equal, tile.p))
            for r in 0..<rows {
                let row = (0..<items).map { scores.p[r * items + $0] }
                #expect(Int(greater[r]) == row.filter { $0 > row[0] }.count)
                #expect(Int(equal[r]) == row.filter { $0 == row[0] }.count)
            }
            #expect(tile.isGuarded)
            h.p[0] = .infinity
            #expect(
                !kernels.rankCounts(h.p, rows, dim, e.p, items, thresholds.p, &greater, &equal, tile.p))
        }
    }
}
