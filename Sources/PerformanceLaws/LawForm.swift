internal import Domain
internal import Glibc

/// An axis of the laws.
enum Axis: Int, Sendable, Hashable, CaseIterable {
    case layers, dim, data

    /// As in the names of parameters: `slopeN`, `lnOptimumD`.
    var suffix: String {
        switch self {
        case .layers: "N"
        case .dim: "D"
        case .data: "Data"
        }
    }
}

/// One function of (ln N, ln d, ln D') that enters a law linearly; `shape` numbers are places in the shape parameters.
enum Term: Sendable, Hashable {
    case one
    /// t - center.
    case log(Axis)
    /// (t - center)².
    case square(Axis)
    /// (ln N - center)(ln d - center).
    case product
    /// ψ(t; t*, q = ln p / t*); `factor` is the place of ln p, nil where it is fixed.
    case linex(Axis, optimum: Int, factor: Int?)
    /// ψ(t; t*, q) with a skew of its own.
    case curve(Axis, optimum: Int, skew: Int)
    /// (e^(-α (t - center)) - 1) / α.
    case power(Axis, exponent: Int)
    /// g(x; a) / -a less its value at the center, a straight line at a = 0; `exponent` is the place of -a.
    case published(Axis, exponent: Int)
    /// (ln N - t*_N)(ln d - t*_d).
    case cross(Int, Int)
    /// (N / d)² over its largest value among the observations.
    case ratio
    /// e^r with r the expected ln of the metric over that of 2 x 64.
    case expected

    /// The only axis that the term depends on, nil where it takes several or none.
    var axis: Axis? {
        switch self {
        case .log(let axis), .square(let axis), .linex(let axis, _, _), .curve(let axis, _, _), .power(let axis, _),
            .published(let axis, _):
            axis
        case .one, .product, .cross, .ratio, .expected: nil
        }
    }

    /// Whether its coefficient is the curvature of an axis.
    var bends: Bool {
        switch self {
        case .square, .linex, .curve: true
        default: false
        }
    }

    /// Places of the shape parameters that move the term.
    var moves: [Int] {
        switch self {
        case .one, .log, .square, .product, .ratio, .expected: []
        case .linex(_, let optimum, let factor): [optimum] + (factor.map { [$0] } ?? [])
        case .curve(_, let a, let b), .cross(let a, let b): [a, b]
        case .power(_, let exponent), .published(_, let exponent): [exponent]
        }
    }
}

/// A family cut to what the observations can tell: its terms, the names and priors of its parameters.
///
/// Parameters are the coefficients of the terms, in order, then the shape parameters.
struct LawForm: Sendable {
    let family: LawFamily
    private(set) var terms: [Term] = [.one]
    private(set) var shapeNames: [String] = []
    /// ln p where it is not a parameter.
    let fixedLnP: Double
    let center: SIMD3<Double>
    /// Largest ln (N / d) among the observations.
    let ratioScale: Double
    /// Whether curves are those of the public code, where an axis may have a minimum.
    let published: Bool
    /// Whether each curved axis has its own skew.
    let untied: Bool
    /// What other datasets let expect; nil for families that do not ask.
    let expectation: Expectation?

    var linearCount: Int { terms.count }
    var shapeCount: Int { shapeNames.count }
    var count: Int { terms.count + shapeNames.count }

    /// - Parameters:
    ///   - fixedP: the factor p; nil profiles it where a curve uses it.
    ///   - published: curves as the public code has them, of either sign, with p fixed.
    ///   - untied: each curved axis has its own skew instead of one factor p for both.
    ///   - limit: most parameters that are of use: the number of distinct points, the number of points by default.
    init(
        _ family: LawFamily, points: [LawPoint], fixedP: Double?, published: Bool = false, profilesP: Bool = true,
        untied: Bool = false, limit: Int? = nil, expectation: Expectation? = nil
    ) {
        self.family = family
        self.expectation = family == .otherDatasets ? expectation : nil
        self.published = published
        self.untied = untied
        let n = Double(max(1, points.count))
        center = points.reduce(SIMD3<Double>()) { $0 + $1.x } / n
        ratioScale = points.map { $0.x[0] - $0.x[1] }.max() ?? 0
        let lnP = Glibc.log(fixedP ?? 2)
        fixedLnP = abs(lnP) < 1e-6 ? 1e-6 : lnP
        let levels = Axis.allCases.map(points.levels)
        // Each step of simplification takes away what the observations say least about.
        for step in 0...6 {
            var levels = levels
            if step >= 2 { levels[0] = min(levels[0], 2) }
            if step >= 3 { levels[1] = min(levels[1], 2) }
            if step >= 4 { levels[2] = 1 }
            if step >= 5 { levels[0] = 1 }
            if step >= 6 { levels[1] = 1 }
            (terms, shapeNames) = ([.one], [])
            build(levels, profilesP: fixedP == nil && profilesP && step < 1, untied: untied)
            if count <= limit ?? points.count { break }
        }
    }

