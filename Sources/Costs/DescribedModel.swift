internal import Domain
internal import Glibc
package import Trials

/// What a model that the core does not train costs, by what its runner says of some shapes before it trains them.
///
/// Each quantity is a sum of non-negative parts, c0 + c1 N + c2 d + c3 N d + c4 N d² + c5 d², which parameters and FLOPs of usual models
/// are exactly; what a shape has beyond them is passed on to its neighbours, as in `SpeedModel`.
package struct DescribedModel: Sendable, Hashable {
    /// One shape, as it is stored.
    package struct Shape: Codable, Sendable, Hashable {
        package var layers: Int
        package var dim: Int
        package var description: RunnerDescription

        package init(layers: Int, dim: Int, description: RunnerDescription) {
            (self.layers, self.dim, self.description) = (layers, dim, description)
        }
    }

    private let parameters: SpeedModel.Quantity
    private let flopsPerToken: SpeedModel.Quantity
    private let memory: SpeedModel.Quantity
    /// Nil where the runner does not say it.
    private let latency: SpeedModel.Quantity?
    /// What short trainings were measured to take of memory, over what was said.
    private let memoryFactor: Double

    /// The shapes to ask a runner about: enough to tell all parts apart.
    ///
    /// - Parameters:
    ///   - layers: levels that alone are trained: a model may have no others.
    ///   - dims: the same of the dimension.
    ///   - dimStep: what every dimension is a multiple of.
    package static func shapes(
        layers: [Int]? = nil, dims: [Int]? = nil, dimStep: Int
    ) -> [(layers: Int, dim: Int)] {
        func three(_ levels: [Int]) -> [Int] {
            guard let first = levels.first, let last = levels.last else { return [] }
            return Set([first, levels[levels.count / 2], last]).sorted()
        }
        let dims = three(dims ?? [16, 64, 128]).map { ($0 + dimStep - 1) / dimStep * dimStep }
        return three(layers ?? [1, 2, 4]).flatMap { layers in dims.map { (layers, $0) } }
    }

    /// Nil where nothing was said.
    package init?(_ shapes: [Shape], probes: [ThroughputProbe]) {
        guard !shapes.isEmpty else { return nil }
        let nodes = LatticeNodes(through: shapes.map { ($0.layers, $0.dim) })
        func quantity(_ value: (RunnerDescription) -> Double) -> SpeedModel.Quantity {
            SpeedModel.Quantity(
                shapes.map { ($0.layers, $0.dim, max(1e-12, value($0.description))) }, parts: 6, nodes: nodes)
        }
        parameters = quantity { Double($0.parameters) }
        flopsPerToken = quantity(\.flopsPerToken)
        let said = quantity(\.memoryBytes)
        memory = said
        let isTimed = shapes.allSatisfy { $0.description.latencySeconds != nil }
        latency = isTimed ? quantity { $0.latencySeconds ?? 0 } : nil
        let ratios = probes.map { log($0.memoryBytes / said.value($0.layers, $0.dim)) }
        memoryFactor = ratios.isEmpty ? 1 : exp(ratios.reduce(0, +) / Double(ratios.count))
    }

    /// Whether the runner says how long a request waits.
    package var saysLatency: Bool { latency != nil }

    func cost(layers: Int, dim: Int, _ costs: CostModel) -> Cost {
        let (facts, epochs) = (costs.facts, costs.epochs.expected(layers: layers, dim: dim).epochs)
        let ranking = Double(facts.evaluatedUsers) * costs.speed.userSeconds.value(layers, dim)
        let epoch = Double(facts.tokens) * costs.speed.tokenSeconds.value(layers, dim) + ranking
        var cost = Cost.unknown
        cost.parameters = parameters.value(layers, dim).rounded()
        cost.trainingFlopsPerToken = flopsPerToken.value(layers, dim)
        cost.trainingFlops = cost.trainingFlopsPerToken * Double(facts.tokens) * epochs
        cost.memoryBytes = memory.value(layers, dim) * memoryFactor
        cost.trainingSeconds = epoch * epochs + 2 * ranking
        if let latency { cost.latencySeconds = latency.value(layers, dim) }
        return cost
    }
}
