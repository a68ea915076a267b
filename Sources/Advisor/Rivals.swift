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

    static let draws = RivalDraws.count
    static let most = 12

    init(_ question: Question, best: Int) {
        let (advisor, metric) = (question.advisor, question.metric)
        let drawn = advisor.draws(metric)
        let rivalry = advisor.memory.rivalries(.init(shape: best, metric: metric)) {
            drawn.rivalry(best, of: advisor)
        }
        guard let rivalry else { return }
        // Where the budget leaves nothing that was observed, all have to do.
        let hasInside = question.hasInside
        var (near, all) = (Lead(), Lead())
        var hasBeyond = false
        var rivals: [Int] = []
        let spot = advisor.search.place(best)
        let home = advisor.place(best)
        let centre = SIMD2(log(Double(home.layers)), log(Double(home.dim)))
        for number in advisor.search.parts.indices {
            for (place, stand) in drawn.stands[number].enumerated() where question.isOpen(stand.shape) {
                // Neighbours of the best say the same as it. Trained ones are always asked.
                let away = stand.place - centre
                let isNear = number == spot.part && abs(away.x) < Near.layers && abs(away.y) < Near.dim
                if stand.shape == best || (isNear && !stand.isTrained) { continue }
                let isBeyond = hasInside && !stand.isInside
                hasBeyond = hasBeyond || isBeyond
                let wins = rivalry.wins[number][place]
                guard wins > 0 else { continue }
                drawn.withDraws(number, place) { draws in
                    if isBeyond { all.offer(draws, over: rivalry.own) } else { near.offer(draws, over: rivalry.own) }
                }
                if !isBeyond, wins * 20 >= Self.draws { rivals.append(stand.shape) }
            }
        }
        expectedRegret = near.mean
        if hasBeyond {
            all.join(near)
            regretBeyond = all.mean
        }
        indistinguishable = Array(
            rivals.sorted { (question.value($0), -$0) > (question.value($1), -$1) }.prefix(Self.most))
    }

    /// How far the best of some shapes leads over the recommended one, draw by draw.
    private struct Lead {
        private var most = [Float](repeating: 0, count: Rivals.draws)

        /// Takes in a shape.
        mutating func offer(_ draws: UnsafeBufferPointer<Float>, over base: [Float]) {
            precondition(draws.count == most.count && base.count == most.count, "other numbers of draws")
            // Safe: all have as many numbers, and live as long as the closures.
            base.withUnsafeBufferPointer { base in
                most.withUnsafeMutableBufferPointer { most in
                    for i in 0..<most.count {
                        let lead = draws[i] - base[i]
                        most[i] = lead > most[i] ? lead : most[i]
                    }
                }
            }
        }

        mutating func join(_ other: Lead) {
            for i in most.indices { most[i] = max(most[i], other.most[i]) }
        }

        var mean: Double { most.reduce(0) { $0 + Double($1) } / Double(most.count) }
    }
}
