internal import Domain
internal import Glibc

/// Numbers of a report beside those of `Format`: figures for tables, short words for ticks.
enum Numbers {
    /// Four significant digits, and no exponent from 0.0001 to a million.
    static func figure(_ value: Double) -> String {
        guard value.isFinite else { return "unknown" }
        if value == 0 { return "0" }
        let size = abs(value)
        if size >= 1e6 || size < 1e-4 { return scientific(value) }
        return Format.fixed(value, max(0, 3 - Int(floor(log10(size)))))
    }

    private static func scientific(_ value: Double) -> String {
        let exponent = Int(floor(log10(abs(value))))
        return Format.fixed(value / pow(10, Double(exponent)), 2) + "e\(exponent)"
    }

    /// A count that may not be known.
    static func count(_ value: Int?) -> String { value.map { Format.count($0) } ?? "unknown" }

    /// A cost in a unit of thousands: `1.23 M`.
    static func scaled(_ value: Double, _ unit: String = "") -> String {
        guard value.isFinite else { return "unknown" }
        let steps = ["", "k", "M", "G", "T", "P", "E"]
        let step = value < 1_000 ? 0 : min(steps.count - 1, Int(log10(value) / 3))
        let words = step == 0 && unit.isEmpty ? "" : " " + steps[step] + unit
        return figure(value / pow(1_000, Double(step))) + words
    }

    /// A duration in the unit that suits it.
    static func seconds(_ value: Double) -> String {
        guard value.isFinite else { return "unknown" }
        switch value {
        case ..<1e-3: return figure(value * 1e6) + " µs"
        case ..<1: return figure(value * 1e3) + " ms"
        case ..<120: return figure(value) + " s"
        case ..<7_200: return figure(value / 60) + " min"
        default: return figure(value / 3_600) + " h"
        }
    }

    /// What stands at a tick.
    static func tick(_ value: Double) -> String {
        if abs(value) >= 10_000 { return scaled(value) }
        let text = Format.fixed(value, abs(value) >= 100 ? 0 : 6)
        guard text.contains(".") else { return text }
        let shortened = String(text.reversed().drop { $0 == "0" }.reversed())
        return shortened.hasSuffix(".") ? String(shortened.dropLast()) : shortened
    }
}
