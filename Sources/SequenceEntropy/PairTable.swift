internal import Domain

/// Numbers for pairs (a, b) of small integers in order of first appearance, by open addressing.
struct PairTable {
    private var keys: [UInt64]
    private var values: [Int32]
    private(set) var count = 0

    private let start: UInt64
    private let factor: UInt64

    private static let free = UInt64.max

    init(capacity: Int, hash: SeededHash = .process) {
        (start, factor) = (hash.start, hash.factor)
        var size = 64
        while size < capacity * 2 { size *= 2 }
        keys = [UInt64](repeating: Self.free, count: size)
        values = [Int32](repeating: 0, count: size)
    }

    /// Written out here, where the compiler sees it: it is asked for every item several times.
    private func place(of key: UInt64) -> Int {
        let (high, low) = (key ^ start).multipliedFullWidth(by: factor)
        return Int(truncatingIfNeeded: high ^ low)
    }

    /// The number of a pair, given to it now where it is new; `isNew` says so.
    mutating func number(_ a: Int32, _ b: Int32) -> (number: Int32, isNew: Bool) {
        let key = UInt64(UInt32(bitPattern: a)) << 32 | UInt64(UInt32(bitPattern: b))
        let mask = keys.count - 1
        var slot = place(of: key) & mask
        while keys[slot] != Self.free {
            if keys[slot] == key { return (values[slot], false) }
            slot = (slot + 1) & mask
        }
        keys[slot] = key
        values[slot] = Int32(count)
        count += 1
        if count * 2 > keys.count { grow() }
        return (Int32(count - 1), true)
    }

    /// Places in a row that are taken, at most: what looking for a pair costs.
    var longestRun: Int {
        var (longest, run) = (0, 0)
        for key in keys {
            run = key == Self.free ? 0 : run + 1
            longest = max(longest, run)
        }
        return longest
    }

    mutating func removeAll() {
        for slot in keys.indices { keys[slot] = Self.free }
        count = 0
    }

    private mutating func grow() {
        let (oldKeys, oldValues) = (keys, values)
        keys = [UInt64](repeating: Self.free, count: oldKeys.count * 2)
        values = [Int32](repeating: 0, count: oldKeys.count * 2)
        let mask = keys.count - 1
        for (key, value) in zip(oldKeys, oldValues) where key != Self.free {
            var slot = place(of: key) & mask
            while keys[slot] != Self.free { slot = (slot + 1) & mask }
            keys[slot] = key
            values[slot] = value
        }
    }
}
