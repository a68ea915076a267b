internal import Glibc

/// A symmetric matrix A beside a vector y, turned by Householder reflections until A is tridiagonal: Q A Qᵀ and Q y.
///
/// From there (A + s I)⁻¹ and its determinant cost a few operations a row for any shift s, where a Cholesky factor costs the cube of
/// the rows. Memory is for one size and is used again; one owner at a time.
package final class Tridiagonal {
    private let n: Int
    /// Numbers of a row, a multiple of 4; what lies beyond `n` is 0.
    package let stride: Int
    // Allocated once for `n`, freed with the object, and written only by its owner and the calls below.
    /// A, all of it: row major, `n` rows of `stride`.
    private let matrix: UnsafeMutablePointer<Double>
    /// y.
    package let vector: UnsafeMutablePointer<Double>
    private let diagonal: UnsafeMutablePointer<Double>
    /// beside[i] stands between rows i and i + 1.
    private let beside: UnsafeMutablePointer<Double>
    private let reflection: UnsafeMutablePointer<Double>
    private let image: UnsafeMutablePointer<Double>

    package init(_ n: Int) {
        self.n = n
        stride = max(4, (n + 3) & ~3)
        matrix = allocateZeros(stride * stride)
        vector = allocateZeros(stride)
        diagonal = allocateZeros(stride)
        beside = allocateZeros(stride)
        reflection = allocateZeros(stride)
        image = allocateZeros(stride)
    }

    deinit { for memory in [matrix, vector, diagonal, beside, reflection, image] { memory.deallocate() } }

    /// A = first + a second + b third, each `n` rows of `stride`.
    package func replace(_ first: [Double], plus a: Double, of second: [Double], plus b: Double, of third: [Double]) {
        precondition(first.count == n * stride && second.count == first.count && third.count == first.count)
        for i in first.indices { matrix[i] = first[i] + a * second[i] + b * third[i] }
    }

    /// Turns what stands in `matrix` and `vector`; both are used up.
    package func reduce() {
        guard n > 0 else { return }
        var i = n - 1
        // The last row first: what is left to do is always the leading block, whose rows begin where they began.
        while i > 0 {
            let row = matrix + i * stride
            diagonal[i] = row[i]
            let width = (i + 3) & ~3
            var tail = 0.0
            for j in 0..<(i - 1) { tail += row[j] * row[j] }
            let last = row[i - 1]
            guard tail > 0 else {
                beside[i - 1] = last
                i -= 1
                continue
            }
            let norm = (tail + last * last).squareRoot()
            let end = last >= 0 ? -norm : norm
            beside[i - 1] = end
            let half = norm * norm - last * end
            reflection.update(from: row, count: i - 1)
            reflection[i - 1] = last - end
            for j in i..<width { reflection[j] = 0 }
            let inverse = 1 / half
            var overlap = 0.0
            for j in 0..<i {
                let value = dot(matrix + j * stride, reflection, width) * inverse
                image[j] = value
                overlap += value * reflection[j]
            }
            for j in i..<width { image[j] = 0 }
            let share = 0.5 * overlap * inverse
            for j in 0..<i { image[j] -= share * reflection[j] }
            for j in 0..<i { subtract(matrix + j * stride, reflection[j], image[j], width) }
            let along = dot(vector, reflection, width) * inverse
            for j in 0..<i { vector[j] -= along * reflection[j] }
            i -= 1
        }
        diagonal[0] = matrix[0]
    }

    /// row -= a image + b reflection. Safe where `width` is a multiple of 4, at most `stride`: all three have as many numbers.
    @inline(__always)
    private func subtract(_ row: UnsafeMutablePointer<Double>, _ a: Double, _ b: Double, _ width: Int) {
        var j = 0
        while j < width {
            let place = UnsafeMutableRawPointer(row + j)
            let p = UnsafeRawPointer(image + j).loadUnaligned(as: SIMD4<Double>.self)
            let v = UnsafeRawPointer(reflection + j).loadUnaligned(as: SIMD4<Double>.self)
            let old = place.loadUnaligned(as: SIMD4<Double>.self)
            place.storeBytes(of: old - a * p - b * v, as: SIMD4<Double>.self)
            j += 4
        }
    }

    /// yᵀ (A + s I)⁻¹ y + ln det (A + s I) for four shifts after `reduce`; not a number where the sum is not positive definite.
    package func fit(_ shifts: SIMD4<Double>) -> SIMD4<Double> {
        var square = SIMD4<Double>()
        var logs = SIMD4<Double>()
        var product = SIMD4<Double>(repeating: 1)
        var pivot = SIMD4<Double>(repeating: 1)
        var y = SIMD4<Double>()
        var isDefinite = SIMDMask<SIMD4<Double>.MaskStorage>(repeating: true)
        for i in 0..<n {
            let own = diagonal[i] + shifts
            if i > 0 {
                let share = beside[i - 1] / pivot
                pivot = own - share * beside[i - 1]
                y = vector[i] - share * y
            } else {
                pivot = own
                y = SIMD4(repeating: vector[i])
            }
            isDefinite = isDefinite .& (pivot .> 1e-14 * own)
            square += y * y / pivot
            product *= pivot
            // Before the product leaves the range of numbers.
            if i & 7 == 7 || i == n - 1 {
                logs += SIMD4(log(product[0]), log(product[1]), log(product[2]), log(product[3]))
                product = SIMD4(repeating: 1)
            }
        }
        return (square + logs).replacing(with: .nan, where: .!isDefinite)
    }
}
