internal import Glibc

/// How the rows of a softmax cross-entropy are cut into chunks, where the scratch of a chunk lies, and how a team shares it.
struct CrossEntropyPlan {
    private let dim: Int
    private let items: Int
    private let team: WorkerTeam
    private let mostRows: Int
    private let gemm: Kernels.Out
    let probabilities: Kernels.Out
    let transposed: Kernels.Out
    let gradient: Kernels.Out
    let scaled: Kernels.Out
    let sums: Kernels.Out
    let targetScores: Kernels.Out
    let shifts: Kernels.Out

    /// Lays the parts out in `scratch`, which has `Kernels.crossEntropyScratch` floats.
    init(dim: Int, items: Int, team: WorkerTeam, scratch: Kernels.Out) {
        self.dim = dim
        self.items = items
        self.team = team
        mostRows = Kernels.crossEntropyRows(items: items, threads: team.threads)
        var parts = Self.sizes(dim: dim, items: items, threads: team.threads)[...]
        var end = scratch
        func part() -> Kernels.Out {
            defer { end += parts.removeFirst() }
            return end
        }
        gemm = part()
        probabilities = part()
        transposed = part()
        gradient = part()
        scaled = part()
        sums = part()
        targetScores = part()
        shifts = part()
    }

    /// Floats of each part of the scratch, in their order: from here both its size and its layout.
    static func sizes(dim: Int, items: Int, threads: Int) -> [Int] {
        let rows = Kernels.crossEntropyRows(items: items, threads: threads)
        return [
            Kernels.gemmScratch * threads, rows * items, rows * dim, rows * dim, rows * dim, rows, rows, rows,
        ]
    }

    /// Computes what concerns positions alone, for a range of a chunk's in whole 32s; `largest` is the largest norm of an item.
    typealias Positions = (
        _ plan: CrossEntropyPlan, _ rows: Range<Int>, _ chunk: Chunk, _ largest: Float
    ) -> Void

    /// Adds a chunk to the gradient of a range of items. scratch: `Kernels.gemmScratch` floats.
    typealias Items = (
        _ plan: CrossEntropyPlan, _ items: Range<Int>, _ chunk: Chunk, _ scratch: Kernels.Out
    ) -> Void

    /// Rows that are computed together.
    struct Chunk {
        var h: Kernels.In
        var rows: Int
        var targets: UnsafePointer<Int32>
        var dh: Kernels.Out
    }

    /// Runs all chunks and returns the loss. Positions do not depend on each other, nor do items: that is where each chunk
    /// is cut for the team, so that every sum has one order.
    func run(
        _ h: Kernels.In, _ rows: Int, _ e: Kernels.In, _ targets: UnsafePointer<Int32>, _ dh: Kernels.Out,
        largestNorm: (Kernels.In, Int, Int) -> Float, positions: Positions, items gradient: Items,
        targets subtractTargets: (Range<Int>) -> Void
    ) -> Double {
        let largest = largestNorm(e, items, dim)
        // Chunks of nearly equal size in whole groups, as many in each for every thread: each costs a pass over the items,
        // however few rows it has.
        let unit = 32 * team.threads
        let units = (rows + unit - 1) / unit
        let chunks = max(1, (unit * units + mostRows - 1) / mostRows)
        var loss = 0.0
        for number in 0..<chunks {
            let start = units * number / chunks * unit
            let end = min(units * (number + 1) / chunks * unit, rows)
            let chunk = Chunk(
                h: h + start * dim, rows: end - start, targets: targets + start, dh: dh + start * dim)
            team.ranges(chunk.rows, unit: 32, least: 32) { rows, _ in positions(self, rows, chunk, largest) }
            team.ranges(items, unit: 12, least: Self.leastItems) { items, worker in
                gradient(self, items, chunk, gemm + worker * Kernels.gemmScratch)
            }
            for row in 0..<chunk.rows {
                let shift = Double(shifts[row]) * 0.693_147_180_559_945_3
                loss += log(Double(sums[row])) + shift - Double(targetScores[row])
            }
        }
        // At the end, so that the order of an item's terms does not depend on how the rows were cut.
        team.ranges(items, unit: 1, least: Self.leastItems) { items, _ in subtractTargets(items) }
        return loss
    }

    /// Items below which a piece of their gradient is not worth handing out.
    private static let leastItems = 240
}
