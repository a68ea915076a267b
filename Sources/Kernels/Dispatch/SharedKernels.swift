/// Scratch of `gemm` for each thread of a team.
// Safe to hand between threads: a worker of the team uses its own part, and never two calls of a team run at once.
private final class TeamScratch: @unchecked Sendable {
    private let p: Kernels.Out

    init(threads: Int) {
        p = .allocate(capacity: threads * Kernels.gemmScratch)
        p.initialize(repeating: 0, count: threads * Kernels.gemmScratch)
    }

    deinit { p.deallocate() }

    func part(_ worker: Int) -> Kernels.Out { p + worker * Kernels.gemmScratch }
}

/// Counts of each thread of a team, and the scratch they need.
// Safe to hand between threads: a worker uses its own part, and the sum is taken when all have ended.
private final class TeamCounts: @unchecked Sendable {
    private let rows: Int
    private let threads: Int
    private let scratchCount: Int
    /// For each worker: sums of greater and equal, then those of one piece.
    private let counts: UnsafeMutablePointer<Int32>
    private let scratch: Kernels.Out
    private let finite: UnsafeMutablePointer<Bool>

    init(threads: Int, rows: Int, dim: Int) {
        self.rows = rows
        self.threads = threads
        scratchCount = Kernels.rankScratch(rows: rows, dim: dim)
        counts = .allocate(capacity: 4 * rows * threads)
        counts.initialize(repeating: 0, count: 4 * rows * threads)
        scratch = .allocate(capacity: scratchCount * threads)
        finite = .allocate(capacity: threads)
        finite.initialize(repeating: true, count: threads)
    }

    deinit {
        counts.deallocate()
        scratch.deallocate()
        finite.deallocate()
    }

    func add(
        _ worker: Int,
        _ count: (UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int32>, Kernels.Out) -> Bool
    ) {
        let sums = counts + 4 * rows * worker
        let piece = sums + 2 * rows
        if !count(piece, piece + rows, scratch + scratchCount * worker) { finite[worker] = false }
        for i in 0..<2 * rows { sums[i] += piece[i] }
    }

    /// Sums over the workers; false when a score was not finite.
    func total(_ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>) -> Bool {
        for r in 0..<rows {
            greater[r] = (0..<threads).reduce(0) { $0 + counts[4 * rows * $1 + r] }
            equal[r] = (0..<threads).reduce(0) { $0 + counts[4 * rows * $1 + rows + r] }
        }
        return (0..<threads).allSatisfy { finite[$0] }
    }
}

