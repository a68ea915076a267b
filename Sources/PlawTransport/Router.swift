package import Logging
internal import NIOCore
package import PlawProtocol
internal import StrictJSON
internal import Synchronization
package import Systemd

#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// What a handler knows of its request's connection.
package struct RequestContext: Sendable {
    package let logger: Logger
    let followers = Followers()
    private let watch: ConnectionWatch
    private let server: ServerState

    init(_ watch: ConnectionWatch, logger: Logger, server: ServerState) {
        (self.watch, self.logger, self.server) = (watch, logger, server)
    }

    package var peer: PeerCredentials { watch.peer }
    package var standing: Standing { watch.standing }
    /// Number of the connection, never given twice.
    package var connection: UInt64 { watch.number }

    /// Lets something be done when the connection has ended; once for each purpose.
    package func atEnd(_ purpose: String, _ body: @escaping @Sendable () async -> Void) { watch.atEnd(purpose, body) }

    /// Runs `body` beside the requests of this connection once the answer is sent, until it ends or the peer goes away.
    ///
    /// - Throws: `busy` when the connection, or all connections together, follow as much as they may.
    package func afterReply(_ body: @escaping Followers.Body) throws {
        let place = try server.subscribe(watch)
        followers.add { notifier in
            defer { withExtendedLifetime(place) {} }
            try await body(notifier)
        }
    }
}

/// What is to run once an answer is sent.
package final class Followers: Sendable {
    package typealias Body = @Sendable (Notifier) async throws -> Void

    private let bodies = Mutex<[Body]>([])

    func add(_ body: @escaping Body) { bodies.withLock { $0.append(body) } }

    /// Hands over what was added.
    func take() -> [Body] {
        bodies.withLock { bodies in
            defer { bodies = [] }
            return bodies
        }
    }
}

/// Sends notifications to one peer; sending waits while the peer is slow.
package struct Notifier: Sendable {
    let send: @Sendable (Data) async throws -> Void

    package func notify(_ method: String, _ params: some Encodable & Sendable) async throws {
        try await send(encodeMessage(Notification(method: method, params: params)))
    }
}