    private mutating func shape(_ name: String) -> Int {
        if let place = shapeNames.firstIndex(of: name) { return place }
        shapeNames.append(name)
        return shapeNames.count - 1
    }

    private mutating func build(_ levels: [Int], profilesP: Bool, untied: Bool) {
        let axes = [Axis.layers, .dim].filter { levels[$0.rawValue] >= 2 }
        // Priors say what two levels leave open: that gains diminish. Without priors a curve takes three.
        let curved = axes.filter { levels[$0.rawValue] >= (untied ? 2 : 3) }
        switch family {
        case .constant: return
        case .otherDatasets:
            terms = [.expected]
            if levels[2] >= 2 { terms.append(.log(.data)) }
        case .logLinear:
            terms += axes.map { .log($0) }
            if levels[2] >= 2 { terms.append(.log(.data)) }
        case .logQuadratic:
            terms += axes.map { .log($0) } + curved.map { .square($0) }
            if curved.count == 2 { terms.append(.product) }
            if levels[2] >= 2 { terms.append(.log(.data)) }
            if levels[2] >= 4 { terms.append(.square(.data)) }
        case .instability:
            terms += axes.map { .log($0) }
            if levels[2] >= 2 { terms.append(.log(.data)) }
            if axes.count == 2 { terms.append(.ratio) }
        case .scalingLaw:
            for axis in axes {
                terms.append(
                    curved.contains(axis) ? .power(axis, exponent: shape("exponent" + axis.suffix)) : .log(axis))
            }
            if levels[2] >= 4 {
                terms.append(.power(.data, exponent: shape("exponentData")))
            } else if levels[2] >= 2 {
                terms.append(.log(.data))
            }
        case .performanceLaw where published:
            terms += axes.map { axis in
                curved.contains(axis) ? .published(axis, exponent: shape("power" + axis.suffix)) : .log(axis)
            }
            if levels[2] >= 2 { terms.append(.log(.data)) }
        case .performanceLaw, .performanceLawInteraction:
            let optima = curved.map { shape("lnOptimum" + $0.suffix) }
            let factor = profilesP && !untied && !curved.isEmpty ? shape("lnP") : nil
            for axis in axes {
                if let place = curved.firstIndex(of: axis), untied {
                    terms.append(.curve(axis, optimum: optima[place], skew: shape("skew" + axis.suffix)))
                } else if let place = curved.firstIndex(of: axis) {
                    terms.append(.linex(axis, optimum: optima[place], factor: factor))
                } else {
                    terms.append(.log(axis))
                }
            }
            if levels[2] >= 2 { terms.append(.log(.data)) }
            if family == .performanceLawInteraction {
                if optima.count == 2 {
                    terms.append(.cross(optima[0], optima[1]))
                } else if axes.count == 2 {
                    terms.append(.product)
                }
            }
        }
    }

    // MARK: - Values

    private func linex(_ optimum: Int, _ factor: Int?, _ shape: UnsafePointer<Double>) -> Linex {
        let t = shape[optimum]
        return Linex(optimum: t, skew: (factor.map { shape[$0] } ?? fixedLnP) / t)
    }

    /// The terms at a point, into `row` of `linearCount` numbers.
    func basis(_ x: SIMD3<Double>, _ shape: UnsafePointer<Double>, _ row: UnsafeMutablePointer<Double>) {
        for (place, term) in terms.enumerated() { row[place] = value(term, x, shape) }
    }

