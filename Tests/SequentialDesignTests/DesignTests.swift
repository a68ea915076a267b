import DesignReplay
import Domain
import Foundation
import SequentialDesign
import Testing

@testable import PerformanceLaws

@Suite struct DesignTests {
    static let metric = Metric(.ndcg, 10)
    static let tokens = 100_000

    static func seconds(_ n: Int, _ d: Int, _ share: Double) -> Double {
        share * (30 + 6 * Double(d)) * Double(n).squareRoot()
    }

    static func space(_ isEligible: @escaping @Sendable (Int, Int) -> Bool = { _, _ in true }) -> DesignSpace {
        DesignSpace(
            layers: [1, 2, 3, 4, 6, 8], dims: [16, 24, 32, 48, 64, 96, 128], fractions: [0.125, 0.25, 0.5, 1],
            effectiveTokens: Double(tokens) / 2, seconds: { seconds($0, $1, $2) }, isEligible: isEligible)
    }

    /// Peaks at 3 x 48 and grows with the data.
    static func truth(_ trial: DesignTrial) -> Double {
        let (u, v) = (log(Double(trial.layers) / 3), log(Double(trial.dim) / 48))
        return 0.1 - 0.004 * u * u - 0.006 * v * v + 0.01 * log(trial.userFraction)
    }

    static func observe(_ trials: [DesignTrial], error: Double = 0.0005) -> [Observation] {
        let key = LawKey(
            datasetVersion: .said("v"), split: .said("leave-two-out"), mask: .said(.full), candidates: .said("all"),
            backbone: .said(.sasrec), loss: .said(.core(.cce)),
            negatives: .said(0), maxLength: .said(50), policy: TrainingPolicy("p"), codeVersion: .said("1"))
        return trials.enumerated().map { id, trial in
            // A fixed scatter of the size of the error.
            let scatter = error * sin(Double(trial.layers * 7 + trial.dim * 13 + Int(trial.seed) * 29))
            return Observation(
                id: Int64(id), dataset: "d", key: key,
                configuration: DeclaredConfiguration(Configuration(layers: trial.layers, dim: trial.dim)),
                tokens: .said(Int(Double(tokens) * trial.userFraction)), apen: .said(2),
                userFraction: trial.userFraction,
                seed: trial.seed, users: 1_000,
                metrics: [metric.description: Measurement(value: truth(trial) + scatter, standardError: error)],
                epochs: 10, seconds: 1, converged: true, job: nil, trial: nil)
        }
    }

    static func fit(_ trials: [DesignTrial]) throws -> LawFit {
        try LawFitter(metric: metric, draws: 0).fit(observe(trials))
    }

    static func law(_ trials: [DesignTrial], error: Double = 0.0005) throws -> LawFit? {
        trials.count < 3 ? nil : try LawFitter(metric: metric, draws: 0).fit(observe(trials, error: error))
    }

    /// Shapes that tell both axes apart, shares of the users, and repeats.
    static let start: [DesignTrial] =
        [(8, 16), (3, 48), (1, 128), (1, 16), (8, 128)].map { DesignTrial(layers: $0.0, dim: $0.1, seed: 1) }
        + [0.5, 0.25, 0.125].map { DesignTrial(layers: 3, dim: 48, userFraction: $0, seed: 1) }
        + [2, 3].map { DesignTrial(layers: 3, dim: 48, seed: $0) }

    @Test(
        "the standard shape comes first where limits and budget leave it; else the best that they leave; else the cheapest"
    )
    func first() throws {
        func first(_ isEligible: @escaping @Sendable (Int, Int) -> Bool = { _, _ in true }, within limit: Double)
            -> [Int]?
        {
            Self.space(isEligible).first(law: Self.prior.law(Self.metric)) {
                Self.seconds($0.layers, $0.dim, 1) <= limit
            }.map { [$0.layers, $0.dim] }
        }
        #expect(first(within: 10_000) == [2, 64])
        // It takes 585 s.
        #expect(first(within: 586) == [2, 64])
        let paid = try #require(first(within: 500))
        #expect(Self.seconds(paid[0], paid[1], 1) <= 500 && paid[1] >= 32)
        // Nothing is paid for: it is trained as far as it goes.
        #expect(first(within: 1) == [2, 64])
        #expect(first({ n, d in n * d <= 48 }, within: 1) == [1, 16])
        #expect(first({ n, d in d < 64 }, within: 10_000)?[1] ?? 99 < 64)
        #expect(first({ _, _ in false }, within: 10_000) == nil)
    }

