import Foundation
import PlawTesting
import Testing
import Trials

@testable import Domain

/// Policies between their members and their texts.
@Suite struct PolicyTests {
    /// Every policy of the databases and of what was read from them.
    static func texts() throws -> Set<String> {
        let folder = "\(Paths.root)/Tests/Schemas"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        return try files.reduce(into: []) { found, file in
            let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
            found.formUnion(text.matches(of: /"policy":"([^"\\]*)"/).map { String($0.1) })
        }
    }

    @Test("every text that was ever stored survives, and plawd's own are of its version")
    func stored() throws {
        let texts = try Self.texts()
        #expect(texts.count == 15)
        #expect(texts.count { TrainingPolicy($0).version == 1 } == 6)
        for text in texts {
            let policy = TrainingPolicy(text)
            #expect(policy.text == text)
            #expect((policy.version == 1) == (text.hasPrefix("adamw lr=")), "\(text)")
        }
        // Equal where their texts are, and only there.
        #expect(Set(texts.map { TrainingPolicy($0) }).count == texts.count)
    }

    static let options = [
        TrainingOptions(), TrainingOptions(dropout: -0.0),
        TrainingOptions(learningRate: .leastNonzeroMagnitude, clipNorm: 1e30),
        TrainingOptions(stopMetric: Metric(.hr, 5), warmup: 0.1, schedule: .cosine, widthRule: .mup, calibration: 0.5),
        TrainingOptions(warmup: 0.1, scheduleEpochs: 3, sampling: .uniform), TrainingOptions(leastGain: 0.1),
        Recipe.standard.options(Recipe.Facts(tokens: 100_000, users: 3_000), loss: .cce),
    ]

    @Test("what was trained by options has the key of its own text", arguments: options, Loss.allCases)
    func own(_ options: TrainingOptions, _ loss: Loss) throws {
        for heads in [nil, 4] {
            let spec = TrialSpec(
                corpus: "c", configuration: Configuration(layers: 1, dim: 16, loss: loss), options: options, seed: 1,
                mask: .none, mostHeads: heads, trainer: heads.map { "torch-\($0)" })
            let key = spec.lawKey(datasetVersion: "v", filter: "none")
            #expect(try JSONDecoder().decode(LawKey.self, from: JSONEncoder().encode(key)) == key)
            let policy = key.policy
            #expect(TrainingPolicy(policy.text) == policy)
            #expect(policy.recipe == options.recipe && policy.mostEpochs == options.maxEpochs)
            #expect(policy.heads == heads.map { .atMost($0) } ?? .exactly(spec.configuration.heads))
            #expect(policy.trainer == heads.map { "torch-\($0)" })
            #expect(policy.averaging == (options.differsFromPublished ? options.averaging : nil))
            #expect(policy.sampling == (loss == .sampledSoftmax ? options.sampling : nil))
        }
    }

    @Test("a text from elsewhere says what it says, and the rest is nil")
    func foreign() {
        let policy = TrainingPolicy("adam,  lr=0.1 batch=64 batch=32 epochs<=9 heads=many average=x")
        #expect(policy.version == nil && policy.recipe == nil && policy.recipeVersion == nil)
        #expect(policy.learningRate == 0.1 && policy.batchUsers == 64 && policy.mostEpochs == 9)
        #expect(policy.heads == nil && policy.says("heads") && policy.averaging == nil && policy.dropout == nil)
        #expect(policy == TrainingPolicy(policy.text) && policy != TrainingPolicy(policy.text + " "))
        let named = TrainingPolicy("p recipe=standard-1 q")
        #expect(named.recipe == .standard && named.recipeVersion == 1 && named.version == nil)
        #expect(TrainingPolicy("").text == "" && TrainingPolicy("", isSaid: false) != TrainingPolicy(""))
        // Numbers that another text spells: both stay what they are.
        #expect(["\u{e9}", "e\u{301}"].allSatisfy { Array(TrainingPolicy($0).text.utf8) == Array($0.utf8) })
        #expect(TrainingPolicy("adamw lr=0.10").text == "adamw lr=0.10")
        #expect(TrainingPolicy("adamw lr=0.1") != TrainingPolicy("adamw lr=0.10"))
    }
}
