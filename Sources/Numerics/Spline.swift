/// Natural cubic splines through many rows of values at once: one set of nodes, a value of each column at each node.
package struct Spline: Sendable {
    private let nodes: [Double]
    /// Of each place asked for: the node before it, the weights of the values there and at the next node, and those of the second
    /// derivatives. At a node the value is that of the node, to the bit.
    private let weights: [(node: Int, a: Double, b: Double, c: Double, d: Double)]

    /// - Parameters:
    ///   - nodes: ascending, at least one.
    ///   - places: where values are wanted, between the outermost nodes.
    package init(nodes: [Double], places: [Double]) {
        self.nodes = nodes
        weights = places.map { place in
            guard nodes.count > 1 else { return (0, 1, 0, 0, 0) }
            var (low, high) = (0, nodes.count - 1)
            while high - low > 1 {
                let middle = (low + high) / 2
                if nodes[middle] <= place { low = middle } else { high = middle }
            }
            let h = nodes[low + 1] - nodes[low]
            let b = min(1, max(0, (place - nodes[low]) / h))
            let a = 1 - b
            return (low, a, b, (a * a * a - a) * h * h / 6, (b * b * b - b) * h * h / 6)
        }
    }

    /// - Parameters:
    ///   - values: a row of `width` columns for each node.
    ///   - width: columns of a row.
    /// - Returns: a row for each place.
    package func values(_ values: [Double], width: Int) -> [Double] {
        let bends = bends(values, width: width)
        var found = [Double](repeating: 0, count: weights.count * width)
        for (place, w) in weights.enumerated() {
            let (from, to, out) = (w.node * width, min(w.node + 1, nodes.count - 1) * width, place * width)
            for i in 0..<width {
                found[out + i] =
                    w.a * values[from + i] + w.b * values[to + i] + w.c * bends[from + i] + w.d * bends[to + i]
            }
        }
        return found
    }

    /// Second derivatives at the nodes, 0 at the ends (Numerical Recipes 3.3).
    private func bends(_ y: [Double], width: Int) -> [Double] {
        let n = nodes.count
        var bends = [Double](repeating: 0, count: n * width)
        guard n > 2 else { return bends }
        var factors = [Double](repeating: 0, count: n)
        for k in 1..<(n - 1) {
            let (before, after) = (nodes[k] - nodes[k - 1], nodes[k + 1] - nodes[k])
            let share = before / (before + after)
            let pivot = share * factors[k - 1] + 2
            factors[k] = (share - 1) / pivot
            for i in 0..<width {
                let (left, own, right) = (y[(k - 1) * width + i], y[k * width + i], y[(k + 1) * width + i])
                let slope = (right - own) / after - (own - left) / before
                bends[k * width + i] =
                    (6 * slope / (before + after) - share * bends[(k - 1) * width + i]) / pivot
            }
        }
        for k in stride(from: n - 2, through: 0, by: -1) {
            for i in 0..<width { bends[k * width + i] += factors[k] * bends[(k + 1) * width + i] }
        }
        return bends
    }
}
