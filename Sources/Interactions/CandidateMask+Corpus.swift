package import Domain

extension CandidateMask {
    /// The mask of a dataset for which nobody chose one.
    package static func standard(for corpus: Corpus) -> CandidateMask {
        let repeats = (0..<corpus.userCount).reduce(0) { sum, user in
            let items = corpus.items(of: user)
            return sum + items.count - Set(items).count
        }
        return .standard(repeatedShare: Double(repeats) / Double(max(1, corpus.interactionCount)))
    }
}
