internal import Calibration
internal import Domain
internal import Wire
internal import Reports
internal import Store

/// Gathers what a report shows.
struct ReportService: Sendable {
    let store: Store
    let datasets: DatasetService
    let laws: LawService

    func render(_ params: ReportRenderParams) async throws -> ReportRenderResult {
        let dataset = try await store.dataset(params.name).info
        var jobs: [Job] = []
        for job in try await store.jobs(dataset: params.name, limit: Self.mostJobs).jobs {
            let whole = try await store.jobWithTrials(job.id)
            jobs.append(Job(whole.job, trials: whole.trials))
        }
        let served = try await store.laws(of: params.name, limit: Report.mostLaws)
        var report = Report(
            dataset: dataset, createdAt: timestamp(),
            observations: try await store.observations(of: params.name, limit: Report.mostRows), jobs: jobs,
            laws: served)
        report.observationCount = try await store.observationCount(of: params.name)
        report.lawCount = try await store.lawHeads(of: params.name).count
        if dataset.entropy != nil {
            report.movement = try await datasets.entropy(DatasetEntropyParams(name: params.name)).movement
        }
        do {
            var asked = AdvisorRecommendParams(name: params.name)
            (asked.metric, asked.loss) = (params.metric, params.loss)
            let answer = try await laws.recommend(asked)
            report.recommendation = answer
            report.grid = try await grid(params, answer)
            report.front = try await front(params)
        } catch let error as RPCError where Self.isRefusal(error) {
            report.refusal = error.message
        }
        return ReportRenderResult(dataset: params.name, html: report.html)
    }

    /// Calibrations whose trainings are listed, the newest.
    private static let mostJobs = 20

    /// Whether an error is an answer that a report can go without: the laws do not reach so far, or a cost is not known. A store that
    /// fails, a cancellation and the like are none, and the report fails with them.
    static func isRefusal(_ error: RPCError) -> Bool {
        [ErrorCode.outsideDomain, .infeasible, .lawUnknown].contains { $0.rawValue == error.code }
    }

    /// What the laws expect of the observed levels and the recommended one.
    private func grid(
        _ params: ReportRenderParams, _ answer: Recommendation
    ) async throws -> Report.Grid? {
        let metric = answer.metric
        guard let id = answer.laws[metric.description] else { return nil }
        let law = try await store.law(id)
        let layers = Report.Grid.levels(law.fit.points.map(\.layers), chosen: answer.configuration.layers)
        let dims = Report.Grid.levels(law.fit.points.map(\.dim), chosen: answer.configuration.dim)
        var values: [[Double]] = []
        for layer in layers {
            var row: [Double] = []
            for dim in dims {
                // What lies too far out, or fits no head, stays empty.
                var asked = LawPredictParams(name: params.name, layers: layer, dim: dim)
                asked.loss = params.loss
                let cell = try await Self.unlessRefused { try await laws.predict(asked) }
                row.append(cell?.predicted[metric.description] ?? .infinity)
            }
            values.append(row)
        }
        return Report.Grid(metric: metric.description, layers: layers, dims: dims, values: values)
    }

    /// The front over parameters, or over the first cost that is known.
    private func front(_ params: ReportRenderParams) async throws -> AdvisorParetoResult? {
        for currency in Currency.allCases {
            var asked = AdvisorParetoParams(name: params.name)
            (asked.currency, asked.metric, asked.loss) = (currency.rawValue, params.metric, params.loss)
            // A cost that is not known is refused; the next may be.
            if let front = try await Self.unlessRefused({ try await laws.pareto(asked) }) { return front }
        }
        return nil
    }

    /// Nil where the laws refuse to answer.
    ///
    /// - Throws: all others.
    static func unlessRefused<Answer>(_ ask: () async throws -> Answer) async throws -> Answer? {
        do {
            return try await ask()
        } catch let error as RPCError where isRefusal(error) {
            return nil
        }
    }
}
