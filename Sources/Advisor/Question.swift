internal import Domain
internal import Glibc
internal import PerformanceLaws

/// What a budget leaves of a search table for one metric: one pass over all candidates, and choices among what is left.
///
/// Exact at the limits: a cost within rounding of one is computed again by the cost model. Equal predictions go to the lower number, which is
/// the fewer layers, then the narrower.
struct Question {
    let advisor: Advisor
    let metric: String
    /// Of each shape 1 + the block of the first number of heads that keeps all limits; 0 where none does or there is no law.
    private var kept: [UInt8]
    /// Candidates that keep all limits, and all there are.
    private(set) var feasible = 0
    private(set) var total = 0
    /// Whether observed numbers of heads keep the limits anywhere; else the others are chosen from.
    private(set) var usesObservedHeads = true
    /// The best shape that exceeds a limit and keeps all others, by the limit's place in `Advisor.limits`.
    private(set) var beyond: [Int: Int] = [:]

    init(_ advisor: Advisor, _ budget: Budget, metric: String) {
        self.advisor = advisor
        self.metric = metric
        kept = [UInt8](repeating: 0, count: advisor.search.shapes)
        let limits = Advisor.currencies.indices.compactMap { bit -> (bit: Int, limit: Double)? in
            Advisor.currencies[bit].limit(budget).map { (bit, $0) }
        }
        var isObserved = false
        for part in advisor.search.parts {
            guard let plane = part.planes[metric] else { continue }
            for (place, block) in part.blocks.enumerated() {
                total += block.costs.count
                let own = place < part.observedHeads
                let before = feasible
                pass(part, place, block, limits, plane, own)
                if own, feasible > before { isObserved = true }
            }
        }
        usesObservedHeads = isObserved
    }

    /// One number of heads of one branch.
    private mutating func pass(
        _ part: SearchTable.Part, _ place: Int, _ block: SearchTable.Block, _ limits: [(bit: Int, limit: Double)],
        _ plane: PredictedPlane, _ isObserved: Bool
    ) {
        let width = block.columns.count
        guard width > 0 else { return }
        let costs = block.costs
        let arrays = limits.map { Advisor.currencies[$0.bit].column(costs) }
        var over = [UInt8](repeating: 0, count: width)
        var tops = Advisor.currencies.indices.map { bit in beyond[bit].map { Float(value($0)) } ?? -.infinity }
        var shapes = [Int](repeating: -1, count: tops.count)
        let mayExceed = block.columns.map { isObserved && part.roundness[$0] > 0 }
        var found = 0
        for row in part.layers.indices {
            let from = row * width
            var isClose: UInt8 = 0
            over.withUnsafeMutableBufferPointer { over in
                over.update(repeating: 0)
                for (array, limit) in zip(arrays, limits) {
                    let (low, high) = (limit.limit * (1 - 1e-9), limit.limit * (1 + 1e-9))
                    let bit = UInt8(1) << UInt8(limit.bit)
                    array.withUnsafeBufferPointer { costs in
                        for i in 0..<width {
                            let cost = costs[from + i]
                            over[i] |= cost > high ? bit : 0
                            isClose |= (cost > low ? bit : 0) & (cost > high ? 0 : bit)
                        }
                    }
                }
            }
            if isClose != 0 {
                for i in 0..<width { over[i] = exact(over[i], costs, from + i, limits) }
            }
            let first = row * part.dims.count
            // Safe: the buffers live as long as the closures, and every index lies below the count of its array.
            kept.withUnsafeMutableBufferPointer { kept in
                plane.means.withUnsafeBufferPointer { means in
                    block.columns.withUnsafeBufferPointer { columns in
                        for i in 0..<width {
                            let (mask, shape) = (over[i], first + columns[i])
                            if mask == 0 {
                                found += 1
                                if kept[part.first + shape] == 0 { kept[part.first + shape] = UInt8(place + 1) }
                            } else if mask & (mask - 1) == 0, mayExceed[i] {
                                let bit = mask.trailingZeroBitCount
                                if means[shape] > tops[bit] {
                                    (tops[bit], shapes[bit]) = (means[shape], part.first + shape)
                                }
                            }
                        }
                    }
                }
            }
        }
        feasible += found
        for bit in shapes.indices where shapes[bit] >= 0 { beyond[bit] = shapes[bit] }
    }

