internal import Costs
package import Domain
internal import Glibc
internal import Numerics
internal import PerformanceLaws

extension Advisor {
    /// What is left to gain from a configuration by depth, width, both, more data, and other backbones: the papers' "model
    /// expansion potential".
    ///
    /// A gain is E[max f - f(c)] over the places a lever leads to, from joint draws of the law: who follows the lever trains the best place
    /// along it, and which that is nobody knows yet.
    ///
    /// - Parameters:
    ///   - layers, dim: what is used now; the best trained configuration of all branches where nil.
    ///   - backbone: of what is used now; the best one where nil.
    ///
    /// - Throws: `AdvisorError`.
    package func potential(
        layers: Int? = nil, dim: Int? = nil, backbone: Model? = nil, metric: Metric = Metric(.ndcg, 10)
    ) throws -> (now: Candidate, levers: [Lever], warnings: [Warning]) {
        let name = metric.description
        let (number, law, now) = try current(layers: layers, dim: dim, backbone: backbone, metric: name)
        let branch = branches[number]
        let c = now.configuration
        // Row, column and what lies between, c itself in each.
        let (depth, width) = ([c] + axis(number, c, along: \.layers), [c] + axis(number, c, along: \.dim))
        let both = depth + width + spread(number, search.parts[number].planes[name])
        var ways = [
            Way(name: "depth", branch: branch, law: law, shapes: depth),
            Way(name: "width", branch: branch, law: law, shapes: width),
            Way(name: "depth and width", branch: branch, law: law, shapes: both),
        ]
        if branch.knowsData(name), let facts = branch.costs.facts.changed(usersX: 2) {
            var more = branch
            more.costs.facts = facts
            if more.dataGrade(law.fit) != .refused {
                let plane = PredictedPlane(
                    law, layers: search.parts[number].layers, dims: search.parts[number].dims,
                    effectiveTokens: facts.effectiveTokens, trained: Array(branch.trained.keys))
                ways += [
                    Way(name: "data x 2", branch: more, law: law, shapes: [c]),
                    Way(
                        name: "data x 2, depth and width", branch: more, law: law,
                        shapes: depth + width + spread(number, plane)),
                ]
            }
        }
        var levers = Draws(law, [branch.place(c)] + ways.flatMap(\.places)).levers(
            ways, from: branch.place(c), now, name)
        for (other, place) in branches.enumerated() where other != number {
            guard let otherLaw = place.laws[name] else { continue }
            let label = [
                place.key.backboneName, place.key.loss == branch.key.loss ? nil : place.key.loss.words,
                place.key.maxLength == branch.key.maxLength ? nil : "L \(place.key.maxLength.words)",
            ].compactMap { $0 }.joined(separator: " ")
            let way = Way(
                name: label, branch: place, law: otherLaw, shapes: spread(other, search.parts[other].planes[name]))
            guard !way.shapes.isEmpty else { continue }
            ways.append(way)
            // Laws of different keys share no observations: their errors are independent.
            let there = Draws(otherLaw, way.places, stride: 10 * other + 7)
            levers += there.levers([way], besides: Draws(law, [branch.place(c)]), from: branch.place(c), now, name)
        }
        let warnings =
            standing(law.fit, branch) + around(c, law.fit, branch.grade(c), branch) + aroundData(branch, law.fit)
            + outside(Array(zip(ways, levers)))
            + branchWarnings(branch)
        return (now, levers, warnings)
    }

    /// A lever before it is drawn: the places that it leads to.
    private struct Way {
        let name: String
        let branch: Branch
        let law: LawPredictor
        let shapes: [DeclaredConfiguration]

        init(name: String, branch: Branch, law: LawPredictor, shapes: [DeclaredConfiguration]) {
            self.name = name
            self.branch = branch
            self.law = law
            var seen: Set<DeclaredConfiguration> = []
            self.shapes = shapes.filter { seen.insert($0).inserted }
        }

        var places: [LawPredictor.Place] { shapes.map(branch.place) }
    }

    /// Joint draws of one law at some places.
    private struct Draws {
        static let count = 1_000

        let law: LawPredictor
        let column: [LawPredictor.Place: Int]
        let rows: [[Double]]
        let means: [Double]
        /// Row by row in another order: draws of a law come family by family.
        let stride: Int

