import Wire
import PlawTesting
import Server
import StrictJSON
import Testing

@Suite struct WireTests {
    /// Sends a text and checks the answer's error code, null for a result.
    private func code(_ answer: JSONValue?) -> Int64? {
        if case .integer(let code)? = answer?["error"]?["code"] { return code }
        return nil
    }

    @Test("a frame may come byte by byte, and several frames at once")
    func fragmentation() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let request = #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"één"}}"#
            for byte in RawConnection.frame(request) { try await peer.send(bytes: [byte]) }
            #expect(try await peer.receive()?["result"]?.stringValue == "één")
            let second = #"{"jsonrpc":"2.0","id":"two","method":"test.echo","params":{"text":"b"}}"#
            let third = #"{"jsonrpc":"2.0","id":3,"method":"test.alone"}"#
            try await peer.send(bytes: RawConnection.frame(second) + RawConnection.frame(third))
            #expect(try await peer.receive()?["id"] == .string("two"))
            #expect(try await peer.receive()?["id"] == .integer(3))
        }
    }

    @Test(
        "a frame over the limit or of no bytes is refused at its header, and the connection ends",
        arguments: [0, 4 << 20 | 1, 0xFFFF_FFFF])
    func limits(length: Int) async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            try await peer.send(bytes: RawConnection.header(length))
            let answer = try await peer.receive()
            #expect(code(answer) == Int64((length == 0 ? ErrorCode.invalidRequest : .tooLarge).rawValue))
            #expect(answer?["id"] == .null)
            #expect(try await peer.receive() == nil)
            // Others are not concerned.
            let other = try RawConnection(path: socket)
            defer { other.close() }
            #expect(
                try await other.exchange(#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"a"}}"#)?[
                    "result"] == .string("a"))
        }
    }

    @Test(
        "a comma too many and a member that stands twice are refused with their place, and counted with what else is no request"
    )
    func strict() async throws {
        try await withServer { socket, server in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let comma = try await peer.exchange(
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"a",}}"#)
            #expect(code(comma) == -32700 && comma?["id"] == .null)
            #expect(
                comma?["error"]?["message"]?.stringValue
                    == "found '}' at byte 66, expected a name in quotation marks")
            #expect(comma?["error"]?["data"]?["offset"] == .integer(66))
            for (text, name, id) in [
                (
                    #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"a","text":"b"}}"#, "text",
                    JSONValue.integer(1)
                ),
                (
                    #"{"jsonrpc":"2.0","id":2,"method":"test.echo","params":{"text":"a"},"params":{}}"#, "params",
                    .integer(2)
                ),
                (#"{"jsonrpc":"2.0","id":3,"id":4,"method":"test.echo","params":{"text":"a"}}"#, "id", .null),
                (#"[{"jsonrpc":"2.0","id":3,"method":"test.echo","method":"test.alone"}]"#, "method", .null),
            ] {
                let answer = try await peer.exchange(text)
                #expect(code(answer) == -32600 && answer?["id"] == id, "\(answer as Any)")
                #expect(
                    answer?["error"]?["message"]?.stringValue?.hasPrefix(
                        "found the member \"\(name)\" twice in one object, expected it once (byte ") == true)
            }
            _ = try await peer.exchange("[]")
            _ = try await peer.exchange("7")
            _ = try await peer.exchange("nonsense")
            #expect(server.state.counters["malformed_total{kind=\"json\"}"] == 2)
            #expect(server.state.counters["malformed_total{kind=\"request\"}"] == 6)
            #expect(server.state.counters["malformed_total{kind=\"frame\"}"] == 0)
            let other = try RawConnection(path: socket)
            defer { other.close() }
            try await other.send(bytes: RawConnection.header(0))
            _ = try await other.receive()
            #expect(server.state.counters["malformed_total{kind=\"frame\"}"] == 1)
            #expect(
                try await peer.exchange(#"{"jsonrpc":"2.0","id":9,"method":"test.echo","params":{"text":"on"}}"#)?[
                    "result"] == .string("on"))
        }
    }

    static let refusals: [(request: String, code: Int64)] = [
        ("nonsense", -32700),
        (#"{"jsonrpc":"2.0","id":1,"method":"#, -32700),
        (#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"a"}"#, -32700),
        ("1", -32600),
        ("[]", -32600),
        (#"{"id":1,"method":"test.echo"}"#, -32600),
        (#"{"jsonrpc":"1.0","id":1,"method":"test.echo"}"#, -32600),
        (#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (#"{"jsonrpc":"2.0","id":1.5,"method":"test.echo"}"#, -32600),
        (#"{"jsonrpc":"2.0","id":{},"method":"test.echo"}"#, -32600),
        (#"{"jsonrpc":"2.0","id":1,"result":3}"#, -32600),
        (#"{"jsonrpc":"2.0","id":1,"method":"test.none"}"#, -32601),
        (#"{"jsonrpc":"2.0","id":1,"method":"test.echo"}"#, -32602),
        (#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":["a"]}"#, -32602),
        (#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":3}}"#, -32602),
        (#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":null}}"#, -32602),
        (#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"a","txet":1}}"#, -32602),
    ]

    @Test("what JSON-RPC forbids gets its code, and the connection goes on", arguments: refusals.indices)
    func refusal(index: Int) async throws {
        let (request, expected) = Self.refusals[index]
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            #expect(code(try await peer.exchange(request)) == expected)
            #expect(
                try await peer.exchange(#"{"jsonrpc":"2.0","id":9,"method":"test.echo","params":{"text":"on"}}"#)?[
                    "result"] == .string("on"))
        }
    }

    @Test("a refusal of parameters names the member, what was found and what is known")
    func explanations() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let unknown = try await peer.exchange(
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"a","txet":1}}"#)
            let error = unknown?["error"]
            #expect(
                error?["message"]?.stringValue
                    == "txet: found a member that is not known, expected some of milliseconds, repeated, text")
            #expect(error?["data"]?["reason"] == .string("invalid-params"))
            #expect(error?["data"]?["field"] == .string("txet"))
            let missing = try await peer.exchange(#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{}}"#)
            #expect(missing?["error"]?["message"]?.stringValue == "text: missing, expected text")
        }
    }

    @Test("notifications are never answered; a batch is answered by one array without them")
    func batches() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            try await peer.send(#"{"jsonrpc":"2.0","method":"test.echo","params":{"text":"silent"}}"#)
            try await peer.send(#"{"jsonrpc":"2.0","method":"test.none"}"#)
            try await peer.send(#"[{"jsonrpc":"2.0","method":"test.echo","params":{"text":"silent"}}]"#)
            let batch = try await peer.exchange(
                #"[{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"a"}},7,{"jsonrpc":"2.0","method":"test.none"},{"jsonrpc":"2.0","id":2,"method":"test.none"}]"#
            )
            guard case .array(let answers)? = batch else {
                Issue.record("expected an array, found \(String(describing: batch))")
                return
            }
            #expect(answers.count == 3)
            #expect(answers.first?["result"] == .string("a"))
            #expect(code(answers[1]) == -32600)
            #expect(code(answers[2]) == -32601)
        }
    }

    @Test("an answer over the limit becomes an error")
    func largeAnswers() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let fits = try await peer.exchange(
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"0123456789","repeated":1000000}}"#)
            #expect(fits?["result"]?.stringValue?.utf8.count == 10_000_000)
            let answer = try await peer.exchange(
                #"{"jsonrpc":"2.0","id":2,"method":"test.echo","params":{"text":"0123456789","repeated":2000000}}"#)
            #expect(code(answer) == Int64(ErrorCode.tooLarge.rawValue))
        }
    }
}
