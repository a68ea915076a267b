import Foundation
import Testing

@testable import Domain
@testable import Kernels
@testable import Transformer

struct OptimiserTests {
    private let items = 40

    /// Trains on gradients that do not depend on the parameters, so that rounding is not amplified: rows are touched now and
    /// then, with gradients from 1e-6 to 1.
    private func moved(_ options: TrainingOptions, steps: Int, settling: [Int] = []) -> [Float] {
        let configuration = Configuration(layers: 1, dim: 4, heads: 1, maxLength: 6, loss: .bce)
        let parameters = FloatBuffer(ParameterTable(configuration, items: items).count)
        let model = SASRec(configuration, items: items, parameters: parameters, dropout: 0)
        let optimiser = AdamW(
            model, options: options, rate: LearningRate(options, stepsPerEpoch: 10), kernels: .best)
        parameters.p.update(repeating: 0.5, count: parameters.count)
        var random = RandomStream(seed: 5, .order)
        for number in 1...steps {
            let rows = (0..<3).map { _ in Int32(pow(random.uniform(), 4) * Double(items)) }
            optimiser.begin(rows)
            for row in rows {
                for i in 0..<4 {
                    let size = pow(10, -6 * random.uniform())
                    optimiser.gradient.p[model.table.item + Int(row) * 4 + i] = Float((random.uniform() - 0.3) * size)
                }
            }
            let position = model.table.entries[1].offset
            for i in position..<position + 24 { optimiser.gradient.p[i] = 0.1 }
            optimiser.update(step: number)
            if settling.contains(number) { optimiser.settle() }
        }
        optimiser.settle()
        return (0..<parameters.count).map { parameters.p[$0] }
    }

    @Test(
        "updating only touched rows equals updating all, with momentum, decay, clipping and a schedule",
        arguments: [
            TrainingOptions(),
            TrainingOptions(weightDecay: 0.1, clipNorm: 0.5),
            TrainingOptions(beta1: 0.5, beta2: 0.9),
            TrainingOptions(weightDecay: 0.1, widthRule: .root, itemRate: 5),
            TrainingOptions(weightDecay: 0.05, maxEpochs: 100, warmup: 0.1, schedule: .cosine),
        ])
    func lazy(options: TrainingOptions) {
        var (dense, sparse) = (options, options)
        dense.itemUpdate = .dense
        sparse.itemUpdate = .sparse
        for steps in [1, 7, 1_000] {
            let expected = moved(dense, steps: steps)
            let found = moved(sparse, steps: steps, settling: [3, 200])
            let worst = zip(found, expected).map { abs($0 - $1) }.max() ?? 0
            let way = expected.map { abs($0 - 0.5) }.max() ?? 0
            // Rounding, and epsilon in first order.
            #expect(worst < 2e-4 * way + 2e-7, "\(steps): \(worst) of \(way)")
        }
    }

    @Test("the closed form of steps without a gradient equals taking them, for short lags and long")
    func closedForm() throws {
        var options = TrainingOptions(weightDecay: 0.02, maxEpochs: 30, warmup: 0.2, schedule: .cosine)
        options.epsilon = 1e-6
        let rate = LearningRate(options, stepsPerEpoch: 20)
        for (last, now) in [(1, 2), (3, 40), (10, 700), (200, 520), (599, 1_500)] {
            for deviation in [1e-5, 1e-3, 1.0] {
                var (p, m, v) = (0.3, 0.7 * deviation, deviation * deviation)
                let (before, first, second) = (p, m, v)
                for k in last + 1...now {
                    let r = rate.rate(k)
                    m *= options.beta1
                    v *= options.beta2
                    let correction1 = 1 - pow(options.beta1, Double(k))
                    let correction2 = 1 - pow(options.beta2, Double(k))
                    p =
                        p * (1 - r * options.weightDecay)
                        - r * (m / correction1) / ((v / correction2).squareRoot() + options.epsilon)
                }
                var catchUp = try #require(CatchUp(options, rate: rate))
                catchUp.move(to: now)
                var f = [Float](repeating: 0, count: 5)
                catchUp.factors(last, into: &f)
                let found = before * Double(f[0]) - first * Double(f[1]) / (second.squareRoot() + Double(f[2]))
                #expect(abs(found - p) < 2e-4 * abs(before - p) + 1e-6, "\(last) \(now) \(deviation)")
                #expect(abs(first * Double(f[3]) - m) < 1e-6 * first)
                #expect(abs(second * Double(f[4]) - v) < 1e-6 * second)
            }
        }
    }

