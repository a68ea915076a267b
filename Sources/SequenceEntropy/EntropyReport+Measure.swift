package import Domain
package import Interactions

/// Why an entropy cannot be computed as asked.
package struct EntropyError: Error, Sendable, CustomStringConvertible {
    package var description: String
}

extension EntropyReport {
    /// Measures a corpus: pooled ApEn (m = 0 to 8), per-user ApEn (m, r, L), Shannon, Lempel-Ziv, compression, D'.
    ///
    ///     let report = try EntropyReport.measure(corpus, maxLength: 50)
    ///     print(report.pooled(m: 1)?.value ?? 0, report.effectiveTokens)
    ///
    /// Errors: `EntropyError` for r >= 1 where item identifiers are not all integers.
    package static func measure(
        _ corpus: Corpus, m: Int = 2, r: Double = 0.2, maxLength: Int = 50
    ) throws -> EntropyReport {
        let pooled = PooledApEn.measure(upTo: longestContext, corpus: corpus)
        let numbers = itemNumbers(corpus)
        if r >= 1, numbers == nil {
            throw EntropyError(
                description: "r: found \(r), which compares item identifiers as numbers, but not all of them are "
                    + "integers (such as \"\(firstNonInteger(corpus))\"); expected r less than 1")
        }
        let perUser = perUser(corpus, numbers: numbers, m: m, r: r, maxLength: maxLength)
        let lempelZiv = Comparators.lempelZiv(corpus.allItems)
        let written = numbers.flatMap { $0.allSatisfy { (0...Int64(UInt32.max)).contains($0) } ? $0 : nil }
        let tokens = (0..<corpus.userCount).reduce(0) {
            $0 + Split.trainingPositions(length: corpus.length(of: $1), maxLength: maxLength)
        }
        var notes = notes(corpus, pooled: pooled[1], perUser: perUser)
        if lempelZiv.used < corpus.interactionCount {
            notes.append(
                "Lempel-Ziv rests on the first \(lempelZiv.used) interactions: the data repeats itself too much for more"
            )
        }
        return EntropyReport(
            pooledApEn: pooled, perUserApEn: perUser,
            shannonBits: Comparators.shannonBits(corpus.allItems, itemCount: corpus.itemCount),
            lempelZiv: lempelZiv.value,
            compressionRatio: Comparators.compressionRatio(corpus.allItems) { item in
                written.map { UInt32($0[Int(item)]) } ?? UInt32(item) + 1
            }, tokens: tokens, effectiveTokens: Double(tokens) / max(pooled[1].value, 1e-9), notes: notes)
    }

    /// Longest context whose pooled ApEn is reported.
    package static let longestContext = 8

    /// Mean per-user ApEn over the last `maxLength` items of each user.
    ///
    /// - Parameter numbers: identifiers as integers, for r >= 1; item numbers are compared without.
    package static func perUser(
        _ corpus: Corpus, numbers: [Int64]? = nil, m: Int, r: Double, maxLength: Int
    ) -> PerUser {
        var apen = ApEn(m: m, r: r)
        var sum = 0.0
        var tooShort = 0
        var sequence: [Int64] = []
        for user in 0..<corpus.userCount {
            sequence.removeAll(keepingCapacity: true)
            for item in corpus.items(of: user).suffix(maxLength) {
                sequence.append(r < 1 ? Int64(item) : numbers?[Int(item)] ?? Int64(item))
            }
            if let value = sequence.withUnsafeBufferPointer({ apen($0) }) { sum += value } else { tooShort += 1 }
        }
        return PerUser(
            m: m, r: r, maxLength: maxLength, mean: sum / Double(max(1, corpus.userCount)), users: corpus.userCount,
            tooShort: tooShort)
    }

    /// Item identifiers as the integers they are written as; nil where one is no integer.
    private static func itemNumbers(_ corpus: Corpus) -> [Int64]? {
        guard corpus.itemsAreIntegers else { return nil }
        return (0..<corpus.itemCount).map { Int64(corpus.itemName($0)) ?? 0 }
    }

    private static func firstNonInteger(_ corpus: Corpus) -> String {
        (0..<corpus.itemCount).lazy.map { corpus.itemName($0) }.first { Int64($0) == nil } ?? ""
    }

    private static func notes(_ corpus: Corpus, pooled: Pooled, perUser: PerUser) -> [String] {
        var notes: [String] = []
        var seen = [Int32](repeating: -1, count: corpus.itemCount)
        var repeats = false
        for user in 0..<corpus.userCount where !repeats {
            for item in corpus.items(of: user) {
                if seen[Int(item)] == Int32(user) { repeats = true }
                seen[Int(item)] = Int32(user)
            }
        }
        if !repeats, perUser.r >= 0, perUser.r < 1 {
            notes.append(
                "no user repeats an item: per-user ApEn depends on the sequence lengths alone and says nothing about "
                    + "quality; pooled ApEn is used for D'")
        }
        if perUser.r >= 1 {
            notes.append("r >= 1 compares item identifiers as numbers: the value depends on how items are numbered")
        }
        if perUser.r < 0 { notes.append("r < 0 matches no template: per-user ApEn is 0 by definition") }
        if pooled.value == 0 {
            notes.append("pooled ApEn is 0: each item has only one successor; D' is not meaningful")
        }
        if pooled.singletonShare > 0.5 {
            notes.append(
                "\(Int((pooled.singletonShare * 100).rounded())) % of the items have one successor seen once: pooled ApEn "
                    + "is biased low")
        }
        return notes
    }
}
