internal import Glibc

/// The logarithms of the losses over sampled items, which the kernels leave to code that may import.
enum SampledLosses {
    /// Σ -ln x.
    static func negativeLogs(_ x: Kernels.In, _ count: Int) -> Double {
        (0..<count).reduce(0) { $0 - log(Double(x[$1])) }
    }

    /// Σ_r ln sums[r] + shifts[r] - s⁺, the last read before `slopes` overwrites it and fills the other two in `scratch`.
    static func crossEntropy(
        _ targetScores: Kernels.In, _ rows: Int, _ scratch: Kernels.Out, slopes: (Kernels.Out, Kernels.Out) -> Void
    ) -> Double {
        let before = (0..<rows).reduce(0.0) { $0 + Double(targetScores[$1]) }
        slopes(scratch, scratch + rows)
        return (0..<rows).reduce(0.0) { $0 + log(Double(scratch[$1])) + Double(scratch[rows + $1]) } - before
    }
}
