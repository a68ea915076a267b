internal import Domain
internal import Kernels

/// The operations that backbones are made of, over the parameters of one model.
///
/// Shapes in comments: T positions of a batch, d dimension, h heads.
final class Layers {
    /// Training mode's dropout: the key names the step's decisions. Rate 0 keeps everything.
    struct Dropping {
        var rate: Float
        var key: UInt64

        /// `layer` and `site` name the place in the network.
        func stream(_ layer: Int, _ site: UInt64) -> UInt64 { SplitMix64.mix(key &+ UInt64(layer) &* 8 &+ site) }
    }

    let kernels: Kernels
    private let configuration: Configuration
    private let parameters: FloatBuffer
    private let dropout: Float
    private let epsilon: Float
    private let gemmScratch = FloatBuffer(Kernels.gemmScratch)
    private var attentionScratch = FloatBuffer(0)
    /// The short sequences of the batch whose offsets `packed` are.
    private let packs = ShortPacks()
    private var packed: [Int] = [0]

    init(
        _ configuration: Configuration, _ parameters: FloatBuffer, dropout: Double, epsilon: Float, kernels: Kernels
    ) {
        self.configuration = configuration
        self.parameters = parameters
        self.dropout = Float(dropout)
        self.epsilon = epsilon
        self.kernels = kernels
    }

    private var d: Int { configuration.dim }
    private var width: Int { configuration.dim / configuration.heads }
    private var w: UnsafePointer<Float> { UnsafePointer(parameters.p) }

    func dropping(_ dropoutKey: UInt64?) -> Dropping {
        Dropping(rate: dropoutKey == nil ? 0 : dropout, key: dropoutKey ?? 0)
    }

    /// y = base + dropout(x), each of `count` numbers; may work in place.
    func drop(
        _ x: UnsafePointer<Float>, onto base: UnsafePointer<Float>? = nil, _ count: Int, _ dropping: Dropping,
        _ layer: Int, _ site: UInt64, _ y: UnsafeMutablePointer<Float>
    ) {
        if dropping.rate == 0, base == nil, x == UnsafePointer(y) { return }
        kernels.dropoutAdd(x, base, count, dropping.rate, dropping.stream(layer, site), 0, y)
    }

    /// y += x
    func add(_ x: UnsafePointer<Float>, _ count: Int, to y: UnsafeMutablePointer<Float>) {
        kernels.dropoutAdd(x, UnsafePointer(y), count, 0, 0, 0, y)
    }

    /// Leaves of x[T, d] the newest position of each sequence, in their order: [sequences, d].
    func keepNewest(_ batch: JaggedBatch, _ x: UnsafeMutablePointer<Float>) {
        for sequence in 0..<batch.sequences {
            let newest = batch.offsets[sequence + 1] - 1
            if newest != sequence { (x + sequence * d).update(from: x + newest * d, count: d) }
        }
    }

    // MARK: - Embedding

    /// x[t] = item[input], plus position[...] where `positions` tells its offset; the newest item of a sequence is at
    /// position L - 1.
    func embed(_ batch: JaggedBatch, items: Int, positions: Int?, into x: UnsafeMutablePointer<Float>) {
        let (d, w) = (d, w)
        eachPosition(batch) { t, item, position in
            let from = w + items + item * d
            guard let positions else {
                (x + t * d).update(from: from, count: d)
                return
            }
            let at = w + positions + position * d
            for c in 0..<d { x[t * d + c] = from[c] + at[c] }
        }
    }

    /// Adds the gradient of `embed` to that of the embeddings.
    func scatter(
        _ batch: JaggedBatch, _ dx: UnsafePointer<Float>, items: Int, positions: Int?, _ g: UnsafeMutablePointer<Float>
    ) {
        let d = d
        eachPosition(batch) { t, item, position in
            let to = g + items + item * d
            for c in 0..<d { to[c] += dx[t * d + c] }
            guard let positions else { return }
            let at = g + positions + position * d
            for c in 0..<d { at[c] += dx[t * d + c] }
        }
    }

    @inline(__always)
    private func eachPosition(
        _ batch: JaggedBatch, _ body: (_ t: Int, _ item: Int, _ position: Int) -> Void
    ) {
        for sequence in 0..<batch.sequences {
            let end = batch.offsets[sequence + 1]
            for t in batch.offsets[sequence]..<end {
                body(t, Int(batch.inputs[t]), configuration.maxLength - (end - t))
            }
        }
    }

    // MARK: - Norms

