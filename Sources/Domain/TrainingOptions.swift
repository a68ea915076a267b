/// How the learning rate goes on after its warm-up.
package enum RateSchedule: String, Codable, Sendable, Hashable, CaseIterable {
    case constant
    /// Half a cosine from the rate to a tenth of it at the expected last step, and that tenth from there on.
    case cosine
}

/// How learning rate, dropout, initial values and scores change with the dimension.
package enum WidthRule: String, Codable, Sendable, Hashable, CaseIterable {
    /// Not at all.
    case plain
    /// As maximal update parametrisation for Adam says (arXiv 2203.03466), relative to d = 64: docs/contributors/training.md.
    case mup
    /// The learning rate in proportion to d^-1/2, and for narrow models dropout to d^2/3, relative to d = 64: docs/contributors/training.md.
    case root
}

/// How weights begin.
package enum Initialisation: String, Codable, Sendable, Hashable, CaseIterable {
    /// Every weight from one normal distribution, biases at 0, norm scales at 1.
    case plain
    /// The same, but projections onto the residual smaller by the root of twice the layers (GPT-2), and biases of norms from the
    /// same distribution: a row that dropout emptied then has a variance, which bounds its gradient in deep post-norm models.
    case residual
}

/// How AdamW treats embeddings of items that a step does not touch.
package enum ItemUpdate: String, Codable, Sendable, Hashable, CaseIterable {
    /// Every row at every step.
    case dense
    /// Only touched rows; what steps without a gradient would have done is caught up with when a row is next read.
    case sparse
}

/// The distribution that the shared negatives of `sampledSoftmax` are drawn from.
package enum NegativeSampling: String, Codable, Sendable, Hashable, CaseIterable {
    case uniform
    /// In proportion to 1 + how often an item is a training target.
    case popularity
}

/// Hyperparameters of a training run that a law holds constant over its observations.
package struct TrainingOptions: Codable, Sendable, Hashable {
    /// What a training holds for each parameter: itself, its gradient, two moments, the copy of the best epoch, and the average
    /// where there is one.
    package var bytesPerParameter: Int { Self.bytesPerParameter(averages: averaging > 0) }

    package static func bytesPerParameter(averages: Bool) -> Int { averages ? 24 : 20 }

    package var learningRate = 1e-3
    package var weightDecay = 0.0
    package var beta1 = 0.9
    package var beta2 = 0.999
    package var epsilon = 1e-8
    /// Largest global gradient norm; 0 leaves gradients alone.
    package var clipNorm = 0.0
    /// Users in an optimiser step.
    package var batchUsers = 256
    package var dropout = 0.5
    /// Negatives per position, or per batch for `sampledSoftmax`; those that score the catalogue ignore it.
    package var negatives = 1
    package var maxEpochs = 200
    /// Validations without improvement after which training stops.
    package var patience = 10
    /// Validation metric that early stopping maximises.
    package var stopMetric = Metric(.ndcg, 10)
    /// Share of the expected steps over which the learning rate rises from 0.
    package var warmup = 0.0
    package var schedule = RateSchedule.constant
    /// Epochs whose steps warm-up and schedule count by; 0 for `maxEpochs`.
    package var scheduleEpochs = 0
    package var widthRule = WidthRule.plain
    package var itemUpdate = ItemUpdate.sparse
    /// t of `gbce`, from 0 (plain binary cross-entropy) to 1 (fully calibrated).
    package var calibration = 0.75
    /// Where `sampledSoftmax` draws its negatives from.
    package var sampling = NegativeSampling.popularity
    /// Standard deviation of the normal distribution that weights and embeddings begin with.
    package var initialDeviation = 0.02
    package var initialisation = Initialisation.plain
    /// Mean age of the averaged parameters that are validated and kept instead of the last ones, as a share of the steps so far; 0
    /// averages nothing.
    package var averaging = 0.0
    /// Factor of the learning rate of item embeddings.
    package var itemRate = 1.0
    /// Steps over which the learning rate rises from 0, where `warmup` does not say more.
    package var warmupSteps = 0
    /// Optimiser steps that training goes on for at least without improvement, beside the validations of `patience`.
    package var patienceSteps = 0
    /// The same as a share of the validations before: a training that rises slowly is given more time.
    package var patienceShare = 0.0
    /// Relative gain over the last value that was one, from which on a validation counts as an improvement to the stopping rule.
    package var leastGain = 0.0
    /// The recipe that these options began as; single ones may differ from it.
    package var recipe = Recipe.published

    /// What `published` trains with.
    package static let published = TrainingOptions()
}

