package import Domain
package import Kernels

/// SASRec as in the public code of arXiv 2301.00979: learned positions aligned to the newest item, LayerNorm and dropout on
/// the embedding sum, post-norm blocks, erf-GELU feed-forward of 4d, softmax attention with dropout on its weights.
package final class SASRec: SequenceModel {
    package let configuration: Configuration
    package let table: ParameterTable
    package let items: Int
    package let parameters: FloatBuffer
    private let kernels: Kernels
    private let layers: Layers
    private let blocks: [Block]
    private let position: Int
    private let inputNorm: Norm
    private var workspace: Workspace

    private struct Block {
        var queryKeyValue: Linear, output: Linear, norm1: Norm
        var expand: Linear, contract: Linear, norm2: Norm
    }

    private enum Shared: Int { case hat, scale, input }
    private enum Kept: Int {
        case queryKeyValue, attended, hat1, scale1, middle, wide, activated, hat2, scale2, output
    }

    package static func workspace(_ c: Configuration) -> WorkspaceShape {
        let (d, f) = (c.dim, c.feedForward)
        return WorkspaceShape(
            shared: [d, 1, d], block: [3 * d, d, d, 1, d, max(f, 3 * d), f, d, 1, d], sharedPairs: 0,
            blockPairs: c.heads, layers: c.layers)
    }

    /// PyTorch's default. With the 1e-12 of published code a row whose d elements were all dropped multiplies gradients by
    /// 1e6 in every norm it passes, and small deep shapes (d 8, 4 blocks; in PyTorch 8 blocks) overflow in their first epoch.
    static let normEpsilon: Float = 1e-5

    package init(
        _ configuration: Configuration, items: Int, parameters: FloatBuffer, dropout: Double, kernels: Kernels = .best
    ) {
        let table = ParameterTable(configuration, items: items)
        precondition(parameters.count == table.count, "parameter buffer of the wrong size")
        self.configuration = configuration
        self.items = items
        self.kernels = kernels
        self.table = table
        self.parameters = parameters
        layers = Layers(
            configuration, parameters, dropout: dropout, epsilon: Self.normEpsilon, kernels: kernels)
        position = table.place("position")
        inputNorm = table.norm("inputNorm")
        let (d, f) = (configuration.dim, configuration.feedForward)
        blocks = (0..<configuration.layers).map { layer in
            let block = "blocks.\(layer)."
            return Block(
                queryKeyValue: table.linear(block + "queryKeyValue", d, 3 * d),
                output: table.linear(block + "output", d, d), norm1: table.norm(block + "norm1"),
                expand: table.linear(block + "expand", d, f), contract: table.linear(block + "contract", f, d),
                norm2: table.norm(block + "norm2"))
        }
        workspace = Workspace(Self.workspace(configuration))
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
        var x = shared(.input)
        layers.embed(batch, items: table.item, positions: position, into: shared(.hat))
        layers.norm(shared(.hat), T, inputNorm, x, shared(.hat), shared(.scale))
        layers.drop(x, T * d, dropping, 0, 0, x)
        for (layer, b) in blocks.enumerated() {
            func s(_ buffer: Kept) -> UnsafeMutablePointer<Float> { kept(newestOnly ? 0 : layer, buffer) }
            if newestOnly, layer == blocks.count - 1 {
                layers.linear(x, T, b.queryKeyValue, s(.queryKeyValue), outputs: d..<3 * d)
                layers.keepNewest(batch, x)
                T = batch.sequences
                layers.linear(x, T, b.queryKeyValue, s(.middle), outputs: 0..<d)
                layers.attendNewest(batch, s(.middle), s(.queryKeyValue), into: s(.attended))
            } else {
                layers.linear(x, T, b.queryKeyValue, s(.queryKeyValue))
                layers.attend(
                    batch, s(.queryKeyValue), dropping, layer, 1,
                    weights: workspace.blockPairs(newestOnly ? 0 : layer), into: s(.attended))
            }
            layers.linear(s(.attended), T, b.output, s(.hat1))
            layers.drop(s(.hat1), onto: x, T * d, dropping, layer, 2, s(.hat1))
            layers.norm(s(.hat1), T, b.norm1, s(.middle), s(.hat1), s(.scale1))
            layers.product(s(.middle), T, b.expand, s(.wide))
            kernels.biasGelu(s(.wide), layers.bias(b.expand), T, b.expand.outputs, s(.activated))
            layers.linear(s(.activated), T, b.contract, s(.hat2))
            layers.drop(s(.hat2), onto: s(.middle), T * d, dropping, layer, 3, s(.hat2))
            layers.norm(s(.hat2), T, b.norm2, s(.output), s(.hat2), s(.scale2))
            x = s(.output)
        }
        return x
    }

    /// Each gradient lies where something was kept that is no longer needed.
    package func backward(
        _ batch: JaggedBatch, dropoutKey: UInt64?, _ dHidden: UnsafeMutablePointer<Float>, gradient: FloatBuffer
    ) {
        let T = batch.count
        let g = gradient.p
        let dropping = layers.dropping(dropoutKey)
        let dx = dHidden
        for (layer, b) in blocks.enumerated().reversed() {
            func s(_ buffer: Kept) -> UnsafeMutablePointer<Float> { kept(layer, buffer) }
            let x = layer == 0 ? shared(.input) : kept(layer - 1, .output)
            layers.normBackward(dx, T, b.norm2, s(.hat2), s(.scale2), g, dx)
            layers.drop(dx, T * d, dropping, layer, 3, s(.hat2))
            layers.linearBackward(s(.activated), s(.hat2), T, b.contract, g, s(.activated))
            kernels.geluBackward(s(.activated), s(.wide), T * b.expand.outputs, s(.wide))
            layers.linearBackward(s(.middle), s(.wide), T, b.expand, g, dx, accumulate: true)
            layers.normBackward(dx, T, b.norm1, s(.hat1), s(.scale1), g, dx)
            layers.drop(dx, T * d, dropping, layer, 2, s(.hat1))
            layers.linearBackward(s(.attended), s(.hat1), T, b.output, g, s(.attended))
            layers.attendBackward(
                batch, s(.queryKeyValue), dropping, layer, 1, weights: workspace.blockPairs(layer), s(.attended),
                into: s(.wide))
            layers.linearBackward(x, s(.wide), T, b.queryKeyValue, g, dx, accumulate: true)
        }
        layers.drop(dx, T * d, dropping, 0, 0, dx)
        layers.normBackward(dx, T, inputNorm, shared(.hat), shared(.scale), g, dx)
        layers.scatter(batch, dx, items: table.item, positions: position, g)
    }
}
