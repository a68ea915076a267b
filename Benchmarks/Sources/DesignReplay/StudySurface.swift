internal import Domain
internal import Glibc
internal import Numerics
internal import PerformanceLaws

/// A made-up grid of trainings, as real ones look: an optimum in depth and width that moves along N d or, on every other surface, a
/// metric that saturates in both; a bump that is in no law's form; noise of training; and seconds that grow with the model.
package struct StudySurface: Sendable {
    package let trainings: [DesignReplay.Training]

    /// - Parameters:
    ///   - noise: standard deviation of a training over the metric's range of about 0.02.
    ///   - dearness: exponent of the seconds: 1 as trainings of equal epochs, 0.45 as where large models need fewer of them.
    package init(
        seed: UInt64, noise: Double = 0.0005, dearness: Double = 1, layers: [Int], dims: [Int], seeds: Int = 2
    ) {
        var random = SplitMix64(seed: seed &* 0x9e37_79b9 &+ 17)
        let optimumN = log(2.0) + 1.2 * random.uniform()
        let optimumD = log(40.0) + 1.2 * random.uniform()
        let curvatureN = 0.001 + 0.004 * random.uniform()
        let curvatureD = 0.003 + 0.006 * random.uniform()
        let interaction = 0.003 * (random.uniform() - 0.2)
        let skew = 0.6 * random.uniform()
        let (bumpN, bumpD) = (3 * random.uniform(), log(16.0) + 2 * random.uniform())
        let bump = 0.0015 * random.normal()
        func linex(_ u: Double) -> Double { 2 * (exp(-skew * u) + skew * u - 1) / (skew * skew) }
        var trainings: [DesignReplay.Training] = []
        for n in layers {
            for d in dims {
                let (x, y) = (log(Double(n)), log(Double(d)))
                let (u, v) = (x - optimumN, y - optimumD)
                let distance = pow(x - bumpN, 2) + pow(y - bumpD, 2)
                let axes =
                    seed % 2 == 0
                    ? curvatureN * linex(u) + curvatureD * linex(v) + interaction * u * v
                    : 2 * curvatureN * exp(-0.8 * x) + 8 * curvatureD * exp(-1.1 * (y - log(16.0)))
                let truth = 0.09 - axes + bump * exp(-distance)
                let (nd, dd) = (Double(n), Double(d))
                let seconds = pow((30 + 6 * dd) * pow(nd, 0.35), dearness)
                for s in 1...seeds {
                    trainings.append(
                        .init(
                            layers: n, dim: d, seed: UInt64(s), seconds: seconds * exp(0.25 * random.normal()),
                            measured: Measurement(
                                value: truth + noise * random.normal(), standardError: 0.0018),
                            parameters: 12_000 * dd + 12 * nd * dd * dd))
                }
            }
        }
        self.trainings = trainings
    }
}
