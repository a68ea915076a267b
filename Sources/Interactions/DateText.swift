internal import Domain

/// Which of two numbers before the year is the day.
typealias DayOrder = ReadOptions.DayOrder

/// A date as people write it, read as microseconds since 1970.
///
/// Understood are, each with a time of day or without: `2010-12-01`, `2010/12/1`, `2010.12.01`, `Dec 1, 2010`,
/// `1 December 2010`, `01-Dec-10`, `12 1, 2010`, `01/12/2010`, `01.12.2010`, `Wed Dec 01 08:26:00 +0000 2010`,
/// `01/Dec/2010:08:26:00 +0000`, `20101201`, `20101201T082600Z`, `201012010826`, `20101201082600`.
struct DateText {
    /// What a date of two numbers before the year says about their order.
    enum Evidence {
        /// Nothing is open.
        case none
        case dayFirst, monthFirst
        /// Both readings exist and differ.
        case either
    }

    private let text: UnsafeRawBufferPointer
    private var place = 0
    private var (year, month, day) = (0, 0, 0)
    private(set) var evidence = Evidence.none
    /// True for digits without a separator, which might be a number.
    private(set) var isCompact = false
    /// True where the parts stand between dots: nobody writes the month first then.
    private(set) var hasDots = false
    private(set) var microseconds: Int64 = 0

    /// Nil for what is no date. `order` decides where both readings exist; without it the day comes first.
    init?(_ text: UnsafeRawBufferPointer, _ order: DayOrder?) {
        self.text = text
        // The longest spelling there is has fewer bytes.
        guard (6...64).contains(text.count) else { return nil }
        skipBlanks()
        if let word = word() {
            var month = Self.month(word)
            if month == nil {
                guard Self.isWeekday(word) else { return nil }
                _ = take(",") || take(".")
                skipBlanks()
                month = self.word().flatMap(Self.month)
            }
            guard let month else {
                guard numeric(order), clock(), atEnd else { return nil }
                return
            }
            guard afterMonth(month) else { return nil }
        } else {
            guard numeric(order), isCompact && atEnd || clock() else { return nil }
        }
        guard atEnd else { return nil }
    }

    // MARK: - Dates

    /// `Dec 1, 2010 ...`, or `Jan 02 00:00:00 +0000 2014`, whose year comes last.
    private mutating func afterMonth(_ month: Int) -> Bool {
        _ = take(".")
        skipBlanks()
        guard let (day, digits) = number(), digits <= 2 else { return false }
        (self.month, self.day) = (month, day)
        _ = take("st") || take("nd") || take("rd") || take("th")
        _ = take(",")
        skipBlanks()
        let begun = place
        if let (year, digits) = number(), digits == 4, peek != UInt8(ascii: ":") {
            self.year = year
            return finishDate() && clock()
        }
        place = begun
        guard let seconds = timeOfDay() else { return false }
        skipBlanks()
        let mark = place
        let zone = offset()
        guard zone != nil || place == mark else { return false }
        skipBlanks()
        guard let (year, digits) = number(), digits == 4 else { return false }
        self.year = year
        guard finishDate() else { return false }
        microseconds += seconds - (zone ?? 0)
        return true
    }

    /// Dates that begin with a number.
    private mutating func numeric(_ order: DayOrder?) -> Bool {
        let begun = place
        guard let (first, digits) = number() else { return false }
        if digits >= 8 {
            place = begun
            return compact(digits)
        }
        guard digits <= 2 || digits == 4, let separator = peek, "-/. ".utf8.contains(separator) else { return false }
        place += 1
        hasDots = separator == UInt8(ascii: ".")
        if let month = word().flatMap(Self.month) {
            self.month = month
            if separator != UInt8(ascii: ".") { _ = take(".") }
            guard take(separator) || take(" "), let (last, lastDigits) = number() else { return false }
            (year, day) = digits == 4 ? (first, last) : (lastDigits == 2 ? Self.century(last) : last, first)
            return lastDigits <= 2 || lastDigits == 4 ? finishDate() : false
        }
        guard let (second, secondDigits) = number(), secondDigits <= 2 else { return false }
        if separator == 32 {
            // As Amazon's `09 4, 2015`.
            guard take(","), digits <= 2 else { return false }
            skipBlanks()
            guard let (last, lastDigits) = number(), lastDigits == 4 else { return false }
            (year, month, day) = (last, first, second)
            return finishDate()
        }
        guard take(separator), let (third, thirdDigits) = number() else { return false }
        if digits == 4 {
            (year, month, day) = (first, second, third)
            return thirdDigits <= 2 && finishDate()
        }
        guard thirdDigits == 4 || thirdDigits == 2 else { return false }
        year = thirdDigits == 2 ? Self.century(third) : third
        return yearLast(first, second, order, year: thirdDigits == 2 ? third : nil)
    }

