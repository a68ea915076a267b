package import Logging
internal import NIOCore
package import Wire
internal import StrictJSON
internal import Synchronization
package import Host

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
    let send: @Sendable ([UInt8]) async throws -> Void

    package func notify(_ method: String, _ params: some Encodable & Sendable) async throws {
        try await notify(method, json: JSONWriter.bytes(of: params))
    }

    /// The same with parameters that are JSON already: what many are told is written once.
    package func notify(_ method: String, json params: [UInt8]) async throws {
        var message = Array(#"{"jsonrpc":"2.0","method":"#.utf8)
        message += try JSONWriter.bytes(of: method)
        message += Array(#","params":"#.utf8)
        message += params
        message.append(UInt8(ascii: "}"))
        try await send(message)
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
    }

    private(set) var routes: [String: Route] = [:]

    package init() {}

    package var methods: [String] { routes.keys.sorted() }

    /// Answers a method. Errors a handler throws: `RPCError` as it is, any other as `internalError` and into the log.
    ///
    /// - Parameters:
    ///   - kept: keeps the answers of a method that depends on nothing but its parameters and what the versions count.
    ///   - about: the dataset whose version tells whether an answer still holds; nil for that of all.
    package mutating func on<M: RPCMethod>(
        _ method: M.Type, kept: ResponseCache? = nil,
        about dataset: @escaping @Sendable (M.Params) -> String? = { _ in nil },
        _ handler: @escaping @Sendable (M.Params, RequestContext) async throws -> M.Result
    ) {
        let run: Run = { request, id, context in
            let text = request.member("params")?.source
            let question = ResponseCache.Question(method: M.name, params: text.map { Array($0) } ?? [])
            if let id, let known = kept?.find(question) { return try Outgoing(id, result: known) }
            let params = try readParams(M.Params.self, of: request)
            // Before anything is read: what changes meanwhile makes the answer an old one.
            let basis = kept?.basis(dataset(params))
            let result = try await handler(params, context)
            guard let id else { return nil }
            let answer = ByteBuffer(bytes: try JSONWriter.bytes(of: result))
            if let kept, let basis { kept.keep(answer, question, basis) }
            return try Outgoing(id, result: answer)
        }
        routes[M.name] = Route(
            access: M.access, ordering: M.ordering, effort: M.effort, isUrgent: M.isUrgent, run: run,
            check: { _ = try readParams(M.Params.self, of: $0) })
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