    /// y = norm(x); keeps the normalised values in `hat` (may be x) and their scale per row.
    func norm(
        _ x: UnsafePointer<Float>, _ T: Int, _ norm: Norm, _ y: UnsafeMutablePointer<Float>,
        _ hat: UnsafeMutablePointer<Float>, _ scales: UnsafeMutablePointer<Float>
    ) {
        if let bias = norm.bias {
            kernels.layerNorm(x, w + norm.weight, w + bias, epsilon, T, d, y, hat, scales)
        } else {
            kernels.rmsNorm(x, w + norm.weight, epsilon, T, d, y, hat, scales)
        }
    }

    /// dx = gradient of `norm` (may be dy); the parameters' gradients accumulate.
    func normBackward(
        _ dy: UnsafePointer<Float>, _ T: Int, _ norm: Norm, _ hat: UnsafePointer<Float>,
        _ scales: UnsafePointer<Float>, _ g: UnsafeMutablePointer<Float>, _ dx: UnsafeMutablePointer<Float>
    ) {
        if let bias = norm.bias {
            kernels.layerNormBackward(dy, hat, scales, w + norm.weight, T, d, dx, g + norm.weight, g + bias)
        } else {
            kernels.rmsNormBackward(dy, hat, scales, w + norm.weight, T, d, dx, g + norm.weight)
        }
    }

    // MARK: - Linear layers

    /// The bias of a layer that has one.
    func bias(_ linear: Linear) -> UnsafePointer<Float> {
        guard let bias = linear.bias else { preconditionFailure("the layer has no bias") }
        return w + bias
    }

    /// y[T, out] = x[T, in] W[in, out], of all outputs or some.
    func product(
        _ x: UnsafePointer<Float>, _ T: Int, _ linear: Linear, _ y: UnsafeMutablePointer<Float>,
        outputs: Range<Int>? = nil
    ) {
        let outputs = outputs ?? 0..<linear.outputs
        kernels.gemm(
            .nn, T, outputs.count, linear.inputs, x, linear.inputs, w + linear.weight + outputs.lowerBound,
            linear.outputs, y, outputs.count, false, gemmScratch.p)
    }

    /// y[T, out] = x[T, in] W[in, out] + bias, of all outputs or some.
    func linear(
        _ x: UnsafePointer<Float>, _ T: Int, _ linear: Linear, _ y: UnsafeMutablePointer<Float>,
        outputs: Range<Int>? = nil
    ) {
        product(x, T, linear, y, outputs: outputs)
        let outputs = outputs ?? 0..<linear.outputs
        if let bias = linear.bias { kernels.addBias(y, w + bias + outputs.lowerBound, T, outputs.count) }
    }

    /// dW += xᵀ dy, dBias += Σ dy, dx = (or +=) dy Wᵀ
    func linearBackward(
        _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ T: Int, _ linear: Linear,
        _ g: UnsafeMutablePointer<Float>, _ dx: UnsafeMutablePointer<Float>, accumulate: Bool = false
    ) {
        let (inputs, outputs) = (linear.inputs, linear.outputs)
        if let bias = linear.bias { kernels.addColumnSums(dy, T, outputs, outputs, g + bias) }
        kernels.gemm(
            .tn, inputs, outputs, T, x, inputs, dy, outputs, g + linear.weight, outputs, true, gemmScratch.p)
        kernels.gemm(
            .nt, T, inputs, outputs, dy, outputs, w + linear.weight, outputs, dx, inputs, accumulate, gemmScratch.p)
    }

    // MARK: - Attention

    /// Softmax attention of every sequence and head: queries, keys and values lie side by side in rows of 3 d.
    func attend(
        _ batch: JaggedBatch, _ queryKeyValue: UnsafePointer<Float>, _ dropping: Dropping, _ layer: Int, _ site: UInt64,
        weights: UnsafeMutablePointer<Float>, into attended: UnsafeMutablePointer<Float>
    ) {
        let (d, width, stream) = (d, width, dropping.stream(layer, site))
        let (scale, heads) = (1 / Float(width).squareRoot(), configuration.heads)
        eachPack(batch) { packs, scratch in
            kernels.shortAttention(
                queryKeyValue, queryKeyValue + d, queryKeyValue + 2 * d, 3 * d, heads, width, packs, scale,
                dropping.rate, stream, attended, d, scratch)
        }
        eachLongHead(batch) { start, n, head, place, scratch in
            let q = queryKeyValue + start * 3 * d + head * width
            kernels.attention(
                q, q + d, q + 2 * d, 3 * d, n, width, scale, dropping.rate, stream,
                UInt64(place), weights + place, attended + start * d + head * width, d, scratch)
        }
    }

