internal import Domain
internal import Interactions

/// How many users have how many interactions, and what training cuts from them: what longer histories are worked out from.
package struct Histories: Sendable, Hashable {
    /// Numbers of interactions that some user has, ascending, and how many users have each.
    private let lengths: [Int]
    private let users: [Double]
    private let maxLength: Int
    private let batchUsers: Int

    /// - Parameters:
    ///   - lengths: interactions of each user.
    ///   - maxLength: training positions of a user at most.
    ///   - batchUsers: users of a training step.
    package init(lengths: some Sequence<Int>, maxLength: Int, batchUsers: Int) {
        var counts: [Int] = []
        for length in lengths {
            if length >= counts.count { counts += [Int](repeating: 0, count: length + 1 - counts.count) }
            counts[length] += 1
        }
        self.lengths = counts.indices.filter { counts[$0] > 0 }
        users = self.lengths.map { Double(counts[$0]) }
        self.maxLength = maxLength
        self.batchUsers = batchUsers
    }

    /// What training sees of them.
    struct Totals {
        var evaluated = 0.0
        var tokens = 0.0
        /// Sums of the second and fourth powers of the training positions, and how many users have any.
        var squares = 0.0
        var fourths = 0.0
        var trained = 0.0
        /// Items before the test target of the user with most.
        var longest = 1
        /// Largest sum of squared training positions in a batch.
        var batchPairs = 0.0
    }

    /// - Parameters:
    ///   - usersX: how many users stand for each.
    ///   - interactionsX: factor of each length. What falls between two whole lengths is shared between both, so that totals grow
    ///     evenly with the factor.
    func totals(usersX: Double = 1, interactionsX: Double = 1) -> Totals {
        var totals = Totals()
        for (length, users) in zip(lengths, users) {
            let wanted = Double(length) * interactionsX
            let whole = Int(towardZero: wanted)
            let share = wanted - Double(whole)
            for (length, weight) in [(whole, 1 - share), (whole + 1, share)] where weight > 0 {
                let count = users * usersX * weight
                let positions = Double(Split.trainingPositions(length: length, maxLength: maxLength))
                if positions > 0 {
                    let square = positions * positions
                    totals.tokens += count * positions
                    totals.squares += count * square
                    totals.fourths += count * square * square
                    totals.trained += count
                }
                if Split.isEvaluated(length: length) {
                    totals.evaluated += count
                    totals.longest = max(totals.longest, length - 1)
                }
            }
        }
        // As the memory of a training counts it: the mean batch and four standard deviations, at most everything.
        let count = max(1, totals.trained)
        let chosen = min(Double(batchUsers), count)
        let mean = totals.squares / count
        let variance = max(0, totals.fourths / count - mean * mean)
        totals.batchPairs = min(
            totals.squares, chosen * mean + 4 * (chosen * variance * (1 - chosen / count)).squareRoot())
        return totals
    }
}
