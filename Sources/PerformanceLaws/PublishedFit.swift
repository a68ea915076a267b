internal import Domain
internal import Glibc

/// The performance law as its public code fits it: p fixed, weights of either sign, plain least squares, one data size.
///
///     metric = w1 g(N; a1) + w2 g(d; a2) + b        g(x; a) = -1/(p x^a) - a ln x
///
/// Here to be held against that code: laws that answer questions have no minimum in any axis and weigh what they were fitted to.
package struct PublishedFit: Sendable {
    /// Sum of squared residuals.
    package var cost: Double
    /// `w1`, `a1`, `w2`, `a2`, `b`, `p`.
    package var parameters: [String: Double]

    /// - Parameters:
    ///   - trainings: with at least three levels of N and of d.
    ///   - p: exponent of the reciprocal term.
    package init(_ trainings: [(layers: Double, dim: Double, value: Double)], p: Double = 2) {
        let points = trainings.map { LawPoint(x: SIMD3(log($0.layers), log($0.dim), 0), value: $0.value, variance: 1) }
        let form = LawForm(.performanceLaw, points: points, fixedP: p, published: true)
        var search = LawSearch(form, points)
        let solution = search.solve()
        cost = solution.cost
        parameters = PublishedForm(form).parameters(solution.parameters)
    }
}
