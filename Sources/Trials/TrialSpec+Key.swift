package import Domain

extension TrialSpec {
    /// What makes the observation of this trial comparable with others.
    package func lawKey(datasetVersion: String, filter: String) -> LawKey {
        LawKey(
            datasetVersion: .said(datasetVersion), filter: .said(filter), split: .said("leave-two-out"),
            mask: .said(mask), candidates: .said(sampledRanking.map { "sampled-\($0)" } ?? "all"),
            backbone: .said(configuration.backbone), loss: .said(.core(configuration.loss)),
            negatives: .said(configuration.loss.scoresCatalogue ? 0 : options.negatives),
            maxLength: .said(configuration.maxLength),
            policy: TrainingPolicy(options, configuration, mostHeads: mostHeads, trainer: trainer),
            codeVersion: .said(trainingCodeVersion))
    }
}

/// Changes whenever training would give other results than before, so that old and new observations are not mixed.
let trainingCodeVersion = "3"
