import Domain
import Testing

@testable import Kernels
@testable import Transformer

/// The pass that evaluation runs: hidden states of the newest positions alone.
struct NewestTests {
    private static let (dim, maxLength) = (24, 40)

    private func model(_ backbone: Model, layers: Int, _ kernels: Kernels = .best) -> any SequenceModel {
        let configuration = Configuration(
            backbone: backbone, layers: layers, dim: Self.dim, heads: 2, maxLength: Self.maxLength)
        let table = ParameterTable(configuration, items: 50)
        let parameters = FloatBuffer(table.count)
        table.initialise(parameters, seed: 5)
        // Large enough that attention is uneven and what a block adds is felt.
        for i in 0..<table.count { parameters.p[i] *= 8 }
        return configuration.model.init(
            configuration, items: 50, parameters: parameters, dropout: 0.5, kernels: kernels)
    }

    /// Sequences of lengths on both sides of what kernels treat apart, one longer than the model sees.
    private func batch(timed: Bool, _ lengths: [Int] = [1, 7, 33, 2, 45, 16, 1, 40, 17]) -> JaggedBatch {
        var batch = JaggedBatch()
        for (number, length) in lengths.enumerated() {
            let items = (0..<length).map { Int32(($0 * 7 + length * 3 + number) % 50) }
            let times = (0..<length).map { Int64($0 * $0 * 1_000 + length) }
            items.withUnsafeBufferPointer { items in
                times.withUnsafeBufferPointer {
                    batch.addContext(items, times: timed ? $0 : nil, maxLength: Self.maxLength)
                }
            }
        }
        return batch
    }

    @Test(
        "rankings of many positions take room in one block, and what training keeps stays in the others",
        arguments: Model.trainable)
    func room(backbone: Model) {
        let configuration = Configuration(
            backbone: backbone, layers: 12, dim: Self.dim, heads: 2, maxLength: Self.maxLength)
        let shape = configuration.model.workspace(configuration)
        let large = batch(timed: true, [Int](repeating: 40, count: 50))
        let small = batch(timed: true, [5, 9, 3])
        var workspace = Workspace(shape)
        workspace.reserve(large, firstBlockOnly: true)
        workspace.reserve(small, firstBlockOnly: false)
        let expected =
            shape.bytes(positions: large.count, attention: large.attentionFloats, blocks: 1)
            + shape.bytes(positions: small.count, attention: small.attentionFloats, blocks: 11)
        // A sixteenth more than asked for, so that slowly growing batches do not allocate every time.
        #expect(workspace.reservedBytes <= expected * 17 / 16)
        #expect(
            workspace.reservedBytes >= shape.bytes(positions: large.count, attention: large.attentionFloats, blocks: 1))
        let kept = workspace.block(11, 0)
        workspace.reserve(large, firstBlockOnly: true)
        workspace.reserve(small, firstBlockOnly: false)
        #expect(workspace.block(11, 0) == kept)
        // A larger training takes room in all.
        workspace.reserve(large, firstBlockOnly: false)
        #expect(
            workspace.reservedBytes
                >= shape.bytes(positions: large.count, attention: large.attentionFloats, blocks: 12))
    }

    @Test(
        "the newest positions alone equal those of the full pass", arguments: Model.trainable, [1, 2, 3])
    func equalsFullPass(backbone: Model, layers: Int) {
        for timed in [false, true] {
            let model = model(backbone, layers: layers)
            let batch = batch(timed: timed)
            let d = Self.dim
            let full = model.forward(batch, dropoutKey: nil)
            let expected = batch.offsets.dropFirst().map { end in (0..<d).map { full[(end - 1) * d + $0] } }
            let newest = model.newest(batch)
            for (sequence, row) in expected.enumerated() {
                for c in 0..<d {
                    #expect(
                        abs(newest[sequence * d + c] - row[c]) < 2e-5 * max(1, abs(row[c])), "\(sequence) \(c)")
                }
            }
        }
    }

    @Test("a sequence's state is the same alone and in a batch", arguments: Model.trainable)
    func alone(backbone: Model) {
        let d = Self.dim
        let lengths = [3, 40, 17, 1, 22, 9, 12, 30, 5, 8, 6, 2]
        let together = batch(timed: true, lengths)
        let one = model(backbone, layers: 2)
        let states = (0..<lengths.count * d).map { one.newest(together)[$0] }
        for sequence in lengths.indices {
            var alone = JaggedBatch()
            let range = together.offsets[sequence]..<together.offsets[sequence + 1]
            together.inputs[range].withUnsafeBufferPointer { items in
                together.times[range].withUnsafeBufferPointer {
                    alone.addContext(items, times: $0, maxLength: Self.maxLength)
                }
            }
            let state = one.newest(alone)
            for c in 0..<d {
                let expected = states[sequence * d + c]
                #expect(abs(state[c] - expected) < 2e-5 * max(1, abs(expected)), "\(sequence) \(c)")
            }
        }
    }

    @Test("an evaluation between steps leaves training as it was", arguments: Model.trainable)
    func between(backbone: Model) {
        func gradient(evaluating: Bool) -> [Float] {
            let model = model(backbone, layers: 2)
            let batch = batch(timed: true)
            if evaluating { _ = model.newest(self.batch(timed: true, [40, 40, 3])) }
            _ = model.forward(batch, dropoutKey: 7)
            let dHidden = FloatBuffer(batch.count * Self.dim)
            for i in 0..<dHidden.count { dHidden.p[i] = Float(i % 11) - 5 }
            let gradient = FloatBuffer(model.table.count)
            model.backward(batch, dropoutKey: 7, dHidden.p, gradient: gradient)
            return (0..<gradient.count).map { gradient.p[$0] }
        }
        #expect(gradient(evaluating: true) == gradient(evaluating: false))
    }
}
