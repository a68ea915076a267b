import Foundation
import Interactions
import Testing
import Trials

@testable import Domain
@testable import Kernels
@testable import Transformer

let dataFolder: String = {
    if let folder = ProcessInfo.processInfo.environment["PLAW_DATA"] { return folder }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return root.appendingPathComponent("../shared/data").standardizedFileURL.path
}()
let dataPresent = FileManager.default.fileExists(atPath: dataFolder + "/lastfm.txt")

/// A folder that is gone when the closure ends.
func withTemporaryFolder<T>(_ body: (String) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory.path + "/plaw-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
}

/// A corpus read from a text of interactions.
func corpus(_ text: String, in folder: String) throws -> Corpus {
    try text.write(toFile: folder + "/data", atomically: true, encoding: .utf8)
    _ = try InteractionReader(path: folder + "/data", options: ReadOptions()).buildCorpus(at: folder + "/corpus")
    return try Corpus(path: folder + "/corpus")
}

func synthetic(users: Int = 300, items: Int = 60, in folder: String) throws -> Corpus {
    try corpus(SyntheticInteractions(users: users, items: items, meanLength: 9, clusters: 6).text(), in: folder)
}

func spec(
    _ corpus: Corpus, layers: Int = 1, dim: Int = 8, loss: Loss = .cce, epochs: Int = 4, batch: Int = 64,
    mask: CandidateMask = .none
) -> TrialSpec {
    TrialSpec(
        corpus: corpus.path, configuration: Configuration(layers: layers, dim: dim, maxLength: 10, loss: loss),
        options: TrainingOptions(batchUsers: batch, maxEpochs: epochs, patience: 3), seed: 11, mask: mask)
}
