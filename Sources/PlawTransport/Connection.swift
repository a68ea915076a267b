internal import Logging
internal import NIOCore
internal import PlawProtocol
internal import Synchronization
internal import Systemd

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// One peer: its requests run as child tasks, its answers go out in the order they are ready, and all of it ends with it.
struct Connection: Sendable {
    let router: Router
    let peer: PeerCredentials
    let access: Access
    let logger: Logger
    let server: ServerState
    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let cancellations = Cancellations()
    private let followers: AsyncStream<@Sendable (Notifier) async throws -> Void>
    private let follow: AsyncStream<@Sendable (Notifier) async throws -> Void>.Continuation

    /// Requests of one connection in work at once; more wait to be read.
    static let maximumInFlight = 64
    static let maximumBatch = 100

    init(
        router: Router, peer: PeerCredentials, access: Access, logger: Logger, server: ServerState,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.router = router
        self.peer = peer
        self.access = access
        self.logger = logger
        self.server = server
        self.outbound = outbound
        (followers, follow) = AsyncStream.makeStream()
    }

    /// Serves until the peer goes away or breaks the framing.
    func serve(_ inbound: NIOAsyncChannelInboundStream<Frame>) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await runFollowers() }
            group.addTask {
                defer { follow.finish() }
                try await readRequests(inbound)
            }
            // The reader ends first; what still follows a job ends with it.
            _ = try await group.next()
            group.cancelAll()
        }
    }

    private func runFollowers() async throws {
        let notifier = Notifier { try await write($0) }
        await withDiscardingTaskGroup { group in
            for await body in followers {
                group.addTask {
                    do { try await body(notifier) } catch {
                        logger.debug("a follower ended", metadata: ["error": "\(error)"])
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func readRequests(_ inbound: NIOAsyncChannelInboundStream<Frame>) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var inFlight = 0
            for try await frame in inbound {
                guard case .message(let buffer) = frame else {
                    if case .refused(let length, let limit) = frame { try await refuse(length: length, limit: limit) }
                    break
                }
                let message = Data(buffer.readableBytesView)
                if isExclusive(message) {
                    while inFlight > 0 {
                        try await group.next()
                        inFlight -= 1
                    }
                    try await answer(message)
                } else {
                    if inFlight >= Self.maximumInFlight {
                        try await group.next()
                        inFlight -= 1
                    }
                    inFlight += 1
                    group.addTask { try await answer(message) }
                }
            }
            group.cancelAll()
        }
    }

    private func refuse(length: Int, limit: Int) async throws {
        let message =
            length == 0
            ? "found a frame of no bytes, expected a JSON-RPC message"
            : "found a frame of \(length) bytes, expected at most \(limit)"
        try await write(
            encodeMessage(ErrorResponse(error: RPCError(.tooLarge, message, ["limit": .integer(Int64(limit))]))))
    }

    private func isExclusive(_ message: Data) -> Bool {
        guard let head = try? JSONDecoder().decode(Head.self, from: message), let method = head.method else {
            return false
        }
        return router.routes[method]?.ordering == .exclusive
    }

    private func write(_ data: Data) async throws {
        try await outbound.write(ByteBuffer(bytes: data))
    }

    // MARK: - One message

    /// Answers a message; a batch gets one array of answers. Notifications are never answered.
    private func answer(_ message: Data) async throws {
        let first = message.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
        guard first == UInt8(ascii: "[") else {
            if let response = await response(to: message) { try await write(response) }
            return
        }
        guard let requests = try? JSONDecoder().decode([JSONValue].self, from: message) else {
            return try await write(parseFailure())
        }
        guard !requests.isEmpty, requests.count <= Self.maximumBatch else {
            let error = RPCError(
                .invalidRequest, "found a batch of \(requests.count) requests, expected 1 to \(Self.maximumBatch)")
            return try await write(encodeMessage(ErrorResponse(error: error)))
        }
        var responses: [Data] = []
        for request in requests {
            if let response = await response(to: try encodeMessage(request)) { responses.append(response) }
        }
        guard !responses.isEmpty else { return }
        var joined = Data("[".utf8)
        for (index, response) in responses.enumerated() {
            if index > 0 { joined.append(UInt8(ascii: ",")) }
            joined.append(response)
        }
        joined.append(UInt8(ascii: "]"))
        try await write(joined)
    }

    private func parseFailure() throws -> Data {
        try encodeMessage(ErrorResponse(error: RPCError(.parseError, "found text that is not JSON")))
    }

    /// The response to one request; nil for notifications and for answers to nothing.
    private func response(to message: Data) async -> Data? {
        guard let head = try? JSONDecoder().decode(Head.self, from: message) else {
            let isJSON = (try? JSONDecoder().decode(JSONValue.self, from: message)) != nil
            let error =
                isJSON
                ? RPCError(.invalidRequest, "found JSON that is no request object")
                : RPCError(.parseError, "found text that is not JSON")
            return try? encodeMessage(ErrorResponse(error: error))
        }
        let id: RequestID?
        switch head.id {
        case .absent: id = nil
        case .present(let value): id = value
        case .bad:
            let error = RPCError(.invalidRequest, "id: expected a string or an integer")
            return try? encodeMessage(ErrorResponse(error: error))
        }
        guard head.version == "2.0", let method = head.method, !head.isResponse else {
            let error = RPCError(.invalidRequest, "expected \"jsonrpc\": \"2.0\" and a method")
            return try? encodeMessage(ErrorResponse(id: id, error: error))
        }
        if method == Catalog.cancelRequest {
            cancel(message)
            return nil
        }
        server.count(method)
        do {
            let response = try await run(method, message, id)
            guard let id else { return nil }
            if response.count > FrameLimits.responseBytes {
                let error = RPCError(
                    .tooLarge, "the answer has \(response.count) bytes, more than \(FrameLimits.responseBytes)")
                return try encodeMessage(ErrorResponse(id: id, error: error))
            }
            return response
        } catch {
            server.countError(method)
            guard let id else { return nil }
            return try? encodeMessage(ErrorResponse(id: id, error: refusal(error, method)))
        }
    }

    private func refusal(_ error: any Error, _ method: String) -> RPCError {
        if let error = error as? RPCError { return error }
        if error is CancellationError { return RPCError(.cancelled, "the request was cancelled") }
        logger.error("a request failed", metadata: ["method": "\(method)", "error": "\(error)"])
        return RPCError(.internalError, "\(error)")
    }

    /// Runs a request so that it can be cancelled by its id; ends exactly once either way.
    private func run(_ method: String, _ message: Data, _ id: RequestID?) async throws -> Data {
        guard let route = router.routes[method] else {
            throw RPCError(.methodNotFound, "no method is named \"\(method)\"", ["method": .string(method)])
        }
        guard access >= route.access else {
            throw RPCError(
                .denied, "\(method) needs \(route.access) access; user \(peer.uid) has \(access)",
                ["method": .string(method), "needs": .string("\(route.access)"), "has": .string("\(access)")])
        }
        guard server.enter() else { throw RPCError(.shuttingDown, "the daemon is shutting down") }
        defer { server.leave() }
        let context = RequestContext(peer: peer, logger: logger) { follow.yield($0) }
        guard let id else { return try await route.run(message, nil, context) }
        guard let stops = cancellations.begin(id) else {
            throw RPCError(.invalidRequest, "id: a request with this id is in work")
        }
        defer { cancellations.end(id) }
        return try await withThrowingTaskGroup(of: Data?.self) { group in
            group.addTask { try await route.run(message, id, context) }
            group.addTask {
                for await _ in stops { throw CancellationError() }
                return nil
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    private struct CancelParams: Decodable {
        struct Params: Decodable { var id: RequestID }
        var params: Params
    }

    /// A cancellation of what is unknown or over is no error: the answer crossed it.
    private func cancel(_ message: Data) {
        guard let id = try? JSONDecoder().decode(CancelParams.self, from: message).params.id else { return }
        cancellations.cancel(id)
    }
}

/// Requests in work by id, and how to stop each.
final class Cancellations: Sendable {
    private let table = Mutex<[RequestID: AsyncStream<Void>.Continuation]>([:])

    /// A stream that speaks when the request is to stop; nil when the id is in use.
    func begin(_ id: RequestID) -> AsyncStream<Void>? {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        return table.withLock { table in
            guard table[id] == nil else { return nil }
            table[id] = continuation
            return stream
        }
    }

    func cancel(_ id: RequestID) { table.withLock { $0[id] }?.yield() }
    func end(_ id: RequestID) { table.withLock { $0.removeValue(forKey: id) }?.finish() }
}
