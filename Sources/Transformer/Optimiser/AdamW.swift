internal import Domain
internal import Kernels

/// AdamW over the parameters of a model, with the gradient and the moments.
///
/// Where a loss touches few items, only their rows of the item embeddings are updated and cleared, and what steps without a
/// gradient would have done to a row is caught up with before it is read (`CatchUp`). So a step costs what it touches.
final class AdamW {
    let gradient: FloatBuffer
    let firstMoment: FloatBuffer
    let secondMoment: FloatBuffer
    /// The step each item's row stands at, as the bits of a UInt32; empty when every row is updated at every step.
    let rowSteps: FloatBuffer
    /// Steps done.
    private(set) var steps = 0

    private struct Segment {
        var offset: Int
        var count: Int
        var factor: Double
    }

    private let parameters: FloatBuffer
    private let options: TrainingOptions
    private let rate: LearningRate
    private let kernels: Kernels
    private let dim: Int
    private let items: Int
    /// Start of the item embeddings.
    private let itemOffset: Int
    /// All parameters in order; without the item embeddings when those are updated by rows.
    private var segments: [Segment] = []
    private let hiddenFactor: Double
    private var catchUp: CatchUp?
    /// Rows of the batch in progress, each once, and the batch that first named each.
    private var touched: [Int32] = []
    private var mark: [UInt32] = []
    private var batch: UInt32 = 0
    private var factors: [Float] = []

    init(
        _ model: any SequenceModel, options: TrainingOptions, rate: LearningRate, kernels: Kernels
    ) {
        let table = model.table
        parameters = model.parameters
        self.options = options
        self.rate = rate
        self.kernels = kernels
        dim = model.configuration.dim
        items = model.items
        itemOffset = table.item
        hiddenFactor = Width(options.widthRule, dim: dim).hiddenRate
        gradient = FloatBuffer(table.count)
        firstMoment = FloatBuffer(table.count)
        secondMoment = FloatBuffer(table.count)
        let sparse = options.itemUpdate == .sparse && !model.configuration.loss.scoresCatalogue
        catchUp = sparse ? CatchUp(options, rate: rate) : nil
        rowSteps = FloatBuffer(catchUp == nil ? 0 : items)
        if catchUp != nil { mark = [UInt32](repeating: 0, count: items) }
        for entry in table.entries where catchUp == nil || entry.offset != itemOffset {
            let factor = entry.offset == itemOffset ? options.itemRate : Width.isHidden(entry) ? hiddenFactor : 1
            if let last = segments.last, last.factor == factor, last.offset + last.count == entry.offset {
                segments[segments.count - 1].count += entry.count
            } else {
                segments.append(Segment(offset: entry.offset, count: entry.count, factor: factor))
            }
        }
    }

    /// Whether only touched rows of the item embeddings are updated.
    var isSparse: Bool { catchUp != nil }

    /// Goes on as after `steps` steps; moments, parameters and `rowSteps` have been read from a checkpoint.
    func resume(after steps: Int) { self.steps = steps }

    /// Clears the gradient and brings the rows that a batch reads up to date.
    func begin(_ lists: [Int32]...) {
        guard isSparse else {
            gradient.clear()
            return
        }
        for segment in segments { (gradient.p + segment.offset).update(repeating: 0, count: segment.count) }
        kernels.clearRows(gradient.p + itemOffset, dim, touched, touched.count)
        touched.removeAll(keepingCapacity: true)
        batch &+= 1
        for list in lists {
            for item in list where mark[Int(item)] != batch {
                mark[Int(item)] = batch
                touched.append(item)
            }
        }
        bringUpToDate(touched)
    }

    /// Brings every row to the last step: before all of them are read.
    func settle() {
        if isSparse { bringUpToDate(Array(0..<Int32(items))) }
    }

    private func bringUpToDate(_ rows: [Int32]) {
        catchUp?.move(to: steps)
        var late: [Int32] = []
        // Growing would take as much again.
        late.reserveCapacity(rows.count)
        factors.removeAll(keepingCapacity: true)
        factors.reserveCapacity(5 * rows.count)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 5) { five in
            guard let f = five.baseAddress else { return }
            for row in rows {
                let last = Int(rowSteps.p[Int(row)].bitPattern)
                guard last < steps else { continue }
                rowSteps.p[Int(row)] = Float(bitPattern: UInt32(steps))
                // Without moments and decay nothing has happened to it.
                if last == 0, options.weightDecay == 0 { continue }
                catchUp?.factors(last, into: f)
                late.append(row)
                factors.append(contentsOf: five)
            }
        }
        kernels.catchUpRows(
            parameters.p + itemOffset, firstMoment.p + itemOffset, secondMoment.p + itemOffset, dim, late, late.count,
            factors)
    }

    /// One step; `step` counts from 1 and follows the one before.
    func update(step: Int) {
        clip()
        for segment in segments {
            let o = segment.offset
            kernels.adamW(
                parameters.p + o, gradient.p + o, firstMoment.p + o, secondMoment.p + o, segment.count,
                adam(step, segment.factor))
        }
        if isSparse {
            let o = itemOffset
            kernels.adamWRows(
                parameters.p + o, gradient.p + o, firstMoment.p + o, secondMoment.p + o, dim, touched, touched.count,
                adam(step, options.itemRate))
            for row in touched { rowSteps.p[Int(row)] = Float(bitPattern: UInt32(step)) }
        }
        steps = step
    }

    /// Cuts a gradient that is longer than `clipNorm` to it. Rows that were not touched are zero.
    private func clip() {
        guard options.clipNorm > 0 else { return }
        var squares = segments.reduce(0.0) { $0 + kernels.sumOfSquares(gradient.p + $1.offset, $1.count) }
        if isSparse {
            squares += touched.reduce(0.0) { $0 + kernels.sumOfSquares(gradient.p + itemOffset + Int($1) * dim, dim) }
        }
        let norm = squares.squareRoot()
        guard norm > options.clipNorm else { return }
        let factor = Float(options.clipNorm / norm)
        for segment in segments {
            for i in segment.offset..<segment.offset + segment.count { gradient.p[i] *= factor }
        }
        guard isSparse else { return }
        for row in touched {
            let start = itemOffset + Int(row) * dim
            for i in start..<start + dim { gradient.p[i] *= factor }
        }
    }

    /// The constants of a step. Where the rule scales the rate, it leaves rate times decay as it is.
    private func adam(_ step: Int, _ factor: Double) -> Kernels.AdamStep {
        Kernels.AdamStep(
            learningRate: Float(rate.rate(step) * factor), beta1: Float(options.beta1), beta2: Float(options.beta2),
            epsilon: Float(options.epsilon), weightDecay: Float(options.weightDecay / factor),
            correction1: Float(1 - power(options.beta1, step)), correction2: Float(1 - power(options.beta2, step)))
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
