package import Costs
package import Domain
package import Store
package import Trials

/// The setting under which speeds are stored, from the key of observations.
package enum SpeedSetting {
    /// Whether trainings of this key keep an average of the parameters: none where it does not say so.
    package static func averages(_ key: LawKey) -> Bool { key.policy.averaging.map { $0 != 0 } ?? false }

    /// Where a key does not say it, as the published recipe does.
    package static func batchUsers(_ key: LawKey) -> Int {
        key.policy.batchUsers ?? TrainingOptions.published.batchUsers
    }

    /// Epochs after which a training of this key ends in any case: no number where it does not say so.
    package static func mostEpochs(_ key: LawKey) -> Double { key.policy.mostEpochs.map(Double.init) ?? .infinity }

    /// Where speeds are kept that were measured while trainings ran.
    package static func besideTrainings(_ setting: String) -> String { setting + " beside-trainings" }

    /// Of observations of a key, whose configurations are priced like this one.
    package static func text(_ key: LawKey, _ c: Configuration) -> String {
        let heads = if case .atMost(let most) = key.policy.heads { most } else { c.heads }
        return CalibrationSettings.speedSetting(
            backbone: c.backbone, loss: c.loss, maxLength: c.maxLength, heads: heads, batchUsers: batchUsers(key),
            negatives: max(1, key.negatives.value ?? 1), executor: key.policy.trainer)
    }
}

extension Store {
    /// What a runner said of its model in a setting.
    package func descriptions(_ dataset: String, _ setting: String) async throws -> [DescribedModel.Shape] {
        try await probes(DescribedModel.Shape.self, dataset: dataset, setting: Self.described(setting))
    }

    package func insertDescriptions(
        _ dataset: String, _ setting: String, _ shapes: [DescribedModel.Shape]
    ) async throws {
        try await insertProbes(
            dataset: dataset, setting: Self.described(setting),
            shapes.map { (layers: $0.layers, dim: $0.dim, body: $0) })
    }

    private static func described(_ setting: String) -> String { "described " + setting }

    /// Speeds of a setting: those that were measured alone, and of shapes without such a one those that were measured beside trainings.
    package func speeds(_ dataset: String, _ setting: String) async throws -> [ThroughputProbe] {
        let alone = try await probes(ThroughputProbe.self, dataset: dataset, setting: setting)
        let others = try await probes(
            ThroughputProbe.self, dataset: dataset, setting: SpeedSetting.besideTrainings(setting))
        return alone + others.filter { other in !alone.contains { $0.layers == other.layers && $0.dim == other.dim } }
    }
}

extension EpochModel {
    /// Learnt from what is stored: the key's own trials, and those of its backbone and loss on other data or by other rules.
    ///
    /// - Parameter last: number of the last observation that counts; all where nil.
    package init(_ store: Store, key: LawKey, limit: Double, upTo last: Int64? = nil) async throws {
        let groups = try await store.trainedEpochs(key.backbone, key.loss, upTo: last)
        func samples(_ group: TrainedEpochs) -> [Sample] {
            group.trainings.map {
                Sample(layers: $0.layers, dim: $0.dim, userFraction: $0.userFraction, epochs: $0.epochs)
            }.sorted {
                // In an order of their own, so that sums do not depend on which came first, to the last bit.
                ($0.layers, $0.dim, $0.userFraction, $0.epochs) < ($1.layers, $1.dim, $1.userFraction, $1.epochs)
            }
        }
        // A few dozen other keys say all that others can say; those of another recipe, or of none that is known here, say nothing.
        let others = groups.filter { $0.key != key && $0.key.policy.recipe == key.policy.recipe }.suffix(24).map(
            samples)
        self.init(
            own: groups.first { $0.key == key }.map(samples) ?? [], others: others,
            recipe: key.policy.recipe == .standard ? .standard : .published, limit: limit)
    }
}

extension SpeedModel {
    /// Probes of a dataset in a setting, with the trials that were trained there in the same setting.
    package init(
        _ probes: [ThroughputProbe], _ store: Store, dataset: String, setting: String, averages: Bool
    ) async throws {
        guard let first = setting.split(separator: " ").first, let backbone = Model(String(first)) else {
            self.init(probes, averages: averages)
            return
        }
        let loss = setting.split(separator: " ").dropFirst().first.flatMap { Loss(rawValue: String($0)) } ?? .cce
        let trials = try await store.timings(of: dataset, backbone, loss).filter { trial in
            let c = trial.configuration
            return setting
                == CalibrationSettings.speedSetting(
                    backbone: c.backbone, loss: c.loss, maxLength: c.maxLength, heads: c.heads,
                    batchUsers: trial.batchUsers, negatives: c.loss.scoresCatalogue ? 1 : trial.negatives,
                    executor: trial.executor)
        }
        self.init(probes, trials: Array(trials.suffix(200)), averages: averages)
    }
}
