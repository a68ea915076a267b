import Foundation
import Glibc
import Testing
import Trials

@testable import Domain
@testable import Kernels
@testable import Transformer

/// A two-layer model of each backbone computed by PyTorch in double precision, made by scripts/make-backbone-fixtures.py:
/// the weights, what they give, and gradients, all but the lists as safetensors.
struct BackboneFixture: Decodable {
    var sequences: [[Int32]]
    var times: [[Int64]]
    var maxLength: Int
    var hidden: [Double]
    var hiddenWithoutTimes: [Double]?
    var losses: [Double]

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures").path

    static func load(_ backbone: Model) throws -> BackboneFixture {
        let path = folder + "/\(backbone.rawValue)-expected.json"
        return try JSONDecoder().decode(BackboneFixture.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    static func weights(_ backbone: Model) -> String { folder + "/\(backbone.rawValue).safetensors" }

    static func configuration(_ backbone: Model) -> Configuration {
        Configuration(backbone: backbone, layers: 2, dim: 12, heads: 2, maxLength: 8, loss: .cce)
    }

    static let items = 23

    func batch(timed: Bool = true) -> JaggedBatch {
        var batch = JaggedBatch()
        for (sequence, times) in zip(sequences, times) {
            sequence.withUnsafeBufferPointer { items in
                times.withUnsafeBufferPointer {
                    batch.addTraining(items, times: timed ? $0 : nil, maxLength: maxLength)
                }
            }
        }
        return batch
    }

    /// Ready to train from the weights that PyTorch wrote.
    static func step(_ backbone: Model, _ kernels: Kernels) throws -> TrainingStep {
        let step = TrainingStep(
            configuration(backbone), items: items,
            options: TrainingOptions(learningRate: 1e-2, weightDecay: 0.05, beta1: 0.9, beta2: 0.98, dropout: 0),
            kernels: kernels)
        try WeightsFile.read(weights(backbone), into: step.model)
        return step
    }

    /// The tensors of a file, read by plain parsing that shares nothing with `WeightsFile`.
    static func tensors(_ path: String) throws -> [String: (shape: [Int], values: [Float])] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try #require(
            JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: [String: Any]])
        var found: [String: (shape: [Int], values: [Float])] = [:]
        for (name, entry) in header where name != "__metadata__" {
            let offsets = try #require(entry["data_offsets"] as? [Int])
            let bytes = [UInt8](data[8 + length + offsets[0]..<8 + length + offsets[1]])
            let values = stride(from: 0, to: bytes.count, by: 4).map { i in
                Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[i + $1]) << (8 * UInt32($1)) })
            }
            found[name] = (try #require(entry["shape"] as? [Int]), values)
        }
        return found
    }
}

struct BackboneFixtureTests {
    let kernels = Kernels.Variant.allCases.compactMap(Kernels.variant)

    @Test("weights that PyTorch wrote give its hidden states, with and without times", arguments: Model.trainable)
    func hidden(backbone: Model) throws {
        let fixture = try BackboneFixture.load(backbone)
        for kernels in kernels {
            let model = try BackboneFixture.step(backbone, kernels).model
            for (expected, timed) in [(fixture.hidden, true), (fixture.hiddenWithoutTimes ?? [], false)] {
                let hidden = model.forward(fixture.batch(timed: timed), dropoutKey: nil)
                for (i, value) in expected.enumerated() {
                    #expect(abs(Double(hidden[i]) - value) < 1e-4 * max(1, abs(value)), "\(kernels.variant) \(i)")
                }
            }
        }
    }

    @Test("the loss and the gradient of every parameter equal PyTorch's to 1e-4", arguments: Model.trainable)
    func gradients(backbone: Model) throws {
        let fixture = try BackboneFixture.load(backbone)
        let expected = try BackboneFixture.tensors(
            BackboneFixture.folder + "/\(backbone.rawValue)-gradients.safetensors")
        for kernels in kernels {
            let step = try BackboneFixture.step(backbone, kernels)
            let loss = step.lossAndGradient(fixture.batch(), negatives: [], dropoutKey: nil)
            #expect(abs(loss - fixture.losses[0]) < 1e-5 * fixture.losses[0])
            for entry in step.model.table.entries {
                let tensor = try #require(expected[entry.name])
                let scale = tensor.values.map(abs).max() ?? 0
                var worst: Float = 0
                for (i, value) in tensor.values.enumerated() {
                    // PyTorch keeps linear weights [out, in].
                    let inputs = entry.shape[0]
                    let place = entry.isMatrix ? i % inputs * entry.shape[1] + i / inputs : i
                    worst = max(worst, abs(step.gradient.p[entry.offset + place] - value))
                }
                // Some biases have no influence; their true gradient is 0 and only rounding is left.
                #expect(worst <= 1e-4 * scale + 1e-6, "\(kernels.variant) \(entry.name)")
            }
        }
    }