/// The methods a server answers; nothing else here knows their names.
package struct Router: Sendable {
    typealias Run =
        @Sendable (_ request: JSONNode, _ id: RequestID?, _ context: RequestContext) async throws -> Outgoing?

    struct Route: Sendable {
        var access: Access
        var ordering: Ordering
        /// What a request costs, and whether it is served in any case.
        var effort: Effort
        var isUrgent = false
        /// Decodes the parameters of the request, runs the handler and encodes the response, of a notification none.
        var run: Run
        /// Decodes the parameters alone.
        var check: @Sendable (_ request: JSONNode) throws -> Void
        /// Where answers are kept that can be given again.
        var prepared: ResponseCache?
        /// The one result that it ever has, as JSON.
        var fixed: ByteBuffer?
        /// Answers a request where it arrives; nil leaves it to `run`.
        var quick: (@Sendable (_ envelope: Envelope) -> ByteBuffer?)?
    }

    private(set) var routes: [String: Route] = [:]

    package init() {}

    package var methods: [String] { routes.keys.sorted() }

    /// Answers a method. Errors a handler throws: `RPCError` as it is, any other as `internalError` and into the log.
    ///
    /// - Parameters:
    ///   - prepared: keeps the answers of a method that depends on nothing but its parameters and what the versions count.
    ///   - about: the dataset whose version tells whether an answer still holds; nil for that of all.
    package mutating func on<M: RPCMethod>(
        _ method: M.Type, prepared: ResponseCache? = nil,
        about dataset: @escaping @Sendable (M.Params) -> String? = { _ in nil },
        _ handler: @escaping @Sendable (M.Params, RequestContext) async throws -> M.Result
    ) {
        let read = Self.reader(of: M.self)
        let run: Run = { request, id, context in
            let params = try read(request)
            // Before anything is read: what changes meanwhile makes the answer an old one.
            let basis = prepared?.basis(dataset(params))
            let result = try await handler(params, context)
            guard let id else { return nil }
            guard let prepared, let basis, let envelope = Envelope(request) else {
                return Outgoing(id, result: try encodeMessage(result))
            }
            let text = try encodeMessage(result)
            prepared.keep(text, envelope.method, envelope.params, basis)
            return Outgoing(id, result: text)
        }
        routes[M.name] = Route(
            access: M.access, ordering: M.ordering, effort: M.effort, isUrgent: M.isUrgent, run: run,
            check: { _ = try read($0) },
            prepared: prepared)
    }

    /// Answers a method by a result that the handler writes as JSON, as the encoder would.
    ///
    /// - Parameters:
    ///   - prepared, about: as above.
    ///   - quick: the answer where it can be given at once, on the event loop; nil leaves the request to the handler.
    package mutating func onText<M: RPCMethod>(
        _ method: M.Type, prepared: ResponseCache? = nil,
        about dataset: @escaping @Sendable (M.Params) -> String? = { _ in nil },
        quick: (@Sendable (M.Params) -> [UInt8]?)? = nil,
        _ handler: @escaping @Sendable (M.Params, RequestContext) async throws -> Data
    ) {
        let read = Self.reader(of: M.self)
        let run: Run = { request, id, context in
            let params = try read(request)
            // Before anything is read: what changes meanwhile makes the answer an old one.
            let basis = prepared?.basis(dataset(params))
            let result = try await handler(params, context)
            guard let id else { return nil }
            if let prepared, let basis, let envelope = Envelope(request) {
                prepared.keep(result, envelope.method, envelope.params, basis)
            }
            return Outgoing(id, result: result)
        }
        var route = Route(
            access: M.access, ordering: M.ordering, effort: M.effort, isUrgent: M.isUrgent, run: run,
            check: { _ = try read($0) },
            prepared: prepared)
        if let prepared, let quick {
            route.quick = { envelope in
                // What is not in order is told by the usual way.
                guard let params = try? read(envelope.request) else { return nil }
                let basis = prepared.basis(dataset(params))
                guard let result = quick(params).map({ ByteBuffer(bytes: $0) }) else { return nil }
                prepared.keep(result, envelope.method, envelope.params, basis)
                return result
            }
        }
        routes[M.name] = route
    }

    /// Decodes the parameters of a method.
    private static func reader<M: RPCMethod>(of method: M.Type) -> @Sendable (JSONNode) throws -> M.Params {
        { try readParams(M.Params.self, of: $0) }
    }

    /// Answers a method without parameters by a result that was written as JSON before.
    package mutating func on<M: RPCMethod>(_ method: M.Type, result: Data) where M.Params == NoParams {
        let check: @Sendable (JSONNode) throws -> Void = { _ = try readParams(NoParams.self, of: $0) }
        routes[M.name] = Route(
            access: M.access, ordering: M.ordering, effort: M.effort,
            run: { request, id, _ in
                try check(request)
                guard let id else { return nil }
                return Outgoing(id, result: result)
            }, check: check, prepared: nil, fixed: ByteBuffer(bytes: result))
    }

    /// Of each request in a message, why it would be refused before its handler runs; nil for one that would run.
    package func refusals(of message: Data) -> [RPCError?] {
        let incoming = Incoming(message)
        do {
            let read = try incoming.read()
            return incoming.isBatch ? read.elements.map { refusal(of: $0) } : [refusal(of: read)]
        } catch {
            return [error]
        }
    }

    private func refusal(of request: JSONNode) -> RPCError? {
        guard let head = Head(request), head.version == "2.0", let method = head.method, !head.isResponse,
            head.id != .bad
        else { return RPCError(.invalidRequest, "expected a request object") }
        guard let route = routes[method] else {
            return RPCError(.methodNotFound, "no method is named \"\(shortened(method))\"")
        }
        do {
            try route.check(request)
            return nil
        } catch {
            return error as? RPCError ?? RPCError(.internalError, "\(error)")
        }
    }
}
