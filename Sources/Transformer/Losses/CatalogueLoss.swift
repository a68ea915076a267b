internal import Kernels

/// Softmax cross-entropy over all items: `cce` at every position, `ce` at the last one of each sequence.
final class CatalogueLoss: LossHead {
    private let dim: Int
    private let items: Int
    private let onlyLast: Bool
    private let kernels: Kernels
    private let scratch: FloatBuffer
    /// Hidden states of the last positions and their gradient, for `ce`.
    private var last = FloatBuffer(0), dLast = FloatBuffer(0)

    init(dim: Int, items: Int, onlyLast: Bool, _ kernels: Kernels) {
        self.dim = dim
        self.items = items
        self.onlyLast = onlyLast
        self.kernels = kernels
        scratch = FloatBuffer(Kernels.crossEntropyScratch(dim: dim, items: items))
    }

    func lossAndGradient(_ x: LossInput) -> Double {
        guard onlyLast else {
            return value(x.hidden, x.batch.count, x.batch.targets, x, dHidden: x.dHidden)
        }
        let places = x.batch.offsets.dropFirst().map { $0 - 1 }
        if last.count < places.count * dim {
            last = FloatBuffer(places.count * dim)
            dLast = FloatBuffer(places.count * dim)
        }
        for (row, place) in places.enumerated() {
            (last.p + row * dim).update(from: x.hidden + place * dim, count: dim)
        }
        let mean = value(last.p, places.count, places.map { x.batch.targets[$0] }, x, dHidden: dLast.p)
        x.dHidden.update(repeating: 0, count: x.batch.count * dim)
        for (row, place) in places.enumerated() {
            (x.dHidden + place * dim).update(from: dLast.p + row * dim, count: dim)
        }
        return mean
    }

    private func value(
        _ hidden: Kernels.In, _ rows: Int, _ targets: [Int32], _ x: LossInput, dHidden: Kernels.Out
    ) -> Double {
        kernels.linearCrossEntropy(
            hidden, rows, dim, x.items, items, targets, 1 / Float(rows), dHidden, x.dItems, scratch.p)
            / Double(rows)
    }
}
