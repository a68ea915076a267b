import ArgumentParser
import Domain
import Files
import Glibc
import Interactions
import Text
import Trials
import Wire

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `plaw runner bridge`: trains the same trials by a runner and by plaw-trial, and says whether one law may rest on both.
struct RunnerBridgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge",
        abstract: "Tell whether a runner's trainings may join the laws of plawd's own.",
        discussion: """
            The runner and plaw-trial train the same shapes with the same seeds on a file of yours. Trainings join where the \
            90 % interval of the difference lies within two standard deviations of one training, 2 % to 5 %. An executor \
            with "bridge": FILE in plawd.json then trains as plawd does for the models that join; all others keep laws of \
            their own. No daemon is needed.
            """)

    @Option(help: "File of interactions to train on.", completion: .file()) var data: String
    @Option(parsing: .upToNextOption, help: "Models of plawd that the runner trains too.")
    var backbone: [Backbone] = [.sasrec]
    @Option(help: "Training loss.") var loss = Loss.cce
    @Option(
        parsing: .upToNextOption, help: "Shapes to train, two at least: LAYERSxDIM. Default: 1x16 1x32 2x16 2x32.",
        transform: ShapeArgument.parse)
    var shapes: [ShapeArgument] = []
    @Option(help: "Seeds of each shape, 2 at least.") var seeds = 4
    @Option(help: "Longest sequence the model sees.") var maxLength = LawKey.usualLength
    @Option(help: "Most epochs of a training. Default: the recipe's.") var epochs: Int?
    @Option(help: "Time that one training may take, such as 1h.", transform: Seconds.parse)
    var patience = Seconds(value: 86_400)
    @Option(
        help: "Folder for the trials, which is kept: the command goes on where it was. Default: a temporary one.",
        completion: .directory)
    var keep: String?
    @Option(name: .shortAndLong, help: "File for the result, which an executor names.", completion: .file())
    var output: String
    @OptionGroup var reading: ReadingOptions
    @Flag(help: "Print the result as a line of JSON.") var json = false
    @Argument(parsing: .captureForPassthrough, help: "The runner and its first arguments.") var command: [String]

    private var shapeList: [ShapeParam] {
        shapes.isEmpty
            ? [1, 2].flatMap { layers in [16, 32].map { ShapeParam(layers: layers, dim: $0) } } : shapes.map(\.shape)
    }

    private var words: [String] { command.first == "--" ? Array(command.dropFirst()) : command }

    func validate() throws {
        if words.isEmpty { throw ValidationError("Missing the command that is to be compared.") }
        if seeds < 2 {
            throw ValidationError("--seeds: found \(seeds), expected 2 or more: one tells nothing of chance")
        }
        if Set(shapeList.map { [$0.layers, $0.dim] }).count < max(2, shapeList.count) {
            throw ValidationError("--shapes: expected two different shapes or more")
        }
        for shape in shapeList {
            for backbone in backbone {
                let one = Configuration(
                    backbone: Model(backbone), layers: shape.layers, dim: shape.dim, maxLength: maxLength, loss: loss)
                if let problem = one.problem { throw ValidationError(problem) }
            }
        }
    }

    func run() async throws {
        let folder =
            keep ?? FileManager.default.temporaryDirectory.path + "/plaw-bridge-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // Best effort: it is a temporary folder.
        defer { if keep == nil { try? FileManager.default.removeItem(atPath: folder) } }
        _ = try InteractionReader(path: data, options: reading.options).buildCorpus(at: folder + "/corpus")
        let corpus = try Corpus(path: folder + "/corpus")
        let metric = Metric(.ndcg, 10)
        var comparisons: [Bridge.Comparison] = []
        for backbone in backbone {
            var cells: [Bridge.Cell] = []
            for shape in shapeList {
                var cell = Bridge.Cell(layers: shape.layers, dim: shape.dim, core: [], runner: [])
                for seed in 1...seeds {
                    let name = "\(backbone.rawValue)-\(shape.layers)x\(shape.dim)-\(seed)"
                    let spec = try spec(backbone, shape, seed: UInt64(seed), corpus)
                    let own = try await value(
                        [siblingProgram("plaw-trial")], spec, "\(folder)/core-\(name)", metric, whose: "plaw-trial")
                    let other = try await value(words, spec, "\(folder)/runner-\(name)", metric, whose: "the runner")
                    cell.core.append(own)
                    cell.runner.append(other)
                    if !json {
                        Terminal.print(
                            "\(backbone.rawValue) \(shape.layers)x\(shape.dim) seed \(seed): \(metric) "
                                + "\(Format.quality(own)) by plaw-trial, \(Format.quality(other)) by the runner")
                    }
                }
                cells.append(cell)
            }
            comparisons.append(Bridge.Comparison(backbone: backbone, loss: loss, cells: cells))
        }
        let bridge = Bridge(
            command: words, createdAt: Date().formatted(.iso8601), corpusHash: corpus.contentHash, metric: metric,
            comparisons: comparisons)
        let text = try jsonLine(bridge, pretty: true) + "\n"
        try writeFileAtomically(Data(text.utf8), to: output)
        if json { return Console.json(try jsonLine(bridge), to: .output) }
        for comparison in comparisons {
            Terminal.print("")
            Terminal.prose(Self.verdict(comparison))
        }
        Terminal.print("")
        Terminal.prose(
            "written: \(output). An executor takes it as \"bridge\": \"\(ReadingOptions.absolute(output))\".")
    }

    private static func verdict(_ found: Bridge.Comparison) -> String {
        func percent(_ log: Double) -> Double { ((exp(log) - 1) * 1_000).rounded() / 10 }
        let what =
            "\(found.backbone.rawValue), \(found.loss.rawValue): the runner's metric is \(found.words) of plaw-trial's; "
            + "one training varies by \(percent(found.spread)) %, "
            + "and \(percent(found.margin)) % are allowed. "
        return switch found.verdict {
        case .joins: what + "They join."
        case .differs: what + "They differ: the runner's trainings keep laws of their own."
        case .undecided:
            what + "Undecided: more --seeds or --shapes would tell. Until then they keep laws of their own."
        }
    }

    private func spec(_ backbone: Backbone, _ shape: ShapeParam, seed: UInt64, _ corpus: Corpus) throws -> TrialSpec {
        let configuration = Configuration(
            backbone: Model(backbone), layers: shape.layers, dim: shape.dim, maxLength: maxLength, loss: loss)
        var options = Recipe.standard.options(Recipe.Facts(corpus, maxLength: maxLength), loss: loss)
        if let epochs { options.maxEpochs = epochs }
        return TrialSpec(
            corpus: "../corpus", corpusHash: corpus.contentHash, configuration: configuration, options: options,
            seed: seed, mask: CandidateMask.standard(for: corpus))
    }

    /// The test metric of a trial, which is trained unless it was.
    private func value(
        _ words: [String], _ spec: TrialSpec, _ path: String, _ metric: Metric, whose: String
    ) async throws -> Double {
        let files = TrialDirectory(path: path)
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            if files.hasResult, try files.readSpec() != spec {
                throw RunnerProblem("holds a trial of other options; another --keep, or none, begins anew")
            }
            if !files.hasResult {
                try files.writeSpec(spec)
                try await RunnerCall.run(words + [path], patience: patience.value).expect(0)
            }
            let result = try files.readResult()
            guard [.converged, .stoppedRising].contains(result.status),
                let value = result.test[metric.description]?.value, value > 0
            else {
                let found = result.test[metric.description].map { ", \(metric) \($0.value)" } ?? ""
                throw RunnerProblem(
                    "found the status \(result.status.rawValue)\(found), expected one that ended by itself with more than 0"
                )
            }
            return value
        } catch {
            throw CommandFailure("\(whose), \(path): \(error)")
        }
    }
}
