internal import Domain
internal import Glibc
internal import PerformanceLaws

/// What else might be best: draws of the laws at configurations spread over what a budget allows.
///
/// The expected regret is that against the configurations among the observations, as a calibration means it; what lies beyond them is
/// hardly known, and would let the same answer look bad for want of knowledge. It is told separately.
struct Rivals {
    /// E[max among the observations - the recommended one], in metric units.
    private(set) var expectedRegret = 0.0
    /// E[max over all - the recommended one]; nil where nothing beyond the observations can be chosen.
    private(set) var regretBeyond: Double?
    /// Shapes among the observations that beat the recommended one in at least a twentieth of the draws, best first, at most `most`.
    private(set) var indistinguishable: [Int] = []

    static let draws = 400
    static let most = 12
    /// Shapes that are asked about: the best, those that are best with a standard deviation of the law on top, and the best trained.
    static let asked = (best: 40, uncertain: 12, trained: 16)

    init(_ question: Question, best: Int) {
        let (advisor, metric) = (question.advisor, question.metric)
        // Where the budget leaves nothing that was observed, all have to do.
        let hasInside = question.best(inside: true) != nil
        func isInside(_ shape: Int) -> Bool { !hasInside || shape == best || question.isInside(shape) }
        // Neighbours say the same: those that differ stand for all. Trained ones are always asked.
        var asked = [best] + question.distinct(from: [best], count: Self.asked.best, inside: hasInside)
        asked += question.distinct(from: asked, count: Self.asked.uncertain, deviations: 1, inside: hasInside)
        for shape in question.trained.prefix(Self.asked.trained) where !asked.contains(shape) { asked.append(shape) }
        if hasInside {
            let all = question.distinct(from: [best], count: Self.asked.best)
            asked += (all + question.distinct(from: all, count: Self.asked.uncertain, deviations: 1)).filter {
                !isInside($0)
            }
        }
        var rows = [[Double]](repeating: [], count: Self.draws)
        var order: [Int] = []
        for (number, branch) in advisor.branches.enumerated() {
            let own = asked.filter { advisor.search.place($0).part == number }
            guard !own.isEmpty, let law = branch.laws[metric] else { continue }
            let draws = law.draws(
                own.map { branch.place(question.configuration($0)) }, count: Self.draws, seed: UInt64(number + 1))
            guard draws.count == Self.draws else { continue }
            // Draws of a law come family by family: another branch's are taken in another order.
            for (row, draw) in draws.enumerated() { rows[(row * (2 * number + 1)) % Self.draws] += draw }
            order += own
        }
        guard let place = order.firstIndex(of: best) else { return }
        var wins = [Int](repeating: 0, count: order.count)
        let near = order.indices.filter { isInside(order[$0]) }
        var (sum, sumBeyond) = (0.0, 0.0)
        for row in rows where row.count == order.count {
            sum += near.reduce(0) { max($0, row[$1] - row[place]) }
            sumBeyond += max(0, (row.max() ?? 0) - row[place])
            for i in near where row[i] > row[place] { wins[i] += 1 }
        }
        expectedRegret = sum / Double(Self.draws)
        if near.count < order.count { regretBeyond = sumBeyond / Double(Self.draws) }
        let rivals = near.filter { wins[$0] * 20 >= Self.draws && $0 != place }.map { order[$0] }
        indistinguishable = Array(rivals.sorted { question.value($0) > question.value($1) }.prefix(Self.most))
    }
}
