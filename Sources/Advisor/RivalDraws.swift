internal import Domain
internal import Glibc
internal import PerformanceLaws

/// Joint draws of the laws over shapes that stand for all others, made once for all budgets: a question looks at those that it leaves. So
/// the regrets of two budgets rest on the same draws.
struct RivalDraws: Sendable {
    /// A shape that stands for those around it.
    struct Stand: Sendable {
        let shape: Int
        let isInside: Bool
        let isTrained: Bool
        /// ln N and ln d.
        let place: SIMD2<Double>
    }

    static let count = 400
    /// Most shapes of a branch that are drawn: among the observations, beyond them, and trained ones.
    static let most = (inside: 96, beyond: 40, trained: 24)

    /// The shapes of each branch; none where it has no law for the metric.
    let stands: [[Stand]]
    private let draws: [LawDraws?]

    init(_ advisor: Advisor, metric: String) {
        var stands: [[Stand]] = []
        var draws: [LawDraws?] = []
        for (number, branch) in advisor.branches.enumerated() {
            let part = advisor.search.parts[number]
            guard let law = branch.laws[metric], let plane = part.planes[metric] else {
                stands.append([])
                draws.append(nil)
                continue
            }
            let best = part.trained.sorted {
                (plane.means[$0 - part.first], -$0) > (plane.means[$1 - part.first], -$1)
            }
            var shapes = Array(best.prefix(Self.most.trained))
            for shape in part.lattice(inside: true, most: Self.most.inside)
                + part.lattice(inside: false, most: Self.most.beyond) where !shapes.contains(shape)
            {
                shapes.append(shape)
            }
            stands.append(
                shapes.map { shape in
                    let (row, column) = (shape - part.first).quotientAndRemainder(dividingBy: part.dims.count)
                    return Stand(
                        shape: shape, isInside: part.inside[row].contains(column),
                        isTrained: part.trained.contains(shape),
                        place: SIMD2(log(Double(part.layers[row])), log(Double(part.dims[column]))))
                })
            draws.append(
                LawDraws(
                    law, shapes.map { advisor.place($0) }, count: Self.count, seed: UInt64(number + 1),
                    step: Self.steps[number % Self.steps.count]))
        }
        self.stands = stands
        self.draws = draws
    }

    /// The draws at one of the shapes of a branch.
    func withDraws<T>(_ branch: Int, _ place: Int, _ body: (UnsafeBufferPointer<Float>) -> T) -> T? {
        draws[branch]?.withDraws(place, body)
    }

    /// A shape's draws, and in how many each stand is above them, branch by branch.
    struct Rivalry: Sendable {
        let own: [Float]
        let wins: [[Int]]
    }

    func rivalry(_ shape: Int, of advisor: Advisor) -> Rivalry? {
        guard let own = draws(at: shape, of: advisor) else { return nil }
        return Rivalry(
            own: own,
            wins: stands.enumerated().map { branch, stands in
                stands.indices.map { place in
                    withDraws(branch, place) { zip($0, own).reduce(0) { $0 + ($1.0 > $1.1 ? 1 : 0) } } ?? 0
                }
            })
    }

    /// Draws at any shape, given all others: the same whenever it is asked about.
    func draws(at shape: Int, of advisor: Advisor) -> [Float]? {
        let branch = advisor.search.place(shape).part
        if let place = stands[branch].firstIndex(where: { $0.shape == shape }) {
            return withDraws(branch, place) { Array($0) }
        }
        return draws[branch]?.more(advisor.place(shape), seed: UInt64(shape) << 8 | UInt64(branch & 0xff))
    }

    /// Of the branches in turn: none shares a divisor with the number of draws.
    private static let steps = [1, 3, 7, 9, 11, 13, 17, 19]

    var bytes: Int { draws.reduce(0) { $0 + ($1?.bytes ?? 0) } }
}

extension SearchTable.Part {
    /// Round shapes that lie a tenth apart in layers and a fifth in dim (in the logarithm), or farther where that would be too many.
    func lattice(inside isInside: Bool, most: Int) -> [Int] {
        let round = dims.indices.filter { roundness[$0] > 0 }
        /// From the first on those that lie a step after the one before, and the last.
        func spaced(_ values: [Int], by step: Double, _ value: (Int) -> Int) -> [Int] {
            var kept: [Int] = []
            for next in values {
                guard let last = kept.last else {
                    kept.append(next)
                    continue
                }
                if log(Double(value(next)) / Double(value(last))) >= step - 1e-9 { kept.append(next) }
            }
            if let last = values.last, kept.last != last { kept.append(last) }
            return kept
        }
        var scale = 1.0
        while true {
            var found: [Int] = []
            for row in spaced(Array(layers.indices), by: Near.layers * scale, { layers[$0] }) {
                let own = round.filter { inside[row].contains($0) == isInside }
                found += spaced(own, by: Near.dim * scale) { dims[$0] }.map { first + row * dims.count + $0 }
            }
            if found.count <= most { return found }
            scale *= 1.15
        }
    }
}
