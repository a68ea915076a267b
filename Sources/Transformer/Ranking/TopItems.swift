internal import Domain
package import Kernels

/// The best items for one user: what serving a request computes. Holds scratch: one request at a time.
package final class TopItems {
    private let model: any SequenceModel
    private let kernels: Kernels
    private let scores: FloatBuffer
    /// All items in order, as the kernel wants to be told which to score.
    private let every: [Int32]
    private var batch = JaggedBatch()

    package init(_ model: any SequenceModel, kernels: Kernels = .best) {
        self.model = model
        self.kernels = kernels
        every = (0..<Int32(model.items)).map { $0 }
        // One more for the kernel's target; rows end at a multiple of 16.
        scores = FloatBuffer(Self.stride(model.items) + 1)
    }

    private static func stride(_ items: Int) -> Int { (items + 15) / 16 * 16 }

    /// The hidden state [d] of the newest item in view, valid until the next call.
    package func hidden(after history: [Int32], times: [Int64]? = nil) -> UnsafePointer<Float> {
        batch.removeAll()
        history.withUnsafeBufferPointer { history in
            guard let times else {
                return batch.addContext(history, maxLength: model.configuration.maxLength)
            }
            times.withUnsafeBufferPointer {
                batch.addContext(history, times: $0, maxLength: model.configuration.maxLength)
            }
        }
        return UnsafePointer(model.newest(batch))
    }

    /// The `count` items that score highest, best first, equal ones by number; those of `excluded` left out.
    ///
    /// - Throws: `NonFiniteScore`.
    package func best(
        _ count: Int, _ hidden: UnsafePointer<Float>, excluding excluded: [Int32]
    ) throws -> [(item: Int32, score: Float)] {
        let dim = model.configuration.dim
        let e = UnsafePointer(model.parameters.p + model.table.item)
        let stride = Self.stride(every.count)
        let s = scores.p
        every.withUnsafeBufferPointer { every in
            guard let all = every.baseAddress else { return }
            kernels.gatherScores(hidden, 1, dim, e, all, all, every.count, stride, s + stride, s)
        }
        for item in excluded { s[Int(item)] = -.infinity }
        var best: [(item: Int32, score: Float)] = []
        best.reserveCapacity(count + 1)
        var least = -Float.infinity
        for item in 0..<every.count {
            let score = s[item]
            // Also true of what is not a number.
            guard !(score <= least) else { continue }
            guard score.isFinite else { throw NonFiniteScore() }
            let place = best.firstIndex { $0.score < score } ?? best.count
            best.insert((Int32(item), score), at: place)
            if best.count > count { best.removeLast() }
            if best.count == count, let last = best.last { least = last.score }
        }
        return best
    }
}
