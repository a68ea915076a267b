import Foundation
import Interactions
import Testing
import Trials

@testable import Domain
@testable import Transformer

/// What the standard recipe adds to a training: an average of the parameters, another beginning, rates by width, and an end that
/// waits for slow trainings.
@Suite struct RecipeTests {
    @Test(
        "the average weighs steps by a power, so that their mean age is the share asked for",
        arguments: [0.05, 0.1, 0.3])
    func average(age: Double) {
        let average = ParameterAverage(2, age: age, stepsPerEpoch: 10, isSparse: false)
        let parameters = FloatBuffer(2)
        let last = 4_000
        for step in 1...last {
            // One parameter is the step itself, the other a constant.
            parameters.p[0] = Float(step)
            parameters.p[1] = 7
            if average.takes(step: step) { average.add(parameters, step: step) }
        }
        #expect(abs(Double(average.mean.p[1]) - 7) < 1e-5)
        // Weights step^(1 / age - 2): the mean of the step under them, by summing them.
        let steps = stride(from: 4, through: last, by: 4).map(Double.init)
        let weights = steps.map { pow($0 / Double(last), 1 / age - 2) }
        let expected = zip(steps, weights).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
        #expect(abs(Double(average.mean.p[0]) - expected) < 0.002 * Double(last))
        #expect(abs(1 - Double(average.mean.p[0]) / Double(last) - age) < 0.01)
    }

    @Test("where nothing is averaged there is no memory for it, and rows are gathered eight times an epoch")
    func intervals() {
        #expect(ParameterAverage(100, age: 0, stepsPerEpoch: 10, isSparse: false).mean.count == 0)
        #expect(ParameterAverage(1, age: 0.1, stepsPerEpoch: 800, isSparse: true).interval == 100)
        #expect(ParameterAverage(1, age: 0.1, stepsPerEpoch: 8, isSparse: true).interval == 4)
        #expect(!ParameterAverage(1, age: 0.1, stepsPerEpoch: 8, isSparse: false).stands(after: 3))
    }