        /// - Parameter stride: shares no divisor with `count`.
        init(_ law: LawPredictor, _ places: [LawPredictor.Place], stride: Int = 1) {
            self.law = law
            var column: [LawPredictor.Place: Int] = [:]
            var distinct: [LawPredictor.Place] = []
            for place in places where column[place] == nil {
                column[place] = distinct.count
                distinct.append(place)
            }
            self.column = column
            rows = law.draws(distinct, count: Self.count, seed: UInt64(stride))
            means = distinct.map { law.predict($0).mean }
            self.stride = stride
        }

        /// A draw at one of the places, `factor` times as far from the mean.
        func value(_ draw: Int, _ column: Int, factor: Double) -> Double {
            means[column] + factor * (rows[draw * stride % rows.count][column] - means[column])
        }

        /// Levers that lead to places drawn here.
        ///
        /// - Parameters:
        ///   - start: draws of where they start; the same ones where nil.
        func levers(
            _ ways: [Way], besides start: Draws? = nil, from: LawPredictor.Place, _ now: Candidate, _ metric: String
        ) -> [Lever] {
            let start = start ?? self
            return ways.compactMap { way in
                let columns = way.places.compactMap { column[$0] }
                // The configuration in use comes first, and another is named only if it is expected to be better.
                let to = columns.indices.max { (means[columns[$0]], -$0) < (means[columns[$1]], -$1) }
                guard let to, let first = start.column[from], rows.count == Self.count else { return nil }
                /// Draws are normal, intervals Student's: wider by the share of their quantiles.
                func gains(isStudent: Bool) -> [Double] {
                    let (own, other) =
                        isStudent
                        ? (law.reach / normalQuantile95, start.law.reach / normalQuantile95) : (1, 1)
                    return rows.indices.map { draw in
                        let most = columns.reduce(-Double.infinity) { max($0, value(draw, $1, factor: own)) }
                        return most - start.value(draw, first, factor: other)
                    }
                }
                let drawn = gains(isStudent: false)
                let sorted = gains(isStudent: true).sorted()
                let (low, high) = (sorted[sorted.count / 20], sorted[sorted.count - 1 - sorted.count / 20])
                // Far from what was trained few draws of a law that grows by factors outweigh all others, and mean nothing.
                let gain = drawn.reduce(0) { $0 + min($1, max(high, 0)) } / Double(max(1, drawn.count))
                let grade = max(way.branch.grade(way.shapes[to]), way.branch.dataGrade(law.fit))
                return Lever(
                    name: way.name, configuration: way.shapes[to], gain: gain,
                    interval: law.knowsNoise && start.law.knowsNoise
                        ? Interval(low: min(low, gain), high: max(high, gain)) : nil,
                    relativeGain: gain / max(now.predicted[metric] ?? 0, 1e-12),
                    cost: way.branch.costs.cost(way.shapes[to]), grade: grade)
            }
        }
    }

    /// What lies outside the observations along the levers, with whose it is.
    private func outside(_ levers: [(way: Way, lever: Lever)]) -> [Warning] {
        var found: [(names: [String], warning: Warning)] = []
        // The levers that lead to the same place beyond are named together, and all of them in one warning of a code.
        for (way, lever) in levers {
            let c = lever.configuration
            let far = around(c, way.law.fit, way.branch.grade(c), way.branch) + aroundData(way.branch, way.law.fit)
            for warning in far where warning.code.hasPrefix("outside") {
                if let place = found.firstIndex(where: { $0.warning == warning }) {
                    found[place].names.append(way.name)
                } else {
                    found.append(([way.name], warning))
                }
            }
        }
        var warnings: [Warning] = []
        for (names, warning) in found {
            let message = "\(names.joined(separator: "; ")): \(warning.message)"
            if let place = warnings.firstIndex(where: { $0.code == warning.code }) {
                warnings[place].message += ". " + message
                warnings[place].command = warning.command ?? warnings[place].command
            } else {
                warnings.append(Warning(code: warning.code, message: message, command: warning.command))
            }
        }
        return warnings
    }

