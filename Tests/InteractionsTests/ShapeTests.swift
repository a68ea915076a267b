import Domain
import Foundation
import Testing

@testable import Interactions

/// What people have is read right: the events, in their order.
@Suite struct ShapeTests {
    struct Header: Sendable, CustomTestStringConvertible {
        var names: String
        /// Of each column: u(ser), i(tem), t(ime), m(illiseconds), d(ay) or r(ating).
        var columns: String
        var testDescription: String { names }
    }

    static let headers = [
        Header(names: "userId,movieId,rating,timestamp", columns: "uirt"),
        Header(names: "user_id,video_id,play_duration,video_duration,time,date,timestamp", columns: "uirrTDt"),
        Header(names: "t_dat,customer_id,article_id,price,sales_channel_id", columns: "duirr"),
        Header(names: "user_id,anime_id,rating,timestamp", columns: "uirt"),
        Header(names: "session,aid,ts,type", columns: "uimr"),
        Header(names: "user_id,click_article_id,click_timestamp,click_environment", columns: "uimr"),
        Header(names: "user_idx,item_idx,ts,label", columns: "uitr"),
        Header(names: "asin,reviewerID,overall,unixReviewTime", columns: "iurt"),
        Header(names: "timestamp,visitorid,event,itemid,transactionid", columns: "murin"),
        Header(names: "personId,contentId,eventType,timestamp", columns: "uirt"),
        Header(names: "user_id,business_id,stars,date", columns: "uirT"),
        Header(names: "event_time,event_type,product_id,category_id,user_id,user_session", columns: "Triruu"),
        Header(names: ",user_id,recipe_id,date,rating", columns: "nuidr"),
        Header(names: "steamid,appid,playtime,unix_timestamp", columns: "uirt"),
        Header(names: "userId,venueId,utcTimestamp", columns: "uiW"),
        Header(names: "user_id:token,item_id:token,rating:float,timestamp:float", columns: "uirt"),
    ]

    static func value(_ kind: Character, _ event: Event, _ row: Int) -> String {
        switch kind {
        case "u": event.user
        case "i": event.item
        case "t": String(event.time)
        case "m": "\(event.time)123"
        case "d": Shapes.date("yyyy-MM-dd", event.time)
        case "D": Shapes.date("yyyyMMdd", event.time)
        case "T": Shapes.date("yyyy-MM-dd HH:mm:ss", event.time)
        case "W": Shapes.date("EEE MMM dd HH:mm:ss '+0000' yyyy", event.time)
        case "n": String(row)
        default: String(event.rating)
        }
    }

    @Test("names of public datasets", arguments: headers)
    func names(header: Header) throws {
        for separator in [",", "\t", ";", "|"] {
            var row = -1
            let text = Shapes.table(header.names.replacing(",", with: separator), end: "\r\n") { event in
                row += 1
                return header.columns.map { Self.value($0, event, row) }.joined(separator: separator)
            }
            let unit = header.columns.contains("d") ? 86_400 : 1
            #expect(try Shapes.read(text) == Shapes.sequences(unit: unit), "\(separator)")
        }
    }

    static let formats: [(format: String, unit: Int)] = [
        ("yyyy-MM-dd'T'HH:mm:ss", 1), ("yyyy-MM-dd'T'HH:mm:ss.250'Z'", 1), ("yyyy-MM-dd HH:mm:ss '+00:00'", 1),
        ("yyyy-MM-dd HH:mm:ss 'UTC'", 1), ("yyyy-MM-dd HH", 3_600), ("yyyy/M/d H:mm", 60), ("yyyy.MM.dd HH:mm:ss", 1),
        ("M/d/yyyy H:mm", 60), ("MM/dd/yyyy hh:mm:ss a", 1), ("dd/MM/yyyy HH:mm", 60), ("dd-MM-yyyy", 86_400),
        ("dd.MM.yyyy HH:mm:ss", 1), ("M/d/yy H:mm", 60), ("MMM dd, yyyy", 86_400), ("MMMM d yyyy HH:mm:ss", 1),
        ("d MMM yyyy", 86_400), ("dd-MMM-yy", 86_400), ("dd/MMM/yyyy:HH:mm:ss '+0000'", 1), ("MM dd, yyyy", 86_400),
        ("EEE MMM dd HH:mm:ss '+0000' yyyy", 1), ("EEE, dd MMM yyyy HH:mm:ss 'GMT'", 1), ("yyyyMMdd", 86_400),
        ("yyyyMMdd'T'HHmmss'Z'", 1), ("yyyyMMddHHmm", 60), ("yyyyMMddHHmmss", 1), ("yyyy-MMM-dd", 86_400),
    ]

    @Test("dates in all the common texts", arguments: formats.indices)
    func dates(index: Int) throws {
        let (format, unit) = Self.formats[index]
        let text = Shapes.table("user_id,item_id,timestamp") {
            "\($0.user),\($0.item),\"\(Shapes.date(format, $0.time))\""
        }
        let read = try Shapes.read(Data(text.utf8))
        #expect(read.decision.timeUnit == "date")
        #expect(read.sequences == Shapes.sequences(unit: unit))
        let offset = format.contains(".250") ? 0 : 0
        #expect(Set(read.times) == Set(Shapes.events.map { Int64($0.time / unit * unit + offset) }))
    }

