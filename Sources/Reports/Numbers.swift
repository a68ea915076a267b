internal import Glibc

/// Numbers of a report: figures for tables, short words for ticks.
enum Numbers {
    /// Four significant digits, and no exponent from 0.0001 to a million.
    static func figure(_ value: Double) -> String {
        guard value.isFinite else { return "unknown" }
        if value == 0 { return "0" }
        let size = abs(value)
        if size >= 1e6 || size < 1e-4 { return scientific(value) }
        return decimals(value, max(0, 3 - Int(floor(log10(size)))))
    }

    /// Metrics, with four decimals.
    static func quality(_ value: Double) -> String { decimals(value, 4) }

    static func decimals(_ value: Double, _ count: Int) -> String {
        let scale = pow(10, Double(count))
        guard value.isFinite, abs(value) * scale < 9e15 else { return "\(value)" }
        let digits = String(Int((abs(value) * scale).rounded()))
        let padded = String(repeating: "0", count: max(0, count + 1 - digits.count)) + digits
        let sign = value < 0 && digits.contains { $0 != "0" } ? "-" : ""
        return sign + (count == 0 ? padded : padded.dropLast(count) + "." + padded.suffix(count))
    }

    private static func scientific(_ value: Double) -> String {
        let exponent = Int(floor(log10(abs(value))))
        return decimals(value / pow(10, Double(exponent)), 2) + "e\(exponent)"
    }

    /// Whole numbers with commas between thousands.
    static func count(_ value: Int) -> String {
        var text = ""
        for (place, digit) in String(value.magnitude).enumerated().map({ ($0, $1) }) {
            if place > 0, (String(value.magnitude).count - place) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return value < 0 ? "-" + text : text
    }

    static func count(_ value: Int?) -> String { value.map { count($0) } ?? "unknown" }

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
        let text = decimals(value, abs(value) >= 100 ? 0 : 6)
        guard text.contains(".") else { return text }
        let shortened = String(text.reversed().drop { $0 == "0" }.reversed())
        return shortened.hasSuffix(".") ? String(shortened.dropLast()) : shortened
    }
}
