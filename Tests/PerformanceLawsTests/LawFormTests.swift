import Domain
import Foundation
import Testing

@testable import PerformanceLaws

struct LawFormTests {
    private static let places = points(grid(tokens: [12_500, 25_000, 50_000, 100_000]) { _, _, _ in 0 })

    /// Every form that has shape parameters of its own, and every family.
    private static let forms: [LawForm] =
        LawFamily.allCases.flatMap { family in
            [
                LawForm(family, points: places, fixedP: nil), LawForm(family, points: places, fixedP: 3),
                LawForm(family, points: places, fixedP: nil, untied: true),
            ]
        } + [LawForm(.performanceLaw, points: places, fixedP: 2, published: true)]

    @Test("derivatives by every parameter of every family equal finite differences", arguments: forms.indices)
    func gradients(index: Int) {
        let form = Self.forms[index]
        var random = SplitMix64(seed: UInt64(index))
        for round in 0..<20 {
            var parameters = (0..<form.linearCount).map { _ in random.uniform(-1, 1) }
            for place in 0..<form.shapeCount {
                let bounds = form.bounds(place)
                let (low, high) = (max(bounds.lowerBound, -3), min(bounds.upperBound, 4))
                parameters.append(random.uniform(low + 0.05, high))
            }
            // Next to a skew of 0 the curves are computed from series.
            if round == 0,
                let skew = form.shapeNames.firstIndex(where: { $0.hasPrefix("skew") || $0.hasPrefix("power") })
            {
                parameters[form.linearCount + skew] = 1e-5
            }
            let x = SIMD3(random.uniform(0, 3), random.uniform(2, 6), random.uniform(9, 12))
            let gradient = form.gradient(x, parameters)
            for m in parameters.indices {
                let step = 1e-5 * max(0.1, abs(parameters[m]))
                func value(_ times: Double) -> Double {
                    var moved = parameters
                    moved[m] += times * step
                    return form.value(x, moved)
                }
                // Of fourth order: the error is far below what a wrong term would make.
                let expected = (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * step)
                let size = max(1, abs(expected), abs(form.value(x, parameters)))
                #expect(abs(gradient[m] - expected) < 2e-6 * size, "\(form.family) \(form.names[m])")
            }
        }
    }

    @Test("columns filled once a level are the derivatives at each point", arguments: LawFamily.allCases)
    func columns(family: LawFamily) {
        var random = SplitMix64(seed: 3)
        let points = points(
            grid(layers: [1, 2, 4], dims: [16, 32, 64], tokens: [100_000, 50_000, 20_000, 9_000]) { _, _, _ in 0.1 })
        for untied in [false, true] {
            let form = LawForm(family, points: points, fixedP: nil, untied: untied)
            let roots = points.map { _ in random.uniform(0.5, 2) }
            let columns = LawColumns(form, points, roots: roots, covariance: nil)
            for _ in 0..<3 {
                let parameters = (0..<form.count).map { _ in random.uniform(0.3, 1.5) }
                for slopes in [false, true] {
                    parameters.withUnsafeBufferPointer { columns.fill($0.baseAddress!, slopes: slopes) }
                }
                for (i, point) in points.enumerated() {
                    for (m, slope) in form.gradient(point.x, parameters).enumerated() {
                        let found = columns.values[m * columns.rows + i]
                        #expect(abs(found - roots[i] * slope) <= 1e-12 * (1 + abs(found)))
                    }
                }
            }
        }
    }
}
