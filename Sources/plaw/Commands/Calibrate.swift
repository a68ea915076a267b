import ArgumentParser
import Domain
import PlawClient
import PlawProtocol

/// `plaw calibrate`: plans trainings within a budget, starts them, and follows them.
struct Calibrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train what a law needs, within a budget of time.",
        discussion: """
            Prints the plan, then follows the trials. Ctrl-C detaches: the job goes on in the daemon; `plaw watch` \
            follows it again, `plaw cancel` stops it. When it ends the laws are fitted.
            """)

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Time to train for: 90s, 10m, 2h.") var budget: Seconds?
    @Option(help: ArgumentHelp("Loss: \(Loss.allCases.map(\.rawValue).joined(separator: ", ")).")) var loss: Loss?
    @Option(help: ArgumentHelp("Backbone: \(Backbone.allCases.map(\.rawValue).joined(separator: ", ")).")) var backbone:
        Backbone?
    @Option(help: "Levels of layers to train: 1,2,4.") var layers: Levels?
    @Option(help: "Levels of the dimension to train: 16,32,64.") var dims: Levels?
    @Option(help: "Attention heads.") var heads: Int?
    @Option(help: "Longest sequence the model sees.") var maxLength: Int?
    @Option(help: "Seed of every trial.") var seed: Int?
    @Option(help: "Trials at once.") var workers: Int?
    @Option(help: "Validation metric that stops training: ndcg@10, hr@10, mrr@10.") var stopMetric: Metric?
    @Option(help: "Validations without improvement before a training stops.") var patience: Int?
    @Option(help: "Most epochs of a trial.") var maxEpochs: Int?
    @Option(help: "Learning rate of AdamW.") var learningRate: Double?
    @Option(help: "Dropout rate.") var dropout: Double?
    @Option(help: "Users in an optimiser step.") var batchUsers: Int?
    @Option(help: "Negatives per position, or per batch for sampled-softmax.") var negatives: Int?
    @Option(help: "Decoupled weight decay of AdamW.") var weightDecay: Double?
    @Option(help: "Largest gradient norm; 0 for none.") var clipNorm: Double?
    @Option(help: "Share of the expected steps over which the learning rate rises.") var warmup: Double?
    @Option(help: "Learning rate after warm-up: constant or cosine.") var schedule: RateSchedule?
    @Option(help: "Epochs that warm-up and schedule count by.") var scheduleEpochs: Int?
    @Option(help: "How the learning rate follows the dimension: plain or mup.") var widthRule: WidthRule?
    @Flag(help: "Print the plan and its price; train nothing.") var planOnly = false
    @Flag(help: "Start and return at once.") var detach = false
    @OptionGroup var common: Common

    private var params: CalibrationParams {
        CalibrationParams(
            name: name, budgetSeconds: budget?.value, backbone: backbone, loss: loss, maxLength: maxLength,
            heads: heads,
            layers: layers?.values, dims: dims?.values, seed: seed, workers: workers, stopMetric: stopMetric,
            patience: patience, maxEpochs: maxEpochs, learningRate: learningRate, dropout: dropout,
            batchUsers: batchUsers, negatives: negatives, weightDecay: weightDecay, clipNorm: clipNorm, warmup: warmup,
            schedule: schedule, scheduleEpochs: scheduleEpochs, widthRule: widthRule)
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

    /// The plan as text.
    static func lines(_ plan: CalibrationPlanResult) -> [String] {
        var table = Table("trial", "layers", "dim", "users", "predicted")
        for (index, trial) in plan.trials.enumerated() {
            table.add(
                "\(index + 1)", "\(trial.configuration.layers)", "\(trial.configuration.dim)",
                Format.share(trial.userFraction), Format.seconds(trial.predictedSeconds))
        }
        let losses = Set(plan.trials.map(\.configuration.loss.rawValue)).sorted().joined(separator: ", ")
        let summary =
            "\(plan.trials.count) trials\(losses.isEmpty ? "" : " with \(losses)"), \(plan.workers) at once: \(Format.seconds(plan.predictedSeconds)) predicted "
            + "of the budget of \(Format.seconds(plan.budgetSeconds))"
        return table.lines + plan.notes.map { "note: " + $0 } + [summary]
    }
}
