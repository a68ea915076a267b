import Glibc
import Logging
import Client
import Wire
import PlawTesting
import Server
import StrictJSON
import Testing

@Suite struct ServerTests {
    @Test("a shutdown refuses new requests, answers those in progress, and removes the socket")
    func shutdown() async throws {
        let path = try await withServer { socket, server in
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            try await peer.send(
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"slow","milliseconds":500}}"#)
            _ = await waitUntil { server.state.inFlight == 1 }
            server.shutdown()
            try await peer.send(#"{"jsonrpc":"2.0","id":2,"method":"test.echo","params":{"text":"new"}}"#)
            let first = try await peer.receive()
            #expect(first?["error"]?["code"] == .integer(-32011))
            let second = try await peer.receive()
            #expect(second?["result"] == .string("slow"))
            #expect(try await peer.receive() == nil)
            return socket
        }
        #expect(access(path, F_OK) != 0)
    }

    @Test(
        "an answer that its peer has not read yet arrives whole when the server stops; one that is never read holds nobody"
    )
    func handingOver() async throws {
        try await withServer { socket, server in
            let ask = #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"0123456789","repeated":800000}}"#
            let (peer, never) = (try RawConnection(path: socket), try RawConnection(path: socket))
            defer {
                peer.close()
                never.close()
            }
            try await peer.send(ask)
            try await never.send(ask)
            // Both are answered, into the buffers of the server.
            _ = await waitUntil { (server.state.counters["unread_bytes"] ?? 0) > 12e6 }
            server.shutdown()
            try await Task.sleep(for: .milliseconds(100))
            #expect(try await peer.receive()?["result"]?.stringValue?.utf8.count == 8_000_000)
        }
    }

    private func bind(_ path: String) async throws {
        let server = RPCServer(listening: .path(path, mode: 0o600), router: Router(), logger: Logger(label: "test"))
        try await server.run { server.shutdown() }
    }

    @Test(
        "a socket nobody answers on is replaced; an answered one, a file and a path too long are refused and left alone"
    )
    func socketPaths() async throws {
        try await withTemporaryFolder { folder in
            let stale = folder + "/stale"
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: stale.utf8) }
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            #expect(bound == 0)
            close(descriptor)
            try await bind(stale)

            let file = folder + "/file"
            close(open(file, O_CREAT | O_WRONLY, 0o600))
            await #expect(throws: SocketError.self) { try await bind(file) }
            #expect(access(file, F_OK) == 0)
            await #expect(throws: SocketError.self) {
                try await bind(folder + "/" + String(repeating: "x", count: 120))
            }
        }
        try await withServer { socket, _ in
            await #expect(throws: SocketError.self) { try await bind(socket) }
            let peer = try RawConnection(path: socket)
            defer { peer.close() }
            #expect(try await peer.exchange(#"{"jsonrpc":"2.0","id":1,"method":"test.alone"}"#)?["id"] == .integer(1))
        }
    }

    @Test("a server that ends removes its own socket, and not one that another has put in its place")
    func othersSocket() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/s"
            func server() -> RPCServer {
                RPCServer(listening: .path(path, mode: 0o600), router: Router(), logger: Logger(label: "test"))
            }
            func answers() -> Bool {
                guard let peer = try? RawConnection(path: path) else { return false }
                peer.close()
                return true
            }
            let (first, second) = (server(), server())
            func serve(_ server: RPCServer) async -> Task<Void, any Error> {
                let (ready, serves) = AsyncStream.makeStream(of: Void.self)
                let serving = Task {
                    defer { serves.finish() }
                    try await server.run { serves.finish() }
                }
                for await _ in ready {}
                return serving
            }
            let one = await serve(first)
            unlink(path)
            let two = await serve(second)
            #expect(answers())
            first.shutdown()
            try await one.value
            #expect(answers())
            second.shutdown()
            try await two.value
            #expect(access(path, F_OK) != 0)
        }
    }

    @Test("no answer is lost, however fast it comes and however busy the machine is", .timeLimit(.minutes(5)))
    func fastAnswers() async throws {
        try await withServer { socket, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<16 {
                    group.addTask {
                        for number in 0..<60 {
                            let text = "\(caller) \(number)"
                            let params = Echo.Params(text: text, milliseconds: nil, repeated: nil)
                            let answers = try await PlawClient.withConnection(path: socket) { client in
                                [try await client.call(Echo.self, params), try await client.call(Echo.self, params)]
                            }
                            #expect(answers == [text, text])
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("connections that come while the server ends are answered, refused or closed", .timeLimit(.minutes(5)))
    func comingLate() async throws {
        for _ in 0..<40 {
            try await withServer { socket, server in
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<8 {
                        group.addTask {
                            if number == 4 { server.shutdown() }
                            let params = Echo.Params(text: "late", milliseconds: nil, repeated: nil)
                            do {
                                let answer = try await PlawClient.withConnection(path: socket) {
                                    try await $0.call(Echo.self, params)
                                }
                                #expect(answer == "late")
                            } catch {
                                #expect(error is ClientError || (error as? RPCError)?.reason == "shutting-down")
                            }
                        }
                    }
                }
            }
        }
    }

    @Test(
        "a server ends whatever its peers do: silent ones, halves of a frame, answers that nobody reads",
        .timeLimit(.minutes(5)))
    func silentPeers() async throws {
        let peers = try await withServer { socket, server in
            var peers: [RawConnection] = []
            for start in [[], [0, 0], [0, 0, 16, 0, 0x7b]] as [[UInt8]] {
                let peer = try RawConnection(path: socket)
                if !start.isEmpty { try await peer.send(bytes: start) }
                peers.append(peer)
            }
            let unread = try RawConnection(path: socket)
            try await unread.send(
                #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"x","repeated":4000000}}"#)
            peers.append(unread)
            #expect(await waitUntil { server.state.counters["connections"] == Double(peers.count) })
            return peers
        }
        defer { for peer in peers { peer.close() } }
        // The server has ended while they were there.
        for peer in peers.prefix(3) { #expect(try await peer.receive() == nil) }
    }

    @Test("a client learns that nobody answers, that its call was cancelled, and that the server went away")
    func clients() async throws {
        await #expect(throws: ClientError.self) {
            try await PlawClient.withConnection(path: "/tmp/plaw-nobody-\(getpid())") { _ in }
        }
        try await withServer { socket, server in
            try await PlawClient.withConnection(path: socket) { client in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        do {
                            let params = Echo.Params(text: "a", milliseconds: 60_000, repeated: nil)
                            Issue.record("answered: \(try await client.call(Echo.self, params))")
                        } catch {
                            #expect(error is CancellationError)
                        }
                    }
                    _ = await waitUntil { server.state.inFlight == 1 }
                    group.cancelAll()
                }
                // The connection is as good as before, and the daemon has given the request up.
                let next = try await client.call(
                    Echo.self, Echo.Params(text: "b", milliseconds: nil, repeated: nil))
                #expect(next == "b")
                #expect(await waitUntil { server.state.inFlight == 0 })
                let wrong = await #expect(throws: RPCError.self) {
                    _ = try await client.callRaw("test.none", nil)
                }
                #expect(wrong?.reason == "method-not-found")
            }
            // Whichever comes first: the refusal, or the end of the connection.
            await #expect {
                try await PlawClient.withConnection(path: socket) { client in
                    server.shutdown()
                    _ = try await client.call(
                        Echo.self, Echo.Params(text: "a", milliseconds: 60_000, repeated: nil))
                }
            } throws: { error in
                error is ClientError || (error as? RPCError)?.reason == "shutting-down"
            }
        }
    }
}
