import Domain
import Wire

/// Prints a dataset.
struct DatasetDisplay {
    private let dataset: DatasetInfo

    init(_ dataset: DatasetInfo) { self.dataset = dataset }

    func printStatistics() {
        guard let statistics = dataset.statistics else { return printCounts() }
        Self.print(statistics, dataset.mask, dataset.targets)
    }

    static func print(_ s: DatasetStatistics, _ mask: CandidateMask? = nil, _ targets: TargetFacts? = nil) {
        var table = Table("rows read", Format.count(s.rows))
        table.leftAligned = [0, 1]
        for dropped in s.dropped {
            let lines = dropped.firstLines.map(String.init).joined(separator: ", ")
            let more = dropped.count > dropped.firstLines.count ? ", ..." : ""
            table.add("  dropped", "\(Format.count(dropped.count)): \(dropped.reason) (line \(lines)\(more))")
        }
        for removed in s.reading?.removedByConditions ?? [] {
            table.add("  where", "\(removed.condition) removed \(Format.count(removed.count)) rows")
        }
        table.add("users", Format.count(s.users) + ", \(Format.count(s.evaluatedUsers)) of them evaluated")
        table.add("items", Format.count(s.items))
        table.add("interactions", Format.count(s.interactions))
        table.add("lengths", Format.quartiles(s.lengthQuartiles))
        table.add("repeated", Format.share(s.repeatedShare) + " of the interactions")
        if s.outOfOrderRows > 0 { table.add("out of order", "\(Format.count(s.outOfOrderRows)) rows, sorted by time") }
        if let equal = s.reading?.equalTimes, equal > 0 {
            table.add(
                "equal times",
                "\(Format.count(equal)) interactions at the time of another of their user, in the order of the file")
        }
        if let equal = s.reading?.exactDuplicates, equal > 0 {
            table.add("duplicates", "\(Format.count(equal)) with the user, item and time of another")
        }
        if let odd = s.reading?.oddTimes {
            table.add("odd times", "\(Format.count(odd)) interactions before 1971 or after 2099")
        }
        if let removed = s.reading?.removedDuplicates {
            table.add("deduplicate", "removed \(Format.count(removed)) interactions")
        }
        if let removed = s.reading?.removedByCore {
            table.add("k-core", "removed \(Format.count(removed)) interactions")
        }
        if let events = s.events { Self.add(events, of: s.interactions, to: &table) }
        if let mask { table.add("ranking", Self.words(mask)) }
        if let t = targets, t.candidates.count == 5 {
            table.add(
                "targets",
                "\(Format.count(t.users)), each among \(Format.count(t.candidates[2])) items (median); "
                    + "\(Format.share(t.unseen)) in no training history")
        }
        table.add("content", String(s.contentHash.prefix(16)) + "... (SHA-256)")
        table.print()
    }

    private static func add(_ events: EventFacts, of interactions: Int, to table: inout Table) {
        func share(_ count: Int) -> String { Format.share(Double(count) / Double(max(1, interactions))) }
        func name(_ group: EventFacts.Group) -> String { group.name.isEmpty ? "(none)" : group.name }
        for (title, groups) in [("behaviors", events.behaviors), ("domains", events.domains)] {
            guard let groups else { continue }
            let shown = groups.prefix(8).map(name).joined(separator: title == "behaviors" ? " > " : ", ")
            table.add(title, groups.count > 8 ? "\(shown) and \(Format.count(groups.count - 8)) more" : shown)
            for group in groups.prefix(8) {
                table.add(
                    "  \(name(group))",
                    "\(Format.count(group.interactions)) (\(share(group.interactions))) of \(Format.count(group.users)) users, "
                        + "\(Format.count(group.sharedUsers)) of them with others too; \(Format.count(group.items)) items"
                )
            }
        }
        if let values = events.values {
            let distinct = values.distinct.map { ", \(Format.count($0)) different" } ?? ""
            let missing = values.missing > 0 ? ", \(Format.count(values.missing)) interactions without one" : ""
            table.add(
                "values",
                "\(Format.short(values.least)) to \(Format.short(values.most)), mean \(Format.short(values.mean))\(distinct)\(missing)"
            )
        }
    }

