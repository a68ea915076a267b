import Domain
import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

/// The strict reading of JSON: against RFC 8259, and against Foundation's decoder where that is as strict.
@Suite struct JSONTests {
    private static func read(_ text: String) throws(JSONSyntaxError) -> JSONText { try JSONText(Data(text.utf8)) }

    static let valid = [
        "null", " true ", "\t[ ]\r\n", "{}", "0", "-0", "12", "-1.5e+10", "1E-2", "0.0", #""""#,
        #""\"\\\/\b\f\n\r\t\u00e9""#,
        #""\ud83d\ude00 é 😀""#, #"[1,"a",[{}],{"b":[null,false]}]"#, #"{"a":{"a":1},"b":{"a":2}}"#, "\"\u{7f}\"",
    ]

    @Test("what the grammar has is read, and says what Foundation's decoder says", arguments: valid)
    func accepted(text: String) throws {
        let read = try Self.read(text)
        #expect(read.duplicate == nil)
        #expect(
            try read.root.decode(JSONValue.self)
                == (try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))))
    }

    static let invalid: [(text: String, offset: Int, found: String, expected: String)] = [
        ("", 0, "the end", "a value"),
        ("  ", 2, "the end", "a value"),
        ("nonsense", 1, "'o'", "null"),
        ("{\"a\":1,}", 7, "'}'", "a name in quotation marks"),
        ("[1,]", 3, "']'", "a value"),
        ("[1 2]", 3, "'2'", "',' or ']'"),
        ("{\"a\" 1}", 5, "'1'", "':'"),
        ("{a:1}", 1, "'a'", "a name in quotation marks"),
        ("{\"a\":1", 6, "the end", "',' or '}'"),
        ("{\"a\":1} x", 8, "'x'", "nothing behind the value"),
        ("[1]]", 3, "']'", "nothing behind the value"),
        ("01", 1, "'1'", "nothing behind the value"),
        ("1.", 2, "the end", "a digit"),
        ("-", 1, "the end", "a digit"),
        ("+1", 0, "'+'", "a value"),
        (".5", 0, "'.'", "a value"),
        ("1e", 2, "the end", "a digit"),
        ("NaN", 0, "'N'", "a value"),
        ("Infinity", 0, "'I'", "a value"),
        ("'a'", 0, "'''", "a value"),
        ("\"a", 2, "the end", "a quotation mark that ends the string"),
        ("\"a\nb\"", 2, "the byte 10", "control characters of a string to be escaped"),
        (#""\x""#, 2, "'x'", #"one of "\/bfnrtu behind '\'"#),
        (#""\u12g4""#, 5, "'g'", "four hexadecimal digits"),
        (#""\ud800""#, 1, "half of a surrogate pair", "both halves"),
        (#""\ude00""#, 1, "half of a surrogate pair", "both halves"),
        ("// a\n1", 0, "'/'", "a value"),
        ("[1,/**/2]", 3, "'/'", "a value"),
        ("\u{feff}1", 0, "the byte 239", "a value"),
        ("tru", 3, "the end", "true"),
    ]

    @Test("what the grammar does not have is refused at its byte", arguments: invalid.indices)
    func refused(index: Int) {
        let (text, offset, found, expected) = Self.invalid[index]
        let error = #expect(throws: JSONSyntaxError.self) { try Self.read(text) }
        #expect(error == JSONSyntaxError(offset: offset, found: found, expected: expected), "\(text)")
    }

    @Test("bytes that are no UTF-8, and other encodings, are refused")
    func encodings() {
        for bytes: [UInt8] in [
            [0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22], [0x31, 0x00], [0x00, 0x31],
        ] {
            #expect(throws: JSONSyntaxError.self) { try JSONText(Data(bytes)) }
        }
    }

    @Test("a member that stands twice in one object is found, however it is written and how many there are")
    func duplicates() throws {
        func duplicate(_ text: String) throws -> String? {
            try Self.read(text).duplicate.map { "\($0.name)@\($0.offset)" }
        }
        #expect(try duplicate(#"{"a":1,"b":2,"a":3}"#) == "a@13")
        #expect(try duplicate(#"[{"x":{"é":1,"\u00e9":2}}]"#) == "é@14")
        #expect(try duplicate(#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#) == nil)
        // Written differently they are different names, though they look the same.
        #expect(try duplicate("{\"\u{e9}\":1,\"e\u{301}\":2}") == nil)
        let many = (0..<1_000).map { "\"m\($0)\":\($0)" }.joined(separator: ",")
        #expect(try duplicate("{\(many)}") == nil)
        #expect(try duplicate("{\(many),\"m500\":1}")?.hasPrefix("m500@") == true)
    }

    @Test("places are told in lines and columns")
    func places() {
        let data = Data("{\n  \"a\": 1,\n}".utf8)
        func place(_ offset: Int) -> [Int] {
            let (line, column) = JSONSyntaxError.position(of: offset, in: data)
            return [line, column]
        }
        #expect([place(0), place(1), place(2), place(4), place(12)] == [[1, 1], [1, 2], [2, 1], [2, 3], [3, 1]])
    }

    @Test("text that is damaged at random is read as Foundation's decoder reads it, or refused")
    func damage() {
        var random = SplitMix64(seed: 5)
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\"a\"", "\"b\"", "1", "-2.5e3", "null", "true", " ", "\\u0041",
            "é", "9",
        ]
        var accepted = 0
        for _ in 0..<20_000 {
            var text = Self.valid[Int(random.next() % UInt64(Self.valid.count))]
            for _ in 0...random.next() % 3 {
                let place = text.index(text.startIndex, offsetBy: Int(random.next() % UInt64(text.count + 1)))
                let piece = pieces[Int(random.next() % UInt64(pieces.count))]
                if random.next() % 3 == 0, place < text.endIndex {
                    text.remove(at: place)
                } else {
                    text.insert(contentsOf: piece, at: place)
                }
                if text.isEmpty { text = "1" }
            }
            let theirs = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
            guard let read = try? JSONText(Data(text.utf8)) else { continue }
            accepted += 1
            if read.duplicate == nil {
                #expect((try? read.root.decode(JSONValue.self)) == theirs, "\(text)")
            }
        }
        #expect(accepted > 1_000)
    }

    private struct Sample: Decodable {
        var whole: Int?
        var small: UInt8?
        var real: Double?
        var flag: Bool?
        var list: [Int]?
        var loss: Loss?
        var metric: Metric?
        var names: [String: String]?
        var text: String?
    }

    static let mismatches: [(text: String, words: String)] = [
        (#"{"whole":2.5}"#, "whole: found 2.5, expected a whole number"),
        (#"{"whole":"2"}"#, #"whole: found "2", expected a whole number"#),
        (
            #"{"whole":1e30}"#,
            "whole: found 1e30, expected a whole number from -9223372036854775808 to 9223372036854775807"
        ),
        (#"{"small":-1}"#, "small: found -1, expected a whole number from 0 to 255"),
        (#"{"real":1e400}"#, "real: found 1e400, expected a number of at most 1.7976931348623157e+308 either way"),
        (#"{"real":[]}"#, "real: found [], expected a number"),
        (#"{"flag":0}"#, "flag: found 0, expected true or false"),
        (#"{"list":[1,null]}"#, "list[1]: found null, expected a whole number"),
        (#"{"list":{}}"#, "list: found {}, expected an array"),
        (
            #"{"metric":"hit"}"#,
            #"metric: found "hit", expected a metric such as hr@10, ndcg@10 or mrr@10, at most @1000000"#
        ),
        (#"{"names":{"a":1}}"#, "names.a: found 1, expected text"),
        (
            #"{"text":{"a":"0123456789012345678901234567890123456789012345678901234567890123456789"}}"#,
            #"text: found {"a":"012345678901234567890123456789012345678901234567890..., expected text"#
        ),
    ]

    @Test("what does not fit is named, with what was found and what was expected", arguments: mismatches.indices)
    func mismatch(index: Int) throws {
        let (text, words) = Self.mismatches[index]
        let error = #expect(throws: JSONMismatch.self) { try Self.read(text).root.decode(Sample.self) }
        #expect(error?.description == words)
    }

    @Test("an enumeration says what it has, whole numbers may be written as 2.0 and 1e3")
    func words() throws {
        let error = #expect(throws: JSONMismatch.self) {
            try Self.read(#"{"loss":"x"}"#).root.decode(Sample.self)
        }
        #expect(error?.expected == "one of " + Loss.allCases.map(\.rawValue).joined(separator: ", "))
        let sample = try Self.read(#"{"whole":1e3,"small":2.0,"list":[-0],"text":null}"#).root.decode(Sample.self)
        #expect(sample.whole == 1_000 && sample.small == 2 && sample.list == [0] && sample.text == nil)
    }
}
