package import Domain
internal import Interactions
internal import Glibc

/// Pooled ApEn: templates of all users together, exact equality, never crossing from one user to the next.
///
/// It is the plug-in conditional entropy of the next item given the last m, in nats:
/// (1/n) (Σ_context c ln c - Σ_(context, next) c ln c), over the n positions that have both.
/// The bias-corrected value adds the Miller-Madow term (K_joint - K_context) / 2n of both entropies.
package struct PooledApEn {
    /// Computes it for m = 0 to `longest`, in one pass over ever fewer positions.
    ///
    /// Positions are kept in groups of the same context. What follows each group's positions counts the pairs of context and
    /// next item, and cuts the group into the groups of the next m. A context that occurs once adds c ln c = 0 and stays
    /// alone for every longer m, so its position is dropped: O(interactions) for each m at most, and less and less in
    /// practice. Memory: 4 bytes a position and, for each context that recurs, 4 more; 8 an item.
    ///
    /// - Parameter items: the items of all users, as numbers below `itemCount`; fewer than 2^31.
    /// - Parameter users: where each user's items lie, ascending; what lies between is left out.
    /// - Parameter checkStop: called every some thousand positions; what it throws ends the work.
    package static func measure(
        upTo longest: Int, items: UnsafeBufferPointer<Int32>, itemCount: Int, users: some Sequence<Range<Int>>,
        checkStop: () throws -> Void = {}
    ) rethrows -> [EntropyReport.Pooled] {
        precondition(items.count < 1 << 31, "positions are numbered with 32 bits")
        var refinement = Refinement(items: items, itemCount: itemCount, users: Array(users))
        return try (0...longest).map { try refinement.next(last: $0 == longest, checkStop) }
    }

    /// Of some users of a corpus.
    package static func measure(
        upTo longest: Int, _ part: CorpusPart, checkStop: () throws -> Void = {}
    ) rethrows -> [EntropyReport.Pooled] {
        try measure(
            upTo: longest, items: part.corpus.allItems, itemCount: part.corpus.itemCount, users: part.users,
            checkStop: checkStop)
    }
}

/// How often counts occur, so that Σ c ln c does not depend on the order in which they were found.
private struct CountHistogram {
    private var small = [Int](repeating: 0, count: 1 << 12)
    private var large: [Int: Int] = [:]
    private(set) var total = 0
    var singletons: Int { small[1] }

    mutating func add(_ count: Int, times: Int = 1) {
        total += times
        if count < small.count { small[count] += times } else { large[count, default: 0] += times }
    }

    var weightedLogSum: Double {
        func term(_ count: Int, _ times: Int) -> Double { Double(times) * Double(count) * log(Double(count)) }
        let low = small.indices.dropFirst(2).reduce(0.0) { $0 + (small[$1] > 0 ? term($1, small[$1]) : 0) }
        return large.sorted { $0.key < $1.key }.reduce(low) { $0 + term($1.key, $1.value) }
    }
}

/// The positions that share their context with another one, for one m after the other.
private struct Refinement {
    private let items: UnsafeBufferPointer<Int32>
    private let itemCount: Int
    private let users: [Range<Int>]
    /// Bit p is set where a user's items end before p: nothing follows the context that ends there.
    private var ends: [UInt64]
    private var m = 0
    /// Positions of the next items, group by group; empty before m = 1.
    private var positions: [UInt32] = []
    private var groups: [UInt32] = []

    init(items: UnsafeBufferPointer<Int32>, itemCount: Int, users: [Range<Int>]) {
        self.items = items
        self.itemCount = itemCount
        self.users = users
        ends = [UInt64](repeating: 0, count: items.count / 64 + 1)
        for user in users { ends[user.upperBound >> 6] |= 1 << UInt64(user.upperBound & 63) }
    }

    /// Measures for the present m and goes on to the next, unless it was the last.
    mutating func next(last: Bool, _ checkStop: () throws -> Void) rethrows -> EntropyReport.Pooled {
        try checkStop()
        var contexts = CountHistogram()
        var pairs = CountHistogram()
        let n = users.reduce(0) { $0 + max(0, $1.count - m) }
        if m == 0 {
            if n > 0 { contexts.add(n) }
            begin(&pairs, last: last)
        } else {
            for group in groups { contexts.add(Int(group)) }
            let alone = n - positions.count
            contexts.add(1, times: alone)
            pairs.add(1, times: alone)
            try refine(&pairs, last: last, checkStop)
        }
        defer { m += 1 }
        guard n > 0 else { return EntropyReport.Pooled(m: m, value: 0, biasCorrected: 0, singletonShare: 0) }
        let value = max(0, (contexts.weightedLogSum - pairs.weightedLogSum) / Double(n))
        return EntropyReport.Pooled(
            m: m, value: value, biasCorrected: value + Double(pairs.total - contexts.total) / (2 * Double(n)),
            singletonShare: Double(contexts.singletons) / Double(contexts.total))
    }

