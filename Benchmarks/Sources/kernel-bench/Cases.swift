import Kernels

/// Products of the shapes that trainings have: (m, n, k), layout, how many matrices a call multiplies.
private let products: [(m: Int, n: Int, k: Int, layout: Kernels.Layout, batch: Int)] = [
    (6_400, 64, 64, .nn, 1), (6_400, 256, 64, .nn, 1), (6_400, 64, 256, .nn, 1), (6_400, 128, 128, .nn, 1),
    (6_400, 512, 512, .nn, 1), (6_400, 12_288, 64, .nn, 1), (12_288, 64, 6_400, .nn, 1),
    (12_288, 64, 6_400, .tn, 1), (6_400, 256, 64, .nt, 1), (6_400, 64, 256, .nt, 1), (64, 256, 6_400, .tn, 1),
    (256, 64, 6_400, .tn, 1), (1_455, 1_024, 256, .nn, 1),
    (1_455, 256, 1_024, .nn, 1), (1_455, 1_024, 256, .nt, 1), (1_455, 256, 1_024, .nt, 1),
    (256, 1_024, 1_455, .tn, 1), (1_024, 256, 1_455, .tn, 1), (50, 50, 32, .nn, 128), (50, 50, 32, .nt, 128),
    (64, 64, 32, .nn, 128),
    (64, 64, 32, .nt, 128), (50, 32, 50, .nn, 128), (200, 200, 64, .nn, 128), (200, 64, 200, .nn, 128),
]

func productCases(_ kernels: Kernels, _ blas: OpenBLAS?) -> [Case] {
    products.map { shape in
        let (m, n, k, batch) = (shape.m, shape.n, shape.k, shape.batch)
        let a = Floats(m * k * batch)
        let b = Floats(k * n * batch)
        let c = Floats(m * n * batch)
        let scratch = Floats(Kernels.gemmScratch)
        let lda = shape.layout == .tn ? m : k
        let ldb = shape.layout == .nt ? k : n
        let times = batch > 1 ? "\(batch) x " : ""
        return Case(
            name: "\(times)(\(m), \(n), \(k)) \(shape.layout)",
            flops: 2 * Double(m) * Double(n) * Double(k) * Double(batch),
            run: {
                for i in 0..<batch {
                    kernels.gemm(
                        shape.layout, m, n, k, a.p + i * m * k, lda, b.p + i * k * n, ldb, c.p + i * m * n, n, false,
                        scratch.p)
                }
            },
            peer: blas.map { blas in
                {
                    for i in 0..<batch {
                        blas.multiply(
                            shape.layout, m, n, k, a.p + i * m * k, lda, b.p + i * k * n, ldb, c.p + i * m * n, n)
                    }
                }
            })
    }
}

/// The output layer over the catalogue of amazon-beauty, for the positions of a mean batch.
func headCases(_ kernels: Kernels) -> [Case] {
    let (items, rows) = (12_101, 1_455)
    return [16, 32, 64, 128, 256].flatMap { dim in
        let h = Floats(rows * dim)
        let e = Floats(items * dim, scale: 0.1)
        let scratch = Floats(Kernels.crossEntropyScratch(dim: dim, items: items))
        let dh = Floats(rows * dim)
        let de = Floats(items * dim)
        let targets = (0..<rows).map { Int32($0 * 7_919 % items) }
        let counts = UnsafeMutablePointer<Int32>.allocate(capacity: 2 * rows)
        let thresholds = Floats(rows)
        let products = Double(rows) * Double(items) * Double(dim)
        return [
            Case(
                name: "cross-entropy, d \(dim)", flops: 6 * products,
                run: {
                    _ = kernels.linearCrossEntropy(
                        h.p, rows, dim, e.p, items, targets, 1e-3, dh.p, de.p, scratch.p)
                }),
            Case(
                name: "rank counts, d \(dim)", flops: 2 * products * 96 / Double(rows),
                run: {
                    _ = kernels.rankCounts(
                        h.p, 96, dim, e.p, items, thresholds.p, counts, counts + rows, scratch.p)
                }),
        ]
    }
}

