import Wire
import PlawTesting
import Synchronization
import Testing

@testable import Server

/// What peers may take of something there is only so much of.
@Suite struct ShareTests {
    /// Whose turns came, first to last.
    private final class Order: Sendable {
        private let all = Mutex<[UInt32]>([])
        var users: [UInt32] { all.withLock { $0 } }
        func add(_ uid: UInt32) { all.withLock { $0.append(uid) } }
    }

    private static func reader(_ uid: UInt32) -> Standing { Standing(uid: uid, rank: .reader) }
    private static func writer(_ uid: UInt32) -> Standing { Standing(uid: uid, rank: .writer) }
    private static let root = Standing(uid: 0, rank: .owner)

    /// As many of one as are let in.
    private static func fill(_ shares: inout Shares, _ standing: Standing, _ quota: Quota) -> Int {
        var taken = 0
        while shares.bound(1, standing, quota) == nil {
            shares.take(1, standing)
            taken += 1
        }
        return taken
    }

    @Test(
        "any number of users that read leave the half to those that write, those leave something to root",
        arguments: [2, 3, 16, 1_000])
    func ranks(total: Int) {
        let quota = Quota(total)
        var shares = Shares()
        let byReaders = (1...5).map { Self.fill(&shares, Self.reader($0), quota) }
        #expect(byReaders.allSatisfy { $0 <= max(1, total / 4) })
        #expect(byReaders.reduce(0, +) <= max(1, total / 2))
        let before = shares.taken
        let byWriters = (11...15).map { Self.fill(&shares, Self.writer($0), quota) }
        #expect(byWriters.reduce(0, +) >= total - before - max(1, total / 16))
        #expect(Self.fill(&shares, Self.root, quota) >= 1)
        #expect(shares.taken == total)
        // All of it comes back.
        for (number, count) in byReaders.enumerated() {
            shares.giveBack(count, Self.reader(UInt32(number + 1)))
            #expect(shares.of(UInt32(number + 1)) == 0)
        }
        #expect(shares.byReaders == 0)
        #expect(Self.fill(&shares, Self.reader(1), quota) == min(max(1, total / 4), byReaders.reduce(0, +)))
    }

    @Test("users take turns, whatever each has waiting, and one that is given up makes room")
    func turns() async throws {
        let turnstile = Turnstile(width: 1)
        let order = Order()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (began, begin) = AsyncStream.makeStream(of: Void.self)
            group.addTask {
                try await turnstile.run(9) {
                    begin.finish()
                    for await _ in gate {}
                }
            }
            for await _ in began {}
            // Twenty of one user, and then one each of three others: these are not behind the twenty.
            for number in 0..<20 {
                group.addTask { try await turnstile.run(1) { order.add(1) } }
                _ = await waitUntil { turnstile.waitingCount == number + 1 }
            }
            for uid in 2...4 as ClosedRange<UInt32> {
                group.addTask { try await turnstile.run(uid) { order.add(uid) } }
                _ = await waitUntil { turnstile.waitingCount == 19 + Int(uid) }
            }
            let dropped = Task { try await turnstile.run(5) { order.add(5) } }
            _ = await waitUntil { turnstile.waitingCount == 24 }
            dropped.cancel()
            await #expect(throws: CancellationError.self) { try await dropped.value }
            #expect(turnstile.waitingCount == 23)
            open.finish()
            try await group.waitForAll()
        }
        #expect(Array(order.users.prefix(4)).sorted() == [1, 2, 3, 4])
        #expect(order.users.count == 23)
        // Its place is free again.
        #expect(try await turnstile.run { true })
    }

    @Test(
        "a user that has nothing gets a frame in, however much others hold; those that wait come as room is given back")
    func frames() {
        let budget = FrameBudget(Quota(8 << 20), firstFrames: 2 << 20)
        var held: [FrameBudget.Share] = []
        for uid in 1...5 as ClosedRange<UInt32> {
            while let share = budget.take(1 << 20, Self.reader(uid), orWait: {}) { held.append(share) }
        }
        // Four of readers in all, and two first frames of others.
        #expect(held.count == 6)
        let writer = budget.take(2 << 20, Self.writer(11), orWait: {})
        #expect(writer != nil)
        let woken = Atomic(0)
        let waits = budget.take(1 << 20, Self.reader(6)) { woken.add(1, ordering: .relaxed) }
        #expect(waits == nil)
        held.removeAll()
        #expect(woken.load(ordering: .relaxed) == 1)
        #expect(budget.take(1 << 20, Self.reader(6), orWait: {}) != nil)
    }
}
