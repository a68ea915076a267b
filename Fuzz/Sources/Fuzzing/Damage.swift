internal import Domain

/// Damage to inputs as a fuzzer does it, the same for the same seed.
package struct Damage: RandomNumberGenerator {
    private var random: SplitMix64

    package init(seed: UInt64) { random = SplitMix64(seed: seed) }

    private static let words: [[UInt8]] = [
        [0], [255], [0x7f, 0xff, 0xff, 0xff], Array("-9223372036854775808".utf8), Array("1e999".utf8), Array("\"".utf8),
        Array("{\"a\":[".utf8), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [0x1f, 0x8b], [13, 10],
    ]

    /// Numbers at which arithmetic ends.
    private static let numbers = [
        "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615",
        "4611686018427387904",
        "4294967296", "2147483648", "1000000000", "65536", "4096", "128", "64", "2", "1", "0", "-1", "-0", "0.5",
        "0.9999999999999999", "1e-320", "1e18", "1e19", "1e30", "1e308", "-1e308", "1e999",
    ].map { Array($0.utf8) }

    package mutating func next() -> UInt64 { random.next() }

    /// Changes some bytes: bits, whole words, pieces, and in text the numbers, so that what reads them gets to see them.
    package mutating func damage(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let place = Int(next() % UInt64(bytes.count))
        let end = min(bytes.count, place + 1 + Int(next() % 16))
        switch next() % 8 {
        case 0: bytes[place] ^= 1 << (next() % 8)
        case 1: bytes[place] = UInt8(truncatingIfNeeded: next())
        case 2:
            bytes.replaceSubrange(
                place..<min(bytes.count, place + 4), with: Self.words[Int(next() % UInt64(Self.words.count))])
        case 3: bytes.insert(contentsOf: bytes[place..<end], at: Int(next() % UInt64(bytes.count)))
        case 4: bytes.removeSubrange(place..<end)
        default: replaceNumber(&bytes, after: place)
        }
    }

    /// The first number from a place on becomes another; nothing changes where there is none.
    private mutating func replaceNumber(_ bytes: inout [UInt8], after place: Int) {
        func isPart(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || [43, 45, 46, 69, 101].contains(byte)
        }
        func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        guard let digit = bytes[place...].firstIndex(where: isDigit) else { return }
        let start = bytes[..<digit].lastIndex { !isPart($0) }.map { $0 + 1 } ?? 0
        let end = bytes[digit...].firstIndex { !isPart($0) } ?? bytes.count
        bytes.replaceSubrange(start..<end, with: Self.numbers[Int(next() % UInt64(Self.numbers.count))])
    }
}