    /// What was asked about, else the best that was trained, else what is recommended, else the best predicted; of all branches or of one
    /// backbone.
    private func current(
        layers: Int?, dim: Int?, backbone: Model?, metric name: String
    ) throws -> (number: Int, law: LawPredictor, now: Candidate) {
        try check(name)
        let own = branches.indices.filter {
            branches[$0].laws[name] != nil && (backbone == nil || branches[$0].key.backbone.value == backbone)
        }
        guard !own.isEmpty else {
            throw AdvisorError(
                kind: .noLaw,
                description: "no law for \(name) of \(backbone?.rawValue ?? "any backbone") in \"\(dataset)\"")
        }
        var found: (value: Double, number: Int, configuration: DeclaredConfiguration)?
        func offer(_ value: Double, _ number: Int, _ c: DeclaredConfiguration) {
            if value > found?.value ?? -.infinity { found = (value, number, c) }
        }
        if layers != nil || dim != nil {
            guard let layers, let dim else {
                throw AdvisorError(kind: .outsideDomain, description: "layers, dim: found one of them, expected both")
            }
            let shapes = own.map { ($0, branches[$0].configuration(layers: layers, dim: dim)) }
            let possible = shapes.filter { branches[$0.0].problem($0.1) == nil }
            if possible.isEmpty, let problem = shapes.first.flatMap({ branches[$0.0].problem($0.1) }) {
                throw AdvisorError(kind: .outsideDomain, description: problem)
            }
            for (number, c) in possible where branches[number].grade(c) != .refused {
                offer(branches[number].laws[name]?.predict(branches[number].place(c)).mean ?? 0, number, c)
            }
            guard found != nil else {
                throw AdvisorError(
                    kind: .outsideDomain,
                    description: "layers \(layers), dim \(dim) lies more than 2 e-folds outside the observations")
            }
        } else {
            let isTrained = own.contains { !search.parts[$0].trained.isEmpty }
            // Before the first training, what would be trained first.
            if !isTrained, let answer = try? answer(Budget(), metric: name, isForced: false) {
                let number = search.place(answer.best).part
                if own.contains(number) { offer(.infinity, number, answer.question.configuration(answer.best)) }
            }
            for number in own {
                let part = search.parts[number]
                guard let plane = part.planes[name] else { continue }
                for shape in isTrained ? part.trained : part.round {
                    offer(Double(plane.means[shape - part.first]), number, usual(shape))
                }
            }
        }
        guard let found, let law = branches[found.number].laws[name] else { throw noLaw(name) }
        return (found.number, law, branches[found.number].candidate(found.configuration))
    }

    /// A shape with the first number of heads that divides its dimension, the observed ones before others.
    private func usual(_ shape: Int) -> DeclaredConfiguration {
        let (number, _, column) = search.place(shape)
        let block = search.parts[number].blocks.firstIndex { $0.columns.contains(column) }
        return configuration(shape, block: block ?? 0)
    }

    /// The other shapes of a configuration's row or column, at most one e-fold outside the observations: trained ones, and of the
    /// others some that differ by a twelfth or more.
    private func axis(
        _ number: Int, _ c: DeclaredConfiguration, along path: WritableKeyPath<DeclaredConfiguration, Int>
    ) -> [DeclaredConfiguration] {
        let (branch, part) = (branches[number], search.parts[number])
        let isDepth = path == \DeclaredConfiguration.layers
        let values = isDepth ? part.layers : part.dims.indices.filter { part.roundness[$0] > 0 }.map { part.dims[$0] }
        let trained = Set(branch.trained.keys.map { isDepth ? $0.layers : $0.dim })
        var kept: [DeclaredConfiguration] = []
        var last = 0.0
        for value in values where trained.contains(value) || Double(value) >= last * 13 / 12 {
            var other = c
            other[keyPath: path] = value
            guard branch.problem(other) == nil, branch.grade(other) <= .warn else { continue }
            kept.append(other)
            last = Double(value)
        }
        return kept
    }

    /// Round shapes of a branch that differ from each other, at most one e-fold outside the observations: the best of a plane.
    private func spread(_ number: Int, _ plane: PredictedPlane?) -> [DeclaredConfiguration] {
        guard let plane else { return [] }
        let part = search.parts[number]
        func value(_ shape: Int) -> Float { plane.means[shape - part.first] }
        var kept: [DeclaredConfiguration] = []
        for shape in part.round.sorted(by: { (value($0), -$0) > (value($1), -$1) }) where kept.count < 24 {
            let c = usual(shape)
            let isNear = kept.contains {
                abs(log(Double($0.layers) / Double(c.layers))) < Near.layers
                    && abs(log(Double($0.dim) / Double(c.dim))) < Near.dim
            }
            if !isNear, branches[number].grade(c) <= .warn { kept.append(c) }
        }
        return kept
    }
}
