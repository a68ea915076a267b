package import Domain
package import Interactions

/// Why an entropy cannot be computed as asked.
package struct EntropyError: Error, Sendable, CustomStringConvertible {
    package var description: String
}

extension EntropyReport {
    /// Measures a corpus, or a share of its users: pooled ApEn (m = 0 to 8), per-user ApEn (m, r, L), Shannon, Lempel-Ziv,
    /// compression, D'.
    ///
    ///     let report = try EntropyReport.measure(corpus, maxLength: 50)
    ///     print(report.pooled(m: 1)?.value ?? 0, report.effectiveTokens)
    ///
    /// - Throws: `EntropyError` for r >= 1 where item identifiers are not all integers, and what `checkStop` throws, which is called all the
    ///   time.
    package static func measure(
        _ corpus: Corpus, m: Int = 2, r: Double = 0.2, maxLength: Int = 50, userFraction: Double = 1,
        checkStop: () throws -> Void = {}
    ) throws -> EntropyReport {
        let part = CorpusPart(corpus, userFraction: userFraction)
        let numbers = itemNumbers(corpus)
        if r >= 1 { try requireNumbers(corpus, numbers, r) }
        let written = numbers.flatMap { $0.allSatisfy { (0...Int64(UInt32.max)).contains($0) } ? $0 : nil }
        // zlib takes as long as all the others together: it has a thread of its own.
        let (own, compression) = try Beside.both(checkStop) {
            (
                pooled: try PooledApEn.measure(upTo: longestContext, part, checkStop: checkStop),
                perUser: try Self.perUser(
                    part, numbers: numbers, m: m, r: r, maxLength: maxLength, checkStop: checkStop),
                shannon: part.withItems { Comparators.shannonBits($0, itemCount: corpus.itemCount) },
                lempelZiv: try part.withItems { try Comparators.lempelZiv($0, checkStop: checkStop) }
            )
        } and: { checkStop in
            try part.withItems { items in
                try Comparators.compressionRatio(
                    items, number: { item in written.map { UInt32($0[Int(item)]) } ?? UInt32(item) + 1 },
                    checkStop: checkStop)
            }
        }
        let (pooled, perUser, lempelZiv) = (own.pooled, own.perUser, own.lempelZiv)
        let tokens = part.tokens(maxLength: maxLength)
        var notes = EntropyNotes.of(part, pooled: pooled, perUser: perUser, tokens: tokens)
        if lempelZiv.used < part.interactionCount {
            notes.append(
                "Lempel-Ziv rests on the first \(lempelZiv.used) interactions: the data repeats itself too much for more"
            )
        }
        return EntropyReport(
            pooledApEn: pooled, perUserApEn: perUser, shannonBits: own.shannon, lempelZiv: lempelZiv.value,
            compressionRatio: compression, tokens: tokens, effectiveTokens: effectiveTokens(tokens, pooled[1].value),
            notes: notes)
    }

    /// Longest context whose pooled ApEn is reported.
    package static let longestContext = 8

    /// D' = tokens / ApEn; where the entropy is 0 the smallest positive number keeps it finite.
    static func effectiveTokens(_ tokens: Int, _ apen: Double) -> Double { Double(tokens) / max(apen, 1e-9) }

    /// Mean per-user ApEn over the last `maxLength` items of each user.
    ///
    /// - Parameter numbers: identifiers as integers, for r >= 1; item numbers are compared without.
    package static func perUser(
        _ part: CorpusPart, numbers: [Int64]? = nil, m: Int, r: Double, maxLength: Int,
        checkStop: () throws -> Void = {}
    ) rethrows -> PerUser {
        var apen = ApEn(m: m, r: r, itemCount: part.corpus.itemCount)
        let items = part.corpus.allItems
        let byEquality = r >= 0 && r < 1
        var sum = 0.0
        var tooShort = 0
        var sequence: [Int64] = []
        for user in part.users {
            try checkStop()
            let recent = UnsafeBufferPointer(rebasing: items[user.suffix(maxLength)])
            let value: Double?
            if byEquality {
                value = apen.equal(recent)
            } else {
                sequence.removeAll(keepingCapacity: true)
                for item in recent { sequence.append(numbers?[Int(item)] ?? Int64(item)) }
                value = sequence.withUnsafeBufferPointer { apen.near($0) }
            }
            if let value { sum += value } else { tooShort += 1 }
        }
        return PerUser(
            m: m, r: r, maxLength: maxLength, mean: sum / Double(max(1, part.users.count)), users: part.users.count,
            tooShort: tooShort)
    }

    /// Item identifiers as the integers they are written as; nil where one is no integer.
    package static func itemNumbers(_ corpus: Corpus) -> [Int64]? {
        guard corpus.itemsAreIntegers else { return nil }
        return (0..<corpus.itemCount).map { Int64(corpus.itemName($0)) ?? 0 }
    }

    static func requireNumbers(_ corpus: Corpus, _ numbers: [Int64]?, _ r: Double) throws(EntropyError) {
        guard numbers == nil else { return }
        // Without an example: whoever may ask for an entropy may not see identifiers.
        throw EntropyError(
            description: "r: found \(r), which compares item identifiers as numbers, but not all of them are "
                + "integers; expected r less than 1")
    }
}

extension EntropyMovement {
    /// Lengths looked at, as far as the data reaches.
    static let lengths = [10, 20, 50, 100, 200]
    static let fractions = [0.125, 0.25, 0.5, 1]

    /// Measures shorter histories and fewer users of a corpus.
    ///
    /// - Parameter maxLength: the L of the tokens of `byUserFraction`; among the lengths too.
    /// - Throws: `EntropyError` for r >= 1 where item identifiers are not all integers, and what `checkStop` throws.
    package static func measure(
        _ corpus: Corpus, m: Int, r: Double, maxLength: Int, checkStop: () throws -> Void = {}
    ) throws -> EntropyMovement {
        let numbers = r >= 1 ? EntropyReport.itemNumbers(corpus) : nil
        if r >= 1 { try EntropyReport.requireNumbers(corpus, numbers, r) }
        func point(_ fraction: Double, history: Int, _ length: Int) throws -> EntropyPoint {
            let part = CorpusPart(corpus, userFraction: fraction, maxLength: history)
            let pooled = try PooledApEn.measure(upTo: 1, part, checkStop: checkStop)[1]
            // Targets are cut off the whole sequences, as training does, and only then the most recent positions are taken.
            let whole = history == .max ? part : CorpusPart(corpus, userFraction: fraction)
            let tokens = whole.tokens(maxLength: length)
            return EntropyPoint(
                userFraction: fraction, maxLength: length, users: part.users.count,
                interactions: part.interactionCount, tokens: tokens, pooledApEn: pooled.value,
                biasCorrected: pooled.biasCorrected, singletonShare: pooled.singletonShare,
                perUserApEn: try EntropyReport.perUser(
                    part, numbers: numbers, m: m, r: r, maxLength: length, checkStop: checkStop
                ).mean,
                effectiveTokens: EntropyReport.effectiveTokens(tokens, pooled.value))
        }
        let longest = (0..<corpus.userCount).lazy.map { corpus.length(of: $0) }.max() ?? 0
        let candidates = Set(lengths + [maxLength]).sorted()
        // The first length that holds every sequence whole says what longer ones would.
        let enough = candidates.firstIndex { $0 >= longest } ?? candidates.count - 1
        return EntropyMovement(
            byMaxLength: try candidates[...enough].map { try point(1, history: $0, $0) },
            byUserFraction: try fractions.map { try point($0, history: .max, maxLength) }.filter { $0.users > 0 })
    }
}
