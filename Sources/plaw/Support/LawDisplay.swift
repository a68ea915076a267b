import Domain
import Wire

/// Prints a law: the family that leads it, or the one asked for.
struct LawDisplay {
    private let law: Law
    private let family: LawFamily?

    init(_ law: Law, family: LawFamily? = nil) {
        (self.law, self.family) = (law, family)
    }

    /// Whether something finished here: else there is nothing to compare a family with.
    private var hasPoints: Bool { !law.fit.points.isEmpty }
    /// The fit that is shown; nil where this law has none of the family.
    private var shown: FamilyFit? { family.map { name in law.fit.fits.first { $0.family == name } } ?? law.fit.lead }

    /// One line a law, where there are several keys.
    static func printOverview(_ laws: [Law]) {
        let keys = laws.reduce(into: [LawKey]()) { keys, law in if !keys.contains(law.key) { keys.append(law.key) } }
        let differ = keys.contains { !differences($0, among: keys).isEmpty }
        var table = Table(
            cells: ["law", "metric", "backbone", "loss", "L", "split", "mask", "points", "family"]
                + (differ ? ["differs in"] : []) + ["undeclared"])
        table.leftAligned = [1, 2, 3, 5, 6, 8, 9, 10]
        for law in laws {
            let key = law.key
            table.add(
                cells: [
                    "\(law.id)", "\(law.fit.metric)", key.backbone.words,
                    key.loss.words, key.maxLength.words,
                    key.split.words, key.mask.words, "\(law.fit.points.count)",
                    law.fit.family,
                ] + (differ ? [differences(key, among: keys)] : []) + [key.undeclared.joined(separator: ", ")])
        }
        table.print()
        Terminal.print("")
    }

    /// In what a key differs from those that look like it in a table of keys.
    static func differences(_ key: LawKey, among keys: [LawKey]) -> String {
        func columns(_ key: LawKey) -> [String] {
            [
                key.model, key.maxLength.words, key.split.words,
                key.mask.words, key.undeclared.joined(separator: ","),
            ]
        }
        return key.distinction(from: keys.filter { $0 != key && columns($0) == columns(key) }).joined(separator: "; ")
    }

    func printSummary() {
        let fit = law.fit
        Terminal.print(
            "\(fit.metric) of \(law.dataset), law \(law.id), \(law.key.model)"
                + (law.key.candidates.value.map { $0 == "all" ? "" : ", ranked against \($0) items only" } ?? ""))
        var table = Table(
            "  answers",
            fit.family == "weighted"
                ? "from all families, weighted"
                : fit.family == LawFamily.otherDatasets.rawValue ? "from other datasets" : "from the \(fit.family)")
        table.leftAligned = [0, 1]
        if let lead = shown {
            table.add("  form", "\(lead.form)  (\(lead.family.rawValue))")
            let parameters = lead.orderedParameters.map { "\($0.name) = \(Format.short($0.value))" }
            if !parameters.isEmpty { table.add("  parameters", parameters.joined(separator: ", ")) }
            if let open = lead.notIdentified, !open.isEmpty {
                table.add("  not identified", open.joined(separator: ", "))
            }
            if hasPoints {
                let adjusted = lead.adjustedR2.map { " (adjusted \(Format.fixed($0, 4)))" } ?? ""
                table.add(
                    "  R^2",
                    "\(Format.fixed(lead.r2, 4))\(adjusted), \(fit.points.count) observations of \(fit.places.count) configurations, "
                        + "\(lead.degreesOfFreedom) degrees of freedom")
                table.add("  optimum", Self.optimum(lead))
            } else {
                let cut = fit.expected?.count ?? 0
                table.add(
                    "  observations",
                    "none that finished here" + (cut > 0 ? "; the level is where \(cut) cut short were heading" : ""))
            }
            for (axis, shape) in lead.axes.sorted(by: { $0.key > $1.key }) {
                let open = ["optimum", "curvature", "skew"].filter { !shape.identified.contains($0) }
                let known = [("curvature", shape.curvature), ("skew", shape.skew)].filter {
                    shape.identified.contains($0.0)
                }
                let parts =
                    known.map { name, value in "\(name) \(value.map(Format.short) ?? "")" }
                    + (open.isEmpty ? [] : ["not determined: \(open.joined(separator: ", "))"])
                table.add("  \(axis) axis", parts.joined(separator: "; "))
            }
        }
        table.add("  noise", Self.words(fit.noise))
        if !law.key.undeclared.isEmpty {
            table.add(
                "  warning", "undeclared: \(law.key.undeclared.joined(separator: ", ")); fitted among themselves only")
        }
        table.print()
    }

