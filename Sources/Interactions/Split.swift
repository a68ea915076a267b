package import Domain

/// Leave-two-out: of 3 or more interactions the last is the test target, the last but one the validation target, and the
/// rest trains; shorter sequences only train.
package enum Split {
    /// Whether a sequence of this length has targets.
    package static func isEvaluated(length: Int) -> Bool { length >= 3 }

    /// Items of a sequence that training may see.
    package static func trainingItems(length: Int) -> Int { isEvaluated(length: length) ? length - 2 : length }

    /// Training positions after truncation to the most recent `maxLength`: each predicts the item after it.
    package static func trainingPositions(length: Int, maxLength: Int) -> Int {
        min(max(trainingItems(length: length) - 1, 0), maxLength)
    }
}

extension Recipe.Facts {
    /// Counts what trains of a corpus, all users, with at most `maxLength` positions each.
    package init(_ corpus: Corpus, maxLength: Int) {
        var (tokens, users) = (0, 0)
        for user in 0..<corpus.userCount {
            let positions = Split.trainingPositions(length: corpus.length(of: user), maxLength: maxLength)
            tokens += positions
            if positions > 0 { users += 1 }
        }
        self.init(tokens: tokens, users: users)
    }
}

extension TargetFacts {
    /// Looks at every test target: among how many items it is ranked, and whether any training history has it.
    ///
    /// - Parameter maxLength: the items in view, for the mask of that name.
    /// - Throws: what `checkStop` throws.
    package init(
        _ corpus: Corpus, mask: CandidateMask, maxLength: Int, checkStop: () throws -> Void = {}
    ) throws {
        var isTrained = [Bool](repeating: false, count: corpus.itemCount)
        for user in 0..<corpus.userCount {
            for item in corpus.items(of: user).prefix(Split.trainingItems(length: corpus.length(of: user))) {
                isTrained[Int(item)] = true
            }
        }
        try checkStop()
        var candidates: [Int] = []
        var unseen = 0
        // The last user whose mask holds an item: distinct items are counted without a set for each user.
        var seenBy = [Int32](repeating: -1, count: corpus.itemCount)
        for user in 0..<corpus.userCount where Split.isEvaluated(length: corpus.length(of: user)) {
            if user & 0xFFFF == 0 { try checkStop() }
            let items = corpus.items(of: user)
            let (context, target) = (items.dropLast(), Int(items[items.count - 1]))
            if !isTrained[target] { unseen += 1 }
            var masked = 0
            if mask != .none {
                for item in mask == .window ? context.suffix(maxLength) : context where Int(item) != target {
                    if seenBy[Int(item)] == Int32(truncatingIfNeeded: user) { continue }
                    seenBy[Int(item)] = Int32(truncatingIfNeeded: user)
                    masked += 1
                }
            }
            candidates.append(corpus.itemCount - masked)
        }
        candidates.sort()
        let count = candidates.count
        self.init(
            users: count,
            candidates: count == 0 ? [] : (0...4).map { candidates[(count - 1) * $0 / 4] },
            unseen: count == 0 ? 0 : Double(unseen) / Double(count))
    }
}
