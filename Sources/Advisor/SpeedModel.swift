package import Domain
internal import Glibc
package import Trials

/// Speed and memory of shapes on this machine, from measured ones.
///
/// Each quantity is a sum of non-negative parts, c0 + c1 N + c2 d + c3 N d + c4 N d²: a constant, and the growth of the
/// work with the layers and the dimension (the dataset, the length and the batch are the same for all probes). The parts are
/// fitted to the probes with least relative error; what a probe shows beyond them is passed on to its neighbours.
package struct SpeedModel: Sendable, Hashable {
    package var probes: [ThroughputProbe]
    private let tokenSeconds: Quantity
    private let userSeconds: Quantity
    private let latency: Quantity
    private let memory: Quantity

    /// Errors: none; at least one probe must be given.
    package init(_ probes: [ThroughputProbe]) {
        precondition(!probes.isEmpty, "a speed model needs a probe")
        self.probes = probes
        tokenSeconds = Quantity(probes) { 1 / $0.tokensPerSecond }
        userSeconds = Quantity(probes) { 1 / $0.evaluatedUsersPerSecond }
        latency = Quantity(probes) { $0.latencySeconds }
        // What a training holds beside its parameters and their like grows with all parts but the last.
        memory = Quantity(probes, parts: 4) { max(1, $0.memoryBytes - Self.parameterBytes($0.parameters)) }
    }

    private static func parameterBytes(_ parameters: Int) -> Double {
        Double(TrainingOptions.bytesPerParameter * parameters)
    }

    /// The probe of a configuration, measured or predicted.
    package func estimate(_ c: Configuration, facts: DatasetFacts) -> ThroughputProbe {
        if let measured = probes.first(where: { $0.layers == c.layers && $0.dim == c.dim && $0.heads == c.heads }) {
            return measured
        }
        let parameters = CostModel.parameters(c, items: facts.items)
        return ThroughputProbe(
            layers: c.layers, dim: c.dim, heads: c.heads, tokensPerSecond: 1 / tokenSeconds.value(c.layers, c.dim),
            evaluatedUsersPerSecond: 1 / userSeconds.value(c.layers, c.dim),
            latencySeconds: latency.value(c.layers, c.dim),
            memoryBytes: memory.value(c.layers, c.dim) + Self.parameterBytes(parameters),
            parameters: parameters)
    }

    /// One quantity over the shapes.
    struct Quantity: Sendable, Hashable {
        private let coefficients: [Double]
        private let shapes: [[Int]]
        /// ln(measured / fitted) of each probe.
        private let corrections: [Double]

        /// - Parameter parts: how many of the parts it may have, from the first.
        init(_ probes: [ThroughputProbe], parts: Int = 5, _ value: (ThroughputProbe) -> Double) {
            let rows = probes.map { Self.parts($0.layers, $0.dim) }
            let values = probes.map(value)
            let coefficients = Self.fit(rows, values, parts: parts)
            self.coefficients = coefficients
            shapes = probes.map { [$0.layers, $0.dim] }
            corrections = zip(rows, values).map { row, value in
                log(value / zip(row, coefficients).reduce(0) { $0 + $1.0 * $1.1 })
            }
        }

        private static func parts(_ layers: Int, _ dim: Int) -> [Double] {
            let (n, d) = (Double(layers), Double(dim))
            return [1, n, d, n * d, n * d * d]
        }

        /// The sum of the parts, corrected by the probes around with weights that fall with the distance in (ln N, ln d).
        func value(_ layers: Int, _ dim: Int) -> Double {
            var sum = 0.0
            var total = 0.0
            for (shape, correction) in zip(shapes, corrections) {
                let dn = log(Double(layers) / Double(shape[0]))
                let dd = log(Double(dim) / Double(shape[1]))
                let weight = 1 / pow(dn * dn * 0.25 + dd * dd + 1e-6, 2)
                sum += weight * correction
                total += weight
            }
            return exp(sum / total) * zip(Self.parts(layers, dim), coefficients).reduce(0) { $0 + $1.0 * $1.1 }
        }

        /// Non-negative least squares of the relative errors: with five parts every set of them can be tried.
        private static func fit(_ rows: [[Double]], _ values: [Double], parts: Int) -> [Double] {
            var best: (error: Double, coefficients: [Double])?
            for set in 1..<1 << parts {
                let used = (0..<5).filter { set >> $0 & 1 == 1 }
                guard used.count <= rows.count else { continue }
                let scaled = zip(rows, values).map { row, value in used.map { row[$0] / value } }
                guard let solution = leastSquares(scaled), solution.allSatisfy({ $0 >= 0 }) else { continue }
                let error = scaled.reduce(0) { sum, row in
                    let off = zip(row, solution).reduce(-1) { $0 + $1.0 * $1.1 }
                    return sum + off * off
                }
                // With few probes many sets fit exactly; the later ones, which grow with the work, are the safer.
                guard error <= (best?.error ?? .infinity) + 1e-12 else { continue }
                var coefficients = [Double](repeating: 0, count: 5)
                for (place, part) in used.enumerated() { coefficients[part] = solution[place] }
                best = (min(error, best?.error ?? error), coefficients)
            }
            return best?.coefficients ?? [0, 0, 0, 0, 1]
        }

        /// Solves rows · x = 1 in least squares by the normal equations; nil where they are (numerically) singular.
        private static func leastSquares(_ rows: [[Double]]) -> [Double]? {
            let n = rows[0].count
            // Columns of equal size keep the equations well conditioned.
            let scales = (0..<n).map { c in rows.reduce(0) { $0 + $1[c] * $1[c] }.squareRoot() }
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
}