    func value(_ term: Term, _ x: SIMD3<Double>, _ shape: UnsafePointer<Double>) -> Double {
        switch term {
        case .one: return 1
        case .log(let axis): return x[axis.rawValue] - center[axis.rawValue]
        case .square(let axis):
            let u = x[axis.rawValue] - center[axis.rawValue]
            return u * u
        case .product: return (x[0] - center[0]) * (x[1] - center[1])
        case .linex(let axis, let optimum, let factor):
            return linex(optimum, factor, shape).value(x[axis.rawValue])
        case .curve(let axis, let optimum, let skew):
            return Linex(optimum: shape[optimum], skew: shape[skew]).value(x[axis.rawValue])
        case .power(let axis, let exponent):
            let (u, a) = (x[axis.rawValue] - center[axis.rawValue], shape[exponent])
            return expm1(-a * u) / a
        case .published(let axis, let exponent):
            let (m, q) = (center[axis.rawValue], shape[exponent])
            let u = x[axis.rawValue] - m
            return u - exp(q * m - fixedLnP) * (abs(q) < 1e-12 ? u : expm1(q * u) / q)
        case .cross(let n, let d): return (x[0] - shape[n]) * (x[1] - shape[d])
        case .ratio: return exp(2 * (x[0] - x[1] - ratioScale))
        case .expected: return exp(expectation?.ratio(x) ?? 0)
        }
    }

    /// Adds what the value at a point changes by with each shape parameter to `slopes`, `shapeCount` numbers.
    func addSlopes(
        _ x: SIMD3<Double>, _ parameters: UnsafePointer<Double>, _ slopes: UnsafeMutablePointer<Double>
    ) {
        for (place, term) in terms.enumerated() {
            addSlopes(term, parameters[place], x, parameters + linearCount, slopes)
        }
    }

    /// The same of one term whose coefficient is `c`.
    func addSlopes(
        _ term: Term, _ c: Double, _ x: SIMD3<Double>, _ shape: UnsafePointer<Double>,
        _ slopes: UnsafeMutablePointer<Double>
    ) {
        switch term {
        case .one, .log, .square, .product, .ratio, .expected: return
        case .linex(let axis, let optimum, let factor):
            let curve = linex(optimum, factor, shape)
            let t = x[axis.rawValue]
            let bySkew = curve.skewSlope(t)
            // q = ln p / t*, and ψ itself moves against t*.
            slopes[optimum] += c * (-curve.slope(t) - bySkew * curve.skew / curve.optimum)
            if let factor { slopes[factor] += c * bySkew / curve.optimum }
        case .curve(let axis, let optimum, let skew):
            let curve = Linex(optimum: shape[optimum], skew: shape[skew])
            let t = x[axis.rawValue]
            slopes[optimum] -= c * curve.slope(t)
            slopes[skew] += c * curve.skewSlope(t)
        case .power(let axis, let exponent):
            let (u, a) = (x[axis.rawValue] - center[axis.rawValue], shape[exponent])
            slopes[exponent] += c * (-u * exp(-a * u) - expm1(-a * u) / a) / a
        case .published(let axis, let exponent):
            let (m, q) = (center[axis.rawValue], shape[exponent])
            let u = x[axis.rawValue] - m
            let z = q * u
            let first = abs(q) < 1e-12 ? u : expm1(z) / q
            let second = abs(z) < 1e-3 ? u * u * (0.5 + z / 3 + z * z / 8) : (z * exp(z) - expm1(z)) / (q * q)
            slopes[exponent] -= c * exp(q * m - fixedLnP) * (m * first + second)
        case .cross(let n, let d):
            slopes[n] -= c * (x[1] - shape[d])
            slopes[d] -= c * (x[0] - shape[n])
        }
    }

    func value(_ x: SIMD3<Double>, _ parameters: [Double]) -> Double {
        // Safe: there are `count` parameters, the shape's after the terms', and they live as long as the closure.
        parameters.withUnsafeBufferPointer { p in
            // A law has at least its level, so there is a base address.
            guard let base = p.baseAddress else { return 0 }
            var sum = 0.0
            for (place, term) in terms.enumerated() { sum += base[place] * value(term, x, base + linearCount) }
            return sum
        }
    }

