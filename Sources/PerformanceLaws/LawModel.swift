internal import Domain
internal import Glibc

/// How an axis enters the law: what the observations can tell.
enum AxisForm: String {
    /// One level: a constant.
    case none
    /// Two levels: a slope in ln x.
    case log
    /// Three levels or more: optimum, curvature and skew.
    case linex
}

/// A performance law with numbers in it, in the coordinates in which it is fitted:
/// metric = level + Σ_axes C ψ(ln x; t*, q) with C <= 0 and q = ln p / t*, or slope ln x, + data ln D'.
struct LawModel {
    var layersForm: AxisForm
    var dimForm: AxisForm
    var hasData: Bool
    var profilesP: Bool

    var level = 0.0
    var layersCoefficient = 0.0
    var dimCoefficient = 0.0
    var dataCoefficient = 0.0
    var layersOptimum = 1.0
    var dimOptimum = 1.0
    var lnP = log(2.0)

    /// Coordinates of one observation.
    struct Point {
        var lnLayers: Double
        var lnDim: Double
        var lnData: Double
        var value: Double
        var weight: Double
    }

    private var layersAxis: Linex { Linex(optimum: layersOptimum, skew: lnP / layersOptimum) }
    private var dimAxis: Linex { Linex(optimum: dimOptimum, skew: lnP / dimOptimum) }

    func value(_ x: Point) -> Double {
        basis(x).enumerated().reduce(0) { $0 + $1.element * coefficients[$1.offset] }
    }

    /// The functions that enter linearly: 1, layers, dim, data, as far as present.
    func basis(_ x: Point) -> [Double] {
        var row = [1.0]
        switch layersForm {
        case .none: break
        case .log: row.append(x.lnLayers)
        case .linex: row.append(layersAxis.value(x.lnLayers))
        }
        switch dimForm {
        case .none: break
        case .log: row.append(x.lnDim)
        case .linex: row.append(dimAxis.value(x.lnDim))
        }
        if hasData { row.append(x.lnData) }
        return row
    }

    var coefficients: [Double] {
        get {
            var values = [level]
            if layersForm != .none { values.append(layersCoefficient) }
            if dimForm != .none { values.append(dimCoefficient) }
            if hasData { values.append(dataCoefficient) }
            return values
        }
        set {
            var rest = newValue[...]
            level = rest.removeFirst()
            if layersForm != .none { layersCoefficient = rest.removeFirst() }
            if dimForm != .none { dimCoefficient = rest.removeFirst() }
            if hasData { dataCoefficient = rest.removeFirst() }
        }
    }

    /// Names of all free parameters: the linear ones, then the optima, then ln p.
    var parameterNames: [String] {
        var names = ["level"]
        if layersForm == .linex { names.append("curvatureN") } else if layersForm == .log { names.append("slopeN") }
        if dimForm == .linex { names.append("curvatureD") } else if dimForm == .log { names.append("slopeD") }
        if hasData { names.append("slopeData") }
        if layersForm == .linex { names.append("lnOptimumN") }
        if dimForm == .linex { names.append("lnOptimumD") }
        if profilesP { names.append("lnP") }
        return names
    }

    var parameterValues: [Double] {
        var values = coefficients
        if layersForm == .linex { values.append(layersOptimum) }
        if dimForm == .linex { values.append(dimOptimum) }
        if profilesP { values.append(lnP) }
        return values
    }

    /// Sets the parameters that are not linear, in the order of `parameterNames`.
    mutating func setShape(_ shape: [Double]) {
        var rest = shape[...]
        if layersForm == .linex { layersOptimum = rest.removeFirst() }
        if dimForm == .linex { dimOptimum = rest.removeFirst() }
        if profilesP { lnP = rest.removeFirst() }
    }

    var shape: [Double] { Array(parameterValues.dropFirst(coefficients.count)) }

    /// Derivatives of the value by each free parameter.
    func gradient(_ x: Point) -> [Double] {
        var row = basis(x)
        let (n, d) = (layersAxis, dimAxis)
        // dq/dt* = -ln p / t*², dq/d(ln p) = 1 / t*; ψ itself moves against t*.
        func byOptimum(_ axis: Linex, _ t: Double) -> Double {
            -axis.slope(t) - axis.skewSlope(t) * lnP / (axis.optimum * axis.optimum)
        }
        if layersForm == .linex { row.append(layersCoefficient * byOptimum(n, x.lnLayers)) }
        if dimForm == .linex { row.append(dimCoefficient * byOptimum(d, x.lnDim)) }
        if profilesP {
            var slope = 0.0
            if layersForm == .linex { slope += layersCoefficient * n.skewSlope(x.lnLayers) / layersOptimum }
            if dimForm == .linex { slope += dimCoefficient * d.skewSlope(x.lnDim) / dimOptimum }
            row.append(slope)
        }
        return row
    }

    /// The parameters of the published formula: w1, a1, w2, a2, (w3,) b and p, and the coordinates of the fit.
    var published: [String: Double] {
        var values = Dictionary(uniqueKeysWithValues: zip(parameterNames, parameterValues))
        var b = level
        if layersForm == .linex || dimForm == .linex { values["p"] = exp(lnP) }
        if layersForm == .log { values["w1"] = layersCoefficient }
        if dimForm == .log { values["w2"] = dimCoefficient }
        if layersForm == .linex {
            let q = lnP / layersOptimum
            let w = -layersCoefficient / (q * q)
            (values["w1"], values["a1"]) = (w, -q)
            b -= w * (q * layersOptimum - 1)
            values["lnOptimumN"] = layersOptimum
        }
        if dimForm == .linex {
            let q = lnP / dimOptimum
            let w = -dimCoefficient / (q * q)
            (values["w2"], values["a2"]) = (w, -q)
            b -= w * (q * dimOptimum - 1)
        }
        if hasData { values["w3"] = dataCoefficient }
        values["b"] = b
        values["lnP"] = lnP
        return values
    }
}
