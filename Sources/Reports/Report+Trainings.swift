internal import Domain
internal import Wire

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
                o.key.saysDataSize ? Format.dataSize(o.effectiveTokens) : "unknown",
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

    /// The measurements over each axis, and the residuals over what the law says.
    func plots(_ fit: LawFit) -> [HTML] {
        let full = fit.effectiveTokensRange.last ?? 0
        guard !fit.points.isEmpty else { return [] }
        let whole = fit.points.filter { $0.effectiveTokens >= full * 0.999 }
        func levels(_ level: (LawFit.Point) -> Int) -> [Int] { Set(whole.map(level)).sorted() }
        func curves(
            _ word: String, by group: (LawFit.Point) -> Int, over axis: (LawFit.Point) -> Int
        ) -> [PlotSeries] {
            Grid.spread(levels(group), over: 5).map { value in
                let points = whole.filter { group($0) == value }.sorted { axis($0) < axis($1) }
                return PlotSeries("\(word) \(value)", .meansAndDots, points.map { (Double(axis($0)), $0.observed) })
            }
        }
        let y = PlotAxis("observed \(fit.metric)")
        return [
            .element("h3", [:], "Against dim"),
            plot(curves("layers", by: \.layers, over: \.dim), x: PlotAxis("dim", isLogarithmic: true), y: y),
            .element("h3", [:], "Against layers"),
            plot(curves("dim", by: \.dim, over: \.layers), x: PlotAxis("layers", isLogarithmic: true), y: y),
            .element("h3", [:], "Residuals"),
            plot(
                [PlotSeries("observed - fitted", .dots, fit.points.map { ($0.fitted, $0.residual) })],
                x: PlotAxis("fitted \(fit.metric)"), y: PlotAxis("residual"), zeroLine: true),
        ]
    }
}