    /// m = 0: all positions have the same context, and those after the same item form a group.
    private mutating func begin(_ pairs: inout CountHistogram, last: Bool) {
        var counts = [UInt32](repeating: 0, count: itemCount)
        var followed = [UInt32](repeating: 0, count: itemCount)
        for user in users {
            for position in user { counts[Int(items[position])] += 1 }
            if let end = user.last { followed[Int(items[end])] += 1 }
        }
        // Until here the number of users that end with the item.
        for item in 0..<itemCount where counts[item] > 0 {
            pairs.add(Int(counts[item]))
            followed[item] = counts[item] - followed[item]
        }
        if last { return }
        var place = 0
        for item in 0..<itemCount {
            let group = followed[item]
            // From here on the place of the item's next position.
            counts[item] = group > 1 ? UInt32(place) : .max
            if group > 1 {
                groups.append(group)
                place += Int(group)
            }
        }
        positions = [UInt32](unsafeUninitializedCapacity: place) { buffer, initialized in
            counts.withUnsafeMutableBufferPointer { places in
                for user in users {
                    for position in user.dropLast() {
                        let item = Int(items[position])
                        if places[item] == .max { continue }
                        buffer[Int(places[item])] = UInt32(position + 1)
                        places[item] += 1
                    }
                }
            }
            initialized = place
        }
    }

    /// Cuts every group by the next item. Positions are rewritten in place: what is left of a group is never longer.
    private mutating func refine(
        _ pairs: inout CountHistogram, last: Bool, _ checkStop: () throws -> Void
    ) rethrows {
        var counter = NextItems(itemCount: itemCount, largest: Int(groups.max() ?? 0))
        var (read, written) = (0, 0)
        var next: [UInt32] = []
        var checked = 0
        try positions.withUnsafeMutableBufferPointer { positions in
            try ends.withUnsafeBufferPointer { ends in
                for size in groups {
                    if read - checked > 1 << 16 {
                        checked = read
                        try checkStop()
                    }
                    counter.count(positions[read..<read + Int(size)], items, ends)
                    read += Int(size)
                    counter.addCounts(to: &pairs)
                    if !last { counter.cut(into: positions, from: &written, groups: &next) }
                    counter.clear()
                }
            }
        }
        positions.removeLast(positions.count - written)
        groups = next
    }
}

/// Counts what follows the positions of one group.
private struct NextItems {
    /// Occurrences of an item after the group, and in the upper half those that something follows in turn. Later the place of
    /// the next such position.
    private var counts: [UInt64]
    private var touched: [Int32] = []
    /// Copy of the group: positions, next items with a bit for those that nothing follows.
    private var places: [UInt32]
    private var nexts: [UInt32]
    private var size = 0

    init(itemCount: Int, largest: Int) {
        counts = [UInt64](repeating: 0, count: itemCount)
        places = [UInt32](repeating: 0, count: largest)
        nexts = places
    }

    private static let followed: UInt64 = 1 << 32
    private static let endBit: UInt32 = 1 << 31

    mutating func count(
        _ group: Slice<UnsafeMutableBufferPointer<UInt32>>, _ items: UnsafeBufferPointer<Int32>,
        _ ends: UnsafeBufferPointer<UInt64>
    ) {
        size = group.count
        // Read first, counted after: reads from all over the corpus do not wait for each other then.
        let group = UnsafeMutableBufferPointer(rebasing: group)
        for i in 0..<size {
            let position = group[i]
            let after = Int(position) + 1
            let ends = ends[after >> 6] >> UInt64(after & 63) & 1 != 0
            places[i] = position
            nexts[i] = UInt32(bitPattern: items[Int(position)]) | (ends ? Self.endBit : 0)
        }
        for i in 0..<size {
            let item = Int(nexts[i] & ~Self.endBit)
            if counts[item] == 0 { touched.append(Int32(item)) }
            counts[item] &+= nexts[i] & Self.endBit == 0 ? 1 | Self.followed : 1
        }
    }

    func addCounts(to pairs: inout CountHistogram) {
        for item in touched { pairs.add(Int(counts[Int(item)] & 0xffff_ffff)) }
    }

    /// Writes the positions of the next m from `written` on, group by group; uses up the counts.
    mutating func cut(
        into positions: UnsafeMutableBufferPointer<UInt32>, from written: inout Int, groups: inout [UInt32]
    ) {
        for item in touched {
            let followed = Int(counts[Int(item)] >> 32)
            counts[Int(item)] = followed > 1 ? UInt64(written) : .max
            guard followed > 1 else { continue }
            groups.append(UInt32(followed))
            written += followed
        }
        for i in 0..<size where nexts[i] & Self.endBit == 0 {
            let item = Int(nexts[i])
            if counts[item] == .max { continue }
            positions[Int(counts[item])] = places[i] + 1
            counts[item] += 1
        }
    }

    /// Forgets the group.
    mutating func clear() {
        for item in touched { counts[Int(item)] = 0 }
        touched.removeAll(keepingCapacity: true)
    }
}
