internal import Domain
internal import Interactions

/// Ranks of the targets when items are ordered by how often they were trained on: what a model that has learned nothing about
/// sequences achieves.
///
/// rank = 1 + (items more popular) + (other items as popular), masked items left out, as in `FullRanking`.
struct PopularityRanking {
    private let data: TrainingData
    private let mask: CandidateMask
    private let counts: [Int]
    /// All counts, ascending.
    private let sorted: [Int]

    init(_ data: TrainingData, mask: CandidateMask) {
        self.data = data
        self.mask = mask
        var counts = [Int](repeating: 0, count: data.corpus.itemCount)
        for user in data.trainingUsers {
            for item in data.trainingItems(user) { counts[Int(item)] += 1 }
        }
        self.counts = counts
        sorted = counts.sorted()
    }

    /// Among all items, or among the drawn ones, of which none is masked.
    func ranks(test: Bool, among candidates: DrawnCandidates? = nil) -> [UInt32] {
        data.evaluatedUsers.map { user in
            let (context, target) = data.context(user, test: test)
            let count = counts[Int(target)]
            if let candidates {
                return UInt32(1 + candidates.items(user).count { counts[Int($0)] >= count })
            }
            var rank = sorted.count - firstIndex(atLeast: count)
            if mask != .none {
                let seen = mask == .window ? context.suffix(data.maxLength) : context[...]
                rank -= Set(seen).subtracting([target]).count { counts[Int($0)] >= count }
            }
            return UInt32(rank)
        }
    }

    private func firstIndex(atLeast count: Int) -> Int {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < count { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
