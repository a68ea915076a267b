internal import Glibc

/// One axis of the performance law, in ln x: ψ(t) = (e^(q u) - q u - 1) / q², u = t - t*.
///
/// g(x; a) = -1/(p x^a) - a ln x equals -q² ψ(ln x) + q t* - 1 with q = -a and t* = ln p / q, whatever the sign of a: it has
/// its maximum at x* = p^(-1/a). As q goes to 0, ψ becomes the parabola u²/2.
struct Linex {
    var optimum: Double
    var skew: Double

    func value(_ t: Double) -> Double {
        let u = t - optimum
        let z = skew * u
        if abs(z) < 1e-3 { return u * u * (0.5 + z / 6 + z * z / 24) }
        return (expm1(z) - z) / (skew * skew)
    }

    /// dψ/dt
    func slope(_ t: Double) -> Double {
        let u = t - optimum
        let z = skew * u
        if abs(z) < 1e-3 { return u * (1 + z / 2 + z * z / 6) }
        return expm1(z) / skew
    }

    /// dψ/dq
    func skewSlope(_ t: Double) -> Double {
        let u = t - optimum
        let z = skew * u
        if abs(z) < 1e-2 { return u * u * u * (1.0 / 6 + z / 12 + z * z / 40) }
        return (u * expm1(z)) / (skew * skew) - 2 * value(t) / skew
    }
}