    private mutating func yearLast(_ first: Int, _ second: Int, _ order: DayOrder?, year short: Int?) -> Bool {
        if second > 12 {
            guard first <= 12 else { return false }
            evidence = .monthFirst
        } else if first > 12 {
            // With two digits of a year `13/01/10` may be of 2013 as well.
            evidence = short.map { $0 <= 31 } == true && order == nil ? .either : .dayFirst
        } else {
            // What reads the same both ways says nothing, and is right both ways.
            evidence = first == second && short == nil ? .none : .either
        }
        let isMonthFirst = evidence == .monthFirst || evidence == .either && order == .mdy && first <= 12
        (month, day) = isMonthFirst ? (first, second) : (second, first)
        return finishDate()
    }

    private mutating func compact(_ digits: Int) -> Bool {
        guard [8, 12, 14].contains(digits), let year = digitsAhead(4), let month = digitsAhead(2),
            let day = digitsAhead(2)
        else { return false }
        (self.year, self.month, self.day) = (year, month, day)
        isCompact = true
        guard (1990...2035).contains(year), finishDate() else { return false }
        if digits > 8 {
            guard let hour = digitsAhead(2), let minute = digitsAhead(2), hour < 24, minute < 60 else { return false }
            let second = digits == 14 ? digitsAhead(2) ?? 99 : 0
            guard second <= 60 else { return false }
            microseconds += Int64(hour * 3_600 + minute * 60 + second) * 1_000_000
            return fraction() && (offset().map { microseconds -= $0 } != nil || atEnd)
        }
        guard take("T") else { return atEnd }
        isCompact = false
        guard let hour = digitsAhead(2), let minute = digitsAhead(2), hour < 24, minute < 60 else { return false }
        let second = digitsAhead(2) ?? 0
        microseconds += Int64(hour * 3_600 + minute * 60 + second) * 1_000_000
        guard fraction() else { return false }
        if let zone = offset() { microseconds -= zone }
        return second <= 60
    }

    private mutating func finishDate() -> Bool {
        guard (1...12).contains(month), day >= 1, day <= Self.days(month, year) else { return false }
        // Days from the civil calendar, with the year beginning in March so that leap days come last.
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        microseconds = Int64(days) * 86_400_000_000
        return true
    }

