import Domain
import Foundation
import Numerics
import PlawTesting
import Testing

@Suite("Linear algebra")
struct LinearAlgebraTests {
    /// Solution and logarithm of the determinant by elimination without pivots, which a positive definite matrix allows.
    private func plain(_ a: [[Double]], _ y: [Double]) -> (square: Double, log: Double) {
        var m = a
        var logs = 0.0
        for i in m.indices {
            logs += Foundation.log(m[i][i])
            for r in m.indices where r > i {
                let share = m[r][i] / m[i][i]
                for c in m.indices { m[r][c] -= share * m[i][c] }
            }
        }
        return (zip(y, solved(a, y)).reduce(0) { $0 + $1.0 * $1.1 }, logs)
    }

    private func definite(_ n: Int, _ random: inout SplitMix64) -> [[Double]] {
        let roots = (0..<n).map { _ in (0..<n).map { _ in random.normal() } }
        return (0..<n).map { i in
            (0..<n).map { j in (0..<n).reduce(0) { $0 + roots[i][$1] * roots[j][$1] } + (i == j ? 0.1 : 0) }
        }
    }

    @Test(
        "a tridiagonal form gives what plain elimination gives, for every shift", arguments: [1, 2, 3, 4, 5, 9, 24, 41])
    func shifts(n: Int) {
        var random = SplitMix64(seed: UInt64(n))
        let a = definite(n, &random)
        let y = (0..<n).map { _ in random.normal() }
        let turned = Tridiagonal(n)
        // The second round finds the memory used.
        for round in 1...2 {
            let flat = a.flatMap { $0 + [Double](repeating: 0, count: turned.stride - n) }
            turned.replace(flat, plus: Double(round), of: flat, plus: 0, of: flat)
            for i in 0..<n { turned.vector[i] = y[i] }
            turned.reduce()
            let shifts = SIMD4(0.05, 0.7, 4, 30)
            let fits = turned.fit(shifts)
            for lane in 0..<4 {
                var matrix = a.map { $0.map { $0 * Double(1 + round) } }
                for i in 0..<n { matrix[i][i] += shifts[lane] }
                let (square, log) = plain(matrix, y)
                #expect(abs(fits[lane] - square - log) < 1e-9 * (abs(square) + abs(log) + 1))
            }
        }
    }

    @Test("a matrix that is not positive definite has no fit, a diagonal one needs no turn")
    func degenerate() {
        let turned = Tridiagonal(3)
        let flat: [Double] = [2, 0, 0, 0, 0, 3, 0, 0, 0, 0, -1, 0]
        turned.replace(flat, plus: 0, of: flat, plus: 0, of: flat)
        for i in 0..<3 { turned.vector[i] = 1 }
        turned.reduce()
        let fits = turned.fit(SIMD4(0, 0.5, 2, 3))
        #expect(fits[0].isNaN && fits[1].isNaN)
        #expect(abs(fits[2] - (1.0 / 4 + 1.0 / 5 + 1 + log(4.0 * 5 * 1))) < 1e-12)
    }

    /// What the best coefficients take off, by elimination; the lowest unknown that breaks its bound is held, one after the other.
    private func gain(_ a: [[Double]], _ y: [Double], bounded: Int) -> Double {
        var active = Array(y.indices)
        while true {
            let x = solved(active.map { i in active.map { a[i][$0] } }, active.map { y[$0] })
            guard let offender = zip(active, x).filter({ bounded >> $0.0 & 1 == 1 && $0.1 > 0 }).map(\.0).min() else {
                return zip(active, x).reduce(0) { $0 + y[$1.0] * $1.1 }
            }
            active.removeAll { $0 == offender }
        }
    }

    @Test("cells of a grid that keep equations gain what each gains alone", arguments: [0b01100, 0b01010, 0b11111, 0])
    func keptEquations(bounded: Int) {
        var random = SplitMix64(seed: 5)
        let n = 5
        // Bounded unknowns that hardly change stand before free ones that do.
        let order = [0, 4, 2, 3, 1]
        let first = order.firstIndex { bounded >> $0 & 1 == 1 } ?? n
        let normal = NormalEquations(n)
        var matrix = definite(n, &random)
        var right = (0..<n).map { _ in random.normal() }
        var kept = 0
        var (compared, holds) = (0, 0)
        for cell in 0..<200 {
            // The last unknowns of the order change in each cell, others now and then.
            let changed = cell % 20 == 0 ? 5 : cell % 5 == 0 ? 3 : 1
            let other = definite(n, &random)
            let moved = Set(order.suffix(changed))
            for i in 0..<n {
                for j in 0..<n where moved.contains(i) || moved.contains(j) {
                    matrix[i][j] = changed == n ? other[i][j] : 0.1 * other[i][j] + (i == j ? 8 : 0)
                }
                if moved.contains(i) { right[i] = random.normal() }
            }
            for i in 0..<n {
                normal.right[i] = right[i]
                for j in 0..<n { normal.matrix[i * n + j] = matrix[i][j] }
            }
            kept = min(kept, n - changed)
            let found = normal.gain(n, bounded: bounded, order: order, first: first, kept: &kept)
            guard found > -.infinity else { continue }
            compared += 1
            let reference = gain(matrix, right, bounded: bounded)
            #expect(abs(found - reference) < 1e-9 * (1 + abs(reference)))
            if reference < gain(matrix, right, bounded: 0) - 1e-9 { holds += 1 }
        }
        // Cells were compared, and where something is bounded its bounds mattered.
        #expect(compared > 150)
        #expect(bounded == 0 ? holds == 0 : holds > 20)
    }
}
