import Domain
import Foundation
import Interactions
import Testing
import Trials

@testable import Transformer

struct TrainerTests {
    @Test("training learns: ranks beat chance by far on a source with structure", arguments: Loss.allCases)
    func learns(loss: Loss) throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(users: 1_000, items: 200, in: folder)
            var spec = spec(corpus, dim: 16, loss: loss, epochs: 30, batch: 32)
            spec.options.dropout = 0.1
            spec.options.negatives = min(loss.standardNegatives, 64)
            let outcome = try Trainer(spec: spec, corpus: corpus).run()
            let hit = try #require(outcome.result.test["hr@10"])
            #expect([.converged, .stoppedRising].contains(outcome.result.status))
            #expect(hit.value > 3 * 10.0 / 200)
            #expect(outcome.ranks.test.count == 1_000)
        }
    }

    @Test("a model that is not yet better than popularity is given five times the patience")
    func plateau() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(users: 300, items: 100, in: folder)
            var slow = spec(corpus, epochs: 100)
            slow.options.patience = 3
            slow.options.learningRate = 1e-12
            let stuck = try Trainer(spec: slow, corpus: corpus).run().result
            #expect(stuck.epochs - stuck.bestEpoch == 15)
            var quick = slow
            quick.options.learningRate = 1e-2
            quick.options.maxEpochs = 200
            let learned = try Trainer(spec: quick, corpus: corpus).run().result
            #expect(learned.epochs - learned.bestEpoch == 3)
        }
    }

    @Test("the same specification gives the same bits, another seed others", arguments: Loss.allCases)
    func deterministic(loss: Loss) throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            var spec = spec(corpus, loss: loss)
            spec.options.negatives = 4
            let first = try Trainer(spec: spec, corpus: corpus).run()
            #expect(try Trainer(spec: spec, corpus: corpus).run().ranks == first.ranks)
            let bits = Trainer.parametersAfterRun(try Trainer(spec: spec, corpus: corpus))
            #expect(Trainer.parametersAfterRun(try Trainer(spec: spec, corpus: corpus)) == bits)
            var other = spec
            other.seed = 12
            #expect(try Trainer(spec: other, corpus: corpus).run().ranks != first.ranks)
        }
    }

    @Test("a training stopped anywhere and resumed ends bit-identical", arguments: Loss.allCases)
    func resume(loss: Loss) throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            var spec = spec(corpus, loss: loss)
            // Everything that a continuation could forget: decay and momentum of rows, schedule, several negatives.
            spec.options.negatives = 5
            spec.options.weightDecay = 0.01
            spec.options.clipNorm = 1
            spec.options.warmup = 0.3
            spec.options.schedule = .cosine
            spec.options.widthRule = .mup
            spec.options.averaging = 0.2
            spec.options.itemRate = 3
            spec.options.leastGain = 0.01
            let whole = Trainer.parametersAfterRun(try Trainer(spec: spec, corpus: corpus))
            for stopAfter in [1, 3, 7, 12] {
                let path = folder + "/checkpoint\(stopAfter)"
                var asked = 0
                let first = try Trainer(spec: spec, corpus: corpus, checkpointPath: path)
                #expect(throws: Trainer.Interrupted.self) {
                    try first.run(shouldStop: {
                        asked += 1
                        return asked > stopAfter
                    })
                }
                let second = try Trainer(spec: spec, corpus: corpus, checkpointPath: path) { Issue.record("\($0)") }
                #expect(second.position.step == stopAfter)
                #expect(Trainer.parametersAfterRun(second) == whole)
            }
        }
    }

    @Test("a damaged, cut or foreign checkpoint is refused with a note, and training begins anew")
    func badCheckpoint() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            let path = folder + "/checkpoint"
            let trainer = try Trainer(spec: spec(corpus), corpus: corpus, checkpointPath: path)
            #expect(throws: Trainer.Interrupted.self) { try trainer.run(shouldStop: { true }) }
            let good = try Data(contentsOf: URL(fileURLWithPath: path))
            var flipped = good
            flipped[good.count / 2] ^= 1
            for bad in [Data(), good.prefix(40), good.prefix(good.count - 5), flipped, Data(repeating: 7, count: 900)] {
                try bad.write(to: URL(fileURLWithPath: path))
                var notes: [String] = []
                let again = try Trainer(spec: spec(corpus), corpus: corpus, checkpointPath: path) { notes.append($0) }
                #expect(notes.count == 1)
                #expect(again.position.step == 0)
            }
            try good.write(to: URL(fileURLWithPath: path))
            var notes: [String] = []
            _ = try Trainer(spec: spec(corpus, dim: 16), corpus: corpus, checkpointPath: path) { notes.append($0) }
            #expect(notes.first?.contains("another trial") == true)
        }
    }

    @Test("time that is over stops training at that step and ranks the best so far")
    func budget() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            var spec = spec(corpus, epochs: 10_000)
            spec.options.patience = 10_000
            spec.maxSeconds = 0.2
            let outcome = try Trainer(spec: spec, corpus: corpus).run()
            #expect(outcome.result.status == .stoppedByBudget)
            #expect(outcome.result.users == 300)
            #expect(outcome.result.seconds < 2)
        }
    }

    @Test("ranking against drawn items: never the history, the same for a seed, marked in the result")
    func drawnCandidates() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            let data = TrainingData(corpus, maxLength: 10)
            let candidates = DrawnCandidates(data, count: 20, seed: 3)
            for user in data.evaluatedUsers.prefix(50) {
                let drawn = candidates.items(user)
                #expect(drawn == DrawnCandidates(data, count: 20, seed: 3).items(user))
                #expect(drawn.count == 20 && Set(drawn).count == 20)
                #expect(Set(drawn).isDisjoint(with: corpus.items(of: Int(user))))
            }
            #expect(candidates.items(0) != DrawnCandidates(data, count: 20, seed: 4).items(0))
            var spec = spec(corpus)
            spec.sampledRanking = 20
            let outcome = try Trainer(spec: spec, corpus: corpus).run()
            #expect(outcome.result.sampledRanking == 20)
            #expect(outcome.ranks.test.allSatisfy { (1...21).contains($0) })
            // All items outside the history: the full ranking with the whole history masked, targets of later steps too.
            let all = DrawnCandidates(data, count: corpus.itemCount, seed: 3)
            let step = TrainingStep(spec.configuration, items: corpus.itemCount, options: spec.options)
            step.initialise(seed: 8)
            let ranking = FullRanking(data, mask: .full, dim: spec.configuration.dim)
            #expect(try ranking.ranks(step.model, test: true, among: all) == ranking.ranks(step.model, test: true))
            spec.sampledRanking = 61
            #expect { try Trainer(spec: spec, corpus: corpus) } throws: { "\($0)".contains("sampledRanking") }
        }
    }

    @Test(
        "a learning rate that explodes ends as diverged within some steps, naming the step",
        arguments: Model.trainable, [10, 1e8, 1e9, 1e30])
    func divergence(backbone: Model, learningRate: Double) throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            for loss in [Loss.cce, .bce] {
                var spec = spec(corpus, layers: 2, dim: 16, loss: loss, epochs: 50)
                spec.configuration.backbone = backbone
                spec.options.learningRate = learningRate
                let trainer = try Trainer(spec: spec, corpus: corpus)
                let result = try trainer.run().result
                #expect(result.status == .diverged)
                #expect(result.test.isEmpty && result.validation.isEmpty)
                #expect(trainer.position.step < 20)
                let message = try #require(result.message)
                #expect(message.contains("step \(trainer.position.step + 1)") || message.contains("after step"))
                #expect(message.contains("diverged") && message.contains("learning rate"))
            }
        }
    }

    @Test("a loss beyond every whole number is told like any other")
    func enormousLoss() {
        #expect(
            Trainer.divergence(loss: 1873, first: 9.4, step: 2)
                == "the loss is 1873 at step 2, more than 20 times the 9.40 of the first step: training has diverged")
        for loss in [9.3e18, 1e30, Double.greatestFiniteMagnitude] {
            let text = Trainer.divergence(loss: loss, first: loss / 30, step: 7)
            #expect(text.contains("the loss is \(Format.scientific(loss)) at step 7"))
        }
    }

    @Test("every backbone learns, and goes on bit for bit where it was stopped", arguments: Model.trainable)
    func backbones(backbone: Model) throws {
        try withTemporaryFolder { folder in
            // With times: every user's interactions follow at growing distances.
            let source = SyntheticInteractions(users: 600, items: 100, meanLength: 9, clusters: 6).text()
            var text = "user,item,timestamp\n"
            for (row, line) in source.split(separator: "\n").enumerated() {
                text += line.split(separator: " ").joined(separator: ",") + ",\(1_000_000 + row * row)\n"
            }
            let corpus = try corpus(text, in: folder)
            #expect(corpus.times(of: 0) != nil)
            var spec = spec(corpus, layers: 2, dim: 16, epochs: 12, batch: 32)
            spec.configuration.backbone = backbone
            spec.options.dropout = 0.1
            spec.options.learningRate = 3e-3
            let path = folder + "/checkpoint"
            let whole = try Trainer(spec: spec, corpus: corpus).run()
            #expect(try #require(whole.result.test["hr@10"]).value > 2 * 10.0 / 100)
            var asked = 0
            let first = try Trainer(spec: spec, corpus: corpus, checkpointPath: path)
            #expect(throws: Trainer.Interrupted.self) {
                try first.run(shouldStop: {
                    asked += 1
                    return asked > 25
                })
            }
            let second = try Trainer(spec: spec, corpus: corpus, checkpointPath: path) { Issue.record("\($0)") }
            #expect(second.position.step == 25)
            #expect(try second.run().ranks == whole.ranks)
        }
    }

    @Test("weights that were saved rank as before, and training can begin with them")
    func weights() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            let spec = spec(corpus)
            let path = folder + "/W.safetensors"
            let trained = try Trainer(spec: spec, corpus: corpus)
            let outcome = try trained.run()
            try WeightsFile.write(trained.step.model, to: path)
            let again = try Trainer(spec: spec, corpus: corpus)
            try again.start(from: path)
            let ranked = try again.rankOnly()
            #expect(ranked.ranks == outcome.ranks)
            #expect(ranked.result.epochs == 0 && ranked.result.status == .converged)
            var losses: [Double] = []
            let further = try Trainer(spec: spec, corpus: corpus)
            try further.start(from: path)
            _ = try further.run(progress: { if let loss = $0.loss { losses.append(loss) } })
            var fresh: [Double] = []
            _ = try Trainer(spec: spec, corpus: corpus).run(progress: { if let loss = $0.loss { fresh.append(loss) } })
            #expect(try #require(losses.first) < #require(fresh.first))
        }
    }

    @Test("a share of the users trains, all evaluated users are ranked, smaller shares lie inside larger ones")
    func userFraction() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            let half = TrainingData(corpus, maxLength: 10, userFraction: 0.5)
            let quarter = TrainingData(corpus, maxLength: 10, userFraction: 0.25)
            #expect((100...200).contains(half.trainingUsers.count))
            #expect(Set(quarter.trainingUsers).isSubset(of: half.trainingUsers))
            #expect(half.evaluatedUsers.count == 300)
        }
    }

    @Test("short sequences only train, targets are never trained on")
    func split() throws {
        try withTemporaryFolder { folder in
            let corpus = try corpus("a 1 2\nb 1 2 3 4 5\nc 9\nd 1 2 3\n", in: folder)
            let data = TrainingData(corpus, maxLength: 50)
            #expect(data.evaluatedUsers == [1, 3])
            #expect(data.trainingUsers == [0, 1])
            #expect(data.tokens == 1 + 2)
            #expect(data.trainingItems(1).map { corpus.itemName(Int($0)) } == ["1", "2", "3"])
            #expect(corpus.itemName(Int(data.context(1, test: false).target)) == "4")
            #expect(corpus.itemName(Int(data.context(1, test: true).target)) == "5")
            #expect(data.context(1, test: true).items.count == 4)
        }
    }

    @Test("a specification that cannot be trained is refused, naming the field")
    func refusals() throws {
        try withTemporaryFolder { folder in
            let corpus = try synthetic(in: folder)
            var bad = spec(corpus)
            bad.configuration.dim = 7
            #expect { try Trainer(spec: bad, corpus: corpus) } throws: { "\($0)".contains("divisor of dim 7") }
            bad = spec(corpus)
            bad.configuration = Configuration(backbone: .llama, layers: 1, dim: 6, heads: 2)
            #expect { try Trainer(spec: bad, corpus: corpus) } throws: {
                "\($0)".contains("heads: found 2, expected a divisor of dim 6 that leaves an even number")
            }
            bad = spec(corpus)
            bad.checkpointSeconds = -1
            #expect { try Trainer(spec: bad, corpus: corpus) } throws: { "\($0)".contains("checkpointSeconds") }
        }
    }
}

extension Trainer {
    /// The bits of the parameters when the run is over.
    static func parametersAfterRun(_ trainer: Trainer) -> [UInt32] {
        do {
            _ = try trainer.run()
        } catch {
            Issue.record("\(error)")
        }
        let buffer = trainer.step.model.parameters
        return (0..<buffer.count).map { buffer.p[$0].bitPattern }
    }
}
