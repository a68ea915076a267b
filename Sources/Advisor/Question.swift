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
    private let limits: [(bit: Int, limit: Double)]
    /// A bit for each shape that can be chosen, row by row in whole words; none where there is no law.
    private var open: [UInt64]
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
        limits = Advisor.currencies.indices.compactMap { bit -> (bit: Int, limit: Double)? in
            Advisor.currencies[bit].limit(budget).map { (bit, $0) }
        }
        let limits = limits
        var open = [UInt64](repeating: 0, count: advisor.search.words)
        var others = open
        var observed = 0
        var alone: Alone? = Alone(limits.count)
        for part in advisor.search.parts where part.planes[metric] != nil {
            for (place, block) in part.blocks.enumerated() {
                total += block.costs.count
                if place < part.observedHeads {
                    observed += Self.pass(part, block, metric, limits, into: &open, alone: &alone)
                } else {
                    var none: Alone?
                    feasible += Self.pass(part, block, metric, limits, into: &others, alone: &none)
                }
            }
        }
        feasible += observed
        usesObservedHeads = observed > 0
        self.open = observed > 0 ? open : others
        for (number, limit) in limits.enumerated() {
            if let shape = alone?.shapes[number], shape >= 0 { beyond[limit.bit] = shape }
        }
    }

    /// The best shapes that exceed one limit alone, limit by limit.
    private struct Alone {
        var tops: [Float]
        var shapes: [Int]

        init(_ count: Int) {
            tops = [Float](repeating: -.infinity, count: count)
            shapes = [Int](repeating: -1, count: count)
        }
    }

    /// Opens what keeps all limits of one number of heads of one branch, and returns how many candidates that are.
    ///
    /// - Parameter alone: kept up to date where it is there.
    private static func pass(
        _ part: SearchTable.Part, _ block: SearchTable.Block, _ metric: String, _ limits: [(bit: Int, limit: Double)],
        into open: inout [UInt64], alone: inout Alone?
    ) -> Int {
        let (width, words) = (block.columns.count, part.words)
        guard width > 0, let plane = part.planes[metric], let roundTops = part.roundTops[metric] else { return 0 }
        var feasible = 0
        let costs = block.costs
        let arrays = limits.map { Advisor.currencies[$0.bit].column(costs) }
        // What exceeds each limit, a row of words after the other.
        var over = [UInt64](repeating: 0, count: words * max(1, limits.count))
        var near = limits.map { _ in width }
        for row in part.layers.indices {
            for place in over.indices { over[place] = 0 }
            for (number, limit) in limits.enumerated() {
                let (from, first) = (row * width, number * words)
                arrays[number].withUnsafeBufferPointer { array in
                    guard let base = array.baseAddress else { return }
                    block.runs[limit.bit].cut(row, base + from, limit: limit.limit, near: &near[number]) { range in
                        Bits.set(
                            block.columns[range.lowerBound]..<block.columns[range.upperBound - 1] + 1, in: &over,
                            from: first)
                    } close: { column in
                        let cost = Advisor.currencies[limit.bit].cost(costs.cost(from + column))
                        let bit = block.columns[column]
                        if cost > limit.limit { Bits.set(bit..<bit + 1, in: &over, from: first) }
                    }
                }
            }
            let first = part.firstWord + row * words
            for word in 0..<words {
                var any: UInt64 = 0
                for number in limits.indices { any |= over[number * words + word] }
                let kept = block.mask[word] & ~any
                feasible += kept.nonzeroBitCount
                open[first + word] |= kept
            }
            guard var best = alone else { continue }
            for number in limits.indices where roundTops[row] > best.tops[number] {
                for word in 0..<words {
                    var single = block.mask[word] & part.roundMask[word] & over[number * words + word]
                    for other in limits.indices where other != number { single &= ~over[other * words + word] }
                    Bits.each(single, word) { column in
                        let place = row * part.dims.count + column
                        if plane.means[place] > best.tops[number] {
                            (best.tops[number], best.shapes[number]) = (plane.means[place], part.first + place)
                        }
                    }
                }
            }
            alone = best
        }
        return feasible
    }

    // MARK: - Shapes

    /// What is expected of a shape: the interpolated mean.
    func value(_ shape: Int) -> Double {
        let part = advisor.search.parts[advisor.search.place(shape).part]
        return Double(part.planes[metric]?.means[shape - part.first] ?? 0)
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
            part.planes[metric] != nil
                && part.layers.indices.contains { row in
                    part.inside[row].contains { isOpen(part.first + row * part.dims.count + $0, part) }
                }
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
                let currency = Advisor.currencies[limit.bit]
                let cost = currency.column(block.costs)[index]
                if abs(cost / limit.limit - 1) > 1.1e-9 { return cost <= limit.limit }
                return currency.cost(block.costs.cost(index)) <= limit.limit
            }
        } ?? 0
    }

    func configuration(_ shape: Int) -> Configuration { advisor.configuration(shape, block: block(shape)) }

    /// Trained shapes that keep the limits, the best first.
    var trained: [Int] {
        advisor.search.parts.flatMap { part in
            part.trained.filter { isOpen($0, part) }.map {
                (value: part.planes[metric]?.means[$0 - part.first] ?? 0, shape: $0)
            }
        }
        .sorted { ($0.value, -$0.shape) > ($1.value, -$1.shape) }.map(\.shape)
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
            for row in part.layers.indices where plane.tops[row] > topRound {
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
        func parameters(_ c: Configuration, _ part: Int) -> Int {
            CostModel.parameters(c, items: advisor.branches[part].costs.facts.items)
        }
        var fewest = parameters(configuration(best), advisor.search.place(best).part)
        for (number, part) in advisor.search.parts.enumerated() {
            guard let plane = part.planes[metric] else { continue }
            for row in part.layers.indices where Double(plane.tops[row]) >= least {
                let first = part.first + row * part.dims.count
                // Parameters grow with the dimension: the first of a row is its cheapest.
                let cheapest = part.inside[row].first { column in
                    part.roundness[column] > 0 && Double(plane.means[first - part.first + column]) >= least
                        && isOpen(first + column, part)
                }
                guard let cheapest else { continue }
                let own = parameters(
                    advisor.branches[number].configuration(layers: part.layers[row], dim: part.dims[cheapest]), number)
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
                guard let tops = part.roundTops[question.metric] else { continue }
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
            guard let plane = part.planes[question.metric] else { return }
            let (first, from) = (part.firstWord + row.place * part.words, row.place * part.dims.count)
            var (top, best) = (-Float.infinity, -1)
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
                part.roundness[$0] > 0 && abs(log(Double(part.dims[$0]) / dim)) < 0.2
            }
            for i in rows.indices where rows[i].part == number && abs(log(Double(rows[i].layers) / layers)) < 0.1 {
                let first = part.firstWord + rows[i].place * part.words
                for column in near { left[first + column >> 6] &= ~(1 << UInt64(column & 63)) }
                // What is left is no better than what was.
                rows[i].best = nil
            }
        }
    }
}

/// Sets of columns, 64 to a word.
enum Bits {
    static func words(_ count: Int) -> Int { (count + 63) / 64 }

    static func set(_ range: Range<Int>, in words: inout [UInt64], from first: Int) {
        guard !range.isEmpty else { return }
        let (low, high) = (range.lowerBound >> 6, (range.upperBound - 1) >> 6)
        let left = UInt64.max << UInt64(range.lowerBound & 63)
        let right = UInt64.max >> UInt64(63 - (range.upperBound - 1) & 63)
        if low == high {
            words[first + low] |= left & right
        } else {
            words[first + low] |= left
            for word in low + 1..<high { words[first + word] = .max }
            words[first + high] |= right
        }
    }

    @inline(__always)
    static func each(_ word: UInt64, _ place: Int, _ body: (Int) -> Void) {
        var left = word
        while left != 0 {
            body(place << 6 + left.trailingZeroBitCount)
            left &= left - 1
        }
    }
}
