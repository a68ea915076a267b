internal import Glibc

/// How the rows of a softmax cross-entropy are cut into chunks, and where the scratch of a chunk lies.
struct CrossEntropyPlan {
    let dim: Int
    let items: Int
    let chunkRows: Int
    let gemm: Kernels.Out
    let packedGradient: Kernels.Out
    let probabilities: Kernels.Out
    let scaled: Kernels.Out
    let sums: Kernels.Out
    let targetScores: Kernels.Out
    let shifts: Kernels.Out

    /// Largest |logit| for which e^logit summed over any catalogue stays far inside the range of a float.
    private static let safeLogit: Float = 60

    /// Lays the parts out in `scratch`, which has `Kernels.crossEntropyScratch` floats.
    init(dim: Int, items: Int, scratch: Kernels.Out) {
        self.dim = dim
        self.items = items
        chunkRows = Kernels.crossEntropyRows(items: items)
        gemm = scratch
        packedGradient = gemm + Kernels.gemmScratch
        probabilities = packedGradient + Kernels.packedFloats(items: items, dim: dim)
        scaled = probabilities + chunkRows * max((items + 255) / 256 * 272, 32)
        sums = scaled + chunkRows * dim
        targetScores = sums + chunkRows
        shifts = targetScores + chunkRows
    }

    /// Runs all chunks and returns the loss. By Cauchy-Schwarz no logit exceeds |h| max|e|: while that is safe, the
    /// exponentials need no row maximum and the logits are touched once.
    func run(
        _ h: Kernels.In, _ rows: Int, _ e: Kernels.In, _ targets: UnsafePointer<Int32>, _ dh: Kernels.Out,
        _ de: Kernels.Out, largestNorm: (Kernels.In, Int, Int) -> Float,
        chunk: (CrossEntropyPlan, Kernels.In, Int, UnsafePointer<Int32>, Bool, Kernels.Out) -> Void,
        unpack: (Kernels.In) -> Void
    ) -> Double {
        packedGradient.update(repeating: 0, count: Kernels.packedFloats(items: items, dim: dim))
        let itemNorm = largestNorm(e, items, dim)
        var loss = 0.0
        var start = 0
        while start < rows {
            let count = min(chunkRows, rows - start)
            let bound = largestNorm(h + start * dim, count, dim) * itemNorm
            // Written so that a NaN asks for the maximum, and surfaces in the loss.
            chunk(self, h + start * dim, count, targets + start, !(bound <= Self.safeLogit), dh + start * dim)
            for row in 0..<count {
                loss += log(Double(sums[row])) + Double(shifts[row]) - Double(targetScores[row])
            }
            start += count
        }
        unpack(UnsafePointer(packedGradient))
        return loss
    }
}
