package import Domain
internal import Glibc
package import Kernels

/// The pre-norm transformers. `gpt` as GPT-2: learned positions aligned to the newest item, LayerNorm, tanh-GELU feed-forward
/// of 4d. `llama` as Llama: rotary positions, RMSNorm, SwiGLU of 8d/3, no biases. Both with a final norm, softmax attention,
/// and dropout on the embedding, the attention weights and each branch.
package final class PreNormTransformer: SequenceModel {
    package let configuration: Configuration
    package let table: ParameterTable
    package let items: Int
    package let parameters: FloatBuffer
    private let kernels: Kernels
    private let layers: Layers
    private let blocks: [Block]
    /// Offset of the learned positions; nil where positions are rotary.
    private let position: Int?
    private let outputNorm: Norm
    private var workspace: Workspace
    /// Angles of the rotary positions, [L, d / h / 2].
    private let cosines: FloatBuffer
    private let sines: FloatBuffer

    private struct Block {
        var norm1: Norm, queryKeyValue: Linear, output: Linear
        var norm2: Norm, expand: Linear, contract: Linear
    }

    private enum Shared: Int { case input, temporary, dAttended, dWide, dActivated, hat, scale, hidden }
    private enum Kept: Int {
        case normed1, hat1, scale1, queryKeyValue, attended, middle, normed2, hat2, scale2, wide, activated, output
    }

    package static func workspace(_ c: Configuration) -> WorkspaceShape {
        let (d, f) = (c.dim, c.feedForward)
        let wide = c.backbone == .llama ? 2 * f : f
        return WorkspaceShape(
            shared: [d, d, d, max(wide, 3 * d), f, d, 1, d], block: [d, d, 1, 3 * d, d, d, d, d, 1, wide, f, d],
            sharedPairs: 0, blockPairs: c.heads, layers: c.layers)
    }

    package init(
        _ configuration: Configuration, items: Int, parameters: FloatBuffer, dropout: Double, kernels: Kernels = .best
    ) {
        let table = ParameterTable(configuration, items: items)
        precondition(parameters.count == table.count, "parameter buffer of the wrong size")
        let c = configuration
        let isLlama = c.backbone == .llama
        self.configuration = c
        self.items = items
        self.kernels = kernels
        self.table = table
        self.parameters = parameters
        layers = Layers(c, parameters, dropout: dropout, epsilon: 1e-5, kernels: kernels)
        position = isLlama ? nil : table.place("position")
        outputNorm = table.norm("outputNorm")
        blocks = (0..<c.layers).map { layer in
            let block = "blocks.\(layer)."
            let f = c.feedForward
            return Block(
                norm1: table.norm(block + "norm1"),
                queryKeyValue: table.linear(block + "queryKeyValue", c.dim, 3 * c.dim),
                output: table.linear(block + "output", c.dim, c.dim), norm2: table.norm(block + "norm2"),
                expand: table.linear(block + "expand", c.dim, isLlama ? 2 * f : f),
                contract: table.linear(block + "contract", f, c.dim))
        }
        workspace = Workspace(Self.workspace(c))
        let half = isLlama ? c.dim / c.heads / 2 : 0
        cosines = FloatBuffer(c.maxLength * half)
        sines = FloatBuffer(c.maxLength * half)
        for place in 0..<c.maxLength * half {
            // Position p turns pair i by p / 10000^(2 i / width).
            let angle = Double(place / half) * pow(10_000, -Double(place % half) / Double(half))
            cosines.p[place] = Float(cos(angle))
            sines.p[place] = Float(sin(angle))
        }
    }

    private var d: Int { configuration.dim }

    private func shared(_ buffer: Shared) -> UnsafeMutablePointer<Float> { workspace.shared(buffer.rawValue) }

    private func kept(_ layer: Int, _ buffer: Kept) -> UnsafeMutablePointer<Float> {
        workspace.block(layer, buffer.rawValue)
    }

    package func forward(_ batch: JaggedBatch, dropoutKey: UInt64?) -> UnsafeMutablePointer<Float> {
        let T = batch.count
        workspace.reserve(positions: T, attention: batch.attentionFloats)
        let dropping = layers.dropping(dropoutKey)
        let temporary = shared(.temporary)
        layers.embed(batch, items: table.item, positions: position, into: temporary)
        layers.drop(temporary, T * d, dropping, 0, 0, shared(.input))
        var x = shared(.input)
        for (layer, b) in blocks.enumerated() {
            func s(_ buffer: Kept) -> UnsafeMutablePointer<Float> { kept(layer, buffer) }
            layers.norm(x, T, b.norm1, s(.normed1), s(.hat1), s(.scale1))
            layers.linear(s(.normed1), T, b.queryKeyValue, s(.queryKeyValue))
            rotate(batch, s(.queryKeyValue), 1)
            layers.attend(
                batch, s(.queryKeyValue), dropping, layer, 1, weights: workspace.blockPairs(layer), into: s(.attended))
            layers.linear(s(.attended), T, b.output, temporary)
            layers.drop(temporary, onto: x, T * d, dropping, layer, 2, s(.middle))
            layers.norm(s(.middle), T, b.norm2, s(.normed2), s(.hat2), s(.scale2))
            layers.product(s(.normed2), T, b.expand, s(.wide))
            activate(s(.wide), T, b.expand, s(.activated))
            layers.linear(s(.activated), T, b.contract, temporary)
            layers.drop(temporary, onto: s(.middle), T * d, dropping, layer, 3, s(.output))
            x = s(.output)
        }
        layers.norm(x, T, outputNorm, shared(.hidden), shared(.hat), shared(.scale))
        return shared(.hidden)
    }

    package func backward(
        _ batch: JaggedBatch, dropoutKey: UInt64?, _ dHidden: UnsafeMutablePointer<Float>, gradient: FloatBuffer
    ) {
        let T = batch.count
        let g = gradient.p
        let dropping = layers.dropping(dropoutKey)
        let dx = dHidden
        let (branch, dWide, dAttended) = (shared(.temporary), shared(.dWide), shared(.dAttended))
        layers.normBackward(dx, T, outputNorm, shared(.hat), shared(.scale), g, dx)
        for (layer, b) in blocks.enumerated().reversed() {
            func s(_ buffer: Kept) -> UnsafeMutablePointer<Float> { kept(layer, buffer) }
            layers.drop(dx, T * d, dropping, layer, 3, branch)
            layers.linearBackward(s(.activated), branch, T, b.contract, g, shared(.dActivated))
            activateBackward(shared(.dActivated), s(.wide), T, b.expand, dWide)
            layers.linearBackward(s(.normed2), dWide, T, b.expand, g, branch)
            layers.normBackward(branch, T, b.norm2, s(.hat2), s(.scale2), g, branch)
            layers.add(branch, T * d, to: dx)
            layers.drop(dx, T * d, dropping, layer, 2, branch)
            layers.linearBackward(s(.attended), branch, T, b.output, g, dAttended)
            layers.attendBackward(
                batch, s(.queryKeyValue), dropping, layer, 1, weights: workspace.blockPairs(layer), dAttended,
                into: dWide)
            rotate(batch, dWide, -1)
            layers.linearBackward(s(.normed1), dWide, T, b.queryKeyValue, g, branch)
            layers.normBackward(branch, T, b.norm1, s(.hat1), s(.scale1), g, branch)
            layers.add(branch, T * d, to: dx)
        }
        layers.drop(dx, T * d, dropping, 0, 0, branch)
        layers.scatter(batch, branch, items: table.item, positions: position, g)
    }

    /// Turns queries and keys by their place in the sequence, or gradients back.
    private func rotate(_ batch: JaggedBatch, _ queryKeyValue: UnsafeMutablePointer<Float>, _ direction: Float) {
        guard position == nil else { return }
        // Queries and keys lie side by side: twice the heads.
        let heads = 2 * configuration.heads
        for sequence in 0..<batch.sequences {
            kernels.rotary(
                queryKeyValue + batch.offsets[sequence] * 3 * d, 3 * d, batch.length(sequence), heads,
                d / configuration.heads, cosines.p, sines.p, direction)
        }
    }

    /// GELU of wide + bias, or SwiGLU where there is no bias.
    private func activate(
        _ wide: UnsafeMutablePointer<Float>, _ T: Int, _ expand: Linear, _ y: UnsafeMutablePointer<Float>
    ) {
        if expand.bias != nil {
            kernels.biasGeluTanh(wide, layers.bias(expand), T, expand.outputs, y)
        } else {
            kernels.swiGLU(wide, T, configuration.feedForward, y)
        }
    }

    private func activateBackward(
        _ dy: UnsafePointer<Float>, _ wide: UnsafePointer<Float>, _ T: Int, _ expand: Linear,
        _ dWide: UnsafeMutablePointer<Float>
    ) {
        if expand.bias != nil {
            kernels.geluTanhBackward(dy, wide, T * expand.outputs, dWide)
        } else {
            kernels.swiGLUBackward(dy, wide, T, configuration.feedForward, dWide)
        }
    }
}
