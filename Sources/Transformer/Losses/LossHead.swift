internal import Domain
internal import Kernels

/// What a loss is computed from and where its gradients go; T positions, V items, d dimension.
struct LossInput {
    var batch: JaggedBatch
    /// Of each position for the losses that draw so, else of the batch.
    var negatives: [Int32]
    /// [T, d]
    var hidden: Kernels.In
    /// [V, d]
    var items: Kernels.In
    /// [T, d], overwritten.
    var dHidden: Kernels.Out
    /// [V, d], added to.
    var dItems: Kernels.Out
}

/// A training objective: from hidden states to a mean loss and the gradient of that mean.
protocol LossHead: AnyObject {
    func lossAndGradient(_ input: LossInput) -> Double
}

extension Loss {
    /// The objective for a catalogue. `proposal` is what the negatives of `sampledSoftmax` are drawn from.
    func head(dim: Int, items: Int, options: TrainingOptions, proposal: ItemProposal, kernels: Kernels) -> any LossHead
    {
        switch self {
        case .cce, .ce: CatalogueLoss(dim: dim, items: items, onlyLast: self == .ce, kernels)
        case .bce: BinaryLoss(dim: dim, negatives: options.negatives, kernels)
        case .bpr: PairwiseLoss(.bpr, dim: dim, negatives: options.negatives, kernels)
        case .top1: PairwiseLoss(.top1, dim: dim, negatives: options.negatives, kernels)
        case .bprMax: PairwiseLoss(.bprMax, dim: dim, negatives: options.negatives, kernels)
        case .top1Max: PairwiseLoss(.top1Max, dim: dim, negatives: options.negatives, kernels)
        case .gbce:
            PairwiseLoss(
                .calibrated, dim: dim, negatives: options.negatives,
                beta: PairwiseLoss.beta(items: items, negatives: options.negatives, t: options.calibration), kernels)
        case .sampledSoftmax:
            SampledSoftmaxLoss(dim: dim, negatives: options.negatives, proposal: proposal, kernels)
        }
    }

    /// Words that the objective and its negatives hold beside parameters and activations, for batches of `positions`.
    func headFloats(dim: Int, items: Int, positions: Int, negatives: Int) -> Int {
        switch self {
        case .cce, .ce: Kernels.crossEntropyScratch(dim: dim, items: items)
        case .bce: positions * negatives
        case .bpr, .top1, .bprMax, .top1Max, .gbce: PairwiseLoss.floats(negatives: negatives) + positions * negatives
        case .sampledSoftmax:
            SampledSoftmaxLoss.floats(dim: dim, negatives: negatives) + ItemProposal.floats(items: items)
        }
    }
}

/// Floats between the rows of a matrix of scores: whole vectors.
func scoreStride(_ columns: Int) -> Int { (columns + 15) / 16 * 16 }
