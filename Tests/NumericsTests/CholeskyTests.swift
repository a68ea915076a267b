import Domain
import Numerics
import PlawTesting
import Testing

@Suite struct CholeskyTests {
    /// A positive definite matrix, and its rows one after the other.
    private func definite(_ n: Int, _ random: inout SplitMix64) -> (rows: [[Double]], flat: [Double]) {
        let roots = (0..<n).map { _ in (0..<n).map { _ in random.normal() } }
        let rows = (0..<n).map { i in
            (0..<n).map { j in (0..<n).reduce(0) { $0 + roots[i][$1] * roots[j][$1] } + (i == j ? 0.1 : 0) }
        }
        return (rows, rows.flatMap { $0 })
    }

    @Test("solutions and inverses are those of plain elimination", arguments: [1, 2, 5, 17])
    func solutions(n: Int) throws {
        var random = SplitMix64(seed: UInt64(n))
        let (rows, flat) = definite(n, &random)
        let factor = try #require(Cholesky(flat, n: n))
        let y = (0..<n).map { _ in random.normal() }
        for (found, expected) in zip(factor.solve(y), solved(rows, y)) {
            #expect(abs(found - expected) < 1e-9 * (1 + abs(expected)))
        }
        let inverse = factor.inverse()
        for column in 0..<n {
            let unit = (0..<n).map { $0 == column ? 1.0 : 0 }
            for (row, expected) in solved(rows, unit).enumerated() {
                #expect(abs(inverse[row * n + column] - expected) < 1e-8 * (1 + abs(expected)))
            }
        }
    }

    @Test("eight forward substitutions at once, and one in place, give the bits of one alone")
    func lanes() throws {
        var random = SplitMix64(seed: 2)
        let n = 9
        let factor = try #require(Cholesky(definite(n, &random).flat, n: n))
        let columns = (0..<8).map { _ in (0..<n).map { _ in random.normal() } }
        let together = factor.forward(
            (0..<n).map { i in SIMD8((0..<8).map { columns[$0][i] }) })
        for (lane, column) in columns.enumerated() {
            let alone = factor.forward(column)
            #expect(together.map { $0[lane] } == alone)
            var inPlace = column
            inPlace.withUnsafeMutableBufferPointer { factor.forward($0.baseAddress!) }
            #expect(inPlace == alone)
        }
    }

    @Test("draws are the means and the factor's rows times the white numbers")
    func draws() throws {
        // 4 2; 2 5 is the product of 2 0; 1 2 and its transpose.
        let factor = try #require(Cholesky([4, 2, 2, 5], n: 2))
        #expect(factor.draw([1, 0], around: [10, 20]) == [12, 21])
        #expect(factor.draw([0, 1], around: [10, 20]) == [10, 22])
    }

    @Test("a matrix that is not positive definite, or holds no number, has no factor")
    func indefinite() {
        #expect(Cholesky([1, 2, 2, 1], n: 2) == nil)
        #expect(Cholesky([0], n: 1) == nil)
        #expect(Cholesky([.nan], n: 1) == nil)
        #expect(Cholesky([], n: 0) != nil)
    }
}