    /// Flat above 32, and 10 % less at 16.
    static let prior = LawPrior(
        shapes: [1, 2, 4, 8].flatMap { n in
            [16, 32, 64, 128].map { d in
                LawPrior.Shape(layers: n, dim: d, ratio: d == 16 ? -0.1 : d == 32 ? -0.02 : 0, deviation: 0.04)
            }
        }, datasets: 9, level: log(0.1), levelDeviation: 0.7, trainingDeviation: 0.01,
        effectiveTokens: Double(tokens) / 2)

    @Test("what other datasets let expect is enough to choose by, from the first training on")
    func fromOthers() throws {
        let space = Self.space()
        let home = DesignTrial(layers: 2, dim: 64, seed: 1)
        let design = SequentialDesign(space: space, start: [home])
        let before = try #require(Self.prior.law(Self.metric))
        #expect(design.next(law: before, measured: []) { _ in true } == .train(home, reason: "start"))
        guard case .train(let beside, _) = design.next(law: before, measured: [], running: [home], pays: { _ in true })
        else { throw Failure("a second worker is left idle") }
        #expect(beside.dim >= 24 && beside.userFraction == 1)
        let one = try LawFitter(metric: Self.metric, draws: 0).fit(Self.observe([home]), prior: Self.prior)
        guard case .train(let next, _) = design.next(law: one, measured: [home], pays: { _ in true }) else {
            throw Failure("nothing is worth trying after one training")
        }
        #expect(next != home && next.dim >= 24)
        // Nothing within their reach is called untested.
        #expect(design.outlook(law: one, measured: [home])?.untested == nil)
    }

    @Test(
        "a good answer is tried on shares of the users before the rest of a budget is left: they show what more data would do"
    )
    func data() throws {
        let design = SequentialDesign(space: Self.space(), start: [], tolerance: 1)
        let trials = [(2, 64), (4, 64), (2, 128), (4, 32), (1, 64), (8, 128)].flatMap { shape in
            [1, 2].map { DesignTrial(layers: shape.0, dim: shape.1, seed: $0) }
        }
        var measured = trials
        var shares: [Double] = []
        var step = DesignStep.wait
        for _ in 0..<12 {
            let law = try LawFitter(metric: Self.metric, draws: 0).fit(Self.observe(measured), prior: Self.prior)
            step = design.next(law: law, measured: measured) { _ in true }
            guard case .train(let trial, let reason) = step else { break }
            if reason == "data" { shares.append(trial.userFraction) }
            measured.append(trial)
        }
        #expect(shares == [0.5, 0.25])
        #expect(step == .enough)
    }

    @Test(
        "where nothing can be paid for to its end, what tells most is begun and cut short, and nothing is begun that would tell nothing"
    )
    func short() throws {
        let home = DesignTrial(layers: 2, dim: 64, seed: 1)
        let design = SequentialDesign(space: Self.space(), start: [home])
        let law = try LawFitter(metric: Self.metric, draws: 0).fit(Self.observe([home]), prior: Self.prior)
        let step = design.next(
            law: law, measured: [home], pays: { _ in false },
            paysMost: { SequentialDesign.leastPart * Self.seconds($0.layers, $0.dim, 1) <= 200 })
        guard case .train(let trial, "short") = step else { throw Failure("found \(step)") }
        #expect(Self.seconds(trial.layers, trial.dim, 1) <= 400)
        #expect(design.next(law: law, measured: [home], pays: { _ in false }) == .spent)
    }

    @Test("the same measurements give the same next training, in whatever order they were made")
    func deterministic() throws {
        let space = Self.space()
        let start = Self.start
        let design = SequentialDesign(space: space, start: start, tolerance: 0)
        let step = design.next(law: try Self.law(start), measured: start) { _ in true }
        #expect(step == design.next(law: try Self.law(start), measured: start.reversed()) { _ in true })
        guard case .train(let trial, _) = step else { throw Failure("found \(step)") }
        #expect(!start.contains(trial))
    }

