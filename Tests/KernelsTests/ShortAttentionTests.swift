import Domain
import Testing

@testable import Kernels

/// Attention in packs against the oracle of one head of one sequence, which knows no packs.
struct ShortAttentionTests {
    static let variants: [Kernels.Variant] = [.v2, .v3, .v4].filter { Kernels.variant($0) != nil } + [.naive]
    static let shapes = [(1, 1), (2, 4), (2, 8), (3, 8), (2, 16), (1, 15), (2, 17), (4, 6), (1, 32), (2, 64)]

    /// Sequences of all lengths that are packed, in no order, some longer ones and an empty one between them.
    private static func offsets(_ random: inout SplitMix64) -> [Int] {
        var lengths = (0..<70).map { _ in Int.random(in: 1...6, using: &random) } + Array(1...16) + [0, 20, 15, 15]
        lengths.shuffle(using: &random)
        return lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    }

    /// Calls body for each packed sequence and head: start, length, head, first of the head's numbers.
    private func eachHead(_ offsets: [Int], _ heads: Int, _ body: (Int, Int, Int, Int) -> Void) {
        var place = 0
        for sequence in 0..<offsets.count - 1 {
            let n = offsets[sequence + 1] - offsets[sequence]
            for head in 0..<heads {
                if n <= ShortPacks.longest { body(offsets[sequence], n, head, place) }
                place += n * n
            }
        }
    }

    @Test("packs hold every short sequence once, whole, and hardly longer ones than its neighbours")
    func packs() {
        var random = SplitMix64(seed: 40)
        let offsets = Self.offsets(&random)
        let packs = ShortPacks()
        packs.fill([0, 3, 5], heads: 2)
        packs.fill(offsets, heads: 2)
        var seen = Set<Int>()
        for pack in 0..<packs.all.count {
            for lane in 0..<packs.all.positions(pack) {
                let (row, reach) = (packs.all.row(pack, lane), packs.all.reach(pack, lane))
                #expect(seen.insert(row).inserted)
                #expect(reach < packs.all.distances(pack))
                #expect(packs.all.row(pack, lane - reach) == row - reach)
                #expect(offsets.contains(row - reach))
            }
        }
        let short = zip(offsets, offsets.dropFirst()).filter { $1 - $0 <= ShortPacks.longest }
        #expect(seen == Set(short.flatMap { $0..<$1 }))
        packs.fill([0, 16], heads: 2)
        #expect(packs.count == 0)
    }

    @Test("softmax attention forward and backward", arguments: variants)
    func softmax(variant: Kernels.Variant) throws {
        let kernels = try #require(Kernels.variant(variant))
        var random = SplitMix64(seed: 41)
        for (heads, width) in Self.shapes {
            for rate in [0, 0.5] as [Float] {
                let offsets = Self.offsets(&random)
                let (T, d) = (offsets[offsets.count - 1], heads * width)
                let ld = 3 * d + 5
                let (qkv, dOut) = (Buffer(T * ld, &random, -2...2), Buffer(T * d, &random))
                let scratch = Buffer(Kernels.shortAttentionScratch(width: width), .nan)
                let packs = ShortPacks()
                packs.fill(offsets, heads: heads)
                let (out, grad) = (Buffer(T * d, 7), Buffer(T * ld, 7))
                kernels.shortAttention(
                    qkv.p, qkv.p + d, qkv.p + 2 * d, ld, heads, width, packs.all, 0.3, rate, 9, out.p, d, scratch.p)
                kernels.shortAttentionBackward(
                    qkv.p, qkv.p + d, qkv.p + 2 * d, ld, heads, width, packs.all, 0.3, rate, 9, dOut.p, d, grad.p,
                    grad.p + d, grad.p + 2 * d, scratch.p)
                let (expected, expectedGrad) = (Buffer(T * d, 7), Buffer(T * ld, 7))
                eachHead(offsets, heads) { start, n, head, place in
                    let q = qkv.p + start * ld + head * width
                    let g = expectedGrad.p + start * ld + head * width
                    let p = Buffer(n * n)
                    Kernels.naive.attention(
                        q, q + d, q + 2 * d, ld, n, width, 0.3, rate, 9, UInt64(place), p.p,
                        expected.p + start * d + head * width, d, scratch.p)
                    Kernels.naive.attentionBackward(
                        q, q + d, q + 2 * d, ld, n, width, 0.3, rate, 9, UInt64(place), p.p,
                        dOut.p + start * d + head * width, d, g, g + d, g + 2 * d, scratch.p)
                }
                #expect(difference(out, expected) < 1e-5, "\(heads) x \(width)")
                #expect(difference(grad, expectedGrad) < 1e-5, "\(heads) x \(width)")
                #expect(scratch.isGuarded)
            }
        }
    }

