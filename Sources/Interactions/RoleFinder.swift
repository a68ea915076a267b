internal import Domain
internal import Text

/// Decides which columns of a table hold users, items and times; refuses where two readings are possible.
struct RoleFinder {
    let table: SampleTable
    let options: ReadOptions
    /// Whether the header is RecBole's: beside a list stands the item that followed it.
    var isRecBole = false

    private var path: String { table.path }
    private var count: Int { table.names.count }

    /// Fills in the columns of a layout.
    ///
    /// - Throws: `InteractionError` (`ambiguous`, `columns`).
    func find(into layout: inout Layout) throws {
        let chosen = try chosen()
        let known = table.hasHeader ? ColumnNames.find(in: table.names) : ColumnNames.Found()
        layout.userColumn = try user(chosen, known)
        try item(chosen, known, &layout)
        if layout.userColumn == layout.itemColumn {
            throw InteractionError(
                file: path, reason: "columns",
                "user and item: found the same column \(layout.userColumn) for both")
        }
        for (role, column) in [("user", layout.userColumn), ("item", layout.itemColumn)] where chosen[role] == nil {
            try refuseTimes(role, column, layout)
        }
        let isTold = chosen["user"] != nil && (chosen["item"] ?? chosen["items"]) != nil
        if !table.hasHeader, !isTold { try refuseGuess(chosen, layout) }
        if options.order == .file {
            guard chosen["time"] == nil else {
                throw InteractionError(
                    file: path, reason: "columns",
                    "found a time column beside the order of the file, expected one of them")
            }
        } else {
            try time(chosen["time"], known.times, &layout)
        }
        try events(chosen, known, &layout)
        layout.filter = try RowFilter(options.where, table, layout)
    }

    // MARK: - Columns that were named

    /// The column of each role that `--columns` names.
    private func chosen() throws -> [String: Int] {
        var chosen: [String: Int] = [:]
        for (role, column) in (options.columns ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard ReadOptions.roles.contains(role) else {
                throw InteractionError(
                    file: path, reason: "columns",
                    "found a column for \"\(role)\", expected \(ReadOptions.roles.joined(separator: ", "))")
            }
            guard let found = table.column(named: column) else { throw table.unknown("\(role)=\(column)", column) }
            chosen[role] = found
        }
        if chosen["item"] != nil, chosen["items"] != nil {
            throw InteractionError(
                file: path, reason: "columns", "found columns for item and for items, expected one of them")
        }
        return chosen
    }

    private func user(_ chosen: [String: Int], _ known: ColumnNames.Found) throws -> Int {
        // A name that no row has a value for is passed over, as of users who are not signed in beside their sessions.
        if let column = chosen["user"] ?? known.users.first(where: { !table.values($0).isEmpty }) ?? known.user {
            return column
        }
        guard table.hasHeader else { return 0 }
        throw unknown("user", known, chosen)
    }

    private func item(_ chosen: [String: Int], _ known: ColumnNames.Found, _ layout: inout Layout) throws {
        try findItem(chosen, known, &layout)
        if let list = layout.list { try table.refuseNested(list, in: layout.itemColumn) }
    }

    private func findItem(_ chosen: [String: Int], _ known: ColumnNames.Found, _ layout: inout Layout) throws {
        if let column = chosen["item"] {
            layout.itemColumn = column
            return
        }
        if let column = chosen["items"] {
            layout.itemColumn = column
            layout.list = ItemList(of: table.values(column))
            return
        }
        if let list = known.items, list != layout.userColumn {
            // RecBole's rows: what came before, and the item that followed.
            if let item = known.item {
                guard isRecBole else {
                    throw ambiguous(
                        "found a column \"\(table.names[item])\" of items and a column \"\(table.names[list])\" of lists",
                        user: layout.userColumn, item: item, time: known.times.first)
                }
                layout.targetColumn = item
            }
            layout.itemColumn = list
            layout.list = ItemList(of: table.values(list))
            return
        }
        if let column = known.item {
            layout.itemColumn = column
        } else if table.hasHeader {
            throw unknown("item", known, chosen)
        } else {
            layout.itemColumn = chosen["user"] == nil || layout.userColumn == 0 ? 1 : layout.itemColumn
        }
        if table.isList(layout.itemColumn) { layout.list = ItemList(of: table.values(layout.itemColumn)) }
    }

    // MARK: - What is never guessed

