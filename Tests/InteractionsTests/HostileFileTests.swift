import Domain
import Foundation
import Synchronization
import Testing

@testable import Interactions

/// Files that somebody wrote to break or to hold up whoever reads them.
@Suite struct HostileFileTests {
    private static func inFolder<T>(_ text: String, _ body: (_ file: String, _ corpus: String) throws -> T) throws -> T
    {
        let folder = "/tmp/plaw-test-\(getpid())-hostile-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data(text.utf8).write(to: URL(filePath: folder + "/file"))
        return try body(folder + "/file", folder + "/corpus")
    }

    @Test("whatever columns are named, of whatever file, it is read or refused")
    func columns() throws {
        let files = [
            "a\nb\n", "a\n", "a b\nc d\n", "a,b\nc,d\n", "a,b,c\n1,2,3\n", "a\tb\n", "user\nu1\nu2\n",
            "user item\nu i\nv j\n",
            "u::i\nv::j\n", "u::i::3::978300760\n", "x|y\n", "user_id:token\titem_id:token\nu\ti\n", "a b c\nd e f\n",
            "a b c\nd e\n",
            ",\n,\n", "\"a\",\"b\"\n", "a;b;c;d\n1;2;3;4\n",
        ]
        let choices: [[String: String]?] = [
            nil, [:], ["user": "0"], ["item": "0"], ["time": "0"], ["user": "0", "item": "1"],
            ["user": "1", "item": "0"],
            ["user": "0", "item": "0"], ["user": "7"], ["user": "-1"], ["time": "2"], ["user": "a"],
            ["user": "a", "item": "b"],
            ["user": "user", "item": "item"], ["user": "", "item": ""], ["rating": "1"],
            ["user": "0", "item": "1", "time": "2"],
        ]
        var outcomes = (read: 0, refused: 0)
        for text in files {
            for columns in choices {
                try Self.inFolder(text) { file, corpus in
                    do {
                        let reader = try InteractionReader(path: file, options: ReadOptions(columns: columns))
                        _ = try reader.buildCorpus(at: corpus)
                        _ = try Corpus(path: corpus)
                        outcomes.read += 1
                    } catch is InteractionError {
                        outcomes.refused += 1
                        #expect(!FileManager.default.fileExists(atPath: corpus))
                    }
                }
            }
        }
        #expect(outcomes.read > 30 && outcomes.refused > 100, "\(outcomes)")
    }

    /// Text whose work can be counted: how often the reader asks whether to stop says how much it does between.
    private static func build(
        _ text: String, _ options: ReadOptions = ReadOptions(), stopAfter: Int = .max
    ) throws -> (statistics: DatasetStatistics, asked: Int) {
        try inFolder(text) { file, corpus in
            var asked = 0
            let statistics = try InteractionReader(path: file, options: options).buildCorpus(
                at: corpus,
                shouldStop: {
                    asked += 1
                    return asked > stopAfter
                })
            return (statistics, asked)
        }
    }

    /// A path: user n has items n and n + 1, so that a k-core of two falls apart from both ends, a user at a time.
    private static func chain(_ users: Int) -> String {
        (0..<users).map { "u\($0),i\($0)\nu\($0),i\($0 + 1)\n" }.joined()
    }

    private static let falling = ReadOptions(columns: ["user": "0", "item": "1"], kCore: 2)

    @Test(
        "a k-core that falls apart link by link is what counting again and again leaves, in a time that grows with the file alone"
    )
    func chains() throws {
        // Against the definition, on files that keep something.
        var random = SplitMix64(seed: 5)
        for _ in 0..<20 {
            let pairs = (0..<400).map { _ in
                (Int.random(in: 0..<40, using: &random), Int.random(in: 0..<60, using: &random))
            }
            for k in [2, 5, 8, 9] {
                var kept = pairs
                while true {
                    let users = Dictionary(grouping: kept, by: \.0).mapValues(\.count)
                    let items = Dictionary(grouping: kept, by: \.1).mapValues(\.count)
                    let next = kept.filter { users[$0.0, default: 0] >= k && items[$0.1, default: 0] >= k }
                    if next.count == kept.count { break }
                    kept = next
                }
                let text = pairs.map { "u\($0.0),i\($0.1)\n" }.joined()
                let options = ReadOptions(columns: ["user": "0", "item": "1"], kCore: k)
                if kept.isEmpty {
                    #expect(throws: InteractionError.self) { try Self.build(text, options) }
                } else {
                    let found = try Self.build(text, options).statistics
                    #expect(found.interactions == kept.count)
                    #expect(found.users == Set(kept.map(\.0)).count && found.items == Set(kept.map(\.1)).count)
                }
            }
        }
        // One that takes a step a link: squares of this length would take minutes.
        let error = #expect(throws: InteractionError.self) { try Self.build(Self.chain(100_000), Self.falling) }
        #expect(error?.reason == "no-rows")
    }

    @Test("names that a file chose to collide are found as fast as others: tables are seeded")
    func names() {
        // Names whose FNV-1a hashes agree in the bits that a table of 2^16 places looks at: before there was a seed, all in one place.
        func fnv(_ name: String) -> UInt32 {
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
        }
        let colliding = (0..<4_000_000).lazy.map { "n\($0)" }.filter { fnv($0) & 0xfff == 7 }.prefix(900)
        var probes: [Int] = []
        for seed in 1...3 as ClosedRange<UInt64> {
            var table = NameTable(hash: SeededHash(seed &* 0x1234_5678_9abc_def1, seed &+ 0x9e37_79b9_7f4a_7c15))
            for (number, name) in colliding.enumerated() {
                let found = Array(name.utf8).withUnsafeBytes { table.number(of: $0) }
                #expect(found == Int32(number))
            }
            probes.append(table.longestRun)
        }
        // 900 in 4,096 places: by chance a run of some tens; chosen places would make one of 900.
        #expect(probes.allSatisfy { $0 < 60 }, "\(probes)")
    }

