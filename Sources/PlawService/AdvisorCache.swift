internal import Synchronization

/// Advisors that were prepared, each with the version of its dataset that it was last found to hold for. Asked by whoever has a
/// question, wherever it arrives.
final class AdvisorCache: Sendable {
    private struct Entry {
        var version: UInt64
        var prepared: LawService.Prepared
        var used: UInt64
    }

    private struct Table {
        var entries: [AdvisorKey: Entry] = [:]
        var uses: UInt64 = 0
    }

    private let table = Mutex(Table())
    private let made = Atomic<Int>(0)

    /// What is kept beside each other; of one that is larger, that one alone.
    static let mostBytes = 64 << 20

    /// How many tables were made, and for how many questions what they rest on was read again.
    var preparations: Int { made.load(ordering: .relaxed) }

    /// Nil where there is none that holds.
    func find(_ key: AdvisorKey, version: UInt64) -> LawService.Prepared? {
        table.withLock { table in
            guard let entry = table.entries[key], entry.version == version else { return nil }
            table.uses += 1
            table.entries[key]?.used = table.uses
            return entry.prepared
        }
    }

    /// Whatever was prepared last, though it may not hold any more.
    func former(_ key: AdvisorKey) -> LawService.Prepared? { table.withLock { $0.entries[key]?.prepared } }

    /// Lets those go that were not asked for the longest, as far as room is needed.
    func keep(_ prepared: LawService.Prepared, _ key: AdvisorKey, version: UInt64) {
        made.add(1, ordering: .relaxed)
        table.withLock { table in
            table.uses += 1
            table.entries[key] = Entry(version: version, prepared: prepared, used: table.uses)
            var bytes = table.entries.mapValues(\.prepared.bytes)
            var sum = bytes.values.reduce(0, +)
            while sum > Self.mostBytes, table.entries.count > 1,
                let oldest = table.entries.min(by: { $0.value.used < $1.value.used })?.key
            {
                sum -= bytes.removeValue(forKey: oldest) ?? 0
                table.entries[oldest] = nil
            }
        }
    }

    func forget(_ dataset: String) {
        table.withLock { table in
            for key in table.entries.keys where key.dataset == dataset { table.entries[key] = nil }
        }
    }

    var bytes: Int { table.withLock { $0.entries.values.reduce(0) { $0 + $1.prepared.bytes } } }
}
