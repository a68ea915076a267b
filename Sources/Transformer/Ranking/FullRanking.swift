package import Domain
package import Kernels
internal import Interactions

/// A score that is not a number or infinite: the trial has diverged, and no rank means anything.
package struct NonFiniteScore: Error, Sendable, CustomStringConvertible {
    package var description: String { "a score is not finite: training has diverged" }
}

/// Ranks each evaluated user's target against all items, in blocks, never keeping users x items scores.
///
/// rank = 1 + (items scored higher) + (other items scored equal), masked items left out.
///
/// - Throws: `NonFiniteScore`.
package struct FullRanking {
    private let data: TrainingData
    private let mask: CandidateMask
    private let kernels: Kernels
    private let items: Int
    private let dim: Int

    /// Users whose targets are counted at once, and positions after which a batch of their contexts ends: enough for good
    /// products, and less than a training batch needs.
    package static let rows = 96
    package static let batchPositions = 2_048

    package init(_ data: TrainingData, mask: CandidateMask, dim: Int, kernels: Kernels = .best) {
        self.data = data
        self.mask = mask
        self.kernels = kernels
        items = data.corpus.itemCount
        self.dim = dim
    }

    /// Ranks of the validation or test targets of `users` (all evaluated ones by default), in their order.
    ///
    /// - Parameters:
    ///   - model: what ranks.
    ///   - test: whether test targets are ranked, not those of the validation.
    ///   - users: whose targets; nil for all evaluated ones.
    ///   - advanced: called after each block of users.
    package func ranks(
        _ model: any SequenceModel, test: Bool, users: [Int32]? = nil, advanced: () -> Void = {}
    ) throws -> [UInt32] {
        let users = users ?? data.evaluatedUsers
        let e = UnsafePointer(model.parameters.p + model.table.item)
        let rows = min(Self.rows, users.count)
        let scratch = FloatBuffer(Kernels.rankScratch(rows: rows, dim: dim))
        let thresholds = FloatBuffer(rows)
        var greater = [Int32](repeating: 0, count: rows)
        var equal = greater
        var masked: [Int32] = []
        var ranks: [UInt32] = []
        ranks.reserveCapacity(users.count)
        try eachBlock(model, users, test: test) { users, h in
            for (row, user) in users.enumerated() {
                let target = data.context(user, test: test).target
                withUnsafePointer(to: target) { kernels.itemScores(h + row * dim, dim, e, $0, 1, thresholds.p + row) }
                guard thresholds.p[row].isFinite else { throw NonFiniteScore() }
            }
            guard
                kernels.rankCounts(
                    h, users.count, dim, e, items, thresholds.p, &greater, &equal, scratch.p)
            else { throw NonFiniteScore() }
            for (row, user) in users.enumerated() {
                let above = maskedAtLeast(user, h + row * dim, e, threshold: thresholds.p[row], test: test, &masked)
                // The target is among the equal ones, which makes up for the 1 that ranks begin with.
                ranks.append(UInt32(Int(greater[row]) + Int(equal[row]) - above))
            }
            advanced()
        }
        return ranks
    }

    /// Ranks of all evaluated users' targets among the drawn items: the same candidates for validation and test.
    func ranks(
        _ model: any SequenceModel, test: Bool, among candidates: DrawnCandidates, advanced: () -> Void = {}
    ) throws -> [UInt32] {
        let e = UnsafePointer(model.parameters.p + model.table.item)
        let scores = FloatBuffer(candidates.count + 1)
        var ranks: [UInt32] = []
        try eachBlock(model, data.evaluatedUsers, test: test) { users, h in
            for (row, user) in users.enumerated() {
                let which = candidates.items(user) + [data.context(user, test: test).target]
                kernels.itemScores(h + row * dim, dim, e, which, which.count, scores.p)
                guard (0..<which.count).allSatisfy({ scores.p[$0].isFinite }) else { throw NonFiniteScore() }
                let own = scores.p[which.count - 1]
                ranks.append(UInt32(1 + (0..<which.count - 1).count { scores.p[$0] >= own }))
            }
            advanced()
        }
        return ranks
    }

    /// Hands out the hidden states [users, d] of at most `rows` users at a time, in order.
    private func eachBlock(
        _ model: any SequenceModel, _ users: [Int32], test: Bool,
        _ body: (_ users: ArraySlice<Int32>, _ h: UnsafePointer<Float>) throws -> Void
    ) throws {
        let h = FloatBuffer(min(Self.rows, users.count) * dim)
        var batch = JaggedBatch()
        for first in stride(from: 0, to: users.count, by: Self.rows) {
            let last = min(first + Self.rows, users.count)
            var start = first
            while start < last {
                batch.removeAll()
                var end = start
                while end < last, batch.count < Self.batchPositions {
                    batch.addContext(
                        data.context(users[end], test: test).items, times: data.times(users[end]),
                        maxLength: data.maxLength)
                    end += 1
                }
                (h.p + (start - first) * dim).update(from: model.newest(batch), count: (end - start) * dim)
                start = end
            }
            try body(users[first..<last], h.p)
        }
    }

    /// How many masked items score at least as high as the target; the target itself is never masked. `masked` is scratch.
    private func maskedAtLeast(
        _ user: Int32, _ h: UnsafePointer<Float>, _ e: UnsafePointer<Float>, threshold: Float, test: Bool,
        _ masked: inout [Int32]
    ) -> Int {
        guard mask != .none else { return 0 }
        let (context, target) = data.context(user, test: test)
        masked.removeAll(keepingCapacity: true)
        masked.append(contentsOf: mask == .window ? context.suffix(data.maxLength) : context[...])
        masked.sort()
        var distinct = 0
        for i in masked.indices {
            let item = masked[i]
            if item == target || distinct > 0 && item == masked[distinct - 1] { continue }
            masked[distinct] = item
            distinct += 1
        }
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, distinct)) { scores in
            guard let base = scores.baseAddress else { return 0 }
            kernels.itemScores(h, dim, e, masked, distinct, base)
            return (0..<distinct).count { base[$0] >= threshold }
        }
    }
}
