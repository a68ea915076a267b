package import Domain
internal import Glibc

/// The 95 % quantile of the standard normal distribution, for two-sided 90 % intervals.
package let normalQuantile95 = 1.645

/// The 95 % quantile of Student's t, for two-sided 90 % intervals.
package func studentQuantile95(_ degrees: Double) -> Double {
    let table = [
        6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746,
        1.740, 1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697,
    ]
    if degrees <= 1 { return table[0] }
    if degrees < Double(table.count) {
        let low = Int(towardZero: degrees)
        return table[low - 1] + (table[low] - table[low - 1]) * (degrees - Double(low))
    }
    // Cornish-Fisher: within 0.001 beyond 30 degrees.
    let z = 1.644_854
    return z + (z * z * z + z) / (4 * degrees)
}

/// Returns E[max(0, x)] for a normal x.
package func expectedExcess(mean: Double, variance: Double) -> Double {
    guard variance > 1e-30 else { return max(0, mean) }
    let deviation = variance.squareRoot()
    let z = mean / deviation
    return deviation * exp(-z * z / 2) / (2 * Double.pi).squareRoot() + mean * 0.5 * erfc(-z / 2.0.squareRoot())
}

extension SplitMix64 {
    /// Standard normal, by Box and Muller.
    package mutating func normal() -> Double { (-2 * log(1 - uniform())).squareRoot() * cos(2 * Double.pi * uniform()) }
}