    private func refuseTimes(_ role: String, _ column: Int, _ layout: Layout) throws {
        let isTime =
            switch table.look(column) {
            case .date: true
            // A name that is known says what such numbers are.
            case .epoch(let isCertain): isCertain && !table.hasHeader
            case .clock: !table.hasHeader
            default: false
            }
        guard isTime, layout.list == nil || role == "user" else { return }
        throw ambiguous(
            "found dates or times in column \(table.word(column)), which would hold the \(role)s",
            user: nil, item: nil, time: column)
    }

    /// Of a table without names the user stands first and the item second, unless something speaks against it.
    private func refuseGuess(_ chosen: [String: Int], _ layout: Layout) throws {
        let (user, item) = (layout.userColumn, layout.itemColumn)
        func refuse(_ why: String, user: Int? = nil, item: Int? = nil) -> InteractionError {
            ambiguous(why, user: user, item: item, time: nil)
        }
        let first = table.values(user), second = table.values(item)
        if !first.isEmpty, first.allSatisfy({ $0.starts(with: "B0".utf8) && $0.count == 10 || Self.isISBN($0) }),
            second.allSatisfy({ $0.count >= 10 && $0.first == UInt8(ascii: "A") })
        {
            throw refuse(
                "found what looks like products of Amazon before the users", user: chosen["user"] ?? item,
                item: chosen["item"] ?? user)
        }
        for column in [user, item] {
            switch table.look(column) {
            case .words where table.rows.count > 1:
                throw refuse("found words without a digit in column \(column), and no header with a known name")
            case _ where table.hasMarks(column) && layout.list == nil:
                throw refuse("found brackets, quotes or marks of code in every value of column \(column)")
            case _ where count > 2 && table.takesTurns(column):
                throw refuse(
                    "found only \(table.distinct(column)) values in turn in column \(column), which would hold the "
                        + (column == user ? "users" : "items"))
            case .decimals: throw refuse("found numbers with fractions in column \(column), which are no names")
            default: break
            }
        }
        if table.countsRows(user), table.distinct(user) == table.rows.count, count > 2 {
            throw refuse("found a column \(user) that counts the rows, where the user would be")
        }
        if layout.list == nil, let list = table.names.indices.first(where: { $0 > item && table.isList($0) }) {
            throw refuse(
                "found lists in column \(list) beside the columns that would hold users and items", item: list)
        }
        // The same number of items in every line looks like a table.
        let rest = table.names.indices.filter { $0 != user && $0 != item }
        if !rest.isEmpty, table.rows.count >= 10,
            rest.allSatisfy({
                table.look($0) == .other && !table.holdsSomeTimes($0)
                    && table.distinct($0) >= max(10, table.rows.count / 4)
            })
        {
            throw refuse("found fields that may all be items: a line may hold one interaction or many")
        }
    }

    private static func isISBN(_ value: [UInt8]) -> Bool {
        value.count == 10 && value.dropLast().allSatisfy { (48...57).contains($0) }
    }

    // MARK: - Time

    private func time(_ chosen: Int?, _ named: [Int], _ layout: inout Layout) throws {
        let taken = [layout.userColumn, layout.itemColumn] + (layout.targetColumn.map { [$0] } ?? [])
        let all = named.filter { !taken.contains($0) }
        let named = all.filter { !table.values($0).isEmpty }
        if chosen == nil, named.isEmpty, let empty = all.first, !table.rows.isEmpty {
            throw ambiguous(
                "found no value in the time column \(table.word(empty))", user: layout.userColumn,
                item: layout.itemColumn, time: nil, inFileOrder: true)
        }
        var column = chosen ?? named.first
        if column == nil { column = try likelyTime(layout, taken) }
        guard let column else { return }
        layout.timeColumn = column
        guard let form = form(column, &layout) else {
            let sample = table.values(column).prefix(3).map(SampleTable.shown).joined(separator: ", ")
            let words =
                "the time column \(table.word(column)): found \(sample), expected Unix times of one unit or "
                + "dates such as 2010-12-01 08:26:00"
            if chosen != nil { throw InteractionError(file: path, reason: "columns", words) }
            throw ambiguous(words, user: layout.userColumn, item: layout.itemColumn, time: nil, inFileOrder: true)
        }
        layout.time = form
        guard form.unit == .date, chosen == nil else { return }
        let hasClock = table.values(column).contains { $0.contains(UInt8(ascii: ":")) }
        if !hasClock, let clock = table.names.indices.first(where: { !taken.contains($0) && table.look($0) == .clock })
        {
            throw ambiguous(
                "found dates in column \(table.word(column)) and times of day in column \(table.word(clock)), expected "
                    + "both in one; reading the dates alone loses the order within a day",
                user: layout.userColumn, item: layout.itemColumn, time: column)
        }
    }

