/// Numbers as people read them.
package enum Format {
    /// A number with a fixed count of decimals.
    package static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 9e15 else { return "\(value)" }
        let digits = String(Int(towardZero: scaled))
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        let sign = value < 0 && scaled > 0 ? "-" : ""
        return decimals == 0 ? sign + padded : sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }

    /// A number with three significant digits and no exponent where it is between 0.001 and 10^6.
    package static func short(_ value: Double) -> String {
        let size = abs(value)
        if size == 0 { return "0" }
        if size >= 1e6 || size < 1e-3 { return scientific(value) }
        return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : size >= 0.01 ? 4 : 5)
    }

    /// A number with three significant digits and a power of ten.
    package static func scientific(_ value: Double) -> String {
        guard value.isFinite else { return "\(value)" }
        var mantissa = value
        var exponent = 0
        while abs(mantissa) >= 9.995 {
            mantissa /= 10
            exponent += 1
        }
        while abs(mantissa) < 0.9995 {
            mantissa *= 10
            exponent -= 1
        }
        return fixed(mantissa, 2) + "e\(exponent)"
    }

    /// A whole number with commas between thousands.
    package static func count(_ value: Int) -> String {
        let digits = String(value.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return value < 0 ? "-" + text : text
    }

    package static func count(_ value: Double) -> String { count(Int(nearest: value)) }

    /// A value that is infinite where it is not known.
    package static func known(_ value: Double, _ format: (Double) -> String) -> String {
        value.isFinite ? format(value) : "unknown"
    }

    /// A count that is nil where it is not known.
    package static func known(_ value: Int?) -> String { value.map { count($0) } ?? "unknown" }

    private static func scaled(_ value: Double, step: Double, _ units: [String]) -> String {
        var value = value
        var unit = 0
        // 999.5 would be shown as 1000 of the unit below.
        while abs(value) >= step - 0.5, unit + 1 < units.count {
            value /= step
            unit += 1
        }
        return fixed(value, unit == 0 || abs(value) >= 99.95 ? 0 : abs(value) >= 9.995 ? 1 : 2) + " " + units[unit]
    }

    package static func bytes(_ value: Double) -> String { scaled(value, step: 1_000, ["B", "kB", "MB", "GB", "TB"]) }

    /// A large number in thousands of thousands: `123 k`.
    package static func thousands(_ value: Double) -> String {
        scaled(value, step: 1_000, ["", "k", "M", "G", "T", "P", "E"])
    }

    package static func flops(_ value: Double) -> String {
        scaled(value, step: 1_000, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"])
    }

    /// A data size D'; where nothing recurs, or nothing is left open, tokens over an ApEn of 0 say nothing.
    package static func dataSize(_ value: Double) -> String {
        value < 1e10 ? count(value) : "not meaningful"
    }

    /// A duration: `42 µs`, `1.20 ms`, `4.8 s`, `3 min 12 s`, `2 h 05 min`.
    package static func seconds(_ value: Double) -> String {
        guard value.isFinite else { return "\(value)" }
        if value <= 0 { return "0 s" }
        if value < 0.9995 { return scaled(value * 1e6, step: 1_000, ["µs", "ms"]) }
        if value < 99.95 { return fixed(value, value < 9.95 ? 1 : 0) + " s" }
        let whole = Int(nearest: value)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if whole < 3_600 { return "\(whole / 60) min \(two(whole % 60)) s" }
        if whole < 86_400 { return "\(whole / 3_600) h \(two(whole % 3_600 / 60)) min" }
        return "\(whole / 86_400) d \(two(whole % 86_400 / 3_600)) h"
    }

    /// A quality such as HR@10.
    package static func quality(_ value: Double) -> String { fixed(value, 4) }

    package static func interval(_ interval: Interval) -> String {
        quality(interval.low) + " to " + quality(interval.high)
    }

    package static func share(_ value: Double, decimals: Int = 1) -> String { fixed(value * 100, decimals) + " %" }

    /// A part of something: `12.5 %`, and `6.0 times` where it is more than the whole.
    package static func relative(_ ratio: Double) -> String {
        abs(ratio) <= 1 ? "\(short(ratio * 100)) %" : "\(short(ratio)) times it"
    }

    /// The mean relative error of a prediction; nothing where there is no prediction.
    package static func error(_ score: FoldScore?) -> String {
        score.map { share($0.relativeError, decimals: 2) } ?? ""
    }

    /// Minimum, quartiles and maximum: `min 3, 25 % 5, median 9, 75 % 20, max 80`.
    package static func quartiles(_ values: [Int]) -> String {
        zip(["min", "25 %", "median", "75 %", "max"], values).map { "\($0) \(count($1))" }.joined(separator: ", ")
    }

    /// Layers and dimension in words: `2 layers, dim 64`.
    package static func words(_ configuration: DeclaredConfiguration) -> String {
        "\(configuration.layers) \(configuration.layers == 1 ? "layer" : "layers"), dim \(configuration.dim)"
    }

    /// Layers and dimension: `2 x 64`.
    package static func shape(_ configuration: Configuration) -> String {
        "\(configuration.layers) x \(configuration.dim)"
    }
}
