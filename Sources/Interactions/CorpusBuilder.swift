internal import Domain
internal import Text

/// Filters and sorts interactions and writes them as a corpus file.
struct CorpusBuilder {
    var rows: RawInteractions
    let options: ReadOptions
    let rowCount: Int
    let drops: [DroppedRows]
    /// Nil without conditions.
    let removedByConditions: [RemovedRows]?
    let source: String
    /// Whether nobody to train or to rank is an error.
    let forTraining: Bool
    /// How times are read; `rows` has parts of the unit, the corpus whole ones.
    let time: TimeForm?
    /// The time column as options name it.
    let timeColumn: String?
    /// Called every some milliseconds of work; what it throws ends it.
    let checkStop: () throws -> Void

    /// Interactions in order of user, then time, then file.
    private struct Sorted {
        var user: [Int32]
        var item: [Int32]
        var time: [Int64]
        /// The row of the file that each came from; empty where no row says more than user, item and time.
        var row: [UInt32]
        var outOfOrder: Int
    }

    mutating func write(to path: String, _ willWrite: (Int) throws -> Void) throws -> DatasetStatistics {
        let total = rows.count
        var sorted = try sortByUser()
        var counts = ReadingCounts()
        counts.removedByConditions = removedByConditions
        if let odd = try oddTimes(sorted.time) { counts.oddTimes = odd }
        if rows.hasTimes { try countTies(sorted, &counts) }
        if let deduplicate = options.deduplicate {
            let before = sorted.user.count
            try removeDuplicates(&sorted, deduplicate)
            counts.removedDuplicates = before - sorted.user.count
        }
        if let k = options.kCore {
            let before = sorted.user.count
            try keepCore(&sorted, k)
            counts.removedByCore = before - sorted.user.count
        }
        guard !sorted.user.isEmpty else {
            throw InteractionError(
                file: source, reason: "no-rows",
                "the filters leave no interaction of \(total); a smaller k-core keeps more")
        }
        let (userNames, offsets) = compactUsers(sorted)
        let itemNames = compactItems(&sorted.item)
        if forTraining { try refuseNobody(offsets, items: itemNames.count) }
        if let timeScale = time?.unit.scale, timeScale > 1 {
            for row in sorted.time.indices { sorted.time[row] /= timeScale }
        }
        let contents = CorpusContents(
            offsets: offsets, items: sorted.item, times: rows.hasTimes ? sorted.time : nil,
            itemNames: names(itemNames, in: rows.items), userNames: names(userNames, in: rows.users),
            events: EventColumns(rows.events, rows: sorted.row))
        try willWrite(contents.fileBytes)
        let hash = try contents.write(to: path, checkStop: checkStop)
        return statistics(contents, outOfOrder: sorted.outOfOrder, counts, hash: hash)
    }

    /// Counts interactions at the time of the one before, and those that also have its item.
    private func countTies(_ sorted: Sorted, _ counts: inout ReadingCounts) throws {
        var equal = 0
        var duplicates = 0
        var start = 0
        for row in 1...sorted.user.count {
            if row & Self.checkedRows == 0 { try checkStop() }
            if row < sorted.user.count, sorted.user[row] == sorted.user[start], sorted.time[row] == sorted.time[start] {
                continue
            }
            if row - start > 1 {
                equal += row - start
                let items = sorted.item[start..<row].sorted()
                duplicates += zip(items, items.dropFirst()).filter { $0 == $1 }.count
            }
            start = row
        }
        counts.equalTimes = equal
        counts.exactDuplicates = duplicates
    }

