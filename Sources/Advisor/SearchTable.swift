internal import Costs
internal import Domain
internal import Glibc
internal import PerformanceLaws

/// Everything a question is asked of: each branch's every number of layers, dimension and number of heads, with costs and predictions in
/// arrays beside each other. About 50 bytes a candidate.
///
/// A shape is a branch, a number of layers and a dimension, and has a number here: branch by branch, in order of layers, then dimension.
/// Laws know no heads: candidates of one shape share its prediction.
package struct SearchTable: Sendable {
    /// One branch's candidates; one object, since a question passes it on again and again.
    final class Part: Sendable {
        /// Number of its first shape.
        let first: Int
        let layers: [Int]
        /// Every dimension that some number of heads divides.
        let dims: [Int]
        /// Of each dimension: 0 where an answer names it only for want of a rounder one that is as good, else how round it is.
        let roundness: [Int]
        /// The numbers of heads that were observed come first.
        let blocks: [Block]
        let observedHeads: Int
        /// For each number of layers the dimensions, by place, that lie among the observations.
        let inside: [Range<Int>]
        let planes: [String: PredictedPlane]
        /// Of the data that its laws are asked about.
        let effectiveTokens: Double
        /// Numbers of trained shapes, and what each measured of each metric: the mean of its trainings.
        let trained: [Int]
        let measured: [String: [Int: Double]]
        /// Places of the round dimensions.
        let roundColumns: [Int]

        /// Numbers of heads that are searched beside the observed ones.
        static let usualHeads = [1, 2, 4, 8]

        init(_ branch: Branch, first: Int) {
            self.first = first
            effectiveTokens = branch.costs.facts.effectiveTokens
            let observed = branch.heads
            // Where nobody said the heads, no number of them is any better known than another.
            let usualHeads = branch.isForeign || observed == [.unsaid] ? [] : Self.usualHeads.map(Declared.said)
            let heads = observed + usualHeads.filter { !observed.contains($0) }
            let units = heads.map(branch.dimStep(heads:))
            let (usual, layers) = (branch.dims, branch.layers)
            let isAsked = branch.candidates?.dims != nil
            let isSparse = isAsked || (branch.isForeign && usual.last ?? 0 > 4_096)
            let all = isSparse ? usual : Array((usual.first ?? 1)...max(usual.first ?? 1, usual.last ?? 1))
            let dims = all.filter { dim in units.contains { dim % $0 == 0 } }
            self.layers = layers
            self.dims = dims
            let columns = dims.indices
            // An observed dimension is as round as can be.
            let known = Set(branch.trained.keys.map(\.dim))
            let grid = Set(usual)
            let roundness = dims.map { dim in
                isAsked
                    ? 16 : grid.contains(dim) ? (known.contains(dim) ? 16 : 1 + min(5, dim.trailingZeroBitCount)) : 0
            }
            self.roundness = roundness
            roundColumns = columns.filter { roundness[$0] > 0 }
            let ruled = dims.map { branch.isForeign ? nil : branch.ruledHeads($0) }
            blocks = zip(heads, units).map { heads, unit in
                var base = branch.base
                base.heads = heads
                // Heads that follow from the dimension are those of one block among the observed.
                let own = columns.filter { column in
                    dims[column] % unit == 0
                        && (ruled[column] == nil || ruled[column] == heads || !observed.contains(heads))
                }
                let costs = CostTable(base, branch.costs, layers: layers, dims: own.map { dims[$0] })
                return SearchTable.Block(
                    heads: heads, columns: own, costs: costs)
            }
            observedHeads = observed.count
            let inside = layers.map { layers in
                guard let span = branch.hull.span(layers: layers) else { return 0..<0 }
                let low = dims.firstIndex { log(Double($0)) >= span.lowerBound - 1e-9 } ?? dims.count
                let high = dims.lastIndex { log(Double($0)) <= span.upperBound + 1e-9 } ?? -1
                return low..<max(low, high + 1)
            }
            self.inside = inside
            let shapes = branch.trained.keys.sorted { ($0.layers, $0.dim) < ($1.layers, $1.dim) }
            planes = branch.laws.mapValues {
                PredictedPlane(
                    $0, layers: layers, dims: dims, effectiveTokens: branch.costs.facts.effectiveTokens,
                    trained: shapes)
            }
            func number(_ shape: Branch.Shape) -> Int? {
                guard let row = layers.firstIndex(of: shape.layers), let column = dims.firstIndex(of: shape.dim) else {
                    return nil
                }
                return first + row * dims.count + column
            }
            trained = shapes.compactMap(number).sorted()
            measured = Dictionary(
                uniqueKeysWithValues: branch.laws.keys.map { metric in
                    (
                        metric,
                        branch.measured(metric).reduce(into: [:]) { found, place in
                            if let number = number(place.key) { found[number] = place.value }
                        }
                    )
                })
        }

        var shapes: Int { layers.count * dims.count }

        /// Whole numbers, which the table has exactly.
        func parameters(_ row: Int, _ column: Int) -> Double {
            for block in blocks {
                if let place = block.place(of: column) {
                    return block.costs.parameters[row * block.columns.count + place]
                }
            }
            return .infinity
        }

        /// Numbers of the shapes with a round dimension.
        var round: [Int] {
            layers.indices.flatMap { row in roundColumns.map { first + row * dims.count + $0 } }
        }
    }

    /// All shapes with one number of heads.
    final class Block: Sendable {
        let heads: Declared<Int>
        /// Places in `dims` of the dimensions it divides.
        let columns: [Int]
        /// One model, one number of heads.
        let costs: CostTable

        init(heads: Declared<Int>, columns: [Int], costs: CostTable) {
            (self.heads, self.columns, self.costs) = (heads, columns, costs)
        }

        /// Where a dimension stands among `columns`; nil where it does not.
        func place(of column: Int) -> Int? {
            var (low, high) = (0, columns.count)
            while low < high {
                let middle = (low + high) / 2
                if columns[middle] < column { low = middle + 1 } else { high = middle }
            }
            return low < columns.count && columns[low] == column ? low : nil
        }
    }

    let parts: [Part]
    /// Number of configurations.
    package let count: Int

    init(_ branches: [Branch]) {
        var parts: [Part] = []
        for branch in branches { parts.append(Part(branch, first: parts.last.map { $0.first + $0.shapes } ?? 0)) }
        self.parts = parts
        count = parts.reduce(0) { $0 + $1.blocks.reduce(0) { $0 + $1.costs.count } }
    }

    /// Number of shapes.
    var shapes: Int { parts.last.map { $0.first + $0.shapes } ?? 0 }

    /// How many places the laws were asked about.
    package var predictions: Int { parts.reduce(0) { $0 + $1.planes.values.reduce(0) { $0 + $1.asked } } }

    /// Bytes of the arrays.
    package var bytes: Int {
        parts.reduce(0) { sum, part in
            let costs = part.blocks.reduce(0) {
                $0 + $1.costs.count * 5 * MemoryLayout<Double>.stride + $1.columns.count * MemoryLayout<Int>.stride
            }
            let planes = part.planes.values.reduce(0) {
                $0 + $1.means.count * MemoryLayout<Float>.stride
            }
            return sum + costs + planes + part.inside.count * MemoryLayout<Range<Int>>.stride
                + part.dims.count * 2 * MemoryLayout<Int>.stride
        }
    }

    /// Branch, row of layers and column of dimensions of a shape.
    func place(_ shape: Int) -> (part: Int, row: Int, column: Int) {
        var part = parts.count - 1
        while parts[part].first > shape { part -= 1 }
        let (row, column) = (shape - parts[part].first).quotientAndRemainder(dividingBy: parts[part].dims.count)
        return (part, row, column)
    }
}
