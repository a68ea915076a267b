package import Domain
internal import Glibc

/// A dense symmetric positive definite matrix, factored as L Lᵀ: row major, n x n.
package struct Cholesky: Sendable, Hashable {
    let n: Int
    /// The lower triangle L; what stands above the diagonal means nothing.
    private(set) var lower: [Double]

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
    func forward(_ y: [SIMD8<Double>]) -> [SIMD8<Double>] {
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
    func forward(_ x: UnsafeMutablePointer<Double>) {
        lower.withUnsafeBufferPointer { l in
            for i in 0..<n {
                var sum = x[i]
                for k in 0..<i { sum -= l[i * n + k] * x[k] }
                x[i] = sum / l[i * n + i]
            }
        }
    }

    /// L⁻ᵀ y.
    func backward(_ y: [Double]) -> [Double] {
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
}

/// So many numbers, all 0, at least one: whoever asks for them deallocates them.
func numbers(_ count: Int) -> UnsafeMutablePointer<Double> {
    let memory = UnsafeMutablePointer<Double>.allocate(capacity: max(1, count))
    memory.initialize(repeating: 0, count: max(1, count))
    return memory
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

/// Σ a b over `count` numbers, a multiple of 4. Safe where both have as many: four are read at a time, at any alignment.
@inline(__always)
func dot(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ count: Int) -> Double {
    var sum = SIMD4<Double>()
    var i = 0
    while i < count {
        sum +=
            UnsafeRawPointer(a + i).loadUnaligned(as: SIMD4<Double>.self)
            * UnsafeRawPointer(b + i).loadUnaligned(as: SIMD4<Double>.self)
        i += 4
    }
    return sum.sum()
}

/// Eigenvalues and eigenvectors of a small dense symmetric matrix by Jacobi rotations.
struct SymmetricEigen {
    /// Ascending.
    private(set) var values: [Double]
    /// vectors[k] belongs to values[k].
    private(set) var vectors: [[Double]]

    init(_ matrix: [[Double]]) {
        let n = matrix.count
        var a = matrix
        var v = (0..<n).map { i in (0..<n).map { $0 == i ? 1.0 : 0 } }
        let total = matrix.reduce(0) { $0 + $1.reduce(0) { $0 + $1 * $1 } }
        for _ in 0..<60 {
            var off = 0.0
            for i in 0..<n { for j in 0..<i { off += a[i][j] * a[i][j] } }
            if off <= 1e-34 * total { break }
            for p in 0..<n {
                for q in (p + 1)..<max(n, p + 1) where a[p][q] != 0 {
                    let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
                    let t = (theta >= 0 ? 1.0 : -1.0) / (abs(theta) + (theta * theta + 1).squareRoot())
                    let c = 1 / (t * t + 1).squareRoot()
                    let s = t * c
                    for k in 0..<n {
                        (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q])
                    }
                    for k in 0..<n {
                        (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k])
                        (v[p][k], v[q][k]) = (c * v[p][k] - s * v[q][k], s * v[p][k] + c * v[q][k])
                    }
                }
            }
        }
        let order = (0..<n).sorted { a[$0][$0] < a[$1][$1] }
        values = order.map { a[$0][$0] }
        vectors = order.map { v[$0] }
    }
}

/// The 95 % quantile of Student's t, for two-sided 90 % intervals.
func studentQuantile95(_ degrees: Double) -> Double {
    let table = [
        6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746,
        1.740, 1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697,
    ]
    if degrees <= 1 { return table[0] }
    if degrees < Double(table.count) {
        let low = Int(towardZero: degrees)
        return table[low - 1] + (table[low] - table[low - 1]) * (degrees - Double(low))
    }
    // Cornish-Fisher: within 0.001 beyond 30 degrees.
    let z = 1.644_854
    return z + (z * z * z + z) / (4 * degrees)
}

extension SplitMix64 {
    /// Standard normal, by Box and Muller.
    package mutating func normal() -> Double { (-2 * log(1 - uniform())).squareRoot() * cos(2 * Double.pi * uniform()) }
}
