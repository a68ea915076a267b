package import Domain
package import Kernels

/// SASRec as in the public code of arXiv 2301.00979: learned positions aligned to the newest item, LayerNorm and dropout on
/// the embedding sum, post-norm blocks, erf-GELU feed-forward of 4d, softmax attention with dropout on its weights.
///
/// Shapes in comments: T positions of a batch, d dimension, h heads, F = 4d.
package final class SASRec {
    package let configuration: Configuration
    package let table: ParameterTable
    package let items: Int
    package let parameters: FloatBuffer
    private let kernels: Kernels
    private let dropout: Float
    private var activations: SASRecActivations
    private let gemmScratch = FloatBuffer(Kernels.gemmScratch)

    /// PyTorch's default. With the 1e-12 of published code a row whose d elements were all dropped multiplies gradients by
    /// 1e6 in every norm it passes, and small deep shapes (d 8, 4 blocks; in PyTorch 8 blocks) overflow in their first epoch.
    static let normEpsilon: Float = 1e-5

    package init(
        _ configuration: Configuration, items: Int, parameters: FloatBuffer, dropout: Double, kernels: Kernels = .best
    ) {
        self.configuration = configuration
        self.items = items
        self.kernels = kernels
        self.dropout = Float(dropout)
        table = ParameterTable(configuration, items: items)
        precondition(parameters.count == table.count, "parameter buffer of the wrong size")
        self.parameters = parameters
        activations = SASRecActivations(configuration)
    }

    private var d: Int { configuration.dim }
    private var width: Int { configuration.dim / configuration.heads }
    private var scale: Float { 1 / Float(width).squareRoot() }

    /// Where a dropout's decisions come from: `step` names the optimiser step, `site` the place in the network.
    private func stream(_ step: UInt64, _ layer: Int, _ site: UInt64) -> UInt64 {
        RandomStream.mix(step &+ UInt64(layer) &* 8 &+ site)
    }

    /// Hidden states [T, d] of a batch. With `dropoutKey`, training mode: the key names the step's dropout decisions.
    package func forward(_ batch: JaggedBatch, dropoutKey: UInt64?) -> UnsafeMutablePointer<Float> {
        let T = batch.count
        activations.reserve(positions: T, attention: batch.attentionFloats, longest: batch.longest)
        let a = activations
        let w = UnsafePointer(parameters.p)
        let rate = dropoutKey == nil ? 0 : dropout
        let key = dropoutKey ?? 0
        embed(batch, into: a.embeddingHat.p)
        kernels.layerNorm(
            a.embeddingHat.p, w + table.inputNorm, w + table.inputNormBias, Self.normEpsilon, T, d, a.temporary.p,
            a.embeddingHat.p, a.embeddingScale.p)
        kernels.dropoutAdd(a.temporary.p, nil, T * d, rate, stream(key, 0, 0), 0, a.input.p)
        var x = a.input.p
        for layer in 0..<configuration.layers {
            let b = table.blocks[layer]
            let s = a.blocks[layer]
            linear(x, T, d, w + b.queryKeyValue, w + b.queryKeyValueBias, 3 * d, s.queryKeyValue.p)
            attend(batch, s, rate, stream(key, layer, 1))
            linear(s.attended.p, T, d, w + b.output, w + b.outputBias, d, a.temporary.p)
            kernels.dropoutAdd(a.temporary.p, x, T * d, rate, stream(key, layer, 2), 0, s.hat1.p)
            kernels.layerNorm(
                s.hat1.p, w + b.norm1, w + b.norm1Bias, Self.normEpsilon, T, d, s.middle.p, s.hat1.p, s.scale1.p)
            kernels.gemm(.nn, T, 4 * d, d, s.middle.p, d, w + b.expand, 4 * d, s.wide.p, 4 * d, false, gemmScratch.p)
            kernels.biasGelu(s.wide.p, w + b.expandBias, T, 4 * d, s.activated.p)
            linear(s.activated.p, T, 4 * d, w + b.contract, w + b.contractBias, d, a.temporary.p)
            kernels.dropoutAdd(a.temporary.p, s.middle.p, T * d, rate, stream(key, layer, 3), 0, s.hat2.p)
            kernels.layerNorm(
                s.hat2.p, w + b.norm2, w + b.norm2Bias, Self.normEpsilon, T, d, s.output.p, s.hat2.p, s.scale2.p)
            x = s.output.p
        }
        return x
    }

    /// Adds the parameters' gradients to `gradient`, given `dHidden` [T, d], which is overwritten. The batch and key must be
    /// those of the last `forward`.
    package func backward(
        _ batch: JaggedBatch, dropoutKey: UInt64?, _ dHidden: UnsafeMutablePointer<Float>, gradient: FloatBuffer
    ) {
        let T = batch.count
        let a = activations
        let w = UnsafePointer(parameters.p)
        let g = gradient.p
        let rate = dropoutKey == nil ? 0 : dropout
        let key = dropoutKey ?? 0
        let dx = dHidden
        let branch = a.temporary.p
        for layer in (0..<configuration.layers).reversed() {
            let b = table.blocks[layer]
            let s = a.blocks[layer]
            let x = layer == 0 ? a.input.p : a.blocks[layer - 1].output.p
            kernels.layerNormBackward(
                dx, s.hat2.p, s.scale2.p, w + b.norm2, T, d, dx, g + b.norm2, g + b.norm2Bias)
            kernels.dropoutAdd(dx, nil, T * d, rate, stream(key, layer, 3), 0, branch)
            linearBackward(
                s.activated.p, branch, T, 4 * d, d, w + b.contract, g + b.contract, g + b.contractBias, a.dWide.p, false
            )
            kernels.geluBackward(a.dWide.p, s.wide.p, T * 4 * d, a.dWide.p)
            linearBackward(s.middle.p, a.dWide.p, T, d, 4 * d, w + b.expand, g + b.expand, g + b.expandBias, dx, true)
            kernels.layerNormBackward(
                dx, s.hat1.p, s.scale1.p, w + b.norm1, T, d, dx, g + b.norm1, g + b.norm1Bias)
            kernels.dropoutAdd(dx, nil, T * d, rate, stream(key, layer, 2), 0, branch)
            linearBackward(
                s.attended.p, branch, T, d, d, w + b.output, g + b.output, g + b.outputBias, a.dAttended.p, false)
            attendBackward(batch, s, rate, stream(key, layer, 1))
            linearBackward(
                x, a.dWide.p, T, d, 3 * d, w + b.queryKeyValue, g + b.queryKeyValue, g + b.queryKeyValueBias, dx, true)
        }
        kernels.dropoutAdd(dx, nil, T * d, rate, stream(key, 0, 0), 0, branch)
        kernels.layerNormBackward(
            branch, a.embeddingHat.p, a.embeddingScale.p, w + table.inputNorm, T, d, branch, g + table.inputNorm,
            g + table.inputNormBias)
        scatter(batch, branch, g)
    }

    // MARK: - Embedding

    /// x[t] = item[input] + position, the newest item of a sequence at position L - 1.
    private func embed(_ batch: JaggedBatch, into x: UnsafeMutablePointer<Float>) {
        let w = parameters.p
        eachPosition(batch) { t, item, position in
            let from = w + table.item + item * d
            let at = w + table.position + position * d
            for c in 0..<d { x[t * d + c] = from[c] + at[c] }
        }
    }

    private func scatter(_ batch: JaggedBatch, _ dx: UnsafePointer<Float>, _ g: UnsafeMutablePointer<Float>) {
        eachPosition(batch) { t, item, position in
            let to = g + table.item + item * d
            let at = g + table.position + position * d
            for c in 0..<d {
                to[c] += dx[t * d + c]
                at[c] += dx[t * d + c]
            }
        }
    }

    @inline(__always)
    private func eachPosition(_ batch: JaggedBatch, _ body: (_ t: Int, _ item: Int, _ position: Int) -> Void) {
        for sequence in 0..<batch.sequences {
            let end = batch.offsets[sequence + 1]
            for t in batch.offsets[sequence]..<end {
                body(t, Int(batch.inputs[t]), configuration.maxLength - (end - t))
            }
        }
    }

    // MARK: - Attention

    private func attend(_ batch: JaggedBatch, _ s: SASRecActivations.Block, _ rate: Float, _ stream: UInt64) {
        var place = 0
        for sequence in 0..<batch.sequences {
            let start = batch.offsets[sequence]
            let n = batch.length(sequence)
            for head in 0..<configuration.heads {
                let q = s.queryKeyValue.p + start * 3 * d + head * width
                kernels.attention(
                    q, q + d, q + 2 * d, 3 * d, n, width, scale, rate, stream, UInt64(place), s.weights.p + place,
                    s.attended.p + start * d + head * width, d, activations.attentionScratch.p)
                place += n * n
            }
        }
    }

    private func attendBackward(_ batch: JaggedBatch, _ s: SASRecActivations.Block, _ rate: Float, _ stream: UInt64) {
        var place = 0
        for sequence in 0..<batch.sequences {
            let start = batch.offsets[sequence]
            let n = batch.length(sequence)
            for head in 0..<configuration.heads {
                let q = s.queryKeyValue.p + start * 3 * d + head * width
                let dq = activations.dWide.p + start * 3 * d + head * width
                kernels.attentionBackward(
                    q, q + d, q + 2 * d, 3 * d, n, width, scale, rate, stream, UInt64(place), s.weights.p + place,
                    activations.dAttended.p + start * d + head * width, d, dq, dq + d, dq + 2 * d,
                    activations.attentionScratch.p)
                place += n * n
            }
        }
    }

    // MARK: - Linear layers

    /// y[T, out] = x[T, in] W[in, out] + bias
    private func linear(
        _ x: UnsafePointer<Float>, _ T: Int, _ inputs: Int, _ w: UnsafePointer<Float>, _ bias: UnsafePointer<Float>,
        _ outputs: Int, _ y: UnsafeMutablePointer<Float>
    ) {
        kernels.gemm(.nn, T, outputs, inputs, x, inputs, w, outputs, y, outputs, false, gemmScratch.p)
        kernels.addBias(y, bias, T, outputs)
    }

    /// dW += xᵀ dy, dBias += Σ dy, dx = (or +=) dy Wᵀ
    private func linearBackward(
        _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ T: Int, _ inputs: Int, _ outputs: Int,
        _ w: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>, _ dBias: UnsafeMutablePointer<Float>,
        _ dx: UnsafeMutablePointer<Float>, _ accumulate: Bool
    ) {
        kernels.addColumnSums(dy, T, outputs, outputs, dBias)
        kernels.gemm(.tn, inputs, outputs, T, x, inputs, dy, outputs, dw, outputs, true, gemmScratch.p)
        kernels.gemm(.nt, T, inputs, outputs, dy, outputs, w, outputs, dx, inputs, accumulate, gemmScratch.p)
    }
}
