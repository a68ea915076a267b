internal import NIOCore
internal import Wire
internal import StrictJSON
internal import Synchronization
internal import Host

/// What a connection is doing, for whoever ends those that do nothing or not enough.
final class ConnectionWatch: Sendable {
    /// Why a connection is ended.
    enum Verdict: Sendable {
        case idle, unfinished, unread
    }

    private struct State {
        var seen = ContinuousClock.now
        var unfinishedSince: ContinuousClock.Instant?
        /// Since when nothing is read of what the peer may have sent.
        var unreadySince: ContinuousClock.Instant?
        /// Requests in progress or waiting, and what the peer follows.
        var working = 0
        var following = 0
        var wasDenied = false
        /// Bytes of answers that the kernel has not taken, and when it last took some.
        var unread = 0
        var unreadSince = ContinuousClock.now
    }

    let channel: any Channel
    /// Of this connection alone, as long as the process lives.
    let number = ConnectionWatch.last.add(1, ordering: .relaxed).newValue
    let peer: PeerCredentials
    let access: Access
    /// Why the access is what it is.
    let reason: String
    let standing: Standing
    private let state = Mutex(State())
    /// What is to be done when the connection has ended, by what it is for.
    private let farewells = Mutex<[String: @Sendable () async -> Void]>([:])
    private static let last = Atomic<UInt64>(0)

    init(channel: any Channel, peer: PeerCredentials, access: Access, reason: String) {
        self.channel = channel
        self.peer = peer
        self.access = access
        self.reason = reason
        standing = Standing(peer, access)
    }

    /// Lets something be done when the connection has ended; once for each purpose.
    func atEnd(_ purpose: String, _ body: @escaping @Sendable () async -> Void) {
        farewells.withLock { if $0[purpose] == nil { $0[purpose] = body } }
    }

    func takeFarewells() -> [@Sendable () async -> Void] {
        farewells.withLock { farewells in
            defer { farewells = [:] }
            return Array(farewells.values)
        }
    }

    func unfinished() { state.withLock { if $0.unfinishedSince == nil { $0.unfinishedSince = .now } } }

    func finished() {
        state.withLock { state in
            state.unfinishedSince = nil
            state.seen = .now
        }
    }

    /// Requests of the peer are in progress, and no more are read until some are answered.
    func readsNothing() { state.withLock { if $0.unreadySince == nil { $0.unreadySince = .now } } }

    /// It is read again: the time before counts against nobody.
    func reads() {
        state.withLock { state in
            guard let since = state.unreadySince else { return }
            state.unreadySince = nil
            state.unfinishedSince? += since.duration(to: .now)
        }
    }

    /// Whether an answer is on its way to the peer.
    var isAnswering: Bool { state.withLock { $0.working > 0 || $0.unread > 0 } }

    func began() { state.withLock { $0.working += 1 } }

    /// The answer has been given to the writer, which hands it over on the event loop: this counts behind it.
    func ended() {
        channel.eventLoop.execute {
            self.state.withLock { state in
                state.working -= 1
                state.seen = .now
            }
        }
    }

    /// Counts one more that the peer follows; false when it follows as many as it may.
    func follow(atMost limit: Int) -> Bool {
        state.withLock { state in
            guard state.following < limit else { return false }
            state.following += 1
            return true
        }
    }

    func unfollow() {
        state.withLock { state in
            state.following -= 1
            state.seen = .now
        }
    }

    /// True the first time.
    func isFirstDenial() -> Bool {
        state.withLock { state in
            defer { state.wasDenied = true }
            return !state.wasDenied
        }
    }

    /// Adds bytes that wait for the peer to read; the sum.
    func addUnread(_ bytes: Int) -> Int {
        state.withLock { state in
            if state.unread == 0 { state.unreadSince = .now }
            state.unread += bytes
            return state.unread
        }
    }

    func sent(_ bytes: Int) {
        state.withLock { state in
            state.unread -= bytes
            state.unreadSince = .now
        }
    }

    /// Whether the connection is to end now, and why.
    func verdict(_ limits: ServerLimits, _ now: ContinuousClock.Instant) -> Verdict? {
        state.withLock { state in
            func isOver(_ since: ContinuousClock.Instant, _ seconds: Double) -> Bool {
                since.duration(to: now) > .seconds(seconds)
            }
            if state.unread > 0, isOver(state.unreadSince, limits.unreadSeconds) { return .unread }
            if let since = state.unfinishedSince {
                let taken = since.duration(to: state.unreadySince ?? now)
                return taken > .seconds(limits.unfinishedSeconds) ? .unfinished : nil
            }
            guard state.working == 0, state.following == 0, state.unread == 0 else { return nil }
            return isOver(state.seen, limits.idleSeconds) ? .idle : nil
        }
    }

    /// Ends the connection; one that reads is told why. What it gives is there when the connection is closed.
    @discardableResult
    func end(_ error: RPCError?) -> EventLoopFuture<Void> {
        let channel = channel
        if let error, let message = try? JSONWriter.bytes(of: ErrorResponse(error: error)) {
            channel.writeAndFlush(Outgoing(message)).whenComplete { _ in channel.close(promise: nil) }
        } else {
            channel.close(promise: nil)
        }
        return channel.closeFuture
    }
}
