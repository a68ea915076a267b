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
    private var positions = 0
    private var attention = 0
    private var shared: [FloatBuffer] = []
    private var blocks: [[FloatBuffer]] = []
    private var sharedPairs: [FloatBuffer] = []
    private var blockPairs: [FloatBuffer] = []

    init(_ shape: WorkspaceShape) { self.shape = shape }

    /// Makes room for a batch. Buffers that must grow are given back first: their contents are lost.
    mutating func reserve(_ batch: JaggedBatch) {
        if batch.count > positions || shared.isEmpty {
            shared = []
            blocks = []
            let T = WorkspaceShape.roomy(batch.count)
            positions = T
            shared = shape.shared.map { FloatBuffer(T * $0) }
            blocks = (0..<shape.layers).map { _ in shape.block.map { FloatBuffer(T * $0) } }
        }
        let pairs = batch.attentionFloats
        if pairs > attention || blockPairs.isEmpty {
            sharedPairs = []
            blockPairs = []
            attention = WorkspaceShape.roomy(pairs)
            sharedPairs = (0..<shape.sharedPairs).map { _ in FloatBuffer(attention) }
            blockPairs = (0..<shape.layers).map { _ in FloatBuffer(attention * shape.blockPairs) }
        }
    }

    func shared(_ index: Int) -> UnsafeMutablePointer<Float> { shared[index].p }
    func block(_ layer: Int, _ index: Int) -> UnsafeMutablePointer<Float> { blocks[layer][index].p }
    func sharedPairs(_ index: Int) -> UnsafeMutablePointer<Float> { sharedPairs[index].p }
    func blockPairs(_ layer: Int) -> UnsafeMutablePointer<Float> { blockPairs[layer].p }
}
