/// Hashes for tables of this project's own, seeded anew in each process: what a file holds cannot be made to fall on the same places,
/// since whoever wrote it does not know the seeds. Results must not depend on them.
///
/// Words are folded by a full multiplication, as wyhash does: it is paid for every field of a file.
package struct SeededHash: Sendable {
    package let start: UInt64
    /// Odd, so that multiplying loses nothing.
    package let factor: UInt64

    /// The one of this process.
    package static let process = SeededHash(.random(in: .min ... .max), .random(in: .min ... .max))

    package init(_ start: UInt64, _ factor: UInt64) {
        self.start = start
        self.factor = factor | 1
    }

    private func fold(_ a: UInt64) -> UInt64 {
        let (high, low) = a.multipliedFullWidth(by: factor)
        return high ^ low
    }

    package func hash(_ word: UInt64) -> UInt64 { fold(fold(word ^ start) ^ start) }

    /// The last bytes, fewer than 8, as one word; texts of one length have different ones where they differ.
    private static func tail(_ bytes: UnsafeRawBufferPointer, from place: Int) -> UInt64 {
        let count = bytes.count
        switch count - place {
        case 0: return 0
        case 1: return UInt64(bytes[place])
        case 2...3:
            let first = bytes.loadUnaligned(fromByteOffset: place, as: UInt16.self)
            return UInt64(first) << 16 | UInt64(bytes.loadUnaligned(fromByteOffset: count - 2, as: UInt16.self))
        default:
            let first = bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)
            return UInt64(first) << 32 | UInt64(bytes.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
        }
    }

    package func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = start ^ UInt64(truncatingIfNeeded: bytes.count)
        var place = 0
        while place + 8 <= bytes.count {
            hash = fold(hash ^ bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            place += 8
        }
        return fold(fold(hash ^ Self.tail(bytes, from: place)) ^ start)
    }
}
