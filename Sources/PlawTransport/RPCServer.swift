internal import Glibc
package import Logging
internal import NIOCore
internal import NIOPosix
package import PlawProtocol
internal import Synchronization
package import Systemd

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

    /// Connections served at once; more are closed as they come.
    package static let maximumConnections = 1_024

    /// Connections that may wait to be accepted.
    private static let backlog = 512

    private let listening: Listening
    private let router: Router
    private let logger: Logger
    private let authorize: @Sendable (PeerCredentials) -> (access: Access, reason: String)
    package let state = ServerState()

    package init(
        listening: Listening, router: Router, logger: Logger,
        authorize: @escaping @Sendable (PeerCredentials) -> (access: Access, reason: String) = { _ in
            (.write, "no policy")
        }
    ) {
        self.listening = listening
        self.router = router
        self.logger = logger
        self.authorize = authorize
    }

    /// Serves until `shutdown`, then drains: no new requests, those in work get `drainSeconds`, then everybody is closed.
    /// `ready` is called when peers can connect. Errors: `SocketError` when the socket cannot be opened.
    package func run(drainSeconds: Double = 5, ready: @Sendable () async throws -> Void = {}) async throws {
        let server = try await bind()
        state.begin { server.channel.close(promise: nil) }
        try await server.executeThenClose { inbound in
            try await ready()
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in inbound {
                    group.addTask { await self.serve(connection) }
                }
                await self.drain(seconds: drainSeconds)
                group.cancelAll()
            }
        }
        if case .path(let path, _) = listening { unlink(path) }
    }

    /// Stops accepting; `run` returns when the requests in work have been answered.
    package func shutdown() { state.shutdown() }

    private func drain(seconds: Double) async {
        let end = ContinuousClock.now + .seconds(seconds)
        while state.inFlight > 0, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(10)) } catch { return }
        }
    }

    private func serve(_ connection: AcceptedConnection) async {
        let (access, reason) = authorize(connection.peer)
        guard state.connect() else {
            logger.warning("too many connections", metadata: ["uid": "\(connection.peer.uid)"])
            try? await connection.channel.close()
            return
        }
        defer { state.disconnect() }
        logger.debug(
            "peer connected",
            metadata: [
                "uid": "\(connection.peer.uid)", "pid": "\(connection.peer.pid)", "access": "\(access)",
                "reason": "\(reason)",
            ])
        do {
            try await connection.open().executeThenClose { inbound, outbound in
                try await Connection(
                    router: router, peer: connection.peer, access: access, logger: logger, server: state,
                    outbound: outbound
                ).serve(inbound)
            }
        } catch {
            logger.debug("connection ended", metadata: ["error": "\(error)"])
        }
    }

    // MARK: - Socket

    private func bind() async throws -> NIOAsyncChannel<AcceptedConnection, Never> {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: CInt(Self.backlog))
        let initialise: @Sendable (any Channel) -> EventLoopFuture<AcceptedConnection> = { channel in
            // Read now: a peer that closes at once leaves nothing to ask later.
            Self.credentials(of: channel).flatMapThrowing { peer in
                try channel.pipeline.syncOperations.addHandler(ReadGate())
                try channel.pipeline.syncOperations.addHandler(
                    ByteToMessageHandler(FrameDecoder(limit: FrameLimits.requestBytes)))
                try channel.pipeline.syncOperations.addHandler(MessageToByteHandler(FrameEncoder()))
                return AcceptedConnection(channel: channel, peer: peer)
            }
        }
        switch listening {
        case .path(let path, let mode):
            try SocketPath.clear(path)
            let channel = try await bootstrap.bind(
                unixDomainSocketPath: path, cleanupExistingSocketFile: false, childChannelInitializer: initialise)
            chmod(path, mode_t(mode))
            return channel
        case .descriptor(let descriptor):
            let channel = try await bootstrap.bind(descriptor, childChannelInitializer: initialise)
            // NIO listens again on a descriptor it is given, with a backlog of its own.
            listen(descriptor, Int32(Self.backlog))
            return channel
        }
    }

    /// Layout of the kernel's `struct ucred`, which Glibc's module does not show.
    private struct Credentials {
        var pid: Int32 = 0
        var uid: UInt32 = .max
        var gid: UInt32 = .max
    }

    private static func credentials(of channel: any Channel) -> EventLoopFuture<PeerCredentials> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededFuture(.unknown)
        }
        let option: EventLoopFuture<Credentials> = provider.unsafeGetSocketOption(
            level: .socket, name: .init(rawValue: CInt(SO_PEERCRED)))
        return option.map { PeerCredentials(uid: $0.uid, gid: $0.gid, pid: $0.pid) }
            .flatMapErrorThrowing { _ in .unknown }
    }
}

/// Counts of a running server, and its shutdown.
package final class ServerState: Sendable {
    private struct Counts {
        var stop: (@Sendable () -> Void)?
        var isStopping = false
        var inFlight = 0
        var connections = 0
        var accepted = 0
        var requests: [String: Int] = [:]
        var errors: [String: Int] = [:]
    }

    private let counts = Mutex(Counts())

    package var inFlight: Int { counts.withLock { $0.inFlight } }
    package var isStopping: Bool { counts.withLock { $0.isStopping } }

    /// Counters by name, as `metrics.get` shows them.
    package var counters: [String: Double] {
        counts.withLock { counts in
            var values = [
                "connections": Double(counts.connections), "connections_total": Double(counts.accepted),
                "requests_in_flight": Double(counts.inFlight),
            ]
            for (method, count) in counts.requests { values["requests_total{method=\"\(method)\"}"] = Double(count) }
            for (method, count) in counts.errors { values["errors_total{method=\"\(method)\"}"] = Double(count) }
            return values
        }
    }

    func begin(_ stop: @escaping @Sendable () -> Void) {
        let stopNow = counts.withLock { counts in
            counts.stop = stop
            return counts.isStopping
        }
        if stopNow { stop() }
    }

    func shutdown() {
        counts.withLock { counts in
            counts.isStopping = true
            return counts.stop
        }?()
    }

    func enter() -> Bool {
        counts.withLock { counts in
            if counts.isStopping { return false }
            counts.inFlight += 1
            return true
        }
    }

    func leave() { counts.withLock { $0.inFlight -= 1 } }

    func connect() -> Bool {
        counts.withLock { counts in
            counts.accepted += 1
            guard counts.connections < RPCServer.maximumConnections else { return false }
            counts.connections += 1
            return true
        }
    }

    func disconnect() { counts.withLock { $0.connections -= 1 } }

    /// Names a peer makes up are counted together, so that it cannot fill the table.
    func count(_ method: String) {
        counts.withLock { $0.requests[Self.known.contains(method) ? method : "unknown", default: 0] += 1 }
    }

    func countError(_ method: String) {
        counts.withLock { $0.errors[Self.known.contains(method) ? method : "unknown", default: 0] += 1 }
    }

    private static let known = Set(Catalog.methods.map { $0.name })
}
