import Foundation
import Glibc
import Wire
import PlawTesting
import Server
import StrictJSON
import Testing

/// Peers that take more than their share, through the real socket: each is told so, and nobody else is concerned.
@Suite struct LimitTests {
    private static func echo(_ id: Int, _ text: String = "a", milliseconds: Int = 0) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"test.echo","params":{"text":"\#(text)","milliseconds":\#(milliseconds)}}"#
    }

    private func code(_ answer: JSONValue?) -> ErrorCode? {
        guard case .integer(let code)? = answer?["error"]?["code"] else { return nil }
        return ErrorCode(rawValue: Int(code))
    }

    @Test("JSON nested deeper than 64 is refused before it is decoded, with its id where one can be read")
    func depth() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            func nested(_ depth: Int) -> String {
                #"{"jsonrpc":"2.0","id":7,"method":"test.echo","params":{"text":"a","milliseconds":"#
                    + String(repeating: "[", count: depth - 2) + String(repeating: "]", count: depth - 2) + "}}"
            }
            #expect(code(try await peer.exchange(nested(64))) == .invalidParams)
            let refused = try await peer.exchange(nested(65))
            #expect(code(refused) == .invalidRequest)
            #expect(
                refused?["error"]?["message"]?.stringValue == "found JSON nested 65 deep, expected at most 64")
            // Two million brackets are looked at once and decoded never.
            let start = ContinuousClock.now
            #expect(code(try await peer.exchange(String(repeating: "[", count: 2_000_000))) == .invalidRequest)
            #expect(start.duration(to: .now) < .seconds(5 * patience))
            #expect(try await peer.exchange(Self.echo(1))?["result"] == .string("a"))
        }
    }

    @Test("brackets in texts are no nesting")
    func depthOfText() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let text = String(repeating: "[{", count: 100) + #"\"["#
            #expect(
                try await peer.exchange(Self.echo(1, text))?["result"]
                    == .string(String(repeating: "[{", count: 100) + "\"["))
        }
    }

    @Test("a peer that is refused again and again is logged once for each connection, with the reason")
    func denied() async throws {
        let log = LogLines()
        try await withServer(access: .read, log: log) { socket, _ in
            for _ in 1...2 {
                let peer = try RawConnection(path: socket)
                defer { peer.close() }
                for id in 1...20 {
                    let refused = try await peer.exchange(
                        #"{"jsonrpc":"2.0","id":\#(id),"method":"test.alone","params":{}}"#)
                    #expect(code(refused) == .denied)
                }
            }
            let denials = log.all.filter { $0.hasPrefix("access denied ") }
            #expect(denials.count == 2)
            #expect(denials.allSatisfy { $0.contains("reason=the test says so") && $0.contains("method=test.alone") })
        }
    }

    @Test("of one user's denials ten are logged in a minute, however often it connects, and all are refused")
    func deniedAgain() async throws {
        let log = LogLines()
        try await withServer(access: .read, log: log) { socket, _ in
            for id in 1...40 {
                let peer = try RawConnection(path: socket)
                defer { peer.close() }
                let refused = try await peer.exchange(
                    #"{"jsonrpc":"2.0","id":\#(id),"method":"test.alone","params":{}}"#)
                #expect(code(refused) == .denied)
            }
            #expect(log.all.count { $0.hasPrefix("access denied ") } == 10)
        }
    }

    @Test("a long id is refused, and long names that a peer made up come back short")
    func longNames() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            let long = String(repeating: "x", count: 1 << 20)
            for (id, isGood) in [
                (long, false), (String(long.prefix(1_025)), false), (String(long.prefix(1_024)), true),
            ] {
                let answer = try await peer.exchange(
                    #"{"jsonrpc":"2.0","id":"\#(id)","method":"test.echo","params":{"text":"a"}}"#)
                #expect(answer?["id"] == (isGood ? .string(id) : .null))
                #expect(isGood || code(answer) == .invalidRequest)
            }
            for request in [
                #"{"jsonrpc":"2.0","id":1,"method":"\#(long)"}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"\#(long)":1}}"#,
            ] {
                let text = try JSONEncoder().encode(try #require(try await peer.exchange(request)))
                #expect(text.count < 1_000)
            }
        }
    }

    @Test("a batch of more than 100 is refused before it is decoded")
    func batch() async throws {
        try await withServer { socket, _ in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            func batch(_ count: Int) -> String {
                "[" + (0..<count).map { Self.echo($0) }.joined(separator: ",") + "]"
            }
            guard case .array(let answers)? = try await peer.exchange(batch(100)) else {
                Issue.record("expected an array of answers")
                return
            }
            #expect(answers.count == 100)
            let refused = try await peer.exchange(batch(101))
            #expect(refused?["error"]?["message"]?.stringValue == "found a batch of 101 requests, expected 1 to 100")
            let start = ContinuousClock.now
            #expect(
                code(try await peer.exchange("[" + String(repeating: "1,", count: 1_500_000) + "1]")) == .invalidRequest
            )
            #expect(start.duration(to: .now) < .seconds(5 * patience))
        }
    }

    @Test("a connection is served, or refused in words, however soon its turn comes after it is accepted")
    func soon() async throws {
        var limits = ServerLimits()
        limits.connections = Quota(8)
        try await withServer(limits: limits) { socket, server in
            let kept = try (0..<4).map { _ in try RawConnection(path: socket) }
            defer { kept.forEach { $0.close() } }
            for round in 0..<100 {
                // Eight at once: with those kept some are too many.
                let answers = try await withThrowingTaskGroup(of: JSONValue?.self) { group in
                    for peer in 0..<8 {
                        group.addTask {
                            let connection = try RawConnection(path: socket)
                            defer { connection.close() }
                            // One that is refused may be closed before it has said anything.
                            try? await connection.send(Self.echo(peer))
                            return try await connection.receive()
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                for answer in answers {
                    #expect(
                        answer?["result"] == .string("a") || code(answer) == .busy, "round \(round): \(answer as Any)")
                }
            }
        }
    }

    @Test("connections over the limit of all, and of one user, are told so and closed", arguments: [true, false])
    func connections(ofUser: Bool) async throws {
        var limits = ServerLimits()
        limits.connections = Quota(ofUser ? 12 : 3)
        try await withServer(access: ofUser ? .read : .write, limits: limits) { socket, server in
            let served = try (0..<3).map { _ in try RawConnection(path: socket) }
            // The first is closed below, and once: its number may belong to another by then.
            defer { served.dropFirst().forEach { $0.close() } }
            for peer in served { #expect(try await peer.exchange(Self.echo(1))?["result"] == .string("a")) }
            let fourth = try RawConnection(path: socket)
            defer { fourth.close() }
            let refused = try await fourth.receive()
            #expect(code(refused) == .busy)
            #expect(
                refused?["error"]?["message"]?.stringValue
                    == (ofUser
                        ? "user \(getuid()) has 3 connections, at most 3 are served at once"
                        : "all peers together have 3 connections, at most 3 are served at once"))
            #expect(try await fourth.receive() == nil)
            // A place that becomes free is given again.
            served[0].close()
            #expect(
                await waitUntil(seconds: 10) {
                    guard let next = try? RawConnection(path: socket) else { return false }
                    defer { next.close() }
                    return (try? await next.exchange(Self.echo(2)))?["result"] == .string("a")
                })
        }
    }

    @Test("requests over the limit of all are refused, and taken when others have ended")
    func requests() async throws {
        var limits = ServerLimits()
        limits.requests = Quota(2)
        try await withServer(limits: limits) { socket, server in
            let (busy, other) = (try RawConnection(path: socket), try RawConnection(path: socket))
            defer {
                busy.close()
                other.close()
            }
            for id in 1...2 { try await busy.send(Self.echo(id, milliseconds: 1_000)) }
            #expect(await waitUntil { server.state.inFlight == 2 })
            let refused = try await other.exchange(Self.echo(3))
            #expect(code(refused) == .busy)
            #expect(refused?["id"] == .integer(3))
            for _ in 1...2 { #expect(try await busy.receive()?["result"] == .string("a")) }
            #expect(try await other.exchange(Self.echo(4))?["result"] == .string("a"))
        }
    }

    @Test("what one connection, and all, may follow has a limit; places come back when a connection ends")
    func subscriptions() async throws {
        var limits = ServerLimits()
        limits.subscriptionsOfConnection = 2
        limits.subscriptions = Quota(3)
        // A follower that is not read holds its place.
        @Sendable func follow(_ id: Int) -> String {
            #"{"jsonrpc":"2.0","id":\#(id),"method":"test.follow","params":{"count":1000,"bytes":100000}}"#
        }
        try await withServer(limits: limits) { socket, server in
            let peers = try (0..<2).map { _ in try RawConnection(path: socket) }
            defer { peers[1].close() }
            for peer in peers { for id in 1...2 { try await peer.send(follow(id)) } }
            #expect(await waitUntil { server.state.counters["subscriptions"] == 3 })
            let third = try RawConnection(path: socket)
            defer { third.close() }
            let refused = try await third.exchange(follow(1))
            #expect(
                refused?["error"]?["message"]?.stringValue
                    == "all peers together have 3 jobs that are followed, at most 3 are served at once")
            peers[0].close()
            #expect(await waitUntil { server.state.counters["subscriptions"] ?? 9 <= 2 })
            #expect(try await third.exchange(follow(1))?["result"] == .bool(true))
        }
    }

    @Test("a frame left unfinished ends its connection, told why; so does one of which a part of the header is there")
    func unfinished() async throws {
        var limits = ServerLimits()
        limits.unfinishedSeconds = 0.3
        try await withServer(limits: limits) { socket, _ in
            for start in [RawConnection.header(1_000) + [123], [0, 0]] {
                let peer = try RawConnection(path: socket)
                defer { peer.close() }
                try await peer.send(bytes: start)
                let answer = try await peer.receive()
                #expect(code(answer) == .timedOut)
                #expect(answer?["id"] == .null)
                #expect(try await peer.receive() == nil)
            }
        }
    }

    @Test("an idle connection is ended, told why; one with a request in progress, or that follows something, is not")
    func idle() async throws {
        var limits = ServerLimits()
        limits.idleSeconds = 1
        try await withServer(limits: limits) { socket, _ in
            let (idle, busy) = (try RawConnection(path: socket), try RawConnection(path: socket))
            defer {
                idle.close()
                busy.close()
            }
            try await busy.send(Self.echo(1, milliseconds: 3_000))
            #expect(code(try await idle.receive()) == .timedOut)
            #expect(try await idle.receive() == nil)
            #expect(try await busy.receive()?["result"] == .string("a"))
        }
    }

    @Test("a peer that reads nothing is ended, and the bytes it left are forgotten")
    func unread() async throws {
        var limits = ServerLimits()
        limits.unreadSeconds = 0.4
        try await withServer(limits: limits) { socket, server in
            let slow = try RawConnection(path: socket)
            defer { slow.close() }
            try await slow.send(
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"0123456789","repeated":1000000}}"#)
            #expect(await waitUntil(seconds: 10) { server.state.counters["unread_bytes"] ?? 0 > 0 })
            #expect(await waitUntil(seconds: 10) { server.state.counters["connections"] == 0 })
            #expect(server.state.counters["unread_bytes"] == 0)
        }
    }

    @Test("peers that ask for much and read nothing are ended when they leave too much together")
    func unreadTogether() async throws {
        var limits = ServerLimits()
        limits.unreadBytes = Quota(4 << 20)
        try await withServer(limits: limits) { socket, server in
            let slow = try RawConnection(path: socket)
            defer { slow.close() }
            for id in 1...20 {
                // The peer may have been ended by then.
                try? await slow.send(
                    #"{"jsonrpc":"2.0","id":\#(id),"method":"test.echo","params":{"text":"0123456789","repeated":100000}}"#
                )
            }
            #expect(await waitUntil(seconds: 10) { server.state.counters["connections"] == 0 })
            let other = try RawConnection(path: socket)
            defer { other.close() }
            #expect(try await other.exchange(Self.echo(1))?["result"] == .string("a"))
        }
    }

    @Test("frames wait for memory that others hold, and come when it is given back")
    func memory() async throws {
        var limits = ServerLimits()
        limits.frameBytes = Quota(1 << 20)
        limits.firstFrameBytes = 0
        try await withServer(limits: limits) { socket, _ in
            let holder = try RawConnection(path: socket)
            try await holder.send(bytes: RawConnection.header(900_000) + [UInt8](repeating: 32, count: 1_000))
            let small = try RawConnection(path: socket)
            let large = try RawConnection(path: socket)
            defer {
                small.close()
                large.close()
            }
            // Small frames pass, a large one waits.
            #expect(try await small.exchange(Self.echo(1))?["result"] == .string("a"))
            let text = String(repeating: "x", count: 500_000)
            async let waits: Void = large.send(Self.echo(2, text))
            try await Task.sleep(for: .milliseconds(300))
            holder.close()
            try await waits
            #expect(try await large.receive()?["result"] == .string(text))
        }
    }

    @Test("large messages that are costly to decode do not keep others waiting")
    func costly() async throws {
        try await withServer { socket, _ in
            let count = 4 * max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            let text = RawConnection.frame(
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":["#
                    + String(repeating: "1,", count: 1 << 18) + "1]}}")
            let (start, end) = (Array(text[..<(text.count - 1)]), [UInt8(ascii: "}")])
            let large = try (0..<count).map { _ in try RawConnection(path: socket) }
            let small = try RawConnection(path: socket)
            defer { (large + [small]).forEach { $0.close() } }
            let answered = Counter()
            try await withThrowingTaskGroup(of: Void.self) { group in
                // All but the ends, so that they come to be decoded at once.
                for peer in large { try await peer.send(bytes: start) }
                for peer in large {
                    try await peer.send(bytes: end)
                    group.addTask {
                        let answer = try await peer.receive()
                        #expect(answer?["error"] != nil)
                        answered.add(1)
                    }
                }
                #expect(try await small.exchange(Self.echo(1))?["result"] == .string("a"))
                #expect(answered.now < count / 2, "\(answered.now) of \(count) large messages were answered before")
                try await group.waitForAll()
            }
        }
    }

    @Test("a peer that closes one way, or in the middle of anything, leaves nothing behind")
    func halfClosed() async throws {
        try await withServer { socket, server in
            for number in 0..<60 {
                let peer = try RawConnection(path: socket)
                switch number % 4 {
                case 0: try await peer.send(Self.echo(1, milliseconds: 60_000))
                case 1: try await peer.send(bytes: RawConnection.header(100_000) + [1])
                case 2: try await peer.send(bytes: [0, 0, 1])
                default:
                    try await peer.send(#"{"jsonrpc":"2.0","id":1,"method":"test.follow","params":{"count":100000}}"#)
                }
                if number % 2 == 0 { peer.closeForWriting() }
                peer.close()
            }
            let half = try RawConnection(path: socket)
            defer { half.close() }
            try await half.send(Self.echo(1, milliseconds: 60_000))
            half.closeForWriting()
            #expect(try await half.receive() == nil)
            #expect(
                await waitUntil(seconds: 10) {
                    let now = server.state.counters
                    return now["connections"] == 0 && now["requests_in_flight"] == 0 && now["subscriptions"] == 0
                        && now["unread_bytes"] == 0 && now["frame_bytes"] == 0
                })
        }
    }
}
