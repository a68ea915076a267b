internal import Domain
internal import PlawProtocol

extension Report {
    /// Every training of the calibrations, how it ended, and why the ones that failed did.
    var trainings: HTML {
        let trials = jobs.flatMap { job in (job.trials ?? []).map { (job.id, $0) } }
        guard !trials.isEmpty else { return .nothing }
        let name = recommendation?.metric.description ?? "ndcg@10"
        let rows = trials.prefix(Self.mostRows).map { job, trial -> [String] in
            let c = trial.configuration
            return [
                "\(job)", "\(trial.index)", trial.state.rawValue, "\(c.layers)", "\(c.dim)",
                Format.share(trial.userFraction),
                trial.epochs.map(String.init) ?? "", Format.seconds(trial.predictedSeconds),
                Format.seconds(trial.seconds),
                trial.metrics?[name].map { Format.quality($0.value) } ?? "", trial.message ?? "",
            ]
        }
        let failed = trials.count { [.failed, .diverged].contains($0.1.state) }
        let left = trials.count - rows.count
        return section(
            "Trainings",
            [
                note("\(trials.count) planned or done, \(failed) of them failed or diverged."),
                Reports.table(
                    [
                        "job", "trial", "state", "layers", "dim", "users", "epochs", "predicted", "took", name,
                        "what happened",
                    ],
                    firstRight: 3, textFrom: 10, Array(rows)),
            ] + (left > 0 ? [note("\(Format.count(left)) more are left out; plaw jobs lists them")] : []))
    }

    /// Rows of a table that a page still shows well.
    package static let mostRows = 500

    func table(of observations: [Observation]) -> HTML {
        guard !observations.isEmpty else { return section("Observations", [note("none")]) }
        let metrics = Set(observations.flatMap(\.metrics.keys)).compactMap { Metric($0) }.sorted {
            ($0.kind.rawValue, $0.k) < ($1.kind.rawValue, $1.k)
        }.map(\.description)
        let rows = observations.prefix(Self.mostRows).map { o -> [String] in
            let c = o.configuration
            let ended = o.converged ? "converged" : o.status ?? "stoppedByBudget"
            return [
                "\(o.id)", o.key.model, ended, o.source ?? "", "\(c.layers)",
                "\(c.dim)",
                Format.share(o.userFraction), "\(o.seed)",
                o.tokens > 0 && o.apen > 0 ? Format.dataSize(o.effectiveTokens) : "unknown",
            ] + metrics.map { name in o.metrics[name].map { Format.quality($0.value) } ?? "" }
        }
        let left = observationCount - rows.count
        return section(
            "Observations",
            [
                Reports.table(
                    ["number", "model", "ended", "source", "layers", "dim", "users", "seed", "D'"] + metrics,
                    firstRight: 4, Array(rows))
            ] + (left > 0 ? [note("\(Format.count(left)) more are left out; plaw export has all")] : []))
    }
}
