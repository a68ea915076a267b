package import Domain
internal import Glibc
internal import Numerics
internal import PerformanceLaws

/// Where a calibration stands: what it would recommend now, and how much better the best may be.
package struct DesignOutlook: Sendable, Hashable {
    package var layers: Int
    package var dim: Int
    /// Predicted metric of it.
    package var predicted: Double
    /// What the best shape asked about is expected to have more, in metric units.
    package var expectedRegret: Double
    /// Trainings of it on all users.
    package var trained: Int
    /// A shape asked about, further from all that were trained than the law has shown to reach; nil where there is none, and the
    /// expected regret may be believed.
    package var untested: Shape?

    package struct Shape: Sendable, Hashable {
        package var layers: Int
        package var dim: Int
    }

    package var relativeRegret: Double { predicted > 0 ? expectedRegret / predicted : .infinity }
}

/// What a design asks for next.
package enum DesignStep: Sendable, Hashable {
    /// One training, with the reason in a word or two.
    case train(DesignTrial, reason: String)
    /// What runs must end first: there is no law yet.
    case wait
    /// The expected regret is under the tolerance.
    case enough
    /// Nothing that is worth its time can be paid for.
    case spent
}

/// Chooses trainings one at a time by what they teach about the answer, for what they cost.
///
/// The answer is the shape with the largest predicted metric among those asked about. Against each other shape t it may be wrong
/// by E[(f_t - f_best)⁺], a closed form in the mean and the standard deviation of the difference; a further training takes a part
/// of that variance away. The score of a training is the sum over t of what that expectation falls by, over seconds^0.4 (arXiv
/// 2604.22753 has the exponent). Repeats compete like all others: they win where noise hides the differences.
package struct SequentialDesign: Sendable {
    package let space: DesignSpace
    /// Trainings to begin with.
    package let start: [DesignTrial]
    /// Expected regret over the predicted metric at which the answer is good enough.
    package let tolerance: Double

    /// Exponent of a training's seconds in its score.
    static let costExponent = 0.4
    /// A training on a share of the users may take one part in so many of what is left.
    private static let dataPart = 6
    /// Of its expected seconds, what a training must get to be begun although it will be cut short.
    package static let leastPart = 0.5

    package init(space: DesignSpace, start: [DesignTrial], tolerance: Double = 0.01) {
        (self.space, self.start, self.tolerance) = (space, start, tolerance)
    }

    /// The next training. The same measurements give the same answer.
    ///
    /// - Parameters:
    ///   - law: fitted to what is measured; nil before there is enough.
    ///   - measured: trainings whose result is known, however old.
    ///   - running: trainings in progress; they count as measured at what is expected of them.
    ///   - stopped: of those measured, which were stopped because they fell behind: their shapes are not begun anew with another seed.
    ///   - pays: whether the rest of the budget pays these trainings.
    ///   - paysMost: whether it pays so much of a training that it tells something though it is cut short.
    package func next(
        law: LawFit?, measured: [DesignTrial], running: [DesignTrial] = [], stopped: [DesignTrial] = [],
        pays: ([DesignTrial]) -> Bool, paysMost: (DesignTrial) -> Bool = { _ in false }
    ) -> DesignStep {
        let taken = Set(measured + running)
        // Whatever they cost: one that is cut short tells where it was heading.
        if let first = start.first(where: { !taken.contains($0) }) { return .train(first, reason: "start") }
        let closed = Set(stopped.map { Shape(layers: $0.layers, dim: $0.dim) })
        func isOpen(_ trial: DesignTrial) -> Bool { !closed.contains(Shape(layers: trial.layers, dim: trial.dim)) }
        func isAffordable(_ trials: DesignTrial...) -> Bool { trials.allSatisfy(isOpen) && pays(trials) }
        guard let law, let view = View(self, LawPredictor(law), measured: measured, running: running) else {
            if !running.isEmpty { return .wait }
            // Too little for a law: the cheapest shapes that are new.
            let cheap = space.layers.flatMap { n in
                space.dims.map { DesignTrial(layers: n, dim: $0, seed: space.firstSeed) }
            }.filter { !taken.contains($0) && isAffordable($0) }.min { space.seconds($0) < space.seconds($1) }
            return cheap.map { .train($0, reason: "cheapest") } ?? .spent
        }
        let incumbent = view.outlook
        if incumbent.relativeRegret <= tolerance, incumbent.untested != nil {
            // A law of few trainings may be sure of what it never saw: it is tried where it was not, before it is believed.
            return view.test { isAffordable($0) }.map { .train($0, reason: "test") } ?? .spent
        }
        if incumbent.relativeRegret <= tolerance {
            // An answer that rests on one training or none is tried once more before it is given.
            if let confirmation = view.repeatOfBest, isAffordable(confirmation) {
                return .train(confirmation, reason: "incumbent")
            }
            if let share = view.share({ isAffordable($0) }) { return .train(share, reason: "data") }
            return running.isEmpty ? .enough : .wait
        }
        // A law of its own is told how quality grows with data, where that takes a small part of what is left.
        if view.trainedShapes >= View.fewestShapes,
            let share = view.share({ pays([DesignTrial](repeating: $0, count: Self.dataPart)) })
        {
            return .train(share, reason: "data")
        }
        guard let best = view.best({ isAffordable($0) }) else {
            // What is left pays nothing to its end.
            guard let part = view.best({ isOpen($0) && paysMost($0) }), !part.isRepeat else { return .spent }
            return .train(part.trial, reason: "short")
        }
        // The last chance to try the most promising of what can still be paid for is not given away for more knowledge of others.
        if let promising = view.promising({ isAffordable($0) }), best.trial != promising,
            !isAffordable(promising, best.trial)
        {
            return .train(promising, reason: "incumbent")
        }
        return .train(best.trial, reason: best.isRepeat ? "repeat" : "answer")
    }

    private struct Shape: Hashable {
        var layers: Int
        var dim: Int
    }

    /// Where things stand; nil where no shape that is asked about exists.
    package func outlook(law: LawFit, measured: [DesignTrial]) -> DesignOutlook? {
        View(self, LawPredictor(law), measured: measured, running: [])?.outlook
    }

    /// Seconds of one worker until the expected regret is half of what it is now, going on as `next` does while every training
    /// measures what is expected; nil where that takes more than `steps` trainings.
    package func secondsToHalve(law: LawFit, measured: [DesignTrial], steps: Int = 40) -> Double? {
        guard var view = View(self, LawPredictor(law), measured: measured, running: []) else { return nil }
        let goal = view.outlook.expectedRegret / 2
        guard goal > 0 else { return 0 }
        var seconds = 0.0
        for _ in 0..<steps {
            guard let best = view.best({ _ in true }) else { return nil }
            view.take(best.place)
            seconds += space.seconds(best.trial)
            if view.regret <= goal { return seconds }
        }
        return nil
    }
}

