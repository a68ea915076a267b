package import Logging
package import PlawProtocol
internal import Synchronization
package import Systemd

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What a handler knows of its request's connection.
package struct RequestContext: Sendable {
    package let peer: PeerCredentials
    package let logger: Logger
    let followers = Followers()

    /// Runs `body` beside the requests of this connection once the answer is sent, until it ends or the peer goes away.
    package func afterReply(_ body: @escaping Followers.Body) { followers.add(body) }
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
    struct Route: Sendable {
        var access: Access
        var ordering: Ordering
        /// Decodes the parameters from the message, runs the handler and encodes the response.
        var run: @Sendable (_ message: Data, _ id: RequestID?, _ context: RequestContext) async throws -> Data
        /// Where answers are kept that can be given again.
        var prepared: PreparedAnswers?
    }

    private(set) var routes: [String: Route] = [:]

    package init() {}

    package var methods: [String] { routes.keys.sorted() }

    /// Answers a method. Errors a handler throws: `RPCError` as it is, any other as `internalError` and into the log.
    ///
    /// - Parameter prepared: keeps the answers of a method that depends on nothing but its parameters and what the versions count.
    package mutating func on<M: RPCMethod>(
        _ method: M.Type, prepared: PreparedAnswers? = nil,
        _ handler: @escaping @Sendable (M.Params, RequestContext) async throws -> M.Result
    ) {
        var route = Route(access: M.access, ordering: M.ordering) { message, id, context in
            let params: M.Params
            do {
                params = try JSONDecoder().decode(ParamsEnvelope<M.Params>.self, from: message).params
            } catch let error as DecodingError {
                throw explain(error)
            }
            // Before anything is read: what changes meanwhile makes the answer an old one.
            let version = prepared?.version()
            let result = try await handler(params, context)
            guard let id else { return Data() }
            guard let prepared, let version, let envelope = Envelope(message) else {
                return try encodeMessage(ResultResponse(id: id, result: result))
            }
            let text = try encodeMessage(result)
            prepared.keep(text, envelope.method, envelope.params, version: version)
            return Data(ResultText.start(id).utf8) + text + Data(ResultText.end.utf8)
        }
        route.prepared = prepared
        routes[M.name] = route
    }
}
