import Domain
import Foundation
import Interactions
import Testing
import Trials

@testable import SequenceEntropy

/// A corpus of one sequence a user, written as `user item` lines.
private func withCorpus<T>(lines: [[Int]], _ body: (Corpus) throws -> T) throws -> T {
    let file = FileManager.default.temporaryDirectory.path + "/plaw-" + UUID().uuidString + ".txt"
    defer { try? FileManager.default.removeItem(atPath: file) }
    let text = lines.enumerated().map { user, items in
        items.map { "u\(user) \($0)" }.joined(separator: "\n")
    }.joined(separator: "\n")
    try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: file))
    return try withCorpus(of: file, body)
}

private let lines: [[Int]] = {
    var random = SplitMix64(seed: 4)
    return (0..<300).map { _ in
        (0..<Int.random(in: 2...90, using: &random)).map { _ in Int.random(in: 1...25, using: &random) }
    }
}()

struct MovementTests {
    @Test("each row equals the measures of a corpus that was cut by hand")
    func rows() throws {
        try withCorpus(lines: lines) { corpus in
            let movement = try EntropyMovement.measure(corpus, m: 1, r: 0.2, maxLength: 30)
            #expect(movement.byMaxLength.map(\.maxLength) == [10, 20, 30, 50, 100])
            for point in movement.byMaxLength {
                let cut = lines.map { Array($0.suffix(point.maxLength)) }
                let direct = directPooled(cut.map { $0.map { Int32($0) } }, m: 1)
                #expect(abs(point.pooledApEn - direct.value) < 1e-12)
                #expect(abs(point.biasCorrected - direct.biasCorrected) < 1e-12)
                #expect(point.singletonShare == direct.singletonShare)
                #expect(point.interactions == cut.reduce(0) { $0 + $1.count })
                let tokens = lines.reduce(0) {
                    $0 + min(max(($1.count >= 3 ? $1.count - 2 : $1.count) - 1, 0), point.maxLength)
                }
                #expect(point.tokens == tokens)
                let perUser = cut.reduce(0) { $0 + directApEn($1.map { Int64($0) }, m: 1, r: 0) } / Double(cut.count)
                #expect(abs(point.perUserApEn - perUser) < 1e-12)
            }
            #expect(movement.byUserFraction.map(\.userFraction) == [0.125, 0.25, 0.5, 1])
            for point in movement.byUserFraction {
                let chosen = lines.indices.filter { UserSample.includes(user: $0, fraction: point.userFraction) }
                #expect(point.users == chosen.count)
                let direct = directPooled(chosen.map { lines[$0].map { Int32($0) } }, m: 1)
                #expect(abs(point.pooledApEn - direct.value) < 1e-12)
                #expect(abs(point.effectiveTokens - Double(point.tokens) / direct.value) < 1e-6)
            }
        }
    }

    @Test("the report of a share of the users is that of a corpus of these users")
    func share() throws {
        try withCorpus(lines: lines) { corpus in
            let found = try EntropyReport.measure(corpus, userFraction: 0.25)
            let chosen = lines.indices.filter { UserSample.includes(user: $0, fraction: 0.25) }.map { lines[$0] }
            try withCorpus(lines: chosen) { part in
                let expected = try EntropyReport.measure(part)
                #expect(found.tokens == expected.tokens)
                #expect(found.compressionRatio == expected.compressionRatio)
                // Items are numbered differently, and sums are taken in another order.
                #expect(abs(found.shannonBits - expected.shannonBits) < 1e-12)
                #expect(abs(found.lempelZiv - expected.lempelZiv) < 1e-12)
                #expect(abs(found.perUserApEn.mean - expected.perUserApEn.mean) < 1e-12)
                for (one, other) in zip(found.pooledApEn, expected.pooledApEn) {
                    #expect(abs(one.value - other.value) < 1e-12)
                    #expect(one.singletonShare == other.singletonShare)
                }
            }
        }
    }

    @Test("lengths end with the first that holds the longest history")
    func bounded() throws {
        try withCorpus(lines: [[1, 2, 3], [2, 3, 4, 5, 1]]) { corpus in
            let movement = try EntropyMovement.measure(corpus, m: 2, r: 0.2, maxLength: 50)
            #expect(movement.byMaxLength.map(\.maxLength) == [10])
            #expect(movement.byUserFraction.allSatisfy { $0.users > 0 })
        }
    }
}

struct NotesTests {
    @Test(
        "each degenerate case is named",
        arguments: [
            ([[1, 2, 3, 4], [2, 3, 4, 1]], "no user repeats an item"),
            ([[1], [2], [3]], "no user has two interactions"),
            ([[1, 2], [2, 1]], "every sequence is too short for per-user ApEn with m = 2"),
            ([[7, 7, 7, 7], [7, 7, 7]], "there is one item only"),
            ([[1, 2, 3], [4, 5, 6]], "nothing recurs"),
            ([[1, 2, 1, 2, 1, 2]], "pooled ApEn is 0: each item has only one successor"),
            ([[1, 2, 3], [4, 5, 6], [1, 9, 8]], "of the items are followed once only"),
            ([[1, 2], [1, 2], [1, 2, 1, 2]], "67 % of the users are too short"),
            ([[1, 2, 3], [3, 1, 2]], "there are no tokens"),
            ([[1, 1, 1, 3, 2, 3, 3, 2, 1, 2, 4, 4, 3, 4, 3, 1]], "more than half of the contexts occur once"),
            ([[1, 2, 1, 2, 1, 3, 1, 1, 2, 2]], "on every context occurs once"),
            ([[1, 2, 1, 2, 2, 1], [2, 1, 1, 2]], "no sequence has more than 6 items"),
        ] as [([[Int]], String)])
    func named(lines: [[Int]], note: String) throws {
        try withCorpus(lines: lines) { corpus in
            let notes = try EntropyReport.measure(corpus).notes
            #expect(notes.contains { $0.contains(note) }, "\(notes)")
        }
    }

    @Test("ordinary data has no note, and other tolerances have theirs")
    func ordinary() throws {
        try withCorpus(lines: lines.filter { $0.count > 8 }.map { $0.map { $0 % 3 } }) { corpus in
            let (ordinary, negative, large) = (
                try EntropyReport.measure(corpus), try EntropyReport.measure(corpus, r: -1),
                try EntropyReport.measure(corpus, r: 2)
            )
            #expect(ordinary.notes.isEmpty)
            #expect(negative.notes.contains { $0.hasPrefix("r < 0") })
            #expect(large.notes.contains { $0.hasPrefix("r >= 1") })
        }
    }
}
