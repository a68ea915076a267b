import Domain
import PlawProtocol

/// Prints a law.
struct LawDisplay {
    private let law: Law

    init(_ law: Law) { self.law = law }

    func printSummary() {
        let fit = law.fit
        Terminal.print(
            "\(fit.metric) of \(law.dataset), law \(law.id), \(law.key.backbone.rawValue) \(law.key.loss.rawValue)"
                + (law.key.candidates == "all" ? "" : ", ranked against \(law.key.candidates) items only"))
        var table = Table("  form", fit.choices["form"] ?? fit.family)
        table.leftAligned = [0, 1]
        let names = ["p", "w1", "a1", "w2", "a2", "w3", "b"]
        let parameters = names.compactMap { name in fit.parameters[name].map { "\(name) = \(Format.short($0))" } }
        table.add("  parameters", parameters.joined(separator: ", "))
        let adjusted = fit.adjustedR2.map { " (adjusted \(Format.fixed($0, 4)))" } ?? ""
        table.add(
            "  R^2",
            "\(Format.fixed(fit.r2, 4))\(adjusted), \(fit.points.count) observations, \(fit.degreesOfFreedom) degrees of freedom"
        )
        let optimum = [("N*", fit.optimum.layers), ("d*", fit.optimum.dim)].map { name, value in
            value.map { "\(name) = \(Format.short($0))" } ?? "\(name): no interior optimum"
        }
        table.add("  optimum", optimum.joined(separator: ", "))
        table.add("  scatter", "\(Format.short(fit.residualDeviation)) of a new observation around the law")
        table.print()
    }

    func printPoints() {
        var table = Table("  layers", "dim", "D'", "observed", "fitted", "residual")
        table.leftAligned = []
        for point in law.fit.points {
            table.add(
                "  \(point.layers)", "\(point.dim)", Format.count(point.effectiveTokens),
                Format.quality(point.observed), Format.quality(point.fitted), Format.quality(point.residual))
        }
        table.print()
    }
}
