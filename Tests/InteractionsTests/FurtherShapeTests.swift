import Domain
import Foundation
import Testing

@testable import Interactions

/// Shapes of files beside the common ones: read right, or refused with what helps.
@Suite struct FurtherShapeTests {
    private static let header = "user_id,item_id,rating,timestamp"
    private static func row(_ event: Event) -> String { "\(event.user),\(event.item),\(event.rating),\(event.time)" }
    private static let table = Shapes.table(header, Shapes.events, row)

    @Test("Excel's first line, delimiters at the end, decimal commas, other marks")
    func spreadsheets() throws {
        let semicolons = table(";")
        #expect(try Shapes.read("sep=;\r\n" + semicolons) == Shapes.sequences())
        #expect(try Shapes.read("\u{feff}SEP=;\n" + semicolons) == Shapes.sequences())
        #expect(try Shapes.read(table(",", end: ",")) == Shapes.sequences())
        let commas = Shapes.table("user_id;item_id;price;timestamp") { "\($0.user);\($0.item);3,5;\($0.time)" }
        #expect(try Shapes.read(commas) == Shapes.sequences())
        #expect(try Shapes.read(table(", ")) == Shapes.sequences())
        #expect(try Shapes.read(Self.table.replacing("\n", with: "\n\n")) == Shapes.sequences())
    }

    private func table(_ separator: String, end: String = "") -> String {
        let rows = [Self.header] + Shapes.events.map(Self.row)
        return rows.map { $0.replacing(",", with: separator) + end + "\n" }.joined()
    }

    @Test("a header that comes again, as in files put together, is no interaction")
    func headerAgain() throws {
        let pairs = "user_id,item_id\nu1,a\nu1,b\nu1,c\nuser_id,item_id\nu2,a\nu2,b\n"
        let read = try Shapes.read(Data(pairs.utf8))
        #expect(read.sequences == ["u1": ["a", "b", "c"], "u2": ["a", "b"]])
        #expect(read.statistics.dropped == [DroppedRows(reason: "a header again", count: 1, firstLines: [5])])
    }

    static let conversions: [(name: String, text: String, command: String)] = [
        ("a JSON array", "[{\"user_id\": 1},\n{\"user_id\": 2}]\n", "json.load(sys.stdin)"),
        ("Netflix's blocks", "1:\n5,3,2005-09-06\n7,4,2005-05-13\n2:\n5,3,2005-10-19\n", "awk -F,"),
        ("lists without users", "[1, 2, 3]\n[2, 4]\n", "awk '{print NR, $0}'"),
        ("Hive's bytes", "1\u{1}5\u{1}3\n2\u{1}5\u{1}4\n", "tr '\\001' '\\t'"),
        ("old ends of lines", "user,item\r1,2\r1,3\r", "tr '\\r' '\\n'"),
        ("carets", "1^5^3\n2^5^4\n", "tr '^' '\\t'"),
        ("single quotes", "'user_id','item_id'\n'1','2'\n", "tr -d \"'\""),
        ("items between commas", "a1,a2,a3\na2,a3\na1,a4,a5,a6\n", "tr ',' ' '"),
        ("a comment", "# from somewhere\nuser item\n1 2\n", "grep -v"),
        ("Python", "{'user': 1, 'item': 2}\n{'user': 1, 'item': 3}\n", "ast.literal_eval"),
    ]

    @Test(
        "what is not read is refused with a command that converts it and registers the result",
        arguments: conversions.indices)
    func refused(index: Int) throws {
        let (name, text, command) = Self.conversions[index]
        let error = try #require(Shapes.refusal(text), "\(name)")
        #expect(error.message.contains(command), "\(name): \(error)")
        #expect(error.message.contains("&& plaw register NAME data."), "\(name): \(error)")
    }