    /// Softmax attention of the newest query of every sequence, q[sequences, d], over rows of keys and values, [T, 2 d].
    func attendNewest(
        _ batch: JaggedBatch, _ q: UnsafePointer<Float>, _ keyValue: UnsafePointer<Float>,
        into attended: UnsafeMutablePointer<Float>
    ) {
        let (d, width) = (d, width)
        eachNewestHead(batch) { sequence, start, n, head, scratch in
            let column = head * width
            let k = keyValue + start * 2 * d + column
            kernels.newestAttention(
                q + sequence * d + column, k, k + d, 2 * d, n, width, 1 / Float(width).squareRoot(),
                attended + sequence * d + column, scratch)
        }
    }

    /// Visits the heads of every sequence's newest query.
    @inline(__always)
    func eachNewestHead(
        _ batch: JaggedBatch,
        _ body: (_ sequence: Int, _ start: Int, _ n: Int, _ head: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void
    ) {
        let scratch = scratch(batch.longest + 16)
        for sequence in 0..<batch.sequences {
            for head in 0..<configuration.heads {
                body(sequence, batch.offsets[sequence], batch.length(sequence), head, scratch)
            }
        }
    }

    /// Scratch for attention of at least so many floats.
    private func scratch(_ needed: Int) -> UnsafeMutablePointer<Float> {
        if attentionScratch.count < needed { attentionScratch = FloatBuffer(needed) }
        return attentionScratch.p
    }

    /// Gradient of `attend` with respect to queries, keys and values.
    func attendBackward(
        _ batch: JaggedBatch, _ queryKeyValue: UnsafePointer<Float>, _ dropping: Dropping, _ layer: Int, _ site: UInt64,
        weights: UnsafePointer<Float>, _ dAttended: UnsafePointer<Float>,
        into dQueryKeyValue: UnsafeMutablePointer<Float>
    ) {
        let (d, width, stream) = (d, width, dropping.stream(layer, site))
        let (scale, heads) = (1 / Float(width).squareRoot(), configuration.heads)
        eachPack(batch) { packs, scratch in
            kernels.shortAttentionBackward(
                queryKeyValue, queryKeyValue + d, queryKeyValue + 2 * d, 3 * d, heads, width, packs, scale,
                dropping.rate, stream, dAttended, d, dQueryKeyValue, dQueryKeyValue + d, dQueryKeyValue + 2 * d,
                scratch)
        }
        eachLongHead(batch) { start, n, head, place, scratch in
            let q = queryKeyValue + start * 3 * d + head * width
            let dq = dQueryKeyValue + start * 3 * d + head * width
            kernels.attentionBackward(
                q, q + d, q + 2 * d, 3 * d, n, width, scale, dropping.rate, stream,
                UInt64(place), weights + place, dAttended + start * d + head * width, d, dq, dq + d, dq + 2 * d,
                scratch)
        }
    }

    /// Whether a sequence of n positions is in a pack.
    func isPacked(_ n: Int) -> Bool { n <= ShortPacks.longest && width <= ShortPacks.widest }

    /// The packs of the short sequences of a batch.
    func packs(of batch: JaggedBatch) -> ShortPacks.Part {
        if packed != batch.offsets {
            packed = batch.offsets
            packs.fill(width <= ShortPacks.widest ? packed : [0], heads: configuration.heads)
        }
        return packs.all
    }

    /// Hands out the packs of the short sequences, where there are any.
    @inline(__always)
    func eachPack(
        _ batch: JaggedBatch, _ body: (_ packs: ShortPacks.Part, _ scratch: UnsafeMutablePointer<Float>) -> Void
    ) {
        let packs = packs(of: batch)
        if packs.count > 0 { body(packs, attentionScratch(batch)) }
    }

    private func attentionScratch(_ batch: JaggedBatch) -> UnsafeMutablePointer<Float> {
        scratch(
            max(Kernels.attentionScratch(length: batch.longest), Kernels.shortAttentionScratch(width: width)))
    }

    /// Visits the heads of every sequence that no pack has: first position, length, head, and where the head's n² numbers
    /// begin.
    @inline(__always)
    func eachLongHead(
        _ batch: JaggedBatch,
        _ body: (_ start: Int, _ n: Int, _ head: Int, _ place: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void
    ) {
        let (heads, scratch) = (configuration.heads, attentionScratch(batch))
        var place = 0
        for sequence in 0..<batch.sequences {
            let n = batch.length(sequence)
            if isPacked(n) {
                place += heads * n * n
                continue
            }
            for head in 0..<heads {
                body(batch.offsets[sequence], n, head, place, scratch)
                place += n * n
            }
        }
    }
}
