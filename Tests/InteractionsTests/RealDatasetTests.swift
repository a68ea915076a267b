import Domain
import Foundation
import Testing

@testable import Interactions

/// Folder of the real datasets, which are never part of this repository.
let dataFolder: String = {
    if let folder = ProcessInfo.processInfo.environment["PLAW_DATA"] { return folder }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return root.appendingPathComponent("../shared/data").standardizedFileURL.path
}()
let dataPresent = FileManager.default.fileExists(atPath: dataFolder + "/lastfm.txt")

func temporaryFolder() throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("plaw-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder.path
}

struct Expected: Sendable, CustomTestStringConvertible {
    var file: String
    var format: String
    var users: Int
    var items: Int
    var interactions: Int
    var dropped: [String: Int] = [:]
    var timeUnit = "file order"
    var compression = "none"
    var testDescription: String { file }
}

@Suite(.enabled(if: dataPresent, "real datasets are absent: set PLAW_DATA to their folder"))
struct RealDatasetTests {
    /// Counts stated beside the files.
    static let files = [
        Expected(file: "lastfm.txt", format: "sequences", users: 1_090, items: 3_646, interactions: 52_551),
        Expected(file: "amazon-beauty.txt", format: "sequences", users: 22_363, items: 12_101, interactions: 198_502),
        Expected(file: "amazon-sports.txt", format: "sequences", users: 35_598, items: 18_357, interactions: 296_337),
        Expected(
            file: "taobao-seq.txt.gz", format: "sequences", users: 47_703, items: 53_324, interactions: 637_165,
            compression: "gzip"),
        Expected(
            file: "amazon-video-games.txt.gz", format: "pairs", users: 31_013, items: 23_715, interactions: 287_107,
            compression: "gzip"),
        Expected(file: "wikipedia-edits.txt", format: "pairs", users: 8_227, items: 1_000, interactions: 157_474),
        Expected(
            file: "ml-1m-pairs.txt.gz", format: "pairs", users: 6_040, items: 3_706, interactions: 1_000_209,
            compression: "gzip"),
        Expected(
            file: "ml-100k.inter", format: "inter", users: 943, items: 1_682, interactions: 100_000,
            timeUnit: "seconds"),
        Expected(
            file: "lastfm-tags.inter", format: "inter", users: 1_362, items: 2_975, interactions: 64_286,
            timeUnit: "milliseconds"),
        Expected(
            file: "movietweetings-10k.dat", format: "double-colon", users: 3_794, items: 3_096, interactions: 10_000,
            timeUnit: "seconds"),
        Expected(
            file: "movietweetings-100k.dat", format: "double-colon", users: 16_554, items: 10_506,
            interactions: 100_000, timeUnit: "seconds"),
        Expected(
            file: "ml-latest-small-ratings.csv", format: "csv", users: 671, items: 9_066, interactions: 100_004,
            timeUnit: "seconds"),
        Expected(
            file: "taobao-userbehavior-sample.csv.gz", format: "csv", users: 815, items: 55_368, interactions: 84_475,
            dropped: ["wrong number of fields (expected 5)": 1], timeUnit: "seconds", compression: "gzip"),
        Expected(
            file: "online-retail.csv.gz", format: "csv", users: 4_372, items: 3_684, interactions: 406_829,
            dropped: ["missing user": 135_080], timeUnit: "date", compression: "gzip"),
        Expected(file: "xdomain-phone.tsv", format: "tsv", users: 4_998, items: 13_655, interactions: 42_446),
        Expected(file: "xdomain-sport.tsv", format: "tsv", users: 4_998, items: 20_845, interactions: 50_558),
    ]

    @Test("every real file registers with the counts stated beside it", arguments: files)
    func registers(expected: Expected) throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let reader = try InteractionReader(path: dataFolder + "/" + expected.file, options: ReadOptions())
        #expect(reader.decision.format == expected.format)
        #expect(reader.decision.timeUnit == expected.timeUnit)
        #expect(reader.decision.compression == expected.compression)
        let statistics = try reader.buildCorpus(at: folder + "/c.corpus")
        #expect(statistics.users == expected.users)
        #expect(statistics.items == expected.items)
        #expect(statistics.interactions == expected.interactions)
        #expect(Dictionary(uniqueKeysWithValues: statistics.dropped.map { ($0.reason, $0.count) }) == expected.dropped)
        let corpus = try Corpus(path: folder + "/c.corpus")
        #expect(corpus.contentHash == statistics.contentHash)
        #expect(corpus.interactionCount == expected.interactions)
        #expect((0..<corpus.userCount).reduce(0) { $0 + corpus.length(of: $1) } == expected.interactions)
    }

    @Test("the messy files show the disorder and repeats stated beside them")
    func disorder() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func statistics(_ file: String, _ options: ReadOptions = ReadOptions()) throws -> DatasetStatistics {
            try InteractionReader(path: dataFolder + "/" + file, options: options).buildCorpus(at: folder + "/c")
        }
        #expect(try statistics("lastfm-tags.inter").outOfOrderRows == 12_165)
        let taobao = try statistics("taobao-userbehavior-sample.csv.gz")
        #expect(Int((taobao.repeatedShare * Double(taobao.interactions)).rounded()) == 20_487)
        #expect(taobao.dropped.first?.firstLines == [84_476])
        let core = try statistics("movietweetings-100k.dat", ReadOptions(kCore: 5))
        #expect((core.users, core.items, core.interactions) == (4_333, 2_414, 68_055))
        let tags = try statistics("lastfm-tags.inter", ReadOptions(deduplicate: .rows))
        #expect(tags.interactions == 64_286 - 40_158)
    }

    @Test("identifiers stay text: leading zeros survive")
    func text() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        _ = try InteractionReader(path: dataFolder + "/movietweetings-10k.dat", options: ReadOptions())
            .buildCorpus(at: folder + "/c")
        let corpus = try Corpus(path: folder + "/c")
        #expect(corpus.itemName(0) == "0120735")
    }
}