    /// The limits that a candidate exceeds, where one of its costs is within rounding of one.
    private func exact(
        _ over: UInt8, _ costs: CostTable, _ index: Int, _ limits: [(bit: Int, limit: Double)]
    ) -> UInt8 {
        let isClose = limits.contains {
            abs(Advisor.currencies[$0.bit].column(costs)[index] / $0.limit - 1) <= 1.1e-9
        }
        guard isClose else { return over }
        let cost = costs.cost(index)
        return limits.reduce(0) {
            Advisor.currencies[$1.bit].cost(cost) > $1.limit ? $0 | UInt8(1) << UInt8($1.bit) : $0
        }
    }

    // MARK: - Shapes

    /// What is expected of a shape: the interpolated mean.
    func value(_ shape: Int) -> Double {
        let part = advisor.search.parts[advisor.search.place(shape).part]
        return Double(part.planes[metric]?.means[shape - part.first] ?? 0)
    }

    private func isOpen(_ shape: Int, _ part: SearchTable.Part) -> Bool {
        kept[shape] > 0 && (!usesObservedHeads || Int(kept[shape]) <= part.observedHeads)
    }

    /// Whether a shape can be chosen.
    func isOpen(_ shape: Int) -> Bool { isOpen(shape, advisor.search.parts[advisor.search.place(shape).part]) }

    func isInside(_ shape: Int) -> Bool {
        let (part, row, column) = advisor.search.place(shape)
        return advisor.search.parts[part].inside[row].contains(column)
    }

    func configuration(_ shape: Int) -> Configuration {
        advisor.configuration(shape, block: max(0, Int(kept[shape]) - 1))
    }

    /// Trained shapes that keep the limits, the best first.
    var trained: [Int] {
        advisor.search.parts.flatMap { part in part.trained.filter { isOpen($0, part) } }
            .sorted { (value($0), -$0) > (value($1), -$1) }
    }

    /// Standard deviation of one training by the law of a shape's branch.
    func resolution(_ shape: Int) -> Double {
        advisor.branches[advisor.search.place(shape).part].laws[metric]?.fit.noise.training ?? 0
    }

    // MARK: - Choices

    /// Shares of a training's standard deviation that make no difference: a rounder dimension is named instead.
    static let nothing = 0.05

    /// The best shape. One with a dimension that is not round is named only where it is expected to have more than `nothing` of a
    /// training's deviation over the best that is; among round ones of the same layers that differ by no more, the roundest, unless the
    /// best was trained.
    func best(inside: Bool = false) -> Int? {
        var (all, round): (Int?, Int?)
        var (top, topRound) = (-Float.infinity, -Float.infinity)
        for part in advisor.search.parts {
            guard let plane = part.planes[metric] else { continue }
            for row in part.layers.indices {
                let first = part.first + row * part.dims.count
                for column in inside ? part.inside[row] : part.dims.indices {
                    let value = plane.means[first - part.first + column]
                    guard value > topRound, isOpen(first + column, part) else { continue }
                    if value > top { (top, all) = (value, first + column) }
                    if value > topRound, part.roundness[column] > 0 { (topRound, round) = (value, first + column) }
                }
            }
        }
        guard let all else { return nil }
        let least = Self.nothing * resolution(all)
        guard let round, Double(top) - Double(topRound) <= least else { return all }
        let (number, row, _) = advisor.search.place(round)
        let part = advisor.search.parts[number]
        guard !part.trained.contains(round) else { return round }
        let first = part.first + row * part.dims.count
        var found = round
        for column in inside ? part.inside[row] : part.dims.indices where isOpen(first + column, part) {
            let shape = first + column
            guard value(shape) >= Double(topRound) - least, inside || isInside(shape) == isInside(round) else {
                continue
            }
            let (old, new) = (part.roundness[found - first], part.roundness[column])
            if new > old || (new == old && value(shape) > value(found)) { found = shape }
        }
        return found
    }

