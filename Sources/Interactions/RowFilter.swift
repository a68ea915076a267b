internal import Domain

/// The conditions that rows must meet, ready to be tried on them.
struct RowFilter {
    /// What the value of a condition is compared as.
    private enum Value {
        case text([UInt8])
        case number(Number)
        /// A time in parts of the unit of the time column.
        case time(Int64)
        /// A date in microseconds, in a column that is not the time column.
        case date(Int64)
    }

    private struct Test {
        var column: Int
        var comparison: RowCondition.Comparison
        var value: Value
        /// Parts of a time that make a day, where the value is a day without a time of day: all of the day is equal to it.
        var day: Int64?
    }

    /// What a condition says of a row.
    enum Verdict: Equatable { case holds, fails(Int), incomparable(Int) }

    let conditions: [RowCondition]
    private let tests: [Test]
    /// How the time column is read.
    var form: TimeForm?
    /// Three values of each column, for messages.
    private let samples: [String]

    var columns: [Int] { tests.map(\.column) }

    /// - Parameter layout: with the columns of the roles and the form of the times.
    /// - Throws: `InteractionError` (`columns`) for a column that is not there, and for a value that cannot be compared with its column.
    init?(_ texts: [String]?, _ table: SampleTable, _ layout: Layout) throws {
        let conditions = try RowFilter.conditions(of: texts, table.path)
        guard !conditions.isEmpty else { return nil }
        self.conditions = conditions
        form = layout.time
        var tests: [Test] = []
        for condition in conditions {
            guard let column = table.column(named: condition.column) else {
                throw table.unknown("the condition \(condition)", condition.column)
            }
            if layout.list != nil, column == layout.itemColumn {
                throw RowFilter.refusal(table.path, condition, "a column that does not hold lists", table, column)
            }
            tests.append(try RowFilter.test(condition, column, table, layout))
        }
        self.tests = tests
        samples = tests.map { table.samples($0.column).joined(separator: ", ") }
    }

    /// The conditions of an option.
    ///
    /// - Throws: `InteractionError` (`columns`).
    static func conditions(of texts: [String]?, _ path: String) throws -> [RowCondition] {
        let texts = texts ?? []
        guard texts.reduce(0, { $0 + $1.utf8.count }) <= RowCondition.mostBytes else {
            throw InteractionError(
                file: path, reason: "columns",
                "found conditions of more than \(RowCondition.mostBytes) bytes, expected fewer or shorter ones")
        }
        do {
            let conditions = try texts.flatMap { text throws(RowCondition.Malformed) in try RowCondition.all(in: text) }
            guard conditions.count <= RowCondition.most else {
                throw InteractionError(
                    file: path, reason: "columns",
                    "found \(conditions.count) conditions, expected at most \(RowCondition.most)")
            }
            return conditions
        } catch let error as RowCondition.Malformed {
            throw InteractionError(file: path, reason: "columns", "the condition: \(error)")
        }
    }

    /// The first condition that a row does not meet.
    func verdict(_ row: borrowing RowReader.Row) -> Verdict {
        for index in tests.indices {
            let test = tests[index]
            switch row.withText(of: test.column, { holds(test, $0) }) {
            case true?: continue
            case false?: return .fails(index)
            case nil: return .incomparable(index)
            }
        }
        return .holds
    }

    /// Why rows were dropped that a condition could not be compared with.
    func incomparable(_ index: Int) -> String { "nothing to compare with in \(conditions[index])" }

    /// What each condition says of its column, for a file of which nothing is left.
    func summary(_ removed: [Int]) -> String {
        conditions.indices.map { index in
            "; \(conditions[index]) removed \(removed[index]) rows (the column holds \(samples[index]))"
        }.joined()
    }

    // MARK: - Comparing

    private func holds(_ test: Test, _ text: UnsafeRawBufferPointer) -> Bool? {
        let isEquality = test.comparison == .equal || test.comparison == .unequal
        switch test.value {
        case .text(let value):
            let isEqual = value.isEmpty ? isMissing(text) : text.elementsEqual(value)
            return isEqual == (test.comparison == .equal)
        case .number(let value):
            guard let number = Number(text) else {
                if isEquality { return test.comparison == .unequal }
                return isMissing(text) ? false : nil
            }
            return test.comparison.holds(number, value)
        case .time(let value):
            guard let time = form?.read(text) else {
                return isMissing(text) ? test.comparison == .unequal : nil
            }
            return test.comparison.holds(Self.day(time, test.day), value)
        case .date(let value):
            guard let date = DateText(text, nil), date.evidence != .either else {
                return isMissing(text) ? false : nil
            }
            return test.comparison.holds(Self.day(date.microseconds, test.day), value)
        }
    }

