internal import Domain
internal import Glibc

/// Numbers of a report that `Format` lacks: figures for tables, short words for ticks.
enum Numbers {
    /// Four significant digits, and no exponent from 0.0001 to a million.
    static func figure(_ value: Double) -> String {
        guard value.isFinite else { return "unknown" }
        if value == 0 { return "0" }
        let size = abs(value)
        if size >= 1e6 || size < 1e-4 { return Format.scientific(value) }
        return Format.fixed(value, max(0, 3 - Int(towardZero: floor(log10(size)))))
    }

    /// What stands at a tick.
    static func tick(_ value: Double) -> String {
        if abs(value) >= 10_000 { return Format.thousands(value) }
        let text = Format.fixed(value, abs(value) >= 100 ? 0 : 6)
        guard text.contains(".") else { return text }
        let shortened = String(text.reversed().drop { $0 == "0" }.reversed())
        return shortened.hasSuffix(".") ? String(shortened.dropLast()) : shortened
    }
}
