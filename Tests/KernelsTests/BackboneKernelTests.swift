import Domain
import Testing

@testable import Kernels

/// The kernels that only gpt, llama and hstu use equal their naive twins, and the twins equal known values.
struct BackboneKernelTests {
    let naive = Kernels.naive

    @Test("RMS norm forward and backward, scaled values in place of the input", arguments: variants)
    func rmsNorm(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 21)
        for columns in sizes {
            let rows = 5
            let x = Buffer(rows * columns, &random, -3...5)
            let gamma = Buffer(columns, &random)
            let (y, z) = (Buffer(rows * columns), Buffer(rows * columns))
            let (hat, expectedHat) = (x.copy(), x.copy())
            let (scales, expectedScales) = (Buffer(rows), Buffer(rows))
            kernels.rmsNorm(hat.p, gamma.p, 1e-5, rows, columns, y.p, hat.p, scales.p)
            naive.rmsNorm(x.p, gamma.p, 1e-5, rows, columns, z.p, expectedHat.p, expectedScales.p)
            #expect(difference(y, z) < 1e-5)
            #expect(difference(hat, expectedHat) < 1e-5)
            #expect(difference(scales, expectedScales) < 1e-5)
            let dy = Buffer(rows * columns, &random)
            let (dx, expectedDx) = (dy.copy(), Buffer(rows * columns))
            let (dg, expectedDg) = (gamma.copy(), gamma.copy())
            kernels.rmsNormBackward(dx.p, hat.p, scales.p, gamma.p, rows, columns, dx.p, dg.p)
            naive.rmsNormBackward(
                dy.p, expectedHat.p, expectedScales.p, gamma.p, rows, columns, expectedDx.p, expectedDg.p)
            #expect(difference(dx, expectedDx) < 2e-5)
            #expect(difference(dg, expectedDg) < 1e-5)
        }
    }

    @Test("tanh-GELU, SiLU and their slopes from -12 to 12, error below 2e-6", arguments: variants)
    func activations(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 22)
        for columns in sizes {
            let x = Buffer(4 * columns, &random, -12...12)
            let bias = Buffer(columns, &random, -0.1...0.1)
            for silu in [false, true] {
                let (u, v) = (x.copy(), x.copy())
                let (y, z) = (Buffer(4 * columns), Buffer(4 * columns))
                (silu ? kernels.biasSilu : kernels.biasGeluTanh)(u.p, bias.p, 4, columns, y.p)
                (silu ? naive.biasSilu : naive.biasGeluTanh)(v.p, bias.p, 4, columns, z.p)
                #expect(difference(u, v) == 0)
                #expect(difference(y, z) < 2e-6)
                let dy = Buffer(4 * columns, &random)
                let (dx, dz) = (dy.copy(), Buffer(4 * columns))
                (silu ? kernels.siluBackward : kernels.geluTanhBackward)(dx.p, u.p, dx.count, dx.p)
                (silu ? naive.siluBackward : naive.geluTanhBackward)(dy.p, v.p, dz.count, dz.p)
                #expect(difference(dx, dz) < 2e-6)
                (silu ? kernels.siluBackward : kernels.geluTanhBackward)(dy.p, u.p, dx.count, u.p)
                #expect(difference(u, dx) == 0)
            }
        }
    }

    @Test("gated feed-forward and products of strided rows", arguments: variants)
    func gates(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 23)
        for columns in sizes {
            let rows = 3
            let x = Buffer(2 * rows * columns, &random, -9...9)
            let dy = Buffer(rows * columns, &random)
            let (y, z) = (Buffer(rows * columns), Buffer(rows * columns))
            kernels.swiGLU(x.p, rows, columns, y.p)
            naive.swiGLU(x.p, rows, columns, z.p)
            #expect(difference(y, z) < 2e-6)
            let (dx, dz) = (Buffer(2 * rows * columns), Buffer(2 * rows * columns))
            kernels.swiGLUBackward(dy.p, x.p, rows, columns, dx.p)
            naive.swiGLUBackward(dy.p, x.p, rows, columns, dz.p)
            #expect(difference(dx, dz) < 2e-6)
            let inPlace = x.copy()
            kernels.swiGLUBackward(dy.p, inPlace.p, rows, columns, inPlace.p)
            #expect(difference(inPlace, dx) == 0)
            kernels.multiply(y.p, columns, x.p, 2 * columns, rows, columns, dx.p, 2 * columns)
            naive.multiply(y.p, columns, x.p, 2 * columns, rows, columns, dz.p, 2 * columns)
            #expect(difference(dx, dz) < 2e-6)
        }
    }

    @Test("rotary positions turn as defined, and back again", arguments: variants)
    func rotary(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 24)
        for rows in sizes {
            for width in [2, 8, 14, 32, 34, 66] {
                let (heads, ld) = (2, 2 * width + 3)
                let x = Buffer(rows * ld, &random)
                let angles = (0..<rows * width / 2).map { _ in Float.random(in: -4...4, using: &random) }
                let (cosines, sines) = (Buffer(angles.count), Buffer(angles.count))
                for (i, angle) in angles.enumerated() {
                    cosines.p[i] = Float(cosine(Double(angle)))
                    sines.p[i] = Float(cosine(Double(angle) - Double.pi / 2))
                }
                let (y, z) = (x.copy(), x.copy())
                kernels.rotary(y.p, ld, rows, heads, width, cosines.p, sines.p, 1)
                naive.rotary(z.p, ld, rows, heads, width, cosines.p, sines.p, 1)
                #expect(difference(y, z) < 1e-6)
                kernels.rotary(y.p, ld, rows, heads, width, cosines.p, sines.p, -1)
                #expect(difference(y, x) < 1e-6)
            }
        }
    }

    /// By its series, which is independent of the C library.
    private func cosine(_ x: Double) -> Double {
        var (sum, term) = (1.0, 1.0)
        for n in 1..<30 {
            term *= -x * x / Double((2 * n - 1) * 2 * n)
            sum += term
        }
        return sum
    }

    @Test("pointwise attention forward and backward at awkward lengths and widths", arguments: variants)
    func pointwise(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 25)
        for length in sizes {
            for width in [1, 4, 8, 15, 17, 32, 64] where length * width < 7_000 {
                let ld = 3 * width + 5
                let qkv = Buffer(length * ld, &random)
                let bias = Buffer(length * length, &random)
                let dOut = Buffer(length * width, &random)
                let scratch = Buffer(Kernels.attentionScratch(length: length))
                var results: [[Buffer]] = []
                for set in [kernels, naive] {
                    let (scores, out) = (Buffer(length * length), Buffer(length * width))
                    set.pointwiseAttention(
                        qkv.p, qkv.p + width, qkv.p + 2 * width, ld, length, width, bias.p, 0.25, scores.p, out.p,
                        width, scratch.p)
                    let (d, dBias) = (Buffer(length * ld), bias.copy())
                    set.pointwiseAttentionBackward(
                        qkv.p, qkv.p + width, qkv.p + 2 * width, ld, length, width, 0.25, scores.p, dOut.p, width, d.p,
                        d.p + width, d.p + 2 * width, dBias.p, scratch.p)
                    results.append([scores, out, d, dBias])
                }
                for (found, expected) in zip(results[0], results[1]) {
                    #expect(difference(found, expected) < 2e-5, "\(length) \(width)")
                }
                #expect(scratch.isGuarded)
            }
        }
    }

    @Test("attention of the newest query alone equals the last row of the whole attention", arguments: variants)
    func newest(variant: Kernels.Variant) throws {
        let kernels = try kernels(variant)
        var random = SplitMix64(seed: 26)
        for length in sizes {
            for width in [1, 4, 8, 15, 17, 32, 64] where length * width < 7_000 {
                let ld = 3 * width + 5
                let qkv = Buffer(length * ld, &random)
                let bias = Buffer(length * length, &random)
                let (q, k, v) = (qkv.p, qkv.p + width, qkv.p + 2 * width)
                let last = length - 1
                let scratch = Buffer(length + 16)
                let (weights, all) = (Buffer(length * length), Buffer(length * width))
                let (out, z) = (Buffer(width), Buffer(width))
                naive.attention(
                    q, k, v, ld, length, width, 0.3, 0, 0, 0, weights.p, all.p, width, scratch.p)
                kernels.newestAttention(q + last * ld, k, v, ld, length, width, 0.3, out.p, scratch.p)
                naive.newestAttention(q + last * ld, k, v, ld, length, width, 0.3, z.p, scratch.p)
                for c in 0..<width {
                    #expect(abs(out.p[c] - all.p[last * width + c]) < 1e-5, "\(length) \(width)")
                    #expect(abs(z.p[c] - all.p[last * width + c]) < 1e-6)
                }
                naive.pointwiseAttention(
                    q, k, v, ld, length, width, bias.p, 0.25, weights.p, all.p, width, scratch.p)
                let row = bias.p + last * length
                kernels.newestPointwiseAttention(q + last * ld, k, v, ld, length, width, row, 0.25, out.p, scratch.p)
                naive.newestPointwiseAttention(q + last * ld, k, v, ld, length, width, row, 0.25, z.p, scratch.p)
                for c in 0..<width {
                    #expect(abs(out.p[c] - all.p[last * width + c]) < 2e-5, "\(length) \(width)")
                    #expect(abs(z.p[c] - all.p[last * width + c]) < 1e-6)
                }
                #expect(out.isGuarded && scratch.isGuarded)
            }
        }
    }

    @Test("the naive twins give the textbook values")
    func values() {
        let (x, zero, y) = (Buffer(2), Buffer(2), Buffer(2))
        (x.p[0], x.p[1]) = (1, -2)
        naive.biasGeluTanh(x.p, zero.p, 1, 2, y.p)
        // torch.nn.functional.gelu([1, -2], approximate="tanh")
        #expect(abs(y.p[0] - 0.841192) < 1e-6 && abs(y.p[1] + 0.045402) < 1e-6)
        naive.biasSilu(x.p, zero.p, 1, 2, y.p)
        // torch.nn.functional.silu([1, -2])
        #expect(abs(y.p[0] - 0.731059) < 1e-6 && abs(y.p[1] + 0.238406) < 1e-6)
    }
}
