internal import Glibc
internal import Kernels

/// Softmax cross-entropy against negatives that the whole batch shares.
///
/// n items are drawn with replacement, item j with probability Q(j). Σ over the draws that are not the target of
/// e^s(j) / (n Q(j)) estimates the sum over all other items without bias, so each draw's score is lowered by ln(n Q(j)). The
/// target is not drawn and not corrected (Bengio and Senécal 2008; arXiv 2507.09331).
final class SampledSoftmaxLoss: LossHead {
    private let dim: Int
    private let count: Int
    private let proposal: ItemProposal
    private let kernels: Kernels
    private let stride: Int
    private let drawn: FloatBuffer, scaledDrawn: FloatBuffer, dDrawn: FloatBuffer
    private let scores: FloatBuffer
    private let scaledHidden: FloatBuffer
    private let targetScores: FloatBuffer
    private let scratch: FloatBuffer
    private let gemmScratch = FloatBuffer(Kernels.gemmScratch)

    /// Positions in progress at once.
    private static let chunk = 192

    init(dim: Int, negatives: Int, proposal: ItemProposal, _ kernels: Kernels) {
        self.dim = dim
        count = negatives
        self.proposal = proposal
        self.kernels = kernels
        stride = scoreStride(negatives)
        drawn = FloatBuffer(negatives * dim)
        scaledDrawn = FloatBuffer(negatives * dim)
        dDrawn = FloatBuffer(negatives * dim)
        scores = FloatBuffer(Self.chunk * stride)
        scaledHidden = FloatBuffer(Self.chunk * dim)
        targetScores = FloatBuffer(Self.chunk)
        scratch = FloatBuffer(2 * Self.chunk)
    }

    static func floats(dim: Int, negatives: Int) -> Int {
        3 * negatives * dim + chunk * (scoreStride(negatives) + dim + 3) + Kernels.gemmScratch
    }

    func lossAndGradient(_ x: LossInput) -> Double {
        let T = x.batch.count
        let scale = 1 / Float(T)
        let corrections = x.negatives.map { Float(log(Double(count) * proposal.probability($0))) }
        kernels.gatherRows(x.items, dim, x.negatives, count, drawn.p)
        // The mean over positions is taken in copies that are small, not in the slopes.
        for i in 0..<count * dim { scaledDrawn.p[i] = drawn.p[i] * scale }
        dDrawn.clear()
        var sum = 0.0
        x.batch.targets.withUnsafeBufferPointer { targets in
            guard let targets = targets.baseAddress else { return }
            for start in Swift.stride(from: 0, to: T, by: Self.chunk) {
                let rows = min(Self.chunk, T - start)
                let h = x.hidden + start * dim
                let dh = x.dHidden + start * dim
                kernels.gemm(.nt, rows, count, dim, h, dim, drawn.p, dim, scores.p, stride, false, gemmScratch.p)
                kernels.gatherScores(h, rows, dim, x.items, targets + start, targets, 0, 0, targetScores.p, scores.p)
                sum += kernels.sampledSoftmaxSlopes(
                    targetScores.p, scores.p, rows, count, stride, targets + start, x.negatives, corrections,
                    scratch.p)
                for i in 0..<rows * dim { scaledHidden.p[i] = h[i] * scale }
                kernels.gemm(
                    .nn, rows, dim, count, scores.p, stride, scaledDrawn.p, dim, dh, dim, false, gemmScratch.p)
                kernels.gemm(
                    .tn, count, dim, rows, scores.p, stride, scaledHidden.p, dim, dDrawn.p, dim, true, gemmScratch.p)
                kernels.scatterSlopes(
                    h, rows, dim, x.items, targets + start, targets, 0, 0, targetScores.p, scores.p, scale, true, dh,
                    x.dItems)
            }
        }
        kernels.addRows(dDrawn.p, dim, x.negatives, count, x.dItems)
        return sum / Double(T)
    }
}
