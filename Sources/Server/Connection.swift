internal import Logging
internal import NIOCore
internal import Wire
internal import StrictJSON
internal import Host

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// One peer: its requests run as child tasks, its answers go out in the order they are ready, and all of it ends with it.
struct Connection: Sendable {
    let router: Router
    let watch: ConnectionWatch
    let access: Access
    /// Why it is what it is.
    let reason: String
    let logger: Logger
    let server: ServerState
    let outbound: NIOAsyncChannelOutboundWriter<Outgoing>
    private let cancellations = Cancellations()
    private let followers: AsyncStream<Followers.Body>
    private let follow: AsyncStream<Followers.Body>.Continuation

    private var peer: PeerCredentials { watch.peer }

    /// Requests of one connection in progress at once; more wait to be read.
    static let maximumInFlight = 64
    /// Of them, those that compute at once; one that only waits is not counted. A peer that floods is one among others so.
    static let maximumComputing = 8

    init(
        router: Router, watch: ConnectionWatch, access: Access, reason: String, logger: Logger, server: ServerState,
        outbound: NIOAsyncChannelOutboundWriter<Outgoing>
    ) {
        self.router = router
        self.watch = watch
        self.access = access
        self.reason = reason
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

    /// Reads until the peer goes away. Cancellations act at once; everything else waits for its turn.
    private func readRequests(_ inbound: NIOAsyncChannelInboundStream<Frame>) async throws {
        let (messages, queue) = AsyncStream.makeStream(of: Incoming.self)
        // A counting semaphore: a peer that sends more than this without reading answers waits.
        let (places, freed) = AsyncStream.makeStream(of: Void.self)
        for _ in 0..<Self.maximumInFlight { freed.yield() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await dispatch(messages, freed) }
            var place = places.makeAsyncIterator()
            for try await frame in inbound {
                guard case .message(let buffer, let share) = frame else {
                    if case .refused(let length, let limit) = frame { try await refuse(length: length, limit: limit) }
                    break
                }
                var incoming = await read(buffer)
                incoming.share = share
                if incoming.isCancellation, let message = try? incoming.read() {
                    cancel(message)
                } else {
                    cancellations.expect(incoming.ids)
                    guard await place.next() != nil else { break }
                    watch.began()
                    queue.yield(incoming)
                }
            }
            group.cancelAll()
        }
    }