    struct Failure: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    @Test("the start comes first, without what is known, and nothing is chosen that cannot be paid for")
    func order() throws {
        let space = Self.space()
        let start = Self.start
        let design = SequentialDesign(space: space, start: start)
        #expect(design.next(law: nil, measured: []) { _ in true } == .train(start[0], reason: "start"))
        #expect(
            design.next(law: nil, measured: [start[0]], running: [start[1]]) { _ in true }
                == .train(start[2], reason: "start"))
        #expect(design.next(law: nil, measured: [], running: Array(start)) { _ in true } == .wait)
        #expect(design.next(law: try Self.law(start), measured: start) { _ in false } == .spent)
        let cheap = design.next(law: try Self.law(start), measured: start) { trials in
            trials.reduce(0) { $0 + Self.seconds($1.layers, $1.dim, $1.userFraction) } <= 400
        }
        guard case .train(let trial, _) = cheap else { throw Failure("found \(cheap)") }
        #expect(Self.seconds(trial.layers, trial.dim, trial.userFraction) <= 400)
    }

    @Test("what would tell next to nothing is not trained, however cheap it is")
    func crumbs() throws {
        let space = Self.space()
        let all = space.layers.flatMap { n in space.dims.map { DesignTrial(layers: n, dim: $0, seed: 1) } }.filter {
            $0.layers * $0.dim <= 64
        }
        let design = SequentialDesign(space: space, start: [], tolerance: 0)
        let law = try Self.law(all)
        guard case .train = design.next(law: law, measured: all, pays: { _ in true }) else {
            throw Failure("something is to be learnt of the large ones")
        }
        let step = design.next(law: law, measured: all) { trials in
            trials.allSatisfy { $0.userFraction < 0.5 && $0.dim <= 16 && $0.layers == 1 }
        }
        #expect(step == .spent)
    }

    @Test("a training in progress is not asked for again, and what it will teach is not bought twice")
    func fantasies() throws {
        let space = Self.space()
        let start = Self.start
        let design = SequentialDesign(space: space, start: start, tolerance: 0)
        let law = try Self.law(start)
        var running: [DesignTrial] = []
        for _ in 0..<4 {
            guard
                case .train(let trial, _) = design.next(
                    law: law, measured: start, running: running, pays: { _ in true })
            else { throw Failure("nothing more") }
            #expect(!running.contains(trial) && !start.contains(trial))
            running.append(trial)
        }
        #expect(Set(running.map { [$0.layers, $0.dim] }).count >= 2)
    }

    @Test("trainings go where the budget that is asked about ends")
    func boundary() throws {
        func chosen(_ limit: Int) throws -> [DesignTrial] {
            let space = Self.space { n, d in n * d <= limit }
            var measured = Self.start
            let design = SequentialDesign(space: space, start: [], tolerance: 0)
            var chosen: [DesignTrial] = []
            for _ in 0..<6 {
                guard
                    case .train(let trial, _) = design.next(
                        law: try Self.law(measured), measured: measured, pays: { _ in true })
                else { break }
                chosen.append(trial)
                measured.append(trial)
            }
            return chosen
        }
        func size(_ trials: [DesignTrial]) -> Double {
            trials.reduce(0) { $0 + log(Double($1.layers * $1.dim)) } / Double(trials.count)
        }
        #expect(size(try chosen(48)) < size(try chosen(10_000)))
    }

    @Test("a good answer ends it, after the answer was trained twice; noise makes repeats worth their time")
    func ends() throws {
        let space = Self.space { n, d in n <= 4 && d <= 64 }
        let start = Self.start
        let design = SequentialDesign(space: space, start: start, tolerance: 0.01)
        var measured: [DesignTrial] = []
        var step = DesignStep.wait
        for _ in 0..<60 {
            step = design.next(law: try Self.law(measured), measured: measured) { _ in true }
            guard case .train(let trial, _) = step else { break }
            measured.append(trial)
        }
        #expect(step == .enough, "\(measured.count) trainings")
        let law = try Self.fit(measured)
        let outlook = try #require(design.outlook(law: law, measured: measured))
        #expect(outlook.relativeRegret <= 0.01)
        #expect(outlook.trained >= 2)
        let best = Self.truth(DesignTrial(layers: 3, dim: 48, seed: 1))
        #expect(Self.truth(DesignTrial(layers: outlook.layers, dim: outlook.dim, seed: 1)) > 0.98 * best)

        let noisy = SequentialDesign(space: space, start: [], tolerance: 0)
        var trials = space.layers.flatMap { n in space.dims.map { DesignTrial(layers: n, dim: $0, seed: 1) } }
        for _ in 0..<8 {
            guard
                case .train(let trial, _) = noisy.next(
                    law: try Self.law(trials, error: 0.01), measured: trials, pays: { _ in true })
            else { break }
            trials.append(trial)
        }
        #expect(trials.contains { $0.seed == 2 })
    }

    @Test("a law is believed as far as it was tested: what is far from all that was trained is trained first")
    func untested() throws {
        let space = Self.space()
        // Four shapes of one corner, and shares: sure of itself at this tolerance, as any law is.
        let corner = [(1, 16), (1, 24), (2, 16), (2, 24)].map { DesignTrial(layers: $0.0, dim: $0.1, seed: 1) }
        let design = SequentialDesign(space: space, start: [], tolerance: 1)
        let first = try #require(try design.outlook(law: Self.fit(corner), measured: corner))
        #expect(first.relativeRegret <= 1)
        #expect(first.untested.map { [$0.layers, $0.dim] } == [8, 128])
        var measured = corner
        var step = DesignStep.wait
        for _ in 0..<20 {
            step = design.next(law: try Self.law(measured), measured: measured) { _ in true }
            guard case .train(let trial, let reason) = step else { break }
            #expect(!measured.contains(trial))
            #expect(["test", "incumbent", "data"].contains(reason))
            measured.append(trial)
        }
        #expect(step == .enough, "\(measured)")
        #expect(measured.count <= 12)
        let largest = measured.map { max(log(8 / Double($0.layers)), log(128 / Double($0.dim))) }.min() ?? 9
        #expect(largest <= 2.1)
        #expect(try design.outlook(law: Self.fit(measured), measured: measured)?.untested == nil)

        // What cannot be paid for cannot be tested, and the answer says so.
        let poor = design.next(law: try Self.law(corner), measured: corner) { _ in false }
        #expect(poor == .spent)
        // Where nothing else is asked about, there is nothing to test.
        let known = SequentialDesign(space: Self.space { n, d in n <= 2 && d <= 24 }, start: [], tolerance: 1)
        #expect(try known.outlook(law: Self.fit(corner), measured: corner)?.untested == nil)
    }

    @Test("a training on a share of the users tells less of two shapes, the smaller the share")
    func shares() throws {
        let trials = Self.start
        #expect(Set(trials.map(\.userFraction)).count == 4)
        let tokens = Double(Self.tokens) / 2
        let shares = [1, 0.5, 0.25, 0.125]
        let joint = LawPredictor(try Self.fit(trials)).joint(
            [.init(layers: 3, dim: 48, effectiveTokens: tokens)]
                + shares.map { .init(layers: 8, dim: 128, effectiveTokens: tokens * $0) })
        let taken = shares.indices.map { joint.reduction(0, 1, by: $0 + 1, noise: 1e-7) }
        #expect(taken == taken.sorted(by: >), "\(taken)")
        #expect(taken[3] < 0.5 * taken[0], "\(taken)")
    }

    @Test("halving the regret has a price, which is more for a tenth of it and nothing without regret")
    func price() throws {
        let space = Self.space()
        let start = Self.start
        let design = SequentialDesign(space: space, start: start, tolerance: 0)
        let seconds = try #require(try design.secondsToHalve(law: Self.fit(start), measured: start))
        #expect(seconds > 10)
        // Paid for, the regret is less: the price was that of this many seconds of training.
        var measured = start
        var spent = 0.0
        let before = try #require(try design.outlook(law: Self.fit(start), measured: start)).expectedRegret
        while spent < seconds,
            case .train(let trial, _) = design.next(
                law: try Self.law(measured), measured: measured, pays: { _ in true })
        {
            measured.append(trial)
            spent += Self.seconds(trial.layers, trial.dim, trial.userFraction)
        }
        let after = try #require(try design.outlook(law: Self.fit(measured), measured: measured)).expectedRegret
        #expect(after < before)
        let single = SequentialDesign(space: Self.space { n, d in n == 2 && d == 32 }, start: [], tolerance: 0)
        #expect(try single.secondsToHalve(law: Self.fit(start), measured: start) == 0)
    }

    @Test(
        "with a tenth of the grid's cost, the sequential design's answers lose less than cheapest first and random",
        arguments: [1, 0.45])
    func beatsOthers(dearness: Double) throws {
        var sums: [String: Double] = [:]
        for seed in 1...24 as ClosedRange<UInt64> {
            let surface = StudySurface(
                seed: seed, dearness: dearness, layers: [1, 2, 4, 8], dims: [16, 32, 64, 128])
            let replay = DesignReplay(surface.trainings, metric: Self.metric)
            let budget = 0.1 * replay.totalSeconds
            for limit in [Double.infinity, 1.2e6, 0.5e6] {
                let strategies: [(String, DesignReplay.Strategy)] = [
                    ("sequential", .sequential), ("cheapest", .cheapestFirst), ("random", .random(seed: 1)),
                ]
                for (name, strategy) in strategies {
                    let outcome = try replay.run(strategy, budget: budget, maxParameters: limit)
                    #expect(outcome.seconds <= budget)
                    sums[name, default: 0] += outcome.relativeRegret / 72
                }
            }
        }
        let sequential = try #require(sums["sequential"])
        // Where a tenth pays three trainings or four, nothing has been learnt that could beat chance.
        #expect(sequential < (dearness == 1 ? 0.9 : 0.4) * (sums["cheapest"] ?? 0), "\(sums)")
        #expect(sequential < (dearness == 1 ? 0.95 : 1.25) * (sums["random"] ?? 0), "\(sums)")
    }
}
