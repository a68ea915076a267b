internal import Glibc

/// How the rows of a softmax cross-entropy are cut into chunks, and where the scratch of a chunk lies.
struct CrossEntropyPlan {
    let dim: Int
    let items: Int
    let mostRows: Int
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
        gemm = scratch
        probabilities = gemm + Kernels.gemmScratch
        transposed = probabilities + mostRows * items
        gradient = transposed + mostRows * dim
        scaled = gradient + mostRows * dim
        sums = scaled + mostRows * dim
        targetScores = sums + mostRows
        shifts = targetScores + mostRows
    }

    /// Runs all chunks and returns the loss. `chunk` is given the largest |logit| that its rows can have, by Cauchy-Schwarz
    /// |h| max|e|.
    func run(
        _ h: Kernels.In, _ rows: Int, _ e: Kernels.In, _ targets: UnsafePointer<Int32>, _ dh: Kernels.Out,
        largestNorm: (Kernels.In, Int, Int) -> Float,
        chunk: (CrossEntropyPlan, Kernels.In, Int, UnsafePointer<Int32>, Float, Kernels.Out) -> Void
    ) -> Double {
        let itemNorm = largestNorm(e, items, dim)
        // Chunks of nearly equal size in whole groups: each costs a pass over the items, however few rows it has.
        let groups = (rows + 31) / 32
        let chunks = max(1, (32 * groups + mostRows - 1) / mostRows)
        var loss = 0.0
        for number in 0..<chunks {
            let start = groups * number / chunks * 32
            let count = min(groups * (number + 1) / chunks * 32, rows) - start
            let bound = largestNorm(h + start * dim, count, dim) * itemNorm
            chunk(self, h + start * dim, count, targets + start, bound, dh + start * dim)
            for row in 0..<count {
                let shift = Double(shifts[row]) * 0.693_147_180_559_945_3
                loss += log(Double(sums[row])) + shift - Double(targetScores[row])
            }
        }
        return loss
    }
}