    private static func days(_ month: Int, _ year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    private static func century(_ year: Int) -> Int { year < 70 ? 2_000 + year : 1_900 + year }

    // MARK: - Times of day

    /// Nothing, or what separates a date from a time of day, the time, and an offset.
    private mutating func clock() -> Bool {
        if isCompact || atEnd { return true }
        let separated = take("T") || take("t") || take(":") || take(",")
        skipBlanks()
        if atEnd { return !separated }
        guard let seconds = timeOfDay() else { return false }
        microseconds += seconds
        skipBlanks()
        if atEnd { return true }
        guard let zone = offset() else { return false }
        microseconds -= zone
        return true
    }

    /// `8:26`, `08:26:00.5`, `8:26 PM`, or the hour alone, in microseconds.
    private mutating func timeOfDay() -> Int64? {
        guard let (hour, digits) = number(), digits <= 2, hour < 24 else { return nil }
        var (h, minute, second) = (hour, 0, 0)
        let before = microseconds
        microseconds = 0
        defer { microseconds = before }
        if take(":") {
            guard let (m, digits) = number(), digits <= 2, m < 60 else { return nil }
            minute = m
            if take(":") {
                guard let (s, digits) = number(), digits <= 2, s <= 60 else { return nil }
                second = s
                guard fraction() else { return nil }
            }
        } else if digits < 2 {
            return nil
        }
        let begun = place
        skipBlanks()
        if let word = word() {
            switch word {
            case "am", "pm":
                guard (1...12).contains(h) else { return nil }
                h = h % 12 + (word == "pm" ? 12 : 0)
            default: place = begun
            }
        } else {
            place = begun
        }
        return Int64(h * 3_600 + minute * 60 + second) * 1_000_000 + microseconds
    }

    /// Adds `.5` or `,5` of a second; what is finer than a microsecond is cut off.
    private mutating func fraction() -> Bool {
        guard let next = peek, next == UInt8(ascii: ".") || next == UInt8(ascii: ",") else { return true }
        place += 1
        var unit: Int64 = 100_000
        let begun = place
        while let byte = peek, (48...57).contains(byte) {
            microseconds += Int64(byte - 48) * unit
            unit /= 10
            place += 1
        }
        return place > begun
    }

    /// Microseconds that `Z`, `UTC`, `GMT`, `+05`, `+0530` or `+05:30` is ahead of UTC; nil for anything else.
    private mutating func offset() -> Int64? {
        if let word = word() { return ["z", "utc", "gmt"].contains(word) ? 0 : nil }
        guard let sign = peek, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
        place += 1
        guard let hours = digitsAhead(2) else { return nil }
        let colon = take(":")
        let minutes = digitsAhead(2)
        guard hours <= 14, minutes ?? 0 < 60, !colon || minutes != nil else { return nil }
        // As Go prints it.
        let begun = place
        skipBlanks()
        if word() != "utc" { place = begun }
        return Int64(hours * 3_600 + (minutes ?? 0) * 60) * (sign == UInt8(ascii: "-") ? -1_000_000 : 1_000_000)
    }

    // MARK: - Bytes

    private var atEnd: Bool { place == text.count }
    private var peek: UInt8? { place < text.count ? text[place] : nil }

    private mutating func skipBlanks() { while peek == 32 { place += 1 } }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        place += 1
        return true
    }

    private mutating func take(_ word: StaticString) -> Bool {
        guard place + word.utf8CodeUnitCount <= text.count,
            (0..<word.utf8CodeUnitCount).allSatisfy({ text[place + $0] == word.utf8Start[$0] })
        else { return false }
        place += word.utf8CodeUnitCount
        return true
    }

    /// Digits ahead as a number, and how many they are; up to 14.
    private mutating func number() -> (Int, Int)? {
        var (value, digits) = (0, 0)
        while let byte = peek, (48...57).contains(byte) {
            value = value &* 10 &+ Int(byte - 48)
            digits += 1
            place += 1
            if digits > 14 { return nil }
        }
        return digits == 0 ? nil : (value, digits)
    }

    private mutating func digitsAhead(_ count: Int) -> Int? {
        guard place + count <= text.count, text[place..<place + count].allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        defer { place += count }
        return text[place..<place + count].reduce(0) { $0 * 10 + Int($1 - 48) }
    }

    /// Letters ahead, in small ones; nil where there is none.
    private mutating func word() -> String? {
        let begun = place
        while let byte = peek, (65...90).contains(byte & 0xdf) { place += 1 }
        return place == begun ? nil : String(decoding: text[begun..<place].map { $0 | 32 }, as: UTF8.self)
    }

    private static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]
    private static let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

    private static func month(_ word: String) -> Int? {
        guard word.utf8.count >= 3 else { return nil }
        return (months.firstIndex { $0 == word || $0.prefix(3) == word } ?? (word == "sept" ? 8 : nil)).map { $0 + 1 }
    }

    private static func isWeekday(_ word: String) -> Bool {
        word.utf8.count >= 3 && weekdays.contains { $0 == word || $0.hasPrefix(word) }
    }
}
