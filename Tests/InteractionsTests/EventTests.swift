import Domain
import Foundation
import Testing

@testable import Interactions

/// Behaviors, values and domains of interactions: against naive twins, through the file and back.
@Suite struct EventTests {
    private static func below(_ bound: Int, _ random: inout SplitMix64) -> Int { Int(random.next() % UInt64(bound)) }

    private struct Row: Hashable {
        var user: String
        var item: String
        var time: Int
        var behavior: String
        var value: Double?
        var domain: String
    }

    /// Rows in no order, some without a behavior or a value.
    private static func rows(_ count: Int, seed: UInt64, behaviors: [String] = ["view", "cart", "buy", ""]) -> [Row] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { _ in
            Row(
                user: "u\(below(12, &random))", item: "i\(below(20, &random))",
                time: 1_500_000_000 + below(60, &random),
                behavior: behaviors[below(behaviors.count, &random)],
                value: below(7, &random) == 0 ? nil : Double(below(10, &random)) / 2,
                domain: ["food", "kitchen"][below(2, &random)])
        }
    }

    private static func text(_ rows: [Row]) -> String {
        "user_id,item_id,timestamp,event_type,rating,domain\n"
            + rows.map {
                "\($0.user),\($0.item),\($0.time),\($0.behavior),\($0.value.map { "\($0)" } ?? ""),\($0.domain)"
            }.joined(separator: "\n") + "\n"
    }

    /// Builds a corpus of a text and hands it on with what was counted.
    private static func build(
        _ text: String, _ options: ReadOptions = ReadOptions(),
        _ body: (Corpus, DatasetStatistics, FormatDecision) throws -> Void
    ) throws {
        let folder = NSTemporaryDirectory() + "/events-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try text.write(toFile: folder + "/log.csv", atomically: true, encoding: .utf8)
        let reader = try InteractionReader(path: folder + "/log.csv", options: options)
        let statistics = try reader.buildCorpus(at: folder + "/corpus")
        try body(Corpus(path: folder + "/corpus"), statistics, reader.decision)
    }

    /// What a corpus says of each interaction, users by name.
    private static func read(_ corpus: Corpus) -> [String: [Row]] {
        var all: [String: [Row]] = [:]
        for user in 0..<corpus.userCount {
            let range = corpus.range(of: user)
            all[corpus.userName(user)] = range.map { place in
                let events = corpus.events
                let value = events?.values.map { $0.value(at: place) }
                return Row(
                    user: corpus.userName(user), item: corpus.itemName(Int(corpus.allItems[place])),
                    time: corpus.times(of: user).map { Int($0[place - range.lowerBound]) } ?? 0,
                    behavior: events?.behaviors.map { $0.names[$0.code(at: place)] } ?? "",
                    value: value.flatMap { $0.isNaN ? nil : $0 },
                    domain: events?.domains.map { $0.names[$0.code(at: place)] } ?? "")
            }
        }
        return all
    }

    @Test("what rows say follows them through sorting, duplicates and the core", arguments: 1...6)
    func followsRows(seed: UInt64) throws {
        let rows = Self.rows(400, seed: seed)
        var options = ReadOptions()
        if seed % 2 == 0 { options.deduplicate = .pairs }
        if seed % 3 == 0 { options.kCore = seed % 2 == 0 ? 8 : 14 }
        // By user, then time, then the order of the file; the first of equal pairs; then the core, until stable.
        var kept = rows.enumerated().sorted { a, b in
            (a.element.user, a.element.time, a.offset) < (b.element.user, b.element.time, b.offset)
        }.map(\.element)
        if options.deduplicate != nil {
            var seen: Set<[String]> = []
            kept = kept.filter { seen.insert([$0.user, $0.item]).inserted }
        }
        if let core = options.kCore {
            while true {
                let users = Dictionary(grouping: kept, by: \.user).mapValues(\.count)
                let items = Dictionary(grouping: kept, by: \.item).mapValues(\.count)
                let next = kept.filter { users[$0.user] ?? 0 >= core && items[$0.item] ?? 0 >= core }
                if next.count == kept.count { break }
                kept = next
            }
        }
        try #require(!kept.isEmpty)
        try Self.build(Self.text(rows), options) { corpus, statistics, decision in
            #expect(decision.columns["behavior"] == "event_type" && decision.columns["value"] == "rating")
            #expect(Self.read(corpus) == Dictionary(grouping: kept, by: \.user))
            try corpus.verify()

            let facts = try #require(statistics.events)
            for (groups, kind) in [(facts.behaviors, \Row.behavior), (facts.domains, \Row.domain)] {
                let expected = Dictionary(grouping: kept, by: { $0[keyPath: kind] })
                let groups = try #require(groups)
                #expect(Set(groups.map(\.name)) == Set(expected.keys) && groups.count == expected.count)
                #expect(groups.map(\.interactions) == groups.map(\.interactions).sorted(by: >))
                for group in groups {
                    let own = expected[group.name] ?? []
                    let users = Set(own.map(\.user))
                    let shared = users.filter { user in
                        kept.contains { $0.user == user && $0[keyPath: kind] != group.name }
                    }
                    #expect(group.interactions == own.count && group.users == users.count)
                    #expect(group.items == Set(own.map(\.item)).count && group.sharedUsers == shared.count)
                }
            }
            let values = kept.compactMap(\.value)
            let said = try #require(facts.values)
            #expect(said.least == values.min() && said.most == values.max())
            #expect(abs(said.mean - values.reduce(0, +) / Double(values.count)) < 1e-12)
            #expect(said.distinct == Set(values).count && said.missing == kept.count - values.count)
        }
    }

    @Test("columns are found by name, by words where the name says little, and never by chance")
    func finding() throws {
        func columns(_ header: String, _ row: (Int) -> String) throws -> [String: String] {
            let lines = (0..<60).map { "u\($0 % 23),i\($0 % 11),\(1_500_000_000 + $0)," + row($0) }
            var found: [String: String] = [:]
            try Self.build(header + lines.joined(separator: "\n") + "\n") { found = $2.columns }
            return found.filter { !["user", "item", "time"].contains($0.key) }
        }
        let head = "user_id,item_id,timestamp,"
        #expect(try columns(head + "behavior_type\n") { "\($0 % 4)" } == ["behavior": "behavior_type"])
        #expect(try columns(head + "type\n") { ["pv", "cart", "fav", "buy"][$0 % 4] } == ["behavior": "type"])
        #expect(try columns(head + "type\n") { ["movie", "series"][$0 % 2] } == [:])
        #expect(try columns(head + "action\n") { ["View", "Add-To-Cart"][$0 % 2] } == ["behavior": "action"])
        #expect(try columns(head + "event_type\n") { "e\($0)" } == [:])
        #expect(try columns(head + "rating\n") { "\($0 % 5)" } == ["value": "rating"])
        #expect(try columns(head + "rating\n") { ["good", "bad"][$0 % 2] } == [:])
        #expect(
            try columns(head + "marketplace,stars\n") { ["US", "UK"][$0 % 2] + ",4" } == [
                "domain": "marketplace", "value": "stars",
            ])
        #expect(try columns(head + "rating,rating\n") { _ in "3,4" } == [:])
        // Without names, by words alone.
        #expect(try columns("") { ["click", "purchase"][$0 % 2] } == ["behavior": "3"])
        #expect(try columns("") { "\($0 % 5)" } == [:])
    }

    @Test("numbers are decimal, and a comma that may stand between thousands makes none")
    func numbers() {
        let read: [(String, Double?)] = [
            ("5", 5), ("2.5", 2.5), ("2,5", 2.5), ("-3", -3), ("+0.25", 0.25), ("1e3", 1_000), (".5", 0.5),
            ("12345,67", 12_345.67),
            ("0.1", 0.1), ("123456789.123456", 123_456_789.123456), ("-0", 0), ("1,234", nil), ("1,234.5", nil),
            ("0x10", nil),
            ("inf", nil), ("nan", nil), ("", nil), ("1_0", nil), ("4 stars", nil), ("1e999", nil), ("-", nil),
            (".", nil), ("1.2.3", nil),
        ]
        for (text, value) in read {
            let found = Array(text.utf8).withUnsafeBytes(RawEvents.number)
            #expect(value.map { found == $0 } ?? found.isNaN, "\(text): \(found)")
        }
    }

    @Test("options name columns, of lists too; one that holds something else or is not there is refused")
    func options() throws {
        let table =
            "a,b,c,d\n" + (0..<40).map { "u\($0 % 5),i\($0 % 9),x\($0 % 3),\($0)" }.joined(separator: "\n") + "\n"
        let roles = ["user": "a", "item": "b", "behavior": "c", "value": "3"]
        try Self.build(table, ReadOptions(columns: roles)) { corpus, statistics, _ in
            #expect(Set(corpus.events?.behaviors?.names ?? []) == ["x0", "x1", "x2"])
            #expect(statistics.events?.values?.most == 39 && statistics.events?.domains == nil)
        }
        for (role, column, words) in [
            ("behavior", "a", "which holds something else"), ("domain", "e", "\"e\""),
            ("color", "c", "found a column for"),
        ] {
            var other = roles
            other[role] = column
            let error = try #require(throws: InteractionError.self) {
                try Self.build(table, ReadOptions(columns: other)) { _, _, _ in }
            }
            #expect(error.message.contains(words), "\(error)")
        }
        let lists =
            "user,items,kind\n" + (0..<20).map { "u\($0),\"[i1, i\($0 % 7), i3]\",k\($0 % 2)" }.joined(separator: "\n")
        try Self.build(lists) { corpus, _, _ in #expect(corpus.events == nil) }
        try Self.build(lists, ReadOptions(columns: ["user": "user", "items": "items", "behavior": "kind"])) {
            corpus, _, _ in
            let kinds = try #require(corpus.events?.behaviors)
            for user in 0..<corpus.userCount {
                let number = Int(corpus.userName(user).dropFirst()) ?? 0
                #expect(corpus.range(of: user).allSatisfy { kinds.names[kinds.code(at: $0)] == "k\(number % 2)" })
            }
        }
    }

    @Test("of several files of JSON one may say other words, or nothing")
    func severalFiles() throws {
        let folder = NSTemporaryDirectory() + "/events-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let ends = [#","type":"view","rating":3"#, #","type":"odd word""#, ""]
        for (file, end) in ends.enumerated() {
            let lines = (0..<40).map { row in
                #"{"user_id":"u\#(row % 8)","item_id":"i\#(row % 9)","timestamp":\#(1_500_000_000 + 100 * file + row)\#(end)}"#
            }
            try lines.joined(separator: "\n").write(
                toFile: folder + "/\(file).jsonl", atomically: true, encoding: .utf8)
        }
        let paths = (0..<3).map { folder + "/\($0).jsonl" }
        _ = try InteractionReader(paths: paths, options: ReadOptions()).buildCorpus(at: folder + "/corpus")
        let corpus = try Corpus(path: folder + "/corpus")
        try corpus.verify()
        let (behaviors, values) = (try #require(corpus.events?.behaviors), try #require(corpus.events?.values))
        for user in 0..<corpus.userCount {
            // Five interactions of each file, one file after the other.
            for (number, place) in corpus.range(of: user).enumerated() {
                #expect(behaviors.names[behaviors.code(at: place)] == ["view", "odd word", ""][number / 5])
                #expect(number / 5 == 0 ? values.value(at: place) == 3 : values.value(at: place).isNaN)
            }
        }
    }

    @Test("a corpus without events is the file it was, and events leave the version of the dataset as it is")
    func version() throws {
        let rows = Self.rows(300, seed: 9)
        let plain =
            "user_id,item_id,timestamp\n" + rows.map { "\($0.user),\($0.item),\($0.time)" }.joined(separator: "\n")
        var hash = ""
        try Self.build(plain) { corpus, statistics, _ in
            hash = corpus.contentHash
            let bytes = try Data(contentsOf: URL(filePath: corpus.path))
            #expect(bytes[8] == 1 && corpus.events == nil && statistics.events == nil)
        }
        try Self.build(Self.text(rows)) { corpus, _, _ in
            #expect(corpus.contentHash == hash)
            let bytes = try Data(contentsOf: URL(filePath: corpus.path))
            #expect(bytes[8] == 2)
        }
    }

    @Test("many kinds take two bytes, many values their least width, and what is no kind of anything is not kept")
    func widths() throws {
        for kinds in [256, 257] {
            let rows = (0..<1_200).map { "u\($0 % 30),i\($0 % 40),k\($0 % kinds)" }
            let options = ReadOptions(columns: ["user": "0", "item": "1", "behavior": "2"])
            try Self.build(rows.joined(separator: "\n"), options) { corpus, _, _ in
                let found = try #require(corpus.events?.behaviors)
                #expect(found.names.count == kinds)
                for user in 0..<corpus.userCount {
                    // Rows of a user in the order of the file: every thirtieth.
                    for (place, number) in zip(corpus.range(of: user), sequence(first: 0) { $0 + 1 }) {
                        let row = Int(corpus.userName(user).dropFirst())! + 30 * number
                        #expect(found.names[found.code(at: place)] == "k\(row % kinds)")
                    }
                }
            }
        }
        for (scale, width) in [(0.5, 4), (0.1, 8)] {
            let rows = (0..<70_000).map { "u\($0 % 100),i\($0 % 50),\(Double($0) * scale)" }
            let options = ReadOptions(columns: ["user": "0", "item": "1", "value": "2"])
            try Self.build(rows.joined(separator: "\n"), options) { corpus, statistics, _ in
                let values = try #require(corpus.events?.values)
                #expect(values.table.isEmpty && statistics.events?.values?.distinct == nil)
                let sum = (0..<corpus.interactionCount).reduce(0.0) { $0 + values.value(at: $1) }
                #expect(abs(sum - (0..<70_000).reduce(0.0) { $0 + Double($1) * scale }) < 1e-3)
                let size = try Data(contentsOf: URL(filePath: corpus.path)).count
                #expect(size > 70_000 * (4 + width) && size < 70_000 * (4 + width) + 8_192)
                try corpus.verify()
            }
        }
        let rows = (0..<70_000).map { "u\($0 % 100),i\($0 % 50),k\($0)" }
        let options = ReadOptions(columns: ["user": "0", "item": "1", "behavior": "2"])
        try Self.build(rows.joined(separator: "\n"), options) { corpus, _, _ in #expect(corpus.events == nil) }
    }

    @Test("damaged events are refused, and never read out of bounds")
    func damage() throws {
        let rows = Self.rows(120, seed: 4)
        // Where the sections of version 1 end.
        var start = 0
        let plain =
            "user_id,item_id,timestamp\n" + rows.map { "\($0.user),\($0.item),\($0.time)" }.joined(separator: "\n")
        try Self.build(plain) { corpus, _, _ in start = try Data(contentsOf: URL(filePath: corpus.path)).count }
        try Self.build(Self.text(rows)) { corpus, _, _ in
            let bytes = try Data(contentsOf: URL(filePath: corpus.path))
            let path = corpus.path + "-damaged"
            defer { try? FileManager.default.removeItem(atPath: path) }
            func refused(_ data: Data) -> Bool {
                do {
                    try data.write(to: URL(filePath: path))
                    let corpus = try Corpus(path: path, access: .copied)
                    for place in 0..<corpus.interactionCount {
                        _ = corpus.events?.behaviors?.code(at: place)
                        _ = corpus.events?.values?.value(at: place)
                    }
                    try corpus.verify()
                    return false
                } catch {
                    return error is InteractionError
                }
            }
            #expect(!refused(bytes))
            for length in stride(from: 0, to: bytes.count, by: 5) {
                #expect(refused(bytes.prefix(length)), "\(length)")
            }
            #expect(refused(bytes + Data(repeating: 0, count: 8)))
            var random = SplitMix64(seed: 1)
            for place in start..<bytes.count {
                var other = bytes
                other[place] ^= UInt8(1 << Self.below(8, &random))
                #expect(refused(other), "\(place)")
            }
        }
    }
}
