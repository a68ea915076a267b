/// The columns of a form's design over weighted points: the terms, then the slopes by the shape.
///
/// A curve depends on one axis, and designs have few levels of an axis: it is evaluated once a level. What no shape moves is filled
/// once. One owner at a time.
internal import Numerics

final class LawColumns {
    private let form: LawForm
    private let points: [LawPoint]
    /// Numbers of a column, a multiple of 4; what lies beyond the points is 0.
    let rows: Int
    private let roots: [Double]
    private let covariance: Cholesky?
    // Allocated once for the form and the points, freed with the object; written by `fill` alone, and `residual` by the owner.
    let values: UnsafeMutablePointer<Double>
    let residual: UnsafeMutablePointer<Double>
    private let scratch: UnsafeMutablePointer<Double>
    /// The shape that the columns of the terms stand for.
    private let shape: UnsafeMutablePointer<Double>
    private var isFilled = false
    /// Places of the shape parameters that move each term.
    private let moves: [[Int]]
    /// Distinct values of each axis, a point with each, and which of them every point has.
    private let levels: [(places: [SIMD3<Double>], index: [Int])]

    /// - Parameter roots: of the points' weights, `rows` numbers; unused with a covariance.
    init(_ form: LawForm, _ points: [LawPoint], roots: [Double], covariance: Cholesky?) {
        self.form = form
        self.points = points
        self.roots = roots
        self.covariance = covariance
        rows = roots.count
        moves = form.terms.map(\.moves)
        levels = Axis.allCases.map { axis in
            var places: [SIMD3<Double>] = []
            let index = points.map { point in
                if let known = places.firstIndex(where: { $0[axis.rawValue] == point.x[axis.rawValue] }) {
                    return known
                }
                places.append(point.x)
                return places.count - 1
            }
            return (places, index)
        }
        values = allocateZeros(rows * form.count)
        residual = allocateZeros(rows)
        scratch = allocateZeros(points.count * max(1, form.shapeCount))
        shape = allocateZeros(form.shapeCount)
    }

    deinit { for memory in [values, residual, scratch, shape] { memory.deallocate() } }

    /// The column of one term for a shape, weighted, into `out`.
    func fill(_ term: Term, _ shape: UnsafePointer<Double>, _ out: UnsafeMutablePointer<Double>) {
        let form = form
        if let axis = term.axis {
            let (places, index) = levels[axis.rawValue]
            for (level, x) in places.enumerated() { scratch[level] = form.value(term, x, shape) }
            for i in index.indices { out[i] = scratch[index[i]] }
        } else {
            for i in points.indices { out[i] = form.value(term, points[i].x, shape) }
        }
        weight(out)
    }

    private func weight(_ column: UnsafeMutablePointer<Double>) {
        if let covariance {
            covariance.forward(column)
        } else {
            for i in points.indices { column[i] *= roots[i] }
        }
    }

    /// Fills the columns of the terms for coefficients and shape at `p`, and those of the slopes where asked for.
    func fill(_ p: UnsafePointer<Double>, slopes: Bool) {
        let (k, s) = (form.linearCount, form.shapeCount)
        let next = p + k
        let isSame = isFilled && (0..<s).allSatisfy { shape[$0] == next[$0] }
        if !isSame {
            for (m, term) in form.terms.enumerated() where !isFilled || !moves[m].isEmpty {
                fill(term, next, values + m * rows)
            }
            for place in 0..<s { shape[place] = next[place] }
            isFilled = true
        }
        guard slopes, s > 0 else { return }
        let form = form
        (values + k * rows).update(repeating: 0, count: s * rows)
        for (m, term) in form.terms.enumerated() where !moves[m].isEmpty {
            let moved = moves[m]
            let axis = term.axis
            let count = axis.map { levels[$0.rawValue].places.count } ?? points.count
            scratch.update(repeating: 0, count: count * s)
            if let axis {
                let (places, index) = levels[axis.rawValue]
                for (level, x) in places.enumerated() { form.addSlopes(term, p[m], x, next, scratch + level * s) }
                for place in moved {
                    let column = values + (k + place) * rows
                    for i in index.indices { column[i] += scratch[index[i] * s + place] }
                }
            } else {
                for i in points.indices { form.addSlopes(term, p[m], points[i].x, next, scratch + i * s) }
                for place in moved {
                    let column = values + (k + place) * rows
                    for i in points.indices { column[i] += scratch[i * s + place] }
                }
            }
        }
        for place in 0..<s { weight(values + (k + place) * rows) }
    }
}

/// from -= factor * column, over `count` numbers, a multiple of 4. Safe where both have as many: four are read at a time, at any alignment.
@inline(__always)
func subtract(
    _ column: UnsafePointer<Double>, times factor: Double, from: UnsafeMutablePointer<Double>, _ count: Int
) {
    var i = 0
    while i < count {
        let place = UnsafeMutableRawPointer(from + i)
        let value = UnsafeRawPointer(column + i).loadUnaligned(as: SIMD4<Double>.self)
        place.storeBytes(of: place.loadUnaligned(as: SIMD4<Double>.self) - factor * value, as: SIMD4<Double>.self)
        i += 4
    }
}
