package import Domain

/// The leading family of a stored law as a plain formula, without process and weights: what papers report and draw.
package struct LawFormula: Sendable {
    private let formula: Formula

    package init(_ fit: LawFit) {
        let trainings = fit.points.map {
            LawPoint(
                x: Design.place($0.layers, $0.dim, $0.effectiveTokens), value: $0.observed,
                variance: 1 / max($0.weight, 1e-300))
        }
        formula = Formula(
            fit.leading, trainings: trainings, points: fit.places.count, fixedP: fit.fixedP, isHuber: false,
            expectation: fit.prior.map(Expectation.init))
    }

    package func value(layers: Int, dim: Int, effectiveTokens: Double) -> Double {
        formula.value(Design.place(layers, dim, effectiveTokens))
    }
}
