import ArgumentParser
import Domain
import Glibc
import PerformanceLaws
import DesignReplay
import SequentialDesign

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Trainings with their curves as `Benchmarks/recipe` writes them, each up to where the standard recipe ends it.
struct CurveFile {
    let trainings: [DesignReplay.Training]
    let tokens: Double
    let popularity: Double
    let mask: CandidateMask

    /// - Parameters:
    ///   - sees: the target whose metric a search is told: validation, test.
    ///   - seeds: only those; all where empty.
    ///   - shapes: only those, as `2x64`; all where empty.
    ///
    /// - Throws: `ValidationError` for a file that is none, or has no such training of the backbone.
    init(path: String, backbone: String, sees: String, seeds: [UInt64], shapes: [String]) throws {
        let text = try String(decoding: Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        guard let header = lines.first else { throw ValidationError("\(path): is empty") }
        var trainings: [DesignReplay.Training] = []
        var tokens = 0.0
        var popularity = 0.0
        var mask = CandidateMask.full
        for (number, line) in lines.dropFirst().enumerated() {
            func text(_ column: String) throws -> Substring {
                guard let place = header.firstIndex(where: { $0 == column }), place < line.count else {
                    throw ValidationError("\(path), line \(number + 2): found no column \(column)")
                }
                return line[place]
            }
            func value(_ column: String) throws -> Double {
                guard let value = Double(try text(column)) else {
                    throw ValidationError(
                        "\(path), line \(number + 2): \(column): found \(try text(column)), expected a number")
                }
                return value
            }
            guard try text("backbone") == backbone, try text("recipe") == "standard", try value("user_fraction") == 1,
                !(try text("validation").isEmpty)
            else { continue }
            let (layers, dim) = (Int(try value("layers")), Int(try value("dim")))
            let seed = UInt64(try value("seed"))
            guard seeds.isEmpty || seeds.contains(seed), shapes.isEmpty || shapes.contains("\(layers)x\(dim)") else {
                continue
            }
            func curve(_ column: String) throws -> [Double] {
                try text(column).split(separator: " ").map { (Double($0) ?? 0) / 1e5 }
            }
            let (all, tests) = (try curve("validation"), try curve("test"))
            let facts = Recipe.Facts(tokens: Int(try value("tokens")), users: Int(try value("users")))
            let options = Recipe.standard.options(facts, loss: .cce)
            let epochs = Self.epochs(
                all, options, steps: Int(try value("steps")), popularity: try value("popularity") / 1e5)
            let kept = Array(all.prefix(epochs))
            let best = kept.max() ?? 0
            let test = sees == "validation" ? best : tests[kept.firstIndex(of: best) ?? 0]
            // Of a mean over users that hit in one of four cases or fewer, as DerivedError has it where ranks are not known.
            let error = (0.6 * test * (1 - test) / max(1, try value("users"))).squareRoot()
            tokens = try value("tokens")
            popularity = try value("popularity") / 1e5
            mask = CandidateMask(rawValue: String(try text("mask"))) ?? .full
            trainings.append(
                .init(
                    layers: layers, dim: dim, seed: seed,
                    seconds: try value("seconds") * Double(epochs) / Double(all.count),
                    measured: Measurement(value: test, standardError: error), parameters: try value("parameters"),
                    curve: kept, tests: sees == "validation" ? kept : Array(tests.prefix(epochs))))
        }
        guard !trainings.isEmpty else {
            throw ValidationError("\(path): found no training of \(backbone) with the standard recipe")
        }
        self.trainings = trainings
        self.tokens = tokens
        self.popularity = popularity
        self.mask = mask
    }

    /// Where the recipe's patience ends a training that was given more.
    private static func epochs(_ curve: [Double], _ o: TrainingOptions, steps: Int, popularity: Double) -> Int {
        var (reference, best, stale) = (-1.0, -1.0, 0)
        for (done, value) in curve.enumerated() {
            best = max(best, value)
            if value > (1 + o.leastGain) * reference {
                (reference, stale) = (value, 0)
            } else {
                stale += 1
            }
            if stale >= o.patience(steps: steps, done: done + 1, stale: stale, best: best, popularity: popularity) {
                return done + 1
            }
        }
        return curve.count
    }
}

/// Trainings with their curves: what a calibration would have made of a budget.
struct Curves: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replay on recorded curves: a CSV as Benchmarks/recipe writes it. Prints one JSON line.")

    @Argument(help: "The file.") var file: String
    @Option(help: "Seconds of the clock.") var budget = 600.0
    @Option(help: "Trainings at a time.") var workers = 2
    @Option(help: "Trainings at most; of 0 the answer is that of other datasets.") var trainings: Int?
    @Option(help: "Only rows of this backbone.") var backbone = "sasrec"
    @Option(
        help: "What the laws are fitted to: test, as in a calibration, or validation, so that the test was never seen.")
    var sees = "test"
    @Option(help: "Only trainings of this seed; may be repeated.") var seed: [UInt64] = []
    @Option(help: "Only this shape, as 2x64; may be repeated.") var shape: [String] = []
    @Flag(help: "Without what other datasets let expect.") var withoutPrior = false

    private static func name(_ file: String) -> String {
        String(file.split(separator: "/").last?.split(separator: ".").first ?? "")
    }

    func run() throws {
        guard ["test", "validation"].contains(sees) else {
            throw ValidationError("--sees: found \(sees), expected test or validation")
        }
        let curves = try CurveFile(
            path: file, backbone: backbone, sees: sees, seeds: seed, shapes: shape)
        let recorded = curves.trainings
        let seconds = Dictionary(grouping: recorded) { [$0.layers, $0.dim] }.mapValues { $0[0] }
        let replay = DesignReplay(
            recorded, metric: Metric(.ndcg, 10),
            // What is asked about must not have told what to expect of it.
            prior: withoutPrior
                ? nil : .recorded(effectiveTokens: curves.tokens / 2, mask: curves.mask, without: Self.name(file)),
            popularity: curves.popularity,
            expected: { layers, dim in
                // As before anything was trained: epochs by the recipe's experience, seconds of an epoch by probes.
                let epochs = 26 * exp(-0.3 * log(Double(dim) / 48))
                guard let training = seconds[[layers, dim]] else { return .infinity }
                return epochs * training.seconds / Double(max(1, training.curve.count))
            })
        let o = try replay.run(.sequential, budget: budget, workers: workers, most: trainings ?? .max)
        struct Trained: Encodable {
            var layers: Int
            var dim: Int
            var seed: UInt64
            var epochs: Int
            var seconds: Double
            var cut: Bool
        }
        struct Line: Encodable {
            var layers: Int
            var dim: Int
            var predicted: Double?
            var low: Double?
            var high: Double?
            var trained: [Trained]
            var seconds: Double
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let line = Line(
            layers: o.layers, dim: o.dim, predicted: o.predicted, low: o.interval?.low, high: o.interval?.high,
            trained: o.runs.map {
                Trained(
                    layers: $0.trial.layers, dim: $0.trial.dim, seed: $0.trial.seed, epochs: $0.epochs,
                    seconds: $0.seconds, cut: $0.isCut)
            }, seconds: o.seconds)
        print(String(decoding: try encoder.encode(line), as: UTF8.self))
    }
}