extension Kernels {
    /// The same kernels with the work of each call shared by a team; bit for bit the same results for every team.
    ///
    /// Work is cut where the sums stay whole: products by rows or columns of the result, sums over rows by columns,
    /// everything else by rows. Not for two calls at once.
    package func shared(by team: WorkerTeam) -> Kernels {
        guard team.threads > 1 else { return self }
        let alone = self
        var shared = self
        shared.team = team
        let scratch = TeamScratch(threads: team.threads)
        shared.gemm = { layout, m, n, k, a, lda, b, ldb, c, ldc, accumulate, ownScratch in
            let least = max(1, Self.leastOperations / max(1, k))
            if m >= n {
                // Whole tiles of 12 rows and pairs of 6.
                team.ranges(m, unit: 12, least: max(12, least / max(1, n))) { rows, worker in
                    let start = layout == .tn ? a + rows.lowerBound : a + rows.lowerBound * lda
                    alone.gemm(
                        layout, rows.count, n, k, start, lda, b, ldb, c + rows.lowerBound * ldc, ldc, accumulate,
                        scratch.part(worker))
                }
            } else {
                // Whole panels of 32 columns.
                team.ranges(n, unit: 32, least: max(32, least / max(1, m))) { columns, worker in
                    let start = layout == .nt ? b + columns.lowerBound * ldb : b + columns.lowerBound
                    alone.gemm(
                        layout, m, columns.count, k, a, lda, start, ldb, c + columns.lowerBound, ldc, accumulate,
                        scratch.part(worker))
                }
            }
        }
        shared.addBias = { y, bias, rows, columns in
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, _ in
                alone.addBias(y + range.lowerBound * columns, bias, range.count, columns)
            }
        }
        shared.addColumnSums = { x, rows, ld, columns, sum in
            team.ranges(columns, unit: 16, least: Self.leastElements / max(1, rows) + 1) { range, _ in
                alone.addColumnSums(x + range.lowerBound, rows, ld, range.count, sum + range.lowerBound)
            }
        }
        let shareColumnProducts: @Sendable (In, In, Int, Int, Int, Out, Out) -> Void = {
            x, y, rows, ld, columns, products, sums in
            team.ranges(columns, unit: 16, least: Self.leastElements / max(1, rows) + 1) { range, _ in
                let at = range.lowerBound
                alone.addColumnProducts(x + at, y + at, rows, ld, range.count, products + at, sums + at)
            }
        }
        shared.addColumnProducts = shareColumnProducts
        shared.layerNorm = { x, gamma, beta, epsilon, rows, columns, y, xhat, rstd in
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, _ in
                let at = range.lowerBound * columns
                alone.layerNorm(
                    x + at, gamma, beta, epsilon, range.count, columns, y + at, xhat + at, rstd + range.lowerBound)
            }
        }
        shared.layerNormBackward = { dy, xhat, rstd, gamma, rows, columns, dx, dgamma, dbeta in
            guard rows * columns > Self.leastElements else {
                return alone.layerNormBackward(dy, xhat, rstd, gamma, rows, columns, dx, dgamma, dbeta)
            }
            // Sums over rows before dx, which may overwrite dy; those of the row pass go to scratch.
            shareColumnProducts(dy, xhat, rows, columns, columns, dgamma, dbeta)
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, worker in
                let at = range.lowerBound * columns
                let unused = scratch.part(worker)
                alone.layerNormBackward(
                    dy + at, xhat + at, rstd + range.lowerBound, gamma, range.count, columns, dx + at, unused,
                    unused + columns)
            }
        }
        shared.biasGelu = { x, bias, rows, columns, y in
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, _ in
                let at = range.lowerBound * columns
                alone.biasGelu(x + at, bias, range.count, columns, y + at)
            }
        }
        shared.geluBackward = { dy, x, count, dx in
            team.ranges(count, unit: 16, least: Self.leastElements) { range, _ in
                let at = range.lowerBound
                alone.geluBackward(dy + at, x + at, range.count, dx + at)
            }
        }
        shared.dropoutAdd = { x, base, count, rate, stream, counter, y in
            team.ranges(count, unit: 16, least: Self.leastElements) { range, _ in
                let at = range.lowerBound
                alone.dropoutAdd(
                    x + at, base.map { $0 + at }, range.count, rate, stream, counter &+ UInt64(at), y + at)
            }
        }
        shared.adamW = { p, g, m, v, count, step in
            team.ranges(count, unit: 16, least: Self.leastElements) { range, _ in
                let at = range.lowerBound
                alone.adamW(p + at, g + at, m + at, v + at, range.count, step)
            }
        }
        shared.shareFamilies(alone, team, scratch)
        return shared
    }

    /// The kernels that only some backbones and losses use.
    private mutating func shareFamilies(_ alone: Kernels, _ team: WorkerTeam, _ scratch: TeamScratch) {
        rmsNorm = { x, gamma, epsilon, rows, columns, y, xhat, scales in
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, _ in
                let at = range.lowerBound * columns
                alone.rmsNorm(
                    x + at, gamma, epsilon, range.count, columns, y + at, xhat + at, scales + range.lowerBound)
            }
        }
        rmsNormBackward = { dy, xhat, scales, gamma, rows, columns, dx, dgamma in
            guard rows * columns > Self.leastElements else {
                return alone.rmsNormBackward(dy, xhat, scales, gamma, rows, columns, dx, dgamma)
            }
            team.ranges(columns, unit: 16, least: Self.leastElements / max(1, rows) + 1) { range, worker in
                let at = range.lowerBound
                alone.addColumnProducts(
                    dy + at, xhat + at, rows, columns, range.count, dgamma + at, scratch.part(worker))
            }
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, worker in
                let at = range.lowerBound * columns
                alone.rmsNormBackward(
                    dy + at, xhat + at, scales + range.lowerBound, gamma, range.count, columns, dx + at,
                    scratch.part(worker))
            }
        }
        for path in [\Kernels.biasGeluTanh, \Kernels.biasSilu] {
            let one = alone[keyPath: path]
            self[keyPath: path] = { x, bias, rows, columns, y in
                team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, _ in
                    let at = range.lowerBound * columns
                    one(x + at, bias, range.count, columns, y + at)
                }
            }
        }
        for path in [\Kernels.geluTanhBackward, \Kernels.siluBackward] {
            let one = alone[keyPath: path]
            self[keyPath: path] = { dy, x, count, dx in
                team.ranges(count, unit: 16, least: Self.leastElements) { range, _ in
                    let at = range.lowerBound
                    one(dy + at, x + at, range.count, dx + at)
                }
            }
        }
        swiGLU = { x, rows, columns, y in
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, _ in
                let at = range.lowerBound * columns
                alone.swiGLU(x + 2 * at, range.count, columns, y + at)
            }
        }
        swiGLUBackward = { dy, x, rows, columns, dx in
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, _ in
                let at = range.lowerBound * columns
                alone.swiGLUBackward(dy + at, x + 2 * at, range.count, columns, dx + 2 * at)
            }
        }
        multiply = { a, lda, b, ldb, rows, columns, y, ldy in
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, columns) + 1) { range, _ in
                let at = range.lowerBound
                alone.multiply(a + at * lda, lda, b + at * ldb, ldb, range.count, columns, y + at * ldy, ldy)
            }
        }
        rotary = { x, ld, rows, heads, width, cosines, sines, direction in
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, heads * width) + 1) { range, _ in
                let at = range.lowerBound
                alone.rotary(
                    x + at * ld, ld, range.count, heads, width, cosines + at * (width / 2), sines + at * (width / 2),
                    direction)
            }
        }
        rankCounts = { h, rows, dim, e, items, thresholds, greater, equal, callerScratch in
            guard team.threads > 1, items * rows * dim > Self.leastOperations else {
                return alone.rankCounts(h, rows, dim, e, items, thresholds, greater, equal, callerScratch)
            }
            // Items are counted apart, with the same rows: counts add up exactly.
            let counts = TeamCounts(threads: team.threads, rows: rows, dim: dim)
            team.ranges(items, unit: 240, least: 240) { range, worker in
                counts.add(worker) { above, same, scratch in
                    alone.rankCounts(
                        h, rows, dim, e + range.lowerBound * dim, range.count, thresholds, above, same, scratch)
                }
            }
            return counts.total(greater, equal)
        }
        adamWRows = { p, g, m, v, dim, which, count, step in
            team.ranges(count, unit: 1, least: Self.leastElements / max(1, dim) + 1) { range, _ in
                alone.adamWRows(p, g, m, v, dim, which + range.lowerBound, range.count, step)
            }
        }
        catchUpRows = { p, m, v, dim, which, count, factors in
            team.ranges(count, unit: 1, least: Self.leastElements / max(1, dim) + 1) { range, _ in
                let at = range.lowerBound
                alone.catchUpRows(p, m, v, dim, which + at, range.count, factors + 5 * at)
            }
        }
        gatherScores = { h, rows, dim, e, targets, negatives, perRow, stride, targetScores, scores in
            team.ranges(rows, unit: 1, least: Self.leastElements / max(1, dim * (perRow + 1)) + 1) { range, _ in
                let at = range.lowerBound
                alone.gatherScores(
                    h + at * dim, range.count, dim, e, targets + at, negatives + at * perRow, perRow, stride,
                    targetScores + at, scores + at * stride)
            }
        }
    }

    /// Multiplications below which a piece of a product is not worth handing out.
    private static let leastOperations = 1 << 18
    /// Elements below which a piece of a sweep is not worth handing out.
    private static let leastElements = 1 << 13
}