    /// Where the metric is highest by a family's formula.
    private static func optimum(_ lead: FamilyFit) -> String {
        let axes = [("N*", "layers", lead.optimum.layers), ("d*", "dim", lead.optimum.dim)]
        if axes.allSatisfy({ $0.2 == nil }) { return "no optimum determined near the observations" }
        return axes.map { name, key, value in
            guard let value else { return "\(name): no optimum determined near the observations" }
            let interval = lead.intervals[key].map { " (90 % \(Format.short($0.low)) to \(Format.short($0.high)))" }
            return "\(name) = \(Format.short(value))\(interval ?? "")"
        }.joined(separator: ", ")
    }

    private static func words(_ noise: LawFit.Noise) -> String {
        if noise.source == .unknown { return LawFit.Noise.unknownWords }
        let users = noise.evaluation.map { ", a mean over the users by \(Format.short($0))" } ?? ""
        let paired =
            noise.correlation.map { "; trainings correlate by \(Format.fixed($0, 2)) over the users" } ?? ""
        return "one training varies by \(Format.short(noise.training))\(users)\(paired)"
            + (noise.source == .residuals ? ", as repeats and residuals say: no standard errors" : "")
    }

    /// Every family with its scores, or the one asked for.
    func printFamilies() {
        guard hasPoints else { return }
        var table = Table(
            "  family", "weight", "R^2", "rank", "condition", "one left out", "largest left out", "formula alone", "N*",
            "d*")
        for family in law.fit.fits where self.family == nil || family.family == self.family {
            let scores = family.crossValidation
            table.add(
                "  " + family.family.rawValue, Format.share(scores.weight, decimals: 0), Format.fixed(family.r2, 4),
                "\(family.rank) of \(family.names.count)", Format.short(family.conditionNumber),
                Format.error(scores.leaveOneOut), Format.error(scores.leaveLargestOut),
                Format.error(scores.leaveLargestOutAlone),
                family.optimum.layers.map(Format.short) ?? "", family.optimum.dim.map(Format.short) ?? "")
        }
        if family == nil, let nearest = law.fit.nearestNeighbour {
            table.add("  nearest observation", "", "", "", "", "", Format.error(nearest), "", "", "")
        }
        table.print()
    }

    /// The checklist of arXiv 2502.18969: every choice behind the law.
    func printChecklist() {
        var table = Table("  choice", "")
        table.leftAligned = [0, 1]
        for (name, words) in law.fit.choices.sorted(by: { $0.key < $1.key }) { table.add("  " + name, words) }
        table.print()
    }

    /// D', or the share of it where the observations do not say how much there is.
    private func dataSize(_ value: Double) -> String {
        law.key.saysDataSize ? Format.dataSize(value) : Format.share(value)
    }

    func printPoints() {
        guard hasPoints else { return }
        let points = law.fit.points
        // A law of a former version has the values of its leading family alone.
        let own = shown?.fitted ?? (shown?.family == law.fit.leading ? points.map(\.fitted) : [])
        guard own.count == points.count else {
            if let family {
                Terminal.print(
                    "  what \(family.rawValue) gives at each observation: unknown until plaw fit \(law.dataset)")
            }
            return
        }
        var table = Table("  layers", "dim", "D'", "observed", "fitted", "residual")
        table.leftAligned = []
        for (point, fitted) in zip(points, own) {
            table.add(
                "  \(point.layers)", "\(point.dim)", dataSize(point.effectiveTokens),
                Format.quality(point.observed), Format.quality(fitted), Format.quality(point.observed - fitted))
        }
        table.print()
    }
}
