/// A small dense symmetric problem: eigenvalues and eigenvectors by Jacobi rotations.
struct SymmetricEigen {
    /// Ascending.
    private(set) var values: [Double]
    /// vectors[k] belongs to values[k].
    private(set) var vectors: [[Double]]

    init(_ matrix: [[Double]]) {
        let n = matrix.count
        var a = matrix
        var v = (0..<n).map { i in (0..<n).map { $0 == i ? 1.0 : 0 } }
        for _ in 0..<60 {
            var off = 0.0
            for i in 0..<n { for j in 0..<i { off += a[i][j] * a[i][j] } }
            if off < 1e-300 { break }
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

/// Solves A x = y for a symmetric positive definite A by Cholesky; nil where A is not (numerically) definite.
func solveDefinite(_ a: [[Double]], _ y: [Double]) -> [Double]? {
    let n = y.count
    var l = a
    for j in 0..<n {
        for k in 0..<j { l[j][j] -= l[j][k] * l[j][k] }
        guard l[j][j] > 1e-13 * max(a[j][j], 1e-300) else { return nil }
        l[j][j] = l[j][j].squareRoot()
        for i in (j + 1)..<max(n, j + 1) {
            for k in 0..<j { l[i][j] -= l[i][k] * l[j][k] }
            l[i][j] /= l[j][j]
        }
    }
    var x = y
    for i in 0..<n {
        for k in 0..<i { x[i] -= l[i][k] * x[k] }
        x[i] /= l[i][i]
    }
    for i in (0..<n).reversed() {
        for k in (i + 1)..<max(n, i + 1) { x[i] -= l[k][i] * x[k] }
        x[i] /= l[i][i]
    }
    return x
}

/// The 95 % quantile of Student's t, for two-sided 90 % intervals.
func studentQuantile95(_ degrees: Int) -> Double {
    let table = [
        6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746,
        1.740, 1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697,
    ]
    if degrees < 1 { return table[0] }
    if degrees <= table.count { return table[degrees - 1] }
    // Cornish-Fisher: within 0.001 beyond 30 degrees.
    let z = 1.644_854
    return z + (z * z * z + z) / (4 * Double(degrees))
}
