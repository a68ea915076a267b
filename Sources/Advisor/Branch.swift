package import Costs
package import Domain
internal import Glibc
package import PerformanceLaws

/// The laws of one key whose metrics were measured at the same places, with what its configurations cost.
package struct Branch: Sendable {
    package let key: LawKey
    /// Backbone, heads, maximum length and loss of the calibration; its layers and dim mean nothing.
    package let base: DeclaredConfiguration
    /// The laws that are searched, by metric. Their ranges are those of the trainings on all users, as the hull is.
    package private(set) var laws: [String: LawPredictor]
    package let lawNumbers: [String: Int64]
    package var costs: CostModel
    /// Every law of the key, by metric: what is said of a configuration, whichever metric was searched.
    private var allLaws: [String: LawPredictor]
    /// Converged, on all users; where there are none, on the largest share of them that was trained on.
    private(set) var observations: [Observation]
    /// What all users trained: nothing else says where an answer for all of them is known.
    private(set) var hull: Hull
    private(set) var trained: [Shape: Int]
    /// What its laws took from other datasets; the shapes that those had count as known.
    let prior: LawFit.PriorUse?
    /// What alone is considered; nil for all of the search space.
    package var candidates: Candidates?
    /// By trained dimension, where the key says that heads follow from it; else empty.
    private let headsByDim: [Int: Int]

    struct Shape: Sendable, Hashable {
        var layers: Int
        var dim: Int
    }

    package init(
        key: LawKey, base: DeclaredConfiguration, laws: [String: LawFit], lawNumbers: [String: Int64], costs: CostModel,
        observations: [Observation]
    ) {
        self.key = key
        self.base = base
        self.lawNumbers = lawNumbers
        self.costs = costs
        let complete = observations.filter(\.isComplete)
        let share = min(1, complete.map(\.userFraction).max() ?? 1)
        let whole = complete.filter { $0.userFraction >= share }
        self.observations = whole
        headsByDim =
            if case .atMost = key.policy.heads {
                whole.reduce(into: [:]) { known, o in
                    guard let heads = o.configuration.heads.value else { return }
                    known[o.configuration.dim] = max(known[o.configuration.dim] ?? 0, heads)
                }
            } else { [:] }
        let prior = laws.sorted { $0.key < $1.key }.lazy.compactMap(\.value.prior).first
        self.prior = prior
        let places = Dictionary(
            uniqueKeysWithValues: laws.map { name, fit in (name, Self.shapes(whole, name, fit)) })
        self.laws = Dictionary(
            uniqueKeysWithValues: laws.map { name, fit in
                var fit = fit
                let (layers, dims) = (
                    (places[name] ?? []).map(\.layers) + (fit.prior?.layersRange ?? []),
                    (places[name] ?? []).map(\.dim) + (fit.prior?.dimRange ?? [])
                )
                fit.layersRange = [layers.min() ?? 0, layers.max() ?? 0]
                fit.dimRange = [dims.min() ?? 0, dims.max() ?? 0]
                return (name, LawPredictor(fit))
            })
        allLaws = self.laws
        // Metrics that were measured at other places are split off by `byPlaces`.
        let shapes = laws.keys.sorted().first.flatMap { places[$0] } ?? []
        hull = Hull(shapes.map { ($0.layers, $0.dim) } + (prior?.corners ?? []))
        trained = share >= 1 ? shapes.reduce(into: [:]) { $0[$1, default: 0] += 1 } : [:]
    }

    /// Where a metric was measured, once a training.
    private static func shapes(_ observations: [Observation], _ metric: String, _ fit: LawFit) -> [Shape] {
        let own = observations.filter { $0.metrics[metric] != nil }.map {
            Shape(layers: $0.configuration.layers, dim: $0.configuration.dim)
        }
        return own.isEmpty ? fit.points.map { Shape(layers: $0.layers, dim: $0.dim) } : own
    }

    /// This branch once for each set of metrics that were measured at the same places, so that hull, axes and rivals of an answer come
    /// from the metric that is asked for.
    var byPlaces: [Branch] {
        var found: [(shapes: [Shape: Int], names: [String])] = []
        for name in laws.keys.sorted() {
            guard let fit = laws[name]?.fit else { continue }
            let shapes = Self.shapes(observations, name, fit).reduce(into: [Shape: Int]()) { $0[$1, default: 0] += 1 }
            if let place = found.firstIndex(where: { $0.shapes == shapes }) {
                found[place].names.append(name)
            } else {
                found.append((shapes, [name]))
            }
        }
        return found.map { shapes, names in
            var part = self
            part.laws = laws.filter { names.contains($0.key) }
            part.hull = Hull(shapes.keys.map { ($0.layers, $0.dim) } + (prior?.corners ?? []))
            part.observations = observations.filter { o in names.contains { o.metrics[$0] != nil } }
            part.trained = part.hasAllUsers ? shapes : [:]
            return part
        }
    }

    /// What each trained shape measured of a metric with the data that answers are about: the mean of its trainings.
    func measured(_ metric: String) -> [Shape: Double] {
        let data = costs.facts.effectiveTokens
        let values = observations.reduce(into: [Shape: [Double]]()) { found, o in
            // Counts are rounded to whole positions.
            guard abs(log(o.effectiveTokens / data)) < 1e-3, let value = o.metrics[metric]?.value else { return }
            found[Shape(layers: o.configuration.layers, dim: o.configuration.dim), default: []].append(value)
        }
        return values.mapValues { $0.reduce(0, +) / Double($0.count) }
    }

    /// Whether anything was trained on all users.
    var hasAllUsers: Bool { observations.contains { $0.userFraction >= 1 } }

    /// Smallest and largest number of layers and dimension that all users trained.
    private var ranges: (layers: [Int], dims: [Int]) {
        guard let fit = laws.min(by: { $0.key < $1.key })?.value.fit else { return ([1, 1], [1, 1]) }
        return (fit.layersRange, fit.dimRange)
    }

    // MARK: - Search space

    /// Half the smallest up to twice the largest observed number of layers.
    var layers: [Int] {
        let all = searchedLayers
        return candidates?.layers.map { asked in all.filter(asked.contains) } ?? all
    }

    private var searchedLayers: [Int] {
        let range = ranges.layers
        let (low, high) = (max(1, range[0] / 2), max(1, min(128, range[1] * 2), range[1]))
        guard high > 256 else { return Array(low...high) }
        let steps = stride(from: low, through: high, by: Self.step(high))
        return Set(steps).union(observations.map(\.configuration.layers)).sorted()
    }

    /// Even steps that suit the size and the observed dimensions, multiples of what the heads need, from half the smallest to
    /// twice the largest observed dimension.
    var dims: [Int] {
        let unit =
            isForeign
            ? foreignStep
            : headsByDim.isEmpty ? base.priced.dimStep : heads.map(dimStep(heads:)).min() ?? base.priced.dimStep
        let range = ranges.dims
        let (low, high) = (max(unit, range[0] / 2), max(unit, min(4_096, range[1] * 2), range[1]))
        let step = high <= 64 ? 2 : high <= 256 ? 4 : high <= 4_096 ? 8 : Self.step(high)
        if let asked = candidates?.dims { return asked.filter { (low...high).contains($0) }.sorted() }
        var dims = Set(observations.map(\.configuration.dim))
        for dim in stride(from: (low + step - 1) / step * step, through: high, by: step) { dims.insert(dim) }
        return dims.filter { $0 % unit == 0 && $0 >= low }.sorted()
    }

    /// Steps of an axis that no trainer here reaches: at most 512 of them.
    private static func step(_ high: Int) -> Int { 1 << (Int.bitWidth - 1 - (high / 256).leadingZeroBitCount) }

    /// Whether its model is none that the core trains: what has to divide what is the business of its trainer.
    var isForeign: Bool { costs.isForeign }

    /// Why a configuration of it makes no sense, naming the field; nil where it does.
    func problem(_ c: DeclaredConfiguration) -> String? {
        guard isForeign else { return c.priced.problem }
        if c.layers < 1 { return "layers: found \(c.layers), expected 1 or more" }
        return c.dim < 1 ? "dim: found \(c.dim), expected 1 or more" : nil
    }

    func configuration(layers: Int, dim: Int) -> DeclaredConfiguration {
        var configuration = base
        (configuration.layers, configuration.dim) = (layers, dim)
        configuration.heads = ruledHeads(dim) ?? base.heads
        return configuration
    }

    /// Of a model whose runner is here the heads must divide the dimension, since it is to train it; what others train is not known.
    private var foreignStep: Int { costs.described == nil ? 1 : max(1, base.heads.value ?? 1) }

    /// What a dimension must be a multiple of with a number of heads.
    func dimStep(heads: Declared<Int>) -> Int {
        if isForeign { return foreignStep }
        var base = base
        base.heads = heads
        return base.priced.dimStep
    }

    /// The heads of a dimension, where the key says that they follow from it: those of the nearest dimension that was trained; where
    /// these do not divide it, as many of those that were trained as do. Nil where the key has no such rule or none divides it.
    func ruledHeads(_ dim: Int) -> Declared<Int>? {
        let nearest = headsByDim.min {
            let (a, b) = (abs(log(Double($0.key) / Double(dim))), abs(log(Double($1.key) / Double(dim))))
            return (a, $0.key) < (b, $1.key)
        }
        guard let nearest else { return nil }
        if dim % dimStep(heads: .said(nearest.value)) == 0 { return .said(nearest.value) }
        return heads.filter { dim % dimStep(heads: $0) == 0 }.compactMap(\.value).max().map(Declared.said)
    }

    /// Numbers of heads that the observations had, that of the base first.
    var heads: [Declared<Int>] {
        // Whatever they are, they change no cost and no prediction of a foreign model: one number stands for all.
        if isForeign { return [base.heads] }
        let observed = Set(observations.map(\.configuration.heads)).subtracting([base.heads])
        return [base.heads] + observed.compactMap(\.value).sorted().map(Declared.said)
    }

    // MARK: - Predictions

    func place(_ c: DeclaredConfiguration) -> LawPredictor.Place {
        LawPredictor.Place(layers: c.layers, dim: c.dim, effectiveTokens: costs.facts.effectiveTokens)
    }

    func candidate(_ c: DeclaredConfiguration) -> Candidate {
        var predicted: [String: Double] = [:]
        var interval: [String: Interval] = [:]
        for (metric, law) in allLaws {
            let prediction = law.predict(place(c))
            predicted[metric] = min(1, max(0, prediction.mean))
            interval[metric] = prediction.interval
        }
        return Candidate(
            configuration: c, predicted: predicted, interval: interval, cost: costs.cost(c),
            trained: trained[Shape(layers: c.layers, dim: c.dim)] ?? 0)
    }

    func grade(_ c: DeclaredConfiguration) -> ExtrapolationGrade {
        ExtrapolationGrade(distance: hull.distance(layers: c.layers, dim: c.dim))
    }
}