    /// Derivatives of the value by each parameter.
    func gradient(_ x: SIMD3<Double>, _ parameters: [Double]) -> [Double] {
        var row = [Double](repeating: 0, count: count)
        // Safe: both have `count` numbers, the shape's after the terms', and live as long as the closures.
        row.withUnsafeMutableBufferPointer { row in
            parameters.withUnsafeBufferPointer { p in
                guard let out = row.baseAddress, let base = p.baseAddress else { return }
                basis(x, base + linearCount, out)
                addSlopes(x, base, out + linearCount)
            }
        }
        return row
    }

    // MARK: - Names, bounds, priors

    /// Names of the coefficients, then of the shape parameters.
    var names: [String] {
        terms.map { term in
            switch term {
            case .one, .expected: "level"
            case .log(let axis): "slope" + axis.suffix
            case .square(let axis): "square" + axis.suffix
            case .product: "product"
            case .linex(let axis, _, _), .curve(let axis, _, _): "curvature" + axis.suffix
            case .published(let axis, _): "weight" + axis.suffix
            case .power(let axis, _): "gain" + axis.suffix
            case .cross: "interaction"
            case .ratio: "instability"
            }
        } + shapeNames
    }

    /// Whether a coefficient may not be positive.
    func isBounded(_ place: Int) -> Bool {
        switch terms[place] {
        case .linex, .curve, .power, .ratio: true
        default: false
        }
    }

    /// Where a shape parameter may be; `Shape` searches no farther.
    func bounds(_ place: Int) -> ClosedRange<Double> {
        let name = shapeNames[place]
        if name.hasPrefix("exponent") { return 0.01...6 }
        if name.hasPrefix("power") { return -40...40 }
        if name == "lnP" { return -8...8 }
        if name.hasPrefix("skew") { return -1.5...1.5 }
        if untied { return -3...(name.hasSuffix("N") ? 6 : 10) }
        return 0.01...(name.hasSuffix("N") ? 12 : 16)
    }

    /// Gaussian priors of all parameters, in units of how far the metric spreads: wide where the design decides, narrow for
    /// curvature, skew and interaction, which few trainings determine badly.
    func prior(_ metric: MetricSpan, points: [LawPoint]) -> Prior {
        let (mean, range) = (metric.mean, metric.shapes)
        func span(_ axis: Axis) -> (low: Double, high: Double) {
            let values = points.map { $0.x[axis.rawValue] }
            return (values.min() ?? 0, values.max() ?? 0)
        }
        var prior = Prior(means: [], deviations: [])
        func add(_ mean: Double, _ deviation: Double) {
            prior.means.append(mean)
            prior.deviations.append(deviation)
        }
        for term in terms {
            switch term {
            case .one: add(mean, 3 * metric.data)
            case .expected:
                // Of the largest data, each over what is expected of its shape; the process beside it knows how far shapes may lie from it.
                let levels = points.ofWholeData.map { $0.value / exp(expectation?.ratio($0.x) ?? 0) }
                let level = levels.reduce(0, +) / Double(max(1, levels.count))
                add(level, max(3 * metric.data, 0.5 * abs(level)))
            case .log(.data), .power(.data, _): add(0, 0.5 * metric.data)
            case .log, .power: add(0, 1.3 * range)
            case .square(.data): add(0, 0.05 * metric.data)
            case .square, .product: add(0, 0.2 * range)
            case .linex, .curve, .published: add(0, 0.4 * range)
            case .cross: add(0, 0.2 * range)
            case .ratio: add(0, range)
            }
        }
        for name in shapeNames {
            switch name {
            case "lnP": add(Glibc.log(2.0), 1)
            case "lnOptimumN": add(span(.layers).high - 0.5, 1.5)
            case "lnOptimumD": add(span(.dim).high - 0.5, 1.5)
            case "skewN", "skewD": add(0.2, 0.4)
            default: add(name == "exponentData" ? 0.5 : 1, 0.5)
            }
        }
        return prior
    }
}
