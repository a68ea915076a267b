internal import Costs
internal import Domain
internal import Glibc
internal import PerformanceLaws

/// What a budget leaves of a search table for one metric, and choices among what is left: for each number of layers a bit for each
/// dimension, cut by halving where a cost meets its limit.
///
/// Exact at the limits: a cost within rounding of one is computed again by the cost model. Equal predictions go to the lower number, which is
/// the fewer layers, then the narrower.
struct Question {
    let advisor: Advisor
    let metric: String
    /// What is expected in each branch; nil where it has no law for the metric.
    private let planes: [PredictedPlane?]
    private let limits: [Limit]
    /// A bit for each shape that can be chosen, row by row in whole words; none where there is no law.
    private var open: [UInt64]
    /// Candidates that keep all limits, and all there are.
    private(set) var feasible = 0
    private(set) var total = 0
    /// Whether observed numbers of heads keep the limits anywhere; else the others are chosen from.
    private(set) var usesObservedHeads = true
    /// The best shape that exceeds the limit of a currency and keeps all others.
    private(set) var beyond: [(currency: Currency, shape: Int)] = []

    private typealias Limit = (currency: Currency, limit: Double)
    /// The best shape that exceeds one limit alone.
    private typealias Alone = (top: Float, shape: Int)

    init(_ advisor: Advisor, _ budget: Budget, metric: String) {
        self.advisor = advisor
        self.metric = metric
        planes = advisor.search.parts.map { $0.planes[metric] }
        limits = Currency.allCases.compactMap { currency in budget[currency].map { (currency, $0) } }
        open = [UInt64](repeating: 0, count: advisor.search.words)
        var others = open
        var observed = 0
        var alone = [Alone](repeating: (-.infinity, -1), count: limits.count)
        // What exceeds each limit: limit by limit, row by row.
        var over: [UInt64] = []
        for (part, plane) in zip(advisor.search.parts, planes) {
            guard let plane else { continue }
            for (place, block) in part.blocks.enumerated() {
                total += block.costs.count
                Self.cut(part, block, limits, &over)
                if place < part.observedHeads {
                    observed += Self.keep(part, block, over, limits.count, into: &open)
                    Self.look(part, block, plane, over, &alone)
                } else {
                    feasible += Self.keep(part, block, over, limits.count, into: &others)
                }
            }
        }
        feasible += observed
        usesObservedHeads = observed > 0
        if observed == 0 { open = others }
        for (limit, found) in zip(limits, alone) where found.shape >= 0 { beyond.append((limit.currency, found.shape)) }
    }

    /// Marks what exceeds each limit of one number of heads of one branch.
    private static func cut(
        _ part: SearchTable.Part, _ block: SearchTable.Block, _ limits: [Limit], _ over: inout [UInt64]
    ) {
        let (width, words) = (block.columns.count, part.words)
        let size = words * part.layers.count
        over.removeAll(keepingCapacity: true)
        over.append(contentsOf: repeatElement(0, count: size * limits.count))
        guard width > 0 else { return }
        for (number, limit) in limits.enumerated() {
            guard let runs = block.runs[limit.currency] else { continue }
            var near = width
            // Safe: the costs have `width` numbers for each number of layers, and live as long as the closure.
            block.costs[limit.currency].withUnsafeBufferPointer { costs in
                guard let base = costs.baseAddress else { return }
                for row in part.layers.indices {
                    let first = number * size + row * words
                    runs.cut(row, base + row * width, limit: limit.limit, near: &near) { range in
                        Bits.set(
                            block.columns[range.lowerBound]..<block.columns[range.upperBound - 1] + 1, in: &over,
                            from: first)
                    } close: { column in
                        let bit = block.columns[column]
                        if block.costs.cost(row * width + column)[limit.currency] > limit.limit {
                            Bits.set(bit..<bit + 1, in: &over, from: first)
                        }
                    }
                }
            }
        }
    }

    /// Opens what keeps all limits, and returns how many candidates that are.
    private static func keep(
        _ part: SearchTable.Part, _ block: SearchTable.Block, _ over: [UInt64], _ limits: Int, into open: inout [UInt64]
    ) -> Int {
        let size = part.words * part.layers.count
        var feasible = 0
        for row in part.layers.indices {
            for word in 0..<part.words {
                let place = row * part.words + word
                var kept = block.mask[word]
                for number in 0..<limits { kept &= ~over[number * size + place] }
                feasible += kept.nonzeroBitCount
                open[part.firstWord + place] |= kept
            }
        }
        return feasible
    }

