/// Which elements dropout keeps: a pure function of a stream and a counter, so that the backward pass, a resumed run and
/// every instruction set decide alike.
///
/// The counter (modulo 2^32) is spread by an odd factor, combined with both halves of the stream, and mixed by two rounds
/// of multiply and shift; an element is kept when the result is at least `threshold(rate)`.
package enum Dropout {
    /// Values below this are dropped: rate * 2^32.
    package static func threshold(_ rate: Float) -> UInt32 {
        rate <= 0 ? 0 : UInt32(min(Double(rate) * 4_294_967_296, 4_294_967_295))
    }

    /// Whether the element at `counter` is kept.
    package static func keeps(_ stream: UInt64, _ counter: UInt64, threshold: UInt32) -> Bool {
        var z = (UInt32(truncatingIfNeeded: counter) &* 0x9e37_79b1) ^ UInt32(truncatingIfNeeded: stream)
        z = z &+ UInt32(truncatingIfNeeded: stream >> 32)
        z ^= z >> 16
        z = z &* 0x7feb_352d
        z ^= z >> 15
        z = z &* 0x846c_a68b
        z ^= z >> 16
        return z >= threshold
    }
}
