import Domain
import Numerics
import Testing

@Suite struct NonNegativeFitTests {
    /// The sum of squared relative errors.
    private func error(_ rows: [[Double]], _ values: [Double], _ coefficients: [Double]) -> Double {
        zip(rows, values).reduce(0) { sum, row in
            let off = zip(row.0, coefficients).reduce(0) { $0 + $1.0 * $1.1 } / row.1 - 1
            return sum + off * off
        }
    }

    @Test("coefficients that made the values are found again")
    func recovery() {
        var random = SplitMix64(seed: 4)
        let truth = [0.5, 0, 2, 0.01]
        let rows = (0..<12).map { _ in truth.map { _ in 0.1 + random.uniform() } }
        let values = rows.map { zip($0, truth).reduce(0) { $0 + $1.0 * $1.1 } }
        for (found, expected) in zip(NonNegativeFit.coefficients(rows, values, allowed: 4), truth) {
            #expect(abs(found - expected) < 1e-9)
        }
    }

    @Test("no coefficient is negative, none that is not allowed is used, and no small change does better")
    func optimum() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<50 {
            let rows = (0..<8).map { _ in (0..<4).map { _ in 0.1 + random.uniform() } }
            let values = rows.map { 0.2 + 3 * $0[0] - 0.5 * $0[1] + random.uniform() }
            let found = NonNegativeFit.coefficients(rows, values, allowed: 3)
            #expect(found.count == 4 && found.allSatisfy { $0 >= 0 } && found[3] == 0)
            let least = error(rows, values, found)
            for part in 0..<3 {
                for step in [-1e-3, 1e-3] where found[part] + step >= 0 {
                    var other = found
                    other[part] += step
                    #expect(error(rows, values, other) > least - 1e-12)
                }
            }
        }
    }
}