    @Test("momentum that outlives the second moment falls back to updating every row")
    func fallback() {
        let options = TrainingOptions(beta1: 0.999, beta2: 0.99)
        #expect(CatchUp(options, rate: LearningRate(options, stepsPerEpoch: 1)) == nil)
    }

    @Test("rows that a step does not touch keep their bits, and their gradient stays zero")
    func untouched() {
        let step = TrainingStep(
            Configuration(layers: 1, dim: 4, heads: 1, maxLength: 6, loss: .bce), items: items,
            options: TrainingOptions(weightDecay: 0.1, dropout: 0))
        step.initialise(seed: 1)
        let before = (0..<items * 4).map { step.model.parameters.p[$0] }
        for number in 1...3 {
            var batch = JaggedBatch()
            let sequence: [Int32] = [1, 2, 3]
            sequence.withUnsafeBufferPointer { batch.addTraining($0, maxLength: 6) }
            _ = step.lossAndGradient(batch, negatives: [4, 5], dropoutKey: nil)
            step.update(step: number)
        }
        for i in 0..<items * 4 where !(4..<24).contains(i) {
            #expect(step.model.parameters.p[i] == before[i])
            #expect(step.gradient.p[i] == 0)
        }
        #expect(step.model.parameters.p[20] != before[20])
    }

    @Test("the rate warms up, stays or follows the cosine to a tenth, and stays there")
    func schedule() {
        var options = TrainingOptions(learningRate: 1, maxEpochs: 10, warmup: 0.1)
        let constant = LearningRate(options, stepsPerEpoch: 100)
        #expect(constant.rate(1) == 0.01 && constant.rate(50) == 0.5 && constant.rate(100) == 1)
        #expect(constant.rate(5_000) == 1)
        options.schedule = .cosine
        let cosine = LearningRate(options, stepsPerEpoch: 100)
        #expect(abs(cosine.rate(550) - 0.55) < 1e-12)
        #expect(abs(cosine.rate(1_000) - 0.1) < 1e-12 && abs(cosine.rate(4_000) - 0.1) < 1e-12)
        options.scheduleEpochs = 20
        #expect(LearningRate(options, stepsPerEpoch: 100).rate(100) == 0.5)
        #expect(LearningRate(options, stepsPerEpoch: 0).rate(1) == 1)
    }

    @Test("the width rule changes nothing at d 64, and hidden matrices, rates and scores elsewhere")
    func width() {
        #expect(Width(.mup, dim: 64).hiddenRate == 1 && Width(.mup, dim: 64).scores == 1)
        #expect(Width(.plain, dim: 256).hiddenRate == 1 && Width(.plain, dim: 256).hiddenScale == 1)
        let configuration = Configuration(layers: 1, dim: 256, heads: 2, maxLength: 6, loss: .bce)
        func step(_ rule: WidthRule) -> TrainingStep {
            let step = TrainingStep(
                configuration, items: items, options: TrainingOptions(dropout: 0, widthRule: rule))
            step.initialise(seed: 9)
            return step
        }
        let (plain, mup) = (step(.plain), step(.mup))
        for entry in plain.model.table.entries {
            let factor: Float = entry.name.hasPrefix("blocks.") && entry.shape.count == 2 ? 0.5 : 1
            #expect(mup.model.parameters.p[entry.offset + 1] == factor * plain.model.parameters.p[entry.offset + 1])
        }
        // A first step of Adam moves each parameter by its rate, whatever its gradient.
        let before = (0..<mup.model.table.count).map { mup.model.parameters.p[$0] }
        mup.gradient.p.update(repeating: 1, count: mup.gradient.count)
        mup.update(step: 1)
        for entry in mup.model.table.entries where entry.name != "item" {
            let rate = Width.isHidden(entry) ? 0.25e-3 : 1e-3
            #expect(abs(Double(before[entry.offset] - mup.model.parameters.p[entry.offset]) - rate) < 1e-6)
        }
    }
}