    /// Looks for the best round shapes that exceed one limit alone.
    private static func look(
        _ part: SearchTable.Part, _ block: SearchTable.Block, _ plane: PredictedPlane, _ over: [UInt64],
        _ alone: inout [Alone]
    ) {
        let size = part.words * part.layers.count
        for row in part.layers.indices {
            for number in alone.indices where plane.roundTops[row] > alone[number].top {
                for word in 0..<part.words {
                    let place = row * part.words + word
                    var single = block.mask[word] & part.roundMask[word] & over[number * size + place]
                    for other in alone.indices where other != number { single &= ~over[other * size + place] }
                    Bits.each(single, word) { column in
                        let shape = row * part.dims.count + column
                        if plane.means[shape] > alone[number].top {
                            alone[number] = (plane.means[shape], part.first + shape)
                        }
                    }
                }
            }
        }
    }

    // MARK: - Shapes

    /// What is expected of a shape: the interpolated mean.
    func value(_ shape: Int) -> Double {
        let number = advisor.search.place(shape).part
        return planes[number].map { Double($0.means[shape - advisor.search.parts[number].first]) } ?? 0
    }

    func isOpen(_ shape: Int, _ part: SearchTable.Part) -> Bool {
        let (row, column) = (shape - part.first).quotientAndRemainder(dividingBy: part.dims.count)
        return open[part.firstWord + row * part.words + column >> 6] >> UInt64(column & 63) & 1 == 1
    }

    /// Whether a shape can be chosen.
    func isOpen(_ shape: Int) -> Bool { isOpen(shape, advisor.search.parts[advisor.search.place(shape).part]) }

    func isInside(_ shape: Int) -> Bool {
        let (part, row, column) = advisor.search.place(shape)
        return advisor.search.parts[part].inside[row].contains(column)
    }

    /// Whether anything among the observations can be chosen.
    var hasInside: Bool {
        advisor.search.parts.contains { part in
            part.insideMask.indices.contains { part.insideMask[$0] & open[part.firstWord + $0] != 0 }
        }
    }

    /// Place of the first number of heads that keeps all limits; the first of all where none does.
    func block(_ shape: Int) -> Int {
        let (number, row, column) = advisor.search.place(shape)
        let part = advisor.search.parts[number]
        return part.blocks.firstIndex { block in
            guard let place = block.place(of: column) else { return false }
            let index = row * block.columns.count + place
            return limits.allSatisfy { limit in
                let cost = block.costs[limit.currency][index]
                if abs(cost / limit.limit - 1) > 1.1e-9 { return cost <= limit.limit }
                return block.costs.cost(index)[limit.currency] <= limit.limit
            }
        } ?? 0
    }

    func configuration(_ shape: Int) -> Configuration { advisor.configuration(shape, block: block(shape)) }

    /// The best trained shape that keeps the limits: the one that measured most.
    var bestTrained: Int? {
        var (top, best) = (-Double.infinity, Int?.none)
        for (part, plane) in zip(advisor.search.parts, planes) where plane != nil {
            for shape in part.trained where isOpen(shape, part) {
                let value = standing(shape)
                if value > top { (top, best) = (value, shape) }
            }
        }
        return best
    }

    /// What a trained shape is worth as an answer: what it measured, since that model is there. A law that knows from other datasets how
    /// shapes compare is believed instead, of the few trainings that it comes with.
    func standing(_ shape: Int) -> Double {
        measured(shape) ?? value(shape)
    }

    /// What a trained shape is judged by; nil where it is judged by its law.
    func measured(_ shape: Int) -> Double? {
        guard law(shape)?.fit.prior == nil else { return nil }
        return advisor.search.parts[advisor.search.place(shape).part].measured[metric]?[shape]
    }

    /// The standard shape where it keeps the limits, in the first branch that has it: what an answer has to beat where nothing was
    /// trained.
    var standard: Int? {
        for (part, plane) in zip(advisor.search.parts, planes) where plane != nil {
            guard let row = part.layers.firstIndex(of: Configuration.standardShape.layers),
                let column = part.dims.firstIndex(of: Configuration.standardShape.dim)
            else { continue }
            let shape = part.first + row * part.dims.count + column
            if isOpen(shape, part) { return shape }
        }
        return nil
    }

    func isTrained(_ shape: Int) -> Bool {
        advisor.search.parts[advisor.search.place(shape).part].trained.contains(shape)
    }

    /// Standard deviation of one training by the law of a shape's branch.
    func resolution(_ shape: Int) -> Double {
        law(shape)?.fit.noise.training ?? 0
    }

    /// The law of a shape's branch.
    func law(_ shape: Int) -> LawPredictor? { planes[advisor.search.place(shape).part]?.law }

    // MARK: - Choices

    /// Shares of a training's standard deviation that make no difference: a rounder dimension is named instead.
    static let nothing = 0.05

