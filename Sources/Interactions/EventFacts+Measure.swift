internal import Domain

extension CorpusContents {
    /// Groups that are told of, at most: a dataset's description is an answer.
    private static let mostShown = 1_000

    /// What the events are, counted; nil where there are none.
    var eventFacts: EventFacts? {
        guard !events.isEmpty else { return nil }
        var facts = EventFacts()
        facts.behaviors = events.behaviors.map(groups)
        facts.values = events.values.map(valueFacts)
        facts.domains = events.domains.map(groups)
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

    /// Kinds, those with most interactions first: of behaviors that is the funnel.
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
        return Array(
            groups.sorted { ($1.interactions, $0.name) < ($0.interactions, $1.name) }.prefix(Self.mostShown))
    }
}
