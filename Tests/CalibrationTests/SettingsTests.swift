import Calibration
import Foundation
import Testing
import Trials

@testable import Domain
import StrictJSON
@testable import Wire

@Suite struct SettingsTests {
    private static func settings(_ params: CalibrationParams, workers: Int = 4) throws -> CalibrationSettings {
        try CalibrationSettings(params, trained: trainedFacts, mask: .window, availableWorkers: workers)
    }

    @Test("a request that says nothing gets the documented values")
    func defaults() throws {
        let settings = try Self.settings(CalibrationParams(name: "books"))
        #expect(settings.dataset == "books")
        #expect(settings.budgetSeconds == 600)
        #expect(settings.backbone == .sasrec)
        #expect(settings.loss == .cce)
        #expect(settings.maxLength == 50)
        #expect(settings.heads == 2)
        #expect(settings.layers == nil && settings.dims == nil)
        #expect(settings.seed == 1)
        #expect(settings.workers == 4)
        #expect(settings.mask == .window)
        #expect(settings.options == Recipe.standard.options(trainedFacts, loss: .cce))
    }

    @Test("what a request says is taken, levels in order and once, workers at most the daemon's")
    func values() throws {
        let settings = try Self.settings(
            CalibrationParams(
                name: "books", budgetSeconds: 1, recipe: .published, loss: .bce, maxLength: 20, heads: 4,
                layers: [4, 1, 4], dims: [32, 8],
                seed: 0, workers: 9, stopMetric: Metric(.hr, 5), patience: 1, maxEpochs: 1, learningRate: 1, dropout: 0,
                batchUsers: 1, negatives: 1_000))
        #expect(settings.layers == [1, 4])
        #expect(settings.dims == [8, 32])
        #expect(settings.workers == 4)
        #expect(settings.seed == 0)
        #expect(
            settings.configuration(layers: 4, dim: 8)
                == Configuration(layers: 4, dim: 8, heads: 4, maxLength: 20, loss: .bce))
        #expect(
            settings.options
                == TrainingOptions(
                    learningRate: 1, batchUsers: 1, dropout: 0, negatives: 1_000, maxEpochs: 1, patience: 1,
                    stopMetric: Metric(.hr, 5)))
        var standard = Recipe.standard.options(trainedFacts, loss: .sampledSoftmax)
        standard.dropout = 0.1
        standard.patience = 6
        #expect(
            try Self.settings(
                CalibrationParams(name: "books", loss: .sampledSoftmax, patience: 6, dropout: 0.1)
            ).options == standard)
        #expect(try Self.settings(CalibrationParams(name: "books", workers: 2)).workers == 2)
    }

    @Test("the paper's grid has its 24 points, and as many heads as fit each dimension, in one key of its own")
    func paper() throws {
        let settings = try Self.settings(CalibrationParams(name: "b", heads: 8, grid: .paper))
        #expect(settings.layers == [4, 8, 12, 16, 24, 32])
        #expect(settings.dims == [25, 50, 75, 100])
        #expect(!settings.isSequential)
        let shapes = [25, 50, 75, 100].map { settings.configuration(layers: 4, dim: $0) }
        #expect(shapes.map(\.heads) == [5, 5, 5, 5])
        #expect(shapes.allSatisfy { $0.problem == nil })
        let two = try Self.settings(CalibrationParams(name: "b", grid: .paper))
        #expect([25, 50, 75, 100].map { two.configuration(layers: 4, dim: $0).heads } == [1, 2, 1, 2])
        func key(_ settings: CalibrationSettings, _ dim: Int) -> LawKey {
            settings.spec(
                corpus: "c",
                PlannedTrial(
                    configuration: settings.configuration(layers: 4, dim: dim), userFraction: 1, seed: 1,
                    predictedEpochs: 1, predictedSeconds: 1)
            ).lawKey(datasetVersion: "v", filter: "")
        }
        #expect(key(two, 25) == key(two, 50))
        #expect(key(two, 25).policy.heads == .atMost(2))
        #expect(key(two, 50) != key(try Self.settings(CalibrationParams(name: "b", dims: [50])), 50))
        let planner = CalibrationPlanner(settings: settings, epochs: 1) { _, _ in (1, 0) }
        let plan = planner.plan()
        #expect(plan.trials.count == 24)
        #expect(Set(plan.trials.map { [$0.configuration.layers, $0.configuration.dim] }).count == 24)
        #expect(plan.trials.allSatisfy { $0.userFraction == 1 })
    }

    @Test("without levels trials are chosen one at a time, for the limits and the tolerance that are asked for")
    func sequential() throws {
        let settings = try Self.settings(
            CalibrationParams(name: "b", maxParams: 2e6, maxLatencySeconds: 0.005, tolerance: 0.02))
        #expect(settings.isSequential)
        #expect(settings.asked == Budget(maxParameters: 2e6, maxLatencySeconds: 0.005))
        #expect(settings.tolerance == 0.02)
        #expect(try Self.settings(CalibrationParams(name: "b")).tolerance == 0.01)
        #expect(try !Self.settings(CalibrationParams(name: "b", layers: [1, 2])).isSequential)
        #expect(try !Self.settings(CalibrationParams(name: "b", dims: [16])).isSequential)
    }

    @Test("whatever numbers a request holds, it is refused by name or becomes trials that a worker accepts")
    func extremes() {
        var random = SplitMix64(seed: 17)
        func pick<Value>(_ values: [Value]) -> Value? {
            let place = Int(random.next() % UInt64(4 * values.count))
            return place < values.count ? values[place] : nil
        }
        let integers = [Int.min, -1, 0, 1, 2, 7, 64, 128, 4_096, 65_536, 1_000_000_000, 1_000_000_001, 1 << 32, .max]
        let numbers = [
            -.infinity, -Double.greatestFiniteMagnitude, -1, 0, .leastNonzeroMagnitude, 0.5, 1, 60, 1e18, 1e19,
            .greatestFiniteMagnitude,
            .infinity, .nan,
        ]
        var accepted = 0
        for _ in 0..<100_000 {
            var params = CalibrationParams(name: "b")
            params.budgetSeconds = pick(numbers)
            (params.maxLength, params.heads) = (pick(integers), pick(integers))
            (params.layers, params.dims) = (pick(integers.map { [$0, 2] }), pick(integers.map { [$0, 64] }))
            (params.seed, params.workers) = (pick(integers), pick(integers))
            (params.patience, params.maxEpochs, params.scheduleEpochs) = (
                pick(integers), pick(integers), pick(integers)
            )
            (params.batchUsers, params.negatives) = (pick(integers), pick(integers))
            (params.learningRate, params.dropout, params.warmup) = (pick(numbers), pick(numbers), pick(numbers))
            (params.weightDecay, params.clipNorm, params.tolerance) = (pick(numbers), pick(numbers), pick(numbers))
            (params.maxParams, params.maxTrainSeconds) = (pick(numbers), pick(numbers))
            params.backbone = pick(Model.trainable)
            params.loss = pick(Loss.allCases)
            // Most members are left alone, or next to nothing would be accepted.
            if random.next() % 4 > 0 {
                let kept = params
                params = CalibrationParams(name: "b")
                switch random.next() % 6 {
                case 0: (params.patience, params.maxEpochs) = (kept.patience, kept.maxEpochs)
                case 1: (params.layers, params.dims, params.heads) = (kept.layers, kept.dims, kept.heads)
                case 2: (params.budgetSeconds, params.scheduleEpochs) = (kept.budgetSeconds, kept.scheduleEpochs)
                case 3: (params.learningRate, params.batchUsers) = (kept.learningRate, kept.batchUsers)
                case 4: (params.negatives, params.loss, params.warmup) = (kept.negatives, kept.loss, kept.warmup)
                default: (params.seed, params.workers, params.maxLength) = (kept.seed, kept.workers, kept.maxLength)
                }
            }
            guard
                let settings = try? CalibrationSettings(
                    params, trained: trainedFacts, mask: .full, availableWorkers: 2)
            else { continue }
            accepted += 1
            let (layers, dim) = (
                settings.layers?.last ?? 2, settings.dims?.last ?? 64 / settings.dimStep * settings.dimStep
            )
            guard dim > 0 else { continue }
            let trial = PlannedTrial(
                configuration: settings.configuration(layers: layers, dim: dim), userFraction: 1, seed: settings.seed,
                predictedEpochs: 1, predictedSeconds: 1)
            let spec = settings.spec(corpus: "/c", trial)
            #expect(spec.problem == nil, "\(spec.problem ?? "")")
        }
        #expect(accepted > 5_000 && accepted < 95_000, "\(accepted) of 100000 were accepted")
    }

    private static let refused: [(field: String, found: String, params: CalibrationParams)] = [
        ("budgetSeconds", "0.5", CalibrationParams(name: "b", budgetSeconds: 0.5)),
        ("budgetSeconds", "-600.0", CalibrationParams(name: "b", budgetSeconds: -600)),
        ("budgetSeconds", "2592001.0", CalibrationParams(name: "b", budgetSeconds: 2_592_001)),
        ("budgetSeconds", "nan", CalibrationParams(name: "b", budgetSeconds: .nan)),
        ("budgetSeconds", "inf", CalibrationParams(name: "b", budgetSeconds: .infinity)),
        ("maxLength", "0", CalibrationParams(name: "b", maxLength: 0)),
        ("maxLength", "4097", CalibrationParams(name: "b", maxLength: 4_097)),
        ("heads", "0", CalibrationParams(name: "b", heads: 0)),
        ("heads", "2", CalibrationParams(name: "b", backbone: .llama, heads: 2, dims: [16, 18])),
        ("heads", "-2", CalibrationParams(name: "b", heads: -2)),
        ("heads", "5000", CalibrationParams(name: "b", heads: 5_000)),
        ("heads", "3", CalibrationParams(name: "b", heads: 3, dims: [32])),
        ("layers", "no level", CalibrationParams(name: "b", layers: [])),
        ("layers", "0", CalibrationParams(name: "b", layers: [2, 0])),
        ("layers", "129", CalibrationParams(name: "b", layers: [129])),
        ("dims", "no level", CalibrationParams(name: "b", dims: [])),
        ("dims", "0", CalibrationParams(name: "b", dims: [0, 16])),
        ("dims", "-16", CalibrationParams(name: "b", dims: [-16])),
        ("dims", "4098", CalibrationParams(name: "b", dims: [16, 4_098])),
        ("grid", "levels beside it", CalibrationParams(name: "b", layers: [1], grid: .paper)),
        ("tolerance", "-0.1", CalibrationParams(name: "b", tolerance: -0.1)),
        ("tolerance", "1.5", CalibrationParams(name: "b", tolerance: 1.5)),
        ("maxParams", "0.0", CalibrationParams(name: "b", maxParams: 0)),
        ("maxTrainSeconds", "-1.0", CalibrationParams(name: "b", maxTrainSeconds: -1)),
        ("seed", "-1", CalibrationParams(name: "b", seed: -1)),
        ("workers", "0", CalibrationParams(name: "b", workers: 0)),
        ("workers", "-1", CalibrationParams(name: "b", workers: -1)),
        ("patience", "0", CalibrationParams(name: "b", patience: 0)),
        ("patience", "9223372036854775807", CalibrationParams(name: "b", patience: .max)),
        ("maxEpochs", "9223372036854775807", CalibrationParams(name: "b", maxEpochs: .max)),
        ("scheduleEpochs", "9223372036854775807", CalibrationParams(name: "b", scheduleEpochs: .max)),
        ("maxEpochs", "0", CalibrationParams(name: "b", maxEpochs: 0)),
        ("learningRate", "0.0", CalibrationParams(name: "b", learningRate: 0)),
        ("learningRate", "1.5", CalibrationParams(name: "b", learningRate: 1.5)),
        ("learningRate", "nan", CalibrationParams(name: "b", learningRate: .nan)),
        ("dropout", "1.0", CalibrationParams(name: "b", dropout: 1)),
        ("dropout", "-0.1", CalibrationParams(name: "b", dropout: -0.1)),
        ("batchUsers", "0", CalibrationParams(name: "b", batchUsers: 0)),
        ("batchUsers", "65537", CalibrationParams(name: "b", batchUsers: 65_537)),
        ("negatives", "0", CalibrationParams(name: "b", negatives: 0)),
        ("negatives", "65537", CalibrationParams(name: "b", negatives: 65_537)),
        ("weightDecay", "-1.0", CalibrationParams(name: "b", weightDecay: -1)),
        ("clipNorm", "-1.0", CalibrationParams(name: "b", clipNorm: -1)),
        ("warmup", "1.5", CalibrationParams(name: "b", warmup: 1.5)),
        ("scheduleEpochs", "-1", CalibrationParams(name: "b", scheduleEpochs: -1)),
    ]

    @Test(
        "a value that cannot be used is refused with its member, what was found and what was expected",
        arguments: refused)
    func refusals(field: String, found: String, params: CalibrationParams) {
        let error = #expect(throws: RPCError.self) { try Self.settings(params) }
        #expect(error?.code == ErrorCode.invalidParams.rawValue)
        #expect(error?.message.hasPrefix("\(field): found \(found), expected ") == true, "\(error?.message ?? "")")
        #expect(error?.data?["field"] == .string(field))
    }

    @Test("trials are the settings' own, and those that differ in anything but the shape are not compared")
    func specs() throws {
        let planned = PlannedTrial(
            configuration: Configuration(layers: 3, dim: 16), userFraction: 0.5, seed: 9, predictedEpochs: 1,
            predictedSeconds: 1)
        let spec = try Self.settings(CalibrationParams(name: "books", recipe: .published, seed: 9)).spec(
            corpus: "/c", planned)
        #expect(
            spec
                == TrialSpec(
                    corpus: "/c", configuration: planned.configuration, options: TrainingOptions(), seed: 9,
                    userFraction: 0.5, mask: .window))
        let key = spec.lawKey(datasetVersion: "v", filter: "none")
        // As it stood before there were recipes: what was trained then goes on to count.
        #expect(
            key.policy.text
                == "adamw lr=0.001 wd=0.0 betas=0.9,0.999 clip=0.0 batch=256 dropout=0.5 heads=2 stop=ndcg@10 patience=10 "
                + "epochs<=200")
        var same = spec
        same.configuration.layers = 1
        same.configuration.dim = 64
        same.userFraction = 1
        same.seed = 2
        same.corpus = "/elsewhere"
        same.maxSeconds = 3
        #expect(same.lawKey(datasetVersion: "v", filter: "none") == key)
        #expect(spec.lawKey(datasetVersion: "w", filter: "none") != key)
        #expect(spec.lawKey(datasetVersion: "v", filter: "k-core=5") != key)
        let changes: [(inout TrialSpec) -> Void] = [
            { $0.mask = .full }, { $0.configuration.loss = .bce }, { $0.configuration.maxLength = 20 },
            { $0.configuration.heads = 4 }, { $0.options.learningRate = 0.1 }, { $0.options.batchUsers = 1 },
            { $0.options.dropout = 0 }, { $0.options.patience = 1 }, { $0.options.maxEpochs = 1 },
            { $0.options.stopMetric = Metric(.hr, 1) }, { $0.options.weightDecay = 1 }, { $0.options.clipNorm = 1 },
            { $0.options.warmup = 0.1 }, { $0.options.schedule = .cosine }, { $0.options.widthRule = .mup },
            { $0.sampledRanking = 100 }, { $0.configuration.loss = .sampledSoftmax },
            { $0.options.recipe = .standard }, { $0.options.itemRate = 8 }, { $0.options.averaging = 0.1 },
            { $0.options.initialisation = .residual }, { $0.options.warmupSteps = 100 },
            { $0.options.patienceSteps = 300 }, { $0.options.patienceShare = 0.3 }, { $0.options.leastGain = 0.01 },
        ]
        for (number, change) in changes.enumerated() {
            var other = spec
            change(&other)
            #expect(other.lawKey(datasetVersion: "v", filter: "none") != key, "change \(number)")
        }
        // How rows are updated changes no result but by rounding; options of other losses change none.
        for change: (inout TrialSpec) -> Void in [
            { $0.options.itemUpdate = .dense }, { $0.options.calibration = 0.1 }, { $0.options.sampling = .uniform },
            { $0.options.scheduleEpochs = 7 },
        ] {
            var other = spec
            change(&other)
            #expect(other.lawKey(datasetVersion: "v", filter: "none") == key)
        }
        var gbce = spec
        gbce.configuration.loss = .gbce
        var other = gbce
        other.options.calibration = 0.1
        #expect(gbce.lawKey(datasetVersion: "v", filter: "none") != other.lawKey(datasetVersion: "v", filter: "none"))
        var sampled = spec
        sampled.configuration.loss = .sampledSoftmax
        other = sampled
        other.options.sampling = .uniform
        #expect(
            sampled.lawKey(datasetVersion: "v", filter: "none") != other.lawKey(datasetVersion: "v", filter: "none"))
        // The losses over all items draw no negatives.
        var more = spec
        more.options.negatives = 5
        #expect(more.lawKey(datasetVersion: "v", filter: "none") == key)
        more.configuration.loss = .bce
        var bce = spec
        bce.configuration.loss = .bce
        #expect(more.lawKey(datasetVersion: "v", filter: "none") != bce.lawKey(datasetVersion: "v", filter: "none"))
    }

    @Test("options stored before there was a choice mean what training did then")
    func olderOptions() throws {
        let options = TrainingOptions(learningRate: 0.003, negatives: 4)
        var members = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(options)) as? [String: Any])
        for name in [
            "warmup", "schedule", "scheduleEpochs", "widthRule", "itemUpdate", "calibration", "sampling",
            "initialisation", "averaging", "itemRate", "warmupSteps", "patienceSteps", "patienceShare", "leastGain",
            "recipe",
        ] {
            #expect(members.removeValue(forKey: name) != nil, "\(name)")
        }
        var expected = options
        expected.itemUpdate = .dense
        let data = try JSONSerialization.data(withJSONObject: members)
        #expect(try JSONDecoder().decode(TrainingOptions.self, from: data) == expected)
        #expect(try JSONDecoder().decode(TrainingOptions.self, from: JSONEncoder().encode(options)) == options)
    }

    @Test(
        "the standard recipe's batch has about 1,500 positions, and an epoch 24 steps",
        arguments: [
            // tokens, users, users of a batch
            (128_031, 22_363, 262), (24_893, 1_090, 45), (3_255, 733, 31), (40, 10, 1), (1, 1, 1),
            (60_000_000, 1_000_000, 25),
        ])
    func batch(tokens: Int, users: Int, expected: Int) {
        let options = Recipe.standard.options(Recipe.Facts(tokens: tokens, users: users), loss: .cce)
        #expect(options.batchUsers == expected)
        #expect(options.problem == nil && options.recipe == .standard)
        #expect(Recipe.published.options(Recipe.Facts(tokens: tokens, users: users), loss: .cce) == TrainingOptions())
    }
}

/// What the recipe is told of the data in these tests.
let trainedFacts = Recipe.Facts(tokens: 30_000, users: 1_000)
