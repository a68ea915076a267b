/// Sets of columns, 64 to a word.
enum Bits {
    static func words(_ count: Int) -> Int { (count + 63) / 64 }

    static func set(_ range: Range<Int>, in words: inout [UInt64], from first: Int) {
        guard !range.isEmpty else { return }
        let (low, high) = (range.lowerBound >> 6, (range.upperBound - 1) >> 6)
        let left = UInt64.max << UInt64(range.lowerBound & 63)
        let right = UInt64.max >> UInt64(63 - (range.upperBound - 1) & 63)
        if low == high {
            words[first + low] |= left & right
        } else {
            words[first + low] |= left
            for word in low + 1..<high { words[first + word] = .max }
            words[first + high] |= right
        }
    }

    @inline(__always)
    static func each(_ word: UInt64, _ place: Int, _ body: (Int) -> Void) {
        var left = word
        while left != 0 {
            body(place << 6 + left.trailingZeroBitCount)
            left &= left - 1
        }
    }
}