/// Causal attention, forward and backward: the floor counts the lower triangle of six products.
func attentionCases(_ kernels: Kernels) -> [Case] {
    [(20, 32), (50, 8), (50, 32), (50, 64), (200, 8), (200, 32), (200, 64)].map { length, width in
        let sequences = max(1, 1_000 / length)
        let ld = 3 * width
        let qkv = Floats(sequences * length * ld)
        let p = Floats(sequences * length * length)
        let out = Floats(sequences * length * width)
        let d = Floats(sequences * length * ld)
        let scratch = Floats(Kernels.attentionScratch(length: length))
        let pairs = Double(length * (length + 1) / 2 * sequences)
        return Case(
            name: "\(sequences) x attention fwd + bwd, L \(length), width \(width)",
            flops: 12 * pairs * Double(width),
            run: {
                for s in 0..<sequences {
                    let q = qkv.p + s * length * ld
                    let dq = d.p + s * length * ld
                    let place = s * length * length
                    kernels.attention(
                        q, q + width, q + 2 * width, ld, length, width, 0.2, 0.5, 7, UInt64(place), p.p + place,
                        out.p + s * length * width, width, scratch.p)
                    kernels.attentionBackward(
                        q, q + width, q + 2 * width, ld, length, width, 0.2, 0.5, 7, UInt64(place), p.p + place,
                        out.p + s * length * width, width, dq, dq + width, dq + 2 * width, scratch.p)
                }
            })
    }
}

/// What sweeps over rows of numbers: bound by memory, so in bytes.
func rowCases(_ kernels: Kernels) -> [Case] {
    let (rows, columns) = (1_455, 64)
    let count = rows * columns
    let x = Floats(4 * count)
    let y = Floats(4 * count)
    let z = Floats(4 * count)
    let gamma = Floats(4 * columns)
    let beta = Floats(4 * columns)
    let scales = Floats(rows)
    // Adding it again and again must not make the numbers grow.
    let zero = Floats(4 * columns, scale: 0)
    let parameters = 877_760
    let (p, g, m, v) = (Floats(parameters), Floats(parameters), Floats(parameters), Floats(parameters))
    for i in 0..<parameters { v.p[i] = abs(v.p[i]) }
    let step = Kernels.AdamStep(
        learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, correction1: 0.5, correction2: 0.5)
    let floats = Double(4 * count)
    return [
        Case(
            name: "adamW, 877,760", bytes: 28 * Double(parameters),
            run: { kernels.adamW(p.p, g.p, m.p, v.p, parameters, step) }),
        Case(
            name: "dropout and add, 1455 x 64", bytes: 3 * floats,
            run: { kernels.dropoutAdd(x.p, y.p, count, 0.5, 9, 0, z.p) }),
        Case(
            name: "layer norm, 1455 x 64", bytes: 3 * floats,
            run: { kernels.layerNorm(x.p, gamma.p, beta.p, 1e-5, rows, columns, y.p, z.p, scales.p) }),
        Case(
            name: "layer norm backward, 1455 x 64", bytes: 3 * floats,
            run: { kernels.layerNormBackward(x.p, z.p, scales.p, gamma.p, rows, columns, y.p, gamma.p, beta.p) }),
        Case(
            name: "bias and GELU, 1455 x 256", bytes: 12 * floats,
            run: { kernels.biasGelu(x.p, zero.p, rows, 4 * columns, y.p) }),
        Case(
            name: "GELU backward, 1455 x 256", bytes: 12 * floats,
            run: { kernels.geluBackward(z.p, x.p, 4 * count, y.p) }),
        Case(
            name: "add bias, 1455 x 256", bytes: 8 * floats,
            run: { kernels.addBias(y.p, zero.p, rows, 4 * columns) }),
        Case(
            name: "column sums, 1455 x 256", bytes: 4 * floats,
            run: { kernels.addColumnSums(x.p, rows, 4 * columns, columns, gamma.p) }),
    ]
}

