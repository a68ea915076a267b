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

    /// The stream is the sum that blocks add to, and last its normalised values: no block needs it in the backward pass.
    private enum Shared: Int { case stream, branch, scale }
    private enum Kept: Int {
        case normed1, hat1, scale1, queryKeyValue, attended, normed2, hat2, scale2, wide, activated
    }

    package static func workspace(_ c: Configuration) -> WorkspaceShape {
        let (d, f) = (c.dim, c.feedForward)
        let wide = c.backbone == .llama ? 2 * f : f
        return WorkspaceShape(
            shared: [d, d, 1], block: [d, d, 1, 3 * d, d, d, d, 1, max(wide, 3 * d), f], sharedPairs: 0,
            blockPairs: c.heads, layers: c.layers)
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
        run(batch, dropoutKey, newestOnly: false)
    }

    package func newest(_ batch: JaggedBatch) -> UnsafeMutablePointer<Float> { run(batch, nil, newestOnly: true) }

    /// With `newestOnly` the blocks share buffers, and the last one computes the newest positions.
    private func run(_ batch: JaggedBatch, _ dropoutKey: UInt64?, newestOnly: Bool) -> UnsafeMutablePointer<Float> {
        var T = batch.count
        workspace.reserve(batch, firstBlockOnly: newestOnly)
        let dropping = layers.dropping(dropoutKey)
        let (x, branch) = (shared(.stream), shared(.branch))
        layers.embed(batch, items: table.item, positions: position, into: x)
        layers.drop(x, T * d, dropping, 0, 0, x)
        for (layer, b) in blocks.enumerated() {
            func s(_ buffer: Kept) -> UnsafeMutablePointer<Float> { kept(newestOnly ? 0 : layer, buffer) }
            layers.norm(x, T, b.norm1, s(.normed1), s(.hat1), s(.scale1))
            if newestOnly, layer == blocks.count - 1 {
                layers.linear(s(.normed1), T, b.queryKeyValue, s(.queryKeyValue), outputs: d..<3 * d)
                rotateKeys(batch, s(.queryKeyValue))
                layers.keepNewest(batch, s(.normed1))
                layers.keepNewest(batch, x)
                T = batch.sequences
                layers.linear(s(.normed1), T, b.queryKeyValue, branch, outputs: 0..<d)
                rotateNewest(batch, branch)
                layers.attendNewest(batch, branch, s(.queryKeyValue), into: s(.attended))
            } else {
                layers.linear(s(.normed1), T, b.queryKeyValue, s(.queryKeyValue))
                rotate(batch, s(.queryKeyValue), 1)
                layers.attend(
                    batch, s(.queryKeyValue), dropping, layer, 1,
                    weights: workspace.blockPairs(newestOnly ? 0 : layer), into: s(.attended))
            }
            layers.linear(s(.attended), T, b.output, branch)
            layers.drop(branch, onto: x, T * d, dropping, layer, 2, x)
            layers.norm(x, T, b.norm2, s(.normed2), s(.hat2), s(.scale2))
            layers.product(s(.normed2), T, b.expand, s(.wide))
            activate(s(.wide), T, b.expand, s(.activated))
            layers.linear(s(.activated), T, b.contract, branch)
            layers.drop(branch, onto: x, T * d, dropping, layer, 3, x)
        }
        layers.norm(x, T, outputNorm, branch, x, shared(.scale))
        return branch
    }

    /// Each gradient lies where something was kept that is no longer needed.
    package func backward(
        _ batch: JaggedBatch, dropoutKey: UInt64?, _ dHidden: UnsafeMutablePointer<Float>, gradient: FloatBuffer
    ) {
        let T = batch.count
        let g = gradient.p
        let dropping = layers.dropping(dropoutKey)
        let (dx, branch) = (dHidden, shared(.branch))
        layers.normBackward(dx, T, outputNorm, shared(.stream), shared(.scale), g, dx)
        for (layer, b) in blocks.enumerated().reversed() {
            func s(_ buffer: Kept) -> UnsafeMutablePointer<Float> { kept(layer, buffer) }
            layers.drop(dx, T * d, dropping, layer, 3, branch)
            layers.linearBackward(s(.activated), branch, T, b.contract, g, s(.activated))
            activateBackward(s(.activated), s(.wide), T, b.expand)
            layers.linearBackward(s(.normed2), s(.wide), T, b.expand, g, branch)
            layers.normBackward(branch, T, b.norm2, s(.hat2), s(.scale2), g, branch)
            layers.add(branch, T * d, to: dx)
            layers.drop(dx, T * d, dropping, layer, 2, branch)
            layers.linearBackward(s(.attended), branch, T, b.output, g, s(.attended))
            layers.attendBackward(
                batch, s(.queryKeyValue), dropping, layer, 1, weights: workspace.blockPairs(layer), s(.attended),
                into: s(.wide))
            rotate(batch, s(.wide), -1)
            layers.linearBackward(s(.normed1), s(.wide), T, b.queryKeyValue, g, branch)
            layers.normBackward(branch, T, b.norm1, s(.hat1), s(.scale1), g, branch)
            layers.add(branch, T * d, to: dx)
        }
        layers.drop(dx, T * d, dropping, 0, 0, dx)
        layers.scatter(batch, dx, items: table.item, positions: position, g)
    }

    /// Turns queries and keys by their place in the sequence, or gradients back.
    private func rotate(_ batch: JaggedBatch, _ queryKeyValue: UnsafeMutablePointer<Float>, _ direction: Float) {
        // Queries and keys lie side by side: twice the heads.
        for sequence in 0..<batch.sequences {
            turn(
                queryKeyValue + batch.offsets[sequence] * 3 * d, 3 * d, 0..<batch.length(sequence),
                heads: 2 * configuration.heads, direction)
        }
    }

    /// The same for rows of keys and values, [T, 2 d].
    private func rotateKeys(_ batch: JaggedBatch, _ keyValue: UnsafeMutablePointer<Float>) {
        for sequence in 0..<batch.sequences {
            turn(
                keyValue + batch.offsets[sequence] * 2 * d, 2 * d, 0..<batch.length(sequence),
                heads: configuration.heads, 1)
        }
    }

    /// The same for the newest query of each sequence, [sequences, d].
    private func rotateNewest(_ batch: JaggedBatch, _ q: UnsafeMutablePointer<Float>) {
        for sequence in 0..<batch.sequences {
            let n = batch.length(sequence)
            turn(q + sequence * d, d, n - 1..<n, heads: configuration.heads, 1)
        }
    }

    /// Turns rows of heads that stand at `places` of a sequence; nothing where positions are learned.
    private func turn(
        _ x: UnsafeMutablePointer<Float>, _ ld: Int, _ places: Range<Int>, heads: Int, _ direction: Float
    ) {
        guard position == nil else { return }
        let width = d / configuration.heads
        let first = places.lowerBound * (width / 2)
        kernels.rotary(x, ld, places.count, heads, width, cosines.p + first, sines.p + first, direction)
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

    /// The gradient takes the place of `wide`.
    private func activateBackward(
        _ dy: UnsafePointer<Float>, _ wide: UnsafeMutablePointer<Float>, _ T: Int, _ expand: Linear
    ) {
        if expand.bias != nil {
            kernels.geluTanhBackward(dy, wide, T * expand.outputs, wide)
        } else {
            kernels.swiGLUBackward(dy, wide, T, configuration.feedForward, wide)
        }
    }
}
