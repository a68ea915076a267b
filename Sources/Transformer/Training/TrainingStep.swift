package import Domain
package import Kernels

/// Forward pass, loss, backward pass and AdamW update of one batch of users.
package final class TrainingStep {
    package let model: any SequenceModel
    package let options: TrainingOptions
    private let optimiser: AdamW
    private let head: any LossHead
    private let width: Width
    private var dHidden = FloatBuffer(0)
    /// Hidden states times the width rule's factor of the scores; empty without one.
    private var scaledHidden = FloatBuffer(0)

    /// - Parameter proposal: what the negatives of `sampledSoftmax` are drawn from; uniform by default.
    /// - Parameter stepsPerEpoch: what warm-up and schedule count by; without it the rate is constant.
    package init(
        _ configuration: Configuration, items: Int, options: TrainingOptions, proposal: ItemProposal? = nil,
        stepsPerEpoch: Int = 0, kernels: Kernels = .best
    ) {
        let table = ParameterTable(configuration, items: items)
        model = configuration.model.init(
            configuration, items: items, parameters: FloatBuffer(table.count),
            dropout: options.dropout * Width(options.widthRule, dim: configuration.dim).dropout,
            kernels: kernels)
        self.options = options
        width = Width(options.widthRule, dim: configuration.dim)
        optimiser = AdamW(
            model, options: options, rate: LearningRate(options, dim: configuration.dim, stepsPerEpoch: stepsPerEpoch),
            kernels: kernels)
        head = configuration.loss.head(
            dim: configuration.dim, items: items, options: options,
            proposal: proposal ?? ItemProposal(uniform: items), kernels: kernels)
    }

    package var gradient: FloatBuffer { optimiser.gradient }

    /// What besides the parameters a continuation needs, in a fixed order.
    package var optimiserState: [FloatBuffer] {
        [optimiser.firstMoment, optimiser.secondMoment] + (optimiser.isSparse ? [optimiser.rowSteps] : [])
    }

    /// Initial parameters of a seed.
    package func initialise(seed: UInt64) {
        model.table.initialise(
            model.parameters, seed: seed, deviation: options.initialDeviation, initialisation: options.initialisation,
            layers: model.configuration.layers)
        guard width.hiddenScale != 1 else { return }
        for entry in model.table.entries where Width.isHidden(entry) {
            for i in entry.offset..<entry.offset + entry.count { model.parameters.p[i] *= width.hiddenScale }
        }
    }

    /// Goes on as after `steps` steps, with parameters and `optimiserState` as they were then.
    package func resume(after steps: Int) { optimiser.resume(after: steps) }

    /// Whether only touched rows of the item embeddings are updated.
    package var isSparse: Bool { optimiser.isSparse }

    /// Brings all parameters up to date, which between steps only those are that the last batch touched.
    package func settle() { optimiser.settle() }

    /// Mean loss over the batch's positions; fills `gradient`. `negatives` has `options.negatives` items a position, or in all
    /// for `sampledSoftmax`.
    package func lossAndGradient(_ batch: JaggedBatch, negatives: [Int32], dropoutKey: UInt64?) -> Double {
        let d = model.configuration.dim
        if dHidden.count < batch.count * d { dHidden = FloatBuffer((batch.count + batch.count / 16) * d) }
        optimiser.begin(batch.inputs, batch.targets, negatives)
        let hidden = UnsafePointer(model.forward(batch, dropoutKey: dropoutKey))
        let loss = head.lossAndGradient(
            LossInput(
                batch: batch, negatives: negatives, hidden: scaled(hidden, batch.count * d),
                items: UnsafePointer(model.parameters.p + model.table.item), dHidden: dHidden.p,
                dItems: gradient.p + model.table.item))
        if width.scores != 1 {
            for i in 0..<batch.count * d { dHidden.p[i] *= width.scores }
        }
        model.backward(batch, dropoutKey: dropoutKey, dHidden.p, gradient: gradient)
        return loss
    }

    private func scaled(_ hidden: UnsafePointer<Float>, _ count: Int) -> UnsafePointer<Float> {
        guard width.scores != 1 else { return hidden }
        if scaledHidden.count < count { scaledHidden = FloatBuffer(count + count / 16) }
        for i in 0..<count { scaledHidden.p[i] = hidden[i] * width.scores }
        return UnsafePointer(scaledHidden.p)
    }

    /// AdamW with decoupled weight decay on every parameter; `step` counts from 1.
    package func update(step: Int) { optimiser.update(step: step) }
}
