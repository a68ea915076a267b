package import Domain
internal import Glibc
package import PerformanceLaws

/// The laws of one key, by metric, with what its configurations cost.
package struct Branch: Sendable {
    package let key: LawKey
    /// Backbone, heads, maximum length and loss of the calibration; its layers and dim mean nothing.
    package let base: Configuration
    package let laws: [String: LawPredictor]
    package let lawNumbers: [String: Int64]
    package var costs: CostModel
    /// Converged, on all users.
    let observations: [Observation]
    let hull: Hull
    let trained: [Shape: Int]

    struct Shape: Sendable, Hashable {
        var layers: Int
        var dim: Int
    }

    package init(
        key: LawKey, base: Configuration, laws: [String: LawFit], lawNumbers: [String: Int64], costs: CostModel,
        observations: [Observation]
    ) {
        self.key = key
        self.base = base
        self.laws = laws.mapValues { LawPredictor($0) }
        self.lawNumbers = lawNumbers
        self.costs = costs
        self.observations = observations.filter { $0.converged && $0.userFraction >= 1 }
        let shapes = self.observations.map { Shape(layers: $0.configuration.layers, dim: $0.configuration.dim) }
        trained = shapes.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        let points = laws.values.first?.points ?? []
        hull = Hull(points.map { ($0.layers, $0.dim) })
    }

    // MARK: - Search space

    /// Half the smallest up to twice the largest observed number of layers.
    func layers(_ law: LawFit) -> [Int] {
        Array(max(1, law.layersRange[0] / 2)...max(1, min(128, law.layersRange[1] * 2)))
    }

    /// Even steps that suit the size and the observed dimensions, multiples of what the heads need, from half the smallest to
    /// twice the largest observed dimension.
    func dims(_ law: LawFit) -> [Int] {
        let unit = base.dimStep
        let (low, high) = (max(unit, law.dimRange[0] / 2), max(unit, min(4_096, law.dimRange[1] * 2)))
        let step = high <= 64 ? 2 : high <= 256 ? 4 : 8
        var dims = Set(law.points.map(\.dim))
        for dim in stride(from: (low + step - 1) / step * step, through: high, by: step) { dims.insert(dim) }
        return dims.filter { $0 % unit == 0 && $0 >= low }.sorted()
    }

    func configuration(layers: Int, dim: Int) -> Configuration {
        var configuration = base
        (configuration.layers, configuration.dim) = (layers, dim)
        return configuration
    }

    /// Numbers of heads that the observations had, that of the base first.
    var heads: [Int] {
        let observed = Set(observations.map(\.configuration.heads)).subtracting([base.heads])
        return [base.heads] + observed.sorted()
    }

    // MARK: - Predictions

    func place(_ c: Configuration) -> LawPredictor.Place {
        LawPredictor.Place(layers: c.layers, dim: c.dim, effectiveTokens: costs.facts.effectiveTokens)
    }

    func candidate(_ c: Configuration) -> Candidate {
        var predicted: [String: Double] = [:]
        var interval: [String: Interval] = [:]
        for (metric, law) in laws {
            let prediction = law.predict(place(c))
            predicted[metric] = min(1, max(0, prediction.mean))
            interval[metric] = prediction.interval
        }
        return Candidate(
            configuration: c, predicted: predicted, interval: interval, cost: costs.cost(c),
            trained: trained[Shape(layers: c.layers, dim: c.dim)] ?? 0)
    }

    func grade(_ c: Configuration) -> ExtrapolationGrade {
        ExtrapolationGrade(distance: hull.distance(layers: c.layers, dim: c.dim))
    }
}