/// A law seen from everywhere a training is possible or an answer lies.
private struct View {
    /// A place of the pool with the training that would be next there.
    struct Spot {
        var layers: Int
        var dim: Int
        var userFraction: Double
        /// Seeds of its trainings that are measured or running.
        var seeds: Set<UInt64>
        var trainings: Int { seeds.count }
    }

    private let design: SequentialDesign
    private var spots: [Spot]
    private var posterior: JointPosterior
    /// Places of the shapes asked about, on all users.
    private let asked: [Int]
    /// Whether a place is asked about, or next to one that is: what lies further tells of none.
    private var isNear: [Bool] = []
    private let best: Int
    private let noise: Double
    private let measuredBest: Int
    /// Whether the law predicted its largest observations.
    private let predictsLargest: Bool
    private let prior: LawFit.PriorUse?

    /// Shapes on all users that must have been trained before a law is believed, or all that are asked about.
    static let fewestShapes = 6
    /// How far a shape asked about may be from the nearest one trained, in ln N or ln d, the larger: an e-fold is what intervals
    /// were shown to hold at.
    static let reach = 1.05
    /// Where the law predicted its largest observations.
    static let provenReach = 2.1

    /// How far a training may lie outside of what is asked about, in ln N and ln d.
    private static let nextTo = 0.7
    /// Share of what may be lost that a training must be expected to take away: the end of a budget pays for many small ones that
    /// would tell next to nothing.
    static let leastGain = 0.01