    @Test("the loss of 20 AdamW steps follows PyTorch's", arguments: Model.trainable)
    func descent(backbone: Model) throws {
        let fixture = try BackboneFixture.load(backbone)
        for kernels in kernels {
            let step = try BackboneFixture.step(backbone, kernels)
            for (number, expected) in fixture.losses.enumerated() {
                let found = step.lossAndGradient(fixture.batch(), negatives: [], dropoutKey: nil)
                #expect(abs(found - expected) < 1e-3 * expected, "\(kernels.variant) step \(number)")
                step.update(step: number + 1)
            }
        }
    }
}

/// Weights as files: what comes out goes in again, here and in PyTorch, and nothing else does.
struct WeightsFileTests {
    private func model(_ backbone: Model, layers: Int = 2, items: Int = 23) -> any SequenceModel {
        var configuration = BackboneFixture.configuration(backbone)
        configuration.layers = layers
        let table = ParameterTable(configuration, items: items)
        let parameters = FloatBuffer(table.count)
        table.initialise(parameters, seed: 3)
        return configuration.model.init(configuration, items: items, parameters: parameters, dropout: 0, kernels: .best)
    }

    @Test("a file of PyTorch's, read and written again, has the same bytes", arguments: Model.trainable)
    func roundTrip(backbone: Model) throws {
        try withTemporaryFolder { folder in
            let model = model(backbone)
            try WeightsFile.read(BackboneFixture.weights(backbone), into: model)
            try WeightsFile.write(model, to: folder + "/W.safetensors")
            let written = try Data(contentsOf: URL(fileURLWithPath: folder + "/W.safetensors"))
            #expect(written == (try Data(contentsOf: URL(fileURLWithPath: BackboneFixture.weights(backbone)))))
        }
    }

    /// A Python with torch: `PLAW_PYTHON`, else python3.
    static let python: String? = {
        let program = ProcessInfo.processInfo.environment["PLAW_PYTHON"] ?? "python3"
        return output("\(program) -c 'import torch; print(1)' 2>/dev/null") == "1\n" ? program : nil
    }()

    static func output(_ command: String) -> String? {
        guard let pipe = popen(command, "r") else { return nil }
        var bytes: [UInt8] = []
        var byte = fgetc(pipe)
        while byte != EOF {
            bytes.append(UInt8(truncatingIfNeeded: byte))
            byte = fgetc(pipe)
        }
        return pclose(pipe) == 0 ? String(decoding: bytes, as: UTF8.self) : nil
    }

    @Test(
        "a file written here gives the same hidden states in PyTorch",
        .enabled(if: python != nil, "PLAW_PYTHON names no Python with torch, nor has python3 it"),
        arguments: Model.trainable)
    func toTorch(backbone: Model) throws {
        let python = try #require(Self.python)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("scripts/torch_backbones.py").path
        try withTemporaryFolder { folder in
            let model = model(backbone)
            for i in 0..<model.table.count { model.parameters.p[i] *= 10 }
            let path = folder + "/W.safetensors"
            try WeightsFile.write(model, to: path)
            let sequences: [[Int32]] = [[1, 2, 3, 22], [7]]
            let times: [[Int64]] = [[0, 5, 5, 100_000], [1]]
            var batch = JaggedBatch()
            for (sequence, times) in zip(sequences, times) {
                sequence.withUnsafeBufferPointer { items in
                    times.withUnsafeBufferPointer { batch.addContext(items, times: $0, maxLength: 8) }
                }
            }
            let hidden = model.forward(batch, dropoutKey: nil)
            let text = try #require(Self.output("'\(python)' '\(script)' '\(path)' '\(sequences)' '\(times)'"))
            let states = try JSONDecoder().decode([[[Double]]].self, from: Data(text.utf8)).joined().joined()
            #expect(states.count == 5 * 12)
            for (i, value) in states.enumerated() {
                #expect(abs(Double(hidden[i]) - value) < 1e-4 * max(1, abs(value)))
            }
        }
    }

