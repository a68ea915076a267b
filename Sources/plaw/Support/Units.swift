import ArgumentParser
import Domain
import Wire

/// A value of an option that says what it expects where a text is none: `@Option(transform: Count.parse)`.
protocol OptionValue: Sendable {
    static var expected: String { get }
    init?(argument: String)
}

extension OptionValue {
    /// - Throws: `ValidationError` with what is expected; the parser names the option and the text.
    static func parse(_ text: String) throws -> Self {
        guard let value = Self(argument: text) else { throw ValidationError("expected \(expected)") }
        return value
    }
}

/// A positive number with an optional unit: `2M`, `1.5 GiB`, `1e12`.
protocol Quantity: OptionValue {
    static var units: [String: Double] { get }
    static var most: Double { get }
    init(value: Double)
}

extension Quantity {
    static var most: Double { .greatestFiniteMagnitude }

    /// Nil where it is no number above 0 with one of the units.
    init?(argument: String) {
        let trimmed = argument.drop { $0 == " " }
        // An exponent's e belongs to the number only when digits follow it, so units are split off from the end.
        let unit = String(trimmed.reversed().prefix { !$0.isNumber && $0 != "." && $0 != " " }.reversed())
        let number = trimmed.dropLast(unit.count).filter { $0 != " " && $0 != "_" && $0 != "," }
        guard let factor = unit.isEmpty ? 1 : Self.units[unit], let value = Double(number).map({ $0 * factor }),
            value > 0, value <= Self.most
        else { return nil }
        self.init(value: value)
    }
}

/// `2M`: k, M, G (or B), T.
struct Count: Quantity {
    var value: Double

    static let expected = "a number above 0 such as 500k, 2M or 5e12"
    static let units = ["k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12, "P": 1e15, "E": 1e18]
}

/// `200MB`: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB.
struct Bytes: Quantity {
    var value: Double

    static let expected = "a size above 0 such as 200MB or 1GiB"
    static let units: [String: Double] = [
        "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9,
        "KiB": 1_024, "MiB": 1_048_576, "GiB": 1_073_741_824, "TiB": 1_099_511_627_776,
    ]
}

/// `5ms`, `10m`: us, ms, s, m (or min), h, d; seconds without a unit.
struct Seconds: Quantity {
    var value: Double

    static let expected = "a duration above 0 such as 5ms, 10m or 2h"
    static let units: [String: Double] = [
        "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400,
    ]
}

/// `1%` or `0.01`.
struct Share: Quantity {
    var value: Double

    static let expected = "a share above 0, at most 1, such as 1% or 0.01"
    static let units = ["%": 0.01]
    static let most = 1.0
}

/// Any number but those that JSON does not have: `0.5`, `1e-3`.
struct Number: OptionValue {
    var value: Double

    static let expected = "a number such as 0.5 or 1e-3"

    init?(argument: String) {
        guard let value = Double(argument), value.isFinite else { return nil }
        self.value = value
    }
}

/// `2,4,8`, `2..8`, `16..256:16`, and several of these: whole numbers, each 1 or more, in order and once.
struct Choices: OptionValue {
    let values: [Int]

    static let expected = "numbers and ranges such as 2,4,8 or 2..8 or 16..256:16, at most \(most) values"
    static let most = 4_096

    init?(argument: String) {
        var found: Set<Int> = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let ends = pair[0].split(separator: "..", omittingEmptySubsequences: false).map { Int($0) }
            let step = pair.count == 2 ? Int(pair[1]) : 1
            guard let step, step > 0, let first = ends[0], let last = ends[ends.count - 1], ends.count <= 2, first > 0,
                first <= last, pair.count == 1 || ends.count == 2, (last - first) / step < Self.most
            else { return nil }
            found.formUnion(stride(from: first, through: last, by: step))
        }
        guard (1...Self.most).contains(found.count) else { return nil }
        values = found.sorted()
    }
}

/// Layers and dimension: `2x64`.
struct ShapeArgument: OptionValue {
    let shape: ShapeParam

    static let expected = "layers and dimension such as 2x64"

    init?(argument: String) {
        let numbers = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let layers = numbers[0], let dim = numbers[1], layers > 0, dim > 0 else { return nil }
        shape = ShapeParam(layers: layers, dim: dim)
    }
}

/// `user=uid,item=sku,time=ts`, or `items` for a column of lists: which column holds what; names or zero-based numbers.
struct Columns: OptionValue {
    var values: [String: String] = [:]

    static let expected =
        "roles and columns such as user=uid,item=sku,time=ts, of \(ReadOptions.roles.joined(separator: ", "))"

    init?(argument: String) {
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard pair.count == 2, ReadOptions.roles.contains(pair[0]), !pair[1].isEmpty,
                values[pair[0]] == nil
            else { return nil }
            values[pair[0]] = pair[1]
        }
    }
}

extension Metric: OptionValue {
    package init?(argument: String) { self.init(argument) }
}

extension Backbone: ExpressibleByArgument {}
extension Loss: ExpressibleByArgument {}
extension RateSchedule: ExpressibleByArgument {}
extension Recipe: ExpressibleByArgument {}
extension WidthRule: ExpressibleByArgument {}
extension Model: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension CalibrationGrid: ExpressibleByArgument {}
extension CandidateMask: ExpressibleByArgument {}
extension ReadOptions.Deduplication: ExpressibleByArgument {}
extension ReadOptions.Order: ExpressibleByArgument {}
extension ReadOptions.DayOrder: ExpressibleByArgument {}

extension LawFamily: ExpressibleByArgument {}
