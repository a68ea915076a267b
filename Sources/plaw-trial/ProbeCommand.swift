import ArgumentParser
import Domain
import Interactions
import Transformer
import Trials

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Measures the speed of shapes, for the planner's prices.
struct Probe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure training and ranking speed of shapes; prints one JSON line each.")

    @OptionGroup var source: DataOptions
    @OptionGroup var model: ModelOptions
    @Option(name: .customLong("shape"), help: "LAYERSxDIM; may be given many times.") var shapes: [String]
    @Option(help: "Seconds of training to time, for each shape.") var seconds = 0.3
    @OptionGroup var worker: WorkerOptions

    func validate() throws { try check("--seconds", seconds, anySeconds) }

    func run() throws {
        try worker.apply()
        try source.withCorpus { corpus in
            for shape in shapes {
                let numbers = shape.split(separator: "x").map { Int($0) }
                guard numbers.count == 2, let layers = numbers[0], let dim = numbers[1] else {
                    throw ValidationError("--shape: found \"\(shape)\", expected LAYERSxDIM such as 2x64")
                }
                let configuration = try model.configuration(layers: layers, dim: dim)
                try printJSON(
                    SpeedProbe.measure(
                        configuration, options: try model.options(corpus), corpus: corpus, seconds: seconds))
            }
        }
    }
}

/// Measures what a user waits for, for the advisor's latencies.
struct Latency: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how long one user waits for the ten best of all items; prints one JSON line a shape.",
        discussion: "Models have random weights and need no data. One core, one request at a time.")

    @OptionGroup var model: ModelOptions
    @Option(
        name: .customLong("shape"),
        help: "LAYERSxDIM, or LAYERSxDIMxITEMSxLENGTH; may be given many times.")
    var shapes: [String]
    @Option(help: "Items of the catalogue, for shapes that do not say.") var items = 10_000
    @Option(help: "Items of a history in view, for shapes that do not say. Default: --max-length.") var length: Int?
    @Option(help: "Seconds of requests to time, for each shape.") var seconds = 0.06
    @OptionGroup var worker: WorkerOptions

    func validate() throws {
        try check("--seconds", seconds, anySeconds)
        try check("--items", items, 1...1 << 30)
        try check("--length", length, 1...4_096)
    }

    func run() throws {
        try worker.apply()
        for text in shapes {
            guard
                let shape = LatencyShape(text, items: items, length: length ?? model.maxLength), shape.length <= 4_096,
                shape.items <= 1 << 30
            else {
                throw ValidationError(
                    "--shape: found \"\(text)\", expected LAYERSxDIM such as 2x64, or LAYERSxDIMxITEMSxLENGTH")
            }
            let configuration = try model.configuration(layers: shape.layers, dim: shape.dim)
            try printJSON(
                LatencyMeasurement.measure(configuration, items: shape.items, length: shape.length, seconds: seconds))
        }
    }
}

/// Tokens a second without evaluation, for benchmarks.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train for some seconds and print tokens/s as JSON.")

    @OptionGroup var source: DataOptions
    @OptionGroup var model: ModelOptions
    @Option(help: "Transformer blocks N.") var layers = 2
    @Option(help: "Embedding dimension d.") var dim = 64
    @Option(help: "Seconds to time, after a warm-up step.") var seconds = 10.0

    func validate() throws {
        try check("--seconds", seconds, anySeconds)
    }

    func run() throws {
        try source.withCorpus { corpus in
            let probe = try SpeedProbe.measure(
                try model.configuration(layers: layers, dim: dim), options: try model.options(corpus), corpus: corpus,
                seconds: seconds)
            try printJSON(probe)
        }
    }
}

/// Writes made-up interactions with a known entropy rate.
struct Synthesize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write seeded synthetic interactions as `user item` lines.")

    @Option(help: "Users.") var users = 2_000
    @Option(help: "Items.") var items = 500
    @Option(help: "Mean sequence length.") var meanLength = 15.0
    @Option(help: "Seed.") var seed: UInt64 = 1
    @Option(name: .shortAndLong, help: "File to write.", completion: .file()) var output: String

    func validate() throws {
        try check("--users", users, 1...10_000_000)
        try check("--items", items, 2...10_000_000)
        try check("--mean-length", meanLength, 1...10_000)
    }

    func run() throws {
        let source = SyntheticInteractions(users: users, items: items, meanLength: meanLength, seed: seed)
        try source.text().write(toFile: output, atomically: true, encoding: .utf8)
        printError("wrote \(output); entropy rate of the source: \(source.entropyRate) nats")
    }
}
