internal import Kernels

/// Binary cross-entropy against sampled negatives, in one pass.
final class BinaryLoss: LossHead {
    private let dim: Int
    private let negatives: Int
    private let kernels: Kernels

    init(dim: Int, negatives: Int, _ kernels: Kernels) {
        (self.dim, self.negatives, self.kernels) = (dim, negatives, kernels)
    }

    func lossAndGradient(_ x: LossInput) -> Double {
        kernels.linearBinaryCrossEntropy(
            x.hidden, x.batch.count, dim, x.items, x.batch.targets, x.negatives, negatives, 1 / Float(x.batch.count),
            x.dHidden, x.dItems) / Double(x.batch.count)
    }
}

/// A loss of the target's score against those of the position's own negatives: gather the scores, take the slopes, scatter.
final class PairwiseLoss: LossHead {
    private let loss: Kernels.PairLoss
    private let dim: Int
    private let negatives: Int
    private let beta: Float
    private let kernels: Kernels
    private let stride: Int
    private let chunk: Int
    private let scores: FloatBuffer
    private let targetScores: FloatBuffer
    private let scratch: FloatBuffer

    /// Scores in progress at once: few enough that the embeddings they come from are still in the cache on the way back.
    private static let chunkScores = 4_096
    private static func rows(_ negatives: Int) -> Int { max(1, chunkScores / scoreStride(negatives)) }

    init(_ loss: Kernels.PairLoss, dim: Int, negatives: Int, beta: Double = 1, _ kernels: Kernels) {
        self.loss = loss
        self.dim = dim
        self.negatives = negatives
        self.beta = Float(beta)
        self.kernels = kernels
        stride = scoreStride(negatives)
        chunk = Self.rows(negatives)
        scores = FloatBuffer(chunk * stride)
        targetScores = FloatBuffer(chunk)
        scratch = FloatBuffer(chunk)
    }

    static func floats(negatives: Int) -> Int { rows(negatives) * (scoreStride(negatives) + 2) }

    /// beta = alpha (t (1 - 1 / alpha) + 1 / alpha), alpha = n / (V - 1): arXiv 2308.07192, equation 9. No catalogue has fewer
    /// others than negatives for it: alpha is at most 1.
    static func beta(items: Int, negatives: Int, t: Double) -> Double {
        let alpha = min(1, Double(negatives) / Double(max(1, items - 1)))
        return alpha * (t * (1 - 1 / alpha) + 1 / alpha)
    }

    func lossAndGradient(_ x: LossInput) -> Double {
        let T = x.batch.count
        var sum = 0.0
        x.batch.targets.withUnsafeBufferPointer { targets in
            x.negatives.withUnsafeBufferPointer { items in
                guard let targets = targets.baseAddress, let items = items.baseAddress else { return }
                for start in Swift.stride(from: 0, to: T, by: chunk) {
                    let rows = min(chunk, T - start)
                    let h = x.hidden + start * dim
                    let which = items + start * negatives
                    kernels.gatherScores(
                        h, rows, dim, x.items, targets + start, which, negatives, stride, targetScores.p, scores.p)
                    sum += kernels.pairSlopes(
                        loss, beta, targetScores.p, scores.p, rows, negatives, stride, scratch.p)
                    kernels.scatterSlopes(
                        h, rows, dim, x.items, targets + start, which, negatives, stride, targetScores.p, scores.p,
                        1 / Float(T), false, x.dHidden + start * dim, x.dItems)
                }
            }
        }
        return sum / Double(T)
    }
}
