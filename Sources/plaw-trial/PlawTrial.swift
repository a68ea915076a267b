import ArgumentParser
import Domain
import Glibc
import Interactions
import Trials

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Trains one trial: for the daemon, which gives it a directory, and for people and scripts.
@main
struct PlawTrial: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plaw-trial", abstract: "Train and measure one sequential recommender.",
        version: "0.1.0", subcommands: [Run.self, Train.self, Probe.self, Bench.self, Synthesize.self])
}

/// The data a command works on: a corpus file, or a file of interactions read into a temporary corpus.
struct DataOptions: ParsableArguments {
    @Option(help: "File of interactions, in any format `plaw register` reads.") var data: String?
    @Option(help: "Corpus file, as the daemon keeps it.") var corpus: String?

    func validate() throws {
        guard (data == nil) != (corpus == nil) else {
            throw ValidationError("expected exactly one of --data and --corpus")
        }
    }

    func withCorpus<T>(_ body: (Corpus) throws -> T) throws -> T {
        if let corpus { return try body(try Corpus(path: corpus)) }
        let path = FileManager.default.temporaryDirectory.path + "/plaw-trial-\(getpid()).corpus"
        defer { unlink(path) }
        _ = try InteractionReader(path: data ?? "", options: ReadOptions()).buildCorpus(at: path)
        return try body(try Corpus(path: path))
    }
}

/// The model a command trains.
struct ModelOptions: ParsableArguments {
    @Option(help: "sasrec, gpt, llama or hstu.") var backbone: Backbone = .sasrec
    @Option(help: "cce or bce.") var loss: Loss = .cce
    @Option(help: "Heads; must divide the dimension, for llama into even parts.") var heads = 2
    @Option(help: "Longest sequence the model sees.") var maxLength = 50
    @Option(name: .customLong("batch"), help: "Users in an optimiser step.") var batchUsers = 256
    @Option(help: "Negatives per position, for bce.") var negatives = 1
    @Option(help: "Dropout rate.") var dropout = 0.5
    @Option(name: .customLong("lr"), help: "Learning rate.") var learningRate = 1e-3

    func validate() throws {
        func check(_ option: String, _ holds: Bool, _ found: some Any, _ expected: String) throws {
            if !holds { throw ValidationError("--\(option): found \(found), expected \(expected)") }
        }
        try check("batch", (1...65_536).contains(batchUsers), batchUsers, "1 to 65536")
        try check("negatives", (1...1_000).contains(negatives), negatives, "1 to 1000")
        try check("dropout", dropout >= 0 && dropout < 1, dropout, "0 or more, less than 1")
        try check("lr", learningRate > 0 && learningRate.isFinite, learningRate, "more than 0")
    }

    func configuration(layers: Int, dim: Int) throws -> Configuration {
        let configuration = Configuration(
            backbone: backbone, layers: layers, dim: dim, heads: heads, maxLength: maxLength, loss: loss)
        if let problem = configuration.problem { throw ValidationError(problem) }
        return configuration
    }

    func options() -> TrainingOptions {
        TrainingOptions(learningRate: learningRate, batchUsers: batchUsers, dropout: dropout, negatives: negatives)
    }
}

extension Backbone: ExpressibleByArgument {}
extension Loss: ExpressibleByArgument {}
extension CandidateMask: ExpressibleByArgument {}

extension Metric: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

/// Writes a line to standard output at once, also into a pipe.
func printLine(_ text: String) {
    print(text)
    fflush(nil)
}

func printError(_ text: String) {
    let line = text + "\n"
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
}

func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// Set by SIGTERM: the training stops at a checkpoint.
// Safe: a signal handler only ever sets it to 1, and reading a machine word is atomic.
nonisolated(unsafe) var stopRequested: sig_atomic_t = 0

func stopOnTermination() {
    signal(SIGTERM) { _ in stopRequested = 1 }
    signal(SIGINT) { _ in stopRequested = 1 }
}
