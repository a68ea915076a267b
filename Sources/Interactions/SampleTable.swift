/// The first rows of a file in columns, and what their values look like.
struct SampleTable {
    let path: String
    /// The header, or the numbers of the columns.
    var names: [String]
    var hasHeader: Bool
    var rows: [[[UInt8]]]

    /// What the values of a column could be taken for.
    enum Look: Equatable {
        case date
        /// Numbers that are times of 1995 to 2034; of seconds those with fewer than ten digits may as well be names.
        case epoch(isCertain: Bool)
        /// A time of day without a date.
        case clock
        /// Numbers with a fraction.
        case decimals
        /// Words without a digit.
        case words
        case other
    }

    /// Values that are not missing.
    func values(_ column: Int) -> [[UInt8]] {
        rows.compactMap { row in
            let value = row[column]
            return value.withUnsafeBytes(isMissing) ? nil : value
        }
    }

    func look(_ column: Int) -> Look { Self.look(values(column)) }

    static func look(_ values: [[UInt8]]) -> Look {
        guard !values.isEmpty else { return .other }
        func share(_ holds: (UnsafeRawBufferPointer) -> Bool) -> Bool {
            values.filter { $0.withUnsafeBytes(holds) }.count * 100 >= values.count * 95
        }
        if share({ DateText($0, nil) != nil }) { return .date }
        // Zeros before a number are part of a name.
        if share({ $0.first != 48 && parseWhole($0).flatMap(TimeUnit.recent) != nil }) {
            return .epoch(isCertain: share { parseWhole($0).map { $0 >= 1_000_000_000 } == true })
        }
        if share(isClock) { return .clock }
        if share({ parseWhole($0) != nil && contains($0, UInt8(ascii: ".")) }),
            !share({ text in text.suffix(2).elementsEqual(".0".utf8) })
        {
            return .decimals
        }
        return share({ ItemWords.isWords($0) }) ? .words : .other
    }

    private static func isClock(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let colon = find(text, UInt8(ascii: ":"), from: 0), (1...2).contains(colon), text.count <= 15 else {
            return false
        }
        return text.allSatisfy { (48...58).contains($0) || " .aApPmM".utf8.contains($0) }
    }

    func distinct(_ column: Int) -> Int { Set(values(column)).count }

    /// Whether a column takes a few values in turn, as ratings and kinds of events do, over many rows.
    func takesTurns(_ column: Int) -> Bool {
        let distinct = distinct(column)
        guard rows.count >= 50, distinct <= 10 else { return false }
        return zip(rows, rows.dropFirst()).filter { $0[column] != $1[column] }.count >= max(2, 2 * distinct)
    }

    /// Whether the values hold brackets, quotes or marks of code.
    func hasMarks(_ column: Int) -> Bool {
        let values = values(column)
        return values.count > 1 && values.allSatisfy { value in value.contains { "(){}<>=;\"'`".utf8.contains($0) } }
    }

    /// Whether a fifth of the values or more are dates: of several kinds, or among other texts.
    func holdsSomeTimes(_ column: Int) -> Bool {
        let values = values(column)
        let dates = values.filter { value in value.withUnsafeBytes { DateText($0, nil) != nil } }
        return !dates.isEmpty && dates.count * 5 >= values.count
    }

    /// Whether every value begins as the names of users do: `U17`, `user_4`.
    func namesUsers(_ column: Int) -> Bool {
        let values = values(column)
        return !values.isEmpty && values.allSatisfy { $0[0] | 0x20 == UInt8(ascii: "u") }
    }

    /// Whether a column counts the rows.
    func countsRows(_ column: Int) -> Bool {
        guard rows.count >= 10, let first = rows[0][column].withUnsafeBytes(parseWhole) else { return false }
        return rows.indices.allSatisfy { rows[$0][column].withUnsafeBytes(parseWhole) == first + Int64($0) }
    }

    /// Refuses a column whose lists hold lists or objects.
    func refuseNested(_ list: ItemList, in column: Int) throws {
        guard let nested = values(column).first(where: { $0.withUnsafeBytes(list.isNested) }) else { return }
        throw InteractionError(
            file: path, reason: "ambiguous",
            "found lists of lists or objects in column \"\(names[column])\", such as \(Self.shown(nested)), expected lists of "
                + "names: write one name for each item, as [\"a\", \"b\"], or JSON lines, in which lists of objects are opened"
        )
    }

