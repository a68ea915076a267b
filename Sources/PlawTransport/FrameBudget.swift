internal import NIOCore
internal import Synchronization
internal import Systemd

/// Memory for frames over all connections: who finds it used up waits until some is given back.
final class FrameBudget: Sendable {
    /// Bytes taken, given back when it goes.
    final class Share: Sendable {
        private let budget: FrameBudget
        private let bytes: Int
        private let uid: UInt32

        init(_ budget: FrameBudget, _ bytes: Int, _ uid: UInt32) {
            self.budget = budget
            self.bytes = bytes
            self.uid = uid
        }

        deinit { budget.giveBack(bytes, uid) }
    }

    private struct Table {
        var taken = 0
        var takenBy: [UInt32: Int] = [:]
        /// Whoever waits, longest first.
        var waiting: [@Sendable () -> Void] = []
    }

    private let table = Mutex(Table())
    private let total: Int
    private let ofUser: Int

    /// Frames up to this size are not counted: the kernel's own buffers are larger.
    static let uncounted = 4_096
    /// Of those that wait, how many look again when something is given back.
    private static let woken = 8

    init(total: Int, ofUser: Int) {
        self.total = total
        self.ofUser = ofUser
    }

    var taken: Int { table.withLock { $0.taken } }

    /// Takes bytes; where there are not enough, `whenFree` is called once when there may be.
    func take(_ bytes: Int, _ uid: UInt32, orWait whenFree: @escaping @Sendable () -> Void) -> Share? {
        let isTaken = table.withLock { table in
            guard table.taken + bytes <= total, table.takenBy[uid, default: 0] + bytes <= ofUser else {
                table.waiting.append(whenFree)
                return false
            }
            table.taken += bytes
            table.takenBy[uid, default: 0] += bytes
            return true
        }
        return isTaken ? Share(self, bytes, uid) : nil
    }

    /// Takes bytes that are there already, whatever is left.
    func take(_ bytes: Int, _ uid: UInt32) -> Share {
        table.withLock { table in
            table.taken += bytes
            table.takenBy[uid, default: 0] += bytes
        }
        return Share(self, bytes, uid)
    }

    /// Wakes one more, in the place of one that has gone.
    func wakeNext() {
        table.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }?()
    }

    private func giveBack(_ bytes: Int, _ uid: UInt32) {
        let woken = table.withLock { table in
            table.taken -= bytes
            let left = table.takenBy[uid, default: 0] - bytes
            table.takenBy[uid] = left == 0 ? nil : left
            defer { table.waiting.removeFirst(min(Self.woken, table.waiting.count)) }
            return Array(table.waiting.prefix(Self.woken))
        }
        for body in woken { body() }
    }
}

/// A frame on its way in: what it takes of the budget, and since when it is unfinished.
// Used on its channel's event loop alone.
package final class FrameFlow {
    private let budget: FrameBudget
    private let watch: ConnectionWatch
    private let gate: ReadGate
    private var share: FrameBudget.Share?

    init(budget: FrameBudget, watch: ConnectionWatch, gate: ReadGate) {
        self.budget = budget
        self.watch = watch
        self.gate = gate
    }

    /// A part of a frame is there; nil while its header is not.
    func waits(for length: Int?) {
        watch.unfinished()
        guard let length, length > FrameBudget.uncounted, share == nil else { return }
        reserve(length)
    }

    private func reserve(_ length: Int) {
        // Weak: a connection that ends while it waits is not held, and has nothing to go on with.
        let waiting = Waiting(flow: self, loop: gate.eventLoop)
        share = budget.take(length, watch.peer.uid) { [budget] in
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

    /// The frame is whole.
    func ends(_ length: Int) -> FrameShare? {
        watch.finished()
        defer { share = nil }
        if let share { return FrameShare(share) }
        return length > FrameBudget.uncounted ? FrameShare(budget.take(length, watch.peer.uid)) : nil
    }
}

/// What a frame holds of the memory for frames, until it has been worked on.
package struct FrameShare: Sendable {
    private let share: FrameBudget.Share
    init(_ share: FrameBudget.Share) { self.share = share }
}

/// A flow that waits, for those who wake it from other threads.
// Read on the loop of its channel alone, which `loop` names.
private struct Waiting: @unchecked Sendable {
    weak var flow: FrameFlow?
    let loop: (any EventLoop)?
}