    /// The best shape. One with a dimension that is not round is named only where it is expected to have more than `nothing` of a
    /// training's deviation over the best that is; among round ones of the same layers that differ by no more, the roundest, unless the
    /// best was trained.
    func best(inside: Bool = false) -> Int? {
        var (all, round): (Int?, Int?)
        var (top, topRound) = (-Float.infinity, -Float.infinity)
        for (part, plane) in zip(advisor.search.parts, planes) {
            guard let plane else { continue }
            for row in part.layers.indices where plane.tops[row] > topRound {
                let from = row * part.dims.count
                for word in 0..<part.words {
                    let place = row * part.words + word
                    let bits = open[part.firstWord + place] & (inside ? part.insideMask[place] : .max)
                    Bits.each(bits, word) { column in
                        let value = plane.means[from + column]
                        guard value > topRound else { return }
                        if value > top { (top, all) = (value, part.first + from + column) }
                        if part.roundness[column] > 0 { (topRound, round) = (value, part.first + from + column) }
                    }
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
        let (home, row, column) = advisor.search.place(best)
        var fewest = advisor.search.parts[home].parameters(row, column)
        // Nothing is known to be cheaper than what nobody priced.
        guard fewest < .infinity else { return best }
        for (number, part) in advisor.search.parts.enumerated() {
            guard let plane = planes[number] else { continue }
            for row in part.layers.indices where Double(plane.tops[row]) >= least {
                let first = part.first + row * part.dims.count
                // Parameters grow with the dimension: the first of a row is its cheapest, of those that have a price.
                let cheapest = part.inside[row].first { column in
                    part.parameters(row, column) < .infinity && part.roundness[column] > 0
                        && Double(plane.means[first - part.first + column]) >= least
                        && isOpen(first + column, part)
                }
                guard let cheapest else { continue }
                let own = part.parameters(row, cheapest)
                if own < fewest { (fewest, found) = (own, first + cheapest) }
            }
        }
        return found
    }

    /// The best round shapes that differ from those chosen, and from each other, by at least a tenth in layers or a fifth in dim (in the
    /// logarithm), best first.
    func distinct(from chosen: [Int], count: Int) -> [Int] {
        var rows = Rows(self)
        for shape in chosen { rows.cover(shape) }
        var found: [Int] = []
        while found.count < count, let next = rows.best() {
            found.append(next)
            rows.cover(next)
        }
        return found
    }

    /// The best open round shape of each number of layers. A row is looked through only when the best that it could have, whatever the
    /// budget, is better than what other rows have.
    private struct Rows {
        private struct Row {
            let part: Int
            let place: Int
            let layers: Int
            /// At least the score of its best.
            var bound: Float
            /// Nil where it is not known.
            var best: Int?
        }

        private let question: Question
        /// Open round shapes that are not covered.
        private var left: [UInt64]
        private var rows: [Row] = []

        init(_ question: Question) {
            self.question = question
            left = question.open
            for (number, part) in question.advisor.search.parts.enumerated() {
                guard let tops = question.planes[number]?.roundTops else { continue }
                for (place, layers) in part.layers.enumerated() {
                    let first = part.firstWord + place * part.words
                    for word in 0..<part.words { left[first + word] &= part.roundMask[word] }
                    rows.append(Row(part: number, place: place, layers: layers, bound: tops[place], best: nil))
                }
            }
        }

        private mutating func look(_ number: Int) {
            let row = rows[number]
            let part = question.advisor.search.parts[row.part]
            guard let plane = question.planes[row.part] else { return }
            let (first, from) = (part.firstWord + row.place * part.words, row.place * part.dims.count)
            var (top, best) = (-Float.infinity, -1)
            // Safe: bits stand for columns of the row, and the means live as long as the closure.
            plane.means.withUnsafeBufferPointer { means in
                for word in 0..<part.words {
                    Bits.each(left[first + word], word) { column in
                        if means[from + column] > top { (top, best) = (means[from + column], column) }
                    }
                }
            }
            (rows[number].bound, rows[number].best) = (top, best < 0 ? nil : part.first + from + best)
        }

        mutating func best() -> Int? {
            var (top, found): (Float, Int?) = (-.infinity, nil)
            for number in rows.indices where rows[number].bound > top {
                if rows[number].best == nil { look(number) }
                if rows[number].bound > top { (top, found) = (rows[number].bound, rows[number].best) }
            }
            return found
        }

        /// Takes out a shape and all that are near it.
        mutating func cover(_ shape: Int) {
            let (number, place, column) = question.advisor.search.place(shape)
            let part = question.advisor.search.parts[number]
            let (layers, dim) = (Double(part.layers[place]), Double(part.dims[column]))
            let near = part.dims.indices.filter {
                part.roundness[$0] > 0 && abs(log(Double(part.dims[$0]) / dim)) < Near.dim
            }
            for i in rows.indices
            where rows[i].part == number && abs(log(Double(rows[i].layers) / layers)) < Near.layers {
                let first = part.firstWord + rows[i].place * part.words
                for column in near { left[first + column >> 6] &= ~(1 << UInt64(column & 63)) }
                // What is left is no better than what was.
                rows[i].best = nil
            }
        }
    }
}
