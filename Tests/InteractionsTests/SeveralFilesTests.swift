import Domain
import Foundation
import Testing

@testable import Interactions

/// Several files that make one dataset.
@Suite struct SeveralFilesTests {
    private static let half = Shapes.events.count / 2
    private static let parts = [Array(Shapes.events[..<half]), Array(Shapes.events[half...])]

    private static func read(
        _ texts: [String], _ options: ReadOptions = ReadOptions()
    ) throws -> (statistics: DatasetStatistics, sequences: [String: [String]], events: [ReadInteraction]) {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let names = texts.indices.map { "part-\($0)" }
        for (name, text) in zip(names, texts) { try Data(text.utf8).write(to: URL(filePath: folder + "/" + name)) }
        let reader = try InteractionReader(
            paths: names.map { folder + "/" + $0 }, names: names, options: options)
        let statistics = try reader.buildCorpus(at: folder + "/corpus")
        let corpus = try Corpus(path: folder + "/corpus")
        var sequences: [String: [String]] = [:]
        for user in 0..<corpus.userCount {
            sequences[corpus.userName(user)] = corpus.items(of: user).map { corpus.itemName(Int($0)) }
        }
        return (statistics, sequences, try reader.firstInteractions(5))
    }

    private static func refusal(_ texts: [String]) -> InteractionError? {
        do {
            _ = try read(texts)
            return nil
        } catch {
            return error as? InteractionError
        }
    }

    private static func row(_ event: Event) -> String { "\(event.user),\(event.item),\(event.rating),\(event.time)" }
    private static let header = "user_id,item_id,rating,timestamp"

    @Test("parts with a header each, or in the first alone, are the whole")
    func parts() throws {
        for second in [Self.header, nil] {
            let read = try Self.read([
                Shapes.table(Self.header, Self.parts[0], Self.row), Shapes.table(second, Self.parts[1], Self.row),
            ])
            #expect(read.sequences == Shapes.sequences())
            #expect(read.statistics.rows == Shapes.events.count && read.statistics.dropped.isEmpty)
            let first = Shapes.events[0]
            let time = Shapes.date("yyyy-MM-dd HH:mm:ss 'UTC'", first.time)
            #expect(read.events.first == ReadInteraction(user: first.user, item: first.item, time: time))
            #expect(read.events.count == 5)
        }
    }

    @Test("without times the order is that in which the files are given, and drops say in which")
    func order() throws {
        let read = try Self.read(["u a1\nu a2\nv a1\nv a3\nv a2\n", "u a3\nu NA\nw a1\n"])
        #expect(read.sequences == ["u": ["a1", "a2", "a3"], "v": ["a1", "a3", "a2"], "w": ["a1"]])
        #expect(
            read.statistics.dropped == [DroppedRows(reason: "missing item in part-1", count: 1, firstLines: [2])])
    }

    @Test("lines of items, JSON lines and their conditions go on in the next file")
    func otherFormats() throws {
        #expect(try Self.read(["1 5 6 7\n2 5 6\n", "1 8 9\n3 5 7 6\n"]).sequences["1"] == ["5", "6", "7", "8", "9"])
        func json(_ events: [Event]) -> String {
            events.map {
                "{\"user\": \($0.user), \"item\": \"\($0.item)\", \"time\": \($0.time), \"r\": \($0.rating)}\n"
            }
            .joined()
        }
        let read = try Self.read(Self.parts.map(json), ReadOptions(where: ["r>1"]))
        #expect(read.sequences == Shapes.sequences(Shapes.events.filter { $0.rating > 1 }))
    }

    @Test("days and months are told by any of the files")
    func days() throws {
        func table(_ days: [Int]) -> String {
            "user,item,date\n" + days.map { "u,i\($0),0\($0 % 7 + 1)/0\($0 * 2 % 7 + 1)/2014\n" }.joined()
        }
        let open = Self.refusal([table([1, 2, 3, 4]), table([5, 6])])
        #expect(open?.message.contains("--dates dmy") == true)
        #expect(try Self.read([table([1, 2, 3, 4]), "user,item,date\nu,x,25/12/2014\n"]).sequences["u"]?.last == "x")
    }

    @Test("what differs is refused naming both files and the columns")
    func differences() throws {
        let first = Shapes.table(Self.header, Self.parts[0], Self.row)
        let others = [
            Shapes.table("item_id,user_id,rating,timestamp", Self.parts[1]) {
                "\($0.item),\($0.user),\($0.rating),\($0.time)"
            },
            Shapes.table("user_id,item_id,timestamp", Self.parts[1]) { "\($0.user),\($0.item),\($0.time)" },
            Shapes.table(Self.header, Self.parts[1]) { "\($0.user),\($0.item),\($0.rating),\($0.time)000" },
            Shapes.table(nil, Self.parts[1]) { "\($0.time),\($0.user),\($0.item),\($0.rating)" },
            Shapes.table(Self.header.replacing(",", with: "\t"), Self.parts[1]) {
                "\($0.user)\t\($0.item)\t\($0.rating)\t\($0.time)"
            },
        ]
        for (number, other) in others.enumerated() {
            let error = try #require(Self.refusal([first, other]), "\(number)")
            #expect(error.reason == "columns" && error.file.hasSuffix("part-1"), "\(error)")
            #expect(error.message.contains("part-0"), "\(error)")
        }
        let json = Self.refusal(["{\"user\": 1, \"item\": 2}\n", "{\"user_id\": 1, \"item\": 2}\n"])
        #expect(json?.message.contains("user=user_id") == true && json?.message.contains("part-0") == true)
        #expect(Self.refusal([first, ""])?.reason == "empty")
    }
}
