/// A dense symmetric positive definite matrix, factored as L Lᵀ: row major, n x n.
package struct Cholesky: Sendable, Hashable {
    private let n: Int
    /// The lower triangle L; what stands above the diagonal means nothing.
    package private(set) var lower: [Double]

    /// nil where the matrix is not (numerically) positive definite.
    package init?(_ matrix: [Double], n: Int) {
        self.n = n
        lower = matrix
        // Safe: the matrix has n x n numbers, and lives as long as the closure.
        let isDefinite = lower.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let l = buffer.baseAddress else { return n == 0 }
            return factor(l, n)
        }
        if !isDefinite { return nil }
    }

    /// L⁻¹ y.
    package func forward(_ y: [Double]) -> [Double] {
        var x = y
        // Safe: the factor has n x n numbers, and lives as long as the closure; so in all of these.
        lower.withUnsafeBufferPointer { l in
            for i in 0..<n {
                var sum = x[i]
                for k in 0..<i { sum -= l[i * n + k] * x[k] }
                x[i] = sum / l[i * n + i]
            }
        }
        return x
    }

    /// L⁻¹ y of eight at once, each to the last bit as alone: their sums run side by side, where one alone waits for itself.
    package func forward(_ y: [SIMD8<Double>]) -> [SIMD8<Double>] {
        var x = y
        // Safe: both buffers live as long as the closures, and hold n and n x n numbers.
        x.withUnsafeMutableBufferPointer { x in
            lower.withUnsafeBufferPointer { l in
                for i in 0..<n {
                    var sum = x[i]
                    for k in 0..<i { sum -= l[i * n + k] * x[k] }
                    x[i] = sum / l[i * n + i]
                }
            }
        }
        return x
    }

    /// L⁻¹ y in place, for `n` numbers.
    package func forward(_ x: UnsafeMutablePointer<Double>) {
        lower.withUnsafeBufferPointer { l in
            for i in 0..<n {
                var sum = x[i]
                for k in 0..<i { sum -= l[i * n + k] * x[k] }
                x[i] = sum / l[i * n + i]
            }
        }
    }

    /// L⁻ᵀ y.
    package func backward(_ y: [Double]) -> [Double] {
        var x = y
        lower.withUnsafeBufferPointer { l in
            for i in (0..<n).reversed() {
                x[i] /= l[i * n + i]
                for k in 0..<i { x[k] -= l[i * n + k] * x[i] }
            }
        }
        return x
    }

    package func solve(_ y: [Double]) -> [Double] { backward(forward(y)) }

    /// The inverse of the matrix, row major.
    package func inverse() -> [Double] {
        var result = [Double](repeating: 0, count: n * n)
        for column in 0..<n {
            var unit = [Double](repeating: 0, count: n)
            unit[column] = 1
            let x = solve(unit)
            for row in 0..<n { result[row * n + column] = x[row] }
        }
        return result
    }

    /// means + L white: a draw of a normal distribution with this matrix as its covariance.
    ///
    /// - Parameters:
    ///   - white: `n` independent standard normal numbers.
    ///   - means: `n` numbers.
    package func draw(_ white: [Double], around means: [Double]) -> [Double] {
        var x = means
        lower.withUnsafeBufferPointer { l in
            for i in 0..<n {
                var sum = x[i]
                for k in 0...i { sum += l[i * n + k] * white[k] }
                x[i] = sum
            }
        }
        return x
    }
}

/// Factors the n x n matrix at `l` in place; false where it is not positive definite. Safe where `l` has as many numbers: nothing beyond
/// them is touched.
func factor(_ l: UnsafeMutablePointer<Double>, _ n: Int) -> Bool {
    for j in 0..<n {
        let row = l + j * n
        var diagonal = row[j]
        let before = diagonal
        for k in 0..<j { diagonal -= row[k] * row[k] }
        guard diagonal > 1e-13 * before, before > 0 else { return false }
        diagonal.formSquareRoot()
        row[j] = diagonal
        let inverse = 1 / diagonal
        for i in (j + 1)..<max(n, j + 1) {
            let other = l + i * n
            var sum = other[j]
            for k in 0..<j { sum -= other[k] * row[k] }
            other[j] = sum * inverse
        }
    }
    return true
}

/// Solves for `x` in place after `factor`. Safe where `l` has n x n numbers and `x` has n.
func substitute(_ l: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>, _ n: Int) {
    for i in 0..<n {
        var sum = x[i]
        for k in 0..<i { sum -= l[i * n + k] * x[k] }
        x[i] = sum / l[i * n + i]
    }
    for i in (0..<n).reversed() {
        x[i] /= l[i * n + i]
        for k in 0..<i { x[k] -= l[i * n + k] * x[i] }
    }
}