    @Test("narrow models learn faster and drop less, wide ones learn slower")
    func width() {
        #expect(Width(.root, dim: 64).rate == 1 && Width(.root, dim: 64).dropout == 1)
        #expect(Width(.root, dim: 16).rate == 2 && Width(.root, dim: 256).rate == 0.5)
        #expect(abs(Width(.root, dim: 8).dropout - 0.25) < 1e-12 && Width(.root, dim: 256).dropout == 1)
        #expect(Width(.plain, dim: 8).rate == 1 && Width(.mup, dim: 8).dropout == 1)
        let options = TrainingOptions(learningRate: 0.001, widthRule: .root, warmupSteps: 10)
        let rate = LearningRate(options, dim: 16, stepsPerEpoch: 100)
        #expect(
            abs(rate.rate(5) - 0.001) < 1e-15 && abs(rate.rate(10) - 0.002) < 1e-15 && rate.rate(9_000) == rate.rate(10)
        )
    }

    @Test(
        "projections onto the residual begin smaller in deep models, and biases of norms apart from 0",
        arguments: Model.trainable)
    func beginning(backbone: Model) {
        let configuration = Configuration(backbone: backbone, layers: 8, dim: 32)
        let table = ParameterTable(configuration, items: 50)
        func deviations(_ initialisation: Initialisation) -> [String: Double] {
            let parameters = FloatBuffer(table.count)
            table.initialise(parameters, seed: 3, initialisation: initialisation, layers: 8)
            return Dictionary(
                uniqueKeysWithValues: table.entries.map { entry in
                    let values = (0..<entry.count).map { Double(parameters.p[entry.offset + $0]) }
                    return (entry.name, (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot())
                })
        }
        let (plain, residual) = (deviations(.plain), deviations(.residual))
        for entry in table.entries {
            let (before, after) = (plain[entry.name] ?? 0, residual[entry.name] ?? 0)
            if entry.name.hasSuffix("output.weight") || entry.name.hasSuffix("contract.weight") {
                #expect(abs(after / before - 0.25) < 1e-6, "\(entry.name)")
            } else if entry.name.lowercased().contains("norm"), entry.name.hasSuffix(".bias") {
                #expect(before == 0 && abs(after / 0.02 - 1) < 0.4, "\(entry.name)")
            } else {
                #expect(before == after, "\(entry.name)")
            }
        }
    }

    @Test("deep and narrow models train, whose rows dropout empties", arguments: Model.trainable, [4, 8])
    func deepAndNarrow(backbone: Model, dim: Int) throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(users: 800, in: folder)
            var spec = spec(corpus, layers: 12, dim: dim, epochs: 2, batch: 800)
            spec.configuration.backbone = backbone
            spec.options.initialisation = .residual
            #expect(try Trainer(spec: spec, corpus: corpus).run().result.status != .diverged)
            guard backbone == .sasrec else { return }
            // The beginning is what it takes: without it the same training ends with its first steps.
            spec.options.initialisation = .plain
            #expect(try Trainer(spec: spec, corpus: corpus).run().result.status == .diverged)
        }
    }

    @Test("patience counts in steps and in a share of what went before, and small gains do not renew it")
    func patience() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            func curve(_ change: (inout TrainingOptions) -> Void) throws -> [Double] {
                var spec = spec(corpus, layers: 1, dim: 16, epochs: 300)
                spec.options.learningRate = 0.01
                spec.options.patience = 1
                change(&spec.options)
                let result = try Trainer(spec: spec, corpus: corpus).run().result
                #expect(result.status != .diverged && result.curve?.count == result.epochs)
                return result.curve ?? []
            }
            /// Validations since the last that stood so much above the one before it that counted.
            func stale(_ curve: [Double], gain: Double) -> (stale: Int, before: Int) {
                var (reference, last) = (-1.0, 0)
                for (i, value) in curve.enumerated() where value > (1 + gain) * reference {
                    (reference, last) = (value, i + 1)
                }
                return (curve.count - last, last)
            }
            let short = try curve { _ in }
            #expect(stale(short, gain: 0).stale == 1)
            // 300 users in batches of 64: 5 steps an epoch.
            let steps = try curve { $0.patienceSteps = 23 }
            #expect(stale(steps, gain: 0).stale == 5)
            let share = try curve { $0.patienceShare = 0.5 }
            let end = stale(share, gain: 0)
            #expect(end.stale == max(1, Int((0.5 * Double(end.before)).rounded(.up))))
            let coarse = try curve { ($0.patienceSteps, $0.leastGain) = (23, 0.05) }
            #expect(stale(coarse, gain: 0.05).stale == 5)
            #expect(coarse.count < steps.count && Array(steps.prefix(coarse.count)) == coarse)
        }
    }

    @Test("a training that its epochs end while it rises is not called converged")
    func rising() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            var spec = spec(corpus, layers: 1, dim: 16, epochs: 4)
            spec.options.patience = 50
            let short = try Trainer(spec: spec, corpus: corpus).run().result
            #expect(short.status == .stoppedRising && short.epochs == 4)
            #expect(short.test["ndcg@10"] != nil)
            spec.options.learningRate = 0.01
            spec.options.maxEpochs = 60
            let long = try Trainer(spec: spec, corpus: corpus).run().result
            #expect(long.status == .converged)
        }
    }

    @Test("what is kept is the average, and it is what the validation ranked")
    func kept() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            for loss in [Loss.cce, .bce] {
                var spec = spec(corpus, dim: 16, loss: loss, epochs: 12)
                spec.options.averaging = 0.1
                spec.options.patience = 20
                let trainer = try Trainer(spec: spec, corpus: corpus)
                var traced: [Trainer.TracePoint] = []
                trainer.trace = { traced.append($0) }
                let result = try trainer.run().result
                #expect(traced.count == result.epochs)
                let best = try #require(
                    traced.max { ($0.validation["ndcg@10"] ?? 0) < ($1.validation["ndcg@10"] ?? 0) })
                #expect(result.bestEpoch == best.epoch)
                #expect(result.validation["ndcg@10"]?.value == best.validation["ndcg@10"])
                #expect(result.test["ndcg@10"]?.value == best.test["ndcg@10"])
                #expect(traced.map { $0.validation["ndcg@10"] ?? 0 } == result.curve)
            }
        }
    }
}
