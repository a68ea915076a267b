import Domain
import Files
import Glibc
import Interactions
import Subprocess
import SystemPackage
import Trials

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Holds a runner against the trial contract: real trials on a tiny corpus, and what they leave read as the daemon reads it.
struct RunnerCheck {
    struct Step: Sendable {
        var name: String
        /// Whether the other steps say nothing where this one fails.
        var isNeeded = false
        /// - Returns: what was found, where it is worth a word.
        /// - Throws: `Problem`.
        var body: @Sendable (RunnerCheck) async throws -> String?
    }

    struct Result: Encodable {
        var name: String
        /// What was found and what was expected; nil where the step holds.
        var problem: String?
        var note: String?
    }

    typealias Problem = RunnerProblem

    private let command: [String]
    private let folder: String
    private let configuration: Domain.Configuration
    private let patience: Double
    private let corpus: Corpus

    /// - Parameters:
    ///   - folder: gets the corpus and a directory for each trial.
    ///   - patience: seconds that one call may take.
    init(command: [String], folder: String, configuration: Domain.Configuration, patience: Double) throws {
        (self.command, self.folder, self.configuration, self.patience) = (command, folder, configuration, patience)
        let text = SyntheticInteractions(users: 120, items: 60, meanLength: 9, clusters: 6).text()
        try writeFileAtomically(Data(text.utf8), to: folder + "/interactions.txt")
        _ = try InteractionReader(path: folder + "/interactions.txt", options: ReadOptions()).buildCorpus(
            at: folder + "/corpus")
        corpus = try Corpus(path: folder + "/corpus")
    }

    func perform(_ step: Step) async -> Result {
        do {
            return Result(name: step.name, problem: nil, note: try await step.body(self))
        } catch {
            return Result(name: step.name, problem: "\(error)", note: nil)
        }
    }

    // MARK: - Steps