    @Test("pointwise attention forward and backward", arguments: variants)
    func pointwise(variant: Kernels.Variant) throws {
        let kernels = try #require(Kernels.variant(variant))
        var random = SplitMix64(seed: 42)
        for (heads, width) in Self.shapes {
            let offsets = Self.offsets(&random)
            let (T, d) = (offsets[offsets.count - 1], heads * width)
            let ld = 3 * d + 5
            let (qkv, dOut) = (Buffer(T * ld, &random), Buffer(T * d, &random))
            let scratch = Buffer(Kernels.shortAttentionScratch(width: width), .nan)
            let packs = ShortPacks()
            packs.fill(offsets, heads: heads)
            let part = packs.all
            // A pair's bias is that of its positions, wherever it lies.
            let biases = Buffer(T * ShortPacks.distances, &random)
            let (bias, dBias) = (Buffer(part.count * ShortPacks.plane, .nan), Buffer(part.count * ShortPacks.plane))
            func eachPair(_ body: (_ place: Int, _ row: Int, _ distance: Int) -> Void) {
                for pack in 0..<part.count {
                    for lane in 0..<part.positions(pack) {
                        for m in 0...part.reach(pack, lane) {
                            body(pack * ShortPacks.plane + m * ShortPacks.lanes + lane, part.row(pack, lane), m)
                        }
                    }
                }
            }
            eachPair { place, row, m in bias.p[place] = biases.p[row * ShortPacks.distances + m] }
            let (out, grad) = (Buffer(T * d, 7), Buffer(T * ld, 7))
            kernels.shortPointwiseAttention(
                qkv.p, qkv.p + d, qkv.p + 2 * d, ld, heads, width, part, bias.p, 0.25, out.p, d, scratch.p)
            kernels.shortPointwiseAttentionBackward(
                qkv.p, qkv.p + d, qkv.p + 2 * d, ld, heads, width, part, bias.p, 0.25, dOut.p, d, grad.p, grad.p + d,
                grad.p + 2 * d, dBias.p, scratch.p)
            let (expected, expectedGrad) = (Buffer(T * d, 7), Buffer(T * ld, 7))
            let (slopes, expectedSlopes) = (Buffer(biases.count), Buffer(biases.count))
            eachPair { place, row, m in slopes.p[row * ShortPacks.distances + m] = dBias.p[place] }
            eachHead(offsets, heads) { start, n, head, _ in
                let q = qkv.p + start * ld + head * width
                let g = expectedGrad.p + start * ld + head * width
                let (own, scores, slope) = (Buffer(n * n), Buffer(n * n), Buffer(n * n))
                for i in 0..<n {
                    for j in 0...i { own.p[i * n + j] = biases.p[(start + i) * ShortPacks.distances + i - j] }
                }
                Kernels.naive.pointwiseAttention(
                    q, q + d, q + 2 * d, ld, n, width, own.p, 0.25, scores.p, expected.p + start * d + head * width, d,
                    scratch.p)
                Kernels.naive.pointwiseAttentionBackward(
                    q, q + d, q + 2 * d, ld, n, width, 0.25, scores.p, dOut.p + start * d + head * width, d, g, g + d,
                    g + 2 * d, slope.p, scratch.p)
                for i in 0..<n {
                    for j in 0...i {
                        expectedSlopes.p[(start + i) * ShortPacks.distances + i - j] += slope.p[i * n + j]
                    }
                }
            }
            #expect(difference(out, expected) < 2e-5, "\(heads) x \(width)")
            #expect(difference(grad, expectedGrad) < 2e-5, "\(heads) x \(width)")
            #expect(difference(slopes, expectedSlopes) < 2e-5, "\(heads) x \(width)")
            #expect(scratch.isGuarded)
        }
    }

    @Test("a pack's results do not depend on the packs and sequences beside it, bit by bit")
    func alone() {
        var random = SplitMix64(seed: 43)
        let (heads, width, d) = (2, 8, 16)
        let offsets = Self.offsets(&random)
        let T = offsets[offsets.count - 1]
        let qkv = Buffer(T * 3 * d, &random)
        let scratch = Buffer(Kernels.shortAttentionScratch(width: width))
        let (whole, single) = (Buffer(T * d), Buffer(T * d))
        func attend(_ offsets: [Int], _ start: Int, _ out: Buffer) {
            let packs = ShortPacks()
            packs.fill(offsets, heads: heads)
            let q = qkv.p + start * 3 * d
            Kernels.best.shortAttention(
                q, q + d, q + 2 * d, 3 * d, heads, width, packs.all, 0.3, 0, 9, out.p + start * d, d, scratch.p)
        }
        attend(offsets, 0, whole)
        for (start, end) in zip(offsets, offsets.dropFirst()) { attend([0, end - start], start, single) }
        #expect((0..<whole.count).allSatisfy { whole.p[$0].bitPattern == single.p[$0].bitPattern })
    }
}
