import Domain
import Foundation
import Testing

@testable import Interactions

/// `--where`: which rows are read.
@Suite struct ConditionTests {
    static let texts: [(text: String, read: [String])] = [
        ("behavior=buy", ["behavior=buy"]), ("behavior==buy", ["behavior=buy"]), ("rating >= 4", ["rating>=4"]),
        ("a=1 and b!=2", ["a=1", "b!=2"]), ("a=1 AND b<2 and c>3", ["a=1", "b<2", "c>3"]),
        ("category=Home and Garden", ["category=Home and Garden"]),
        ("category=Home and Garden and rating>=4", ["category=Home and Garden", "rating>=4"]),
        ("title=\"a and b=c\"", ["title=\"a and b=c\""]), ("title='a' and b=1", ["title=a", "b=1"]),
        ("note=", ["note="]), ("note!=", ["note!="]), ("x=a=b", ["x=a=b"]),
    ]

    @Test("texts are conditions, and what they say is read again the same", arguments: texts.indices)
    func parsing(index: Int) throws {
        let (text, read) = Self.texts[index]
        let conditions = try RowCondition.all(in: text)
        #expect(conditions.map(\.description) == read)
        #expect(try conditions.flatMap { try RowCondition.all(in: $0.description) } == conditions)
    }

    @Test("what is no condition is refused", arguments: ["", "behavior", "=buy", " >= 4", "a!b", "a=1 and 'b"])
    func malformed(text: String) {
        // The last one is a value that no condition follows.
        if text.hasPrefix("a=1") {
            #expect((try? RowCondition.all(in: text))?.map(\.value) == ["1 and 'b"])
        } else {
            #expect(throws: RowCondition.Malformed.self) { try RowCondition.all(in: text) }
        }
    }

    private static let header = "user_id,item_id,kind,rating,sku,timestamp"

    private static func line(_ event: Event) -> String {
        "\(event.user),\(event.item),\(event.rating > 3 ? "buy" : "view"),\(event.rating).0,00\(event.rating),\(event.time)"
    }

    private static func read(_ conditions: String..., holds: (Event) -> Bool) throws {
        let read = try Shapes.read(
            Data(Shapes.table(header, Shapes.events, line).utf8), ReadOptions(where: conditions), forTraining: false)
        let kept = Shapes.events.filter(holds)
        #expect(!kept.isEmpty && kept.count < Shapes.events.count)
        #expect(read.sequences == Shapes.sequences(kept), "\(conditions)")
        #expect(read.statistics.rows == Shapes.events.count)
        let removed = try #require(read.statistics.reading?.removedByConditions)
        #expect(removed.reduce(0) { $0 + $1.count } == Shapes.events.count - kept.count)
        #expect(read.statistics.dropped.isEmpty)
    }

    @Test("texts, numbers and dates are compared as such, on any column")
    func comparing() throws {
        try Self.read("kind=buy") { $0.rating > 3 }
        try Self.read("kind!=view", "rating<5") { $0.rating == 4 }
        try Self.read("rating=4") { $0.rating == 4 }
        try Self.read("rating>=2 and rating<=4") { (2...4).contains($0.rating) }
        try Self.read("rating>2.5e0") { $0.rating > 2 }
        // Zeros before a number make it a name.
        try Self.read("sku=004") { $0.rating == 4 }
        try Self.read("user_id!=1001") { $0.user != "1001" }
        let middle = 1_388_620_800 + 20_000_000
        try Self.read("timestamp>=\(middle)") { $0.time >= middle }
        try Self.read("timestamp<\(Shapes.date("yyyy-MM-dd HH:mm:ss", middle))") { $0.time < middle }
        let day = middle / 86_400
        try Self.read("timestamp<=\(Shapes.date("yyyy-MM-dd", middle))") { $0.time / 86_400 <= day }
        try Self.read("timestamp>\(Shapes.date("d MMMM yyyy", middle))") { $0.time / 86_400 > day }
    }

    @Test("dates in other columns are compared too, and names with more digits than a double holds")
    func otherColumns() throws {
        let text =
            "user_id,item_id,born,timestamp\n"
            + (0..<12).map { "u\($0 % 3),9007199254740\(990 + $0),\(1_990 + $0)-05-0\(1 + $0 % 9),\($0 + 1)" }
            .joined(separator: "\n")
        let born = try Shapes.read(
            Data(text.utf8), ReadOptions(order: .file, where: ["born>=1996-01-01"]), forTraining: false)
        #expect(born.statistics.interactions == 6)
        let large = try Shapes.read(
            Data(text.utf8), ReadOptions(order: .file, where: ["item_id=9007199254740993"]), forTraining: false)
        #expect(large.sequences == ["u0": ["9007199254740993"]])
    }

