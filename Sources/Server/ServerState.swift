internal import NIOCore
internal import Wire
internal import Synchronization
internal import Host
internal import StrictJSON

/// Counts of a running server, and its shutdown.
package final class ServerState: Sendable {
    private struct Counts {
        var watches: [ObjectIdentifier: ConnectionWatch] = [:]
        var connections = Shares()
        var subscriptions = Shares()
        /// Bytes of answers that wait for peers to read.
        var unread = Shares()
        var stop: (@Sendable () -> Void)?
        var isStopping = false
        var inFlight = Shares()
        var accepted = 0
        var requests: [String: Int] = [:]
        var errors: [String: Int] = [:]
        /// Of users that were denied something: lines logged in a minute, connections that were not, and the minute's begin.
        var denials: [UInt32: (told: Int, untold: Int, since: ContinuousClock.Instant)] = [:]
        var malformed: [Malformed: Int] = [:]
        /// By method and outcome.
        var times: [String: [String: RequestTimes]] = [:]
    }

    /// What is refused before any method sees it.
    enum Malformed: String, CaseIterable {
        /// A header with a forbidden length.
        case frame
        /// A message that is no JSON.
        case json
        /// JSON that is no request.
        case request
    }

    private let counts = Mutex(Counts())
    package let limits: ServerLimits

    let budget: FrameBudget
    let turns = Turns(cores: NIOCore.System.coreCount)
    private let large = [LargeMessages(), LargeMessages()]

    init(_ limits: ServerLimits) {
        self.limits = limits
        budget = FrameBudget(limits.frameBytes, firstFrames: limits.firstFrameBytes)
    }

    /// Where large messages of such a peer are worked on; those of peers that only read keep no others waiting.
    func large(_ standing: Standing) -> LargeMessages { large[standing.rank == .reader ? 0 : 1] }

    package var inFlight: Int { counts.withLock { $0.inFlight.taken } }
    /// Whether an answer is on its way to any peer.
    var isAnswering: Bool { counts.withLock { Array($0.watches.values) }.contains(where: \.isAnswering) }
    package var isStopping: Bool { counts.withLock { $0.isStopping } }

    /// Counters by name, as `metrics.get` shows them.
    package var counters: [String: Double] {
        counts.withLock { counts in
            var values = [
                "connections": Double(counts.watches.count), "connections_total": Double(counts.accepted),
                "connections_limit": Double(limits.connections.total),
                "requests_in_flight": Double(counts.inFlight.taken),
                "subscriptions": Double(counts.subscriptions.taken),
                "unread_bytes": Double(counts.unread.taken), "frame_bytes": Double(budget.taken),
            ]
            for kind in Malformed.allCases {
                values["malformed_total{kind=\"\(kind.rawValue)\"}"] = Double(counts.malformed[kind, default: 0])
            }
            for (method, count) in counts.requests { values["requests_total{method=\"\(method)\"}"] = Double(count) }
            for (method, count) in counts.errors { values["errors_total{method=\"\(method)\"}"] = Double(count) }
            return values
        }
    }

    /// How long the requests took that have been answered.
    package var times: [RequestKind: RequestTimes] {
        let times = counts.withLock { $0.times }
        return times.reduce(into: [:]) { all, method in
            for (outcome, times) in method.value { all[RequestKind(method: method.key, outcome: outcome)] = times }
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

    /// Counts a request.
    ///
    /// - Throws: `shuttingDown`, and `busy` when too many are in progress, unless it is urgent.
    func enter(_ standing: Standing, isUrgent: Bool) throws(RPCError) {
        let refusal: RPCError? = counts.withLock { counts in
            if counts.isStopping { return RPCError(.shuttingDown, "the daemon is shutting down") }
            if !isUrgent, let bound = counts.inFlight.bound(1, standing, limits.requests) {
                return Self.busy(bound, "requests in progress")
            }
            counts.inFlight.take(1, standing)
            return nil
        }
        if let refusal { throw refusal }
    }

    func leave(_ standing: Standing) { counts.withLock { $0.inFlight.giveBack(1, standing) } }

    /// Counts a connection; why it is not served where there are too many.
    func connect(_ watch: ConnectionWatch) -> RPCError? {
        counts.withLock { counts in
            counts.accepted += 1
            if let bound = counts.connections.bound(1, watch.standing, limits.connections) {
                return Self.busy(bound, "connections")
            }
            counts.watches[ObjectIdentifier(watch)] = watch
            counts.connections.take(1, watch.standing)
            return nil
        }
    }

    func disconnect(_ watch: ConnectionWatch) {
        counts.withLock { counts in
            counts.watches[ObjectIdentifier(watch)] = nil
            counts.connections.giveBack(1, watch.standing)
        }
    }

    private static func busy(
        _ bound: (bound: Shares.Bound, taken: Int, limit: Int), _ what: String
    ) -> RPCError {
        let who =
            switch bound.bound {
            case .total: "all peers together have"
            case .guests: "all peers but root and the daemon's own user have"
            case .readers: "users that only read have together"
            case .user(let uid): "user \(uid) has"
            }
        return RPCError(
            .busy, "\(who) \(bound.taken) \(what), at most \(bound.limit) are served at once",
            ["limit": .integer(Int64(bound.limit))])
    }

    /// Connections that are to end, and why.
    func overdue() -> [(ConnectionWatch, ConnectionWatch.Verdict)] {
        let now = ContinuousClock.now
        return counts.withLock { Array($0.watches.values) }.compactMap { watch in
            watch.verdict(limits, now).map { (watch, $0) }
        }
    }

    /// Counts bytes that wait for a peer to read; false when it leaves too much unread while others do so too.
    func reserveUnread(_ bytes: Int, _ watch: ConnectionWatch) -> Bool {
        let own = watch.addUnread(bytes)
        let (isTight, isTwiceFull) = counts.withLock { counts in
            counts.unread.take(bytes, watch.standing)
            let unread = counts.unread
            let isTwiceFull =
                unread.taken > 2 * limits.unreadBytes.total
                || watch.standing.rank == .reader && unread.byReaders > 2 * limits.unreadBytes.readers
            return (unread.bound(0, watch.standing, limits.unreadBytes) != nil, isTwiceFull)
        }
        if !isTight || own <= limits.unreadBytesOfConnection { return true }
        // A single answer may be large, and is given its time while there is room.
        if own == bytes, !isTwiceFull { return true }
        sent(bytes, watch)
        return false
    }

    /// Counts bytes that wait in the channel.
    func queued(_ bytes: Int, _ watch: ConnectionWatch) {
        _ = watch.addUnread(bytes)
        counts.withLock { $0.unread.take(bytes, watch.standing) }
    }

    func sent(_ bytes: Int, _ watch: ConnectionWatch) {
        watch.sent(bytes)
        counts.withLock { $0.unread.giveBack(bytes, watch.standing) }
    }

    /// Takes a place among those who follow something.
    ///
    /// - Throws: `busy`.
    func subscribe(_ watch: ConnectionWatch) throws(RPCError) -> Subscription {
        guard watch.follow(atMost: limits.subscriptionsOfConnection) else {
            let limit = limits.subscriptionsOfConnection
            throw RPCError(
                .busy, "this connection follows \(limit) jobs, as many as one may", ["limit": .integer(Int64(limit))])
        }
        let bound = counts.withLock { counts in
            let bound = counts.subscriptions.bound(1, watch.standing, limits.subscriptions)
            if bound == nil { counts.subscriptions.take(1, watch.standing) }
            return bound
        }
        if let bound {
            watch.unfollow()
            throw Self.busy(bound, "jobs that are followed")
        }
        return Subscription { [self] in
            watch.unfollow()
            counts.withLock { $0.subscriptions.giveBack(1, watch.standing) }
        }
    }

    /// Names a peer makes up are counted together, so that it cannot fill the table.
    func count(_ method: String) {
        counts.withLock { $0.requests[Self.known.contains(method) ? method : "unknown", default: 0] += 1 }
    }

    func countMalformed(_ kind: Malformed) { counts.withLock { $0.malformed[kind, default: 0] += 1 } }

    func countError(_ method: String) {
        counts.withLock { $0.errors[Self.known.contains(method) ? method : "unknown", default: 0] += 1 }
    }

    /// Counts an answered request, with the time from its arrival.
    func recordLatency(_ method: String, _ outcome: String = "ok", since arrival: ContinuousClock.Instant) {
        let taken = arrival.duration(to: .now)
        let seconds = Double(taken.components.seconds) + Double(taken.components.attoseconds) * 1e-18
        counts.withLock {
            $0.times[Self.known.contains(method) ? method : "unknown", default: [:]][outcome, default: RequestTimes()]
                .add(seconds)
        }
    }

    /// How many connections of the user were not told of before this one; nil where this one is not to be told of either: of a user
    /// ten are in a minute.
    func untoldDenials(_ user: UInt32) -> Int? {
        counts.withLock { counts in
            let now = ContinuousClock.now
            var past = counts.denials[user] ?? (0, 0, now)
            if now - past.since > .seconds(60) { (past.told, past.since) = (0, now) }
            defer { counts.denials[user] = past }
            guard past.told < 10 else {
                past.untold += 1
                return nil
            }
            past.told += 1
            defer { past.untold = 0 }
            return past.untold
        }
    }

    private static let known = Set(Catalog.methods.map { $0.name })
}

/// A place among those who follow something, given back when it goes.
package final class Subscription: Sendable {
    private let giveBack: @Sendable () -> Void
    init(_ giveBack: @escaping @Sendable () -> Void) { self.giveBack = giveBack }
    deinit { giveBack() }
}
