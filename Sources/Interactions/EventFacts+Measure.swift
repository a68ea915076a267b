internal import Domain

extension CorpusContents {
    /// Groups that are told of, at most: a dataset's description is an answer.
    private static let mostShown = 1_000

    /// What the events are, counted; nil where there are none.
    var eventFacts: EventFacts? {
        guard !events.isEmpty else { return nil }
        var facts = EventFacts()
        facts.behaviors = events.behaviors.map { kinds in
            let groups = groups(kinds)
            return funnel(kinds, groups).prefix(Self.mostShown).map { groups[$0] }
        }
        facts.values = events.values.map(valueFacts)
        facts.domains = events.domains.map { kinds in
            Array(
                groups(kinds).sorted { ($1.interactions, $0.name) < ($0.interactions, $1.name) }.prefix(Self.mostShown))
        }
        return facts
    }

    private func valueFacts(_ values: EventColumns.Values) -> EventFacts.Values {
        var (least, most, sum, count) = (Double.infinity, -Double.infinity, 0.0, 0)
        func add(_ value: Double) {
            guard !value.isNaN else { return }
            (least, most, sum, count) = (min(least, value), max(most, value), sum + value, count + 1)
        }
        if values.numbers.isEmpty {
            for code in values.codes { add(values.table[Int(code)]) }
        } else {
            values.numbers.forEach(add)
        }
        return EventFacts.Values(
            least: count > 0 ? least : 0, most: count > 0 ? most : 0, mean: count > 0 ? sum / Double(count) : 0,
            distinct: values.numbers.isEmpty ? values.table.filter { !$0.isNaN }.count : nil,
            missing: items.count - count)
    }

    private func groups(_ kinds: EventColumns.Kinds) -> [EventFacts.Group] {
        let count = kinds.names.count
        var groups = (0..<count).map { kind in
            let start = kind == 0 ? 0 : Int(kinds.names.ends[kind - 1])
            return EventFacts.Group(
                name: String(decoding: kinds.names.bytes[start..<Int(kinds.names.ends[kind])], as: UTF8.self),
                interactions: 0, users: 0, items: 0, sharedUsers: 0)
        }
        // The last user of a kind, and pairs of item and kind that were met.
        var last = [Int](repeating: -1, count: count)
        var met: Set<UInt64> = []
        for user in 0..<offsets.count - 1 {
            var own: [Int] = []
            for row in Int(offsets[user])..<Int(offsets[user + 1]) {
                let kind = Int(kinds.codes[row])
                groups[kind].interactions += 1
                if last[kind] != user {
                    last[kind] = user
                    own.append(kind)
                }
                if met.insert(UInt64(kind) << 32 | UInt64(UInt32(bitPattern: items[row]))).inserted {
                    groups[kind].items += 1
                }
            }
            for kind in own {
                groups[kind].users += 1
                if own.count > 1 { groups[kind].sharedUsers += 1 }
            }
        }
        return groups
    }

    /// Behaviors of which an order is told at most.
    private static let mostSteps = 32

    /// Behaviors in the order in which users come to them: of those a user has with one item, which came first, over all users and items;
    /// where nothing tells, the more frequent first.
    private func funnel(_ kinds: EventColumns.Kinds, _ groups: [EventFacts.Group]) -> [Int] {
        let count = groups.count
        let byCount = groups.indices.sorted {
            (groups[$1].interactions, groups[$0].name) < (groups[$0].interactions, groups[$1].name)
        }
        guard count <= Self.mostSteps, times != nil else { return byCount }
        var before = [Int](repeating: 0, count: count * count)
        var met: [Int32: [(kind: Int, time: Int64)]] = [:]
        for user in 0..<offsets.count - 1 {
            met.removeAll(keepingCapacity: true)
            for row in Int(offsets[user])..<Int(offsets[user + 1]) {
                let (kind, time) = (Int(kinds.codes[row]), times?[row] ?? 0)
                let earlier = met[items[row]] ?? []
                guard !earlier.contains(where: { $0.kind == kind }) else { continue }
                // Those of one moment have no order.
                for other in earlier where other.time < time { before[other.kind * count + kind] += 1 }
                met[items[row]] = earlier + [(kind, time)]
            }
        }
        // How many others a behavior comes before, as most pairs say.
        let ahead = (0..<count).map { kind in
            (0..<count).count { before[kind * count + $0] > before[$0 * count + kind] }
                - (0..<count).count { before[kind * count + $0] < before[$0 * count + kind] }
        }
        return byCount.enumerated().sorted { a, b in
            (ahead[b.element], a.offset) < (ahead[a.element], b.offset)
        }.map(\.element)
    }
}
