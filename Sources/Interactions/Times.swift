internal import Domain

/// How a time column is written.
enum TimeUnit: String {
    case seconds, milliseconds, microseconds, nanoseconds, date

    /// The unit in which numbers of this size are plausible times (1973 to 2603), by magnitude.
    static func of(magnitude: Int64) -> TimeUnit? {
        switch magnitude.magnitude {
        case 100_000_000..<20_000_000_000: .seconds
        case 100_000_000_000..<20_000_000_000_000: .milliseconds
        case 100_000_000_000_000..<20_000_000_000_000_000: .microseconds
        case 100_000_000_000_000_000...: .nanoseconds
        default: nil
        }
    }

    /// The unit in which a number is a time of 1995 to 2034: what a column may be taken for without being called a time.
    static func recent(_ value: Int64) -> TimeUnit? {
        let years: Range<Int64> = 788_918_400..<2_051_222_400
        let units: [(TimeUnit, Int64)] = [
            (.seconds, 1), (.milliseconds, 1_000), (.microseconds, 1_000_000), (.nanoseconds, 1_000_000_000),
        ]
        return units.first { years.contains(value / $0.1) }?.0
    }

    /// Parts of the unit that are kept while rows are sorted: fractions of a second decide the order and are not stored.
    var scale: Int64 {
        switch self {
        case .seconds, .date: 1_000_000
        case .milliseconds: 1_000
        case .microseconds, .nanoseconds: 1
        }
    }
}

/// How the texts of one column are read as times.
struct TimeForm {
    var unit: TimeUnit
    /// Of dates whose year comes last.
    var order: DayOrder?

    /// A time in parts of its unit; nil for what is none.
    func read(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard unit == .date else { return parseDecimal(text, scale: unit.scale) }
        guard let date = DateText(text, order) else { return nil }
        // A month of thirteen says that this date has the other order than those that decided.
        if order == .dmy && date.evidence == .monthFirst || order == .mdy && date.evidence == .dayFirst { return nil }
        return date.microseconds
    }

    /// Parts of the unit in a second.
    var partsOfSecond: Int64 { unit == .nanoseconds ? 1_000_000_000 : 1_000_000 }

    /// A time as people read it: the date where it is one, else the number.
    func words(_ time: Int64) -> String {
        let (seconds, rest) = time.quotientAndFloor(by: partsOfSecond)
        // Of small numbers nobody knows the unit.
        guard unit == .date || TimeUnit.of(magnitude: time / unit.scale) != nil else {
            return String(time / unit.scale)
        }
        return CivilTime(seconds: seconds).description
            + (rest == 0 ? "" : "." + String(String(partsOfSecond + rest).dropFirst()).trimmedZeros) + " UTC"
    }
}

/// A moment in the calendar.
struct CivilTime: CustomStringConvertible {
    private let (year, month, day, second): (Int64, Int64, Int64, Int64)

    init(seconds: Int64) {
        let (days, second) = seconds.quotientAndFloor(by: 86_400)
        self.second = second
        // Days to the civil calendar, with the year beginning in March so that leap days come last.
        let (era, dayOfEra) = (days + 719_468).quotientAndFloor(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// `2014-01-02`.
    var date: String { "\(year)-\(Self.two(month))-\(Self.two(day))" }

    var description: String {
        "\(date) \(Self.two(second / 3_600)):\(Self.two(second / 60 % 60)):\(Self.two(second % 60))"
    }

    private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension Int64 {
    /// The quotient, rounded down, and what is left.
    fileprivate func quotientAndFloor(by divisor: Int64) -> (quotient: Int64, rest: Int64) {
        let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? (quotient - 1, rest + divisor) : (quotient, rest)
    }
}

extension String {
    /// Digits of a fraction without zeros at the end.
    fileprivate var trimmedZeros: String { last == "0" ? String(dropLast()).trimmedZeros : self }
}

/// Reads `-12`, `12.5`, `1.2623e9` times `scale`; digits beyond are cut off. Nil for anything else, and for what 64 bits do not hold.
func parseDecimal(_ text: UnsafeRawBufferPointer, scale: Int64) -> Int64? {
    var place = 0
    var isNegative = false
    if let sign = text.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
        isNegative = sign == UInt8(ascii: "-")
        place = 1
    }
    var value: Int64 = 0
    // The power of ten that the digits read so far are to be multiplied by.
    var power = 0
    var digits = 0
    var isFraction = false
    while place < text.count {
        let byte = text[place]
        if (48...57).contains(byte) {
            digits += 1
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int64(byte - 48))
            if overflow || carry {
                // Only what stands behind the point may be more than fits.
                guard isFraction else { return nil }
            } else if !isFraction || power > -18 {
                value = sum
                if isFraction { power -= 1 }
            }
        } else if byte == UInt8(ascii: "."), !isFraction, digits > 0 {
            isFraction = true
        } else {
            break
        }
        place += 1
    }
    guard digits > 0 else { return nil }
    if place < text.count {
        guard text[place] | 32 == UInt8(ascii: "e") else { return nil }
        place += 1
        var isDown = false
        if place < text.count, text[place] == UInt8(ascii: "+") || text[place] == UInt8(ascii: "-") {
            isDown = text[place] == UInt8(ascii: "-")
            place += 1
        }
        var exponent = 0
        let begun = place
        while place < text.count, (48...57).contains(text[place]), place - begun < 3 {
            exponent = exponent * 10 + Int(text[place] - 48)
            place += 1
        }
        guard place == text.count, place > begun else { return nil }
        power += isDown ? -exponent : exponent
    }
    var rest = scale
    while power < 0, rest > 1 {
        rest /= 10
        power += 1
    }
    while power < 0, value != 0 {
        value /= 10
        power += 1
    }
    while power > 0, value != 0 {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        if overflow { return nil }
        value = product
        power -= 1
    }
    let (product, overflow) = value.multipliedReportingOverflow(by: rest)
    return overflow ? nil : isNegative ? -product : product
}

/// The whole part of a number; nil for what is no number.
func parseWhole(_ text: UnsafeRawBufferPointer) -> Int64? { parseDecimal(text, scale: 1) }
