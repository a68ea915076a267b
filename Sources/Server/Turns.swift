internal import Wire
internal import Synchronization

/// Lets so many do something at once; others wait, and users take turns.
package final class Turnstile: Sendable {
    private struct Waiting {
        let number: UInt64
        let begin: CheckedContinuation<Bool, Never>
    }

    private struct Table {
        var running = 0
        var number: UInt64 = 0
        var waiting: [UInt32: [Waiting]] = [:]
        /// Users with something that waits, whose turn is next first.
        var users: [UInt32] = []
        /// Given up before they came to wait.
        var dropped: Set<UInt64> = []

        mutating func add(_ one: Waiting, _ uid: UInt32) {
            if waiting[uid] == nil { users.append(uid) }
            waiting[uid, default: []].append(one)
        }

        /// The next to begin; its user goes to the end.
        mutating func next() -> Waiting? {
            guard let uid = users.first, let one = waiting[uid]?.first else { return nil }
            users.removeFirst()
            waiting[uid]?.removeFirst()
            if waiting[uid]?.isEmpty == true { waiting[uid] = nil } else { users.append(uid) }
            return one
        }

        mutating func drop(_ number: UInt64, _ uid: UInt32) -> Waiting? {
            guard let place = waiting[uid]?.firstIndex(where: { $0.number == number }) else { return nil }
            let one = waiting[uid]?.remove(at: place)
            if waiting[uid]?.isEmpty == true {
                waiting[uid] = nil
                users.removeAll { $0 == uid }
            }
            return one
        }
    }

    private let width: Int
    private let table = Mutex(Table())

    /// - Parameter width: how many at once.
    package init(width: Int) { self.width = width }

    /// How many wait.
    var waitingCount: Int { table.withLock { $0.waiting.values.reduce(0) { $0 + $1.count } } }

    /// Calls `body` when it is the user's turn.
    ///
    /// - Throws: `CancellationError` when its task is cancelled while it waits.
    package func run<T>(
        _ uid: UInt32 = 0, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
    ) async throws -> T {
        // Most find a place at once, and need nothing to wait with.
        let isFree = table.withLock { table in
            guard table.running < width else { return false }
            table.running += 1
            return true
        }
        if !isFree { try await wait(uid) }
        defer { end() }
        return try await body()
    }

    private func wait(_ uid: UInt32) async throws {
        let number = table.withLock { table in
            table.number += 1
            return table.number
        }
        let began = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = table.withLock { table in
                    if table.dropped.remove(number) != nil { return false }
                    guard table.running >= width else {
                        table.running += 1
                        return true
                    }
                    table.add(Waiting(number: number, begin: continuation), uid)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            table.withLock { table in
                let one = table.drop(number, uid)
                if one == nil { table.dropped.insert(number) }
                return one
            }?.begin.resume(returning: false)
        }
        // A cancellation that came after the turn left its mark.
        table.withLock { _ = $0.dropped.remove(number) }
        guard began else { throw CancellationError() }
    }

    private func end() {
        table.withLock { table in
            let next = table.next()
            // Whoever is next takes the place.
            if next == nil { table.running -= 1 }
            return next
        }?.begin.resume(returning: true)
    }
}

/// Lets so many requests compute at once, of each rank of peers in a lane of its own: whatever those ask for that only read, whoever writes
/// waits for none of them, and what takes long waits beside what does not.
struct Turns: Sendable {
    private struct Lane: Hashable {
        var rank: Standing.Rank
        var effort: Effort
    }

    private let lanes: [Lane: Turnstile]

    /// - Parameter cores: those of the machine.
    init(cores: Int) {
        var lanes: [Lane: Turnstile] = [:]
        for rank in Standing.Rank.allCases {
            // What reads the disk computes little: more than there are cores.
            lanes[Lane(rank: rank, effort: .brief)] = Turnstile(width: rank == .reader ? max(2, cores) : 4 * cores)
            lanes[Lane(rank: rank, effort: .long)] = Turnstile(width: rank == .reader ? max(1, cores / 4) : cores)
        }
        self.lanes = lanes
    }

    /// Calls `body` when it is the peer's turn.
    ///
    /// - Throws: `CancellationError` when its task is cancelled while it waits.
    func run<T>(_ standing: Standing, _ effort: Effort, _ body: () async throws -> T) async throws -> T {
        guard let lane = lanes[Lane(rank: standing.rank, effort: effort)] else { return try await body() }
        return try await lane.run(standing.uid, body)
    }
}