/// Attention of the short sequences of a batch of amazon-beauty in packs: 2 heads, dropout, and hstu's beside it. The floor
/// counts the lower triangle of six products.
func shortAttentionCases(_ kernels: Kernels) -> [Case] {
    // How many of 250 sequences have 2, 3, ... 15 positions.
    let counts = [80, 47, 30, 20, 15, 10, 8, 6, 5, 4, 3, 2, 2, 2]
    let lengths = counts.enumerated().flatMap { [Int](repeating: $0.offset + 2, count: $0.element) }
    let offsets = lengths.indices.reduce(into: [0]) { $0.append($0[$0.count - 1] + lengths[$1 * 7 % lengths.count]) }
    let positions = offsets[offsets.count - 1]
    let pairs = Double(lengths.reduce(0) { $0 + $1 * ($1 + 1) / 2 })
    let packs = ShortPacks()
    packs.fill(offsets, heads: 2)
    return [8, 16, 32, 64].flatMap { width in
        let d = 2 * width
        let (qkv, out, grad) = (Floats(positions * 3 * d), Floats(positions * d), Floats(positions * 3 * d))
        let p = Floats(offsets.count * 225 * 2)
        let (bias, slopes) = (Floats(packs.count * ShortPacks.plane), Floats(packs.count * ShortPacks.plane))
        let scratch = Floats(
            max(Kernels.attentionScratch(length: 15), Kernels.shortAttentionScratch(width: width)))
        let flops = 12 * pairs * Double(d)
        return [
            Case(
                name: "short attention one by one, width \(width)", flops: flops,
                run: {
                    var place = 0
                    let (q, k, v) = (qkv.p, qkv.p + d, qkv.p + 2 * d)
                    let (dq, dk, dv) = (grad.p, grad.p + d, grad.p + 2 * d)
                    for (start, end) in zip(offsets, offsets.dropFirst()) {
                        let n = end - start
                        for head in 0..<2 {
                            let at = start * 3 * d + head * width
                            let to = start * d + head * width
                            kernels.attention(
                                q + at, k + at, v + at, 3 * d, n, width, 0.2, 0.5, 7, UInt64(place), p.p + place,
                                out.p + to, d, scratch.p)
                            kernels.attentionBackward(
                                q + at, k + at, v + at, 3 * d, n, width, 0.2, 0.5, 7, UInt64(place), p.p + place,
                                out.p + to, d, dq + at, dk + at, dv + at, scratch.p)
                            place += n * n
                        }
                    }
                }),
            Case(
                name: "short attention in packs, width \(width)", flops: flops,
                run: {
                    kernels.shortAttention(
                        qkv.p, qkv.p + d, qkv.p + 2 * d, 3 * d, 2, width, packs.all, 0.2, 0.5, 7, out.p, d, scratch.p)
                    kernels.shortAttentionBackward(
                        qkv.p, qkv.p + d, qkv.p + 2 * d, 3 * d, 2, width, packs.all, 0.2, 0.5, 7, out.p, d, grad.p,
                        grad.p + d, grad.p + 2 * d, scratch.p)
                }),
            Case(
                name: "short pointwise attention in packs, width \(width)", flops: flops,
                run: {
                    kernels.shortPointwiseAttention(
                        qkv.p, qkv.p + d, qkv.p + 2 * d, 3 * d, 2, width, packs.all, bias.p, 0.02, out.p, d, scratch.p)
                    kernels.shortPointwiseAttentionBackward(
                        qkv.p, qkv.p + d, qkv.p + 2 * d, 3 * d, 2, width, packs.all, bias.p, 0.02, out.p, d, grad.p,
                        grad.p + d, grad.p + 2 * d, slopes.p, scratch.p)
                }),
        ]
    }
}
