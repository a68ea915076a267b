import Domain
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
        var random = SplitMix64(seed: 3)
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
        var random = SplitMix64(seed: 4)
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
                return [a, b, c, d, s, t, e, f, g, h, p, m, v]
            }
            let expected = outcome(Self.alone)
            for (place, pair) in zip(expected, outcome(shared)).enumerated() {
                #expect(equal(pair.0, pair.1), "\(rows) x \(columns), result \(place)")
            }
        }
    }

    @Test("norms, activations, rotation and gathered scores of the other families", arguments: teams.indices)
    func families(index: Int) {
        let shared = Self.alone.shared(by: Self.teams[index])
        var random = SplitMix64(seed: 5)
        for (rows, columns) in [(7, 8), (300, 64), (1_455, 128), (129, 200)] {
            let x = Buffer(rows * 2 * columns, &random)
            let y = Buffer(rows * columns, &random)
            let gamma = Buffer(columns, &random)
            let negatives = (0..<rows * 3).map { _ in Int32.random(in: 0..<Int32(rows), using: &random) }
            let targets = (0..<rows).map { Int32($0) }
            func outcome(_ kernels: Kernels) -> [Buffer] {
                let (a, b, s, t) = (Buffer(rows * columns), Buffer(rows * columns), Buffer(rows), gamma.copy())
                kernels.rmsNorm(y.p, gamma.p, 1e-5, rows, columns, a.p, b.p, s.p)
                let c = a.copy()
                kernels.rmsNormBackward(c.p, b.p, s.p, gamma.p, rows, columns, c.p, t.p)
                let (d, e, f, g) = (y.copy(), Buffer(rows * columns), y.copy(), Buffer(rows * columns))
                kernels.biasGeluTanh(d.p, gamma.p, rows, columns, e.p)
                kernels.geluTanhBackward(e.p, d.p, rows * columns, e.p)
                kernels.biasSilu(f.p, gamma.p, rows, columns, g.p)
                kernels.siluBackward(g.p, f.p, rows * columns, g.p)
                let (h, i) = (Buffer(rows * columns), Buffer(rows * 2 * columns))
                kernels.swiGLU(x.p, rows, columns, h.p)
                kernels.swiGLUBackward(h.p, x.p, rows, columns, i.p)
                let j = Buffer(rows * columns)
                kernels.multiply(x.p, 2 * columns, y.p, columns, rows, columns, j.p, columns)
                let k = y.copy()
                kernels.rotary(k.p, columns, rows, 2, columns / 2, x.p, g.p, -1)
                let (l, m) = (Buffer(rows), Buffer(rows * 16))
                kernels.gatherScores(a.p, rows, columns, y.p, targets, negatives, 3, 16, l.p, m.p)
                return [a, b, c, s, t, d, e, f, g, h, i, j, k, l, m]
            }
            let expected = outcome(Self.alone)
            for (place, pair) in zip(expected, outcome(shared)).enumerated() {
                #expect(equal(pair.0, pair.1), "\(rows) x \(columns), result \(place)")
            }
        }
    }

    @Test("the output layer: loss, gradients and counts of ranks", arguments: teams.indices)
    func outputLayer(index: Int) {
        let shared = Self.alone.shared(by: Self.teams[index])
        var random = SplitMix64(seed: 6)
        for (rows, dim, items) in [(1, 16, 50), (37, 20, 900), (300, 64, 1_003), (257, 16, 5_000), (70, 129, 700)] {
            // Scores beyond e^60 in some rows, so that shifts are needed for some groups alone.
            let h = Buffer(rows * dim, &random)
            for k in 0..<min(8, rows) * dim { h.p[k] *= 40 }
            let e = Buffer(items * dim, &random)
            let targets = (0..<rows).map { _ in Int32.random(in: 0..<Int32(items), using: &random) }
            let thresholds = Buffer(rows, &random)
            func outcome(_ kernels: Kernels) -> (Double, [Buffer], [Int32]) {
                let scratch = Buffer(
                    Kernels.crossEntropyScratch(dim: dim, items: items, threads: kernels.team.threads))
                let (dh, de) = (Buffer(rows * dim), e.copy())
                let loss = kernels.linearCrossEntropy(
                    kernels.team, h.p, rows, dim, e.p, items, targets, 0.01, dh.p, de.p, scratch.p)
                #expect(scratch.isGuarded)
                var counts = [Int32](repeating: 0, count: 2 * rows)
                let rankScratch = Buffer(Kernels.rankScratch(rows: rows, dim: dim))
                counts.withUnsafeMutableBufferPointer {
                    guard let p = $0.baseAddress else { return }
                    #expect(
                        kernels.rankCounts(h.p, rows, dim, e.p, items, thresholds.p, p, p + rows, rankScratch.p))
                }
                return (loss, [dh, de], counts)
            }
            let expected = outcome(Self.alone)
            let found = outcome(shared)
            #expect(expected.0.bitPattern == found.0.bitPattern)
            #expect(expected.2 == found.2)
            for (place, pair) in zip(expected.1, found.1).enumerated() {
                #expect(equal(pair.0, pair.1), "\(rows) x \(dim), \(items) items, result \(place)")
            }
            let broken = e.copy()
            broken.p[items * dim - 1] = .nan
            var counts = [Int32](repeating: 0, count: 2 * rows)
            let scratch = Buffer(Kernels.rankScratch(rows: rows, dim: dim))
            counts.withUnsafeMutableBufferPointer {
                guard let p = $0.baseAddress else { return }
                #expect(!shared.rankCounts(h.p, rows, dim, broken.p, items, thresholds.p, p, p + rows, scratch.p))
            }
        }
    }

    @Test("AdamW on chosen rows", arguments: teams.indices)
    func rowsOfAdamW(index: Int) {
        let shared = Self.alone.shared(by: Self.teams[index])
        var random = SplitMix64(seed: 7)
        let (rows, dim) = (2_000, 40)
        let which = (0..<Int32(rows)).filter { $0 % 3 != 1 }
        let (p, g, m) = (Buffer(rows * dim, &random), Buffer(rows * dim, &random), Buffer(rows * dim, &random))
        let factors = Buffer(which.count * 5, &random)
        for i in 0..<which.count * 5 { factors.p[i] = abs(factors.p[i]) + 0.1 }
        func outcome(_ kernels: Kernels) -> [Buffer] {
            let (a, b, c) = (p.copy(), m.copy(), Buffer(rows * dim))
            let step = Kernels.AdamStep(
                learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, correction1: 0.1,
                correction2: 0.001)
            kernels.adamWRows(a.p, g.p, b.p, c.p, dim, which, which.count, step)
            kernels.catchUpRows(a.p, b.p, c.p, dim, which, which.count, factors.p)
            return [a, b, c]
        }
        for (x, y) in zip(outcome(Self.alone), outcome(shared)) { #expect(equal(x, y)) }
    }

    @Test("many short calls: none lost, none run twice, helpers asleep or awake", arguments: [2, 3, 16])
    func manyCalls(threads: Int) async throws {
        let team = WorkerTeam(threads: threads)
        let sums = Buffer(64)
        for call in 0..<20_000 {
            let pieces = 2 + call % 7
            team.run(pieces) { piece, _ in sums.p[piece] += 1 }
            // Now and then long enough that helpers go to sleep.
            if call % 4_000 == 0 { try await Task.sleep(for: .milliseconds(2)) }
        }
        let expected = (0..<8).map { piece in (0..<20_000).count { piece < 2 + $0 % 7 } }
        #expect((0..<8).map { Int(sums.p[$0]) } == expected)
    }

    @Test("calls from several threads at once, and from within a call, run all the same")
    func callsAtOnce() async {
        let team = WorkerTeam(threads: 3)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let runs = Buffer(100)
                    for _ in 0..<200 { team.run(100) { piece, _ in runs.p[piece] += 1 } }
                    return (0..<100).allSatisfy { runs.p[$0] == 200 }
                }
            }
            for await complete in group { #expect(complete) }
        }
        let inner = Buffer(40)
        team.run(4) { piece, _ in
            team.run(10) {
                inner.p[10 * piece + $0] += 1; _ = $1
            }
        }
        #expect((0..<40).allSatisfy { inner.p[$0] == 1 })
    }
}