    /// Starts requests in the order they came; an exclusive one runs alone.
    private func dispatch(
        _ messages: AsyncStream<Incoming>, _ freed: AsyncStream<Void>.Continuation
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var inFlight = 0
            let (turns, turn) = AsyncStream.makeStream(of: Void.self)
            for _ in 0..<Self.maximumComputing { turn.yield() }
            var next = turns.makeAsyncIterator()
            for await message in messages {
                let isExclusive = message.methods.contains { router.routes[$0]?.ordering == .exclusive }
                // Ended tasks are taken from the group now and then, so that a long connection does not collect them.
                while inFlight > (isExclusive ? 0 : Self.maximumInFlight) {
                    try await group.next()
                    inFlight -= 1
                }
                if isExclusive {
                    try await answer(message)
                    freed.yield()
                    watch.ended()
                } else {
                    inFlight += 1
                    let waits =
                        !message.isBatch && message.methods.allSatisfy { router.routes[$0]?.effort == .waiting }
                    if !waits { _ = await next.next() }
                    group.addTask {
                        try await answer(message)
                        if !waits { turn.yield() }
                        freed.yield()
                        watch.ended()
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func refuse(length: Int, limit: Int) async throws {
        server.countMalformed(.frame)
        let error =
            length == 0
            ? RPCError(.invalidRequest, "found a frame of no bytes, expected a JSON-RPC message")
            : RPCError(
                .tooLarge, "found a frame of \(length) bytes, expected at most \(limit)",
                ["limit": .integer(Int64(limit))])
        try await write(JSONWriter.bytes(of: ErrorResponse(error: error)))
    }

    private func write(_ message: [UInt8]) async throws { try await write(Outgoing(message)) }

    /// Waits while the peer is slow; ends the connection where it leaves too much unread.
    private func write(_ frame: Outgoing) async throws {
        guard server.reserveUnread(frame.count, watch) else {
            logger.notice("a peer reads too slowly", metadata: ["uid": "\(peer.uid)", "pid": "\(peer.pid)"])
            watch.end(nil)
            throw CancellationError()
        }
        defer { server.sent(frame.count, watch) }
        try await outbound.write(frame)
    }

    /// Decodes what decides the order of a message; a large one beside the threads that serve all others.
    private func read(_ buffer: ByteBuffer) async -> Incoming {
        guard buffer.readableBytes >= LargeMessages.bytes else { return Incoming(Data(message: buffer)) }
        return await withTaskExecutorPreference(server.large(watch.standing)) { Incoming(Data(message: buffer)) }
    }

    // MARK: - One message

    /// Answers a message; a batch gets one array of answers. Notifications are never answered.
    private func answer(_ incoming: Incoming) async throws {
        guard incoming.data.count >= LargeMessages.bytes else { return try await workOn(incoming) }
        try await withTaskExecutorPreference(server.large(watch.standing)) { try await workOn(incoming) }
    }

    private func workOn(_ incoming: Incoming) async throws {
        defer { cancellations.forget(incoming.ids) }
        let message: JSONNode
        do {
            message = try incoming.read()
        } catch {
            server.countMalformed(error.code == ErrorCode.parseError.rawValue ? .json : .request)
            return try await write(JSONWriter.bytes(of: ErrorResponse(id: incoming.ids.first, error: error)))
        }
        guard incoming.isBatch else {
            guard let response = await response(to: message, incoming.arrival) else { return }
            return try await send([consume response])
        }
        var responses: [Response] = []
        for request in message.elements {
            if let response = await response(to: request, incoming.arrival) { responses.append(response) }
        }
        if !responses.isEmpty { try await send(consume responses, asArray: true) }
    }

    /// Sends responses in one frame, then starts what was to follow them.
    private func send(_ responses: consuming [Response], asArray: Bool = false) async throws {
        let followers = responses.flatMap(\.followers)
        // Of what waits for a slow peer there is one copy.
        let frame = joined(consume responses, asArray: asArray)
        try await write(frame)
        for body in followers { follow.yield(body) }
    }

    private func joined(_ responses: consuming [Response], asArray: Bool) -> Outgoing {
        if !asArray, let response = responses.first { return response.frame }
        // Those that are left out where they are too long together are the longest: what a request changed is told in few bytes.
        var bytes = responses.reduce(1) { $0 + $1.frame.count + 1 }
        for place in responses.indices.sorted(by: {
            responses[$0].frame.count > responses[$1].frame.count
        })
        where bytes > FrameLimits.responseBytes {
            let length = responses[place].frame.count
            let error = RPCError(
                .tooLarge,
                "the answers of the batch have \(bytes) bytes, more than \(FrameLimits.responseBytes), and this one, of "
                    + "\(length), is left out; its request was worked on: send it alone to see the answer")
            guard let short = Response(error, id: responses[place].id) else { continue }
            bytes += short.frame.count - length
            responses[place] = short
        }
        var message = Array("[".utf8)
        for (index, response) in responses.enumerated() {
            if index > 0 { message.append(UInt8(ascii: ",")) }
            for piece in response.frame.pieces { message.append(contentsOf: piece.readableBytesView) }
        }
        message.append(UInt8(ascii: "]"))
        return Outgoing(message)
    }

    /// The response to a request, and what begins when it is sent.
    private struct Response {
        var frame: Outgoing
        var id: RequestID?
        var followers: [Followers.Body] = []

        init(_ frame: Outgoing, id: RequestID?, followers: [Followers.Body] = []) {
            (self.frame, self.id, self.followers) = (frame, id, followers)
        }

        init?(_ error: RPCError, id: RequestID? = nil) {
            guard let data = try? JSONWriter.bytes(of: ErrorResponse(id: id, error: error)) else { return nil }
            self.init(Outgoing(data), id: id)
        }
    }

    /// The response to one request; nil for notifications and for answers to nothing.
    private func response(to message: JSONNode, _ arrival: ContinuousClock.Instant) async -> Response? {
        guard let head = Head(message) else {
            server.countMalformed(.request)
            return Response(RPCError(.invalidRequest, "found \(message.shown), expected an object that is a request"))
        }
        let id: RequestID?
        switch head.id {
        case .absent: id = nil
        case .present(let value): id = value
        case .bad:
            server.countMalformed(.request)
            return Response(
                RPCError(
                    .invalidRequest,
                    "id: expected an integer or a string of at most \(RequestID.maximumBytes) bytes"))
        }
        guard head.version == "2.0", let method = head.method, !head.isResponse else {
            server.countMalformed(.request)
            return Response(RPCError(.invalidRequest, "expected \"jsonrpc\": \"2.0\" and a method"), id: id)
        }
        if method == Catalog.cancelRequest {
            cancel(message)
            return nil
        }
        server.count(method)
        do {
            let context = RequestContext(watch, logger: logger, server: server)
            let answer = try await run(method, message, id, context)
            let bytes = answer?.count ?? 0
            let isTooLong = bytes > FrameLimits.responseBytes
            server.recordLatency(method, isTooLong ? ErrorCode.tooLarge.reason : "ok", since: arrival)
            guard let answer else { return nil }
            if isTooLong {
                let error = RPCError(
                    .tooLarge, "the answer has \(bytes) bytes, more than \(FrameLimits.responseBytes)")
                return Response(error, id: id)
            }
            return Response(answer, id: id, followers: context.followers.take())
        } catch {
            server.countError(method)
            let refusal = refusal(error, method)
            server.recordLatency(method, refusal.reason ?? "unknown", since: arrival)
            guard let id else { return nil }
            return Response(refusal, id: id)
        }
    }

    private func refusal(_ error: any Error, _ method: String) -> RPCError {
        if let error = error as? RPCError { return error }
        if error is CancellationError { return RPCError(.cancelled, "the request was cancelled") }
        logger.error("a request failed", metadata: ["method": "\(method)", "error": "\(error)"])
        return RPCError(.internalError, "\(error)")
    }

    /// Runs a request so that it can be cancelled by its id; ends exactly once either way.
    private func run(
        _ method: String, _ message: JSONNode, _ id: RequestID?, _ context: RequestContext
    ) async throws -> Outgoing? {
        guard let route = router.routes[method] else {
            let name = shortened(method)
            throw RPCError(.methodNotFound, "no method is named \"\(name)\"", ["method": .string(name)])
        }
        guard access >= route.access else {
            // Once for a connection, and not for all of many: a peer must not fill the journal.
            if watch.isFirstDenial(), let untold = server.untoldDenials(peer.uid) {
                logger.warning(
                    "access denied",
                    metadata: [
                        "event": "\(JournalEvent.accessDenied)", "method": "\(method)", "uid": "\(peer.uid)",
                        "pid": "\(peer.pid)", "access": "\(access)", "reason": "\(reason)",
                    ].merging(untold > 0 ? ["untold": "\(untold)"] : [:]) { $1 })
            }
            throw RPCError(
                .denied, "\(method) needs \(route.access) access; user \(peer.uid) has \(access)",
                ["method": .string(method), "needs": .string("\(route.access)"), "has": .string("\(access)")])
        }
        let standing = watch.standing
        try server.enter(standing, isUrgent: route.isUrgent)
        defer { server.leave(standing) }
        guard let id else {
            return try await server.turns.run(standing, route.effort) { try await route.run(message, nil, context) }
        }
        guard let stops = cancellations.begin(id) else {
            throw RPCError(.invalidRequest, "id: a request with this id is in progress")
        }
        defer { cancellations.end(id) }
        return try await withThrowingTaskGroup(of: Outgoing?.self) { group in
            group.addTask {
                try await server.turns.run(standing, route.effort) { try await route.run(message, id, context) }
            }
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

    /// A cancellation of what is unknown or over is no error: the answer crossed it.
    private func cancel(_ message: JSONNode) {
        guard let id = message.member("params")?.member("id").flatMap({ RequestID($0) }) else { return }
        cancellations.cancel(id)
    }
}
