internal import Domain

/// Random numbers as a pure function of a key and a counter, so that a resumed run draws what an uninterrupted one draws.
package struct RandomStream: RandomNumberGenerator, Sendable {
    /// What the numbers are for; keeps the streams of one seed apart.
    package enum Purpose: UInt64, Sendable {
        case weights = 1
        case order, dropout, negatives, synthetic, candidates
    }

    package let key: UInt64
    package var counter: UInt64 = 0

    package init(seed: UInt64, _ purpose: Purpose, _ index: UInt64 = 0) {
        key = SplitMix64.mix(SplitMix64.mix(SplitMix64.mix(seed) &+ purpose.rawValue) &+ index)
    }

    package mutating func next() -> UInt64 {
        counter &+= 1
        return SplitMix64.mix(key &+ counter &* 0x9e37_79b9_7f4a_7c15)
    }

    /// Uniform in [0, 1).
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Uniform below `bound`, by the high half of a product; the bias is below bound / 2^64.
    package mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }
}
