import Domain
import Numerics
import Testing

@Suite struct EigenTests {
    @Test(
        "a matrix stretches its eigenvectors by the eigenvalues, which ascend; the vectors are orthonormal",
        arguments: [1, 2, 4, 7])
    func definition(n: Int) {
        var random = SplitMix64(seed: UInt64(n))
        var matrix = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
        for i in 0..<n {
            for j in 0...i {
                matrix[i][j] = random.normal()
                matrix[j][i] = matrix[i][j]
            }
        }
        let eigen = SymmetricEigen(matrix)
        #expect(eigen.values == eigen.values.sorted())
        for (k, vector) in eigen.vectors.enumerated() {
            for i in 0..<n {
                let image = (0..<n).reduce(0) { $0 + matrix[i][$1] * vector[$1] }
                #expect(abs(image - eigen.values[k] * vector[i]) < 1e-12)
            }
            for (other, second) in eigen.vectors.enumerated() {
                let product = zip(vector, second).reduce(0) { $0 + $1.0 * $1.1 }
                #expect(abs(product - (other == k ? 1 : 0)) < 1e-12)
            }
        }
    }
}
