import Domain
import Foundation
import Interactions
import Testing

@testable import SequenceEntropy

let dataFolder: String = {
    if let folder = ProcessInfo.processInfo.environment["PLAW_DATA"] { return folder }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return root.appendingPathComponent("../shared/data").standardizedFileURL.path
}()
let dataPresent = FileManager.default.fileExists(atPath: dataFolder + "/lastfm.txt")

@discardableResult
func withCorpus<T>(of file: String, _ body: (Corpus) throws -> T) throws -> T {
    let path = FileManager.default.temporaryDirectory.path + "/plaw-" + UUID().uuidString + ".corpus"
    defer { try? FileManager.default.removeItem(atPath: path) }
    _ = try InteractionReader(path: file, options: ReadOptions()).buildCorpus(at: path)
    return try body(try Corpus(path: path))
}

/// The definition, word for word: O(n²), Chebyshev distance, own match included, 1e-10 for C = 0.
func directApEn(_ x: [Int64], m: Int, r: Double) -> Double {
    func phi(_ m: Int) -> Double {
        let templates = x.count - m + 1
        let logs = (0..<templates).map { i in
            let c = (0..<templates).filter { j in
                (0..<m).map { abs(x[i + $0] - x[j + $0]) }.max().map { Double($0) <= r } ?? true
            }.count
            return log(c == 0 ? 1e-10 : Double(c) / Double(templates))
        }
        return logs.reduce(0, +) / Double(templates)
    }
    return x.count < m + 1 ? 0 : abs(phi(m) - phi(m + 1))
}

/// Conditional entropy, its correction and the share of contexts seen once, by counting substrings in dictionaries.
func directPooled(_ sequences: [[Int32]], m: Int) -> (value: Double, biasCorrected: Double, singletonShare: Double) {
    var contexts: [[Int32]: Int] = [:]
    var joints: [[Int32]: Int] = [:]
    var n = 0
    for s in sequences where s.count > m {
        for i in 0..<(s.count - m) {
            contexts[Array(s[i..<i + m]), default: 0] += 1
            joints[Array(s[i...i + m]), default: 0] += 1
            n += 1
        }
    }
    guard n > 0 else { return (0, 0, 0) }
    let value = joints.reduce(0) { sum, entry in
        let context = Double(contexts[Array(entry.key.dropLast())] ?? 0)
        return sum - Double(entry.value) / Double(n) * log(Double(entry.value) / context)
    }
    return (
        value, value + Double(joints.count - contexts.count) / Double(2 * n),
        Double(contexts.values.count { $0 == 1 }) / Double(contexts.count)
    )
}

func pooled(_ sequences: [[Int32]], m: Int) throws -> EntropyReport.Pooled {
    var start = 0
    let users = sequences.map { sequence in
        defer { start += sequence.count }
        return start..<start + sequence.count
    }
    return try sequences.flatMap { $0 }.withUnsafeBufferPointer {
        try PooledApEn.measure(upTo: m, items: $0, itemCount: 1_000, users: users)[m]
    }
}

/// Of one sequence, the way a corpus would be measured: by equality of item numbers, or as integers.
func value(_ apen: inout ApEn, _ x: [Int64]) -> Double? {
    guard apen.r >= 0, apen.r < 1 else { return x.withUnsafeBufferPointer { apen.near($0) } }
    let names = Array(Set(x)).sorted()
    return x.map { item in Int32(names.firstIndex(of: item) ?? 0) }.withUnsafeBufferPointer { apen.equal($0) }
}

struct EntropyTests {
    @Test("per-user ApEn equals the definition for all published m and r", arguments: [1, 2, 4, 8])
    func perUser(m: Int) {
        var random = SplitMix64(seed: UInt64(m))
        for r in [-1, 0, 0.1, 0.2, 1, 2] as [Double] {
            var apen = ApEn(m: m, r: r, itemCount: 60)
            for length in [1, m, m + 1, m + 2, 20, 50, 100] {
                for alphabet in [1, 2, 5, 60] {
                    let x = (0..<length).map { _ in Int64.random(in: 0..<Int64(alphabet), using: &random) }
                    let found = value(&apen, x) ?? 0
                    #expect(abs(found - directApEn(x, m: m, r: r)) < 1e-12, "m \(m) r \(r) \(x)")
                }
            }
        }
    }

    @Test("pooled ApEn equals counting by hand, user boundaries never crossed", arguments: 0...8)
    func pooledByCounting(m: Int) throws {
        var random = SplitMix64(seed: 99)
        for alphabet in [1, 2, 7, 40] {
            let sequences = (0..<60).map { _ in
                (0..<Int.random(in: 0...25, using: &random)).map { _ in
                    Int32.random(in: 0..<Int32(alphabet), using: &random)
                }
            }
            let (found, expected) = (try pooled(sequences, m: m), directPooled(sequences, m: m))
            #expect(abs(found.value - expected.value) < 1e-12)
            #expect(abs(found.biasCorrected - expected.biasCorrected) < 1e-12)
            #expect(found.singletonShare == expected.singletonShare)
        }
    }

