import Costs
import Domain
import Foundation
import PerformanceLaws

@testable import Advisor

/// The search written out over a list: every candidate, one after the other, priced and predicted by the cost model and the laws
/// themselves, without a table, a lattice or a row.
struct Exhaustive {
    struct Entry {
        var branch: Int
        var configuration: DeclaredConfiguration
        var value: Double
        var deviation: Double
        var cost: Cost
        var isRound: Bool
        var isObserved: Bool
        var isInside: Bool
        var trained: Int
        var measured: Double
    }

    let advisor: Advisor
    let metric: String
    /// In order of branch, heads, layers, dim.
    var entries: [Entry] = []

    init(_ advisor: Advisor, metric: String = "ndcg@10") {
        self.advisor = advisor
        self.metric = metric
        for (number, branch) in advisor.branches.enumerated() {
            guard let law = branch.laws[metric] else { continue }
            let round = branch.dims
            guard let low = round.first, let high = round.last else { continue }
            for heads in Set(branch.heads.compactMap(\.value) + [1, 2, 4, 8]).sorted() {
                for layers in branch.layers {
                    for dim in low...high {
                        var c = branch.configuration(layers: layers, dim: dim)
                        c.heads = .said(heads)
                        guard c.priced.problem == nil else { continue }
                        let found = law.predict(branch.place(c))
                        entries.append(
                            Entry(
                                branch: number, configuration: c, value: min(1, max(0, found.mean)),
                                deviation: found.lawDeviation, cost: branch.costs.cost(c),
                                isRound: round.contains(dim), isObserved: branch.heads.contains(.said(heads)),
                                isInside: branch.hull.distance(layers: layers, dim: dim) == 0,
                                trained: branch.observations.count {
                                    $0.configuration.layers == layers && $0.configuration.dim == dim
                                }, measured: branch.measured(metric)[.init(layers: layers, dim: dim)] ?? 0))
                    }
                }
            }
        }
    }

    func feasible(_ budget: Budget) -> [Entry] {
        entries.filter { budget.allows($0.cost) }
    }

    /// What can be chosen: with the observed numbers of heads, where they keep the budget anywhere.
    func open(_ budget: Budget) -> [Entry] {
        let feasible = feasible(budget)
        let observed = feasible.filter(\.isObserved)
        return observed.isEmpty ? feasible : observed
    }

    func resolution(_ entry: Entry) -> Double {
        advisor.branches[entry.branch].laws[metric]?.fit.noise.training ?? 0
    }

    /// The best value that may be named: a round one, unless another is expected to have a twentieth of a training's deviation more.
    func best(_ open: [Entry]) -> Entry? {
        guard let all = open.max(by: { $0.value < $1.value }) else { return nil }
        guard let round = open.filter(\.isRound).max(by: { $0.value < $1.value }) else { return all }
        return all.value - round.value > 0.05 * resolution(all) ? all : round
    }

    /// Greedily: the best left, then nothing near it.
    func distinct(_ open: [Entry], from chosen: [DeclaredConfiguration], count: Int) -> [DeclaredConfiguration] {
        var chosen = chosen
        var found: [DeclaredConfiguration] = []
        for entry in open.filter(\.isRound).sorted(by: { $0.value > $1.value }) where found.count < count {
            let c = entry.configuration
            let near = chosen.contains {
                $0.backbone == c.backbone && abs(log(Double($0.layers) / Double(c.layers))) < 0.1
                    && abs(log(Double($0.dim) / Double(c.dim))) < 0.2
            }
            if near { continue }
            chosen.append(c)
            found.append(c)
        }
        return found
    }
}
