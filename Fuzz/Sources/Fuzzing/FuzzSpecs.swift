internal import Domain
internal import Glibc
internal import Interactions
internal import Transformer
internal import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Specifications as a worker meets them: read from its directory, priced in memory, and trained for some steps where they are small.
enum FuzzSpecs {
    /// Twelve users with 4 to 9 interactions each, with times.
    private static let corpus: Corpus = {
        var text = "user_id,item_id,timestamp\n"
        for user in 0..<12 {
            for place in 0..<4 + user % 6 {
                text += "\(user),\((user * 5 + place * place) % 9),\(1_000 + 60 * place)\n"
            }
        }
        var corpus: Corpus?
        _ = Scratch.with(Array(text.utf8)) { path in
            guard let reader = try? InteractionReader(path: path, options: ReadOptions()),
                (try? reader.buildCorpus(at: path + ".corpus")) != nil
            else { return false }
            // Open, or mapped, it outlives its name.
            corpus = try? Corpus(path: path + ".corpus")
            return true
        }
        guard let corpus else { fatalError("the corpus of specifications cannot be made") }
        return corpus
    }()

    /// What a training may be predicted to need, beyond the program, to be tried.
    private static let mostBytes = 2_000_000
    private static let mostSteps = 3

    static func read(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let found = Scratch.folder { folder -> TrialSpec? in
            let directory = TrialDirectory(path: folder)
            guard FileManager.default.createFile(atPath: directory.specPath, contents: Data(bytes)) else {
                fatalError("no scratch file")
            }
            return try? directory.readSpec()
        }
        guard let spec = found else { return false }
        precondition(spec.problem == nil, "a specification was read that cannot be trained")
        _ = spec.lawKey(datasetVersion: "v", filter: "none")
        let data = TrainingData(corpus, maxLength: spec.configuration.maxLength, userFraction: spec.userFraction)
        let needed = MemoryUse.predictedBytes(spec.configuration, data: data, options: spec.options)
        precondition(needed >= MemoryUse.programBytes, "a training that needs less than nothing")
        guard needed < MemoryUse.programBytes + mostBytes else { return true }
        // What is refused for this corpus alone is a specification all the same.
        guard let trainer = try? Trainer(spec: spec, corpus: corpus) else { return true }
        var asked = 0
        _ = try? trainer.run(shouldStop: {
            asked += 1
            return asked > mostSteps
        })
        return true
    }

    static var seeds: [[UInt8]] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let facts = Recipe.Facts(tokens: 60, users: 12)
        var short = TrainingOptions.published
        (short.batchUsers, short.maxEpochs, short.patience) = (4, 3, 2)
        let specs = [
            TrialSpec(
                corpus: "/state/corpora/a", configuration: Configuration(layers: 1, dim: 4, maxLength: 6),
                options: short, seed: 1, mask: .none),
            TrialSpec(
                corpus: "/state/corpora/b",
                configuration: Configuration(
                    backbone: .hstu, layers: 2, dim: 4, heads: 2, maxLength: 6, loss: .bprMax),
                options: Recipe.standard.options(facts, loss: .bprMax), seed: .max, userFraction: 0.5,
                mask: .full, maxSeconds: 10, sampledRanking: 3, mostHeads: 2),
            TrialSpec(
                corpus: "/state/corpora/c",
                configuration: Configuration(
                    backbone: .llama, layers: 1, dim: 4, heads: 2, maxLength: 6, loss: .sampledSoftmax,
                    feedForwardFactor: 2),
                options: Recipe.standard.options(facts, loss: .sampledSoftmax), seed: 3, mask: .window),
        ]
        return specs.map { spec in
            guard let data = try? encoder.encode(spec) else { fatalError("a specification cannot be written") }
            return Array(data)
        }
    }
}
