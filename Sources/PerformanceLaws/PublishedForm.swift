internal import Domain
internal import Glibc

/// The formula of a form as it is written in papers, and its parameters from the coordinates of the fit.
struct PublishedForm {
    private let form: LawForm

    init(_ form: LawForm) { self.form = form }

    private static func symbol(_ axis: Axis) -> String {
        switch axis {
        case .layers: "N"
        case .dim: "d"
        case .data: "D'"
        }
    }

    var text: String {
        var terms: [String] = []
        var usesG = false
        for term in form.terms {
            switch term {
            case .one, .expected: continue
            case .log(let axis): terms.append("w\(axis.rawValue + 1) ln \(Self.symbol(axis))")
            case .square(let axis):
                terms.append("w\(axis.rawValue + 1)\(axis.rawValue + 1) ln² \(Self.symbol(axis))")
            case .product: terms.append("w12 ln N ln d")
            case .linex(let axis, _, _), .curve(let axis, _, _), .published(let axis, _):
                usesG = true
                terms.append("w\(axis.rawValue + 1) g(\(Self.symbol(axis)); a\(axis.rawValue + 1))")
            case .power(let axis, _):
                terms.append("-" + ["A N^-alpha", "B d^-beta", "C D'^-gamma"][axis.rawValue])
            case .cross: terms.append("rho (ln N - ln N*)(ln d - ln d*)")
            case .ratio: terms.append("(w1 + w2 + w3) ln u, u = exp(-(kappa N / d)²)")
            }
        }
        if form.family == .otherDatasets {
            let data = form.terms.contains(.log(.data)) ? " + w3 ln D'" : ""
            return "b e^r(N, d)\(data), r as on \(form.expectation?.datasets ?? 0) other datasets"
        }
        var text = terms.joined(separator: " + ").replacing("+ -", with: "- ")
        text =
            terms.isEmpty
            ? "b" : text.hasPrefix("-") ? "b " + text.replacing("-A", with: "- A", maxReplacements: 1) : text + " + b"
        return text + (usesG ? ", g(x; a) = -1/(p x^a) - a ln x" : "")
    }

    /// Parameters of the formula. A flat axis has no w and no a.
    func parameters(_ p: [Double]) -> [String: Double] {
        let shape = Array(p.suffix(form.shapeCount))
        let center = form.center
        var values: [String: Double] = [:]
        var b = p[0]
        var slopes = [0.0, 0.0, 0.0]
        var usesP: Double?
        for (place, term) in form.terms.enumerated() {
            let c = p[place]
            switch term {
            case .one, .expected: continue
            case .log(let axis):
                slopes[axis.rawValue] += c
                b -= c * center[axis.rawValue]
            case .square(let axis):
                let m = center[axis.rawValue]
                values["w\(axis.rawValue + 1)\(axis.rawValue + 1)"] = c
                slopes[axis.rawValue] -= 2 * c * m
                b += c * m * m
            case .product:
                values["w12"] = c
                slopes[0] -= c * center[1]
                slopes[1] -= c * center[0]
                b += c * center[0] * center[1]
            case .linex(let axis, let optimum, let factor):
                guard c != 0 else { continue }
                let lnP = factor.map { shape[$0] } ?? form.fixedLnP
                let t = shape[optimum]
                // p = 1 has no optimum but 1: the parabola next to it is written with a factor next to it.
                let q = (abs(lnP) < 1e-9 ? 1e-9 : lnP) / t
                let w = -c / (q * q)
                values["w\(axis.rawValue + 1)"] = w
                values["a\(axis.rawValue + 1)"] = -q
                b -= w * (q * t - 1)
                usesP = exp(lnP)
            case .power(let axis, let exponent):
                let (alpha, m) = (shape[exponent], center[axis.rawValue])
                values[["A", "B", "C"][axis.rawValue]] = -c * exp(alpha * m) / alpha
                values[["alpha", "beta", "gamma"][axis.rawValue]] = alpha
                b -= c / alpha
            case .published(let axis, let exponent):
                let (q, m) = (shape[exponent], center[axis.rawValue])
                values["w\(axis.rawValue + 1)"] = c / q
                values["a\(axis.rawValue + 1)"] = -q
                b += c * (exp(q * m - form.fixedLnP) / q - m)
                usesP = exp(form.fixedLnP)
            case .cross: values["rho"] = c
            case .ratio, .curve: continue
            }
        }
        for axis in Axis.allCases {
            let isCurve = values["a\(axis.rawValue + 1)"] != nil
            let hasLog = form.terms.contains(.log(axis))
            if hasLog, !isCurve { values["w\(axis.rawValue + 1)"] = slopes[axis.rawValue] }
        }
        if let place = form.terms.firstIndex(of: .ratio) {
            let sum = slopes.reduce(0, +)
            if sum > 0 { values["kappa"] = (-p[place] / sum).squareRoot() * exp(-form.ratioScale) }
        }
        values["b"] = b
        if let usesP { values["p"] = usesP }
        return values
    }