    @Test(
        "numbers of all units, with fractions and exponents",
        arguments: [
            ("", "seconds"), (".75", "seconds"), ("250", "milliseconds"), ("250.5", "milliseconds"),
            ("000250", "microseconds"), ("000000250", "nanoseconds"), ("e0", "seconds"), ("E+03", "milliseconds"),
        ])
    func numbers(suffix: String, unit: String) throws {
        let text = Shapes.table("user_id,item_id,timestamp") { "\($0.user),\($0.item),\($0.time)\(suffix)" }
        let read = try Shapes.read(Data(text.utf8))
        #expect(read.decision.timeUnit == unit)
        #expect(read.sequences == Shapes.sequences())
        #expect(read.statistics.dropped.isEmpty)
    }

    @Test("scientific notation is the number it stands for")
    func scientific() {
        func read(_ text: String) -> Int64? { Array(text.utf8).withUnsafeBytes { parseDecimal($0, scale: 1_000_000) } }
        #expect(read("1.388620800e+09") == 1_388_620_800_000_000)
        #expect(read("1.3886208005e9") == 1_388_620_800_500_000)
        #expect(read("-12.5") == -12_500_000)
        #expect(
            read("1e400") == nil && read("1e") == nil && read(".5") == nil && read("1.5.2") == nil && read("") == nil)
        #expect(read("0e400") == 0 && read("1e-400") == 0 && read("12345678901234567890") == nil)
    }

    @Test("fractions of a second decide the order, in numbers and in dates")
    func fractions() throws {
        let numbers = (0..<9).map { "u,i\($0),1388620800.\(9 - $0)25" }
        let dates = (0..<9).map { "u,i\($0),2014-01-02T00:00:00.00\(9 - $0)Z" }
        for lines in [numbers, dates] {
            let text = "user,item,time\n" + lines.joined(separator: "\n") + "\n"
            let read = try Shapes.read(Data(text.utf8))
            #expect(read.sequences["u"] == (0..<9).map { "i\(8 - $0)" })
            #expect(Set(read.times) == [1_388_620_800])
        }
    }

    @Test("quoted line breaks, doubled quotes and blanks before a quote")
    func quotes() throws {
        let text = Shapes.table("user_id,item_id,timestamp,review") {
            "\($0.user), \"a \"\"\($0.item)\"\"\",\($0.time),\"good,\nnot great, 1,2,3\n\($0.item),\($0.user),5,x\""
        }
        #expect(try Shapes.read(text) == Shapes.sequences(item: { "a \"\($0.item)\"" }))
        // A quote within a title of a TSV is a letter.
        let plain = Shapes.table("user_id\titem_id\ttimestamp\ttitle") {
            "\($0.user)\t\($0.item)\t\($0.time)\t\"Heroes\" and \"\($0.rating)"
        }
        #expect(try Shapes.read(plain) == Shapes.sequences())
    }

    @Test("a quote that never ends takes no other line with it")
    func endless() throws {
        var lines = Shapes.events.map { "\($0.user),\($0.item),\($0.time)" }
        lines.insert("77,\"open,1388620800", at: 3)
        let read = try Shapes.read(Data(("user,item,time\n" + lines.joined(separator: "\n") + "\n").utf8))
        #expect(read.sequences == Shapes.sequences())
        #expect(read.statistics.dropped.map(\.reason) == ["unbalanced quotes"])
        #expect(read.statistics.dropped.first?.firstLines == [5])
    }

    @Test("a line's end inside of a quoted name is part of it, as it is written")
    func lineEnds() throws {
        // Two ways to end a line: items that differ in nothing else are two.
        func name(_ event: Event) -> String {
            let number = Int(event.item) ?? 0
            return "x\(number % 2 == 0 ? "\r\n" : "\n")\(number / 2)"
        }
        let text = Shapes.table("user_id,item_id,timestamp", end: "\r\n") { "\($0.user),\"\(name($0))\",\($0.time)" }
        #expect(try Shapes.read(Data(text.utf8)).sequences == Shapes.sequences(item: name))
    }

    @Test(
        "names in a list are what JSON or Python wrote, however odd; quotes that close nothing are letters",
        arguments: [
            // The list of a field, and the items in it.
            (#"["a,b", "c\"d", "e\\", "\u00e9\ud83c\udfac", "f]"]"#, ["a,b", "c\"d", "e\\", "é🎬", "f]"]),
            (#"["a", "", "b"]"#, ["a", "b"]), (#"[1, 2.5]"#, ["1", "2.5"]),
            (#"['it\'s', "it's", '\xe9', '\U0001f3ac', 'a\\b']"#, ["it's", "it's", "é", "🎬", "a\\b"]),
            (#"['it's', 'b']"#, ["it's", "b"]), (#"["12" screen", "b"]"#, ["12\" screen", "b"]),
            (#"{"a b",c}"#, ["a b", "c"]), (#"null,b,c"#, ["null", "b", "c"]), (#""a,b","c""#, ["a,b", "c"]),
            (#""a\","c\n""#, ["a\\", "c\\n"]), (#"['a' 'b c' 'd']"#, ["a", "b c", "d"]),
            (#"["a\/b","\t","c"]"#, ["a/b", "\t", "c"]), (#"["a\"#, ["[\"a\\"]), (#"['a\']"#, ["'a\\'"]),
        ])
    func oddNames(field: String, items: [String]) {
        let bytes = Array(field.utf8)
        var read: [String] = []
        bytes.withUnsafeBytes { text in
            ItemList(of: [bytes]).forEach(text) { read.append(String(decoding: $0, as: UTF8.self)) }
        }
        #expect(read == items)
    }

    @Test(
        "items that are lists or objects are none: the column is refused, or the row dropped where it stands further down"
    )
    func nested() throws {
        func table(_ list: (Int) -> String, from first: Int) -> String {
            "user_id\titem_ids\n"
                + (0..<20_000).map {
                    "u\($0)\t" + ($0 >= first ? list($0) : "[\"a\($0 % 7)\", \"b (x)\", \"[c]\", \"d, {e\"]")
                }
                .joined(separator: "\n") + "\n"
        }
        let forms: [(Int) -> String] = [
            { "[{\"id\": \"a\($0)\", \"p\": 1}, {\"id\": \"b\"}]" }, { "[('a\($0)', 1.5), ('b', 2)]" },
            { "[[\"a\($0)\", 1], [\"b\"]]" }, { "[\"a\($0)\", [\"b\"]]" },
        ]
        for form in forms {
            #expect(
                Shapes.refusal(table(form, from: 0))?.message.contains("lists of lists or objects in column") == true)
            let read = try Shapes.read(Data(table(form, from: 19_990).utf8))
            #expect(read.statistics.dropped.map(\.reason) == ["a list of lists or objects"])
            #expect(read.statistics.dropped.first?.count == 10)
            #expect(read.sequences["u3"] == ["a3", "b (x)", "[c]", "d, {e"])
        }
        let missing = try Shapes.read(
            "user_id\titem_ids\n" + (0..<9).map { "u\($0)\t[1, null, None, 2, 3, 4]\n" }.joined())
        #expect(missing["u4"] == ["1", "2", "3", "4"])
    }

    @Test("UTF-16 of both orders, with characters outside the first plane")
    func utf16() throws {
        let text = Shapes.table("user_id,item_id,timestamp") { "\($0.user),🎬é\($0.item),\($0.time)" }
        for (mark, encoding) in [
            ([0xff, 0xfe] as [UInt8], String.Encoding.utf16LittleEndian), ([0xfe, 0xff], .utf16BigEndian),
        ] {
            let data = try Data(mark) + #require(text.data(using: encoding))
            #expect(try Shapes.read(data).sequences == Shapes.sequences(item: { "🎬é\($0.item)" }))
        }
    }

    @Test(
        "lists of items in a field",
        arguments: [
            ("", "\t", "{ }"), ("user_id,item_ids\n", ",", "\"{ }\""), ("user_id,sequence\n", ",", "\"[{, }]\""),
            ("user_id;items\n", ";", "{,}"), ("session_id:token\titem_id_list:token_seq\n", "\t", "{ }"),
            ("uid,item_id\n", ",", "\"['{', '}']\""), ("user,history\n", ",", "{|}"), ("group\tid\titems\n0", "\t", ""),
        ])
    func lists(header: String, separator: String, form: String) throws {
        guard !form.isEmpty else {
            // An unknown name of users beside a known one of lists is asked about.
            #expect(
                Shapes.refusal("group\tname\titems\nx\t1\t1,2,3\nx\t2\t4,5,6\n")?.message.contains("items=items")
                    == true)
            return
        }
        let parts =
            form.split(separator: "{").count == 2
            ? form.components(separatedBy: "{") : ["", form.replacing("{", with: "")]
        let tail = parts[1].components(separatedBy: "}")
        let text =
            header
            + Shapes.byUser.map {
                "\($0.user)\(separator)\(parts[0])\($0.items.joined(separator: tail[0]))\(tail[1])\n"
            }.joined()
        let read = try Shapes.read(Data(text.utf8))
        #expect(read.sequences == Shapes.sequences())
        #expect(read.decision.columns["items"] != nil)
    }

    @Test("RecBole's list and the item after it; rows that grow are refused")
    func recBole() throws {
        let header = "session_id:token\titem_id_list:token_seq\titem_id:token\n"
        let text =
            header
            + Shapes.byUser.map {
                "\($0.user)\t\($0.items.dropLast().joined(separator: " "))\t\($0.items.last ?? "")\n"
            }.joined()
        #expect(try Shapes.read(text) == Shapes.sequences())
        let growing =
            header
            + Shapes.byUser.map { user, items in
                (1..<items.count).map { "\(user)\t\(items[..<$0].joined(separator: " "))\t\(items[$0])\n" }.joined()
            }.joined()
        #expect(Shapes.refusal(growing)?.message.contains("prefixes of one sequence") == true)
    }
}
