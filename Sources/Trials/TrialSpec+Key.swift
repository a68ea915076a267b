package import Domain

extension TrialSpec {
    /// What makes the observation of this trial comparable with others.
    package func lawKey(datasetVersion: String, filter: String) -> LawKey {
        let o = options
        let c = configuration
        var policy =
            "adamw lr=\(o.learningRate) wd=\(o.weightDecay) betas=\(o.beta1),\(o.beta2) clip=\(o.clipNorm) "
            + "batch=\(o.batchUsers) dropout=\(o.dropout) heads\(mostHeads.map { "<=\($0)" } ?? "=\(c.heads)") stop=\(o.stopMetric) "
            + "patience=\(o.patience) epochs<=\(o.maxEpochs)"
        // Only where they differ from what training did before there was a choice, so that older observations stay comparable.
        if o.warmup > 0 || o.schedule != .constant {
            let epochs = o.scheduleEpochs > 0 ? o.scheduleEpochs : o.maxEpochs
            policy += " schedule=\(o.schedule.rawValue) warmup=\(o.warmup) over=\(epochs)"
        }
        if o.differsFromPublished {
            policy +=
                " recipe=\(o.recipe == .published ? o.recipe.rawValue : "\(o.recipe.rawValue)-\(Recipe.version)") item-rate=\(o.itemRate) average=\(o.averaging) "
                + "warmup-steps=\(o.warmupSteps) begin=\(o.initialisation.rawValue) patience-steps=\(o.patienceSteps) "
                + "patience-share=\(o.patienceShare) gain=\(o.leastGain)"
        }
        if o.widthRule != .plain { policy += " width=\(o.widthRule.rawValue)" }
        if c.loss == .gbce { policy += " t=\(o.calibration)" }
        if c.loss == .sampledSoftmax { policy += " sampling=\(o.sampling.rawValue)" }
        if let trainer { policy += " trainer=\(trainer)" }
        return LawKey(
            datasetVersion: .said(datasetVersion), filter: .said(filter), split: .said("leave-two-out"),
            mask: .said(mask), candidates: .said(sampledRanking.map { "sampled-\($0)" } ?? "all"),
            backbone: .said(c.backbone), loss: .said(.core(c.loss)),
            negatives: .said(c.loss.scoresCatalogue ? 0 : o.negatives), maxLength: .said(c.maxLength),
            policy: TrainingPolicy(policy), codeVersion: .said(trainingCodeVersion))
    }
}

/// Changes whenever training would give other results than before, so that old and new observations are not mixed.
let trainingCodeVersion = "3"
