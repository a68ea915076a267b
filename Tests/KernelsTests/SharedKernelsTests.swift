import Testing

@testable import Kernels

/// Work that a team shares gives the bits that one thread gives, whatever the team and whatever the shape.
struct SharedKernelsTests {
    static let teams = [2, 3, 5].map { WorkerTeam(threads: $0) }
    static let alone = Kernels.best
    static let shapes = [(1, 1), (7, 15), (63, 17), (300, 64), (1_455, 64), (1_455, 256), (129, 200)]

    /// Both results, bit by bit.
    private func equal(_ a: Buffer, _ b: Buffer) -> Bool {
        a.isGuarded && b.isGuarded && (0..<a.count).allSatisfy { a.p[$0].bitPattern == b.p[$0].bitPattern }
    }

    @Test("every piece is run once, by workers of the team", arguments: [1, 2, 3, 8])
    func pieces(threads: Int) {
        let team = WorkerTeam(threads: threads)
        for count in [0, 1, 2, 7, 100] {
            let runs = Buffer(max(1, count))
            team.run(count) { piece, worker in
                #expect((0..<threads).contains(worker))
                runs.p[piece] += 1
            }
            #expect((0..<count).allSatisfy { runs.p[$0] == 1 })
            let covered = Buffer(max(1, count))
            team.ranges(count, unit: 3, least: 2) { range, _ in
                #expect(range.lowerBound % 3 == 0)
                for i in range { covered.p[i] += 1 }
            }
            #expect((0..<count).allSatisfy { covered.p[$0] == 1 })
        }
    }

    @Test("products", arguments: teams.indices)
    func gemm(index: Int) {
        let shared = Self.alone.shared(by: Self.teams[index])
        var random = SplitMix(state: 3)
        let scratch = Buffer(Kernels.gemmScratch)
        for layout in [Kernels.Layout.nn, .nt, .tn] {
            for (m, n, k) in [(1_455, 192, 64), (64, 256, 1_455), (64, 64, 1_455), (1_455, 7, 33), (5, 3_000, 70)] {
                let a = Buffer(m * k, &random)
                let b = Buffer(n * k, &random)
                let c = Buffer(m * n, &random)
                let d = c.copy()
                let (lda, ldb) = (layout == .tn ? m : k, layout == .nt ? k : n)
                for accumulate in [false, true] {
                    Self.alone.gemm(layout, m, n, k, a.p, lda, b.p, ldb, c.p, n, accumulate, scratch.p)
                    shared.gemm(layout, m, n, k, a.p, lda, b.p, ldb, d.p, n, accumulate, scratch.p)
                    #expect(equal(c, d), "\(layout) \(m) \(n) \(k)")
                }
            }
        }
    }

    @Test("sweeps over rows, sums over rows, norms", arguments: teams.indices)
    func rows(index: Int) {
        let shared = Self.alone.shared(by: Self.teams[index])
        var random = SplitMix(state: 4)
        for (rows, columns) in Self.shapes {
            let x = Buffer(rows * columns, &random)
            let y = Buffer(rows * columns, &random)
            let gamma = Buffer(columns, &random)
            let beta = Buffer(columns, &random)
            func outcome(_ kernels: Kernels) -> [Buffer] {
                let (a, b, c, d) = (x.copy(), y.copy(), Buffer(rows * columns), Buffer(rows))
                let (s, t) = (gamma.copy(), beta.copy())
                kernels.addBias(a.p, gamma.p, rows, columns)
                kernels.addColumnSums(a.p, rows, columns, columns, s.p)
                kernels.addColumnProducts(a.p, b.p, rows, columns, columns, s.p, t.p)
                kernels.layerNorm(a.p, gamma.p, beta.p, 1e-5, rows, columns, c.p, a.p, d.p)
                kernels.layerNormBackward(b.p, a.p, d.p, gamma.p, rows, columns, b.p, s.p, t.p)
                let (e, f, g) = (c.copy(), Buffer(rows * columns), Buffer(rows * columns))
                kernels.biasGelu(e.p, beta.p, rows, columns, f.p)
                kernels.geluBackward(f.p, e.p, rows * columns, g.p)
                kernels.dropoutAdd(g.p, a.p, rows * columns, 0.4, 99, 7, g.p)
                let h = g.copy()
                kernels.dropoutAdd(h.p, nil, rows * columns, 0.4, 98, 5, h.p)
                let step = Kernels.AdamStep(
                    learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, correction1: 0.1,
                    correction2: 0.001)
                let (p, m, v) = (x.copy(), Buffer(rows * columns), Buffer(rows * columns))
                kernels.adamW(p.p, g.p, m.p, v.p, rows * columns, step)
                let packed = Buffer(Kernels.packedFloats(items: rows, dim: columns))
                kernels.packItems(x.p, rows, columns, packed.p)
                return [a, b, c, d, s, t, e, f, g, h, p, m, v, packed]
            }
            let expected = outcome(Self.alone)
            for (place, pair) in zip(expected, outcome(shared)).enumerated() {
                #expect(equal(pair.0, pair.1), "\(rows) x \(columns), result \(place)")
            }
        }
    }
}
