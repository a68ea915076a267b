internal import Glibc
package import Wire
package import Host

/// A peer as limits see it.
package struct Standing: Sendable, Hashable {
    /// Who gives way to whom.
    package enum Rank: Int, Sendable, Comparable, CaseIterable {
        /// May only read.
        case reader
        case writer
        /// Root and the daemon's own user.
        case owner

        package static func < (a: Rank, b: Rank) -> Bool { a.rawValue < b.rawValue }
    }

    package var uid: UInt32
    package var rank: Rank

    package init(uid: UInt32, rank: Rank) {
        (self.uid, self.rank) = (uid, rank)
    }

    /// - Parameter access: what the peer is allowed.
    package init(_ peer: PeerCredentials, _ access: Access) {
        let isOwner = peer.uid == 0 || peer.uid == geteuid()
        self.init(uid: peer.uid, rank: access < .write ? .reader : isOwner ? .owner : .writer)
    }
}

/// How much of something there is, and of it for whom at most: no user takes all, all that only read together leave the half to
/// those that write, and something is left for root and the daemon's own user whatever all others do.
package struct Quota: Sendable, Hashable {
    package var total: Int
    /// Of all that are not root or the daemon's own user.
    package var guests: Int
    /// Of one user that writes.
    package var writer: Int
    /// Of all users together that only read, and of one of them.
    package var readers: Int
    package var reader: Int

    package init(_ total: Int) {
        self.total = total
        guests = total - min(total / 2, max(1, total / 16))
        writer = max(1, total * 3 / 4)
        readers = max(1, total / 2)
        reader = max(1, total / 4)
    }
}

/// What peers have taken of something.
package struct Shares: Sendable {
    /// Whose limit is reached.
    package enum Bound: Hashable, Sendable { case total, guests, readers, user(UInt32) }

    private(set) var taken = 0
    private var byGuests = 0
    private(set) var byReaders = 0
    private var byUser: [UInt32: Int] = [:]

    package init() {}

    func of(_ uid: UInt32) -> Int { byUser[uid, default: 0] }

    /// The limit that so much more would pass, and what is taken of it; nil where there is room.
    package func bound(_ amount: Int, _ standing: Standing, _ quota: Quota) -> (bound: Bound, taken: Int, limit: Int)? {
        if taken + amount > quota.total { return (.total, taken, quota.total) }
        guard standing.rank < .owner else { return nil }
        let own = of(standing.uid)
        let share = standing.rank == .reader ? quota.reader : quota.writer
        if own + amount > share { return (.user(standing.uid), own, share) }
        if standing.rank == .reader, byReaders + amount > quota.readers { return (.readers, byReaders, quota.readers) }
        return byGuests + amount > quota.guests ? (.guests, byGuests, quota.guests) : nil
    }

    /// Takes it, whatever is left.
    package mutating func take(_ amount: Int, _ standing: Standing) { add(amount, standing) }

    package mutating func giveBack(_ amount: Int, _ standing: Standing) { add(-amount, standing) }

    private mutating func add(_ amount: Int, _ standing: Standing) {
        taken += amount
        if standing.rank < .owner { byGuests += amount }
        if standing.rank == .reader { byReaders += amount }
        let own = of(standing.uid) + amount
        byUser[standing.uid] = own == 0 ? nil : own
    }
}
