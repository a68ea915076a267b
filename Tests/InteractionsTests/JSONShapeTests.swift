import Domain
import Foundation
import Testing

@testable import Interactions

/// JSON lines: flat records, and sessions with lists.
@Suite struct JSONShapeTests {
    private static func lines(_ record: (Event) -> String) -> String { Shapes.table(nil, Shapes.events, record) }

    @Test("flat records with the names of public datasets")
    func flat() throws {
        let texts = [
            Self.lines {
                #"{"overall": \#($0.rating).0, "verified": true, "reviewTime": "01 2, 2014", "reviewerID": "\#($0.user)", "asin": "\#($0.item)", "style": {"Size": "[M]"}, "reviewText": "a, \"b\"\n{c}", "unixReviewTime": \#($0.time)}"#
            },
            Self.lines {
                #"{"rating": 5.0, "images": [{"asin": "x", "item": "y"}], "asin": "v\#($0.item)", "parent_asin": "\#($0.item)", "user_id": "\#($0.user)", "timestamp": \#($0.time)007}"#
            },
            Self.lines {
                #"{"review_id":"r","user_id":"\#($0.user)","business_id":"\#($0.item)","stars":\#($0.rating),"date":"\#(Shapes.date("yyyy-MM-dd HH:mm:ss", $0.time))","text":"x"}"#
            },
            Self.lines { #"{"user":\#($0.user),"item":\#($0.item),"time":\#($0.time).5,"note":NaN}"# },
            Self.lines { #"{"username":"\#($0.user)","product_id":"\#($0.item)","timestamp":\#($0.time),"x":null}"# },
            Self.lines {
                #" { "user_id" : "\#($0.user)" , "book_id" : "\#($0.item)" , "date_added" : "\#(Shapes.date("EEE MMM dd HH:mm:ss '+0000' yyyy", $0.time))" } "#
            },
        ]
        for text in texts {
            let read = try Shapes.read(Data(text.utf8))
            #expect(read.decision.format == "jsonl")
            #expect(read.sequences == Shapes.sequences())
        }
    }

    @Test("sessions with events, lists of items, and members of other orders")
    func nested() throws {
        let own = Dictionary(grouping: Shapes.events, by: \.user)
        let events = own.map { user, events in
            #"{"session":\#(user),"events":["#
                + events.map { #"{"aid":\#($0.item),"ts":\#($0.time)000,"type":"clicks"}"# }.joined(separator: ",")
                + "]}\n"
        }.joined()
        #expect(try Shapes.read(events) == Shapes.sequences(), "events sort by time")
        let lists = Shapes.byUser.map {
            #"{"items":[\#($0.items.map { "\"\($0)\"" }.joined(separator: ", "))],"user_id":\#($0.user)}"# + "\n"
        }
        #expect(try Shapes.read(lists.joined()) == Shapes.sequences())
        // Items whose names hold what separates others, and escapes.
        let names =
            #"{"user":"u","items":["a, b","c\"d","\u00e9\ud83c\udfac", 7, null]}"# + "\n"
            + #"{"user":"v","items":["a","b","c","d"]}"# + "\n"
        #expect(try Shapes.read(names)["u"] == ["a, b", "c\"d", "é🎬", "7"])
    }

    @Test("members of objects inside are columns of their own, named by the way to them")
    func objectsInside() throws {
        let texts = [
            Self.lines {
                #"{"user":{"id":"\#($0.user)","name":"x, \"y\""},"item":{"id":"\#($0.item)","tags":{"a":1}},"ts":\#($0.time)}"#
            },
            Self.lines {
                #"{"event":{},"item":{"id":"\#($0.item)"},"user":{"id":\#($0.user)},"at":null,"ts":\#($0.time)}"#
            },
            // MongoDB's words for types.
            Self.lines {
                #"{"_id":{"$oid":"5f"},"user_id":{"$oid":"\#($0.user)"},"item_id":{"$numberLong":"\#($0.item)"},"created_at":{"$date":{"$numberLong":"\#($0.time)000"}}}"#
            },
            // A dictionary in each line, whose names are no columns.
            Self.lines {
                #"{"user":"\#($0.user)","item":"\#($0.item)","seen":{"s\#($0.time)":1,"item_id":2},"ts":\#($0.time)}"#
            },
        ]
        for text in texts { #expect(try Shapes.read(text) == Shapes.sequences(), "\(text.prefix(200))") }
        let chosen = Self.lines {
            #"{"actor":{"id":"\#($0.user)"},"object":{"sku":{"n":"\#($0.item)"}},"at":\#($0.time)}"#
        }
        let refusal = try #require(Shapes.refusal(chosen))
        #expect(refusal.message.contains("--columns user=actor.id,item=object.sku.n,time=at"), "\(refusal)")
        let columns = ["user": "actor.id", "item": "object.sku.n", "time": "at"]
        #expect(try Shapes.read(Data(chosen.utf8), ReadOptions(columns: columns)).sequences == Shapes.sequences())
        // A list of objects inside of an object, whose objects hold objects.
        let sessions = Dictionary(grouping: Shapes.events, by: \.user).map { user, events in
            #"{"visitor":{"id":\#(user)},"visit":{"hits":["#
                + events.map { #"{"product":{"id":\#($0.item)},"time":\#($0.time)}"# }.joined(separator: ",") + "]}}\n"
        }.joined()
        #expect(try Shapes.read(sessions) == Shapes.sequences())
    }

    @Test("a member that is an object in some lines and a text in others is refused")
    func mixed() throws {
        for share in [2, 3, 10] {
            let lines = Shapes.events.enumerated().map { number, event in
                let item = number % share == 0 ? "{\"id\":\"\(event.item)\"}" : "\"\(event.item)\""
                return "{\"user\":{\"id\":\(event.user)},\"item\":\(item),\"ts\":\(event.time)}\n"
            }
            let refusal = try #require(Shapes.refusal(lines.joined()), "\(share)")
            #expect(refusal.message.contains("found objects in member \"item\""), "\(refusal)")
        }
    }

    @Test("lines that are no object are counted; a user that is null is missing")
    func broken() throws {
        var lines = Shapes.events.map { #"{"user":"\#($0.user)","item":"\#($0.item)","time":\#($0.time)}"# }
        lines.insert(#"{"user":"u","item":"i","time":1388620800"#, at: 5)
        lines.insert(#"{"user":null,"item":"i","time":1388620800}"#, at: 9)
        lines.insert(#"{"user":"u","item":{"id":1},"time":1388620800}"#, at: 11)
        let read = try Shapes.read(Data((lines.joined(separator: "\n") + "\n").utf8))
        #expect(read.sequences == Shapes.sequences())
        let reasons = Dictionary(uniqueKeysWithValues: read.statistics.dropped.map { ($0.reason, $0.firstLines) })
        #expect(reasons == ["no JSON object": [6], "missing user": [10], "missing item": [12]])
    }

    @Test("what is no JSON lines is refused with what would help")
    func refusals() {
        let unknown = Shapes.refusal(Self.lines { #"{"who":"\#($0.user)","what":"\#($0.item)","when":\#($0.time)}"# })
        #expect(
            unknown?.message.contains(#""who" ("#) == true
                && unknown?.message.contains("--columns user=who,item=what") == true)
        #expect(Shapes.refusal("[\n {\"user\": 1}\n]\n")?.message.contains("json.load(sys.stdin)") == true)
        #expect(
            Shapes.refusal("{\n \"user\": 1,\n \"item\": 2\n}\n")?.message.contains("a JSON object in each line")
                == true)
        let python = Self.lines { "{u'username': u'\($0.user)', u'product_id': u'\($0.item)', u'date': u'2014-01-02'}" }
        #expect(Shapes.refusal(python)?.message.contains("ast.literal_eval") == true)
        let deep = String(repeating: "{\"a\":", count: 100) + "1" + String(repeating: "}", count: 100) + "\n"
        #expect(Shapes.refusal(deep)?.reason == "ambiguous")
    }

    @Test("JSON is read strictly, and no text makes the reader touch other memory")
    func strict() {
        func members(_ text: String) -> Int? {
            Array(text.utf8).withUnsafeBytes { JSONFields.members($0)?.count }
        }
        #expect(members(#"{"a":1,"b":[1,{"c":"}"}],"a":-0.5e-3}"#) == 3)
        #expect(members("{}") == 0)
        for bad in [
            "", "{", "{\"a\"}", "{\"a\":}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":1e}", "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":tru}", "{\"a\":1,}", "{\"a\":1}}", "{'a':1}", "{\"a\":[1,]}", "{\"a\":\"\u{1}\"}", "{\"a\":+1}",
        ] {
            #expect(members(bad) == nil, "\(bad)")
        }
        let good = #"{"user":"u\u00e9","items":["a",{"b":[1,2]}],"t":1.5e3,"n":null}"#
        for length in 0..<good.utf8.count {
            #expect(members(String(decoding: good.utf8.prefix(length), as: UTF8.self)) == nil)
        }
    }
}