    @Test("lines of items without a user are not read as if the first item were one")
    func itemsAlone() throws {
        let sessions = Shapes.byUser.map(\.items)
        let text = sessions.map { $0.joined(separator: " ") + "\n" }.joined()
        let error = try #require(Shapes.refusal(text))
        #expect(error.message.contains("--columns user=0,items=1"))
        #expect(error.message.contains("awk '{print NR, $0}'"))
        // What the second command makes of it.
        let numbered = sessions.enumerated().map { "\($0 + 1) " + $1.joined(separator: " ") + "\n" }.joined()
        #expect(try Shapes.read(numbered).count == sessions.count)
        // Users that are numbers of items too, in order, are users; so are names that no line has among its items.
        let overlapping = "1 2 3 4\n2 1 3 5\n3 1 2 6 4 1\n5 3 2 1\n"
        #expect(try Shapes.read(overlapping).keys.sorted() == ["1", "2", "3", "5"])
        #expect(try Shapes.read("u9 1 2 3 4\nu3 2 3\nu5 4 3 1\n").count == 3)
        #expect(try Shapes.read(text, ReadOptions(columns: ["user": "0", "items": "1"])).isEmpty == false)
    }

    @Test(
        "a time that stands for none in many rows is refused with a condition that leaves it out",
        arguments: ["0", "-1", "9999999999", "1970-01-01", "9999-12-31"])
    func sentinels(value: String) throws {
        let isDate = value.contains("-") && value != "-1"
        func time(_ row: Int, _ event: Event) -> String {
            row % 6 == 0 ? value : isDate ? Shapes.date("yyyy-MM-dd HH:mm:ss", event.time) : String(event.time)
        }
        var row = -1
        let text = Shapes.table("user_id,item_id,timestamp") { event in
            row += 1
            return "\(event.user),\(event.item),\(time(row, event))"
        }
        let error = try #require(Shapes.refusal(text))
        #expect(error.message.contains("--where 'timestamp!=\(value)'"), "\(error)")
        let kept = Shapes.events.enumerated().filter { $0.offset % 6 != 0 }.map(\.element)
        #expect(try Shapes.read(text, ReadOptions(where: ["timestamp!=\(value)"])) == Shapes.sequences(kept))
    }

    @Test("a few odd times are told, old times and counters are not odd")
    func oddTimes() throws {
        let odd = try Shapes.read(Data((Self.table + "1001,200001,3,0\n").utf8))
        #expect(odd.statistics.reading?.oddTimes == 1)
        #expect(try Shapes.read(Data(Self.table.utf8)).statistics.reading?.oddTimes == nil)
        let counters = Shapes.table("user_id,item_id,timestamp") { "\($0.user),\($0.item),\($0.time - 1_388_620_800)" }
        #expect(try Shapes.read(Data(counters.utf8)).statistics.reading?.oddTimes == nil)
    }

    @Test(
        "names in other languages are asked about, with the time in the command",
        arguments: ["Benutzer;Artikel;Zeit", "用户;商品;时间"])
    func languages(names: String) throws {
        let text = Shapes.table(names) { "\($0.user);\($0.item);\($0.time)" }
        let columns = names.split(separator: ";")
        let error = try #require(Shapes.refusal(text))
        let command = "user=\(columns[0]),item=\(columns[1]),time=\(columns[2])"
        #expect(
            error.message.contains("--columns \(command.utf8.count == command.count ? command : "'\(command)'")"),
            "\(error)")
    }

    @Test("times in words")
    func words() {
        #expect(TimeForm(unit: .seconds).words(1_262_304_000_500_000) == "2010-01-01 00:00:00.5 UTC")
        #expect(TimeForm(unit: .nanoseconds).words(1_582_979_696_123_456_789) == "2020-02-29 12:34:56.123456789 UTC")
        #expect(TimeForm(unit: .milliseconds).words(1_659_304_800_025_000) == "2022-07-31 22:00:00.025 UTC")
        #expect(TimeForm(unit: .date).words(-1_000_000) == "1969-12-31 23:59:59 UTC")
        #expect(TimeForm(unit: .seconds).words(17_000_000) == "17")
        for (seconds, date) in [
            (951_782_400, "2000-02-29"), (4_107_542_400, "2100-03-01"), (-2_208_988_800, "1900-01-01"),
        ] {
            #expect(CivilTime(seconds: Int64(seconds)).date == date)
        }
    }
}
