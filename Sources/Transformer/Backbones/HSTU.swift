package import Domain
internal import Glibc
package import Kernels

/// HSTU of arXiv 2402.17152: gate, value, query and key are SiLU of one linear layer of the norm; attention weights are
/// SiLU(q kᵀ + relative bias) / L without softmax; the attended values are normed, gated, dropped and projected onto the
/// residual. No feed-forward, no absolute positions.
///
/// The bias is a number per distance in positions, plus, where the batch has times, one per bucket of the distance in time.
/// Each layer has its own, all heads share it.
package final class HSTU: SequenceModel {
    package let configuration: Configuration
    package let table: ParameterTable
    package let items: Int
    package let parameters: FloatBuffer
    private let kernels: Kernels
    private let layers: Layers
    private let blocks: [Block]
    private let outputNorm: Norm
    private var workspace: Workspace
    /// Of the short sequences, by pack, distance and position: bias of a layer, its gradient, and bucket of the times.
    private var shortBias = FloatBuffer(0)
    private var shortSlopes = FloatBuffer(0)
    private var shortBuckets = FloatBuffer(0)

    private struct Block {
        var norm1: Norm, gateValueQueryKey: Linear
        var positionBias: Int, timeBias: Int
        var norm2: Norm, output: Linear
    }

    /// The stream is the sum that blocks add to, and last its normalised values: no block needs it in the backward pass.
    private enum Shared: Int { case stream, branch, scale, dWide }
    /// `bias` is its gradient's place in the backward pass, which needs the scores alone.
    private enum Pairs: Int { case bias, buckets }
    private enum Kept: Int { case normed1, hat1, scale1, wide, activated, normed2, hat2, scale2, gated }

    package static func workspace(_ c: Configuration) -> WorkspaceShape {
        let d = c.dim
        return WorkspaceShape(
            shared: [d, d, 1, 4 * d], block: [d, d, 1, 4 * d, 4 * d, d, d, 1, d], sharedPairs: 2, blockPairs: c.heads,
            layers: c.layers)
    }

    /// The public code's: attended values are small at first, and a larger epsilon would swallow them.
    static let normEpsilon: Float = 1e-6

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
        outputNorm = table.norm("outputNorm")
        let d = configuration.dim
        blocks = (0..<configuration.layers).map { layer in
            let block = "blocks.\(layer)."
            return Block(
                norm1: table.norm(block + "norm1"),
                gateValueQueryKey: table.linear(block + "gateValueQueryKey", d, 4 * d),
                positionBias: table.place(block + "positionBias"), timeBias: table.place(block + "timeBias"),
                norm2: table.norm(block + "norm2"), output: table.linear(block + "output", d, d))
        }
        workspace = Workspace(Self.workspace(configuration))
    }

    private var d: Int { configuration.dim }
    private var width: Int { configuration.dim / configuration.heads }
    private var scale: Float { 1 / Float(configuration.maxLength) }

    private func shared(_ buffer: Shared) -> UnsafeMutablePointer<Float> { workspace.shared(buffer.rawValue) }

    private func kept(_ layer: Int, _ buffer: Kept) -> UnsafeMutablePointer<Float> {
        workspace.block(layer, buffer.rawValue)
    }

    private func pairs(_ buffer: Pairs) -> UnsafeMutablePointer<Float> { workspace.sharedPairs(buffer.rawValue) }

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
        layers.embed(batch, items: table.item, positions: nil, into: x)
        layers.drop(x, T * d, dropping, 0, 0, x)
        findBuckets(batch)
        for (layer, b) in blocks.enumerated() {
            let place = newestOnly ? 0 : layer
            func s(_ buffer: Kept) -> UnsafeMutablePointer<Float> { kept(place, buffer) }
            layers.norm(x, T, b.norm1, s(.normed1), s(.hat1), s(.scale1))
            var gate = (s(.activated), stride: 4 * d)
            if newestOnly, layer == blocks.count - 1 {
                gate = (attendNewest(batch, x, b), stride: d)
                T = batch.sequences
            } else {
                layers.product(s(.normed1), T, b.gateValueQueryKey, s(.wide))
                kernels.biasSilu(s(.wide), layers.bias(b.gateValueQueryKey), T, 4 * d, s(.activated))
                addBiases(batch, b)
                attend(batch, s(.activated), place, into: s(.hat2))
            }
            layers.norm(s(.hat2), T, b.norm2, s(.normed2), s(.hat2), s(.scale2))
            kernels.multiply(s(.normed2), d, gate.0, gate.stride, T, d, s(.gated), d)
            layers.drop(s(.gated), T * d, dropping, layer, 2, s(.gated))
            layers.linear(s(.gated), T, b.output, branch)
            layers.add(branch, T * d, to: x)
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
        let (dx, branch, dWide) = (dHidden, shared(.branch), shared(.dWide))
        layers.normBackward(dx, T, outputNorm, shared(.stream), shared(.scale), g, dx)
        for (layer, b) in blocks.enumerated().reversed() {
            func s(_ buffer: Kept) -> UnsafeMutablePointer<Float> { kept(layer, buffer) }
            layers.linearBackward(s(.gated), dx, T, b.output, g, branch)
            layers.drop(branch, T * d, dropping, layer, 2, branch)
            kernels.multiply(branch, d, s(.normed2), d, T, d, dWide, 4 * d)
            kernels.multiply(branch, d, s(.activated), 4 * d, T, d, s(.gated), d)
            layers.normBackward(s(.gated), T, b.norm2, s(.hat2), s(.scale2), g, s(.gated))
            addShortBiases(batch, b)
            attendBackward(batch, s(.activated), layer, s(.gated), into: dWide)
            scatterBiases(batch, b, g)
            kernels.siluBackward(dWide, s(.wide), T * 4 * d, dWide)
            layers.linearBackward(s(.normed1), dWide, T, b.gateValueQueryKey, g, branch)
            layers.normBackward(branch, T, b.norm1, s(.hat1), s(.scale1), g, branch)
            layers.add(branch, T * d, to: dx)
        }
        layers.drop(dx, T * d, dropping, 0, 0, dx)
        layers.scatter(batch, dx, items: table.item, positions: nil, g)
    }

    // MARK: - Attention

    /// A row of `activated` is gate, value, query, key, of d each.
    private func attend(
        _ batch: JaggedBatch, _ activated: UnsafePointer<Float>, _ layer: Int,
        into attended: UnsafeMutablePointer<Float>
    ) {
        let (d, width, scale) = (d, width, scale)
        let scores = workspace.blockPairs(layer)
        let bias = pairs(.bias)
        layers.eachPack(batch) { packs, scratch in
            let v = activated + d
            kernels.shortPointwiseAttention(
                v + d, v + 2 * d, v, 4 * d, configuration.heads, width, packs, shortBias.p,
                scale, attended, d, scratch)
        }
        layers.eachLongHead(batch) { start, n, head, place, scratch in
            let v = activated + start * 4 * d + d + head * width
            kernels.pointwiseAttention(
                v + d, v + 2 * d, v, 4 * d, n, width, bias + (place - head * n * n) / configuration.heads, scale,
                scores + place, attended + start * d + head * width, d, scratch)
        }
    }

    /// The last block's attended values of the newest positions, left in `hat2`, and their gates [sequences, d], which are
    /// returned; leaves of x the newest positions.
    private func attendNewest(
        _ batch: JaggedBatch, _ x: UnsafeMutablePointer<Float>, _ b: Block
    ) -> UnsafeMutablePointer<Float> {
        let (T, S, d, width, scale) = (batch.count, batch.sequences, d, width, scale)
        let normed = kept(0, .normed1)
        // A quarter of the buffers each: values and keys of all positions, gates and queries of the newest.
        func part(_ column: Int, _ rows: Int, _ quarter: Int) -> UnsafeMutablePointer<Float> {
            let (wide, y) = (kept(0, .wide) + quarter * T * d, kept(0, .activated) + quarter * T * d)
            layers.product(normed, rows, b.gateValueQueryKey, wide, outputs: column * d..<(column + 1) * d)
            kernels.biasSilu(wide, layers.bias(b.gateValueQueryKey) + column * d, rows, d, y)
            return y
        }
        let (v, k) = (part(1, T, 1), part(3, T, 3))
        layers.keepNewest(batch, normed)
        layers.keepNewest(batch, x)
        let (gate, q) = (part(0, S, 0), part(2, S, 2))
        let bias = pairs(.bias)
        let position = parameters.p + b.positionBias
        let time = parameters.p + b.timeBias
        for sequence in 0..<S {
            let (start, end) = (batch.offsets[sequence], batch.offsets[sequence + 1])
            for j in start..<end {
                bias[j] = position[end - 1 - j]
                if batch.hasTimes { bias[j] += time[Self.bucket(batch.distance(end - 1, j))] }
            }
        }
        let attended = kept(0, .hat2)
        layers.eachNewestHead(batch) { sequence, start, n, head, scratch in
            let column = head * width
            kernels.newestPointwiseAttention(
                q + sequence * d + column, k + start * d + column, v + start * d + column, d, n, width, bias + start,
                scale, attended + sequence * d + column, scratch)
        }
        return gate
    }

    /// Leaves the gradients of value, query and key in `dWide`, and that of the biases in the pairs.
    private func attendBackward(
        _ batch: JaggedBatch, _ activated: UnsafePointer<Float>, _ layer: Int, _ dAttended: UnsafePointer<Float>,
        into dWide: UnsafeMutablePointer<Float>
    ) {
        let (d, width, scale) = (d, width, scale)
        let scores = workspace.blockPairs(layer)
        let dBias = pairs(.bias)
        dBias.update(repeating: 0, count: batch.attentionFloats)
        layers.eachPack(batch) { packs, scratch in
            let (v, dv) = (activated + d, dWide + d)
            kernels.shortPointwiseAttentionBackward(
                v + d, v + 2 * d, v, 4 * d, configuration.heads, width, packs, shortBias.p, scale, dAttended,
                d, dv + d, dv + 2 * d, dv, shortSlopes.p, scratch)
        }
        layers.eachLongHead(batch) { start, n, head, place, scratch in
            let v = activated + start * 4 * d + d + head * width
            let dv = dWide + start * 4 * d + d + head * width
            kernels.pointwiseAttentionBackward(
                v + d, v + 2 * d, v, 4 * d, n, width, scale, scores + place, dAttended + start * d + head * width, d,
                dv + d, dv + 2 * d, dv, dBias + (place - head * n * n) / configuration.heads, scratch)
        }
    }

    // MARK: - Relative biases

    /// Smallest distance in time of each bucket: bucket b holds ln(max(1, |dt|)) / 0.301 from b to b + 1, as the public code.
    private static let bucketStarts: [Double] = (0..<Configuration.timeBuckets).map { exp(0.301 * Double($0)) }

    /// The bucket of a distance in time; all beyond the last start share the last.
    static func bucket(_ distance: UInt64) -> Int {
        let dt = Double(max(1, distance))
        // From below: ln dt is at least ln 2 times its whole binary digits less one.
        var bucket = min(
            Int(towardZero: Double(63 - max(1, distance).leadingZeroBitCount) * 0.6931 / 0.301), bucketStarts.count - 1)
        while bucket + 1 < bucketStarts.count, dt >= bucketStarts[bucket + 1] { bucket += 1 }
        return bucket
    }

    /// The bucket of every pair, once for all layers.
    private func findBuckets(_ batch: JaggedBatch) {
        let floats = layers.packs(of: batch).count * ShortPacks.plane
        if shortBias.count < floats {
            (shortBias, shortSlopes) = (FloatBuffer(floats), FloatBuffer(floats))
        }
        guard batch.hasTimes else { return }
        if shortBuckets.count < floats { shortBuckets = FloatBuffer(floats) }
        let buckets = pairs(.buckets)
        func bucket(_ i: Int, _ j: Int) -> Float { Float(Self.bucket(batch.distance(i, j))) }
        eachLongPair(batch) { place, i, j in buckets[place] = bucket(i, j) }
        eachShortPair(batch) { place, m, row in shortBuckets.p[place] = bucket(row, row - m) }
    }

    private func addBiases(_ batch: JaggedBatch, _ b: Block) {
        let (bias, buckets) = (pairs(.bias), pairs(.buckets))
        let position = UnsafePointer(parameters.p + b.positionBias)
        let time = UnsafePointer(parameters.p + b.timeBias)
        if batch.hasTimes {
            eachLongPair(batch) { place, i, j in bias[place] = position[i - j] + time[Int(buckets[place])] }
        } else {
            eachLongPair(batch) { place, i, j in bias[place] = position[i - j] }
        }
        addShortBiases(batch, b)
    }

    /// Those of the packs, which the backward pass needs again: scores of short sequences are not kept.
    private func addShortBiases(_ batch: JaggedBatch, _ b: Block) {
        let position = UnsafePointer(parameters.p + b.positionBias)
        let time = UnsafePointer(parameters.p + b.timeBias)
        let (bias, buckets) = (shortBias.p, shortBuckets.p)
        if batch.hasTimes {
            eachShortPair(batch) { place, m, _ in bias[place] = position[m] + time[Int(buckets[place])] }
        } else {
            eachShortPair(batch) { place, m, _ in bias[place] = position[m] }
        }
    }

    private func scatterBiases(_ batch: JaggedBatch, _ b: Block, _ g: UnsafeMutablePointer<Float>) {
        let (dBias, buckets) = (pairs(.bias), pairs(.buckets))
        let (position, time) = (g + b.positionBias, g + b.timeBias)
        let (short, shortBuckets) = (shortSlopes.p, shortBuckets.p)
        let hasTimes = batch.hasTimes
        eachLongPair(batch) { place, i, j in
            position[i - j] += dBias[place]
            if hasTimes { time[Int(buckets[place])] += dBias[place] }
        }
        eachShortPair(batch) { place, m, _ in
            position[m] += short[place]
            if hasTimes { time[Int(shortBuckets[place])] += short[place] }
        }
    }

    /// Visits the causal pairs of positions of every sequence that no pack has, and where their number stands among the pairs.
    @inline(__always)
    private func eachLongPair(_ batch: JaggedBatch, _ body: (_ place: Int, _ i: Int, _ j: Int) -> Void) {
        var first = 0
        for sequence in 0..<batch.sequences {
            let start = batch.offsets[sequence]
            let n = batch.length(sequence)
            if !layers.isPacked(n) {
                for i in 0..<n {
                    for j in 0...i { body(first + i * n + j, start + i, start + j) }
                }
            }
            first += n * n
        }
    }

    /// Visits the causal pairs of the packs: where their number stands in the planes, distance, and the later position.
    @inline(__always)
    private func eachShortPair(_ batch: JaggedBatch, _ body: (_ place: Int, _ distance: Int, _ row: Int) -> Void) {
        let packs = layers.packs(of: batch)
        for pack in 0..<packs.count {
            let rows = packs.numbers + pack * 4 * ShortPacks.lanes
            let reaches = rows + ShortPacks.lanes
            let positions = packs.positions(pack)
            for m in 0..<packs.distances(pack) {
                let place = pack * ShortPacks.plane + m * ShortPacks.lanes
                for lane in 0..<positions where m <= reaches[lane] {
                    body(place + lane, m, Int(rows[lane]))
                }
            }
        }
    }
}
