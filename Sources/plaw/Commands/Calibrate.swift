import ArgumentParser
import Domain
import Glibc
import Client
import Wire

/// `plaw calibrate`: plans trainings within a budget, starts them, and follows them.
struct Calibrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train what a law needs, within a budget of time.",
        discussion: """
            2 x 64 is trained first: no answer is worse. Without levels of its own, further trials are chosen one at a time by what \
            they teach about the best configuration within the limits, until that is known well enough. Prints the plan, then follows the trials. Ctrl-C detaches: the job goes on in the daemon; `plaw watch` \
            follows it again, `plaw cancel` stops it. When it ends the laws are fitted.
            """)

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Time to train for: 90s, 10m, 2h. Default: 10m.", transform: Seconds.parse) var budget: Seconds?
    @Option(help: "Loss. Default: cce; from 20,000 items on cce or sampled-softmax, as the budget allows.")
    var loss: Loss?
    @Option(help: "Backbone: \(Model.trained), or with --executor a model that its runner trains. Default: sasrec.")
    var backbone: Model?
    @Option(help: "Executor of the daemon's configuration that trains. Default: the daemon's own workers.")
    var executor: String?
    @Option(help: "Recipe of the trainings: standard, or published as arXiv 2301.00979. Default: standard.")
    var recipe: Recipe?
    @Option(
        help: "Levels of layers to train: 1,2,4. Default: trials are chosen one at a time; beside --dims, a grid.",
        transform: Choices.parse)
    var layers: Choices?
    @Option(help: "Levels of the dimension to train: 16,32,64. Default: as --layers.", transform: Choices.parse)
    var dims: Choices?
    @Option(help: "Attention heads. Default: 2.") var heads: Int?
    @Option(help: "Longest sequence the model sees. Default: 50.") var maxLength: Int?
    @Option(help: "Seed of every trial. Default: 1.") var seed: Int?
    @Option(help: "Trials at once. Default: the workers of the daemon's configuration, which is also the most.")
    var workers: Int?
    @Option(
        help: "Validation metric that stops training: ndcg@10, hr@10, mrr@10. Default: ndcg@10.",
        transform: Metric.parse) var stopMetric: Metric?
    @Option(help: "Validations without improvement before a training stops. Default: the recipe's.") var patience: Int?
    @Option(help: "Limit on the epochs of a trial. Default: 200.") var maxEpochs: Int?
    @Option(help: "Learning rate of AdamW. Default: the recipe's.", transform: Number.parse) var learningRate: Number?
    @Option(help: "Dropout rate. Default: 0.5.", transform: Number.parse) var dropout: Number?
    @Option(help: "Users in an optimiser step. Default: the recipe's.") var batchUsers: Int?
    @Option(
        help: ArgumentHelp(
            "Negatives per position, or per batch for sampled-softmax. "
                + "Default: 1; 128 for bpr-max and top1-max, 256 for gbce, 1024 for sampled-softmax."))
    var negatives: Int?
    @Option(help: "Decoupled weight decay of AdamW. Default: 0.", transform: Number.parse) var weightDecay: Number?
    @Option(help: "Largest gradient norm; 0 for no limit. Default: 0.", transform: Number.parse) var clipNorm: Number?
    @Option(
        help: "Share of the expected steps over which the learning rate rises. Default: 0.", transform: Number.parse)
    var warmup: Number?
    @Option(help: "Learning rate after warm-up: constant or cosine. Default: constant.") var schedule: RateSchedule?
    @Option(help: "Epochs that warm-up and schedule count by. Default: --max-epochs.") var scheduleEpochs: Int?
    @Option(help: "How learning rate and dropout follow the dimension: plain, mup, root. Default: the recipe's.")
    var widthRule: WidthRule?
    @Option(help: "Train a whole grid known by name: paper, the 24 points of arXiv 2412.00430.") var grid:
        CalibrationGrid?
    @Option(help: "Limit on the answer's parameters: 2M, 500k. Default: none.", transform: Count.parse) var maxParams:
        Count?
    @Option(help: "Limit on the answer's training FLOPs: 5e12, 2T. Default: none.", transform: Count.parse)
    var maxFlops: Count?
    @Option(help: "Limit on the answer's training memory: 500MB. Default: none.", transform: Bytes.parse) var maxMemory:
        Bytes?
    @Option(help: "Limit on the answer's latency: 5ms. Default: none.", transform: Seconds.parse) var maxLatency:
        Seconds?
    @Option(help: "Limit on the answer's training time: 20m. Default: none.", transform: Seconds.parse)
    var maxTrainTime: Seconds?
    @Option(
        help: "Expected regret at which trials end, as a share of the predicted metric: 1%, 0.01. Default: 1%.",
        transform: Share.parse)
    var tolerance: Share?
    @Option(
        help: "Layers and dimension trained today, as 4x128: trained beside 2x64 and compared. Default: none.",
        transform: ShapeArgument.parse)
    var current: ShapeArgument?
    @Flag(help: "Print the plan and its price; train nothing.") var planOnly = false
    @Flag(help: "Start and return at once.") var detach = false
    @OptionGroup var common: Common

    private var params: CalibrationParams {
        var params = CalibrationParams(name: name)
        params.budgetSeconds = budget?.value
        (params.recipe, params.backbone, params.loss) = (recipe, backbone, loss)
        (params.maxLength, params.heads) = (maxLength, heads)
        (params.layers, params.dims, params.grid) = (layers?.values, dims?.values, grid)
        (params.seed, params.workers) = (seed, workers)
        (params.stopMetric, params.patience, params.maxEpochs) = (stopMetric, patience, maxEpochs)
        (params.learningRate, params.dropout) = (learningRate?.value, dropout?.value)
        (params.batchUsers, params.negatives) = (batchUsers, negatives)
        (params.weightDecay, params.clipNorm) = (weightDecay?.value, clipNorm?.value)
        (params.warmup, params.schedule, params.scheduleEpochs) = (warmup?.value, schedule, scheduleEpochs)
        params.widthRule = widthRule
        (params.maxParams, params.maxFlops) = (maxParams?.value, maxFlops?.value)
        params.maxMemoryBytes = maxMemory?.value
        (params.maxLatencySeconds, params.maxTrainSeconds) = (maxLatency?.value, maxTrainTime?.value)
        (params.tolerance, params.current) = (tolerance?.value, current?.shape)
        params.executor = executor
        return params
    }

    func run() async throws {
        let params = params
        if planOnly {
            return try await common.show(CalibrationPlan.self, params) { Self.lines($0).forEach(Terminal.print) }
        }
        Terminal.note("measuring training speed, to plan")
        let started = try await common.connected { try await $0.call(CalibrationStart.self, params) }
        if !common.json { Self.lines(started.plan).forEach(Terminal.note) }
        if detach {
            return try common.show(started) { started in
                Terminal.print("job \(started.job.id) runs; follow it with: plaw watch \(started.job.id)")
            }
        }
        try await JobFollower(common: common, job: started.job.id).run()
    }

    /// 90 % interval of a prediction.
    private static func range(_ trial: PlannedTrial) -> String {
        guard let deviation = trial.predictedLogDeviation else { return "" }
        let factor = exp(1.645 * deviation)
        return
            "\(Format.seconds(trial.predictedSeconds / factor)) to \(Format.seconds(trial.predictedSeconds * factor))"
    }

    /// The plan as text.
    static func lines(_ plan: CalibrationPlanResult) -> [String] {
        var table = Table("trial", "layers", "dim", "users", "epochs", "predicted", "90 % interval")
        for (index, trial) in plan.trials.enumerated() {
            table.add(
                "\(index + 1)", "\(trial.configuration.layers)", "\(trial.configuration.dim)",
                Format.share(trial.userFraction), Format.count(trial.predictedEpochs),
                Format.seconds(trial.predictedSeconds), Self.range(trial))
        }
        let losses = Set(plan.trials.map(\.configuration.loss.rawValue)).sorted().joined(separator: ", ")
        var difference: [String] = []
        if let smallest = plan.smallestDifference {
            let relative = smallest.level > 0 ? " (\(Format.relative(smallest.difference / smallest.level)))" : ""
            difference.append(
                "the test users resolve differences of \(smallest.metric) from \(Format.quality(smallest.difference))"
                    + "\(relative) on, at \(smallest.isMeasured ? "the measured" : "a typical") \(Format.quality(smallest.level))"
            )
        }
        if let bytes = plan.diskBytes {
            difference.append("about \(Format.bytes(Double(bytes))) will be written to the state directory")
        }
        if let open = plan.openSeconds {
            let start = plan.trials.reduce(0) { $0 + $1.predictedSeconds }
            let end =
                "\(plan.trials.count) \(plan.trials.count == 1 ? "trial" : "trials") to begin with\(losses.isEmpty ? "" : ", with \(losses)"), \(plan.workers) at once: "
                + "\(Format.seconds(start)) of training predicted; then \(Format.seconds(open)) of training for those chosen one "
                + "at a time; budget of \(Format.seconds(plan.budgetSeconds)) on the clock"
            return table.lines + plan.notes.map { "note: " + $0 } + difference + [end]
        }
        let summary =
            "\(plan.trials.count) trials\(losses.isEmpty ? "" : " with \(losses)"), \(plan.workers) at once: \(Format.seconds(plan.predictedSeconds)) predicted "
            + "of the budget of \(Format.seconds(plan.budgetSeconds))"
        return table.lines + plan.notes.map { "note: " + $0 } + difference + [summary]
    }
}
