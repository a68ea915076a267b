/// Normal equations of up to `size` unknowns, with the memory to solve them again and again.
///
/// One owner at a time: whoever fills it solves it.
package final class NormalEquations {
    // Allocated once for `size`, freed with the object, and never handed out beyond the calls below and their callers' loops.
    package let matrix: UnsafeMutablePointer<Double>
    package let right: UnsafeMutablePointer<Double>
    package let solution: UnsafeMutablePointer<Double>
    private let work: UnsafeMutablePointer<Double>
    private let reduced: UnsafeMutablePointer<Double>
    private let scales: UnsafeMutablePointer<Double>
    private let places: UnsafeMutablePointer<Int>

    package init(_ size: Int) {
        matrix = allocateZeros(size * size)
        work = allocateZeros(size * size)
        reduced = allocateZeros(size * size)
        right = allocateZeros(size)
        solution = allocateZeros(size)
        scales = allocateZeros(size)
        places = UnsafeMutablePointer<Int>.allocate(capacity: max(1, size))
        places.initialize(repeating: 0, count: max(1, size))
    }

    deinit {
        for memory in [matrix, work, reduced, right, solution, scales] { memory.deallocate() }
        places.deallocate()
    }

    package func clear(_ n: Int) {
        matrix.update(repeating: 0, count: n * n)
        right.update(repeating: 0, count: n)
    }

    /// Solves n x n equations; unknowns that break their bound (bit set: may not be positive) are held at 0. Returns what the
    /// solution takes off the sum of squares, -infinity where there is none.
    package func solve(_ n: Int, bounded: Int) -> Double {
        var active = (1 << n) - 1
        while true {
            var m = 0
            for i in 0..<n where active >> i & 1 == 1 {
                places[m] = i
                m += 1
            }
            // Columns of equal size keep the factor well conditioned.
            for i in 0..<m {
                let row = matrix + places[i] * n
                let scale = 1 / max(row[places[i]], 1e-300).squareRoot()
                scales[i] = scale
                for j in 0..<i { work[i * m + j] = row[places[j]] * scale * scales[j] }
                work[i * m + i] = row[places[i]] * scale * scale + 1e-14
                solution[i] = right[places[i]] * scale
            }
            for i in m..<n { solution[i] = 0 }
            guard factor(work, m) else { return -.infinity }
            substitute(work, solution, m)
            var offender = -1
            for i in 0..<m where bounded >> places[i] & 1 == 1 && solution[i] > 0 { offender = places[i] }
            if offender >= 0 {
                active &= ~(1 << offender)
                continue
            }
            var gain = 0.0
            for i in (0..<m).reversed() {
                let value = solution[i] * scales[i]
                solution[i] = 0
                solution[places[i]] = value
                gain += value * right[places[i]]
            }
            return gain
        }
    }

    /// What `solve` would return, without the solution: for the cells of a grid, from one of which to the next few unknowns change.
    ///
    /// - Parameters:
    ///   - n: number of unknowns.
    ///   - bounded: unknowns that may not be above 0, a bit each.
    ///   - order: all unknowns, those that change most often last.
    ///   - first: place in `order` of the first with a bound.
    ///   - kept: how many unknowns of `order` have the equations of the call before; after the call, how many a next
    ///     one may keep.
    package func gain(_ n: Int, bounded: Int, order: UnsafePointer<Int>, first: Int, kept: inout Int) -> Double {
        let values = reduced
        var active = order
        var m = n
        var whole = n
        while true {
            // Factor and forward substitution in one: row i of L, then y_i, with the diagonal's reciprocals in `scales`.
            var sum = 0.0
            for i in 0..<kept { sum += values[i] * values[i] }
            for i in kept..<max(m, kept) {
                let row = matrix + active[i] * n
                let lower = work + i * n
                var diagonal = row[active[i]]
                let least = diagonal * 1e-13
                var y = right[active[i]]
                for j in 0..<i {
                    var value = row[active[j]]
                    let other = work + j * n
                    for k in 0..<j { value -= lower[k] * other[k] }
                    value *= scales[j]
                    lower[j] = value
                    diagonal -= value * value
                    y -= value * values[j]
                }
                guard diagonal > least, least > 0 else {
                    kept = min(whole, i)
                    return -.infinity
                }
                let inverse = 1 / diagonal.squareRoot()
                scales[i] = inverse
                y *= inverse
                values[i] = y
                sum += y * y
            }
            // Only the unknowns from the first with a bound on are solved for.
            var offender = n
            var i = m - 1
            while i >= first {
                var x = values[i]
                for k in (i + 1)..<max(m, i + 1) { x -= work[k * n + i] * solution[k] }
                x *= scales[i]
                solution[i] = x
                if x > 0, bounded >> active[i] & 1 == 1 { offender = min(offender, active[i]) }
                i -= 1
            }
            if offender == n {
                kept = whole
                return sum
            }
            kept = 0
            while active[kept] != offender { kept += 1 }
            // Positions before the first held unknown are those of the whole order.
            whole = min(whole, kept)
            for i in 0..<kept { places[i] = active[i] }
            for i in (kept + 1)..<max(m, kept + 1) { places[i - 1] = active[i] }
            active = UnsafePointer(places)
            m -= 1
        }
    }

    /// Solves for a step of the shape, unknowns `k..<n`, with the coefficients before them following to their best; false where
    /// the equations have no solution. Only the shape is damped: coefficients that all but cancel must not slow it down.
    ///
    /// - Parameters:
    ///   - k: unknowns before it are coefficients.
    ///   - n: number of unknowns.
    ///   - held: coefficients that stay as they are, a bit each.
    ///   - damping: share of its diagonal that is added to the shape.
    package func step(_ k: Int, _ n: Int, held: Int, _ damping: Double) -> Bool {
        for i in 0..<n { scales[i] = 1 / max(matrix[i * n + i], 1e-280).squareRoot() }
        for i in 0..<n {
            let isHeld = i < k && held >> i & 1 == 1
            for j in 0..<i {
                work[i * n + j] =
                    isHeld || (j < k && held >> j & 1 == 1) ? 0 : matrix[i * n + j] * scales[i] * scales[j]
            }
            work[i * n + i] = 1 + 1e-14
            solution[i] = isHeld ? 0 : right[i] * scales[i]
        }
        // The coefficients are eliminated: what is left below them is the matrix of the shape alone.
        for j in 0..<k {
            let row = work + j * n
            for c in 0..<j {
                row[j] -= row[c] * row[c]
                solution[j] -= row[c] * solution[c]
            }
            guard row[j] > 1e-15 else { return false }
            row[j].formSquareRoot()
            solution[j] /= row[j]
            for i in (j + 1)..<n {
                let other = work + i * n
                for c in 0..<j { other[j] -= other[c] * row[c] }
                other[j] /= row[j]
            }
        }
        let s = n - k
        for i in k..<n {
            let row = work + i * n
            for c in 0..<k { solution[i] -= row[c] * solution[c] }
            for j in k...i {
                let other = work + j * n
                var value = row[j]
                for c in 0..<k { value -= row[c] * other[c] }
                reduced[(i - k) * s + j - k] = value
            }
        }
        for i in 0..<s {
            let own = max(reduced[i * s + i], 1e-13)
            reduced[i * s + i] = own + damping * max(own, 1e-9)
        }
        guard factor(reduced, s) else { return false }
        substitute(reduced, solution + k, s)
        for i in k..<n { solution[i] *= scales[i] }
        return true
    }
}