extension TrainingOptions {
    /// Members that older specifications lack get what training did before there was a choice.
    package init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        learningRate = try c.decode(Double.self, forKey: .learningRate)
        weightDecay = try c.decode(Double.self, forKey: .weightDecay)
        beta1 = try c.decode(Double.self, forKey: .beta1)
        beta2 = try c.decode(Double.self, forKey: .beta2)
        epsilon = try c.decode(Double.self, forKey: .epsilon)
        clipNorm = try c.decode(Double.self, forKey: .clipNorm)
        batchUsers = try c.decode(Int.self, forKey: .batchUsers)
        dropout = try c.decode(Double.self, forKey: .dropout)
        negatives = try c.decode(Int.self, forKey: .negatives)
        maxEpochs = try c.decode(Int.self, forKey: .maxEpochs)
        patience = try c.decode(Int.self, forKey: .patience)
        stopMetric = try c.decode(Metric.self, forKey: .stopMetric)
        warmup = try c.decodeIfPresent(Double.self, forKey: .warmup) ?? 0
        schedule = try c.decodeIfPresent(RateSchedule.self, forKey: .schedule) ?? .constant
        scheduleEpochs = try c.decodeIfPresent(Int.self, forKey: .scheduleEpochs) ?? 0
        widthRule = try c.decodeIfPresent(WidthRule.self, forKey: .widthRule) ?? .plain
        itemUpdate = try c.decodeIfPresent(ItemUpdate.self, forKey: .itemUpdate) ?? .dense
        calibration = try c.decodeIfPresent(Double.self, forKey: .calibration) ?? 0.75
        sampling = try c.decodeIfPresent(NegativeSampling.self, forKey: .sampling) ?? .popularity
        initialDeviation = try c.decodeIfPresent(Double.self, forKey: .initialDeviation) ?? 0.02
        initialisation = try c.decodeIfPresent(Initialisation.self, forKey: .initialisation) ?? .plain
        averaging = try c.decodeIfPresent(Double.self, forKey: .averaging) ?? 0
        itemRate = try c.decodeIfPresent(Double.self, forKey: .itemRate) ?? 1
        patienceSteps = try c.decodeIfPresent(Int.self, forKey: .patienceSteps) ?? 0
        patienceShare = try c.decodeIfPresent(Double.self, forKey: .patienceShare) ?? 0
        warmupSteps = try c.decodeIfPresent(Int.self, forKey: .warmupSteps) ?? 0
        leastGain = try c.decodeIfPresent(Double.self, forKey: .leastGain) ?? 0
        recipe = try c.decodeIfPresent(Recipe.self, forKey: .recipe) ?? .published
    }

    /// Whether they train in a way that was not there when `published` was all there was.
    package var differsFromPublished: Bool {
        recipe != .published || itemRate != 1 || averaging > 0 || initialisation != .plain || warmupSteps > 0
            || patienceSteps > 0 || patienceShare > 0 || leastGain > 0
    }

    /// Bounds of numbers that nobody would choose, far inside what can be computed with: products of them stay below 2^63, and they
    /// are finite as `Float`.
    private static let most = 1_000_000_000
    private static let mostRate = 1e30

    /// Why these options cannot be trained with, naming the member, what was found and what was expected; nil when they can.
    package var problem: (field: String, message: String)? {
        let most = Self.most
        let counts: [(String, Int, ClosedRange<Int>)] = [
            ("patience", patience, 1...most), ("maxEpochs", maxEpochs, 1...most),
            ("batchUsers", batchUsers, 1...65_536),
            ("negatives", negatives, 1...65_536), ("scheduleEpochs", scheduleEpochs, 0...most),
            ("patienceSteps", patienceSteps, 0...most), ("warmupSteps", warmupSteps, 0...most),
        ]
        for (field, found, range) in counts where !range.contains(found) {
            return (field, "\(field): found \(found), expected \(range.lowerBound) to \(range.upperBound)")
        }
        // A comparison with NaN is false: it is refused like what lies outside.
        let rates: [(String, Double, Bool, String)] = [
            ("dropout", dropout, dropout >= 0 && dropout < 1, "0 or more, less than 1"),
            (
                "learningRate", learningRate, learningRate > 0 && learningRate <= Self.mostRate,
                "more than 0, at most 1e30"
            ),
            ("weightDecay", weightDecay, weightDecay >= 0 && weightDecay <= Self.mostRate, "0 to 1e30"),
            ("clipNorm", clipNorm, clipNorm >= 0 && clipNorm <= Self.mostRate, "0 to 1e30"),
            ("beta1", beta1, beta1 >= 0 && beta1 < 1, "0 or more, less than 1"),
            ("beta2", beta2, beta2 > 0 && beta2 < 1, "more than 0, less than 1"),
            ("epsilon", epsilon, epsilon > 0 && epsilon <= Self.mostRate, "more than 0, at most 1e30"),
            ("warmup", warmup, warmup >= 0 && warmup <= 1, "0 to 1"),
            (
                "initialDeviation", initialDeviation, initialDeviation > 0 && initialDeviation <= 1,
                "more than 0, at most 1"
            ),
            ("averaging", averaging, averaging >= 0 && averaging <= 0.5, "0 to 0.5"),
            ("patienceShare", patienceShare, patienceShare >= 0 && patienceShare <= 100, "0 to 100"),
            ("leastGain", leastGain, leastGain >= 0 && leastGain <= 1, "0 to 1"),
            ("itemRate", itemRate, itemRate > 0 && itemRate <= 1_000, "more than 0, at most 1000"),
            ("calibration", calibration, calibration >= 0 && calibration <= 1, "0 to 1"),
        ]
        for (field, found, holds, expected) in rates where !holds {
            return (field, "\(field): found \(found), expected \(expected)")
        }
        return nil
    }
}