    /// Whether most values are lists of names: in brackets, or several words that all have digits.
    func isList(_ column: Int) -> Bool {
        let values = values(column)
        guard !values.isEmpty else { return false }
        if values.filter(ItemList.hasBrackets).count * 100 >= values.count * 95 { return true }
        let several = values.filter { value in
            let parts = value.split {
                $0 == 32 || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: "|")
            }
            return parts.count > 1
                && parts.allSatisfy { part in
                    part.contains { (48...57).contains($0) }
                        && part.allSatisfy { $0 > 127 || "-_".utf8.contains($0) || isAlphanumeric($0) }
                }
        }
        let plain = values.filter { !$0.contains(32) && !$0.contains(UInt8(ascii: ",")) }
        return several.count * 2 > values.count && (several.count + plain.count) * 100 >= values.count * 95
    }

    /// Whether a column holds numbers that are times of 1973 and later.
    func holdsEpochs(_ column: Int) -> Bool {
        let numbers = values(column).compactMap { value in value.withUnsafeBytes(parseWhole) }
        return numbers.filter { TimeUnit.of(magnitude: $0) != nil }.count * 2 > numbers.count
    }

    /// The column that a name, a name without RecBole's type, or a number stands for.
    func column(named name: String) -> Int? {
        if let number = Int(name), names.indices.contains(number) { return number }
        guard hasHeader else { return nil }
        return names.firstIndex { $0 == name } ?? names.firstIndex { $0.split(separator: ":").first ?? "" == name }
    }

    /// The refusal of a column that is not there.
    func unknown(_ what: String, _ name: String) -> InteractionError {
        let columns = names.enumerated().map { "\($0) (\"\($1)\")" }
        let more = columns.count > 200 ? " and \(columns.count - 200) more" : ""
        return InteractionError(
            file: path, reason: "columns",
            "\(what): found no column \"\(name)\"; the columns are " + columns.prefix(200).joined(separator: ", ")
                + more)
    }

    /// Up to three different values of a column, as messages show them.
    func samples(_ column: Int) -> [String] {
        var samples: [String] = []
        for row in rows where samples.count < 3 {
            let text = Self.shown(row[column])
            if !samples.contains(text) { samples.append(text) }
        }
        return samples
    }

    /// Every column with three of its values, of wide tables as many as a message holds.
    var description: String {
        var shown: [String] = []
        var length = 0
        for column in names.indices where length < 1_000 {
            let samples = samples(column)
            let values = samples.isEmpty ? "no value" : samples.joined(separator: ", ")
            let name = hasHeader ? " \"\(Self.shown(Array(names[column].utf8)))\"" : ""
            shown.append("\(column)\(name) (\(values))")
            length += shown[column].utf8.count
        }
        let more = names.count > shown.count ? " and \(names.count - shown.count) more" : ""
        return shown.joined(separator: "; ") + more
    }

    static func shown(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self).replacing("\n", with: " ")
        return text.isEmpty ? "\"\"" : text.count > 28 ? text.prefix(25) + "..." : text
    }

    /// The column as `--columns` takes it.
    func word(_ column: Int) -> String {
        let name = names[column].split(separator: ":").first.map(String.init) ?? ""
        let isPlain =
            hasHeader && !name.isEmpty && name.utf8.count <= 60 && Int(name) == nil
            && !name.contains { ",=".contains($0) }
            && names.filter { $0 == name || $0.split(separator: ":").first ?? "" == name }.count == 1
        return isPlain ? name : String(column)
    }
}

/// What stands in a field where nothing is known: nothing, or a word for it.
func isMissing(_ text: UnsafeRawBufferPointer) -> Bool {
    guard let first = text.first else { return true }
    guard text.count <= 4, "NnM\\#<".utf8.contains(first) else { return false }
    return ["NA", "N/A", "NaN", "nan", "null", "NULL", "None", "\\N", "<NA>", "#N/A"].contains { word in
        text.elementsEqual(word.utf8)
    }
}

func isAlphanumeric(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
}

/// Words of language, as opposed to names of items.
enum ItemWords {
    /// Whether a field is made of words alone: letters, of which two or more stand together, and no digit.
    static func isWords(_ text: UnsafeRawBufferPointer) -> Bool {
        text.count > 2 && !text.contains { (48...57).contains($0) }
            && !text.contains { "_:|/".utf8.contains($0) } && text.contains { isAlphanumeric($0) || $0 > 127 }
    }

    /// Why fields between blanks are no names of items, and whether they may be such all the same; nil where nothing speaks against it.
    static func objection(to lines: [[UInt8]]) -> (why: String, mayBe: Bool)? {
        var (tokens, words, marks, times, pairs, decimals) = (0, 0, 0, 0, 0, 0)
        var ends = 0
        var splitter = FieldSplitter(.whitespace)
        for line in lines {
            line.withUnsafeBytes { bytes in
                _ = splitter.split(bytes)
                if let last = splitter.fields.first.map({ bytes[$0.upperBound - 1] }), ":,;".utf8.contains(last) {
                    ends += 1
                }
                // A line of very many fields is judged by its first ones.
                for range in splitter.fields.dropFirst().prefix(2_000) {
                    let field = UnsafeRawBufferPointer(rebasing: bytes[range])
                    tokens += 1
                    if isWords(field) { words += 1 }
                    if isMarked(field) { marks += 1 }
                    if DateText(field, nil) != nil
                        || parseWhole(field).map({ $0 >= 1_000_000_000 }) == true
                            && field.first != 48 && parseWhole(field).flatMap(TimeUnit.recent) != nil
                    {
                        times += 1
                    }
                    if let colon = find(field, UInt8(ascii: ":"), from: 1), colon + 1 < field.count,
                        field.allSatisfy({ (46...58).contains($0) })
                    {
                        pairs += 1
                    }
                    if contains(field, UInt8(ascii: ".")), parseWhole(field) != nil { decimals += 1 }
                }
            }
        }
        guard tokens > 0 else { return nil }
        if ends * 2 >= lines.count { return ("marks behind the first fields, which would be the users", false) }
        if marks * 10 >= tokens { return ("quotes, brackets or marks of sentences among the fields", false) }
        if words * 2 >= tokens { return ("words without a digit, as of prose or a log", true) }
        if times * 10 >= tokens * 3 { return ("dates or times among the items", false) }
        if pairs * 2 >= tokens { return ("pairs such as 12:0.5", false) }
        if decimals * 2 >= tokens { return ("numbers with fractions", true) }
        return nil
    }

    private static func isMarked(_ field: UnsafeRawBufferPointer) -> Bool {
        guard let last = field.last else { return false }
        if ".:!?".utf8.contains(last) { return true }
        return field.contains { "\"'`()[]{}<>,;!?=".utf8.contains($0) && !($0 == 61 && last == 61) }
    }
}
