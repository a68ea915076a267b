internal import Costs
package import Domain
internal import PerformanceLaws

extension Advisor {
    /// The configurations that no other beats in both quality and a currency, cheapest first; only those inside the hull of the
    /// observations, since a front shows no warnings point by point.
    package func pareto(_ currency: Currency, metric: Metric = Metric(.ndcg, 10)) throws -> [Candidate] {
        let name = metric.description
        try check(name)
        let question = Question(self, Budget(), metric: name)
        var priced: [(shape: Int, cost: Double, value: Double)] = []
        for (part, branch) in zip(search.parts, branches) {
            guard let plane = part.planes[name] else { continue }
            let costs = branch.costs
            // Without limits the first number of heads that divides a dimension.
            let heads = part.dims.indices.map { column in
                part.blocks.first { $0.place(of: column) != nil }?.heads ?? branch.base.heads
            }
            for row in part.layers.indices {
                for column in part.inside[row] where part.roundness[column] > 0 {
                    var c = branch.configuration(layers: part.layers[row], dim: part.dims[column])
                    c.heads = heads[column]
                    let place = row * part.dims.count + column
                    let cost = costs.cost(c)[currency]
                    if cost < .infinity { priced.append((part.first + place, cost, Double(plane.means[place]))) }
                }
            }
        }
        var front: [Candidate] = []
        var top = -1.0
        for point in priced.sorted(by: { ($0.cost, -$0.value) < ($1.cost, -$1.value) }) where point.value > top {
            top = point.value
            let candidate = exact(point.shape, question)
            // Where the interpolation differs from the law by more than the step, the law decides.
            if candidate.predicted[name] ?? 0 > front.last?.predicted[name] ?? -1 { front.append(candidate) }
        }
        return front
    }

    /// What to know of the laws for a metric before a front of theirs is trusted, each once.
    package func paretoWarnings(metric: Metric) -> [Warning] {
        var found = notes
        for branch in branches {
            guard let law = branch.laws[metric.description]?.fit else { continue }
            for warning in standing(law, branch) + branchWarnings(branch) where !found.contains(warning) {
                found.append(warning)
            }
        }
        return found
    }
}