    /// What makes the usual metric say little.
    func printDoubts() {
        for warning in dataset.targets?.warnings(Metric(.ndcg, 10), dataset: dataset.name) ?? [] {
            Terminal.prose("warning (\(warning.code)): \(warning.message)")
        }
    }

    /// The counts that came with the observations.
    private func printCounts() {
        let counts = [
            ("users", dataset.users), ("items", dataset.items), ("interactions", dataset.interactions),
        ]
        var table = Table(cells: [])
        table.leftAligned = [0, 1]
        for (name, count) in counts { table.add(name, Format.known(count)) }
        table.lines.dropFirst().forEach(Terminal.print)
    }

    func printEntropy() {
        if let entropy = dataset.entropy { Self.printEntropy(entropy) }
    }

    /// - Parameter all: every m of pooled ApEn, not only 1 and 2.
    static func printEntropy(_ e: EntropyReport, all: Bool = false) {
        var table = Table("entropy")
        table.leftAligned = [0, 1]
        for pooled in e.pooledApEn where all || (1...2).contains(pooled.m) {
            table.add(
                "  pooled ApEn, m = \(pooled.m)",
                "\(Format.fixed(pooled.value, 4)) nats (bias corrected \(Format.fixed(pooled.biasCorrected, 4)); "
                    + "\(Format.share(pooled.singletonShare)) of contexts occur once)")
        }
        let p = e.perUserApEn
        table.add(
            "  per-user ApEn",
            "\(Format.fixed(p.mean, 4)) nats (m = \(p.m), r = \(Format.short(p.r)), L = \(p.maxLength); "
                + "\(Format.count(p.users)) users, \(Format.count(p.tooShort)) too short)")
        table.add("  Shannon", Format.fixed(e.shannonBits, 3) + " bits")
        table.add("  Lempel-Ziv", Format.fixed(e.lempelZiv, 3) + " nats")
        table.add("  compression ratio", Format.fixed(e.compressionRatio, 3))
        table.add("  tokens", Format.count(e.tokens))
        table.add("  D' = tokens / ApEn", Format.dataSize(e.effectiveTokens))
        table.print()
        for note in e.notes { Terminal.prose("note: " + note, indent: 2) }
    }

    static func printMovement(_ movement: EntropyMovement) {
        let figures = ["interactions", "tokens", "pooled ApEn", "bias corrected", "per-user ApEn", "D'"]
        func cells(_ point: EntropyPoint) -> [String] {
            [
                Format.count(point.interactions), Format.count(point.tokens), Format.fixed(point.pooledApEn, 4),
                Format.fixed(point.biasCorrected, 4), Format.fixed(point.perUserApEn, 4),
                Format.dataSize(point.effectiveTokens),
            ]
        }
        Terminal.print("")
        var lengths = Table(cells: ["most recent items"] + figures)
        for point in movement.byMaxLength { lengths.add(cells: [Format.count(point.maxLength)] + cells(point)) }
        lengths.print()
        Terminal.print("")
        var shares = Table(cells: ["share of the users"] + figures)
        for point in movement.byUserFraction { shares.add(cells: [Format.share(point.userFraction)] + cells(point)) }
        shares.print()
        Terminal.prose(
            "pooled ApEn with m = 1, nats; D' = tokens / pooled ApEn of the same row: histories that are cut have another entropy than "
                + "whole ones, which the D' of the laws, above, is made of")
    }

    private static func words(_ mask: CandidateMask) -> String {
        switch mask {
        case .none: "all items compete (mask none)"
        case .window: "items in view are left out (mask window)"
        case .full: "the user's earlier items are left out (mask full)"
        }
    }
}
