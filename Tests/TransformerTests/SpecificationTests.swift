import Foundation
import Testing
import Trials

@testable import Domain

/// What a specification may hold, and that it is asked before anything is computed from it.
@Suite struct SpecificationTests {
    private static let good = TrialSpec(
        corpus: "/c", configuration: Configuration(layers: 1, dim: 4, maxLength: 6), options: TrainingOptions(),
        seed: 1,
        mask: .none)

    typealias Change = @Sendable (inout TrialSpec) -> Void

    private static let refused: [(String, Change)] = [
        ("corpus: found no path", { $0.corpus = "" }), ("corpus: found no path", { $0.corpus = "/c\0/d" }),
        ("layers: found 0", { $0.configuration.layers = 0 }),
        ("layers: found 9223372036854775807", { $0.configuration.layers = .max }),
        ("dim: found 4097", { $0.configuration.dim = 4_097 }), ("heads: found -1", { $0.configuration.heads = -1 }),
        ("maxLength: found 4097", { $0.configuration.maxLength = 4_097 }),
        ("feedForwardFactor: found nan", { $0.configuration.feedForwardFactor = .nan }),
        ("userFraction: found 0.0", { $0.userFraction = 0 }), ("userFraction: found nan", { $0.userFraction = .nan }),
        ("userFraction: found inf", { $0.userFraction = .infinity }),
        ("maxSeconds: found -1.0", { $0.maxSeconds = -1 }), ("maxSeconds: found nan", { $0.maxSeconds = .nan }),
        ("checkpointSeconds: found -1.0", { $0.checkpointSeconds = -1 }),
        ("sampledRanking: found 0", { $0.sampledRanking = 0 }),
        ("sampledRanking: found 9223372036854775807", { $0.sampledRanking = .max }),
        ("mostHeads: found 4097", { $0.mostHeads = 4_097 }),
        ("patience: found 0", { $0.options.patience = 0 }),
        ("patience: found 9223372036854775807, expected 1 to 1000000000", { $0.options.patience = .max }),
        ("maxEpochs: found 9223372036854775807", { $0.options.maxEpochs = .max }),
        ("scheduleEpochs: found 1000000001", { $0.options.scheduleEpochs = 1_000_000_001 }),
        ("scheduleEpochs: found -1", { $0.options.scheduleEpochs = -1 }),
        ("batchUsers: found 65537", { $0.options.batchUsers = 65_537 }),
        ("negatives: found -9223372036854775808", { $0.options.negatives = .min }),
        ("patienceSteps: found -1", { $0.options.patienceSteps = -1 }),
        ("warmupSteps: found 1000000001", { $0.options.warmupSteps = 1_000_000_001 }),
        ("learningRate: found inf", { $0.options.learningRate = .infinity }),
        ("learningRate: found nan", { $0.options.learningRate = .nan }),
        ("learningRate: found 1e+31", { $0.options.learningRate = 1e31 }),
        ("weightDecay: found inf", { $0.options.weightDecay = .infinity }),
        ("clipNorm: found nan", { $0.options.clipNorm = .nan }), ("dropout: found 1.0", { $0.options.dropout = 1 }),
        ("epsilon: found inf", { $0.options.epsilon = .infinity }), ("beta1: found 1.0", { $0.options.beta1 = 1 }),
        ("beta2: found 0.0", { $0.options.beta2 = 0 }), ("warmup: found 1.5", { $0.options.warmup = 1.5 }),
        ("averaging: found 0.6", { $0.options.averaging = 0.6 }),
        ("patienceShare: found nan", { $0.options.patienceShare = .nan }),
        ("leastGain: found 2.0", { $0.options.leastGain = 2 }),
        ("itemRate: found 1001.0", { $0.options.itemRate = 1_001 }),
        ("initialDeviation: found 0.0", { $0.options.initialDeviation = 0 }),
        ("calibration: found -0.5", { $0.options.calibration = -0.5 }),
    ]

    @Test(
        "every number of a specification has its bounds, and a refusal names it, what was found and what was expected")
    func bounds() {
        #expect(Self.good.problem == nil)
        for (text, change) in Self.refused {
            var spec = Self.good
            change(&spec)
            #expect(spec.problem?.hasPrefix(text) == true, "\(text): \(spec.problem ?? "accepted")")
            #expect(spec.problem?.contains("expected") == true)
        }
    }

    @Test("numbers at their bounds are accepted")
    func atBounds() {
        var spec = Self.good
        spec.configuration = Configuration(layers: 128, dim: 4_096, heads: 4_096, maxLength: 4_096)
        spec.options.patience = 1_000_000_000
        spec.options.maxEpochs = 1_000_000_000
        spec.options.scheduleEpochs = 1_000_000_000
        spec.options.batchUsers = 65_536
        spec.options.negatives = 65_536
        spec.options.learningRate = 1e30
        (spec.userFraction, spec.maxSeconds, spec.checkpointSeconds) = (1, .infinity, .infinity)
        #expect(spec.problem == nil)
    }

    @Test("a specification that cannot be trained is refused where it is read")
    func reading() throws {
        try withTemporaryFolder { folder in
            let directory = TrialDirectory(path: folder)
            try directory.writeSpec(Self.good)
            #expect(try directory.readSpec() == Self.good)
            for (text, change) in Self.refused {
                var spec = Self.good
                change(&spec)
                // What JSON has no number for cannot be written, and not be read either.
                guard (try? directory.writeSpec(spec)) != nil else { continue }
                let error = #expect(throws: TrialFileError.self) { try directory.readSpec() }
                #expect(error?.description.hasPrefix("\(directory.specPath): \(text)") == true, "\(text)")
            }
            let whole = try String(contentsOfFile: directory.specPath, encoding: .utf8)
            for number in ["1e999", "9223372036854775808", "-9223372036854775809", "1.5"] {
                let text = whole.replacingOccurrences(of: "\"seed\" : 1", with: "\"seed\" : \(number)")
                #expect(text != whole)
                try text.write(toFile: directory.specPath, atomically: false, encoding: .utf8)
                #expect(throws: TrialFileError.self) { try directory.readSpec() }
            }
        }
    }

    @Test("conversions of numbers that no whole number is near give the nearest there is")
    func conversions() {
        for (value, nearest, towardZero, up) in [
            (2.5, 3, 2, 3), (-2.5, -3, -2, -2), (0.2, 0, 0, 1), (-0.7, -1, 0, 0), (9.3e18, Int.max, .max, .max),
            (-9.3e18, .min, .min, .min), (Double.infinity, .max, .max, .max), (-Double.infinity, .min, .min, .min),
            (Double.nan, 0, 0, 0), (0x1p63, .max, .max, .max), (-0x1p63, .min, .min, .min),
            (0x1.fffffffffffffp62, 9_223_372_036_854_774_784, 9_223_372_036_854_774_784, 9_223_372_036_854_774_784),
        ] {
            #expect(Int(nearest: value) == nearest, "\(value)")
            #expect(Int(towardZero: value) == towardZero, "\(value)")
            #expect(Int(up: value) == up, "\(value)")
        }
    }
}
