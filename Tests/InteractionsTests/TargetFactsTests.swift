import Domain
import Foundation
import Testing

@testable import Interactions

/// What is known of the test targets before anything is trained.
@Suite struct TargetFactsTests {
    /// The same, written down as the words say it.
    private static func naive(_ sequences: [[String]], mask: CandidateMask, maxLength: Int) -> TargetFacts {
        let items = Set(sequences.joined())
        let evaluated = sequences.filter { $0.count >= 3 }
        let trained = Set(sequences.flatMap { $0.count >= 3 ? Array($0.dropLast(2)) : $0 })
        let candidates = evaluated.map { sequence -> Int in
            let seen: [String] =
                switch mask {
                case .none: []
                case .window: Array(sequence.dropLast().suffix(maxLength))
                case .full: Array(sequence.dropLast())
                }
            return items.subtracting(Set(seen).subtracting([sequence[sequence.count - 1]])).count
        }.sorted()
        let unseen = evaluated.filter { !trained.contains($0[$0.count - 1]) }.count
        return TargetFacts(
            users: evaluated.count,
            candidates: candidates.isEmpty ? [] : (0...4).map { candidates[(candidates.count - 1) * $0 / 4] },
            unseen: evaluated.isEmpty ? 0 : Double(unseen) / Double(evaluated.count))
    }

    @Test("candidates and unseen targets are those of a plain count", arguments: 0..<40)
    func counts(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let catalogue = [3, 8, 40, 400][seed % 4]
        let sequences = (0..<60).map { _ in
            (0..<(1 + Int(random.next() % 14))).map { _ in "i\(Int(random.next() % UInt64(catalogue)))" }
        }
        try withFolder { folder in
            let file = folder + "/s.txt"
            let lines = sequences.enumerated().map { "user\($0) " + $1.joined(separator: " ") }
            try (lines.joined(separator: "\n") + "\n").write(toFile: file, atomically: true, encoding: .utf8)
            let path = folder + "/s.corpus"
            // A file in which items may look like users is read as it is meant.
            let options = ReadOptions(columns: ["user": "0", "items": "1"])
            let reader = try? InteractionReader(path: file, options: ReadOptions())
            _ = try (reader ?? InteractionReader(path: file, options: options)).buildCorpus(at: path)
            let corpus = try Corpus(path: path)
            for mask in [CandidateMask.none, .window, .full] {
                for maxLength in [1, 3, 50] {
                    #expect(
                        try TargetFacts(corpus, mask: mask, maxLength: maxLength)
                            == Self.naive(sequences, mask: mask, maxLength: maxLength), "\(mask) \(maxLength)")
                }
            }
        }
    }

    @Test(
        "a metric that a random order nearly reaches is called trivial, and no other",
        arguments: [(1, 10, true), (8, 10, true), (40, 10, true), (60, 10, false), (12_101, 10, false), (60, 20, true)])
    func trivial(candidates: Int, k: Int, isTrivial: Bool) {
        let facts = TargetFacts(users: 1_000, candidates: [Int](repeating: candidates, count: 5), unseen: 0)
        let warnings = facts.warnings(Metric(.ndcg, k), dataset: "books")
        #expect(warnings.contains { $0.code == "trivial-metric" } == isTrivial)
        if isTrivial, candidates > 5 { #expect(warnings.first?.command == "plaw fit books --metric ndcg@1") }
        if candidates == 1 { #expect(warnings.first?.message.contains("the only candidate") == true) }
    }

    @Test("targets that nobody could know and few users are told")
    func unknowable() {
        func codes(_ facts: TargetFacts) -> [String] {
            facts.warnings(Metric(.hr, 10), dataset: "books").map(\.code)
        }
        let wide = [Int](repeating: 5_000, count: 5)
        #expect(codes(TargetFacts(users: 5_000, candidates: wide, unseen: 0.05)) == [])
        #expect(codes(TargetFacts(users: 5_000, candidates: wide, unseen: 0.6)) == ["unseen-targets"])
        #expect(codes(TargetFacts(users: 1, candidates: wide, unseen: 0)) == ["few-users"])
        #expect(codes(TargetFacts(users: 40, candidates: wide, unseen: 1)) == ["unseen-targets", "few-users"])
    }

    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.path + "/targets-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }
}