    /// A column without a known name that holds times: used where there is no header and no doubt, else refused.
    private func likelyTime(_ layout: Layout, _ taken: [Int]) throws -> Int? {
        let others = table.names.indices.filter { !taken.contains($0) }
        let last = others.last
        var found: [Int] = []
        for column in others {
            switch table.look(column) {
            case .date: found.append(column)
            case .epoch(let isCertain):
                // Nine digits may be a name; at the end of a line they are seconds, as in the files of MovieLens.
                if isCertain || !table.hasHeader && column == last {
                    if !table.hasHeader || !ColumnNames.isIdentifier(table.names[column]) { found.append(column) }
                }
            default: break
            }
        }
        if !table.hasHeader, found.count == 1 { return found[0] }
        if let first = found.first {
            let columns = found.map(table.word).joined(separator: ", ")
            throw ambiguous(
                found.count > 1
                    ? "found times in the columns \(columns)"
                    : "found times in column \(columns), whose name does not say what they are times of",
                user: layout.userColumn, item: layout.itemColumn, time: first, inFileOrder: true)
        }
        if let some = others.first(where: { table.holdsSomeTimes($0) }) {
            throw ambiguous(
                "found times in some rows of column \(table.word(some)), and something else in others",
                user: layout.userColumn, item: layout.itemColumn, time: nil, inFileOrder: true)
        }
        let parts = table.hasHeader ? ColumnNames.parts(in: table.names).filter { !taken.contains($0) } : []
        if let part = parts.first {
            throw ambiguous(
                "found parts of times in the columns \(parts.map(table.word).joined(separator: ", ")), expected whole times "
                    + "in one",
                user: layout.userColumn, item: layout.itemColumn, time: parts.count == 1 ? part : nil, inFileOrder: true
            )
        }
        // Seconds before 1995 without a name: as likely numbers of something.
        if !table.hasHeader, let last, layout.list == nil, !table.values(last).isEmpty,
            table.values(last).allSatisfy({ value in
                value.withUnsafeBytes { value.count == 9 && value[0] != 48 && parseWhole($0) != nil }
            })
        {
            throw ambiguous(
                "found numbers of nine digits in column \(last), which may be seconds or names",
                user: layout.userColumn, item: layout.itemColumn, time: last, inFileOrder: true)
        }
        return nil
    }

    /// How the fields of a column are read as times; nil where a fifth of them cannot be.
    private func form(_ column: Int, _ layout: inout Layout) -> TimeForm? {
        let values = table.values(column)
        // A file may have no row, which is said when it is read.
        guard !values.isEmpty else { return TimeForm(unit: .seconds) }
        func isEnough(_ count: Int) -> Bool { count * 5 >= values.count * 4 }
        let dates = values.compactMap { value in value.withUnsafeBytes { DateText($0, options.dates) } }
        if isEnough(dates.count) {
            var form = TimeForm(unit: .date)
            var judge = DayJudge()
            dates.forEach { judge.add($0) }
            form.order = options.dates ?? judge.order
            layout.isDayOpen = options.dates == nil && judge.isOpen
            let read = values.filter { value in value.withUnsafeBytes { form.read($0) != nil } }
            return isEnough(read.count) ? form : nil
        }
        let numbers = values.compactMap { value in value.withUnsafeBytes(parseWhole) }
        guard isEnough(numbers.count) else { return nil }
        let units = numbers.compactMap { TimeUnit.of(magnitude: $0) }
        let median = numbers.map { Int64(clamping: $0.magnitude) }.sorted()[numbers.count / 2]
        // Small numbers are an order in seconds of nowhere; they still sort.
        guard let unit = TimeUnit.of(magnitude: median) else { return TimeForm(unit: .seconds) }
        // Seconds among milliseconds would be times of 1970.
        guard units.filter({ $0 != unit }).count * 50 <= units.count else { return nil }
        return TimeForm(unit: unit)
    }

    // MARK: - Refusals

