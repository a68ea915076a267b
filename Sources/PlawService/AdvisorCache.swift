/// Advisors that were prepared, each with the version of its dataset that it was last found to hold for.
struct AdvisorCache {
    private struct Entry {
        var version: UInt64
        var prepared: LawService.Prepared
        var used: UInt64
    }

    private var entries: [AdvisorKey: Entry] = [:]
    private var uses: UInt64 = 0
    /// How many tables were made, and for how many questions what they rest on was read again.
    private(set) var preparations = 0

    /// What is kept beside each other; of one that is larger, that one alone.
    static let mostBytes = 64 << 20

    /// Nil where there is none that holds.
    mutating func find(_ key: AdvisorKey, version: UInt64) -> LawService.Prepared? {
        guard let entry = entries[key], entry.version == version else { return nil }
        uses += 1
        entries[key]?.used = uses
        return entry.prepared
    }

    /// Whatever was prepared last, though it may not hold any more.
    func former(_ key: AdvisorKey) -> LawService.Prepared? { entries[key]?.prepared }

    /// Lets those go that were not asked for the longest, as far as room is needed.
    mutating func keep(_ prepared: LawService.Prepared, _ key: AdvisorKey, version: UInt64) {
        preparations += 1
        uses += 1
        entries[key] = Entry(version: version, prepared: prepared, used: uses)
        while bytes > Self.mostBytes, entries.count > 1,
            let oldest = entries.min(by: { $0.value.used < $1.value.used })?.key
        { entries[oldest] = nil }
    }

    mutating func forget(_ dataset: String) { entries = entries.filter { $0.key.dataset != dataset } }

    var bytes: Int { entries.values.reduce(0) { $0 + $1.prepared.bytes } }
}
