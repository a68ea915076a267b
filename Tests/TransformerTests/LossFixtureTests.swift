import Foundation
import Kernels
import Testing

@testable import Domain
@testable import Transformer

/// Every loss computed by PyTorch in double precision: Fixtures/losses.json, made by scripts/make-loss-fixture.py.
private struct LossFixture: Decodable {
    struct Run: Decodable {
        var loss: Double
        var dHidden: [Double]
        var dItems: [Double]
    }

    var items: Int
    var dim: Int
    var negativesPerRow: Int
    var lengths: [Int]
    var calibration: Double
    var hidden: [Double]
    var embeddings: [Double]
    var targets: [Int32]
    var negatives: [Int32]
    var shared: [Int32]
    var weights: [Float]
    var losses: [String: Run]

    static func load() throws -> LossFixture {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/losses.json")
        return try JSONDecoder().decode(LossFixture.self, from: Data(contentsOf: path))
    }

    /// Sequences whose positions have the fixture's targets: each begins with some item, then the targets.
    func batch() -> JaggedBatch {
        var batch = JaggedBatch()
        var start = 0
        for length in lengths {
            let sequence = [0] + targets[start..<start + length]
            sequence.withUnsafeBufferPointer { batch.addTraining($0, maxLength: 50) }
            start += length
        }
        return batch
    }
}

struct LossFixtureTests {
    @Test("every loss and its gradients equal PyTorch's, on every kernel variant", arguments: Loss.allCases)
    func torch(loss: Loss) throws {
        let fixture = try LossFixture.load()
        let run = try #require(fixture.losses[loss.rawValue])
        let batch = fixture.batch()
        #expect(batch.targets == fixture.targets)
        let negatives = loss == .sampledSoftmax ? fixture.shared : fixture.negatives
        for kernels in Kernels.Variant.allCases.compactMap(Kernels.variant) {
            let head = loss.head(
                dim: fixture.dim, items: fixture.items,
                options: TrainingOptions(
                    negatives: loss == .sampledSoftmax ? fixture.shared.count : fixture.negativesPerRow,
                    calibration: fixture.calibration),
                proposal: ItemProposal(weights: fixture.weights), kernels: kernels)
            let hidden = FloatBuffer(fixture.hidden.count), items = FloatBuffer(fixture.embeddings.count)
            let dHidden = FloatBuffer(hidden.count), dItems = FloatBuffer(items.count)
            for (i, value) in fixture.hidden.enumerated() { hidden.p[i] = Float(value) }
            for (i, value) in fixture.embeddings.enumerated() { items.p[i] = Float(value) }
            // Hidden gradients are overwritten, those of the items added to.
            dHidden.p.update(repeating: 7, count: dHidden.count)
            dItems.p.update(repeating: 0.5, count: dItems.count)
            let found = head.lossAndGradient(
                LossInput(
                    batch: batch, negatives: negatives, hidden: hidden.p, items: items.p, dHidden: dHidden.p,
                    dItems: dItems.p))
            #expect(abs(found - run.loss) < 1e-5 * (1 + run.loss), "\(kernels.variant)")
            for (i, value) in run.dHidden.enumerated() {
                #expect(abs(Double(dHidden.p[i]) - value) < 2e-5, "\(kernels.variant) hidden \(i)")
            }
            for (i, value) in run.dItems.enumerated() {
                #expect(abs(Double(dItems.p[i]) - 0.5 - value) < 2e-5, "\(kernels.variant) item \(i)")
            }
        }
    }

    @Test("without calibration, or with every other item as a negative, gbce is bce")
    func calibration() {
        #expect(abs(PairwiseLoss.beta(items: 1_000, negatives: 10, t: 0) - 1) < 1e-12)
        #expect(abs(PairwiseLoss.beta(items: 11, negatives: 10, t: 0.9) - 1) < 1e-12)
        // Fully calibrated: the share of the other items that is drawn.
        #expect(abs(PairwiseLoss.beta(items: 1_001, negatives: 10, t: 1) - 0.01) < 1e-12)
    }

    @Test("the estimate of the softmax's sum is unbiased, accidental hits left out, from both distributions")
    func unbiased() {
        let scores: [Double] = [0.3, -1, 2, 0.1, 1.2, -0.4, 0.8]
        let target = 4
        let truth = scores.indices.filter { $0 != target }.reduce(0.0) { $0 + exp(scores[$1]) }
        for proposal in [ItemProposal(uniform: 7), ItemProposal(weights: [5, 1, 2, 9, 3, 1, 1])] {
            var random = RandomStream(seed: 4, .negatives)
            var sum = 0.0
            var counts = [Int](repeating: 0, count: 7)
            let draws = 400_000
            for _ in 0..<draws {
                let item = proposal.draw(&random)
                counts[Int(item)] += 1
                if Int(item) != target { sum += exp(scores[Int(item)]) / (Double(draws) * proposal.probability(item)) }
            }
            #expect(abs(sum - truth) < 0.01 * truth)
            for item in 0..<7 {
                #expect(abs(Double(counts[item]) / Double(draws) - proposal.probability(Int32(item))) < 0.004)
            }
        }
    }
}
