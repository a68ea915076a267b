import ArgumentParser
import CPlaw
import Domain
import Glibc
import Interactions
import Text
import Transformer
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
        version: plawVersion,
        subcommands: [
            Run.self, Describe.self, Train.self, Probe.self, Latency.self, Bench.self, Synthesize.self, Attend.self,
        ],
        // A runner is called with a directory alone.
        defaultSubcommand: Run.self)

    static func main() {
        // What reading a file took is given back before training begins.
        plaw_map_large_allocations()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            // As the parser's own main does it, but for what its words are made of: names of files, and what stands in them.
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if !text.isEmpty { Console.lines(text, to: code.isSuccess ? .output : .errors) }
            Self.exit(withError: code)
        }
    }
}

/// The data a command works on: a corpus file, or a file of interactions read into a temporary corpus.
struct DataOptions: ParsableArguments {
    @Option(help: "File of interactions, in any format `plaw register` reads.", completion: .file()) var data: String?
    @Option(help: "Corpus file, as the daemon keeps it.", completion: .file()) var corpus: String?

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
    @Option(help: ArgumentHelp("Backbone: \(names(Backbone.self)).")) var backbone: Backbone = .sasrec
    @Option(help: ArgumentHelp("Loss: \(names(Loss.self)).")) var loss: Loss = .cce
    @Option(help: "Heads; must divide the dimension, for llama into even parts.") var heads = 2
    @Option(help: "Inner width of the feed-forward layers as a multiple of d. Default: 4, for llama 8/3.")
    var feedForward: Double?
    @Option(help: "Longest sequence the model sees.") var maxLength = 50
    @Option(help: ArgumentHelp("Recipe, from which the options below may differ: \(names(Recipe.self)).")) var recipe:
        Recipe = .standard
    @Option(name: .customLong("batch"), help: "Users in an optimiser step. Default: the recipe's; published 256.")
    var batchUsers: Int?
    @Option(help: "Negatives per position, or per batch for sampled-softmax. Default: as published for the loss.")
    var negatives: Int?
    @Option(help: "Share of the calibration t of gbce, 0 to 1. Default: 0.75.") var calibration: Double?
    @Option(
        help: ArgumentHelp("What sampled-softmax draws from: \(names(NegativeSampling.self)). Default: popularity.")
    ) var sampling: NegativeSampling?
    @Option(help: "Standard deviation of the initial weights and embeddings. Default: 0.02.") var initialDeviation:
        Double?
    @Option(
        help: ArgumentHelp("How weights begin: \(names(Initialisation.self)). Default: the recipe's; published plain."))
    var initialisation: Initialisation?
    @Option(help: "Dropout rate. Default: 0.5.") var dropout: Double?
    @Option(name: .customLong("lr"), help: "Learning rate. Default: the recipe's; published 0.001.")
    var learningRate: Double?
    @Option(help: "Factor of the learning rate of item embeddings. Default: the recipe's; published 1.")
    var itemRate: Double?
    @Option(
        help: ArgumentHelp(
            "Mean age of the averaged parameters that are ranked, as a share of the steps; 0 ranks the last ones. "
                + "Default: the recipe's; published 0.")) var averaging: Double?
    @Option(help: "Decoupled weight decay. Default: 0.") var weightDecay: Double?
    @Option(help: "Largest gradient norm; 0 for none. Default: 0.") var clipNorm: Double?
    @Option(help: "Share of the expected steps over which the learning rate rises. Default: 0.") var warmup: Double?
    @Option(help: "The same in steps, where that is more. Default: the recipe's; published 0.") var warmupSteps: Int?
    @Option(
        help: ArgumentHelp("Learning rate after warm-up: \(names(RateSchedule.self)). Default: constant.")
    ) var schedule: RateSchedule?
    @Option(help: "Epochs that warm-up and schedule count by. Default: --epochs.") var scheduleEpochs: Int?
    @Option(
        help: ArgumentHelp(
            "How learning rate and dropout follow the dimension: \(names(WidthRule.self)). Default: the recipe's; published plain."
        )
    ) var widthRule: WidthRule?
    @Option(
        help: ArgumentHelp("Update of item embeddings: \(names(ItemUpdate.self)). Default: sparse.")
    ) var itemUpdate: ItemUpdate?

    func validate() throws {
        // Looked at before a corpus is: what a recipe says of it depends on this.
        try check("--max-length", maxLength, 1...4_096)
    }

    func configuration(layers: Int, dim: Int) throws -> Configuration {
        let configuration = Configuration(
            backbone: Model(backbone), layers: layers, dim: dim, heads: heads, maxLength: maxLength, loss: loss,
            feedForwardFactor: feedForward)
        if let problem = configuration.problem { throw ValidationError(problem) }
        return configuration
    }

    /// What the recipe says for this corpus, and what was asked for besides.
    func options(_ corpus: Corpus) throws -> TrainingOptions {
        var o = recipe.options(Recipe.Facts(corpus, maxLength: maxLength), loss: loss)
        // An option that has a default here would stand against every recipe.
        func take<Value>(_ value: Value?, _ member: WritableKeyPath<TrainingOptions, Value>) {
            if let value { o[keyPath: member] = value }
        }
        take(learningRate, \.learningRate)
        take(weightDecay, \.weightDecay)
        take(clipNorm, \.clipNorm)
        take(dropout, \.dropout)
        take(warmup, \.warmup)
        take(schedule, \.schedule)
        take(scheduleEpochs, \.scheduleEpochs)
        take(itemUpdate, \.itemUpdate)
        take(calibration, \.calibration)
        take(sampling, \.sampling)
        take(initialDeviation, \.initialDeviation)
        take(batchUsers, \.batchUsers)
        take(negatives, \.negatives)
        take(initialisation, \.initialisation)
        take(itemRate, \.itemRate)
        take(averaging, \.averaging)
        take(widthRule, \.widthRule)
        take(warmupSteps, \.warmupSteps)
        if let problem = o.problem { throw ValidationError(problem.message) }
        return o
    }
}

/// - Throws: `ValidationError` naming the option, what was found and what was expected. A number that is none is outside every range.
func check<Value: Comparable>(_ option: String, _ value: Value?, _ range: ClosedRange<Value>) throws {
    guard let value, !range.contains(value) else { return }
    throw ValidationError("\(option): found \(value), expected \(range.lowerBound) to \(range.upperBound)")
}

/// Seconds that an option may name: more than any machine stays up.
let anySeconds = 0.0...1e9

/// The names of an option's values, for help.
func names<T: CaseIterable & RawRepresentable<String>>(_ type: T.Type) -> String {
    type.allCases.map(\.rawValue).joined(separator: ", ")
}

extension Backbone: ExpressibleByArgument {}
extension Loss: ExpressibleByArgument {}
extension RateSchedule: ExpressibleByArgument {}
extension Recipe: ExpressibleByArgument {}
extension Initialisation: ExpressibleByArgument {}
extension WidthRule: ExpressibleByArgument {}
extension ItemUpdate: ExpressibleByArgument {}
extension NegativeSampling: ExpressibleByArgument {}
extension CandidateMask: ExpressibleByArgument {}

extension Metric: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

func printLine(_ text: String) { Console.line(text, to: .output) }

func printError(_ text: String) { Console.line(text, to: .errors) }

func printJSON(_ value: some Encodable) throws { Console.json(try json(value), to: .output) }

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
