internal import Glibc
internal import Numerics

/// A dense grid over the shape of a form: the cost of the best coefficients in every cell.
///
/// The shape of the layers axis moves some columns of the design, that of the dim axis others. So the products within each are
/// summed once for all cells, and a cell costs one product of two columns and a solve of a few unknowns.
struct LawGrid {
    private let search: LawSearch
    private let form: LawForm
    /// Values of the shape parameters of each axis, by place.
    private var layers: [[(place: Int, value: Double)]] = [[]]
    private var dims: [[(place: Int, value: Double)]] = [[]]
    private var outer: [[(place: Int, value: Double)]] = [[]]

    init(_ search: LawSearch) {
        self.search = search
        form = search.form
        for (place, name) in form.shapeNames.enumerated() {
            let values = levels(name).map { (place: place, value: $0) }
            func crossed(_ cells: [[(place: Int, value: Double)]]) -> [[(place: Int, value: Double)]] {
                cells.flatMap { cell in values.map { cell + [$0] } }
            }
            if name.hasSuffix("N") {
                layers = crossed(layers)
            } else if name.hasSuffix("D") {
                dims = crossed(dims)
            } else {
                outer = crossed(outer)
            }
        }
    }

    private func levels(_ name: String) -> [Double] {
        if name.hasPrefix("exponent") { return (0..<16).map { 0.04 * pow(1.36, Double($0)) } }
        if name.hasPrefix("skew") { return [-0.7, -0.25, 0.05, 0.35, 0.9] }
        if name.hasPrefix("power") {
            // Dense about 0, a straight line; the steepest curve is all but one level apart from the others.
            return (-26...26).map { 8 * sinh(Double($0) / 7) / sinh(26.0 / 7) }
        }
        if name == "lnP" { return [0.05, 0.2, 0.5, 0.9, 1.5, 2.2, 3.2, 4.5].flatMap { [$0, -$0] } }
        let axis = name.hasSuffix("N") ? 0 : 1
        let values = search.points.map { $0.x[axis] }
        let (low, high) = (values.min() ?? 0, values.max() ?? 0)
        if form.untied { return (0..<12).map { low - 1.5 + (high - low + 3.5) * Double($0) / 11 } }
        let start = max(0.03, low - 1)
        return (0..<28).map { start + (high + 1.5 - start) * Double($0) / 27 }
    }

    /// The column that the shape of one axis moves, in every cell of that axis: its products with the target, with the fixed
    /// columns, with itself, and with the four columns that the interaction is made of.
    private struct Moving {
        /// Place of the term; nil where the axis has no shape.
        var term: Int?
        var columns: [Double] = []
        var target: [Double] = []
        var fixed: [Double] = []
        var own: [Double] = []
        var cross: [SIMD4<Double>] = []
        /// What the prior adds for the shape of the cell.
        var penalty: [Double] = []
    }

    private func product(_ x: [Double], _ y: [Double]) -> Double {
        // Safe: columns have `rows` numbers, a multiple of 4, and live as long as the closures.
        x.withUnsafeBufferPointer { x in
            y.withUnsafeBufferPointer { y in
                guard let x = x.baseAddress, let y = y.baseAddress else { return 0 }
                return dot(x, y, search.rows)
            }
        }
    }

    private func column(_ term: Term, _ shape: [Double]) -> [Double] {
        var values = [Double](repeating: 0, count: search.rows)
        // Safe: there is a number for each shape parameter and `rows` for the column, and both live as long as the closures.
        shape.withUnsafeBufferPointer { s in
            values.withUnsafeMutableBufferPointer { values in
                guard let s = s.baseAddress, let out = values.baseAddress else { return }
                search.columns.fill(term, s, out)
            }
        }
        return values
    }

