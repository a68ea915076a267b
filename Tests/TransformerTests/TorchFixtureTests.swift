import Foundation
import Kernels
import Testing

@testable import Domain
@testable import Transformer

/// A two-layer SASRec computed by PyTorch in double precision: Fixtures/sasrec.json, made by scripts/make-torch-fixture.py.
struct TorchFixture: Decodable {
    struct Run: Decodable {
        var loss: Double
        var gradients: [String: [Double]]
        var losses: [Double]
    }

    var items: Int
    var dim: Int
    var heads: Int
    var maxLength: Int
    var layers: Int
    var sequences: [[Int32]]
    var negatives: [Int32]
    var parameters: [String: [Double]]
    var hidden: [Double]
    var cce: Run
    var bce: Run

    static func load() throws -> TorchFixture {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/sasrec.json")
        return try JSONDecoder().decode(TorchFixture.self, from: Data(contentsOf: path))
    }

    func batch() -> JaggedBatch {
        var batch = JaggedBatch()
        for sequence in sequences { sequence.withUnsafeBufferPointer { batch.addTraining($0, maxLength: maxLength) } }
        return batch
    }

    func step(_ loss: Loss, _ kernels: Kernels) -> TrainingStep {
        let step = TrainingStep(
            Configuration(layers: layers, dim: dim, heads: heads, maxLength: maxLength, loss: loss), items: items,
            options: TrainingOptions(
                learningRate: 1e-2, weightDecay: 0.05, beta1: 0.9, beta2: 0.98, dropout: 0), kernels: kernels)
        for entry in step.model.table.entries {
            for (i, value) in (parameters[entry.name] ?? []).enumerated() {
                step.model.parameters.p[entry.offset + i] = Float(value)
            }
        }
        return step
    }
}

struct TorchFixtureTests {
    let kernels = Kernels.Variant.allCases.compactMap(Kernels.variant)

    @Test("parameter names and sizes are those of the fixture")
    func names() throws {
        let fixture = try TorchFixture.load()
        let table = fixture.step(.cce, .best).model.table
        #expect(Set(table.entries.map(\.name)) == Set(fixture.parameters.keys))
        for entry in table.entries { #expect(fixture.parameters[entry.name]?.count == entry.count) }
    }

    @Test("hidden states, loss and every gradient equal PyTorch's to 1e-4", arguments: [Loss.cce, .bce])
    func gradients(loss: Loss) throws {
        let fixture = try TorchFixture.load()
        let run = loss == .cce ? fixture.cce : fixture.bce
        for kernels in kernels {
            let step = fixture.step(loss, kernels)
            let batch = fixture.batch()
            let hidden = step.model.forward(batch, dropoutKey: nil)
            for (i, value) in fixture.hidden.enumerated() { #expect(abs(Double(hidden[i]) - value) < 1e-4) }
            let found = step.lossAndGradient(batch, negatives: fixture.negatives, dropoutKey: nil)
            #expect(abs(found - run.loss) < 1e-5 * run.loss)
            for entry in step.model.table.entries {
                let expected = try #require(run.gradients[entry.name])
                let scale = expected.map(abs).max() ?? 0
                let worst =
                    expected.enumerated().map {
                        abs(Double(step.gradient.p[entry.offset + $0.offset]) - $0.element)
                    }.max() ?? 0
                // Key biases have no influence; their true gradient is 0 and only rounding is left.
                #expect(worst < 1e-4 * scale + 1e-7, "\(kernels.variant) \(entry.name)")
            }
        }
    }

    @Test("the loss of 20 AdamW steps follows PyTorch's", arguments: [Loss.cce, .bce])
    func descent(loss: Loss) throws {
        let fixture = try TorchFixture.load()
        let run = loss == .cce ? fixture.cce : fixture.bce
        for kernels in kernels {
            let step = fixture.step(loss, kernels)
            let batch = fixture.batch()
            for (number, expected) in run.losses.enumerated() {
                let found = step.lossAndGradient(batch, negatives: fixture.negatives, dropoutKey: nil)
                #expect(abs(found - expected) < 1e-3 * expected, "\(kernels.variant) step \(number)")
                step.update(step: number + 1)
            }
        }
    }
}