    /// Counts times before 1971 and after 2099 where most are between; refuses one of them that stands in many rows, since it says
    /// that the time is not known. Nil where the times are of no known unit, or most of them are such.
    private func oddTimes(_ times: [Int64]) throws -> Int? {
        guard let time, let column = timeColumn, rows.hasTimes else { return nil }
        let years = 31_536_000 * time.partsOfSecond..<4_102_444_800 * time.partsOfSecond
        var count = 0
        var often: [Int64: Int] = [:]
        for value in times where !years.contains(value) {
            count += 1
            if often.count < 1_000 || often[value] != nil { often[value, default: 0] += 1 }
        }
        guard count > 0, count * 2 < times.count else { return nil }
        if let (value, found) = often.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), found >= 3,
            found * 100 >= times.count
        {
            let word =
                time.unit == .date
                ? CivilTime(seconds: value / time.partsOfSecond).date : String(value / time.unit.scale)
            let command = "plaw register NAME \(source.shellWord)"
            throw InteractionError(
                file: source, reason: "ambiguous",
                "found the time \(word) in \(found) of \(times.count) rows, and times of 1971 to 2099 in most others: it may stand "
                    + "for a time that is not known; without these rows: \(command) --where "
                    + "\("\(column)!=\(word)".shellWord)  in the order of the file: \(command) --order file")
        }
        return count
    }

    /// Refuses what no model could be trained on or ranked by.
    private func refuseNobody(_ offsets: [UInt64], items: Int) throws {
        let lengths = zip(offsets, offsets.dropFirst()).map { Int($1 - $0) }
        let ranked = lengths.filter(Split.isEvaluated).count
        let trained = lengths.filter { Split.trainingPositions(length: $0, maxLength: .max) > 0 }.count
        guard ranked == 0 || trained == 0 else { return }
        throw InteractionError(
            file: source, reason: "nobody",
            "found \(offsets.last ?? 0) interactions of \(lengths.count) users and \(items) items, at most "
                + "\(lengths.max() ?? 0) of a user: \(ranked) users with 3 or more, who can be ranked, and \(trained) with two "
                + "to train on besides targets, expected one of each at least"
                + (options.kCore == nil && options.deduplicate == nil
                    ? "; if the columns are others: plaw register NAME \(source.shellWord) --columns user=..,item=.."
                    : "; weaker filters keep more"))
    }

    // MARK: - Order

    /// Orders the rows, and gives up what is ordered: as few copies as can be lie beside each other.
    private mutating func sortByUser() throws -> Sorted {
        let count = rows.count
        var starts = [Int](repeating: 0, count: rows.users.count + 1)
        for user in rows.userOf { starts[Int(user) + 1] += 1 }
        for user in 0..<rows.users.count { starts[user + 1] += starts[user] }
        var item = try placed(rows.itemOf, starts)
        rows.itemOf = []
        var time = rows.hasTimes ? try placed(rows.timeOf, starts) : []
        var row = rows.events.isEmpty ? [] : try placed(Array(0..<UInt32(count)), starts)
        rows.timeOf = []
        rows.userOf = []
        var user = [Int32](repeating: 0, count: count)
        for u in 0..<rows.users.count {
            for place in starts[u]..<starts[u + 1] { user[place] = Int32(u) }
        }
        var outOfOrder = 0
        if rows.hasTimes {
            var scratch: [(time: Int64, row: Int32, item: Int32)] = []
            var unchecked = 0
            for u in 0..<rows.users.count {
                let range = starts[u]..<starts[u + 1]
                unchecked += range.count
                if unchecked > Self.checkedRows {
                    unchecked = 0
                    try checkStop()
                }
                var late = 0
                for row in range.dropFirst() where time[row] < time[row - 1] { late += 1 }
                outOfOrder += late
                if late > 0 { try sort(range, &item, &time, &row, &scratch) }
            }
        }
        return Sorted(user: user, item: item, time: time, row: row, outOfOrder: outOfOrder)
    }

    /// Values of the rows, user by user, in the order of the file.
    private func placed<T: FixedWidthInteger>(_ values: [T], _ starts: [Int]) throws -> [T] {
        var next = starts
        return try [T](unsafeUninitializedCapacity: values.count) { placed, initialized in
            for row in values.indices {
                if row & Self.checkedRows == 0 { try checkStop() }
                let user = Int(rows.userOf[row])
                placed[next[user]] = values[row]
                next[user] += 1
            }
            initialized = values.count
        }
    }

    /// Sorts one user's rows by time, ties in file order.
    private func sort(
        _ range: Range<Int>, _ item: inout [Int32], _ time: inout [Int64], _ row: inout [UInt32],
        _ scratch: inout [(time: Int64, row: Int32, item: Int32)]
    ) throws {
        scratch.removeAll(keepingCapacity: true)
        for place in range { scratch.append((time[place], Int32(place - range.lowerBound), item[place])) }
        var compared = 0
        try scratch.sort { a, b in
            compared += 1
            if compared & Self.checkedRows == 0 { try checkStop() }
            return a.time != b.time ? a.time < b.time : a.row < b.row
        }
        let rows = row.isEmpty ? [] : Array(row[range])
        for (found, place) in zip(scratch, range) {
            item[place] = found.item
            time[place] = found.time
            if !rows.isEmpty { row[place] = rows[Int(found.row)] }
        }
    }

    // MARK: - Filters

    /// Rows after which is asked whether to stop, less one.
    private static let checkedRows = 0xf_ffff

    private func keep(_ sorted: inout Sorted, where holds: (Int) -> Bool) throws {
        var place = 0
        for row in sorted.user.indices {
            if row & Self.checkedRows == 0 { try checkStop() }
            guard holds(row) else { continue }
            sorted.user[place] = sorted.user[row]
            sorted.item[place] = sorted.item[row]
            if rows.hasTimes { sorted.time[place] = sorted.time[row] }
            if !sorted.row.isEmpty { sorted.row[place] = sorted.row[row] }
            place += 1
        }
        sorted.user.removeSubrange(place...)
        sorted.item.removeSubrange(place...)
        if rows.hasTimes { sorted.time.removeSubrange(place...) }
        if !sorted.row.isEmpty { sorted.row.removeSubrange(place...) }
    }

    private func removeDuplicates(_ sorted: inout Sorted, _ kind: ReadOptions.Deduplication) throws {
        struct Key: Hashable {
            var item: Int32
            var time: Int64
        }
        var seen: Set<Key> = []
        var user: Int32 = -1
        let copy = sorted
        try keep(&sorted) { row in
            if copy.user[row] != user {
                user = copy.user[row]
                seen.removeAll(keepingCapacity: true)
            }
            let time = kind == .rows && rows.hasTimes ? copy.time[row] : 0
            return seen.insert(Key(item: copy.item[row], time: time)).inserted
        }
    }

    /// Leaves out users and items with fewer than k interactions, until none is left: each row is looked at twice at most, however long the
    /// chain of those that fall because others fell.
    private func keepCore(_ sorted: inout Sorted, _ k: Int) throws {
        let rowsOf = [
            Self.rows(by: sorted.user, count: rows.users.count), Self.rows(by: sorted.item, count: rows.items.count),
        ]
        var left = rowsOf.map { lists in lists.starts.indices.dropLast().map { lists.starts[$0 + 1] - lists.starts[$0] }
        }
        let keys = [sorted.user, sorted.item]
        var isKept = [Bool](repeating: true, count: sorted.user.count)
        // Users and items that have too few, whose rows are still to go.
        var falling: [(side: Int, number: Int)] = []
        for side in 0..<2 {
            falling += left[side].indices.filter { left[side][$0] > 0 && left[side][$0] < k }.map { (side, $0) }
        }
        var looked = 0
        while let (side, number) = falling.popLast() {
            let lists = rowsOf[side]
            for place in lists.starts[number]..<lists.starts[number + 1] {
                looked += 1
                if looked & Self.checkedRows == 0 { try checkStop() }
                let row = Int(lists.rows[place])
                guard isKept[row] else { continue }
                isKept[row] = false
                let other = Int(keys[1 - side][row])
                left[1 - side][other] -= 1
                // Once, when it falls below.
                if left[1 - side][other] == k - 1 { falling.append((1 - side, other)) }
            }
        }
        try keep(&sorted) { isKept[$0] }
    }

    /// The rows of each number, one after the other.
    private static func rows(by key: [Int32], count: Int) -> (starts: [Int], rows: [UInt32]) {
        var starts = [Int](repeating: 0, count: count + 1)
        for number in key { starts[Int(number) + 1] += 1 }
        for number in 0..<count { starts[number + 1] += starts[number] }
        var next = starts
        var rows = [UInt32](repeating: 0, count: key.count)
        for (row, number) in key.enumerated() {
            rows[next[Int(number)]] = UInt32(row)
            next[Int(number)] += 1
        }
        return (starts, rows)
    }

    // MARK: - Numbers without gaps

    private func compactUsers(_ sorted: Sorted) -> (names: [Int32], offsets: [UInt64]) {
        var names: [Int32] = []
        var offsets: [UInt64] = []
        for (row, user) in sorted.user.enumerated() where user != names.last {
            names.append(user)
            offsets.append(UInt64(row))
        }
        offsets.append(UInt64(sorted.user.count))
        return (names, offsets)
    }

    private func compactItems(_ items: inout [Int32]) -> [Int32] {
        var number = [Int32](repeating: -1, count: rows.items.count)
        var names: [Int32] = []
        for row in items.indices {
            let old = Int(items[row])
            if number[old] < 0 {
                number[old] = Int32(names.count)
                names.append(items[row])
            }
            items[row] = number[old]
        }
        return names
    }

    private func names(_ numbers: [Int32], in table: NameTable) -> CorpusContents.Names {
        var names = CorpusContents.Names()
        for number in numbers { table.withBytes(of: Int(number)) { names.append($0) } }
        return names
    }

    // MARK: - Statistics

    private func statistics(
        _ contents: CorpusContents, outOfOrder: Int, _ counts: ReadingCounts, hash: String
    ) -> DatasetStatistics {
        let users = contents.offsets.count - 1
        var lengths = (0..<users).map { Int(contents.offsets[$0 + 1] - contents.offsets[$0]) }
        var lastUser = [Int32](repeating: -1, count: contents.itemNames.count)
        var repeats = 0
        for user in 0..<users {
            for row in Int(contents.offsets[user])..<Int(contents.offsets[user + 1]) {
                let item = Int(contents.items[row])
                if lastUser[item] == Int32(user) { repeats += 1 }
                lastUser[item] = Int32(user)
            }
        }
        let evaluated = lengths.filter { $0 >= 3 }.count
        lengths.sort()
        func quantile(_ share: Int) -> Int { lengths[min(users - 1, (users - 1) * share / 4)] }
        return DatasetStatistics(
            rows: rowCount, dropped: drops, users: users, items: contents.itemNames.count,
            interactions: contents.items.count, lengthQuartiles: (0...4).map(quantile),
            repeatedShare: Double(repeats) / Double(contents.items.count), outOfOrderRows: outOfOrder,
            contentHash: hash, evaluatedUsers: evaluated, reading: counts, events: contents.eventFacts)
    }
}
