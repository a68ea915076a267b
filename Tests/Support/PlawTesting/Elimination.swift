/// Solves a x = b by Gaussian elimination with pivots: for references that use nothing of the product.
package func solved(_ a: [[Double]], _ b: [Double]) -> [Double] {
    var (a, b) = (a, b)
    let n = b.count
    for i in 0..<n {
        let pivot = (i..<n).max { abs(a[$0][i]) < abs(a[$1][i]) } ?? i
        a.swapAt(i, pivot)
        b.swapAt(i, pivot)
        for r in (i + 1)..<max(n, i + 1) {
            let share = a[r][i] / a[i][i]
            for c in i..<n { a[r][c] -= share * a[i][c] }
            b[r] -= share * b[i]
        }
    }
    for i in (0..<n).reversed() {
        for c in (i + 1)..<max(n, i + 1) { b[i] -= a[i][c] * b[c] }
        b[i] /= a[i][i]
    }
    return b
}
