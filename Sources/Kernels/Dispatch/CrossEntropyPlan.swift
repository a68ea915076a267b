internal import Glibc

/// How the rows of a softmax cross-entropy are cut into chunks, and where the scratch of a chunk lies.
struct CrossEntropyPlan {
    private let dim: Int
    private let items: Int
    private let mostRows: Int
    let gemm: Kernels.Out
    let probabilities: Kernels.Out
    let transposed: Kernels.Out
    let gradient: Kernels.Out
    let scaled: Kernels.Out
    let sums: Kernels.Out
    let targetScores: Kernels.Out
    let shifts: Kernels.Out

    /// Lays the parts out in `scratch`, which has `Kernels.crossEntropyScratch` floats.
    init(dim: Int, items: Int, scratch: Kernels.Out) {
        self.dim = dim
        self.items = items
        mostRows = Kernels.crossEntropyRows(items: items)
        var parts = Self.sizes(dim: dim, items: items)[...]
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
    static func sizes(dim: Int, items: Int) -> [Int] {
        let rows = Kernels.crossEntropyRows(items: items)
        return [Kernels.gemmScratch, rows * items, rows * dim, rows * dim, rows * dim, rows, rows, rows]
    }

    /// Computes what concerns the positions of a chunk alone; `largest` is the largest norm of an item.
    typealias Positions = (_ plan: CrossEntropyPlan, _ chunk: Chunk, _ largest: Float) -> Void

    /// Adds a chunk to the gradient of the items.
    typealias Items = (_ plan: CrossEntropyPlan, _ chunk: Chunk) -> Void

    /// Rows that are computed together.
    struct Chunk {
        var h: Kernels.In
        var rows: Int
        var targets: UnsafePointer<Int32>
        var dh: Kernels.Out
    }

    /// Runs all chunks and returns the loss.
    func run(
        _ h: Kernels.In, _ rows: Int, _ e: Kernels.In, _ targets: UnsafePointer<Int32>, _ dh: Kernels.Out,
        largestNorm: (Kernels.In, Int, Int) -> Float, positions: Positions, items gradient: Items,
        targets subtractTargets: () -> Void
    ) -> Double {
        let largest = largestNorm(e, items, dim)
        // Chunks of nearly equal size in whole groups: each costs a pass over the items, however few rows it has.
        let unit = 32
        let units = (rows + unit - 1) / unit
        let chunks = max(1, (unit * units + mostRows - 1) / mostRows)
        var loss = 0.0
        for number in 0..<chunks {
            let start = units * number / chunks * unit
            let end = min(units * (number + 1) / chunks * unit, rows)
            let chunk = Chunk(
                h: h + start * dim, rows: end - start, targets: targets + start, dh: dh + start * dim)
            if chunk.rows > 0 { positions(self, chunk, largest) }
            gradient(self, chunk)
            for row in 0..<chunk.rows {
                let shift = Double(shifts[row]) * 0.693_147_180_559_945_3
                loss += log(Double(sums[row])) + shift - Double(targetScores[row])
            }
        }
        // At the end, so that the order of an item's terms does not depend on how the rows were cut.
        subtractTargets()
        return loss
    }
}