    init?(_ design: SequentialDesign, _ law: LawPredictor, measured: [DesignTrial], running: [DesignTrial]) {
        self.design = design
        let space = design.space
        struct Key: Hashable {
            var layers: Int
            var dim: Int
            var share: Double
            init(_ t: DesignTrial) { (layers, dim, share) = (t.layers, t.dim, t.userFraction) }
        }
        let seeds = (measured + running).reduce(into: [Key: Set<UInt64>]()) { $0[Key($1), default: []].insert($1.seed) }
        let measuredKeys = measured.reduce(into: [Key: Int]()) { $0[Key($1), default: 0] += 1 }
        let spots = space.layers.flatMap { n in
            space.dims.flatMap { d in
                space.fractions.map { share -> Spot in
                    let key = Key(DesignTrial(layers: n, dim: d, userFraction: share, seed: 0))
                    return Spot(layers: n, dim: d, userFraction: share, seeds: seeds[key] ?? [])
                }
            }
        }
        self.spots = spots
        let asked = spots.indices.filter {
            spots[$0].userFraction == 1 && space.isEligible(spots[$0].layers, spots[$0].dim)
        }
        posterior = law.joint(
            spots.map {
                .init(layers: $0.layers, dim: $0.dim, effectiveTokens: space.effectiveTokens * $0.userFraction)
            })
        let means = posterior.means
        guard let best = asked.max(by: { (means[$0], -Double($0)) < (means[$1], -Double($1)) }) else { return nil }
        self.asked = asked
        self.best = best
        let near = asked.map { (log(Double(spots[$0].layers)), log(Double(spots[$0].dim))) }
        isNear = spots.map { spot in
            let (n, d) = (log(Double(spot.layers)), log(Double(spot.dim)))
            return near.contains { abs($0.0 - n) <= Self.nextTo && abs($0.1 - d) <= Self.nextTo }
        }
        noise = law.fit.noise.training * law.fit.noise.training
        predictsLargest = law.fit.predictsLargest == true
        prior = law.fit.prior
        measuredBest =
            measuredKeys[Key(DesignTrial(layers: spots[best].layers, dim: spots[best].dim, seed: 0))] ?? 0
        for trial in running {
            if let place = spots.firstIndex(where: {
                $0.layers == trial.layers && $0.dim == trial.dim && $0.userFraction == trial.userFraction
            }) {
                posterior.condition(on: place, noise: noise)
            }
        }
    }

    var regret: Double { posterior.expectedRegret(of: best, among: asked) }

    var outlook: DesignOutlook {
        DesignOutlook(
            layers: spots[best].layers, dim: spots[best].dim, predicted: posterior.means[best], expectedRegret: regret,
            trained: measuredBest, untested: untested)
    }

    /// Distance between the shapes of two places: in ln N or ln d, the larger.
    private func distance(_ a: Int, _ b: Int) -> Double {
        max(
            abs(log(Double(spots[a].layers) / Double(spots[b].layers))),
            abs(log(Double(spots[a].dim) / Double(spots[b].dim))))
    }

    /// By how far each shape asked about and not trained is from the nearest that is trained or running.
    private var gaps: [(place: Int, gap: Double)] {
        let trained = spots.indices.filter { spots[$0].userFraction == 1 && spots[$0].trainings > 0 }
        return asked.filter { spots[$0].trainings == 0 && !isExpected($0) }.map { place in
            (place, trained.map { distance($0, place) }.min() ?? .infinity)
        }
    }

    /// Whether trainings on other datasets say how far a shape may lie from the others: then the expected regret counts it in.
    private func isExpected(_ place: Int) -> Bool {
        guard let prior, let fewest = prior.layersRange.first, let most = prior.layersRange.last,
            let narrowest = prior.dimRange.first, let widest = prior.dimRange.last
        else { return false }
        return (fewest...most).contains(spots[place].layers) && (narrowest...widest).contains(spots[place].dim)
    }

    /// The best shape on the largest share of the users that none was trained on, down to a quarter: how quality grows with data.
    func share(_ isAffordable: (DesignTrial) -> Bool) -> DesignTrial? {
        let shares = Set(design.space.fractions.filter { $0 < 1 && $0 >= 0.25 })
        let open = shares.filter { share in !spots.contains { $0.userFraction == share && $0.trainings > 0 } }
        for share in open.sorted(by: >) {
            let trial = DesignTrial(
                layers: spots[best].layers, dim: spots[best].dim, userFraction: share, seed: design.space.firstSeed)
            if isAffordable(trial) { return trial }
        }
        return nil
    }

