package import Domain
internal import Interactions
package import Kernels

/// Forward pass, loss, backward pass and AdamW update of one batch of users.
package final class TrainingStep {
    package let model: SASRec
    package let options: TrainingOptions
    package let gradient: FloatBuffer
    package let firstMoment: FloatBuffer
    package let secondMoment: FloatBuffer
    private let kernels: Kernels
    private let items: Int
    private var headScratch = FloatBuffer(0)
    private var dHidden = FloatBuffer(0)

    package init(_ configuration: Configuration, items: Int, options: TrainingOptions, kernels: Kernels = .best) {
        let table = ParameterTable(configuration, items: items)
        model = SASRec(
            configuration, items: items, parameters: FloatBuffer(table.count), dropout: options.dropout,
            kernels: kernels)
        self.options = options
        self.kernels = kernels
        self.items = items
        gradient = FloatBuffer(table.count)
        firstMoment = FloatBuffer(table.count)
        secondMoment = FloatBuffer(table.count)
        if configuration.loss == .cce {
            headScratch = FloatBuffer(Kernels.crossEntropyScratch(dim: configuration.dim, items: items))
        }
    }

    /// Mean loss over the batch's positions; fills `gradient`. `negatives` has `options.negatives` items a position for bce.
    package func lossAndGradient(_ batch: JaggedBatch, negatives: [Int32], dropoutKey: UInt64?) -> Double {
        let d = model.configuration.dim
        if dHidden.count < batch.count * d { dHidden = FloatBuffer((batch.count + batch.count / 16) * d) }
        gradient.clear()
        let hidden = model.forward(batch, dropoutKey: dropoutKey)
        let e = UnsafePointer(model.parameters.p + model.table.item)
        let de = gradient.p + model.table.item
        let scale = 1 / Float(batch.count)
        let sum: Double
        switch model.configuration.loss {
        case .cce:
            sum = kernels.linearCrossEntropy(
                hidden, batch.count, d, e, items, batch.targets, scale, dHidden.p, de, headScratch.p)
        case .bce:
            sum = kernels.linearBinaryCrossEntropy(
                hidden, batch.count, d, e, batch.targets, negatives, options.negatives, scale, dHidden.p, de)
        }
        model.backward(batch, dropoutKey: dropoutKey, dHidden.p, gradient: gradient)
        return sum / Double(batch.count)
    }

    /// AdamW with decoupled weight decay on every parameter; `step` counts from 1.
    package func update(step: Int) {
        let o = options
        if o.clipNorm > 0 {
            let norm = kernels.sumOfSquares(gradient.p, gradient.count).squareRoot()
            if norm > o.clipNorm {
                let factor = Float(o.clipNorm / norm)
                for i in 0..<gradient.count { gradient.p[i] *= factor }
            }
        }
        let adam = Kernels.AdamStep(
            learningRate: Float(o.learningRate), beta1: Float(o.beta1), beta2: Float(o.beta2),
            epsilon: Float(o.epsilon), weightDecay: Float(o.weightDecay),
            correction1: Float(1 - power(o.beta1, step)), correction2: Float(1 - power(o.beta2, step)))
        kernels.adamW(model.parameters.p, gradient.p, firstMoment.p, secondMoment.p, gradient.count, adam)
    }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0
        var square = base
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result *= square }
            square *= square
            rest >>= 1
        }
        return result
    }
}

/// Draws negatives: uniform over the items, drawn again while in the user's whole history.
struct NegativeSampler {
    private let corpus: Corpus
    /// The last user in whose history an item was marked.
    private var mark: [Int32]

    /// A history may hold nearly every item; then the last draw stands.
    private static let attempts = 100

    init(_ corpus: Corpus) {
        self.corpus = corpus
        mark = [Int32](repeating: -1, count: corpus.itemCount)
    }

    mutating func draw(_ count: Int, for user: Int32, _ random: inout RandomStream, into negatives: inout [Int32]) {
        for item in corpus.items(of: Int(user)) { mark[Int(item)] = user }
        for _ in 0..<count {
            var item = random.below(corpus.itemCount)
            var attempt = 1
            while mark[item] == user, attempt < Self.attempts {
                item = random.below(corpus.itemCount)
                attempt += 1
            }
            negatives.append(Int32(item))
        }
    }
}
