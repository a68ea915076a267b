import Testing

@testable import Domain
@testable import Kernels
@testable import Transformer

/// Every parameter's gradient against finite differences of the loss, dropout on, in plain double-precision kernels.
struct GradientTests {
    private func batch(_ random: inout RandomStream, items: Int, timed: Bool) -> JaggedBatch {
        var batch = JaggedBatch()
        for length in [2, 5, 3, 9] {
            let sequence = (0..<length).map { _ in Int32(random.below(items)) }
            let times = (0..<length).map { Int64($0 * $0 * 100) }
            sequence.withUnsafeBufferPointer { items in
                times.withUnsafeBufferPointer { batch.addTraining(items, times: timed ? $0 : nil, maxLength: 6) }
            }
        }
        return batch
    }

    @Test(
        "the gradient of every parameter is the slope of the loss", arguments: Loss.allCases,
        [(dropout: 0, rule: WidthRule.plain), (0.3, .mup)])
    func slopes(loss: Loss, setting: (dropout: Double, rule: WidthRule)) throws {
        try check(.sasrec, loss, setting.dropout, setting.rule, timed: false)
    }

    @Test(
        "so it is in every backbone, with and without times and dropout",
        arguments: [Model.gpt, .llama, .hstu], [false, true])
    func backboneSlopes(backbone: Model, plain: Bool) throws {
        try check(backbone, .cce, plain ? 0 : 0.3, plain ? .plain : .mup, timed: !plain)
    }

    @Test("and with another width of the feed-forward layers", arguments: [Model.sasrec, .gpt, .llama])
    func feedForwardSlopes(backbone: Model) throws {
        try check(backbone, .cce, 0.3, .plain, timed: false, feedForwardFactor: 1.3)
    }

    private func check(
        _ backbone: Model, _ loss: Loss, _ dropout: Double, _ rule: WidthRule, timed: Bool,
        feedForwardFactor: Double? = nil
    ) throws {
        let items = 13
        let configuration = Configuration(
            backbone: backbone, layers: 2, dim: 12, heads: 2, maxLength: 6, loss: loss,
            feedForwardFactor: feedForwardFactor)
        let step = TrainingStep(
            configuration, items: items,
            options: TrainingOptions(
                dropout: dropout, negatives: Self.negatives(loss), widthRule: rule), kernels: .naive)
        var random = RandomStream(seed: 3, .weights)
        for i in 0..<step.model.table.count { step.model.parameters.p[i] = Float(random.uniform() * 2 - 1) }
        let batch = batch(&random, items: items, timed: timed)
        let drawn = Self.negatives(loss) * (loss == .sampledSoftmax ? 1 : batch.count)
        let negatives = (0..<drawn).map { _ in Int32(random.below(items)) }
        func value() -> Double { step.lossAndGradient(batch, negatives: negatives, dropoutKey: 77) }
        _ = value()
        let gradient = (0..<step.gradient.count).map { Double(step.gradient.p[$0]) }
        let h: Float = 2e-3
        for entry in step.model.table.entries {
            // A few of each parameter's numbers, spread over it.
            for i in stride(from: entry.offset, to: entry.offset + entry.count, by: max(1, entry.count / 7)) {
                let kept = step.model.parameters.p[i]
                step.model.parameters.p[i] = kept + h
                let above = value()
                step.model.parameters.p[i] = kept - h
                let below = value()
                step.model.parameters.p[i] = kept
                let slope = (above - below) / Double(2 * h)
                #expect(abs(slope - gradient[i]) < 2e-3 + 2e-2 * abs(gradient[i]), "\(entry.name) \(i - entry.offset)")
            }
        }
    }

    private static func negatives(_ loss: Loss) -> Int { loss == .sampledSoftmax ? 7 : 3 }

    @Test("a gradient longer than clipNorm is cut to it")
    func clipping() {
        let step = TrainingStep(
            Configuration(layers: 1, dim: 4, maxLength: 4, loss: .cce), items: 5,
            options: TrainingOptions(clipNorm: 0.5))
        step.gradient.p.update(repeating: 3, count: step.gradient.count)
        step.update(step: 1)
        let norm = Kernels.naive.sumOfSquares(step.gradient.p, step.gradient.count).squareRoot()
        #expect(abs(norm - 0.5) < 1e-4)
    }

    @Test("results do not depend on what else is in the batch: padding is never computed", arguments: Model.trainable)
    func jagged(backbone: Model) {
        let configuration = Configuration(backbone: backbone, layers: 2, dim: 8, heads: 2, maxLength: 6, loss: .cce)
        let table = ParameterTable(configuration, items: 9)
        let parameters = FloatBuffer(table.count)
        table.initialise(parameters, seed: 5)
        for i in 0..<table.count { parameters.p[i] *= 20 }
        let model = configuration.model.init(
            configuration, items: 9, parameters: parameters, dropout: 0, kernels: .best)
        var alone = JaggedBatch()
        let sequence: [Int32] = [1, 2, 3]
        sequence.withUnsafeBufferPointer { alone.addContext($0, maxLength: 6) }
        let expected = (0..<24).map { model.forward(alone, dropoutKey: nil)[$0] }
        var together = JaggedBatch()
        for other in [[4, 5, 6, 7, 8, 0, 1], sequence, [2]] as [[Int32]] {
            other.withUnsafeBufferPointer { together.addContext($0, maxLength: 6) }
        }
        let hidden = model.forward(together, dropoutKey: nil)
        for i in 0..<24 { #expect(abs(hidden[6 * 8 + i] - expected[i]) < 1e-5 * max(1, abs(expected[i]))) }
    }

    @Test("no hidden state depends on later items, and hstu's depends on times", arguments: Model.trainable)
    func causal(backbone: Model) {
        let configuration = Configuration(backbone: backbone, layers: 2, dim: 8, heads: 2, maxLength: 6, loss: .cce)
        let table = ParameterTable(configuration, items: 9)
        let parameters = FloatBuffer(table.count)
        table.initialise(parameters, seed: 5)
        for i in 0..<table.count { parameters.p[i] *= 20 }
        let model = configuration.model.init(
            configuration, items: 9, parameters: parameters, dropout: 0, kernels: .best)
        func states(_ items: [Int32], _ times: [Int64]) -> [Float] {
            var batch = JaggedBatch()
            items.withUnsafeBufferPointer { items in
                times.withUnsafeBufferPointer { batch.addContext(items, times: $0, maxLength: 6) }
            }
            let hidden = model.forward(batch, dropoutKey: nil)
            return (0..<batch.count * 8).map { hidden[$0] }
        }
        let base = states([1, 2, 3, 4], [0, 10, 20, 30])
        let changed = states([1, 2, 3, 5], [0, 10, 20, 90])
        for i in 0..<24 { #expect(abs(changed[i] - base[i]) < 1e-5 * max(1, abs(base[i]))) }
        #expect(changed[24...] != base[24...])
        #expect((states([1, 2, 3, 4], [0, 10, 20, 9_000]) != base) == (backbone == .hstu))
    }

    @Test("distances in time fall into the buckets of the public code")
    func buckets() {
        // int(log(max(1, dt)) / 0.301), clamped to 128.
        for (distance, bucket) in [
            (0, 0), (1, 0), (2, 2), (3, 3), (60, 13), (3_600, 27), (86_400, 37), (31_536_000, 57), (1 << 62, 128),
        ] as [(UInt64, Int)] {
            #expect(HSTU.bucket(distance) == bucket, "\(distance)")
        }
    }
}
