internal import Domain
internal import Glibc
internal import Numerics

/// Draws of a law at many places together, kept: what is asked of them again and again costs no law. A further place is drawn given
/// all others when it is asked about.
package struct LawDraws: Sendable {
    package let count: Int
    private let step: Int
    /// A row of `count` draws for each place.
    private let values: [Float]
    private let families: [Family]

    /// The draws that one family makes, as many as its weight gives it.
    private struct Family: Sendable {
        let model: FamilyModel
        let spots: [ProcessModel.Place]
        /// The rows of the covariances' factor, one behind the other up to the diagonal; empty where it has none.
        let lower: [Double]
        /// The normal numbers behind the draws, a row for each place.
        let white: [Float]
        let draws: Range<Int>
    }

    /// - Parameters:
    ///   - law: what is drawn from.
    ///   - places: up to a few hundred; the cost grows with their cube.
    ///   - count: how many draws.
    ///   - seed: of the draws.
    ///   - step: from a draw to the next in the order in which they stand here, without a common divisor with `count`.
    ///     Draws come family by family: those of two laws meet in another order where their steps differ.
    package init(_ law: LawPredictor, _ places: [LawPredictor.Place], count: Int, seed: UInt64, step: Int) {
        let n = places.count
        (self.count, self.step) = (count, step)
        var values = [Float](repeating: 0, count: n * count)
        var families: [Family] = []
        var random = SplitMix64(seed: seed)
        var done = 0.0
        var first = 0
        for (weight, model) in law.models {
            done += weight
            let draws = first..<max(first, Int(nearest: done * Double(count)))
            guard !draws.isEmpty else { continue }
            first = draws.upperBound
            let spots = model.process.places(places.map { Design.place($0.layers, $0.dim, $0.effectiveTokens) })
            let lower = Self.factor(spots, model)
            let white = (0..<n * draws.count).map { _ in Float(random.normal()) }
            for i in 0..<n {
                let mean = Float(spots[i].mean)
                for draw in draws { values[i * count + draw] = mean }
                if lower.isEmpty {
                    let deviation = Float(spots[i].variance.squareRoot())
                    Self.add(deviation, white, i, to: &values, at: i * count, draws)
                } else {
                    let row = i * (i + 1) / 2
                    for k in 0...i { Self.add(Float(lower[row + k]), white, k, to: &values, at: i * count, draws) }
                }
            }
            families.append(Family(model: model, spots: spots, lower: lower, white: white, draws: draws))
        }
        self.families = families
        self.values =
            step == 1 ? values : (0..<n).flatMap { Self.turned(values[$0 * count..<($0 + 1) * count], step) }
    }

    private static func turned(_ draws: ArraySlice<Float>, _ step: Int) -> [Float] {
        var found = [Float](repeating: 0, count: draws.count)
        for (number, draw) in draws.enumerated() { found[number * step % draws.count] = draw }
        return found
    }

    /// Rows of the factor of the covariances, without what stands above the diagonal.
    private static func factor(_ spots: [ProcessModel.Place], _ model: FamilyModel) -> [Double] {
        let n = spots.count
        guard let factor = model.process.drawFactor(spots) else { return [] }
        return (0..<n).flatMap { factor.lower[$0 * n...$0 * n + $0] }
    }

    /// Adds a multiple of the normal numbers of a place to some draws.
    private static func add(
        _ factor: Float, _ white: [Float], _ place: Int, to values: inout [Float], at start: Int, _ draws: Range<Int>
    ) {
        let from = place * draws.count
        // Safe: both buffers live as long as the closures, and the ranges lie within them.
        values.withUnsafeMutableBufferPointer { values in
            white.withUnsafeBufferPointer { white in
                for i in 0..<draws.count { values[start + draws.lowerBound + i] += factor * white[from + i] }
            }
        }
    }

    /// The draws at one of the places.
    package func withDraws<T>(_ place: Int, _ body: (UnsafeBufferPointer<Float>) -> T) -> T {
        // Safe: the slice is checked against the draws of all places, and lives as long as the closure.
        values.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[place * count..<(place + 1) * count])) }
    }

    /// Draws at a further place, given those at all others.
    package func more(_ place: LawPredictor.Place, seed: UInt64) -> [Float] {
        var random = SplitMix64(seed: seed)
        var found = [Float](repeating: 0, count: count)
        for family in families {
            let process = family.model.process
            let spot = process.place(Design.place(place.layers, place.dim, place.effectiveTokens))
            var variance = spot.variance + ProcessModel.leastVariance(family.spots)
            for draw in family.draws { found[draw] = Float(spot.mean) }
            if !family.lower.isEmpty {
                var link = family.spots.map { process.covariance(spot, $0) }
                var row = 0
                for i in link.indices {
                    for k in 0..<i { link[i] -= family.lower[row + k] * link[k] }
                    link[i] /= family.lower[row + i]
                    row += i + 1
                    variance -= link[i] * link[i]
                    Self.add(Float(link[i]), family.white, i, to: &found, at: 0, family.draws)
                }
            }
            let deviation = max(0, variance).squareRoot()
            for draw in family.draws { found[draw] += Float(deviation * random.normal()) }
        }
        return step == 1 ? found : Self.turned(found[...], step)
    }

    /// Bytes of the arrays.
    package var bytes: Int {
        families.reduce(values.count * 4) { sum, family in
            let spots = family.spots.reduce(0) { $0 + ($1.gradient.count + $1.white.count) * 8 + 128 }
            return sum + family.lower.count * 8 + family.white.count * 4 + spots
        }
    }
}

extension ProcessModel {
    /// Factors the covariances of some places; nil where they are not (numerically) positive definite.
    func drawFactor(_ spots: [Place]) -> Cholesky? {
        let n = spots.count
        var matrix = [Double](repeating: 0, count: n * n)
        let least = Self.leastVariance(spots)
        for i in 0..<n {
            for j in 0...i { matrix[i * n + j] = covariance(spots[i], spots[j]) }
            matrix[i * n + i] += least
        }
        return Cholesky(matrix, n: n)
    }

    /// Close places are all but equal: a millionth of their variance keeps the factor definite.
    fileprivate static func leastVariance(_ spots: [Place]) -> Double {
        1e-6 * (spots.map(\.variance).max() ?? 0) + 1e-18
    }
}