    /// Shapes of the cells that no neighbour beats, lowest cost first.
    func lowest(_ keep: Int) -> [[Double]] {
        let (k, rows) = (form.linearCount, search.rows)
        func moved(by wanted: Axis) -> Int? {
            form.terms.firstIndex { term in
                switch term {
                case .linex(let axis, _, _), .curve(let axis, _, _), .power(let axis, _), .published(let axis, _):
                    axis == wanted
                default: false
                }
            }
        }
        let (ofLayers, ofDims) = (moved(by: .layers), moved(by: .dim))
        var crossing: (place: Int, n: Int, d: Int)?
        for (place, term) in form.terms.enumerated() {
            if case .cross(let n, let d) = term { crossing = (place, n, d) }
        }
        let free = (0..<k).filter { $0 != ofLayers && $0 != ofDims && $0 != crossing?.place }
        let fixed = free.filter { search.bounded >> $0 & 1 == 0 } + free.filter { search.bounded >> $0 & 1 == 1 }
        // (ln N - a)(ln d - b) = ln N ln d - a ln d - b ln N + a b: four columns, weighted.
        let parts: [[Double]] = (0..<4).map { part in
            var values = [Double](repeating: 0, count: rows)
            for (i, point) in search.points.enumerated() {
                values[i] = search.roots[i] * [point.x[0] * point.x[1], point.x[1], point.x[0], 1][part]
            }
            return values
        }
        func withParts(_ column: [Double]) -> SIMD4<Double> {
            guard crossing != nil else { return SIMD4() }
            return SIMD4(
                product(column, parts[0]), product(column, parts[1]), product(column, parts[2]),
                product(column, parts[3]))
        }
        let optima = (
            layers: layers.map { cell in cell.first { $0.place == crossing?.n }?.value ?? 0 },
            dims: dims.map { cell in cell.first { $0.place == crossing?.d }?.value ?? 0 }
        )
        let partSums = parts.map(withParts)
        let targetSums = withParts(search.target)
        let whole = product(search.target, search.target)
        func priorWeight(_ m: Int) -> (weight: Double, mean: Double) {
            guard let prior = search.prior else { return (0, 0) }
            return (1 / (prior.deviations[m] * prior.deviations[m]), prior.means[m])
        }
        var shape = [Double](repeating: 1, count: max(1, form.shapeCount))
        var best: [(cost: Double, shape: [Double])] = []
        var costs = [Double](repeating: 0, count: layers.count * dims.count)
        let normal = NormalEquations(k)
        // What changes most often stands last: the equations before it are kept from cell to cell.
        let order = fixed + [ofLayers, crossing?.place, ofDims].compactMap { $0 }
        let first = order.firstIndex { search.bounded >> $0 & 1 == 1 } ?? k
        let perLayer = fixed.count + (ofLayers == nil ? 0 : 1)
        for levels in outer {
            for (place, value) in levels { shape[place] = value }
            let fixedColumns = fixed.map { column(form.terms[$0], shape) }
            let fixedCross = fixedColumns.map(withParts)
            let outerPenalty = penalty(levels)
            func moving(_ cells: [[(place: Int, value: Double)]], _ term: Int?) -> Moving {
                var moving = Moving(term: term)
                for cell in cells {
                    for (place, value) in cell { shape[place] = value }
                    moving.penalty.append(penalty(cell))
                    guard let term else { continue }
                    let (weight, mean) = priorWeight(term)
                    let values = column(form.terms[term], shape)
                    moving.columns += values
                    moving.target.append(product(values, search.target) + weight * mean)
                    moving.fixed += fixedColumns.map { product($0, values) }
                    moving.own.append(product(values, values) + weight)
                    moving.cross.append(withParts(values))
                }
                return moving
            }
            let a = moving(layers, ofLayers)
            let b = moving(dims, ofDims)
            normal.clear(k)
            for (i, m) in fixed.enumerated() {
                let (weight, mean) = priorWeight(m)
                normal.right[m] = product(fixedColumns[i], search.target) + weight * mean
                for (j, n) in fixed.enumerated() {
                    normal.matrix[m * k + n] = product(fixedColumns[i], fixedColumns[j]) + (m == n ? weight : 0)
                }
            }
            func put(_ m: Int, _ n: Int, _ value: Double) {
                normal.matrix[m * k + n] = value
                normal.matrix[n * k + m] = value
            }
            func enter(_ moving: Moving, _ cell: Int) {
                guard let m = moving.term else { return }
                normal.right[m] = moving.target[cell]
                normal.matrix[m * k + m] = moving.own[cell]
                for (f, n) in fixed.enumerated() { put(m, n, moving.fixed[cell * fixed.count + f]) }
            }
            var kept = 0
            // Safe: each holds a column of `rows` numbers for each of its cells, and lives as long as the closures.
            a.columns.withUnsafeBufferPointer { aColumns in
                b.columns.withUnsafeBufferPointer { bColumns in
                    for i in layers.indices {
                        enter(a, i)
                        kept = min(kept, fixed.count)
                        for j in dims.indices {
                            enter(b, j)
                            kept = min(kept, perLayer)
                            if let m = ofLayers, let n = ofDims, let x = aColumns.baseAddress,
                                let y = bColumns.baseAddress
                            {
                                put(m, n, dot(x + i * rows, y + j * rows, rows))
                            }
                            if let place = crossing?.place {
                                let (x, y) = (optima.layers[i], optima.dims[j])
                                let mix = SIMD4(1, -x, -y, x * y)
                                for (f, n) in fixed.enumerated() { put(place, n, (fixedCross[f] * mix).sum()) }
                                if let m = ofLayers { put(place, m, (a.cross[i] * mix).sum()) }
                                if let m = ofDims { put(place, m, (b.cross[j] * mix).sum()) }
                                let own = SIMD4(
                                    (partSums[0] * mix).sum(), (partSums[1] * mix).sum(), (partSums[2] * mix).sum(),
                                    (partSums[3] * mix).sum())
                                let (weight, mean) = priorWeight(place)
                                normal.matrix[place * k + place] = (own * mix).sum() + weight
                                normal.right[place] = (targetSums * mix).sum() + weight * mean
                            }
                            let gain = normal.gain(k, bounded: search.bounded, order: order, first: first, kept: &kept)
                            costs[i * dims.count + j] = whole - gain + a.penalty[i] + b.penalty[j] + outerPenalty
                        }
                    }
                }
            }
            for i in layers.indices {
                for j in dims.indices {
                    let cost = costs[i * dims.count + j]
                    guard best.count < keep || cost < best[best.count - 1].cost else { continue }
                    let isLowest = (max(0, i - 1)...min(layers.count - 1, i + 1)).allSatisfy { i in
                        (max(0, j - 1)...min(dims.count - 1, j + 1)).allSatisfy { costs[i * dims.count + $0] >= cost }
                    }
                    guard isLowest else { continue }
                    for (place, value) in layers[i] + dims[j] { shape[place] = value }
                    let place = best.firstIndex { $0.cost > cost } ?? best.count
                    best.insert((cost, Array(shape.prefix(form.shapeCount))), at: place)
                    if best.count > keep { best.removeLast() }
                }
            }
        }
        return best.map(\.shape)
    }

    private func penalty(_ values: [(place: Int, value: Double)]) -> Double {
        guard let prior = search.prior else { return 0 }
        return values.reduce(0) { sum, item in
            let place = form.linearCount + item.place
            let off = (item.value - prior.means[place]) / prior.deviations[place]
            return sum + off * off
        }
    }
}