    /// Shapes that are trained on all users, or running.
    var trainedShapes: Int { spots.count { $0.userFraction == 1 && $0.trainings > 0 } }

    private var reach: Double { predictsLargest ? Self.provenReach : Self.reach }

    /// The place that is furthest from what was trained, where that is too far or where too few shapes were trained.
    private var widest: (place: Int, gap: Double)? {
        guard let widest = gaps.max(by: { ($0.gap, $0.place) < ($1.gap, $1.place) }) else { return nil }
        return widest.gap > reach || trainedShapes < Self.fewestShapes ? widest : nil
    }

    private var untested: DesignOutlook.Shape? {
        widest.map { DesignOutlook.Shape(layers: spots[$0.place].layers, dim: spots[$0.place].dim) }
    }

    /// The cheapest training that leaves nothing too far where most is now; else the one that is far from all others for its
    /// seconds.
    func test(_ isAffordable: (DesignTrial) -> Bool) -> DesignTrial? {
        guard let widest else { return nil }
        let open = gaps.map { (trial: trial($0.place), place: $0.place, gap: $0.gap) }.filter { isAffordable($0.trial) }
        if widest.gap > reach {
            let close = open.filter { distance($0.place, widest.place) <= reach }
            if let cheapest = close.min(by: { design.space.seconds($0.trial) < design.space.seconds($1.trial) }) {
                return cheapest.trial
            }
        }
        let scores = open.map { $0.gap / pow(max(design.space.seconds($0.trial), 1e-3), SequentialDesign.costExponent) }
        return zip(open, scores).max { $0.1 < $1.1 }?.0.trial
    }

    /// The next training of the best shape while it has fewer than two.
    var repeatOfBest: DesignTrial? {
        spots[best].trainings < min(2, design.space.mostSeeds) ? trial(best) : nil
    }

    /// The first training of the affordable shape with the largest prediction, where that is above those of all that are tried.
    func promising(_ isAffordable: (DesignTrial) -> Bool) -> DesignTrial? {
        let tried = asked.filter { spots[$0].trainings > 0 }.map { posterior.means[$0] }.max() ?? -.infinity
        let place = asked.filter {
            spots[$0].trainings == 0 && posterior.means[$0] > tried && isAffordable(trial($0))
        }.max { posterior.means[$0] < posterior.means[$1] }
        return place.map(trial)
    }

    private func trial(_ place: Int) -> DesignTrial {
        let spot = spots[place]
        var seed = design.space.firstSeed
        while spot.seeds.contains(seed) { seed += 1 }
        return DesignTrial(layers: spot.layers, dim: spot.dim, userFraction: spot.userFraction, seed: seed)
    }

    /// The training with the largest score among the affordable that take away enough of what may be lost.
    func best(_ isAffordable: (DesignTrial) -> Bool) -> (place: Int, trial: DesignTrial, isRepeat: Bool)? {
        // Shares of the users cost nearly what all of them do, as patience counts steps, and tell less.
        let rivals = asked.filter { $0 != best }.map { t in
            let mean = posterior.means[t] - posterior.means[best]
            let variance = posterior.differenceVariance(t, best)
            return (place: t, mean: mean, variance: variance, loss: expectedExcess(mean: mean, variance: variance))
        }
        let least = Self.leastGain * rivals.reduce(0) { $0 + $1.loss }
        var found: (score: Double, place: Int)?
        for place in spots.indices
        where spots[place].userFraction == 1 && spots[place].trainings < design.space.mostSeeds && isNear[place] {
            let trial = trial(place)
            guard isAffordable(trial) else { continue }
            var gain = 0.0
            for rival in rivals {
                let taken = posterior.reduction(rival.place, best, by: place, noise: noise)
                gain += rival.loss - expectedExcess(mean: rival.mean, variance: rival.variance - taken)
            }
            guard gain > least else { continue }
            let score = gain / pow(max(design.space.seconds(trial), 1e-3), SequentialDesign.costExponent)
            if score > found?.score ?? 0 { found = (score, place) }
        }
        return found.map { ($0.place, trial($0.place), spots[$0.place].trainings > 0) }
    }

    /// Goes on as if the next training of a place had measured what is expected there.
    mutating func take(_ place: Int) {
        posterior.condition(on: place, noise: noise)
        spots[place].seeds.insert(trial(place).seed)
    }
}
