/// Floats that a forward pass leaves for the backward pass, by what they grow with. T positions, A the sum of the squared
/// lengths of the sequences.
package struct WorkspaceShape: Sendable {
    /// Floats per position of each buffer, shared by all blocks and of every block.
    var shared: [Int]
    var block: [Int]
    /// Numbers per pair of positions: shared, and of every block.
    var sharedPairs: Int
    var blockPairs: Int
    var layers: Int

    /// A little more than asked for, so that slowly growing batches do not allocate every time.
    static func roomy(_ count: Int) -> Int { count + count / 16 }

    /// Bytes that are written of the buffers for batches of `positions` positions with `attention` squared lengths, where
    /// `blocks` of the blocks have their own.
    package func bytes(positions: Int, attention: Int, blocks: Int) -> Int {
        4
            * (positions * (shared.reduce(0, +) + blocks * block.reduce(0, +))
                + attention * (sharedPairs + blocks * blockPairs))
    }
}

/// The buffers of a shape, grown to the largest batch seen and then reused.
struct Workspace {
    let shape: WorkspaceShape
    /// What the shared buffers and those of the first block have room for, and those of the other blocks: rankings, whose batches
    /// may be larger than those of training, use the first alone.
    private var first = Room()
    private var others = Room()
    private var shared: [FloatBuffer] = []
    private var blocks: [[FloatBuffer]] = []
    private var sharedPairs: [FloatBuffer] = []
    private var blockPairs: [FloatBuffer] = []

    private struct Room {
        var positions = 0
        var pairs = 0
    }

    init(_ shape: WorkspaceShape) {
        self.shape = shape
        blocks = Array(repeating: [], count: shape.layers)
        blockPairs = (0..<shape.layers).map { _ in FloatBuffer(0) }
    }

    /// Makes room for a batch in the first block alone, or in all. Buffers that must grow are given back first: their contents are
    /// lost.
    mutating func reserve(_ batch: JaggedBatch, firstBlockOnly: Bool) {
        let (positions, pairs) = (WorkspaceShape.roomy(batch.count), WorkspaceShape.roomy(batch.attentionFloats))
        if batch.count > first.positions || shared.isEmpty {
            first.positions = positions
            (shared, blocks[0]) = ([], [])
            shared = shape.shared.map { FloatBuffer(positions * $0) }
            blocks[0] = shape.block.map { FloatBuffer(positions * $0) }
        }
        if batch.attentionFloats > first.pairs {
            first.pairs = pairs
            (sharedPairs, blockPairs[0]) = ([], FloatBuffer(0))
            sharedPairs = (0..<shape.sharedPairs).map { _ in FloatBuffer(pairs) }
            blockPairs[0] = FloatBuffer(pairs * shape.blockPairs)
        }
        guard !firstBlockOnly else { return }
        if batch.count > others.positions {
            others.positions = positions
            for layer in 1..<max(1, shape.layers) { blocks[layer] = [] }
            for layer in 1..<max(1, shape.layers) { blocks[layer] = shape.block.map { FloatBuffer(positions * $0) } }
        }
        if batch.attentionFloats > others.pairs {
            others.pairs = pairs
            for layer in 1..<max(1, shape.layers) { blockPairs[layer] = FloatBuffer(0) }
            for layer in 1..<max(1, shape.layers) { blockPairs[layer] = FloatBuffer(pairs * shape.blockPairs) }
        }
    }

    /// What its buffers take, written to or not: the limits of workers count it.
    var reservedBytes: Int {
        4 * (shared + blocks.flatMap { $0 } + sharedPairs + blockPairs).reduce(0) { $0 + $1.count }
    }

    func shared(_ index: Int) -> UnsafeMutablePointer<Float> { shared[index].p }
    func block(_ layer: Int, _ index: Int) -> UnsafeMutablePointer<Float> { blocks[layer][index].p }
    func sharedPairs(_ index: Int) -> UnsafeMutablePointer<Float> { sharedPairs[index].p }
    func blockPairs(_ layer: Int) -> UnsafeMutablePointer<Float> { blockPairs[layer].p }
}
