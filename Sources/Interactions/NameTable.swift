internal import Domain
internal import Glibc

/// Texts numbered in order of first appearance; their bytes lie end to end in one arena.
struct NameTable {
    private var bytes: [UInt8] = []
    /// End of each name in `bytes`.
    private var ends: [Int] = []
    private var hashes: [UInt32] = []
    /// Open addressing; 0 is free, else number + 1.
    private var slots = [Int32](repeating: 0, count: 1 << 12)
    private let hash: SeededHash

    init(hash: SeededHash = .process) { self.hash = hash }

    var count: Int { ends.count }

    /// Bytes that the table takes, room it has taken ahead included.
    var memory: Int { bytes.capacity + 8 * ends.capacity + 4 * (hashes.capacity + slots.count) }

    /// Places in a row that are taken, at most: what looking for a name costs.
    var longestRun: Int {
        var (longest, run) = (0, 0)
        for slot in slots {
            run = slot == 0 ? 0 : run + 1
            longest = max(longest, run)
        }
        return longest
    }

    /// The number of a name, given to it now where it is new.
    mutating func number(of name: UnsafeRawBufferPointer) -> Int32 {
        let short = UInt32(truncatingIfNeeded: hash.hash(name))
        let mask = slots.count - 1
        var slot = Int(short) & mask
        while slots[slot] != 0 {
            let number = Int(slots[slot]) - 1
            if hashes[number] == short, equal(number, name) { return Int32(number) }
            slot = (slot + 1) & mask
        }
        bytes.append(contentsOf: name)
        ends.append(bytes.count)
        hashes.append(short)
        slots[slot] = Int32(ends.count)
        if ends.count * 2 > slots.count { grow() }
        return Int32(ends.count - 1)
    }

    func withBytes<T>(of number: Int, _ body: (UnsafeRawBufferPointer) -> T) -> T {
        let start = number == 0 ? 0 : ends[number - 1]
        let end = ends[number]
        return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
    }

    private func equal(_ number: Int, _ name: UnsafeRawBufferPointer) -> Bool {
        withBytes(of: number) { known in
            guard known.count == name.count, let a = known.baseAddress, let b = name.baseAddress else {
                return known.count == name.count
            }
            return memcmp(a, b, name.count) == 0
        }
    }

    private mutating func grow() {
        slots = [Int32](repeating: 0, count: slots.count * 2)
        let mask = slots.count - 1
        for number in ends.indices {
            var slot = Int(hashes[number]) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(number + 1)
        }
    }
}
