/// Non-negative least squares of relative errors: with a handful of parts every set of them can be tried.
package enum NonNegativeFit {
    /// Coefficients, none below 0, with which the parts of each row add up to its value as nearly as can be, relatively.
    ///
    /// - Parameters:
    ///   - rows: parts of each sample, all of one length.
    ///   - values: what they add up to, above 0.
    ///   - allowed: how many of the parts may be used, from the first.
    package static func coefficients(_ rows: [[Double]], _ values: [Double], allowed: Int) -> [Double] {
        let parts = rows[0].count
        var best: (error: Double, coefficients: [Double])?
        for set in 1..<1 << allowed {
            let used = (0..<allowed).filter { set >> $0 & 1 == 1 }
            guard used.count <= rows.count else { continue }
            let scaled = zip(rows, values).map { row, value in used.map { row[$0] / value } }
            guard let solution = leastSquares(scaled), solution.allSatisfy({ $0 >= 0 }) else { continue }
            let error = scaled.reduce(0) { sum, row in
                let off = zip(row, solution).reduce(-1) { $0 + $1.0 * $1.1 }
                return sum + off * off
            }
            // With few samples many sets fit exactly; the later ones, which grow with the work, are the safer.
            guard error <= (best?.error ?? .infinity) + 1e-12 else { continue }
            var coefficients = [Double](repeating: 0, count: parts)
            for (place, part) in used.enumerated() { coefficients[part] = solution[place] }
            best = (min(error, best?.error ?? error), coefficients)
        }
        return best?.coefficients ?? [Double](repeating: 0, count: parts - 1) + [1]
    }

    /// Solves rows · x = 1 in least squares by the normal equations; nil where they are (numerically) singular.
    private static func leastSquares(_ rows: [[Double]]) -> [Double]? {
        let n = rows[0].count
        // Columns of equal size keep the equations well conditioned.
        let scales = (0..<n).map { c in rows.reduce(0) { $0 + $1[c] * $1[c] }.squareRoot() }
        guard scales.allSatisfy({ $0 > 0 }) else { return nil }
        var a = [[Double]](repeating: [Double](repeating: 0, count: n + 1), count: n)
        for row in rows {
            for i in 0..<n {
                for j in 0..<n { a[i][j] += row[i] / scales[i] * row[j] / scales[j] }
                a[i][n] += row[i] / scales[i]
            }
        }
        for column in 0..<n {
            let pivot = (column..<n).max { abs(a[$0][column]) < abs(a[$1][column]) } ?? column
            guard abs(a[pivot][column]) > 1e-10 else { return nil }
            a.swapAt(column, pivot)
            for row in 0..<n where row != column {
                let factor = a[row][column] / a[column][column]
                for k in column...n { a[row][k] -= factor * a[column][k] }
            }
        }
        return (0..<n).map { a[$0][n] / a[$0][$0] / scales[$0] }
    }
}