    /// A weights file with its header changed.
    private func changed(_ backbone: Model, _ change: (inout String, inout Data) -> Void) throws -> Data {
        let file = try Data(contentsOf: URL(fileURLWithPath: BackboneFixture.weights(backbone)))
        let length = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        var header = String(decoding: file[8..<8 + length], as: UTF8.self)
        var data = Data(file[(8 + length)...])
        change(&header, &data)
        return withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8) + data
    }

    @Test("a file that does not match is refused, naming the tensor, what was found and what was expected")
    func refusals() throws {
        let whole = try changed(.gpt) { _, _ in }
        let cases: [(Data, String)] = [
            (Data(), "found 0 bytes, expected a safetensors file"),
            (Data("PK\u{3}\u{4} some other file altogether".utf8), "found no safetensors header"),
            (whole.prefix(100), "the file is cut short"),
            (whole.dropLast(4), "tensor outputNorm.bias: found 16652 bytes of data, expected at least 16656"),
            (whole + Data(count: 4), "found 16660 bytes of data, expected 16656"),
            (try changed(.gpt) { header, _ in header = "{\"item\":3}" }, "the safetensors header cannot be read"),
            (try changed(.gpt) { header, _ in header.replace("\"plaw\":\"1\",", with: "") }, "no member \"plaw\""),
            (
                try changed(.gpt) { header, _ in header.replace("\"plaw\":\"1\"", with: "\"plaw\":\"2\"") },
                "plaw: found \"2\" in the metadata, expected \"1\""
            ),
            (try changed(.llama) { _, _ in }, "backbone: found \"llama\" in the metadata, expected \"gpt\""),
            (
                try changed(.gpt) { header, _ in header.replace("blocks.1.norm1.bias", with: "blocks.1.norm3.bias") },
                "tensor blocks.1.norm1.bias: found none, expected shape [12]"
            ),
            (
                try changed(.gpt) { header, _ in
                    let more = ",\"extra\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[16656,16660]}}"
                    header = header.trimmingCharacters(in: .whitespaces).dropLast() + more
                }, "tensor extra: found shape [1], expected no such tensor"
            ),
            (
                try changed(.gpt) { header, _ in header.replace("[48,12]", with: "[12,48]") },
                "tensor blocks.0.expand.weight: found shape [12, 48], expected [48, 12]"
            ),
            (
                try changed(.gpt) { header, _ in header.replace("\"F32\"", with: "\"F16\"", maxReplacements: 1) },
                "tensor item: found dtype F16, expected F32"
            ),
            (
                try changed(.gpt) { header, _ in header.replace("[0,1104]", with: "[4,1108]") },
                "tensor item: found data at 4, expected it at 0"
            ),
            (
                try changed(.gpt) { header, _ in header.replace("[0,1104]", with: "[-4,1100]") },
                "tensor item: found data_offsets [-4, 1100], expected 1104 bytes"
            ),
            (
                try changed(.gpt) { _, data in data.replaceSubrange(8..<12, with: [0, 0, 0xc0, 0x7f]) },
                "tensor item: found nan at 2, expected finite numbers"
            ),
        ]
        try withTemporaryFolder { folder in
            let path = folder + "/W.safetensors"
            let target = model(.gpt)
            let before = (0..<target.table.count).map { target.parameters.p[$0] }
            for (data, message) in cases {
                try data.write(to: URL(fileURLWithPath: path))
                do {
                    try WeightsFile.read(path, into: target)
                    Issue.record("accepted: \(message)")
                } catch {
                    #expect("\(error)".contains(message) && "\(error)".contains(path), "\(error)")
                }
            }
            #expect((0..<target.table.count).map { target.parameters.p[$0] } == before)
            try whole.write(to: URL(fileURLWithPath: path))
            #expect { try WeightsFile.read(path, into: self.model(.gpt, layers: 1)) } throws: {
                "\($0)".contains("layers: found \"2\" in the metadata, expected \"1\"")
            }
            #expect { try WeightsFile.read(path, into: self.model(.gpt, items: 24)) } throws: {
                "\($0)".contains("items: found \"23\" in the metadata, expected \"24\"")
            }
        }
    }
}
