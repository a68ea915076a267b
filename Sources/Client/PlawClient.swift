internal import Glibc
internal import NIOCore
internal import NIOPosix
package import Wire
package import StrictJSON
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The daemon cannot be reached, or went away.
package struct ClientError: Error, Sendable, CustomStringConvertible {
    package var description: String

    package init(description: String) { self.description = description }
}

/// A notification from the daemon.
package struct ServerNotification: Sendable {
    package let method: String
    fileprivate let message: JSONNode

    /// The params as a value.
    ///
    /// - Throws: `ClientError`.
    package func params<Params: Decodable>(_ type: Params.Type) throws -> Params {
        try message.required("params", type, of: method)
    }
}

extension JSONNode {
    /// A member of a message about `method`.
    ///
    /// - Throws: `ClientError`.
    fileprivate func required<T: Decodable>(_ name: String, _ type: T.Type, of method: String) throws -> T {
        do {
            guard let value = member(name) else { throw JSONMismatch(path: name, found: nil, expected: "a value") }
            return try value.decode(type)
        } catch let error as JSONMismatch {
            throw ClientError(description: "\(method): the daemon sent what this client does not know: \(error)")
        }
    }
}

/// Calls the daemon's methods over its socket.
///
///     try await PlawClient.withConnection(path: SocketPath.resolve(explicit: nil)) { client in
///         let datasets = try await client.call(DatasetList.self, DatasetListParams()).datasets
///     }
package final class PlawClient: Sendable {
    /// Where a request stands. Its place is made before it is sent, since the answer may come before its caller waits.
    private enum Pending {
        case sent
        case awaited(CheckedContinuation<JSONNode, any Error>)
        case settled(Result<JSONNode, any Error>)
    }

    private struct State {
        var nextID: Int64 = 0
        var pending: [Int64: Pending] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())
    private let path: String
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    /// Notifications in order of arrival; the newest 256 wait for a slow reader.
    package let notifications: AsyncStream<ServerNotification>
    private let notify: AsyncStream<ServerNotification>.Continuation

    /// Requests that were given up, to be told to the daemon.
    private let givenUp: AsyncStream<Int64>
    private let giveUp: AsyncStream<Int64>.Continuation

    private init(path: String, outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) {
        self.path = path
        self.outbound = outbound
        (givenUp, giveUp) = AsyncStream.makeStream()
        (notifications, notify) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(256))
    }

    /// Connects, runs `body`, and closes.
    ///
    /// - Throws: `ClientError` when nobody answers, and what `body` throws.
    package static func withConnection<T: Sendable>(
        path: String, _ body: @escaping @Sendable (PlawClient) async throws -> T
    ) async throws -> T {
        let channel: NIOAsyncChannel<Frame, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            ByteToMessageHandler(FrameDecoder(limit: FrameLimits.responseBytes)))
                        try channel.pipeline.syncOperations.addHandler(MessageToByteHandler(FrameEncoder()))
                        return try NIOAsyncChannel(
                            wrappingChannelSynchronously: channel,
                            configuration: .init(inboundType: Frame.self, outboundType: ByteBuffer.self))
                    }
                }
        } catch {
            throw unreachable(path, error)
        }
        return try await channel.executeThenClose { inbound, outbound in
            let client = PlawClient(path: path, outbound: outbound)
            return try await withThrowingTaskGroup(of: T?.self) { group in
                group.addTask {
                    await client.receive(inbound)
                    return nil
                }
                group.addTask {
                    await client.sendCancellations()
                    return nil
                }
                group.addTask { try await body(client) }
                defer { group.cancelAll() }
                while let result = try await group.next() {
                    if let result { return result }
                }
                throw client.closed
            }
        }
    }

    private static func unreachable(_ path: String, _ error: any Error) -> ClientError {
        let code = (error as? IOError)?.errnoCode
        if code == EACCES || code == EPERM {
            return ClientError(
                description: "\(path): permission denied; the socket's owner and group may connect (`ls -l` shows them)"
            )
        }
        let isLong = path.utf8.count > 107
        let reason = code.map { String(cString: strerror($0)) } ?? (isLong ? "longer than 107 bytes" : "\(error)")
        return ClientError(
            description: "no daemon answers at \(path) (\(reason)); start it with `systemctl start plawd.socket` or "
                + "`plawd --state-directory DIR`, or name its socket with --socket")
    }

    /// Calls a method.
    ///
    /// - Throws: `RPCError` from the daemon, `ClientError`, `CancellationError`.
    package func call<M: RPCMethod>(_ method: M.Type, _ params: M.Params) async throws -> M.Result {
        try await exchange(M.name, params).required("result", M.Result.self, of: M.name)
    }

    /// Calls a method by name and returns its result as it is.
    package func callRaw(_ method: String, _ params: JSONValue?) async throws -> JSONValue {
        try await exchange(method, params).required("result", JSONValue.self, of: method)
    }

    private struct Request<Params: Encodable>: Encodable {
        var jsonrpc = "2.0"
        var id: Int64?
        var method: String
        var params: Params?
    }
    private struct CancelParams: Encodable { var id: Int64 }

    private func exchange(_ method: String, _ params: (some Encodable & Sendable)?) async throws -> JSONNode {
        let id = state.withLock { state in
            state.nextID += 1
            state.pending[state.nextID] = state.isClosed ? .settled(.failure(closed)) : .sent
            return state.nextID
        }
        defer { state.withLock { $0.pending[id] = nil } }
        let encoder = JSONEncoder()
        // The daemon keeps answers by the text of their parameters: equal ones have to read the same.
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let request = try encoder.encode(Request(id: id, method: method, params: params))
        guard request.count <= FrameLimits.requestBytes else {
            throw ClientError(
                description: "the request has \(request.count) bytes, more than the \(FrameLimits.requestBytes) allowed"
            )
        }
        let response = try await withTaskCancellationHandler {
            try Task.checkCancellation()
            return try await send(ByteBuffer(bytes: request), id: id)
        } onCancel: {
            cancel(id)
        }
        if response.member("error") != nil { throw try response.required("error", RPCError.self, of: method) }
        return response
    }

    private var closed: ClientError { ClientError(description: "the daemon at \(path) closed the connection") }

    private func send(_ request: ByteBuffer, id: Int64) async throws -> JSONNode {
        do {
            try await outbound.write(request)
        } catch {
            settle(id, .failure(closed))
        }
        return try await withCheckedThrowingContinuation { continuation in
            let settled: Result<JSONNode, any Error>? = state.withLock { state in
                if case .settled(let result) = state.pending[id] { return result }
                state.pending[id] = .awaited(continuation)
                return nil
            }
            if let settled { continuation.resume(with: settled) }
        }
    }

    /// Ends a request. One that has ended already, or was never made, stays as it is.
    private func settle(_ id: Int64, _ result: Result<JSONNode, any Error>) {
        let awaited: CheckedContinuation<JSONNode, any Error>? = state.withLock { state in
            switch state.pending[id] {
            case .sent:
                state.pending[id] = .settled(result)
                return nil
            case .awaited(let continuation):
                state.pending[id] = .settled(result)
                return continuation
            case .settled, nil: return nil
            }
        }
        awaited?.resume(with: result)
    }

    private func settleAll(_ error: any Error) {
        for id in state.withLock({ Array($0.pending.keys) }) { settle(id, .failure(error)) }
    }

    /// Gives a request up: its caller stops waiting now, and the daemon is told.
    private func cancel(_ id: Int64) {
        settle(id, .failure(CancellationError()))
        giveUp.yield(id)
    }

    private func sendCancellations() async {
        for await id in givenUp {
            let cancellation = Request(method: Catalog.cancelRequest, params: CancelParams(id: id))
            // A connection that is gone has cancelled everything already.
            guard let message = try? JSONEncoder().encode(cancellation) else { continue }
            try? await outbound.write(ByteBuffer(bytes: message))
        }
    }

    private func receive(_ inbound: NIOAsyncChannelInboundStream<Frame>) async {
        do {
            for try await frame in inbound {
                guard case .message(let buffer, _) = frame else { break }
                deliver(Data(buffer.readableBytesView))
            }
        } catch {
            // A broken connection ends like a closed one: everybody waiting is told below.
        }
        state.withLock { $0.isClosed = true }
        settleAll(closed)
        notify.finish()
        giveUp.finish()
    }

    private func deliver(_ data: Data) {
        let message: JSONNode
        do {
            message = try JSONText.root(of: data)
        } catch {
            // Whose answer it was cannot be told: every caller learns it.
            return settleAll(ClientError(description: "the daemon at \(path) sent what is no JSON: \(error)"))
        }
        let id = message.member("id").flatMap { try? $0.decode(Int64.self) }
        if let method = message.member("method")?.stringValue {
            notify.yield(ServerNotification(method: method, message: message))
        } else if let id {
            settle(id, .success(message))
        } else if let error = message.member("error").flatMap({ try? $0.decode(RPCError.self) }) {
            // An error without an id concerns the connection.
            settleAll(error)
        }
    }
}
