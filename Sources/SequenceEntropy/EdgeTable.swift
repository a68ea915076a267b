internal import Domain

/// The edges of a tree that grows: from a node by an item to the next node, which is numbered when the edge is first taken.
///
/// Nodes are numbered from 1 in order of appearance; 0 is the root. An edge takes 8 bytes, and 4 to 8 more of the table that finds it:
/// a slot holds the number of the node that the edge leads to and, in the bits that are left, some of its hash, so that other edges are
/// rarely looked at.
struct EdgeTable {
    /// Of node n at n - 1: where it comes from, in the upper half, and by which item.
    private var edges: [UInt64] = []
    /// 0 is free; else the node in the lower bits, and some bits of its hash above.
    private var slots: [UInt32]
    private var nodeBits: UInt32

    private let start: UInt64
    private let factor: UInt64

    /// - Parameter most: edges that there may be; their room is taken when they come.
    init(most: Int, hash: SeededHash = .process) {
        (start, factor) = (hash.start, hash.factor)
        edges.reserveCapacity(most)
        var size = 64
        while size < min(most / 4, 1 << 22) { size *= 2 }
        slots = [UInt32](repeating: 0, count: size)
        nodeBits = Self.bits(of: size)
    }

    var count: Int { edges.count }

    /// Bits of the largest node of a table of that size.
    private static func bits(of size: Int) -> UInt32 { UInt32(size.trailingZeroBitCount) }

    /// Written out here, where the compiler sees it: it is asked for every item several times.
    private func hash(_ key: UInt64) -> UInt64 {
        let (high, low) = (key ^ start).multipliedFullWidth(by: factor)
        return high ^ low
    }

    /// Where an edge leads, which is new where `isNew` says so.
    mutating func next(_ node: Int32, _ item: Int32) -> (node: Int32, isNew: Bool) {
        let key = UInt64(UInt32(bitPattern: node)) << 32 | UInt64(UInt32(bitPattern: item))
        let hash = hash(key)
        let mask = slots.count - 1
        let tag = UInt32(truncatingIfNeeded: hash >> 40) << nodeBits
        let nodeMask: UInt32 = 1 << nodeBits - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            let found = slots[slot]
            if found & ~nodeMask == tag {
                let place = Int(found & nodeMask) - 1
                if edges[place] == key { return (Int32(place + 1), false) }
            }
            slot = (slot + 1) & mask
        }
        edges.append(key)
        slots[slot] = tag | UInt32(edges.count)
        // Seven of ten slots are taken at most.
        if edges.count * 10 > slots.count * 7 { grow() }
        return (Int32(edges.count), true)
    }

    private mutating func grow() {
        let size = slots.count * 2
        slots = []
        slots = [UInt32](repeating: 0, count: size)
        nodeBits = Self.bits(of: size)
        let mask = size - 1
        for place in edges.indices {
            let hash = hash(edges[place])
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(truncatingIfNeeded: hash >> 40) << nodeBits | UInt32(place + 1)
        }
    }

    /// Places in a row that are taken, at most: what looking for an edge costs.
    var longestRun: Int {
        var (longest, run) = (0, 0)
        for slot in slots {
            run = slot == 0 ? 0 : run + 1
            longest = max(longest, run)
        }
        return longest
    }
}