    /// The cheapest in parameters that lies among the observations, is round, and is expected to have at most `resolution` less than the best;
    /// the best itself where none is cheaper.
    func cheapest(_ best: Int, resolution: Double) -> Int {
        let least = value(best) - resolution
        var found = best
        func parameters(_ shape: Int) -> Int {
            let branch = advisor.branches[advisor.search.place(shape).part]
            return CostModel.parameters(configuration(shape), items: branch.costs.facts.items)
        }
        var fewest = parameters(best)
        for part in advisor.search.parts {
            guard let plane = part.planes[metric] else { continue }
            for row in part.layers.indices {
                let first = part.first + row * part.dims.count
                for column in part.inside[row]
                where part.roundness[column] > 0 && Double(plane.means[first - part.first + column]) >= least
                    && isOpen(first + column, part)
                {
                    let own = parameters(first + column)
                    if own < fewest { (fewest, found) = (own, first + column) }
                }
            }
        }
        return found
    }

    /// The best round shapes that differ from those chosen, and from each other, by at least a tenth in layers or a fifth in dim (in the
    /// logarithm), best first.
    ///
    /// - Parameters:
    ///   - deviations: how many of the law's standard deviations count as value: with some, what is least known comes first.
    ///   - inside: only those among the observations.
    func distinct(from chosen: [Int], count: Int, deviations: Float = 0, inside: Bool = false) -> [Int] {
        var rows = Rows(self, deviations: deviations, inside: inside)
        for shape in chosen { rows.cover(shape) }
        var found: [Int] = []
        while found.count < count, let next = rows.best {
            found.append(next)
            rows.cover(next)
        }
        return found
    }

    /// The best open round shape of each number of layers, kept up to date while shapes are covered.
    private struct Rows {
        private struct Row {
            let part: Int
            let place: Int
            let layers: Int
            let first: Int
            var best: (shape: Int, score: Float)?
        }

        private let question: Question
        private let deviations: Float
        private let inside: Bool
        private let columns: [[Int]]
        private var isCovered: [Bool]
        private var rows: [Row] = []

        init(_ question: Question, deviations: Float, inside: Bool) {
            self.question = question
            self.deviations = deviations
            self.inside = inside
            let search = question.advisor.search
            isCovered = [Bool](repeating: false, count: search.shapes)
            columns = search.parts.map { part in part.dims.indices.filter { part.roundness[$0] > 0 } }
            for (number, part) in search.parts.enumerated() where part.planes[question.metric] != nil {
                for (place, layers) in part.layers.enumerated() {
                    var row = Row(
                        part: number, place: place, layers: layers, first: part.first + place * part.dims.count,
                        best: nil)
                    row.best = top(row)
                    rows.append(row)
                }
            }
        }

        private func top(_ row: Row) -> (shape: Int, score: Float)? {
            let part = question.advisor.search.parts[row.part]
            guard let plane = part.planes[question.metric] else { return nil }
            var best: (shape: Int, score: Float)?
            let allowed = inside ? part.inside[row.place] : part.dims.indices
            for column in columns[row.part] where allowed.contains(column) {
                let shape = row.first + column
                guard !isCovered[shape], question.isOpen(shape, part) else { continue }
                let score = plane.means[shape - part.first] + deviations * plane.deviations[shape - part.first]
                if score > best?.score ?? -.infinity { best = (shape, score) }
            }
            return best
        }

        var best: Int? {
            var found: (shape: Int, score: Float)?
            for row in rows {
                if let own = row.best, own.score > found?.score ?? -.infinity { found = own }
            }
            return found?.shape
        }

        /// Takes out a shape and all that are near it.
        mutating func cover(_ shape: Int) {
            let (number, place, column) = question.advisor.search.place(shape)
            let part = question.advisor.search.parts[number]
            let (layers, dim) = (Double(part.layers[place]), Double(part.dims[column]))
            let near = columns[number].filter { abs(log(Double(part.dims[$0]) / dim)) < 0.2 }
            for i in rows.indices where rows[i].part == number && abs(log(Double(rows[i].layers) / layers)) < 0.1 {
                for column in near { isCovered[rows[i].first + column] = true }
                if let best = rows[i].best, isCovered[best.shape] { rows[i].best = top(rows[i]) }
            }
        }
    }
}