    static let steps: [Step] = [
        Step(name: "describes a model before training", isNeeded: true) { check in
            let spec = try check.trial("describe").specPath
            let call = try await check.call(["describe", spec])
            try call.expect(0)
            let costs = try call.decoded(RunnerDescription.self)
            guard costs.isPositive else {
                throw Problem("found \(call.text), expected parameters, flopsPerToken and memoryBytes above 0")
            }
            let twice = try await check.call(["describe", spec, spec])
            try twice.expect(0)
            guard twice.text.split(separator: "\n").count == 2 else {
                throw Problem("found \(twice.text) for two specifications, expected a line for each")
            }
            return "\(costs.parameters) parameters"
        },
        Step(name: "trains a trial to its end", isNeeded: true) { check in
            let files = try check.trial("whole")
            try await check.run(files, environment: ["PLAW_SCORES": files.path + "/scores.bin"]).expect(0)
            let result = try check.result(files)
            try check.holds(
                [.converged, .stoppedRising].contains(result.status), "status", result.status.rawValue,
                "converged or stoppedRising")
            try check.ranks(files, result)
            let lines = try check.progress(files)
            guard lines.contains(where: { $0.phase == .training }), lines.contains(where: { $0.validation != nil })
            else {
                throw Problem("progress.jsonl: found no line of training, or none with a validation; expected both")
            }
            let value = result.test["ndcg@10"]?.value ?? .nan
            return "ndcg@10 \(Format.quality(value)) after \(result.epochs) epochs"
        },
        Step(name: "prints the lines of its progress") { check in
            let output = try String(decoding: readFile(check.folder + "/whole/output"), as: UTF8.self)
            let decoder = JSONDecoder()
            guard
                output.split(separator: "\n").contains(where: {
                    (try? decoder.decode(TrialProgress.self, from: Data($0.utf8))) != nil
                })
            else { throw Problem("standard output: found no line of progress, expected those of progress.jsonl") }
            return nil
        },
        Step(name: "counts ranks as plawd does, from its own scores") { check in try check.scores() },
        Step(name: "returns at once from a trial that has its result") { check in
            let files = TrialDirectory(path: check.folder + "/whole")
            let before = try readFile(files.resultPath)
            try await check.run(files).expect(0)
            guard try readFile(files.resultPath) == before else {
                throw Problem("result.json: found another one than before, expected it untouched")
            }
            return nil
        },
        Step(name: "stops at SIGTERM, and goes on from its checkpoint") { check in
            let files = try check.trial("stopped")
            let stopped = try await check.run(files, signal: SIGTERM)
            if files.hasResult { return "the training was over before it could be stopped: not checked" }
            try stopped.expect(75)
            guard access(files.checkpointPath, F_OK) == 0 else { throw Problem("found no checkpoint, expected one") }
            let reached = try check.progress(files).last?.seconds ?? 0
            try await check.run(files).expect(0)
            let result = try check.result(files)
            try check.ranks(files, result)
            try check.holds(
                result.seconds >= reached, "seconds", result.seconds, "those of both runs, \(reached) or more")
            let whole = try check.result(TrialDirectory(path: check.folder + "/whole"))
            return result.test == whole.test
                ? "the result is that of the trial that was not stopped"
                : "the result is not that of the trial that was not stopped: expected of a runner without chance of its own"
        },
        Step(name: "goes on after it was killed") { check in
            let files = try check.trial("killed")
            _ = try await check.run(files, signal: SIGKILL)
            if files.hasResult { return "the training was over before it could be killed: not checked" }
            try await check.run(files).expect(0)
            try check.ranks(files, try check.result(files))
            return nil
        },
        Step(name: "ranks what it has when no time is left") { check in
            let files = try check.trial("timeless")
            try await check.run(files, environment: ["PLAW_SECONDS_LEFT": "0"]).expect(0)
            let result = try check.result(files)
            try check.holds(
                [.stoppedByBudget, .diverged, .failed].contains(result.status), "status", result.status.rawValue,
                "stoppedByBudget")
            return nil
        },
        Step(name: "says that a training diverged") { check in
            let files = try check.trial("divergent") { $0.options.learningRate = 1e6 }
            let call = try await check.run(files)
            // One that will not train with such a rate says so.
            if call.status == .exited(WorkerStatus.refused) { return "refused: \(call.log.suffix(200))" }
            try call.expect(0)
            let result = try check.result(files)
            guard result.status != .diverged else { return nil }
            try check.ranks(files, result)
            return "a learning rate of 1,000,000 did not make it diverge"
        },
        Step(name: "refuses a model that it does not have, once and for all") { check in
            let files = try check.trial("unknown") { $0.configuration.backbone = Model("no-such-model") ?? .sasrec }
            let call = try await check.run(files)
            try call.expect(WorkerStatus.refused)
            guard !call.log.isEmpty else { throw Problem("standard error: found nothing, expected why it was refused") }
            return nil
        },
    ]

    // MARK: - Trials

    /// A directory with a specification of a short training.
    private func trial(_ name: String, _ change: (inout TrialSpec) -> Void = { _ in }) throws -> TrialDirectory {
        let files = TrialDirectory(path: folder + "/" + name)
        try FileManager.default.createDirectory(atPath: files.path, withIntermediateDirectories: true)
        var options = Recipe.standard.options(
            Recipe.Facts(corpus, maxLength: configuration.maxLength), loss: configuration.loss)
        (options.maxEpochs, options.patience) = (12, 12)
        var spec = TrialSpec(
            corpus: "../corpus", corpusHash: corpus.contentHash, configuration: configuration, options: options,
            seed: 1,
            mask: .full)
        change(&spec)
        try files.writeSpec(spec)
        return files
    }

    /// - Parameter signal: sent when the training is in its second epoch.
    @discardableResult
    private func run(
        _ files: TrialDirectory, environment: [Environment.Key: String?] = [:], signal: Int32? = nil
    ) async throws -> RunnerCall {
        let call = try await RunnerCall.run(command + [files.path], patience: patience, environment: environment) {
            execution in
            guard let signal else { return }
            while (try? progress(files).contains { $0.epoch > 1 }) != true, !files.hasResult {
                try await Task.sleep(for: .milliseconds(5))
            }
            // It may have ended meanwhile.
            try? execution.send(signal: .init(rawValue: signal))
        }
        try writeFileAtomically(Data(call.text.utf8), to: files.path + "/output")
        try writeFileAtomically(Data(call.log.utf8), to: files.path + "/worker.log")
        return call
    }

