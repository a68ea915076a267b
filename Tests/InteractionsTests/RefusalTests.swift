import Domain
import Foundation
import Testing

@testable import Interactions

/// What can be read in two ways, or in none, is refused with what would settle it.
@Suite struct RefusalTests {
    private func refusal(_ header: String?, _ line: (Event) -> String) -> InteractionError? {
        Shapes.refusal(Shapes.table(header, Shapes.events, line))
    }

    @Test("names that nobody knows: every column, three values of each, and a command line that settles it")
    func unknownNames() throws {
        let text = Shapes.table("actor,thing,happened") {
            "3f2b\($0.user)-aa,9c1e\($0.item)-bb,\(Shapes.date("yyyy-MM-dd'T'HH:mm:ss'Z'", $0.time))"
        }
        let error = try #require(Shapes.refusal(text))
        #expect(error.reason == "ambiguous")
        for (column, name) in ["actor", "thing", "happened"].enumerated() {
            let start = try #require(error.message.range(of: "\(column) \"\(name)\" ("))
            let values = error.message[start.upperBound...].prefix { $0 != ")" }.split(separator: ", ")
            #expect(values.count == 3, "\(values)")
        }
        #expect(error.message.contains("--columns user=actor,item=thing,time=happened"))
        #expect(error.message.contains("plaw register NAME \(error.file)"))
        // What it says is what reads the file.
        let options = ReadOptions(columns: ["user": "actor", "item": "thing", "time": "happened"])
        #expect(
            try Shapes.read(text, options)
                == Shapes.sequences(user: { "3f2b\($0.user)-aa" }, item: { "9c1e\($0.item)-bb" }))
    }

    @Test("times are never users or items, whatever they look like")
    func times() {
        let stamps: [(Event) -> String] = [
            { Shapes.date("yyyy-MM-dd'T'HH:mm:ss.250'Z'", $0.time) }, { Shapes.date("MM/dd/yyyy hh:mm:ss a", $0.time) },
            { Shapes.date("yyyyMMddHHmmss", $0.time) }, { String($0.time) }, { "\($0.time)000" },
            { Shapes.date("HH:mm:ss", $0.time) },
        ]
        for stamp in stamps {
            for separator in [",", "\t", "|"] {
                let item = refusal(nil) { "\($0.user)\(separator)\(stamp($0))\(separator)\($0.item)\(separator)0" }
                #expect(item?.message.contains("column 1") == true, "\(String(describing: item))")
                let user = refusal(nil) { "\(stamp($0))\(separator)\($0.user)\(separator)\($0.item)" }
                #expect(user?.message.contains("column 0") == true, "\(String(describing: user))")
            }
        }
        let named = refusal("user_id,item_id") { "\($0.user),\(Shapes.date("yyyy-MM-dd", $0.time))" }
        #expect(named?.message.contains("dates or times in column item_id") == true)
    }

    @Test("a column that is named as a time and is none is refused; file order only on request")
    func unreadable() throws {
        for value in ["day 12", "yesterday", "6-4", "Q1 2014", "2014-13-45"] {
            let text = Shapes.table("user_id,item_id,timestamp") { "\($0.user),\($0.item),\(value)" }
            let error = Shapes.refusal(text)
            #expect(error?.message.contains("timestamp") == true && error?.message.contains("--order file") == true)
            let read = try Shapes.read(Data(text.utf8), ReadOptions(order: .file))
            #expect(read.decision.timeUnit == "file order")
            #expect(read.sequences == Dictionary(grouping: Shapes.events, by: \.user).mapValues { $0.map(\.item) })
        }
    }

    @Test("day or month first: asked where nothing tells, decided by a date far into the file")
    func days() throws {
        let early = Shapes.events.map {
            Event(user: $0.user, item: $0.item, time: 1_388_534_400 + $0.time % 11 * 2_678_400, rating: 1)
        }
        func line(_ event: Event) -> String {
            "\(event.user),\(event.item),0\(1 + event.time % 7)/0\(1 + event.time / 7 % 5)/2014"
        }
        let open = Shapes.table("user_id,item_id,date", early, line)
        let error = Shapes.refusal(open)
        #expect(error?.message.contains("--dates dmy") == true && error?.message.contains("--dates mdy") == true)
        let some = "user,item,date\nu,a,02/01/2014\nu,b,01/02/2014\nu,c,03/03/2014\nu,d,04/04/2014\n"
        #expect(try Shapes.read(some, ReadOptions(dates: .dmy))["u"] == ["a", "b", "c", "d"])
        #expect(try Shapes.read(some, ReadOptions(dates: .mdy))["u"] == ["b", "a", "c", "d"])
        let padding = (0..<3_000).map { "v,i\($0 % 50),05/06/2014\n" }.joined()
        #expect(try Shapes.read(some + padding + "v,x,31/12/2014\n")["u"] == ["a", "b", "c", "d"])
        #expect(try Shapes.read(some + padding + "v,x,12/31/2014\n")["u"] == ["b", "a", "c", "d"])
        // One date of the other order is no date, not another day.
        let mixed = try Shapes.read(Data((some + padding + "v,x,31/12/2014\nv,y,12/31/2014\n").utf8))
        #expect(mixed.statistics.dropped.map(\.reason) == ["unreadable time"])
        // Dots are written with the day first.
        #expect(
            try Shapes.read("user,item,date\nu,a,02.01.2014\nu,b,01.02.2014\nu,c,03.03.2014\nu,d,04.03.2014\n")["u"]
                == ["a", "b", "c", "d"])
    }

    @Test("times under names that do not say what of, more than one, and a time of day in a field of its own")
    func doubtfulTimes() {
        let release = refusal("user_id,item_id,released") {
            "\($0.user),\($0.item),\(Shapes.date("yyyy-MM-dd", $0.time))"
        }
        #expect(release?.message.contains("time=released") == true && release?.message.contains("--order file") == true)
        let two = refusal(nil) { "\($0.user),\($0.item),\($0.time),\($0.time + 60)" }
        #expect(two?.message.contains("times in the columns 2, 3") == true)
        let split = refusal("user_id,item_id,date,clock") {
            "\($0.user),\($0.item),\(Shapes.date("yyyy-MM-dd", $0.time)),\(Shapes.date("HH:mm:ss", $0.time))"
        }
        #expect(split?.message.contains("times of day in column clock") == true)
        let blanks = refusal(nil) { "\($0.user) \($0.item) \(Shapes.date("yyyy-MM-dd HH:mm:ss", $0.time))" }
        #expect(blanks?.message.contains("times of day") == true)
        let nine = refusal(nil) { "\($0.user),\($0.item),\(300_000_000 + $0.rating)" }
        #expect(nine?.message.contains("seconds or names") == true)
    }

    @Test("tables without a header whose columns may be others")
    func guesses() {
        let amazon = refusal(nil) { "B00\(1_000_000 + (Int($0.item) ?? 0)),A1\($0.user)XYZ45Q,5.0,\($0.time)" }
        #expect(amazon?.message.contains("--columns user=1,item=0") == true)
        var row = 58_375
        let impressions = refusal(nil) {
            row += 1
            return "\(row)\tU\($0.user)\t\(Shapes.date("MM/dd/yyyy hh:mm:ss a", $0.time))\tN1 N2 N\($0.item)\tN3-0 N4-1"
        }
        #expect(impressions?.message.contains("the columns are 0 (58376") == true)
        let lists = refusal(nil) { "\($0.user)\t\($0.item)\tN1 N2 N3 N\($0.rating)" }
        #expect(lists?.message.contains("lists in column 2") == true)
        #expect(refusal(nil) { "\($0.user),\($0.item).5,3" }?.message.contains("fractions in column 1") == true)
        let fixed = Shapes.byUser.map { "\($0.user)\t\($0.items.prefix(4).joined(separator: "\t"))\n" }.joined()
        #expect(Shapes.refusal(fixed)?.message.contains("may all be items") == true)
        #expect(
            refusal(nil) { "alice\($0.user.filter(\.isLetter)),some movie" }?.message.contains("words without a digit")
                == true)
    }

    @Test("ratings first, brackets, comments, marks behind users, units that change and times in parts")
    func kinds() throws {
        #expect(
            refusal(nil) { "\($0.rating),\($0.user),\($0.item),\($0.time)" }?.message.contains("5 values in turn")
                == true)
        #expect(refusal(nil) { "\($0.user),\($0.rating),\($0.time)" }?.message.contains("would hold the items") == true)
        #expect(refusal(nil) { "(\($0.user), \($0.item), \($0.time))" }?.message.contains("brackets") == true)
        #expect(refusal("% bip weighted") { "\($0.user) \($0.item)" }?.message.contains("grep -v") == true)
        let colons = Shapes.byUser.map { "\($0.user): \($0.items.joined(separator: " "))\n" }.joined()
        #expect(Shapes.refusal(colons)?.message.contains("marks behind the first fields") == true)
        let mixed = refusal("user_id,item_id,timestamp") {
            "\($0.user),\($0.item),\($0.rating == 1 ? $0.time * 1_000 : $0.time)"
        }
        #expect(mixed?.message.contains("of one unit") == true)
        let parts = refusal("user_id,item_id,year,month,day") {
            "\($0.user),\($0.item),\(Shapes.date("yyyy,MM,dd", $0.time))"
        }
        #expect(parts?.message.contains("year, month, day") == true)
        let attributes = refusal("item_id:token\tmovie_title:token_seq\tclass:token_seq") {
            "\($0.item)\tToy Story\tComedy Drama"
        }
        #expect(attributes?.message.contains("no column is known to hold the user") == true)
        let some = refusal(nil) {
            "\($0.user)\t\($0.item)\t\($0.rating > 2 ? Shapes.date("yyyy-MM-dd", $0.time) : String($0.time))"
        }
        #expect(some?.message.contains("times in some rows of column 2") == true)
        let empty = refusal("user_id,item_id,timestamp") { "\($0.user),\($0.item)," }
        #expect(empty?.message.contains("no value in the time column timestamp") == true)
        // Users who are not signed in have sessions.
        let sessions = Shapes.table("sessionId;userId;itemId;eventdate") {
            "\($0.user);NA;\($0.item);\(Shapes.date("yyyy-MM-dd", $0.time))"
        }
        #expect(try Shapes.read(sessions) == Shapes.sequences(unit: 86_400))
    }

    @Test("a refusal is short enough to be sent whole, however many columns there are")
    func wide() throws {
        let names = (0..<500).map {
            "a rather long name of a column, number \(String(repeating: "x", count: $0 % 9)) \(["a", "b", "c"][$0 % 3])"
        }
        let text =
            names.map { "\"\($0)\"" }.joined(separator: ",") + "\n"
            + (0..<5).map { row in names.indices.map { "value\($0 * row)" }.joined(separator: ",") + "\n" }.joined()
        let error = try #require(Shapes.refusal(text))
        #expect(
            error.message.utf8.count < 1_900 && error.message.contains("and 4")
                && error.message.contains("--columns user=1,item=2"))
    }

    @Test("prose, logs, pages, vectors and pointers are no sequences of items")
    func junk() {
        func many(_ lines: String...) -> String { String(repeating: lines.joined(separator: "\n") + "\n", count: 20) }
        let texts: [(String, String)] = [
            (
                many("once upon a time", "there was no data in this file", "and nobody noticed it"),
                "words without a digit"
            ),
            (many("Hello, world.", "It was 1984, and \"nobody\" knew."), ""),
            (many("Jan  1 00:00:01 host sshd[123]: Failed password", "Jan  1 00:00:02 host cron[9]: (root) CMD x"), ""),
            (
                many(
                    "127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] \"GET /a HTTP/1.0\" 200 23 x",
                    "::1 - - [10/Oct/2000:13:55:37 -0700] \"GET /\" 200"), ""
            ),
            (many("2024-01-01 12:00:01,123 INFO started", "2024-01-01 12:00:02,456 WARN id=5 slow"), ""),
            (many("def f(x):", "    return x + 1", "    # twice x is 2"), ""),
            (
                many("the 0.418 0.24968 -0.41242 0.1217", "of 0.70853 0.57088 -0.4716 0.1", "a 0.1 0.2 0.3 0.4 0.5"),
                "fractions"
            ),
            (many("1 3:1 5:0.5 9:1", "0 2:1 7:0.25"), "pairs"),
            (many("u1 1388620800 1388620801 i4", "u2 1388620803 1388620804 1388620809 i7"), "times among the items"),
            ("<!DOCTYPE html>\n<html><body>404 not found</body></html>\n", "HTML"),
            ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
            ("# A title\n\nSome words about the data below.\n\n- a point\n- another one\n", ""),
        ]
        for (text, words) in texts {
            let error = Shapes.refusal(text)
            #expect(
                error?.reason == "ambiguous" && (words.isEmpty || error?.message.contains(words) == true),
                "\(text.prefix(60)) \(String(describing: error))")
        }
        // What it says settles it.
        let words = "u1 milk bread eggs\nu2 milk tea sugar honey\n"
        #expect(Shapes.refusal(words)?.message.contains("--columns user=0,items=1") == true)
        #expect(throws: Never.self) {
            let read = try Shapes.read(words, ReadOptions(columns: ["user": "0", "items": "1"]))
            #expect(read["u2"] == ["milk", "tea", "sugar", "honey"])
        }
    }

    @Test("what holds other files is refused with how to unpack it")
    func containers() {
        let kinds: [([UInt8], String)] = [
            (Array("PK\u{3}\u{4}\u{14}\0".utf8), "unzip"), (Array("BZh91AY&SY\0".utf8), "bunzip2"),
            ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "unxz"), ([0x28, 0xb5, 0x2f, 0xfd, 4, 0], "unzstd"),
            (Array("PAR1\u{15}\0".utf8), "read_parquet"), (Array("SQLite format 3\0".utf8), "SQLite"),
        ]
        for (bytes, words) in kinds {
            let error = #expect(throws: InteractionError.self) { try Shapes.read(Data(bytes + [1, 2, 3])) }
            #expect(
                error?.reason == "binary" && (words.isEmpty || error?.message.contains(words) == true),
                "\(String(describing: error))")
        }
    }

    @Test("a file that leaves nobody to train or to rank is refused with the counts")
    func nobody() {
        let once = "user_id,item_id,timestamp\n" + (0..<50).map { "u\($0),i\($0),\(1_388_620_800 + $0)\n" }.joined()
        let error = Shapes.refusal(once)
        #expect(error?.reason == "nobody")
        #expect(error?.message.contains("50 interactions of 50 users and 50 items, at most 1 of a user") == true)
        // Three interactions each: a target of each kind, and one item, which nothing follows.
        #expect(Shapes.refusal("u1 1 2 3\nu2 2 3 1\n")?.reason == "nobody")
        #expect(Shapes.refusal("u1 1 2 3 4\nu2 2 3\n") == nil)
        let filtered = Shapes.refusal("u1 1 2 3 4\nu2 1 2\n", ReadOptions(kCore: 2))
        #expect(filtered?.message.contains("weaker filters") == true)
    }

    @Test("the manual lists every known name, and none that is not")
    func manual() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/users/formats.md"), encoding: .utf8)
        for (role, names) in [
            ("user", ColumnNames.users), ("item", ColumnNames.items), ("lists of items", ColumnNames.lists),
            ("time", ColumnNames.times),
        ] {
            let start = try #require(text.range(of: "- **\(role)**: "))
            let listed = text[start.upperBound...].prefix { $0 != "-" && $0 != "W" }
            #expect(
                listed.split(separator: "`").map(String.init).filter { $0.contains { $0.isLetter } } == names, "\(role)"
            )
        }
    }

    @Test("equal times, duplicates, what filters removed and columns not used are counted")
    func counts() throws {
        let text =
            "user_id,item_id,timestamp,price,shop\n"
            + ["u,a,1", "u,a,1", "u,b,1", "u,c,2", "v,a,1", "v,b,2", "v,c,3", "v,d,4", "v,b,5", "w,e,9"].map {
                "\($0),3,x\n"
            }
            .joined()
        let plain = try Shapes.read(Data(text.utf8))
        #expect(plain.decision.unused == ["price", "shop"])
        #expect(plain.statistics.reading?.equalTimes == 3 && plain.statistics.reading?.exactDuplicates == 1)
        #expect(plain.statistics.reading?.removedByCore == nil)
        let filtered = try Shapes.read(Data(text.utf8), ReadOptions(kCore: 2, deduplicate: .rows))
        #expect(filtered.statistics.reading?.removedDuplicates == 1 && filtered.statistics.reading?.removedByCore == 2)
    }
}
