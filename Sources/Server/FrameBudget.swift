internal import Wire
internal import NIOCore
internal import Synchronization
internal import Host

/// Memory for frames over all connections: who finds it used up waits until some is given back.
final class FrameBudget: Sendable {
    /// Bytes taken, given back when it goes.
    final class Share: Sendable {
        private let budget: FrameBudget
        private let bytes: Int
        private let standing: Standing
        /// Taken from the room for first frames.
        private let isFirst: Bool

        init(_ budget: FrameBudget, _ bytes: Int, _ standing: Standing, isFirst: Bool) {
            (self.budget, self.bytes, self.standing, self.isFirst) = (budget, bytes, standing, isFirst)
        }

        deinit { budget.giveBack(bytes, standing, isFirst: isFirst) }
    }

    private struct Waiting {
        var bytes: Int
        var standing: Standing
        var whenFree: @Sendable () -> Void
    }

    private struct Table {
        var shares = Shares()
        /// Of users that have nothing else, who has what of the room for first frames.
        var firsts: [UInt32: Int] = [:]
        var firstBytes = 0
        /// Whoever waits, by user, longest first.
        var waiting: [UInt32: [Waiting]] = [:]
        /// Users with something that waits, those first that were woken longest ago.
        var users: [UInt32] = []
    }

    private let table = Mutex(Table())
    private let quota: Quota
    private let firstFrames: Int

    /// Frames up to this size are not counted: the kernel's own buffers are larger.
    static let uncounted = 4_096
    /// Of those that wait, how many look again when something is given back.
    private static let woken = 8

    /// - Parameter firstFrames: bytes beside the quota for users that have nothing of it: what some users hold keeps no other from a
    ///   frame.
    init(_ quota: Quota, firstFrames: Int) {
        (self.quota, self.firstFrames) = (quota, firstFrames)
    }

    var taken: Int { table.withLock { $0.shares.taken + $0.firstBytes } }

    /// Where such a frame finds room: true in that for first frames; nil where there is none.
    private func room(_ bytes: Int, _ standing: Standing, in table: Table) -> Bool? {
        if table.shares.bound(bytes, standing, quota) == nil { return false }
        let isFirst = table.firsts[standing.uid] == nil && table.shares.of(standing.uid) == 0
        return isFirst && table.firstBytes + bytes <= firstFrames ? true : nil
    }

    private static func take(_ bytes: Int, _ standing: Standing, isFirst: Bool, in table: inout Table) {
        guard isFirst else { return table.shares.take(bytes, standing) }
        table.firsts[standing.uid] = bytes
        table.firstBytes += bytes
    }

    /// Takes bytes; where there are not enough, `whenFree` is called once when there may be.
    func take(_ bytes: Int, _ standing: Standing, orWait whenFree: @escaping @Sendable () -> Void) -> Share? {
        let isFirst: Bool? = table.withLock { table in
            guard let isFirst = room(bytes, standing, in: table) else {
                if table.waiting[standing.uid] == nil { table.users.append(standing.uid) }
                table.waiting[standing.uid, default: []].append(
                    Waiting(bytes: bytes, standing: standing, whenFree: whenFree))
                return nil
            }
            Self.take(bytes, standing, isFirst: isFirst, in: &table)
            return isFirst
        }
        return isFirst.map { Share(self, bytes, standing, isFirst: $0) }
    }

    /// Takes bytes that are there already, whatever is left.
    func take(_ bytes: Int, _ standing: Standing) -> Share {
        table.withLock { $0.shares.take(bytes, standing) }
        return Share(self, bytes, standing, isFirst: false)
    }

    /// Wakes one more, in the place of one that has gone.
    func wakeNext() { wake(1) }

    private func giveBack(_ bytes: Int, _ standing: Standing, isFirst: Bool) {
        table.withLock { table in
            if isFirst {
                table.firsts[standing.uid] = nil
                table.firstBytes -= bytes
            } else {
                table.shares.giveBack(bytes, standing)
            }
        }
        wake(Self.woken)
    }

    /// Wakes those for whom there is room, user by user.
    private func wake(_ most: Int) {
        let woken = table.withLock { table in
            var woken: [Waiting] = []
            // What those take that are woken, so that no more are than find room.
            var planned = table
            var (looked, all) = (0, table.users.count)
            while woken.count < most, looked < all, let uid = table.users.first {
                looked += 1
                table.users.removeFirst()
                guard let next = table.waiting[uid]?.first else { continue }
                guard let isFirst = room(next.bytes, next.standing, in: planned) else {
                    table.users.append(uid)
                    continue
                }
                Self.take(next.bytes, next.standing, isFirst: isFirst, in: &planned)
                woken.append(next)
                table.waiting[uid]?.removeFirst()
                if table.waiting[uid]?.isEmpty == true {
                    table.waiting[uid] = nil
                } else {
                    table.users.append(uid)
                    // It may have more than one turn.
                    all += 1
                }
            }
            return woken
        }
        for one in woken { one.whenFree() }
    }
}

/// A frame on its way in: what it takes of the budget, and since when it is unfinished.
// Used on its channel's event loop alone.
final class FrameFlow: FrameObserver {
    private let budget: FrameBudget
    private let watch: ConnectionWatch
    private let gate: ReadGate
    private var share: FrameBudget.Share?

    init(budget: FrameBudget, watch: ConnectionWatch, gate: ReadGate) {
        (self.budget, self.watch, self.gate) = (budget, watch, gate)
    }

    func waits(for length: Int?) {
        watch.unfinished()
        guard let length, length > FrameBudget.uncounted, share == nil else { return }
        reserve(length)
    }

    private func reserve(_ length: Int) {
        // Weak: a connection that ends while it waits is not held, and has nothing to go on with.
        let waiting = Waiting(flow: self, loop: gate.eventLoop)
        share = budget.take(length, watch.standing) { [budget] in
            waiting.loop?.execute {
                if let flow = waiting.flow { flow.goOn(length) } else { budget.wakeNext() }
            }
        }
        guard share == nil else { return }
        watch.finished()
        gate.hold()
    }

    private func goOn(_ length: Int) {
        reserve(length)
        guard share != nil else { return }
        watch.unfinished()
        gate.release()
    }

    func ends(_ length: Int) -> (any Sendable)? {
        watch.finished()
        defer { share = nil }
        if let share { return share }
        return length > FrameBudget.uncounted ? budget.take(length, watch.standing) : nil
    }
}

/// A flow that waits, for those who wake it from other threads.
// Read on the loop of its channel alone, which `loop` names.
private struct Waiting: @unchecked Sendable {
    weak var flow: FrameFlow?
    let loop: (any EventLoop)?
}
