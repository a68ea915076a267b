/// Turns UTF-16 into UTF-8 as it comes in pieces.
struct UTF16Text {
    let isBigEndian: Bool
    /// The first byte of a unit whose second is still to come.
    private var half: UInt8?
    /// The first unit of a pair whose second is still to come.
    private var high: UInt32?

    init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

    /// Bytes of UTF-8 that a piece of so many bytes makes at most, with what was kept of the piece before.
    static func most(of bytes: Int) -> Int { bytes / 2 * 3 + 9 }

    /// Writes what a piece says; what stands for no character becomes U+FFFD.
    mutating func convert(_ piece: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        func put(_ scalar: UInt32) {
            if scalar < 0x80 {
                target[count] = UInt8(scalar)
                count += 1
                return
            }
            for byte in String(Unicode.Scalar(scalar) ?? "\u{fffd}").utf8 {
                target[count] = byte
                count += 1
            }
        }
        for byte in piece {
            guard let first = half else {
                half = byte
                continue
            }
            half = nil
            let unit = isBigEndian ? UInt32(first) << 8 | UInt32(byte) : UInt32(byte) << 8 | UInt32(first)
            switch (high, unit) {
            case (let pair?, 0xdc00..<0xe000):
                put(0x10000 + (pair - 0xd800) << 10 + (unit - 0xdc00))
                high = nil
            case (_, 0xd800..<0xdc00):
                if high != nil { put(0xfffd) }
                high = unit
            default:
                if high != nil { put(0xfffd) }
                high = nil
                put(unit)
            }
        }
        return count
    }

    /// What is cut at the end of the file.
    mutating func finish(into target: UnsafeMutableRawBufferPointer) -> Int {
        guard half != nil || high != nil else { return 0 }
        (half, high) = (nil, nil)
        for (place, byte) in "\u{fffd}".utf8.enumerated() { target[place] = byte }
        return 3
    }
}