    @Test("pooled ApEn of a Markov chain approaches its entropy rate, and the correction reduces the bias")
    func markov() throws {
        // Stay with 0.7, else one of the 9 others: the rate is known in closed form.
        let states: Int32 = 10
        let rate = -(0.7 * log(0.7) + 0.3 * log(0.3 / 9))
        var random = SplitMix64(seed: 5)
        func sample(_ users: Int) -> [[Int32]] {
            (0..<users).map { _ in
                var state = Int32.random(in: 0..<states, using: &random)
                return (0..<50).map { _ in
                    if Double.random(in: 0..<1, using: &random) >= 0.7 {
                        state = (state + Int32.random(in: 1..<states, using: &random)) % states
                    }
                    return state
                }
            }
        }
        #expect(abs(try pooled(sample(4_000), m: 1).value - rate) < 0.01)
        let few = try pooled(sample(10), m: 1)
        #expect(few.value < rate)
        #expect(abs(few.biasCorrected - rate) < abs(few.value - rate))
    }

    @Test(
        "every m beside its corrected value and its singletons, on a source whose conditional entropy is known for all m"
    )
    func knownForAllContexts() throws {
        // A chain of 3 equally likely states: ln 3 without context, the rate with any.
        let rate = -(0.8 * log(0.8) + 0.2 * log(0.1))
        var random = SplitMix64(seed: 11)
        let sequences = (0..<40).map { _ in
            var state = Int32.random(in: 0..<3, using: &random)
            return (0..<100).map { _ in
                if Double.random(in: 0..<1, using: &random) >= 0.8 {
                    state = (state + Int32.random(in: 1...2, using: &random)) % 3
                }
                return state
            }
        }
        var start = 0
        let users = sequences.map { sequence in
            defer { start += sequence.count }
            return start..<start + sequence.count
        }
        let all = try sequences.flatMap { $0 }.withUnsafeBufferPointer {
            try PooledApEn.measure(upTo: 8, items: $0, itemCount: 3, users: users)
        }
        #expect(all.map(\.m) == Array(0...8))
        #expect(abs(all[0].value - log(3)) < 0.01)
        for pooled in all[1...6] { #expect(abs(pooled.biasCorrected - rate) < 0.06, "m = \(pooled.m)") }
        // With longer contexts the plug-in value falls short of the rate, more and more, and the correction makes up for part of it.
        #expect(zip(all[1...7], all[2...]).allSatisfy { $0.value > $1.value && $0.singletonShare <= $1.singletonShare })
        for pooled in all[5...] {
            #expect(pooled.value < rate)
            #expect(pooled.biasCorrected > pooled.value)
            #expect(abs(pooled.biasCorrected - rate) < rate - pooled.value)
        }
    }

    @Test("singleton contexts are counted")
    func singletons() throws {
        #expect(try pooled([[1, 2, 3], [1, 4]], m: 1).singletonShare == 0.5)
        #expect(try pooled([[1], []], m: 1).value == 0)
    }

    @Test("pairs that a file chose to collide are found as fast as others: the table is seeded")
    func collidingPairs() {
        // Pairs whose places by the unseeded multiplication of before agree: of 2^11 places all would lie in a row.
        let pairs = Array(
            (0..<40_000_000 as Range<UInt64>).lazy.filter { ($0 &* 0x9e37_79b9_7f4a_7c15) >> 20 & 0x7ff == 7 }
                .prefix(1_000)
        ).map { Int32($0) }
        #expect(pairs.count == 1_000)
        for seed in 1...3 as ClosedRange<UInt64> {
            var table = PairTable(
                capacity: 1_000, hash: SeededHash(seed &* 0x1234_5678_9abc_def1, seed &+ 0x9e37_79b9_7f4a_7c15))
            for (number, item) in pairs.enumerated() { #expect(table.number(0, item) == (Int32(number), true)) }
            #expect(table.number(0, pairs[17]) == (17, false))
            #expect(table.longestRun < 100, "\(table.longestRun)")
            var edges = EdgeTable(
                most: 1_000, hash: SeededHash(seed &* 0x1234_5678_9abc_def1, seed &+ 0x9e37_79b9_7f4a_7c15))
            for (number, item) in pairs.enumerated() {
                let (node, isNew) = edges.next(0, item)
                #expect(node == Int32(number + 1) && isNew)
            }
            // After the table has grown several times.
            let (known, isNew) = edges.next(0, pairs[17])
            #expect(known == 18 && !isNew && edges.count == 1_000)
            #expect(edges.longestRun < 100, "\(edges.longestRun)")
        }
    }

    @Test("Lempel-Ziv equals the running set of substrings, and gives up on endless repeats")
    func lempelZiv() throws {
        var random = SplitMix64(seed: 3)
        for alphabet in [1, 3, 30] as [Int32] {
            let x = (0..<400).map { _ in Int32.random(in: 0..<alphabet, using: &random) }
            var set: Set<[Int32]> = []
            var sum = 0
            for i in x.indices {
                var j = i + 1
                while j <= x.count, set.contains(Array(x[i..<j])) { j += 1 }
                sum += j - i
                if j <= x.count { set.insert(Array(x[i..<j])) }
            }
            let expected = log(400.0) / (Double(sum) / 400)
            #expect(abs(try x.withUnsafeBufferPointer { try Comparators.lempelZiv($0).value } - expected) < 1e-12)
        }
        let constant = [Int32](repeating: 7, count: 40_000)
        #expect(try constant.withUnsafeBufferPointer { try Comparators.lempelZiv($0).used } < 40_000)
    }
}

@Suite(.enabled(if: dataPresent, "real datasets are absent: set PLAW_DATA to their folder"))
struct PublishedEntropyTests {
    /// Values of the published code's mean ApEn: file, m, r, L, mean.
    static let published: [(String, Int, Double, Int, Double)] = [
        ("lastfm.txt", 1, 0.2, 50, 0.07928648051308568), ("lastfm.txt", 2, 0.2, 50, 0.0919145043082918),
        ("lastfm.txt", 2, 0, 50, 0.0919145043082918), ("lastfm.txt", 1, 1, 50, 0.10866466284631154),
        ("lastfm.txt", 2, 1, 50, 0.09176019333033122), ("lastfm.txt", 2, 2, 50, 0.09467290277023681),
        ("lastfm.txt", 1, 0.2, 25, 0.08633916969872482), ("lastfm.txt", 2, 0.2, 25, 0.09943186347031784),
        ("lastfm.txt", 2, 50.5, 50, 0.12973099648752504), ("lastfm.txt", 4, 0.2, 50, 0.15000437333376157),
        ("lastfm.txt", 2, 0.2, 100, 0.0899090738991572), ("amazon-beauty.txt", 1, 0.2, 50, 0.15906531693412515),
        ("amazon-beauty.txt", 2, 0.2, 50, 0.19494837443408908), ("amazon-beauty.txt", 1, 0.2, 25, 0.15944932902953496),
        ("amazon-beauty.txt", 2, 0.2, 25, 0.19535905858776806), ("amazon-beauty.txt", 2, 1, 50, 0.19292887118966678),
        ("amazon-beauty.txt", 2, 100.5, 50, 0.1943596516121027), ("amazon-beauty.txt", 4, 0.2, 50, 0.38451183141464673),
    ]

    @Test("per-user ApEn equals the published code's values", arguments: ["lastfm.txt", "amazon-beauty.txt"])
    func perUser(file: String) throws {
        try withCorpus(of: dataFolder + "/" + file) { corpus in
            for (_, m, r, length, mean) in Self.published.filter({ $0.0 == file }) {
                let report = try EntropyReport.measure(corpus, m: m, r: r, maxLength: length)
                #expect(abs(report.perUserApEn.mean - mean) < 1e-9, "m \(m) r \(r) L \(length)")
            }
        }
    }

    @Test("Shannon, compression and Lempel-Ziv equal the published code's values on amazon-beauty")
    func comparators() throws {
        try withCorpus(of: dataFolder + "/amazon-beauty.txt") { corpus in
            let report = try EntropyReport.measure(corpus)
            #expect(abs(report.shannonBits - 12.818467930831009) < 1e-9)
            #expect(abs(report.compressionRatio - 0.5232881784566402) < 1e-9)
            let first = UnsafeBufferPointer(rebasing: corpus.allItems[0..<10_000])
            #expect(abs(try Comparators.lempelZiv(first).value - 6.164061284952606) < 1e-9)
            #expect(report.tokens == 128_031)
            #expect(report.notes.contains { $0.contains("no user repeats an item") })
        }
    }

    @Test("tolerances that need numbers are refused where identifiers are text")
    func textIdentifiers() throws {
        try withCorpus(of: dataFolder + "/online-retail.csv.gz") { corpus in
            #expect {
                try EntropyReport.measure(corpus, r: 1)
            } throws: { "\($0)".contains("expected r less than 1") && !"\($0)".contains("85123A") }
        }
    }
}
