import Domain
import Foundation
import Numerics
import Testing

@Suite struct DistributionTests {
    /// The probability that Student's t is below `t`: Simpson's rule over the density, from the centre.
    private func student(_ t: Double, _ degrees: Double) -> Double {
        let height =
            exp(lgamma((degrees + 1) / 2) - lgamma(degrees / 2)) / (degrees * Double.pi).squareRoot()
        func density(_ x: Double) -> Double { height * pow(1 + x * x / degrees, -(degrees + 1) / 2) }
        let steps = 2_000
        let h = t / Double(steps)
        let sum = (0...steps).reduce(0.0) { sum, i in
            sum + (i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2) * density(Double(i) * h)
        }
        return 0.5 + sum * h / 3
    }

    @Test("19 of 20 values of Student's t are below the quantile", arguments: [1, 2, 3, 10, 29, 30, 31, 60, 1_000])
    func students(degrees: Double) {
        // The table has three decimals; between 30 and 60 degrees the approximation is off by 0.001 at most.
        #expect(abs(student(studentQuantile95(degrees), degrees) - 0.95) < 2e-4)
    }

    @Test("quantiles between whole degrees lie between those of the whole ones, and tend to the normal one")
    func between() {
        for degrees in 1..<40 {
            let (low, middle, high) = (
                studentQuantile95(Double(degrees)), studentQuantile95(Double(degrees) + 0.5),
                studentQuantile95(Double(degrees + 1))
            )
            #expect(low > middle && middle > high)
        }
        #expect(studentQuantile95(0) == studentQuantile95(1))
        #expect(abs(studentQuantile95(1e9) - normalQuantile95) < 1e-3)
    }

    @Test("the expected excess is the integral over the positive part", arguments: [-2.0, -0.3, 0, 0.4, 3])
    func excess(mean: Double) {
        for deviation in [0.2, 1, 2.5] {
            let h = deviation / 1_000
            let expected = (-8_000...8_000).reduce(0.0) { sum, i in
                let x = Double(i) * h
                return sum + max(0, mean + x) * exp(-x * x / (2 * deviation * deviation))
            }
            let found = expectedExcess(mean: mean, variance: deviation * deviation)
            #expect(abs(found - expected * h / (deviation * (2 * Double.pi).squareRoot())) < 1e-6)
        }
        #expect(expectedExcess(mean: mean, variance: 0) == max(0, mean))
    }

    @Test("normal numbers have the moments of the standard normal distribution")
    func moments() {
        var random = SplitMix64(seed: 1)
        let numbers = (0..<100_000).map { _ in random.normal() }
        // Five standard errors of the first four moments: variances 1, 2, 15 and 96 of 100,000 numbers.
        for (power, expected, variance) in [(1.0, 0.0, 1.0), (2, 1, 2), (3, 0, 15), (4, 3, 96)] {
            let mean = numbers.reduce(0) { $0 + pow($1, power) } / Double(numbers.count)
            #expect(abs(mean - expected) < 5 * (variance / Double(numbers.count)).squareRoot())
        }
    }
}
