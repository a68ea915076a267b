internal import Interactions

/// Items that a user's targets are ranked against when not all are: drawn without repetition, uniformly from those outside the
/// user's whole history, and always the same for a seed.
///
/// Metrics against drawn items do not order models as a full ranking does (Krichene and Rendle 2020); they are for
/// comparison with published numbers only.
struct DrawnCandidates {
    let count: Int
    private let data: TrainingData
    private let seed: UInt64

    init(_ data: TrainingData, count: Int, seed: UInt64) {
        (self.data, self.count, self.seed) = (data, count, seed)
    }

    /// At most `count` items: all that there are where the history leaves fewer.
    func items(_ user: Int32) -> [Int32] {
        var taken = Set(data.corpus.items(of: Int(user)))
        let left = data.corpus.itemCount - taken.count
        if left <= count { return (0..<Int32(data.corpus.itemCount)).filter { !taken.contains($0) } }
        var random = RandomStream(seed: seed, .candidates, UInt64(user))
        var drawn: [Int32] = []
        while drawn.count < count {
            let item = Int32(random.below(data.corpus.itemCount))
            if taken.insert(item).inserted { drawn.append(item) }
        }
        return drawn
    }
}
