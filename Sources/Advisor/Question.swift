internal import Costs
internal import Domain
internal import Glibc
internal import PerformanceLaws

/// What a budget leaves of a search table for one metric, and choices among what is left.
///
/// Exact at the limits: a cost within rounding of one is computed again by the cost model. Equal predictions go to the lower number, which is
/// the fewer layers, then the narrower.
struct Question {
    let advisor: Advisor
    let metric: String
    /// What is expected in each branch; nil where it has no law for the metric.
    private let planes: [PredictedPlane?]
    /// Of each shape the place of the first number of heads that keeps all limits, `none` where there is none or no law: of the observed
    /// numbers, and of the others.
    private var observed: [Int32]
    private var others: [Int32]
    /// Candidates that keep all limits, and all there are.
    private(set) var feasible = 0
    private(set) var total = 0
    /// Whether observed numbers of heads keep the limits anywhere; else the others are chosen from.
    private(set) var usesObservedHeads = true
    /// The best shape that exceeds the limit of a currency and keeps all others.
    private(set) var beyond: [(currency: Currency, shape: Int)] = []

    private static let none: Int32 = -1

    init(_ advisor: Advisor, _ budget: Budget, metric: String) {
        self.advisor = advisor
        self.metric = metric
        planes = advisor.search.parts.map { $0.planes[metric] }
        observed = [Int32](repeating: Self.none, count: advisor.search.shapes)
        others = observed
        let limits = Currency.allCases.compactMap { currency in budget[currency].map { (currency, $0) } }
        var isObservedFeasible = false
        // Of each limit the best round shape that exceeds it alone.
        var alone = [(top: Float, shape: Int)](repeating: (-.infinity, -1), count: limits.count)
        for (part, plane) in zip(advisor.search.parts, planes) {
            guard let plane else { continue }
            for (place, block) in part.blocks.enumerated() {
                total += block.costs.count
                // Of each candidate a bit for every limit that it exceeds.
                var exceeded = [UInt8](repeating: 0, count: block.costs.count)
                for (number, limit) in limits.enumerated() { Self.mark(&exceeded, 1 << number, limit, block) }
                let isObserved = place < part.observedHeads
                var index = 0
                for row in part.layers.indices {
                    for column in block.columns {
                        defer { index += 1 }
                        let shape = row * part.dims.count + column
                        let limits = exceeded[index]
                        guard limits == 0 else {
                            // Of those that exceed one limit alone the best is worth a word.
                            if isObserved, limits & (limits - 1) == 0, part.roundness[column] > 0,
                                plane.means[shape] > alone[limits.trailingZeroBitCount].top
                            {
                                alone[limits.trailingZeroBitCount] = (plane.means[shape], part.first + shape)
                            }
                            continue
                        }
                        feasible += 1
                        if isObserved {
                            isObservedFeasible = true
                            if observed[part.first + shape] == Self.none { observed[part.first + shape] = Int32(place) }
                        } else if others[part.first + shape] == Self.none {
                            others[part.first + shape] = Int32(place)
                        }
                    }
                }
            }
        }
        usesObservedHeads = isObservedFeasible
        for (limit, found) in zip(limits, alone) where found.shape >= 0 { beyond.append((limit.0, found.shape)) }
    }

    /// Sets a bit of each candidate whose cost exceeds a limit.
    private static func mark(
        _ exceeded: inout [UInt8], _ bit: UInt8, _ limit: (currency: Currency, most: Double), _ block: SearchTable.Block
    ) {
        let (most, rounding) = (limit.most, 1e-9 * limit.most)
        let costs = block.costs[limit.currency]
        var near: UInt8 = 0
        // Safe: both are of one length, and no pointer leaves its closure. Without bounds to check the loop is vectorised.
        costs.withUnsafeBufferPointer { costs in
            exceeded.withUnsafeMutableBufferPointer { exceeded in
                for index in costs.indices {
                    exceeded[index] |= costs[index] > most ? bit : 0
                    near |= abs(costs[index] - most) <= rounding ? 1 : 0
                }
            }
        }
        guard near != 0 else { return }
        for index in costs.indices where abs(costs[index] - most) <= rounding {
            exceeded[index] &= ~bit
            if block.costs.cost(index)[limit.currency] > most { exceeded[index] |= bit }
        }
    }

