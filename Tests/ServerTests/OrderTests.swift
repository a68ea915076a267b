import Client
import Wire
import PlawTesting
import Server
import StrictJSON
import Testing

@Suite struct OrderTests {
    @Test("a cancelled request is answered once, with -32800; cancelling what is over does nothing")
    func cancellation() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            try await peer.send(
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"late","milliseconds":60000}}"#)
            try await peer.send(#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#)
            let answer = try await peer.receive()
            #expect(answer?["id"] == .integer(1))
            #expect(answer?["error"]?["code"] == .integer(-32800))
            try await peer.send(#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#)
            let next = try await peer.exchange(#"{"jsonrpc":"2.0","id":2,"method":"test.echo","params":{"text":"a"}}"#)
            #expect(next?["id"] == .integer(2))
        }
    }

    @Test("quick requests overtake slow ones; an exclusive one waits for those before it and holds those after it")
    func ordering() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            try await peer.send(
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"slow","milliseconds":300}}"#)
            try await peer.send(#"{"jsonrpc":"2.0","id":2,"method":"test.echo","params":{"text":"quick"}}"#)
            try await peer.send(#"{"jsonrpc":"2.0","id":3,"method":"test.alone"}"#)
            try await peer.send(#"{"jsonrpc":"2.0","id":4,"method":"test.echo","params":{"text":"after"}}"#)
            var order: [JSONValue?] = []
            var beside: JSONValue?
            for _ in 0..<4 {
                let answer = try await peer.receive()
                order.append(answer?["id"])
                if answer?["id"] == .integer(3) { beside = answer?["result"] }
            }
            #expect(order == [.integer(2), .integer(1), .integer(3), .integer(4)])
            #expect(beside == .integer(0))
        }
    }

    @Test("an exclusive request can be cancelled over its own connection, and is exclusive in a batch too")
    func exclusive() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            try await peer.send(#"{"jsonrpc":"2.0","id":1,"method":"test.alone","params":{"milliseconds":60000}}"#)
            try await peer.send(#"{"jsonrpc":"2.0","id":2,"method":"test.echo","params":{"text":"after"}}"#)
            try await peer.send(#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#)
            let first = try await peer.receive()
            #expect(first?["error"]?["code"] == .integer(-32800))
            #expect(try await peer.receive()?["result"] == .string("after"))
            try await peer.send(
                #"{"jsonrpc":"2.0","id":3,"method":"test.echo","params":{"text":"slow","milliseconds":200}}"#)
            try await peer.send(#"[{"jsonrpc":"2.0","id":4,"method":"test.alone"}]"#)
            #expect(try await peer.receive()?["id"] == .integer(3))
            #expect(
                try await peer.receive()
                    == .array([.object(["jsonrpc": .string("2.0"), "id": .integer(4), "result": .integer(0)])]))
        }
    }

    @Test("a peer that does not read stops neither others nor the server")
    func slowReader() async throws {
        try await withServer { socket, _ in
            let slow = try RawConnection(path: socket)
            defer { slow.close() }
            // 200 MB that nobody reads: the server must wait for this peer, not buffer for it.
            try await slow.send(
                #"{"jsonrpc":"2.0","id":1,"method":"test.follow","params":{"count":2000,"bytes":100000}}"#)
            let other = try RawConnection(path: socket)
            defer { other.close() }
            for id in 1...50 {
                let answer = try await other.exchange(
                    #"{"jsonrpc":"2.0","id":\#(id),"method":"test.echo","params":{"text":"a"}}"#)
                #expect(answer?["id"] == .integer(Int64(id)))
            }
        }
    }

    @Test(
        "of answers of a batch that are too long together the longest are left out, each by its id; what changed is told"
    )
    func longBatch() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            func long(_ id: Int, _ count: Int) -> String {
                #"{"jsonrpc":"2.0","id":\#(id),"method":"test.echo","params":{"text":"0123456789","repeated":\#(count)}}"#
            }
            let change = #"{"jsonrpc":"2.0","id":2,"method":"test.change"}"#
            try await peer.send("[\(long(1, 900_000)),\(change),\(long(3, 600_000)),\(long(4, 500_000))]")
            guard case .array(let answers)? = try await peer.receive() else { throw CancellationError() }
            #expect(answers.map { $0["id"] } == [.integer(1), .integer(2), .integer(3), .integer(4)])
            #expect(answers[0]["error"]?["code"] == .integer(-32010))
            #expect(answers[0]["error"]?["message"]?.stringValue?.contains("alone") == true)
            #expect(answers[1]["result"] == .bool(true))
            #expect(answers[2]["result"]?.stringValue?.utf8.count == 6_000_000)
            #expect(answers[3]["result"]?.stringValue?.utf8.count == 5_000_000)
        }
    }

    @Test("a frame that the server leaves half read, since it has enough to do, is not the peer's to finish")
    func unreadFrames() async throws {
        var limits = ServerLimits()
        limits.unfinishedSeconds = 0.3
        try await withServer(limits: limits) { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let padding = String(repeating: "x", count: 700)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for id in 1...300 {
                        try await peer.send(
                            #"{"jsonrpc":"2.0","id":\#(id),"method":"test.echo","params":{"text":"\#(padding)","milliseconds":\#(id <= 64 ? 1500 : 0)}}"#
                        )
                    }
                }
                group.addTask {
                    for _ in 1...300 {
                        let answer = try await peer.receive()
                        #expect(answer?["result"] == .string(padding))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("notifications follow the answer, in order")
    func notifications() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            #expect(
                try await peer.exchange(#"{"jsonrpc":"2.0","id":1,"method":"test.follow","params":{"count":100}}"#)?[
                    "result"] == .bool(true))
            for number in 1...100 {
                let event = try await peer.receive()
                #expect(event?["method"] == .string("test.event"))
                #expect(event?["id"] == nil)
                #expect(event?["params"]?["number"] == .integer(Int64(number)))
            }
        }
    }

    @Test("200 connections are served at once")
    func manyConnections() async throws {
        try await withServer { socket, _ in
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        try await PlawClient.withConnection(path: socket) { client in
                            try await client.call(
                                Echo.self, Echo.Params(text: "\(number)", milliseconds: 50, repeated: nil))
                        }
                    }
                }
                var answers: Set<String> = []
                for try await answer in group { answers.insert(answer) }
                return answers
            }
            #expect(answers == Set((0..<200).map(String.init)))
        }
    }

    @Test("a caller without the access a method needs is told which it needs")
    func access() async throws {
        try await withServer(access: .read) { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let refused = try await peer.exchange(#"{"jsonrpc":"2.0","id":1,"method":"test.alone"}"#)
            #expect(refused?["error"]?["data"]?["needs"] == .string("write"))
            #expect(refused?["error"]?["code"] == .integer(-32009))
            let allowed = try await peer.exchange(
                #"{"jsonrpc":"2.0","id":2,"method":"test.echo","params":{"text":"a"}}"#)
            #expect(allowed?["result"] == .string("a"))
        }
    }
}