    /// How well a parameter has to be known to have a number: what makes a curve to within itself, so that it neither vanishes nor
    /// explodes, a slope to within the spread of the metric an e-fold, the level to within 1, as metrics are shares.
    func limit(_ name: String, _ value: Double, span: Double) -> Double {
        if name == "b" { return 1 }
        let isCurve = form.terms.contains { term in
            switch term {
            case .linex(let axis, _, _), .published(let axis, _):
                ["w\(axis.rawValue + 1)", "a\(axis.rawValue + 1)", "p"].contains(name)
            case .power(let axis, _):
                [["A", "alpha"], ["B", "beta"], ["C", "gamma"]][axis.rawValue].contains(name)
            case .ratio: name == "kappa"
            default: false
            }
        }
        return isCurve ? abs(value) : span
    }

    /// Where the law peaks in N and in d, nil where it has no interior maximum.
    func optimum(_ p: [Double]) -> FamilyFit.Optimum {
        let shape = Array(p.suffix(form.shapeCount))
        func coefficient(_ term: Term) -> Double? { form.terms.firstIndex(of: term).map { p[$0] } }
        switch form.family {
        case .performanceLaw, .performanceLawInteraction:
            var peaks: [Axis: (t: Double, c: Double)] = [:]
            var rho = 0.0
            for (place, term) in form.terms.enumerated() {
                if case .linex(let axis, let optimum, _) = term { peaks[axis] = (shape[optimum], p[place]) }
                if case .cross = term { rho = p[place] }
            }
            let (n, d) = (peaks[.layers], peaks[.dim])
            // With an interaction the stationary point is a maximum only where both curvatures outweigh it.
            if rho != 0, (n?.c ?? 0) * (d?.c ?? 0) <= rho * rho { return FamilyFit.Optimum(layers: nil, dim: nil) }
            return FamilyFit.Optimum(
                layers: n.flatMap { $0.c < 0 ? exp($0.t) : nil }, dim: d.flatMap { $0.c < 0 ? exp($0.t) : nil })
        case .logQuadratic:
            let (nn, dd) = (coefficient(.square(.layers)), coefficient(.square(.dim)))
            let (n, d) = (coefficient(.log(.layers)) ?? 0, coefficient(.log(.dim)) ?? 0)
            let nd = coefficient(.product) ?? 0
            if let nn, let dd {
                let determinant = 4 * nn * dd - nd * nd
                guard nn < 0, dd < 0, determinant > 0 else { return FamilyFit.Optimum(layers: nil, dim: nil) }
                return FamilyFit.Optimum(
                    layers: exp(form.center[0] + (nd * d - 2 * dd * n) / determinant),
                    dim: exp(form.center[1] + (nd * n - 2 * nn * d) / determinant))
            }
            return FamilyFit.Optimum(
                layers: nn.flatMap { $0 < 0 ? exp(form.center[0] - n / (2 * $0)) : nil },
                dim: dd.flatMap { $0 < 0 ? exp(form.center[1] - d / (2 * $0)) : nil })
        case .constant, .logLinear, .scalingLaw, .instability, .otherDatasets:
            return FamilyFit.Optimum(layers: nil, dim: nil)
        }
    }
}