    // MARK: - Shapes

    /// What is expected of a shape: the interpolated mean.
    func value(_ shape: Int) -> Double {
        let number = advisor.search.place(shape).part
        return planes[number].map { Double($0.means[shape - advisor.search.parts[number].first]) } ?? 0
    }

    /// Whether a shape can be chosen.
    func isOpen(_ shape: Int) -> Bool { (usesObservedHeads ? observed : others)[shape] != Self.none }

    func isInside(_ shape: Int) -> Bool {
        let (part, row, column) = advisor.search.place(shape)
        return advisor.search.parts[part].inside[row].contains(column)
    }

    /// Whether anything among the observations can be chosen.
    var hasInside: Bool {
        advisor.search.parts.contains { part in
            part.layers.indices.contains { row in
                part.inside[row].contains { isOpen(part.first + row * part.dims.count + $0) }
            }
        }
    }

    /// Place of the first number of heads that keeps all limits; the first of all where none does.
    func block(_ shape: Int) -> Int { Int(max(0, observed[shape] != Self.none ? observed[shape] : others[shape])) }

    func configuration(_ shape: Int) -> DeclaredConfiguration { advisor.configuration(shape, block: block(shape)) }

    /// The best trained shape that keeps the limits: the one that measured most.
    var bestTrained: Int? {
        var (top, best) = (-Double.infinity, Int?.none)
        for (part, plane) in zip(advisor.search.parts, planes) where plane != nil {
            for shape in part.trained where isOpen(shape) {
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
            if isOpen(shape) { return shape }
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
            for row in part.layers.indices {
                for column in inside ? part.inside[row] : part.dims.indices {
                    let place = row * part.dims.count + column
                    let value = plane.means[place]
                    guard value > topRound, isOpen(part.first + place) else { continue }
                    if value > top { (top, all) = (value, part.first + place) }
                    if part.roundness[column] > 0 { (topRound, round) = (value, part.first + place) }
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
        for column in inside ? part.inside[row] : part.dims.indices where isOpen(first + column) {
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
            for row in part.layers.indices {
                let first = part.first + row * part.dims.count
                // Parameters grow with the dimension: the first of a row is its cheapest, of those that have a price.
                let cheapest = part.inside[row].first { column in
                    part.roundness[column] > 0 && Double(plane.means[first - part.first + column]) >= least
                        && isOpen(first + column) && part.parameters(row, column) < .infinity
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
        var left = openRound
        func cover(_ shape: Int) {
            let (part, own) = (advisor.search.place(shape).part, advisor.place(shape))
            left.removeAll {
                $0.part == part && abs(log(Double($0.layers) / Double(own.layers))) < Near.layers
                    && abs(log(Double($0.dim) / Double(own.dim))) < Near.dim
            }
        }
        chosen.forEach(cover)
        var found: [Int] = []
        while found.count < count,
            let next = left.max(by: { $0.mean < $1.mean || ($0.mean == $1.mean && $0.shape > $1.shape) })
        {
            found.append(next.shape)
            cover(next.shape)
        }
        return found
    }

    private typealias Round = (shape: Int, part: Int, layers: Int, dim: Int, mean: Float)

    /// Shapes with round dimensions that can be chosen.
    private var openRound: [Round] {
        var found: [Round] = []
        for (number, part) in advisor.search.parts.enumerated() {
            guard let plane = planes[number] else { continue }
            for row in part.layers.indices {
                for column in part.roundColumns {
                    let place = row * part.dims.count + column
                    guard isOpen(part.first + place) else { continue }
                    found.append((part.first + place, number, part.layers[row], part.dims[column], plane.means[place]))
                }
            }
        }
        return found
    }
}