    private func call(_ arguments: [String]) async throws -> RunnerCall {
        try await RunnerCall.run(command + arguments, patience: patience)
    }

    // MARK: - What a trial leaves

    private func progress(_ files: TrialDirectory) throws -> [TrialProgress] {
        let decoder = JSONDecoder()
        // The last line may not be whole yet.
        return try readFile(files.progressPath).split(separator: UInt8(ascii: "\n")).compactMap {
            try? decoder.decode(TrialProgress.self, from: Data($0))
        }
    }

    private func result(_ files: TrialDirectory) throws -> TrialResult {
        let result: TrialResult
        do { result = try files.readResult() } catch { throw Problem("result.json: \(error)") }
        let numbers = (Array(result.validation.values) + result.test.values).flatMap { [$0.value, $0.standardError] }
        guard result.status == .diverged || numbers.allSatisfy(\.isFinite) else {
            throw Problem("result.json: found a metric that is not finite, expected the status diverged for it")
        }
        return result
    }

    private var evaluated: [UInt32] {
        (0..<corpus.userCount).filter { Split.isEvaluated(length: corpus.length(of: $0)) }.map(UInt32.init)
    }

    /// Ranks of all evaluated users, and the metrics that they make.
    private func ranks(_ files: TrialDirectory, _ result: TrialResult) throws {
        let ranks = try Ranks(contentsOf: files.ranksPath)
        try holds(
            ranks.users == evaluated, "ranks.bin", "\(ranks.users.count) users",
            "the \(evaluated.count) with targets, in order")
        try holds(result.users == evaluated.count, "users", result.users, "\(evaluated.count)")
        for (name, ranks, metrics) in [
            ("validation", ranks.validation, result.validation), ("test", ranks.test, result.test),
        ] {
            try holds(
                ranks.allSatisfy { (1...UInt32(corpus.itemCount)).contains($0) }, "ranks.bin", "\(name) ranks outside",
                "1 to \(corpus.itemCount)")
            for metric in RankMetrics.standard {
                let (said, own) = (metrics[metric.description], RankMetrics.measure(metric, ranks: ranks))
                guard let said, abs(said.value - own.value) < 1e-9, abs(said.standardError - own.standardError) < 1e-9
                else {
                    throw Problem(
                        "\(name) \(metric): found \(said.map { "\($0.value) ± \($0.standardError)" } ?? "nothing"), and the ranks make "
                            + "\(own.value) ± \(own.standardError)")
                }
            }
        }
    }

    /// Counts the test ranks again from the scores that the runner wrote.
    private func scores() throws -> String? {
        let files = TrialDirectory(path: folder + "/whole")
        guard let data = try? readFile(files.path + "/scores.bin") else {
            return "not checked: no scores were written to the file that PLAW_SCORES names"
        }
        let (users, items) = (evaluated, corpus.itemCount)
        try holds(
            data.count == 4 * users.count * items, "scores", "\(data.count) bytes",
            "\(4 * users.count * items): \(users.count) users, \(items) items, 4 bytes each")
        let scores = data.withUnsafeBytes { bytes in
            (0..<users.count * items).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        let said = try Ranks(contentsOf: files.ranksPath).test
        for (place, user) in users.enumerated() {
            let history = corpus.items(of: Int(user))
            let (context, target) = (Set(history.dropLast()), history[history.count - 1])
            let row = scores[place * items..<(place + 1) * items]
            let own = row[row.startIndex + Int(target)]
            let rank =
                1
                + (0..<items).count { item in
                    item != target && !context.contains(Int32(item)) && row[row.startIndex + item] >= own
                }
            try holds(
                rank == said[place], "test rank of user \(user)", said[place],
                "\(rank): 1 + other candidates that score as high or higher, without the user's earlier items")
        }
        return "\(users.count) users"
    }

    private func holds(_ condition: Bool, _ member: String, _ found: Any, _ expected: String) throws {
        guard condition else { throw Problem("\(member): found \(found), expected \(expected)") }
    }
}
