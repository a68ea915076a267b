import Domain
import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

/// What is written as JSON, against Foundation's encoder.
@Suite struct WriterTests {
    /// Both texts read alike, by Foundation's decoder.
    private static func check(_ value: some Encodable, _ label: String = "") throws {
        let ours = try JSONDecoder().decode(JSONValue.self, from: Data(JSONWriter.bytes(of: value)))
        let theirs = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
        #expect(ours == theirs, "\(label)")
    }

    @Test("parameters and results of every example of the document, as any value and as what they are")
    func examples() throws {
        func list(_ value: JSONValue?) -> [JSONValue] { if case .array(let all)? = value { all } else { [] } }
        func check<M: RPCMethod>(_ method: M.Type, _ result: JSONValue) throws {
            let text = try JSONEncoder().encode(result)
            guard let value = try? JSONDecoder().decode(M.Result.self, from: text) else { return }
            try Self.check(value, M.name)
        }
        let data = try Data(contentsOf: URL(filePath: Paths.root + "/protos/plaw.openrpc.json"))
        let document = try JSONDecoder().decode(JSONValue.self, from: data)
        try Self.check(document)
        var checked = 0
        for method in list(document["methods"]) {
            let name = method["name"]?.stringValue
            for example in list(method["examples"]) {
                guard let result = example["result"]?["value"] else { continue }
                let type = try #require(Catalog.methods.first { $0.name == name })
                try check(type, result)
                checked += 1
            }
        }
        #expect(checked > 20)
    }

    private struct Numbers: Encodable {
        var int = Int.min
        var unsigned = UInt64.max
        var byte: UInt8 = 255
        var doubles: [Double] = [
            0, -0.0, 1, -1, 0.1, 1 / 3, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1e16, 1e15, 123_456_789.125,
        ]
        var floats: [Float] = [0.1, 1e-10, 3e38]
        var nothing: Int?
        var nested: [[String]] = [[], ["a"], []]
        var named = ["a": [1], "b": []]
        var flags = [true, false]
    }

    @Test("numbers, text of any kind, what is empty and what is absent")
    func values() throws {
        try Self.check(Numbers())
        try Self.check([Optional(1), nil])
        try Self.check([String: Int]())
        try Self.check(NoParams())
        try Self.check([NoParams(), NoParams()])
        let all = String(String.UnicodeScalarView((0..<0x250).compactMap(Unicode.Scalar.init)))
        try Self.check([all, "", "😀\u{2028}", "\\\"/", "\u{7f}"])
        try Self.check([all: 1])
        for number in [Double.nan, .infinity, -.infinity] {
            #expect(throws: EncodingError.self) { try JSONWriter.bytes(of: [number]) }
        }
    }

    /// Uses every kind of container, and asks for them more than once.
    private struct Odd: Encodable {
        enum Key: String, CodingKey { case a, b, c, d, e }
        func encode(to encoder: any Encoder) throws {
            var first = encoder.container(keyedBy: Key.self)
            try first.encode(1, forKey: .a)
            var inner = first.nestedContainer(keyedBy: Key.self, forKey: .b)
            try inner.encode("x", forKey: .a)
            var list = inner.nestedUnkeyedContainer(forKey: .c)
            try list.encode(1.5)
            try list.encodeNil()
            var deep = list.nestedUnkeyedContainer()
            try deep.encode([true])
            _ = list.nestedContainer(keyedBy: Key.self)
            var second = encoder.container(keyedBy: Key.self)
            try second.encode([1, 2], forKey: .c)
            try 3.encode(to: second.superEncoder(forKey: .d))
            try second.encodeNil(forKey: .e)
        }
    }

    @Test("containers within each other, and asked for again")
    func containers() throws {
        try Self.check(Odd())
        try Self.check([Odd(), Odd()])
    }

    @Test("random values read as they were")
    func random() throws {
        var random = SplitMix64(seed: 7)
        func value(_ depth: Int) -> JSONValue {
            switch random.next() % (depth > 4 ? 5 : 7) {
            case 0: return .null
            case 1: return .bool(random.next() % 2 == 0)
            case 2: return .integer(Int64(bitPattern: random.next()))
            case 3:
                let number = Double(bitPattern: random.next())
                return .number(number.isFinite ? number : 0.5)
            case 4:
                return .string(
                    String(
                        String.UnicodeScalarView(
                            (0..<random.next() % 9).compactMap { _ in
                                Unicode.Scalar(UInt32(random.next() % 0x3000))
                            })))
            case 5: return .array((0..<random.next() % 5).map { _ in value(depth + 1) })
            default:
                return .object(
                    Dictionary((0..<random.next() % 5).map { ("\($0)", value(depth + 1)) }) { first, _ in first })
            }
        }
        for _ in 0..<2_000 { try Self.check(value(0)) }
    }
}
