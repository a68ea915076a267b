internal import Domain
internal import Kernels

/// What a forward pass leaves for the backward pass; grown to the largest batch seen and then reused.
struct SASRecActivations {
    /// Of one block; T positions.
    struct Block {
        var queryKeyValue: FloatBuffer  // [T, 3d]
        var weights: FloatBuffer  // attention weights before dropout, n² per sequence and head
        var attended: FloatBuffer  // [T, d]
        var hat1: FloatBuffer, scale1: FloatBuffer  // normalised values [T, d], 1/σ [T]
        var middle: FloatBuffer  // [T, d]
        var wide: FloatBuffer, activated: FloatBuffer  // [T, 4d]
        var hat2: FloatBuffer, scale2: FloatBuffer
        var output: FloatBuffer  // [T, d]
    }

    private let configuration: Configuration
    private var positions = 0
    private var attention = 0
    private var longest = 0
    var blocks: [Block] = []
    var embeddingHat = FloatBuffer(0), embeddingScale = FloatBuffer(0)
    var input = FloatBuffer(0)
    var temporary = FloatBuffer(0)  // [T, d]
    var dAttended = FloatBuffer(0)  // [T, d]
    var dWide = FloatBuffer(0)  // [T, 4d]
    var attentionScratch = FloatBuffer(0)

    init(_ configuration: Configuration) { self.configuration = configuration }

    mutating func reserve(positions: Int, attention: Int, longest: Int) {
        let d = configuration.dim
        if positions > self.positions {
            // A little more than asked for, so that slowly growing batches do not allocate every time.
            let T = positions + positions / 16
            self.positions = T
            embeddingHat = FloatBuffer(T * d)
            embeddingScale = FloatBuffer(T)
            input = FloatBuffer(T * d)
            temporary = FloatBuffer(T * d)
            dAttended = FloatBuffer(T * d)
            dWide = FloatBuffer(T * 4 * d)
            let weights = blocks.map(\.weights)
            blocks = (0..<configuration.layers).map { layer in
                Block(
                    queryKeyValue: FloatBuffer(T * 3 * d),
                    weights: layer < weights.count ? weights[layer] : FloatBuffer(0),
                    attended: FloatBuffer(T * d), hat1: FloatBuffer(T * d), scale1: FloatBuffer(T),
                    middle: FloatBuffer(T * d), wide: FloatBuffer(T * 4 * d), activated: FloatBuffer(T * 4 * d),
                    hat2: FloatBuffer(T * d), scale2: FloatBuffer(T), output: FloatBuffer(T * d))
            }
        }
        let needed = attention * configuration.heads
        if needed > self.attention {
            self.attention = needed + needed / 16
            for layer in blocks.indices { blocks[layer].weights = FloatBuffer(self.attention) }
        }
        if longest > self.longest {
            self.longest = longest
            attentionScratch = FloatBuffer(Kernels.attentionScratch(length: longest))
        }
    }

    /// Bytes of activations for T positions with `attention` squared lengths, as `reserve` allocates them.
    static func bytes(_ configuration: Configuration, positions: Int, attention: Int) -> Int {
        let T = positions + positions / 16
        let d = configuration.dim
        let weights = attention * configuration.heads * 17 / 16
        let block = T * (3 + 1 + 1 + 1 + 4 + 4 + 1 + 1) * d + 2 * T + weights
        return 4 * (T * (4 + 4) * d + T + configuration.layers * block)
    }
}