    /// The beginning of a time's day, where days are compared.
    private static func day(_ time: Int64, _ day: Int64?) -> Int64 {
        guard let day else { return time }
        let rest = time % day
        return time - (rest < 0 ? rest + day : rest)
    }

    private static func test(
        _ condition: RowCondition, _ column: Int, _ table: SampleTable, _ layout: Layout
    ) throws -> Test {
        let bytes = Array(condition.value.utf8)
        var test = Test(column: column, comparison: condition.comparison, value: .text(bytes))
        let isEquality = condition.comparison == .equal || condition.comparison == .unequal
        if isEquality, bytes.isEmpty { return test }
        let date = bytes.withUnsafeBytes { DateText($0, nil) }
        let isDay = !bytes.contains(UInt8(ascii: ":"))
        if let date, date.evidence == .either, column == layout.timeColumn || !isEquality {
            throw refusal(table.path, condition, "a date with the year first, such as 2014-01-02", table, column)
        }
        if column == layout.timeColumn, let form = layout.time {
            let scale = form.unit == .nanoseconds ? Int64(1_000) : 1
            if let date, form.unit == .date || !date.isCompact {
                let (time, overflow) = date.microseconds.multipliedReportingOverflow(by: scale)
                if !overflow {
                    test.value = .time(time)
                    if isDay { test.day = 86_400_000_000 * scale }
                    return test
                }
            }
            if form.unit != .date, let time = bytes.withUnsafeBytes({ form.read($0) }),
                let whole = bytes.withUnsafeBytes(parseWhole),
                isEquality || whole <= 0 || TimeUnit.of(magnitude: whole) == form.unit || !table.holdsEpochs(column)
            {
                test.value = .time(time)
                return test
            }
            throw refusal(
                table.path, condition,
                form.unit == .date
                    ? "a date such as 2014-01-02" : "a date such as 2014-01-02, or a time in \(form.unit)",
                table, column)
        }
        if let number = bytes.withUnsafeBytes({ Number($0) }) {
            test.value = .number(number)
        } else if !isEquality {
            guard let date else {
                throw refusal(table.path, condition, "a number or a date to compare with", table, column)
            }
            test.value = .date(date.microseconds)
            if isDay { test.day = 86_400_000_000 }
        }
        return test
    }

    private static func refusal(
        _ path: String, _ condition: RowCondition, _ expected: String, _ table: SampleTable, _ column: Int
    ) -> InteractionError {
        InteractionError(
            file: path, reason: "columns",
            "the condition \(condition): expected \(expected); column \(table.word(column)) holds "
                + table.samples(column).joined(separator: ", "))
    }
}

/// A number in a field; one with zeros before it is a name.
struct Number: Comparable {
    /// Exact, where it is whole and fits: names may have more digits than a double holds.
    private let whole: Int64?
    private let value: Double

    init?(_ text: UnsafeRawBufferPointer) {
        guard let first = text.first, (48...57).contains(first) || "+-.".utf8.contains(first), text.count <= 40 else {
            return nil
        }
        let digits = first == UInt8(ascii: "-") || first == UInt8(ascii: "+") ? text.dropFirst() : text[...]
        if digits.count > 1, digits.first == 48, let second = digits.dropFirst().first, second != UInt8(ascii: ".") {
            return nil
        }
        let string = String(decoding: text, as: UTF8.self)
        whole = Int64(string)
        guard let value = whole.map(Double.init) ?? Double(string), value.isFinite else { return nil }
        self.value = value
    }

    static func == (a: Number, b: Number) -> Bool {
        if let first = a.whole, let second = b.whole { return first == second }
        return a.value == b.value
    }

    static func < (a: Number, b: Number) -> Bool {
        if let first = a.whole, let second = b.whole { return first < second }
        return a.value < b.value
    }
}

extension RowCondition.Comparison {
    /// Whether a value of a row stands in this relation to the value of the condition.
    func holds<Value: Comparable>(_ found: Value, _ value: Value) -> Bool {
        switch self {
        case .equal, .same: found == value
        case .unequal: found != value
        case .atLeast: found >= value
        case .atMost: found <= value
        case .more: found > value
        case .less: found < value
        }
    }
}
