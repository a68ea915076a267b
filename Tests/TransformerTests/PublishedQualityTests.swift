import Foundation
import Interactions
import Testing
import Trials

@testable import Domain
@testable import Transformer

private let isLong = ProcessInfo.processInfo.environment["PLAW_LONG_TESTS"] == "1"

@Suite struct PublishedQualityTests {
    /// Test HR@10 and NDCG@10 that a loss must reach on amazon-beauty with 2 layers, d 64, 2 heads, L 50.
    static let expected: [(loss: Loss, hr: ClosedRange<Double>, ndcg: ClosedRange<Double>)] = [
        // Published for cce: 0.0923 and 0.0568 (arXiv 2301.00979 code); bce is known to stay well below.
        (.cce, 0.088...0.105, 0.054...0.065), (.bce, 0.045...0.065, 0.02...0.04),
        // Close to cce, whose sum over all items it estimates.
        (.sampledSoftmax, 0.085...0.105, 0.051...0.065),
    ]

    @Test(
        "SASRec reaches its published quality on amazon-beauty", .enabled(if: isLong, "PLAW_LONG_TESTS is not 1"),
        .enabled(if: file != nil, "PLAW_DATA holds no amazon-beauty.txt"),
        arguments: expected.indices)
    func beauty(index: Int) throws {
        let (loss, hr, ndcg) = Self.expected[index]
        let file = try #require(Self.file, "PLAW_DATA holds no amazon-beauty.txt")
        let path = NSTemporaryDirectory() + "/plaw-quality-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = try InteractionReader(path: file, options: ReadOptions()).buildCorpus(at: path)
        let spec = TrialSpec(
            corpus: path, configuration: Configuration(layers: 2, dim: 64, heads: 2, maxLength: 50, loss: loss),
            options: TrainingOptions(negatives: loss.standardNegatives), seed: 1, mask: .full,
            checkpointSeconds: .infinity)
        let result = try Trainer(spec: spec, corpus: try Corpus(path: path)).run().result
        #expect(result.status == .converged)
        #expect(hr.contains(result.test["hr@10"]?.value ?? 0), "\(result.test)")
        #expect(ndcg.contains(result.test["ndcg@10"]?.value ?? 0), "\(result.test)")
    }

    private static var file: String? {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path()
        let folder = ProcessInfo.processInfo.environment["PLAW_DATA"] ?? root + "../shared/data"
        let path = folder + "/amazon-beauty.txt"
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }
}