    private func unknown(_ role: String, _ known: ColumnNames.Found, _ chosen: [String: Int]) -> InteractionError {
        let user = chosen["user"] ?? known.user
        let item = chosen["item"] ?? chosen["items"] ?? known.items ?? known.item
        // One row for each of what is known: facts about users or items, such as ages or titles.
        let single = (user ?? item).map { column in
            table.rows.count >= 10 && table.distinct(column) == table.rows.count
                && (user == nil || !table.names.indices.contains { $0 != column && table.isList($0) })
                ? "; every \(table.word(column)) stands in one row, as in a file that says what \(user == nil ? "items" : "users") "
                    + "are, which holds no interactions" : ""
        }
        return ambiguous(
            "found a header of which no column is known to hold the \(role)\(single ?? "")", user: user, item: item,
            time: chosen["time"] ?? known.times.first)
    }

    /// A refusal with every column and a command line that would settle it, with a guess for what is not known.
    private func ambiguous(
        _ why: String, user: Int?, item: Int?, time: Int?, inFileOrder: Bool = false
    ) -> InteractionError {
        var free = table.names.indices.filter { column in
            ![user, item, time].contains(column)
                && ![.date, .clock, .decimals, .epoch(isCertain: true)].contains(table.look(column))
                && !table.countsRows(column) && !table.takesTurns(column) && table.distinct(column) > 1
        }
        let time =
            time
            ?? (inFileOrder
                ? nil
                : table.names.indices.first {
                    ![user, item].contains($0) && [.date, .epoch(isCertain: true)].contains(table.look($0))
                        && !ColumnNames.isIdentifier(table.names[$0])
                })
        var others = table.names.indices.filter { column in
            ![user, item, time].contains(column) && !free.contains(column) && table.distinct(column) > 1
        }
        func next() -> Int? { !free.isEmpty ? free.removeFirst() : others.isEmpty ? nil : others.removeFirst() }
        // Names such as U17 tell users from the rows' own numbers.
        let user = user ?? free.firstIndex { table.namesUsers($0) }.map { free.remove(at: $0) } ?? next()
        let item = item ?? next()
        guard user != nil, item != nil else { return tooLittle(why) }
        var roles = [user.map { "user=\(table.word($0))" }]
        roles.append(item.map { (table.isList($0) ? "items=" : "item=") + table.word($0) })
        roles.append(time.map { "time=\(table.word($0))" })
        let columns = roles.compactMap { $0 }.joined(separator: ",")
        let command = "plaw register NAME \(path.shellWord)"
        let choices = [
            time != nil || !inFileOrder ? "\(command) --columns \(columns.shellWord)" : nil,
            inFileOrder ? "\(command)\(table.hasHeader ? "" : " --columns \(pair(user, item))") --order file" : nil,
        ].compactMap { $0 }
        return InteractionError(
            file: path, reason: "ambiguous",
            "\(why); the columns are \(table.description); to say what they hold: "
                + choices.joined(separator: "  or  "))
    }

    /// A refusal where no columns are left that could hold users and items.
    private func tooLittle(_ why: String) -> InteractionError {
        InteractionError(
            file: path, reason: "ambiguous",
            "\(why); the columns are \(table.description); expected a column of users and one of items")
    }

    private func pair(_ user: Int?, _ item: Int?) -> String { "user=\(user ?? 0),item=\(item ?? 1)" }

    /// A refusal of dates whose order of day and month nothing in the file tells.
    static func openDays(_ path: String, _ name: String, _ sample: String) -> InteractionError {
        let command = "plaw register NAME \(path.shellWord)"
        return InteractionError(
            file: path, reason: "ambiguous",
            "the date column \(name): found \(sample), which may have the day or the month first, and no date that tells; "
                + "day first: \(command) --dates dmy  month first: \(command) --dates mdy")
    }
}

/// Gathers what dates say about the order of days and months.
struct DayJudge {
    private var (days, months, open, dots) = (0, 0, 0, 0)

    mutating func add(_ date: DateText) {
        switch date.evidence {
        case .dayFirst: days += 1
        case .monthFirst: months += 1
        case .either:
            open += 1
            if date.hasDots { dots += 1 }
        case .none: break
        }
    }

    /// The order that some date tells; dates with dots have the day first unless one says otherwise.
    var order: DayOrder? {
        if months > 0 { return days == 0 ? .mdy : nil }
        return days > 0 || open > 0 && dots == open ? .dmy : nil
    }

    /// True until a date tells.
    var isUndecided: Bool { days == 0 && months == 0 }

    /// True where there are dates that read both ways and nothing tells which.
    var isOpen: Bool { order == nil && open > 0 }
}
