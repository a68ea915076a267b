package import Domain

/// `calibration.plan`: what a calibration would train and what it would cost; trains nothing but a probe of seconds.
package enum CalibrationPlan: RPCMethod {
    package typealias Params = CalibrationParams
    package typealias Result = CalibrationPlanResult
    package static let name = "calibration.plan"
    package static let access = Access.write
    package static let effort = Effort.long
    package static let ordering = Ordering.concurrent
}

/// What to calibrate.
package struct CalibrationParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, budgetSeconds, recipe, backbone, loss, maxLength, heads, layers, dims, seed, workers, stopMetric,
            patience,
            maxEpochs, learningRate, dropout, batchUsers, negatives, weightDecay, clipNorm, warmup, schedule,
            scheduleEpochs, widthRule, grid, maxParams, maxFlops, maxMemoryBytes, maxLatencySeconds, maxTrainSeconds,
            tolerance, current, executor
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))
    package static let nestedFields = ["current": ShapeParam.fields]

    package var name: String
    /// Active wall-clock seconds; 600 by default.
    package var budgetSeconds: Double?
    /// standard by default; what it says of a training may be overridden below.
    package var recipe: Recipe?
    package var backbone: Model?
    /// Who trains, by the daemon's configuration; the daemon's own workers by default.
    package var executor: String?
    /// cce by default; for large catalogues sampled-softmax where the budget pays no design with cce.
    package var loss: Loss?
    /// 50 by default.
    package var maxLength: Int?
    /// 2 by default.
    package var heads: Int?
    /// Levels of N; chosen from the budget by default.
    package var layers: [Int]?
    /// Levels of d; chosen from the budget by default.
    package var dims: [Int]?
    /// 1 by default.
    package var seed: Int?
    /// Trials at once, at most the daemon's.
    package var workers: Int?
    /// ndcg@10 by default.
    package var stopMetric: Metric?
    /// Validations without improvement; the recipe's by default.
    package var patience: Int?
    /// 200 by default.
    package var maxEpochs: Int?
    package var learningRate: Double?
    package var dropout: Double?
    /// The recipe's by default: about 1,500 training positions.
    package var batchUsers: Int?
    /// Per position, or per batch for sampled-softmax; the loss's own by default.
    package var negatives: Int?
    package var weightDecay: Double?
    /// Largest gradient norm; 0, no limit, by default.
    package var clipNorm: Double?
    /// Share of the expected steps over which the learning rate rises; 0 by default.
    package var warmup: Double?
    /// constant by default.
    package var schedule: RateSchedule?
    /// Epochs that warm-up and schedule count by; `maxEpochs` by default.
    package var scheduleEpochs: Int?
    /// The recipe's by default.
    package var widthRule: WidthRule?
    /// A whole grid of levels; by default, and without levels of its own, trials are chosen one at a time.
    package var grid: CalibrationGrid?
    /// What the answer must keep: trials are spent on what can be told about configurations within.
    package var maxParams: Double?
    package var maxFlops: Double?
    package var maxMemoryBytes: Double?
    package var maxLatencySeconds: Double?
    package var maxTrainSeconds: Double?
    /// Expected regret over the predicted metric at which trials chosen one at a time end; 0.01 by default.
    package var tolerance: Double?
    /// What is trained today: it is trained beside the standard shape, and compared. Not beside levels.
    package var current: ShapeParam?
}

extension CalibrationParams {
    package init(name: String) { self.name = name }
}

/// Layers and dimension of a configuration.
package struct ShapeParam: Codable, Sendable, Hashable {
    package static let fields: Set<String> = ["layers", "dim"]

    package var layers: Int
    package var dim: Int

    package init(layers: Int, dim: Int) {
        (self.layers, self.dim) = (layers, dim)
    }
}

/// A grid known by name.
package enum CalibrationGrid: String, Codable, Sendable, Hashable, CaseIterable {
    /// The 24 points of arXiv 2412.00430: N of 4, 8, 12, 16, 24, 32 and d of 25, 50, 75, 100.
    case paper

    package var layers: [Int] { [4, 8, 12, 16, 24, 32] }
    package var dims: [Int] { [25, 50, 75, 100] }
}

/// The smallest difference between two trainings that a dataset's test users can resolve.
package struct SmallestDifference: Codable, Sendable, Hashable {
    package var metric: Metric
    /// What the metric is about.
    package var level: Double
    /// Two standard errors of the difference between two trainings on the same users.
    package var difference: Double
    /// False where nothing is measured yet and both are typical values.
    package var isMeasured: Bool

    package init(metric: Metric, level: Double, difference: Double, isMeasured: Bool) {
        (self.metric, self.level, self.difference, self.isMeasured) = (metric, level, difference, isMeasured)
    }
}

/// A trial of a plan.
package struct PlannedTrial: Codable, Sendable, Hashable {
    package var configuration: Configuration
    package var userFraction: Double
    package var seed: UInt64
    package var predictedEpochs: Double
    /// On one worker.
    package var predictedSeconds: Double
    /// Standard deviation of ln(seconds) around the prediction; absent where nothing is known of it.
    package var predictedLogDeviation: Double?

    package init(
        configuration: Configuration, userFraction: Double, seed: UInt64, predictedEpochs: Double,
        predictedSeconds: Double, predictedLogDeviation: Double? = nil
    ) {
        (self.configuration, self.userFraction) = (configuration, userFraction)
        (self.seed, self.predictedEpochs) = (seed, predictedEpochs)
        (self.predictedSeconds, self.predictedLogDeviation) = (predictedSeconds, predictedLogDeviation)
    }
}

/// A plan with its price.
package struct CalibrationPlanResult: Codable, Sendable, Hashable {
    package var dataset: String
    /// In the order they are started.
    package var trials: [PlannedTrial]
    package var workers: Int
    package var budgetSeconds: Double
    /// Wall-clock seconds of the whole plan.
    package var predictedSeconds: Double
    /// What the planner decided and why.
    package var notes: [String]
    /// Seconds of one worker left for trials that are chosen one at a time; absent for a grid.
    package var openSeconds: Double?
    package var smallestDifference: SmallestDifference?
    /// Bytes that it is expected to write.
    package var diskBytes: Int?

    package init(
        dataset: String, trials: [PlannedTrial], workers: Int, budgetSeconds: Double, predictedSeconds: Double,
        notes: [String], openSeconds: Double? = nil, smallestDifference: SmallestDifference? = nil,
        diskBytes: Int? = nil
    ) {
        (self.dataset, self.trials, self.workers) = (dataset, trials, workers)
        (self.budgetSeconds, self.predictedSeconds, self.notes) = (budgetSeconds, predictedSeconds, notes)
        (self.openSeconds, self.smallestDifference, self.diskBytes) = (openSeconds, smallestDifference, diskBytes)
    }
}
