import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

@testable import Server

/// Answers that are given again without being worked out again.
@Suite struct PreparedTests {
    private static func ask(_ id: String, _ params: String) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"test.kept","params":\#(params)}"#
    }

    @Test("an answer is worked out once for a text of parameters, and again after a change")
    func once() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let first = try await peer.exchange(Self.ask("1", #"{"text":"a"}"#))
            let second = try await peer.exchange(Self.ask(#""two""#, #"{"text":"a"}"#))
            #expect(first?["id"] == .integer(1) && second?["id"] == .string("two"))
            #expect(first?["jsonrpc"] == .string("2.0") && second?["jsonrpc"] == .string("2.0"))
            #expect(first?["result"] == .array([.string("1"), .string("version 0"), .string("a")]))
            #expect(second?["result"] == first?["result"])
            let other = try await peer.exchange(Self.ask("3", #"{"text":"b"}"#))
            #expect(other?["result"] == .array([.string("2"), .string("version 0"), .string("b")]))
            // Sent together: what comes after the change sees it.
            try await peer.send(Self.ask("4", #"{"text":"a"}"#))
            try await peer.send(#"{"jsonrpc":"2.0","id":5,"method":"test.change","params":{}}"#)
            try await peer.send(Self.ask("6", #"{"text":"a"}"#))
            #expect(try await peer.receive()?["result"] == first?["result"])
            #expect(try await peer.receive()?["id"] == .integer(5))
            #expect(
                try await peer.receive()?["result"]
                    == .array([.string("3"), .string("version 1"), .string("a")]))
        }
    }

    @Test("a prepared answer does not overtake an exclusive request, nor what waits behind it")
    func behind() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            _ = try await peer.exchange(Self.ask("1", "{}"))
            for _ in 0..<20 {
                try await peer.send(#"{"jsonrpc":"2.0","id":2,"method":"test.alone","params":{"milliseconds":5}}"#)
                try await peer.send(Self.ask("3", "{}"))
                #expect(try await peer.receive()?["id"] == .integer(2))
                #expect(try await peer.receive()?["id"] == .integer(3))
                // With nothing before it, it is answered again at once.
                #expect(try await peer.exchange(Self.ask("4", "{}"))?["id"] == .integer(4))
            }
        }
    }

    @Test("an answer that was worked out while something changed is not given again")
    func meanwhile() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let question = Self.ask("1", #"{"changes":true}"#)
            for number in 1...3 {
                #expect(
                    try await peer.exchange(question)?["result"]
                        == .array([.string("\(number)"), .string("version \(number - 1)"), .string("")]))
            }
        }
    }

    @Test("a prepared answer needs the same access, and refusals are not prepared")
    func access() async throws {
        try await withServer(access: .read) { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            for _ in 0..<2 {
                let answer = try await peer.exchange(Self.ask("1", #"{"text":"a"}"#))
                #expect(answer?["error"]?["code"] == .integer(-32009))
            }
        }
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            for _ in 0..<2 {
                let answer = try await peer.exchange(Self.ask("1", #"{"strange":1}"#))
                #expect(answer?["error"]?["code"] == .integer(-32602))
            }
            // The same parameters after an answer was prepared, in a message that is no request.
            _ = try await peer.exchange(Self.ask("1", #"{"text":"a"}"#))
            let broken = try await peer.exchange(
                #"{"jsonrpc":"1.0","id":1,"method":"test.kept","params":{"text":"a"}}"#)
            #expect(broken?["error"]?["code"] == .integer(-32600))
            let text = try await peer.exchange(#"{"jsonrpc":"2.0","id":1,"method":"test.kept","params":{"text":"a"}"#)
            #expect(text?["error"]?["code"] == .integer(-32700))
        }
    }

    @Test("many on one connection are all answered, each once, with their own ids")
    func many() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            _ = try await peer.exchange(Self.ask("0", #"{"text":"a"}"#))
            for id in 1...50 { try await peer.send(Self.ask("\(id)", #"{"text":"a"}"#)) }
            var ids: Set<JSONValue> = []
            for _ in 1...50 {
                let answer = try await peer.receive()
                ids.insert(try #require(answer?["id"]))
                #expect(answer?["result"] == .array([.string("1"), .string("version 0"), .string("a")]))
            }
            #expect(ids == Set((1...50).map { .integer($0) }))
        }
    }

    @Test("an answer is found by the text of the parameters, whatever stands around them")
    func around() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let first = try await peer.exchange(Self.ask("1", #"{"text":"}{\"}"}"#))
            for text in [
                #" { "params" : {"text":"}{\"}"} , "method":"test.kept" , "id" : "x" , "jsonrpc":"2.0" } "#,
                #"{"jsonrpc":"2.0","id":-1,"method":"test\u002ekept","params":{"text":"}{\"}"}}"#,
            ] {
                let again = try await peer.exchange(text)
                #expect(first?["result"] != nil && again?["result"] == first?["result"])
            }
            let other = try await peer.exchange(Self.ask("1", #"{"text": "}{\"}"}"#))
            #expect(other?["result"] == .array([.string("2"), .string("version 0"), .string("}{\"}")]))
            // One that gives a member twice is refused, and not by what was kept.
            for _ in 0..<2 {
                let twice = try await peer.exchange(Self.ask("1", #"{"text":"a","text":"a"}"#))
                #expect(twice?["error"]?["code"] == .integer(-32600))
            }
        }
    }
}
