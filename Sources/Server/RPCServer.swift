internal import Files
internal import Glibc
package import Logging
internal import NIOCore
internal import NIOPosix
package import Wire

package import Host

/// Serves JSON-RPC 2.0 in length-prefixed frames on a Unix socket.
///
///     var router = Router()
///     router.on(DatasetList.self) { _, _ in try await datasets.list() }
///     let server = RPCServer(listening: .path("/run/plawd/plawd.sock", mode: 0o600), router: router, logger: logger)
///     try await server.run()
package final class RPCServer: Sendable {
    package enum Listening: Sendable {
        /// Binds a path; a socket nobody answers on is replaced, anything else is refused.
        case path(String, mode: UInt32)
        /// A listening descriptor that somebody else opened (socket activation).
        case descriptor(Int32)
    }

    /// Connections that may wait to be accepted.
    private static let backlog = 512

    private let listening: Listening
    private let router: Router
    private let logger: Logger
    private let authorize: @Sendable (PeerCredentials) -> (access: Access, reason: String)
    package let state: ServerState

    package init(
        listening: Listening, router: Router, logger: Logger, limits: ServerLimits = ServerLimits(),
        authorize: @escaping @Sendable (PeerCredentials) -> (access: Access, reason: String) = { _ in
            (.write, "no policy")
        }
    ) {
        self.listening = listening
        self.router = router
        self.logger = logger
        self.authorize = authorize
        state = ServerState(limits)
    }

    /// Serves until `shutdown`, then drains: no new requests, those in progress get `drainSeconds`, then everybody is closed.
    /// `ready` is called when peers can connect.
    ///
    /// - Throws: `SocketError` when the socket cannot be opened.
    package func run(drainSeconds: Double = 5, ready: @Sendable () async throws -> Void = {}) async throws {
        let (server, own) = try await bind()
        state.begin { server.channel.close(promise: nil) }
        try await server.executeThenClose { inbound in
            try await ready()
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { await self.endOverdue() }
                for try await connection in inbound {
                    if let refusal = state.connect(connection.watch) {
                        // One at a time, and none is accepted meanwhile: those that are refused take no descriptors from the others.
                        await self.refuse(connection, refusal)
                    } else {
                        group.addTask { await self.serve(connection) }
                    }
                }
                await self.drain(seconds: drainSeconds)
                group.cancelAll()
            }
        }
        own?.remove()
    }

    /// Stops accepting; `run` returns when the requests in progress have been answered.
    package func shutdown() { state.shutdown() }

    private func drain(seconds: Double) async {
        await wait(seconds: seconds) { state.inFlight > 0 }
        // What was done is not known to be done before its answer has arrived. A peer that does not read keeps nobody for long.
        await wait(seconds: min(seconds, Self.handingOverSeconds)) { state.isAnswering }
    }

    /// How long answers that are ready may take to their peers when the server stops.
    private static let handingOverSeconds = 0.5

    private func wait(seconds: Double, while isBusy: () -> Bool) async {
        let end = ContinuousClock.now + .seconds(seconds)
        while isBusy(), ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(10)) } catch { return }
        }
    }

    private func refuse(_ connection: AcceptedConnection, _ refusal: RPCError) async {
        logger.debug("too many connections", metadata: ["uid": "\(connection.peer.uid)"])
        // It is closed when nobody holds it any more, and it may not be active yet; what it closed with is of no interest.
        try? await connection.watch.end(refusal).get()
        withExtendedLifetime(connection) {}
    }

    private func serve(_ connection: AcceptedConnection) async {
        let (access, reason) = (connection.watch.access, connection.watch.reason)
        defer { state.disconnect(connection.watch) }
        logger.debug(
            "peer connected",
            metadata: [
                "uid": "\(connection.peer.uid)", "pid": "\(connection.peer.pid)", "access": "\(access)",
                "reason": "\(reason)",
            ])
        do {
            try await connection.open().executeThenClose { inbound, outbound in
                try await Connection(
                    router: router, watch: connection.watch, access: access, reason: reason, logger: logger,
                    server: state, outbound: outbound
                ).serve(inbound)
            }
        } catch {
            logger.debug("connection ended", metadata: ["error": "\(error)"])
        }
        for farewell in connection.watch.takeFarewells() { await farewell() }
    }

    /// Ends connections that do nothing for too long, now and then.
    private func endOverdue() async {
        let limits = state.limits
        let shortest = min(limits.idleSeconds, limits.unfinishedSeconds, limits.unreadSeconds)
        while true {
            do { try await Task.sleep(for: .seconds(min(1, shortest / 4))) } catch { return }
            for (watch, verdict) in state.overdue() {
                logger.info(
                    "a connection is over time",
                    metadata: ["uid": "\(watch.peer.uid)", "pid": "\(watch.peer.pid)", "reason": "\(verdict)"])
                switch verdict {
                case .idle:
                    watch.end(RPCError(.timedOut, "no request came for \(limits.idleSeconds) s"))
                case .unfinished:
                    watch.end(RPCError(.timedOut, "a frame was left unfinished for \(limits.unfinishedSeconds) s"))
                case .unread: watch.end(nil)
                }
            }
        }
    }

    // MARK: - Socket

    private func bind() async throws -> (NIOAsyncChannel<AcceptedConnection, Never>, SocketPath.Bound?) {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: CInt(Self.backlog))
            // A channel keeps as many buffers of the last size as it reads at once.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2_048, maximum: 16_384))
        let (state, budget, authorize) = (state, state.budget, authorize)
        let initialise: @Sendable (any Channel) -> EventLoopFuture<AcceptedConnection> = { channel in
            // Read now: a peer that closes at once leaves nothing to ask later.
            Self.credentials(of: channel).flatMapThrowing { peer in
                let (access, reason) = authorize(peer)
                let watch = ConnectionWatch(channel: channel, peer: peer, access: access, reason: reason)
                let gate = ReadGate(watch)
                let flow = FrameFlow(budget: budget, watch: watch, gate: gate)
                let isReader = watch.standing.rank == .reader
                let limit =
                    isReader ? min(state.limits.readerFrameBytes, FrameLimits.requestBytes) : FrameLimits.requestBytes
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addHandler(gate)
                try pipeline.addHandler(FrameWriter(watch, state))
                try pipeline.addHandler(
                    ByteToMessageHandler(FrameDecoder(limit: limit, flow: flow)))
                return AcceptedConnection(watch)
            }
        }
        func listen(_ descriptor: CInt) async throws -> NIOAsyncChannel<AcceptedConnection, Never> {
            let channel = try await bootstrap.bind(descriptor, childChannelInitializer: initialise)
            // NIO listens again on a descriptor it is given, with a backlog of its own.
            Glibc.listen(descriptor, Int32(Self.backlog))
            return channel
        }
        switch listening {
        case .path(let path, let mode):
            try SocketPath.clear(path)
            let (descriptor, own) = try SocketPath.bind(path, mode: mode_t(mode))
            return (try await listen(descriptor), own)
        case .descriptor(let descriptor): return (try await listen(descriptor), nil)
        }
    }

    private static func credentials(of channel: any Channel) -> EventLoopFuture<PeerCredentials> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededFuture(.unknown)
        }
        let option: EventLoopFuture<SocketCredentials> = provider.unsafeGetSocketOption(
            level: .socket, name: .init(rawValue: CInt(SO_PEERCRED)))
        return option.map { PeerCredentials(uid: $0.uid, gid: $0.gid, pid: $0.pid) }
            .flatMapErrorThrowing { _ in .unknown }
    }
}
