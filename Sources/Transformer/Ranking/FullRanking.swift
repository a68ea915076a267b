package import Domain
package import Kernels
internal import Interactions

/// A score that is not a number or infinite: the trial has diverged, and no rank means anything.
package struct NonFiniteScore: Error, Sendable, CustomStringConvertible {
    package var description: String { "a score is not finite: training has diverged" }
}

/// Ranks each evaluated user's target against all items, in blocks, never keeping users x items scores.
///
/// rank = 1 + (items scored higher) + (other items scored equal), masked items left out. Errors: `NonFiniteScore`.
package struct FullRanking {
    private let data: TrainingData
    private let mask: CandidateMask
    private let kernels: Kernels
    private let items: Int
    private let dim: Int

    /// Positions of a block of users: enough for good products, small beside a training batch.
    private static let blockPositions = 2_048
    private static let rows = 96

    package init(_ data: TrainingData, mask: CandidateMask, dim: Int, kernels: Kernels = .best) {
        self.data = data
        self.mask = mask
        self.kernels = kernels
        items = data.corpus.itemCount
        self.dim = dim
    }

    /// Ranks of the validation or test targets of `users` (all evaluated ones unless told), in their order.
    package func ranks(_ model: any SequenceModel, test: Bool, users: [Int32]? = nil) throws -> [UInt32] {
        let users = users ?? data.evaluatedUsers
        let e = UnsafePointer(model.parameters.p + model.table.item)
        var ranks: [UInt32] = []
        ranks.reserveCapacity(users.count)
        var batch = JaggedBatch()
        var start = 0
        while start < users.count {
            batch.removeAll()
            var end = start
            while end < users.count, batch.count < Self.blockPositions || end == start {
                batch.addContext(
                    data.context(users[end], test: test).items, times: data.times(users[end]),
                    maxLength: data.maxLength)
                end += 1
            }
            let hidden = model.forward(batch, dropoutKey: nil)
            try rank(users[start..<end], batch, hidden, e, test: test, into: &ranks)
            start = end
        }
        return ranks
    }

    /// Ranks of all evaluated users' targets among the drawn items: the same candidates for validation and test.
    func ranks(_ model: any SequenceModel, test: Bool, among candidates: DrawnCandidates) throws -> [UInt32] {
        let e = UnsafePointer(model.parameters.p + model.table.item)
        let scores = FloatBuffer(candidates.count + 1)
        var batch = JaggedBatch()
        var ranks: [UInt32] = []
        var start = 0
        let users = data.evaluatedUsers
        while start < users.count {
            batch.removeAll()
            var end = start
            while end < users.count, batch.count < Self.blockPositions || end == start {
                batch.addContext(data.context(users[end], test: test).items, maxLength: data.maxLength)
                end += 1
            }
            let hidden = model.forward(batch, dropoutKey: nil)
            for place in start..<end {
                let which = candidates.items(users[place]) + [data.context(users[place], test: test).target]
                let last = batch.offsets[place - start + 1] - 1
                kernels.itemScores(hidden + last * dim, dim, e, which, which.count, scores.p)
                guard (0..<which.count).allSatisfy({ scores.p[$0].isFinite }) else { throw NonFiniteScore() }
                let own = scores.p[which.count - 1]
                ranks.append(UInt32(1 + (0..<which.count - 1).count { scores.p[$0] >= own }))
            }
            start = end
        }
        return ranks
    }

    private func rank(
        _ users: ArraySlice<Int32>, _ batch: JaggedBatch, _ hidden: UnsafePointer<Float>, _ e: UnsafePointer<Float>,
        test: Bool, into ranks: inout [UInt32]
    ) throws {
        let rows = Self.rows
        let h = FloatBuffer(rows * dim)
        let scratch = FloatBuffer(Kernels.rankScratch(rows: rows, dim: dim))
        let thresholds = FloatBuffer(rows)
        var greater = [Int32](repeating: 0, count: rows)
        var equal = greater
        var first = users.startIndex
        while first < users.endIndex {
            let count = min(rows, users.endIndex - first)
            for r in 0..<count {
                let last = batch.offsets[first - users.startIndex + r + 1] - 1
                (h.p + r * dim).update(from: hidden + last * dim, count: dim)
                let target = [data.context(users[first + r], test: test).target]
                kernels.itemScores(h.p + r * dim, dim, e, target, 1, thresholds.p + r)
                guard thresholds.p[r].isFinite else { throw NonFiniteScore() }
            }
            guard
                kernels.rankCounts(
                    h.p, count, dim, e, items, thresholds.p, &greater, &equal, scratch.p)
            else { throw NonFiniteScore() }
            for r in 0..<count {
                let masked = maskedAtLeast(
                    users[first + r], h.p + r * dim, e, threshold: thresholds.p[r], test: test)
                // The target is among the equal ones, which makes up for the 1 that ranks begin with.
                ranks.append(UInt32(Int(greater[r]) + Int(equal[r]) - masked))
            }
            first += count
        }
    }

    /// How many masked items score at least as high as the target; the target itself is never masked.
    private func maskedAtLeast(
        _ user: Int32, _ h: UnsafePointer<Float>, _ e: UnsafePointer<Float>, threshold: Float, test: Bool
    ) -> Int {
        guard mask != .none else { return 0 }
        let (context, target) = data.context(user, test: test)
        let seen = mask == .window ? context.suffix(data.maxLength) : context[...]
        let masked = Array(Set(seen).subtracting([target]))
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, masked.count)) { scores in
            guard let base = scores.baseAddress else { return 0 }
            kernels.itemScores(h, dim, e, masked, masked.count, base)
            return (0..<masked.count).filter { base[$0] >= threshold }.count
        }
    }
}
