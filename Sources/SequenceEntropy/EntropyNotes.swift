internal import Domain
internal import Interactions

/// The degenerate cases of entropy in words.
enum EntropyNotes {
    static func of(
        _ part: CorpusPart, pooled: [EntropyReport.Pooled], perUser: EntropyReport.PerUser, tokens: Int
    ) -> [String] {
        var notes: [String] = []
        if tokens == 0 {
            notes.append("no user has two training items: there are no tokens, and D' is 0")
        }
        if part.corpus.itemCount == 1 {
            notes.append("there is one item only: the next item is certain and every entropy is 0")
        }
        notes += ofPooled(pooled, part) + ofPerUser(perUser, part)
        return notes
    }

    private static func ofPooled(_ pooled: [EntropyReport.Pooled], _ part: CorpusPart) -> [String] {
        var notes: [String] = []
        let followed = part.users.contains { $0.count > 1 }
        if !followed {
            notes.append("no user has two interactions: nothing follows anything, and pooled ApEn is 0 from m = 1 on")
        } else if pooled[1].singletonShare == 1 {
            notes.append(
                "every item is followed once at most: pooled ApEn (m = 1) is 0 because nothing recurs, not because the next "
                    + "item is certain; D' is not meaningful")
        } else if pooled[1].value == 0, part.corpus.itemCount > 1 {
            notes.append("pooled ApEn is 0: each item has only one successor; D' is not meaningful")
        } else if pooled[1].singletonShare > 0.5 {
            notes.append(
                "\(Format.share(pooled[1].singletonShare, decimals: 0)) of the items are followed once only: "
                    + "pooled ApEn is biased low")
        }
        // Of the longer contexts only where it begins, and not where m = 1 has said it.
        guard followed, pooled[1].singletonShare <= 0.5 else { return notes }
        let counted = pooled.filter { $0.m > 1 && !isEmpty($0.m, part) }
        if let first = counted.first(where: { $0.singletonShare > 0.5 }), first.singletonShare < 1 {
            notes.append(
                "from m = \(first.m) on more than half of the contexts occur once: pooled ApEn is biased low there")
        }
        if let first = counted.first(where: { $0.singletonShare == 1 }) {
            notes.append(
                "from m = \(first.m) on every context occurs once: pooled ApEn is 0 there because nothing recurs, not "
                    + "because the next item is certain")
        }
        if let first = pooled.first(where: { isEmpty($0.m, part) }) {
            notes.append("no sequence has more than \(first.m) items: pooled ApEn is 0 from m = \(first.m) on")
        }
        return notes
    }

    /// Whether no sequence has a context of that length with an item after it.
    private static func isEmpty(_ m: Int, _ part: CorpusPart) -> Bool { !part.users.contains { $0.count > m } }

    private static func ofPerUser(_ perUser: EntropyReport.PerUser, _ part: CorpusPart) -> [String] {
        var notes: [String] = []
        if perUser.users > 0, perUser.tooShort == perUser.users {
            return [
                "every sequence is too short for per-user ApEn with m = \(perUser.m) (\(perUser.m + 1) items at least, and "
                    + "L = \(perUser.maxLength)): it is 0 by definition"
            ]
        }
        if perUser.tooShort * 2 > perUser.users {
            notes.append(
                Format.share(Double(perUser.tooShort) / Double(perUser.users), decimals: 0)
                    + " of the users are too short for per-user ApEn with m = \(perUser.m) and count as 0: "
                    + "the mean says more about lengths than about items")
        }
        if perUser.r < 0 {
            notes.append("r < 0 matches no template: per-user ApEn is 0 by definition")
        } else if perUser.r >= 1 {
            notes.append("r >= 1 compares item identifiers as numbers: the value depends on how items are numbered")
        } else if !part.hasRepeats {
            notes.append(
                "no user repeats an item: per-user ApEn depends on the sequence lengths alone and says nothing about "
                    + "quality; pooled ApEn is used for D'")
        }
        return notes
    }
}