    @Test("members of JSON objects have conditions, also those of events")
    func json() throws {
        let events = (0..<40).map {
            "{\"aid\": \($0 % 7), \"ts\": \(1_659_304_800_000 + $0), \"type\": \"\($0 % 2 == 0 ? "clicks" : "carts")\"}"
        }
        let text = (0..<5).map { session in
            "{\"session\": \(session), \"shop\": \"s\(session % 2)\", \"events\": ["
                + events[session * 8..<session * 8 + 8].joined(separator: ", ") + "]}"
        }.joined(separator: "\n")
        let read = try Shapes.read(Data(text.utf8), ReadOptions(where: ["type=carts", "shop=s0"]), forTraining: false)
        #expect(read.statistics.interactions == 12 && read.sequences.keys.sorted() == ["0", "2", "4"])
        #expect(
            read.statistics.reading?.removedByConditions == [
                RemovedRows(condition: "type=carts", count: 20), RemovedRows(condition: "shop=s0", count: 8),
            ])
    }

    @Test("missing values are unequal to all, and what cannot be compared is counted")
    func missing() throws {
        let text = "user,item,rating\nu,a,5\nu,b,\nu,c,4\nu,d,many\nu,e,1\n"
        func read(_ condition: String) throws -> (items: [String]?, statistics: DatasetStatistics) {
            let read = try Shapes.read(Data(text.utf8), ReadOptions(where: [condition]), forTraining: false)
            return (read.sequences["u"], read.statistics)
        }
        #expect(try read("rating!=5").items == ["b", "c", "d", "e"])
        #expect(try read("rating=").items == ["b"])
        #expect(try read("rating!=").items == ["a", "c", "d", "e"])
        let ordered = try read("rating>=4")
        #expect(ordered.items == ["a", "c"])
        #expect(
            ordered.statistics.dropped == [
                DroppedRows(reason: "nothing to compare with in rating>=4", count: 1, firstLines: [5])
            ])
    }

    @Test(
        "a condition that cannot be met is refused with what the column holds",
        arguments: [
            ("behaviour=buy", "found no column \"behaviour\""), ("kind>=b", "a number or a date to compare with"),
            ("timestamp>=1388620800000", "a time in seconds"), ("timestamp>=2014", "a date such as 2014-01-02"),
            ("timestamp>=01/02/2014", "the year first"), ("rating", "a column, one of"),
        ])
    func refusals(condition: String, words: String) throws {
        let text = Shapes.table(Self.header, Shapes.events, Self.line)
        let error = try #require(Shapes.refusal(text, ReadOptions(where: [condition])))
        #expect(error.reason == "columns" && error.message.contains(words), "\(error)")
        if condition.hasPrefix("behaviour") { #expect(error.message.contains("\"kind\"")) }
    }

    @Test("a filter that leaves nothing says so with counts, and lines of items have no conditions")
    func nothing() throws {
        let text = Shapes.table(Self.header, Shapes.events, Self.line)
        let error = try #require(Shapes.refusal(text, ReadOptions(where: ["kind=sale"])))
        #expect(error.message.contains("kind=sale removed \(Shapes.events.count) rows (the column holds "))
        #expect(Shapes.refusal("1 2 3 4\n2 3 4\n", ReadOptions(where: ["0=1"]))?.reason == "columns")
        let lists = "user_id,items\nu,\"a1 a2 a3\"\nv,\"a1 a2\"\n"
        #expect(
            Shapes.refusal(lists, ReadOptions(where: ["items=a1"]))?.message.contains("does not hold lists") == true)
        let one = try Shapes.read(Data(lists.utf8), ReadOptions(where: ["user_id=u"]), forTraining: false)
        #expect(one.sequences == ["u": ["a1", "a2", "a3"]])
    }

    @Test("conditions are in the words of the filters that observations are kept by")
    func words() {
        #expect(ReadOptions(kCore: 5, where: ["a=1", "b>2"]).filter == "where(a=1 and b>2) k-core=5")
        #expect(ReadOptions().filter == "none")
    }
}
