/// How a time column is written.
enum TimeUnit: String {
    case seconds, milliseconds, microseconds, nanoseconds, date

    /// The unit in which integers of this size are plausible times (1973 to 2603), by magnitude.
    static func of(magnitude: Int64) -> TimeUnit? {
        switch magnitude.magnitude {
        case 100_000_000..<20_000_000_000: .seconds
        case 100_000_000_000..<20_000_000_000_000: .milliseconds
        case 100_000_000_000_000..<20_000_000_000_000_000: .microseconds
        case 100_000_000_000_000_000...: .nanoseconds
        default: nil
        }
    }
}

/// Reads `-12`, `12`, `12.5` (cut to whole units); nil for anything else.
func parseInteger(_ text: UnsafeRawBufferPointer) -> Int64? {
    var position = 0
    var negative = false
    if text.first == UInt8(ascii: "-") {
        negative = true
        position = 1
    }
    guard position < text.count else { return nil }
    var value: Int64 = 0
    while position < text.count, (48...57).contains(text[position]) {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(Int64(text[position] - 48))
        if overflow || carry { return nil }
        value = sum
        position += 1
    }
    if position < text.count {
        guard text[position] == UInt8(ascii: "."), position > (negative ? 1 : 0),
            text[(position + 1)...].allSatisfy({ (48...57).contains($0) })
        else { return nil }
    }
    return negative ? -value : value
}

/// Reads `2010-12-01`, `2010-12-01 08:26`, `2010-12-01T08:26:00.5Z`, `2010-12-01T08:26:00+05:30`, `2010/12/01 ...` as seconds
/// since 1970; UTC where no offset is given.
func parseDate(_ text: UnsafeRawBufferPointer) -> Int64? {
    func digits(_ range: Range<Int>) -> Int64? {
        guard range.upperBound <= text.count else { return nil }
        var value: Int64 = 0
        for byte in text[range] {
            guard (48...57).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 48)
        }
        return value
    }
    guard text.count >= 10, let year = digits(0..<4), let month = digits(5..<7), let day = digits(8..<10),
        text[4] == text[7], text[4] == UInt8(ascii: "-") || text[4] == UInt8(ascii: "/"),
        (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    // Days from the civil calendar, with the year beginning in March so that leap days come last.
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    if text.count == 10 { return days * 86_400 }
    guard text[10] == UInt8(ascii: " ") || text[10] == UInt8(ascii: "T"), let hour = digits(11..<13),
        let minute = digits(14..<16), text[13] == UInt8(ascii: ":"), hour < 24, minute < 60
    else { return nil }
    var second: Int64 = 0
    var place = 16
    if text.count > 16, text[16] == UInt8(ascii: ":") {
        guard let value = digits(17..<19), value <= 60 else { return nil }
        second = value
        place = 19
        if place < text.count, text[place] == UInt8(ascii: ".") || text[place] == UInt8(ascii: ",") {
            place += 1
            while place < text.count, (48...57).contains(text[place]) { place += 1 }
        }
    }
    guard let offset = utcOffset(UnsafeRawBufferPointer(rebasing: text[place...])) else { return nil }
    return days * 86_400 + hour * 3_600 + minute * 60 + second - offset
}

/// Seconds that a time's `Z`, `UTC`, `+05`, `+0530` or `+05:30` is ahead of UTC, 0 for nothing; nil for anything else.
private func utcOffset(_ text: UnsafeRawBufferPointer) -> Int64? {
    let bytes = Array(text.drop { $0 == UInt8(ascii: " ") })
    if bytes.isEmpty || bytes == Array("Z".utf8) || bytes == Array("z".utf8) || bytes == Array("UTC".utf8) { return 0 }
    guard bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-") else { return nil }
    let digits = bytes.dropFirst().filter { $0 != UInt8(ascii: ":") }
    guard digits.count == 2 || digits.count == 4, bytes.count <= 6, digits.allSatisfy({ (48...57).contains($0) }) else {
        return nil
    }
    let numbers = digits.map { Int64($0 - 48) }
    let hours = numbers[0] * 10 + numbers[1]
    let minutes = numbers.count == 4 ? numbers[2] * 10 + numbers[3] : 0
    guard hours <= 14, minutes < 60 else { return nil }
    return (bytes[0] == UInt8(ascii: "-") ? -1 : 1) * (hours * 3_600 + minutes * 60)
}
