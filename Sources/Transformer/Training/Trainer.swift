internal import Domain
package import Interactions
internal import Kernels
package import Trials

/// Trains one trial from its specification to its ranks, with checkpoints from which it goes on bit for bit.
///
///     let outcome = try Trainer(spec: spec, corpus: corpus).run(progress: { print($0) })
///     print(outcome.result.test["ndcg@10"]!.value)
package final class Trainer {
    /// What a training ends with.
    package struct Outcome: Sendable {
        package var result: TrialResult
        package var ranks: Ranks
    }

    /// Asked to stop before the end; a checkpoint stands where there is a path for it.
    package struct Interrupted: Error, Sendable, CustomStringConvertible {
        package init() {}
        package var description: String { "stopped before the end of the training" }
    }

    /// How a training stands after an epoch, on both targets: for studies, as training itself never looks at the test.
    package struct TracePoint: Sendable {
        package var epoch: Int
        package var step: Int
        /// Active seconds in training and in validation so far; ranking the test is in neither.
        package var seconds: Double
        package var loss: Double
        package var validation: [String: Double]
        package var test: [String: Double]
    }

    /// Called after each epoch, where set: it costs one more ranking.
    package var trace: ((TracePoint) -> Void)?

    package let spec: TrialSpec
    package let data: TrainingData
    package let step: TrainingStep
    package private(set) var position = TrainingPosition()
    private let best: FloatBuffer
    private let average: ParameterAverage
    private let ranking: FullRanking
    /// What targets are ranked against where it is not all items.
    private let candidates: DrawnCandidates?
    /// The stopping metric of ranking by popularity, on the validation targets.
    package let popularity: Double
    private let checkpointPath: String?
    private let identity: UInt64
    private var batches: BatchMaker
    private var clock: ContinuousClock.Instant
    /// Active seconds of all runs after which training stops.
    private var limit = Double.infinity
    private var lastCheckpoint: ContinuousClock.Instant
    private var lastReport: ContinuousClock.Instant

    /// Prepares a training, going on from `checkpointPath` where there is one.
    ///
    /// - Parameter secondsLeft: active seconds that this run may take, whatever runs before it took.
    /// - Parameter note: called with a line when a checkpoint cannot be used and training begins anew.
    /// - Throws: `TrialFileError` for a specification that cannot be trained, naming the field.
    package init(
        spec: TrialSpec, corpus: Corpus, checkpointPath: String? = nil, secondsLeft: Double? = nil,
        note: (String) -> Void = { _ in }
    ) throws {
        func refuse(_ message: String) -> TrialFileError { TrialFileError(file: "specification", message) }
        if let problem = spec.problem ?? spec.configuration.problem { throw refuse(problem) }
        if let drawn = spec.sampledRanking, !(1...max(1, corpus.itemCount)).contains(drawn) {
            throw refuse("sampledRanking: found \(drawn), expected 1 to \(corpus.itemCount) items")
        }
        let kernels = Kernels.best
        self.spec = spec
        self.checkpointPath = checkpointPath
        data = TrainingData(corpus, maxLength: spec.configuration.maxLength, userFraction: spec.userFraction)
        guard !data.trainingUsers.isEmpty else {
            throw refuse("the corpus has no user with 4 or more interactions to train on, in this share of the users")
        }
        guard !data.evaluatedUsers.isEmpty else {
            throw refuse("the corpus has no user with 3 or more interactions to rank")
        }
        batches = BatchMaker(data, loss: spec.configuration.loss, options: spec.options)
        step = TrainingStep(
            spec.configuration, items: corpus.itemCount, options: spec.options, proposal: batches.proposal,
            stepsPerEpoch: Self.steps(data, spec.options), kernels: kernels)
        best = FloatBuffer(step.model.table.count)
        average = ParameterAverage(
            step.model.table.count, age: spec.options.averaging, stepsPerEpoch: Self.steps(data, spec.options),
            isSparse: step.isSparse)
        let data = data
        let candidates = spec.sampledRanking.map { DrawnCandidates(data, count: $0, seed: spec.seed) }
        self.candidates = candidates
        ranking = FullRanking(data, mask: spec.mask, dim: spec.configuration.dim, kernels: kernels)
        popularity =
            RankMetrics.measure(
                spec.options.stopMetric,
                ranks: PopularityRanking(data, mask: spec.mask).ranks(test: false, among: candidates)
            ).value
        identity = try Checkpoint.identity(of: spec)
        clock = .now
        lastCheckpoint = clock
        lastReport = clock - .seconds(10)
        step.initialise(seed: spec.seed)
        if let checkpointPath {
            do {
                if let found = try Checkpoint.read(checkpointPath, into: buffers, identity: identity) {
                    position = found
                    step.resume(after: found.step)
                }
            } catch {
                note("\(error); training begins anew")
            }
        }
        limit = min(spec.maxSeconds ?? .infinity, position.seconds + (secondsLeft ?? .infinity))
    }

    private var buffers: [FloatBuffer] {
        [step.model.parameters, best] + step.optimiserState + (average.isOn ? [average.mean] : [])
    }

    private var steps: Int { Self.steps(data, spec.options) }

    /// Optimiser steps of an epoch.
    private static func steps(_ data: TrainingData, _ options: TrainingOptions) -> Int {
        (data.trainingUsers.count + options.batchUsers - 1) / options.batchUsers
    }

    /// Validations without improvement that end training.
    private var patience: Int {
        spec.options.patience(
            steps: steps, done: position.curve.count, stale: position.stale, best: position.bestValue ?? 0,
            popularity: popularity)
    }

    /// Whether the metric was still rising at the end: its best value stood more than 2 % above what it was before the last quarter
    /// of the validations.
    private var isRising: Bool {
        let before = position.curve.prefix(3 * position.curve.count / 4).max() ?? 0
        return (position.bestValue ?? 0) > (1 + Self.rising) * before
    }

    static let rising = 0.02

    /// The last step that is taken: optimisers keep the step of each row in 32 bits.
    static let mostSteps = Int(UInt32.max)

    /// Active seconds of all runs.
    private var seconds: Double { position.seconds + clock.duration(to: .now).inSeconds }

    /// Trains to the end.
    ///
    /// - Throws: `Interrupted` when `shouldStop` says so, `NonFiniteScore` never (it becomes `diverged`).
    package func run(
        shouldStop: () -> Bool = { false }, progress: (TrialProgress) -> Void = { _ in }
    ) throws -> Outcome {
        clock = .now
        lastCheckpoint = clock
        report(.starting, progress, force: true)
        do {
            var outOfTime = false
            while !outOfTime, position.epoch < spec.options.maxEpochs, position.stale < patience,
                position.step + steps <= Self.mostSteps
            {
                outOfTime = try trainEpoch(shouldStop: shouldStop, progress: progress)
                if outOfTime, position.stepInEpoch == 0, position.epoch > 0 { break }
                try validate(progress)
            }
            return try finish(outOfTime ? .stoppedByBudget : isRising ? .stoppedRising : .converged, progress)
        } catch let error as Divergence {
            return diverged(error.description)
        } catch is NonFiniteScore {
            return diverged("a score is not finite after step \(position.step): training has diverged")
        }
    }

    /// Begins with the weights of a file instead of random ones.
    ///
    /// - Throws: `TrialFileError`, see `WeightsFile`.
    package func start(from weights: String) throws {
        try WeightsFile.read(weights, into: step.model)
        best.copy(from: step.model.parameters)
    }

    /// Ranks with the parameters as they are.
    package func rankOnly(progress: (TrialProgress) -> Void = { _ in }) throws -> Outcome {
        clock = .now
        best.copy(from: step.model.parameters)
        do {
            return try finish(.converged, progress)
        } catch is NonFiniteScore {
            return diverged("a score is not finite")
        }
    }

    /// A loss that no longer means anything.
    private struct Divergence: Error {
        var description: String
    }

    /// A loss so many times that of the first step is no accident: untrained models score at chance, and even a bad batch
    /// stays near it. A large learning rate may leave the loss finite for ever, and the model useless.
    static let divergedFactor = 20.0

    /// Throws `Divergence` for the loss of a step (counted from 1) that is not finite, or far above that of the first step.
    private func check(loss: Double, step: Int) throws {
        guard loss.isFinite else {
            throw Divergence(description: "the loss is not finite at step \(step): training has diverged")
        }
        let first = position.firstLoss ?? loss
        position.firstLoss = first
        let limit = Self.divergedFactor * max(1, first)
        guard loss <= limit else {
            throw Divergence(description: Self.divergence(loss: loss, first: first, step: step))
        }
    }

    /// Says of a loss that it is far above the first; both are finite, and may be larger than any whole number.
    static func divergence(loss: Double, first: Double, step: Int) -> String {
        "the loss is \(Format.short(loss)) at step \(step), more than \(Int(nearest: divergedFactor)) times the "
            + "\(Format.short(first)) of the first step: training has diverged"
    }

    // MARK: - Epochs

    /// Trains the rest of an epoch; true when the time is over.
    private func trainEpoch(shouldStop: () -> Bool, progress: (TrialProgress) -> Void) throws -> Bool {
        let started = ContinuousClock.now
        let secondsBefore = position.trainingSeconds
        defer { position.trainingSeconds = secondsBefore + started.duration(to: .now).inSeconds }
        let order = shuffledUsers(epoch: position.epoch)
        var batch = JaggedBatch()
        var negatives: [Int32] = []
        while position.stepInEpoch < steps {
            if seconds >= limit { return true }
            if shouldStop() {
                position.trainingSeconds = secondsBefore + started.duration(to: .now).inSeconds
                try saveCheckpoint()
                throw Interrupted()
            }
            if lastCheckpoint.duration(to: .now).inSeconds >= spec.checkpointSeconds {
                position.trainingSeconds = secondsBefore + started.duration(to: .now).inSeconds
                try saveCheckpoint()
            }
            let first = position.stepInEpoch * spec.options.batchUsers
            let users = order[first..<min(first + spec.options.batchUsers, order.count)]
            var random = RandomStream(seed: spec.seed, .negatives, UInt64(position.step))
            batches.fill(users, &random, &batch, &negatives)
            let key = RandomStream(seed: spec.seed, .dropout, UInt64(position.step)).key
            let loss = step.lossAndGradient(batch, negatives: negatives, dropoutKey: key)
            try check(loss: loss, step: position.step + 1)
            position.step += 1
            position.stepInEpoch += 1
            step.update(step: position.step)
            if average.takes(step: position.step) {
                step.settle()
                average.add(step.model.parameters, step: position.step)
            }
            position.lossSum += loss * Double(batch.count)
            position.lossTokens += batch.count
            position.tokensSeen += batch.count
            let speed = Double(position.tokensSeen) / max(1e-9, secondsBefore + started.duration(to: .now).inSeconds)
            report(.training, progress, speed: speed)
        }
        return false
    }

    /// Calls the body with the average in the place of the parameters, where there is one.
    private func withAverage<T>(_ body: () throws -> T) rethrows -> T {
        guard average.stands(after: position.step) else { return try body() }
        average.mean.swap(with: step.model.parameters)
        defer { average.mean.swap(with: step.model.parameters) }
        return try body()
    }

    private func shuffledUsers(epoch: Int) -> [Int32] {
        var random = RandomStream(seed: spec.seed, .order, UInt64(epoch))
        var order = data.trainingUsers
        for i in stride(from: order.count - 1, to: 0, by: -1) { order.swapAt(i, random.below(i + 1)) }
        return order
    }

    /// Ranks the validation targets and keeps the parameters where they are the best so far; ends the epoch.
    private func validate(_ progress: (TrialProgress) -> Void) throws {
        report(.validating, progress)
        let started = ContinuousClock.now
        step.settle()
        let ranks: [UInt32] = try withAverage {
            try self.ranks(test: false) { report(.validating, progress) }
        }
        let value = RankMetrics.measure(spec.options.stopMetric, ranks: ranks).value
        position.lastValidation = RankMetrics.all(ranks: ranks, and: [spec.options.stopMetric]).mapValues(\.value)
        position.epoch += 1
        position.stepInEpoch = 0
        if value > position.bestValue ?? -1 {
            position.bestValue = value
            position.bestEpoch = position.epoch
            withAverage { best.copy(from: step.model.parameters) }
        }
        position.curve.append(value)
        if value > (1 + spec.options.leastGain) * (position.reference ?? -1) {
            position.reference = value
            position.stale = 0
        } else {
            position.stale += 1
        }
        position.validations += 1
        position.validationSeconds += started.duration(to: .now).inSeconds
        report(.training, progress, force: true)
        if let trace {
            let test: [UInt32] = try withAverage { try self.ranks(test: true) {} }
            trace(
                TracePoint(
                    epoch: position.epoch, step: position.step,
                    seconds: position.trainingSeconds + position.validationSeconds,
                    loss: position.lossSum / Double(max(1, position.lossTokens)),
                    validation: position.lastValidation ?? [:],
                    test: RankMetrics.all(ranks: test, and: [spec.options.stopMetric]).mapValues(\.value)))
        }
        position.lossSum = 0
        position.lossTokens = 0
    }

    /// Ranks of all evaluated users; `advanced` is called again and again meanwhile, as a sign of life.
    private func ranks(test: Bool, advanced: () -> Void) throws -> [UInt32] {
        guard let candidates else { return try ranking.ranks(step.model, test: test, advanced: advanced) }
        return try ranking.ranks(step.model, test: test, among: candidates, advanced: advanced)
    }

    private func saveCheckpoint() throws {
        lastCheckpoint = .now
        guard let checkpointPath else { return }
        var saved = position
        saved.seconds = seconds
        try Checkpoint.write(saved, buffers, identity: identity, to: checkpointPath)
    }

    // MARK: - The end

    private func finish(
        _ status: TrialResult.Status, _ progress: (TrialProgress) -> Void
    ) throws -> Outcome {
        report(.testing, progress, force: true)
        step.model.parameters.copy(from: best)
        let validation = try ranks(test: false) { report(.testing, progress) }
        let test = try ranks(test: true) { report(.testing, progress) }
        let ranks = Ranks(users: data.evaluatedUsers.map { UInt32($0) }, validation: validation, test: test)
        var result = emptyResult(status)
        result.users = test.count
        result.validation = RankMetrics.all(ranks: validation, and: [spec.options.stopMetric])
        result.test = RankMetrics.all(ranks: test, and: [spec.options.stopMetric])
        report(.finished, progress, force: true)
        return Outcome(result: result, ranks: ranks)
    }

    private func diverged(_ message: String) -> Outcome {
        var result = emptyResult(.diverged)
        result.message = message + " in epoch \(position.epoch + 1); a smaller learning rate may help"
        return Outcome(result: result, ranks: Ranks(users: [], validation: [], test: []))
    }

    private func emptyResult(_ status: TrialResult.Status) -> TrialResult {
        let epochs = max(1, Double(position.tokensSeen) / Double(max(1, data.tokens)))
        return TrialResult(
            status: status, epochs: position.epoch, bestEpoch: position.bestEpoch, seconds: seconds,
            tokensPerSecond: Double(position.tokensSeen) / max(1e-9, position.trainingSeconds), tokens: data.tokens,
            parameters: step.model.table.count, peakMemoryBytes: MemoryUse.peakBytes(), users: 0, validation: [:],
            test: [:], secondsPerEpoch: position.trainingSeconds / epochs,
            secondsPerValidation: position.validationSeconds / Double(max(1, position.validations)),
            sampledRanking: spec.sampledRanking, curve: position.curve, popularity: popularity)
    }

    /// Tells where the training stands, at most twice a second unless forced.
    private func report(
        _ phase: TrialProgress.Phase, _ progress: (TrialProgress) -> Void, speed: Double? = nil, force: Bool = false
    ) {
        guard force || lastReport.duration(to: .now).inSeconds >= 0.5 else { return }
        lastReport = .now
        progress(
            TrialProgress(
                phase: phase, epoch: min(position.epoch + 1, spec.options.maxEpochs), tokens: position.lossTokens,
                epochTokens: data.tokens,
                tokensPerSecond: speed ?? Double(position.tokensSeen) / max(1e-9, position.trainingSeconds),
                loss: position.lossTokens > 0 ? position.lossSum / Double(position.lossTokens) : nil,
                validation: position.lastValidation, best: position.bestValue, popularity: popularity,
                seconds: seconds))
    }
}

extension Duration {
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