    @Test("two hashes of different seeds put the same words in different places, and the same seed in the same")
    func seeds() {
        let (a, b) = (SeededHash(1, 0x9e37_79b9_7f4a_7c15), SeededHash(2, 0x9e37_79b9_7f4a_7c15))
        let words = (0..<1_000 as Range<UInt64>).map { $0 << 32 }
        #expect(words.map(a.hash) == words.map(a.hash))
        #expect(zip(words.map(a.hash), words.map(b.hash)).allSatisfy { $0 != $1 })
        // Words that differ in high bits alone must differ in the low ones of their hashes.
        #expect(Set(words.map { a.hash($0) & 0xffff }).count > 950)
        let names = (0..<1_000).map { Array("item-\($0)".utf8) }
        let hashes = names.map { name in name.withUnsafeBytes { a.hash($0) } }
        #expect(Set(hashes).count == 1_000)
        #expect(Set(hashes.map { $0 & 0xffff }).count > 950)
    }

    @Test("reading asks whether to stop every some bytes, also where there is one line, or no line with text")
    func stops() throws {
        // A line of 300,000 names; blank lines; one user with times the wrong way round; a long chain of a k-core.
        let long = "u " + (0..<300_000).map { "i\($0)" }.joined(separator: " ") + "\nu2 a b c\n"
        let blank = "u1 i1 i2 i3\n" + String(repeating: "\n", count: 4 << 20) + "u2 i1 i2 i3\n"
        let reversed = "user,item,time\n" + (0..<300_000).map { "u,i\($0 % 997),\(2_000_000_000 - $0)\n" }.joined()
        for (text, options) in [
            (long, ReadOptions()), (blank, ReadOptions()), (reversed, ReadOptions()),
            (Self.chain(300_000), Self.falling),
        ] {
            #expect(throws: CancellationError.self) { try Self.build(text, options, stopAfter: 0) }
            #expect(throws: CancellationError.self) { try Self.build(text, options, stopAfter: 2) }
        }
    }
}

/// Corpus files that were changed after they were written.
@Suite struct DamagedCorpusTests {
    private static let text = (0..<50).map { user in
        "u\(user) " + (0..<7).map { "item-\((user * 5 + $0 * 3) % 31)" }.joined(separator: " ") + "\n"
    }.joined()

    private static func inFolder(_ body: (_ corpus: String) throws -> Void) throws {
        let folder = "/tmp/plaw-test-\(getpid())-damage-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data(text.utf8).write(to: URL(filePath: folder + "/file"))
        _ = try InteractionReader(path: folder + "/file", options: ReadOptions()).buildCorpus(at: folder + "/corpus")
        try body(folder + "/corpus")
    }

    @Test(
        "every byte that is changed is refused when the content is verified, if not before; no other memory is touched",
        arguments: [Corpus.Access.mapped, .copied])
    func bytes(access: Corpus.Access) throws {
        try Self.inFolder { path in
            let whole = try Data(contentsOf: URL(filePath: path))
            try Corpus(path: path, access: access).verify()
            var (atOpening, byHash, unseen) = (0, 0, 0)
            for position in 0..<whole.count {
                var damaged = whole
                damaged[position] ^= 0x55
                try damaged.write(to: URL(filePath: path))
                // What an unmapping too much would take is mapped here, and must be there afterwards.
                let neighbours = (0..<4).map { _ in
                    UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 4_096)
                }
                defer { neighbours.forEach { $0.deallocate() } }
                for memory in neighbours {
                    memory.storeBytes(of: UInt64(position), toByteOffset: 8_192, as: UInt64.self)
                }
                do {
                    let corpus = try Corpus(path: path, access: access)
                    do {
                        try corpus.verify()
                        unseen += 1
                    } catch let error as InteractionError {
                        #expect(error.reason == "corpus")
                        byHash += 1
                    }
                } catch let error as InteractionError {
                    #expect(error.reason == "corpus")
                    atOpening += 1
                }
                for memory in neighbours {
                    #expect(memory.load(fromByteOffset: 8_192, as: UInt64.self) == UInt64(position))
                }
            }
            // The rest of the header, flags that name no section, and bytes between sections mean nothing.
            #expect(atOpening > 500 && byHash > 100, "\(atOpening) \(byHash) \(unseen)")
            #expect(unseen < 100, "\(unseen)")
        }
    }

    @Test("a corpus that is another one than was registered is refused in words")
    func exchanged() throws {
        try Self.inFolder { path in
            let corpus = try Corpus(path: path, access: .copied)
            try corpus.verify(corpus.contentHash)
            let error = #expect(throws: InteractionError.self) {
                try corpus.verify(String(repeating: "0", count: 64))
            }
            #expect(error?.message.contains("is not the one that was registered") == true)
            #expect(throws: CancellationError.self) { try corpus.verify(shouldStop: { true }) }
        }
    }

    @Test("a corpus that was copied does not change with its file")
    func cut() throws {
        try Self.inFolder { path in
            let corpus = try Corpus(path: path, access: .copied)
            let before = Array(corpus.allItems)
            #expect(truncate(path, 200) == 0)
            #expect(Array(corpus.allItems) == before)
            try corpus.verify()
            #expect(throws: InteractionError.self) { try Corpus(path: path, access: .copied) }
        }
    }
}
