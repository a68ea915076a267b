import ArgumentParser
import Domain
import Glibc
import Interactions
import Text
import Transformer
import Trials

/// One trial alone, for people and scripts.
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train one configuration and rank all items for every user; results go to standard output.",
        discussion: """
            Reads --data, a file of interactions, or --corpus. Each user's last item is the test target, the one before it \
            the validation target, and the rest trains. One line an epoch goes to standard error. Training stops after \
            --patience epochs without a better validation metric; the best epoch's weights are ranked, and saved with \
            --save-weights. Weights are safetensors, for PyTorch too.

            plaw-trial train --data FILE --backbone gpt --layers 2 --dim 64 --save-weights W.safetensors
            plaw-trial train --data FILE --backbone gpt --layers 2 --dim 64 --weights W.safetensors --evaluate-only

            Ends with 0; with 1 when training diverges, or data or weights cannot be used; with 64 for wrong options.
            """)

    @OptionGroup var source: DataOptions
    @OptionGroup var model: ModelOptions
    @Option(help: "Transformer blocks N.") var layers = 2
    @Option(help: "Embedding dimension d.") var dim = 64
    @Option(help: "Most epochs.") var epochs = 200
    @Option(help: "Validations without improvement before stopping. Default: the recipe's; published 10.")
    var patience: Int?
    @Option(help: "Steps without improvement before stopping, at least. Default: the recipe's; published 0.")
    var patienceSteps: Int?
    @Option(help: "The same as a share of the epochs before. Default: the recipe's; published 0.")
    var patienceShare: Double?
    @Option(help: "Relative gain that is an improvement to the stopping rule. Default: the recipe's; published 0.")
    var leastGain: Double?
    @Option(name: .customLong("metric"), help: "What early stopping maximises.") var stopMetric = Metric(.ndcg, 10)
    @Option(help: "none, window or full. Default: chosen by the share of repeats.") var mask: CandidateMask?
    @Option(help: "Seed of everything random.") var seed: UInt64 = 1
    @Option(help: "Stop training after so many seconds.") var maxSeconds: Double?
    @Option(help: "Share of the users that train.") var userFraction = 1.0
    @Option(help: "File of weights to begin with; must be of the same configuration and data.", completion: .file())
    var weights: String?
    @Option(help: "File to write the best epoch's weights to.", completion: .file()) var saveWeights: String?
    @Option(help: "File to write the rank of every user's target to, as the daemon keeps it.", completion: .file())
    var saveRanks: String?
    @Option(
        help:
            "File to write a line of CSV to after each epoch: seconds, loss, validation and test. For studies: one more ranking an epoch.",
        completion: .file()) var trace: String?
    @Flag(help: "Rank with --weights as they are; train nothing.") var evaluateOnly = false
    @Option(help: "Rank the target against so many drawn items instead of all; not comparable with a full ranking.")
    var sampledRanking: Int?
    @Flag(help: "One JSON line as the result.") var json = false

    func validate() throws {
        if evaluateOnly, weights == nil { throw ValidationError("--evaluate-only needs --weights") }
        if evaluateOnly, saveWeights != nil { throw ValidationError("--evaluate-only has no weights to save") }
        guard epochs >= 1 else { throw ValidationError("--epochs: found \(epochs), expected 1 or more") }
        try check("--max-seconds", maxSeconds, anySeconds)
        try check("--sampled-ranking", sampledRanking, 1...Int(Int32.max))
        guard userFraction > 0, userFraction <= 1 else {
            throw ValidationError("--user-fraction: found \(userFraction), expected more than 0, at most 1")
        }
        for (option, path) in [("--save-weights", saveWeights), ("--save-ranks", saveRanks), ("--trace", trace)] {
            guard let path else { continue }
            // Better now than after the training.
            let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "."
            guard access(String(folder), W_OK) == 0 else {
                throw ValidationError("\(option): \(path): no folder that can be written to")
            }
        }
    }

    private struct Summary: Encodable {
        var status: TrialResult.Status
        var message: String?
        var tokensPerSecond: Double
        var epochs: Int
        var bestEpoch: Int
        var seconds: Double
        var secondsPerEpoch: Double?
        var secondsPerValidation: Double?
        var peakMemoryBytes: Int
        var parameters: Int
        var tokens: Int
        var users: Int
        var items: Int
        /// The stopping metric of ranking by popularity, on the validation targets.
        var popularity: Double
        var mask: Declared<CandidateMask>
        /// Drawn items each target was ranked against; absent for a full ranking.
        var sampledRanking: Int?
        var validation: [String: Double]
        var test: [String: Double]
        /// Standard errors of the means under `test`.
        var testErrors: [String: Double]
        /// The stopping metric at every validation.
        var curve: [Double]
        /// What the daemon would compare an observation of this training by.
        var key: LawKey
    }

    func run() throws {
        stopOnTermination()
        let (result, key, items, popularity) = try source.withCorpus { corpus -> (TrialResult, LawKey, Int, Double) in
            var options = try model.options(corpus)
            options.maxEpochs = epochs
            if let patience { options.patience = patience }
            if let patienceSteps { options.patienceSteps = patienceSteps }
            if let patienceShare { options.patienceShare = patienceShare }
            if let leastGain { options.leastGain = leastGain }
            if let problem = options.problem { throw ValidationError(problem.message) }
            options.stopMetric = stopMetric
            let mask = mask ?? CandidateMask.standard(for: corpus)
            let spec = TrialSpec(
                corpus: corpus.path, configuration: try model.configuration(layers: layers, dim: dim),
                options: options, seed: seed, userFraction: userFraction, mask: mask,
                maxSeconds: maxSeconds, checkpointSeconds: .infinity, sampledRanking: sampledRanking)
            // A file is read without filters; which ones made a corpus is not known here.
            let key = spec.lawKey(datasetVersion: corpus.contentHash, filter: source.corpus == nil ? "none" : "")
            let trainer = try Trainer(spec: spec, corpus: corpus)
            if let weights { try trainer.start(from: weights) }
            if evaluateOnly {
                let outcome = try trainer.rankOnly()
                try saveRanks.map { try outcome.ranks.write(to: $0) }
                return (outcome.result, key, corpus.itemCount, trainer.popularity)
            }
            let traceFile = trace.flatMap { fopen($0, "w") }
            if let trace, traceFile == nil {
                throw ValidationError("--trace: \(trace) cannot be written to: \(String(cString: strerror(errno)))")
            }
            defer { if let traceFile { fclose(traceFile) } }
            if let traceFile {
                let metrics = ["hr@10", "ndcg@10"]
                let columns =
                    ["epoch", "step", "seconds", "loss"] + metrics.map { "validation " + $0 }
                    + metrics.map { "test " + $0 }
                fputs(columns.joined(separator: ",") + "\n", traceFile)
                trainer.trace = { point in
                    let values =
                        [point.seconds, point.loss] + metrics.map { point.validation[$0] ?? .nan }
                        + metrics.map { point.test[$0] ?? .nan }
                    fputs("\(point.epoch),\(point.step),\(values.map { "\($0)" }.joined(separator: ","))\n", traceFile)
                    fflush(traceFile)
                }
            }
            var shown = -1
            let outcome = try trainer.run(shouldStop: { stopRequested != 0 }) { update in
                // One line an epoch: when its validation is in.
                guard update.phase == .training, let values = update.validation, update.epoch != shown else { return }
                shown = update.epoch
                printError(describe(update, values))
            }
            if let saveWeights, outcome.result.status != .diverged {
                try WeightsFile.write(trainer.step.model, to: saveWeights)
            }
            if let saveRanks, outcome.result.status != .diverged { try outcome.ranks.write(to: saveRanks) }
            return (outcome.result, key, corpus.itemCount, trainer.popularity)
        }
        try show(result, key: key, items: items, popularity: popularity)
    }

    private func describe(_ update: TrialProgress, _ values: [String: Double]) -> String {
        func rounded(_ value: Double?) -> String { value.map { String(($0 * 1e4).rounded() / 1e4) } ?? "-" }
        return
            "epoch \(update.epoch - 1) loss \(rounded(update.loss)) \(Int(towardZero: update.tokensPerSecond)) tokens/s "
            + "valid hr@10 \(rounded(values["hr@10"])) ndcg@10 \(rounded(values["ndcg@10"])) best \(rounded(update.best)) "
            + "\(Int(towardZero: update.seconds)) s"
    }

    private func show(_ result: TrialResult, key: LawKey, items: Int, popularity: Double) throws {
        let mask = key.mask
        let summary = Summary(
            status: result.status, message: result.message, tokensPerSecond: result.tokensPerSecond,
            epochs: result.epochs, bestEpoch: result.bestEpoch, seconds: result.seconds,
            secondsPerEpoch: result.secondsPerEpoch, secondsPerValidation: result.secondsPerValidation,
            peakMemoryBytes: result.peakMemoryBytes, parameters: result.parameters, tokens: result.tokens,
            users: result.users,
            items: items, popularity: popularity, mask: mask, sampledRanking: result.sampledRanking,
            validation: result.validation.mapValues(\.value),
            test: result.test.mapValues(\.value), testErrors: result.test.mapValues(\.standardError),
            curve: result.curve ?? [], key: key)
        if json {
            try printJSON(summary)
        } else {
            printLine("status      \(result.status.rawValue)\(result.message.map { ": " + $0 } ?? "")")
            printLine("epochs      \(result.epochs), best \(result.bestEpoch)")
            printLine(
                "seconds     \(Int(towardZero: result.seconds)), \(Int(towardZero: result.tokensPerSecond)) tokens/s")
            printLine("parameters  \(result.parameters), peak memory \(result.peakMemoryBytes >> 20) MiB")
            for name in ["hr@5", "ndcg@5", "hr@10", "ndcg@10", "hr@20", "ndcg@20", "mrr@10"] {
                guard let test = result.test[name], let valid = result.validation[name] else { continue }
                Console.lines(
                    "\(name)\ttest \(test.value) ± \(test.standardError)\tvalidation \(valid.value)\tmask \(mask.words)"
                        + (result.sampledRanking.map { "\tagainst \($0) drawn items" } ?? ""), to: .output
                )
            }
        }
        if result.status == .diverged { throw ExitCode(1) }
    }
}
