package import Domain

/// `advisor.whatIf`: the best configuration before and after a change of data, latency or length.
package enum AdvisorWhatIf: RPCMethod {
    package typealias Params = AdvisorWhatIfParams
    package typealias Result = AdvisorWhatIfResult
    package static let name = "advisor.whatIf"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// What changes, and the budget that stays.
package struct AdvisorWhatIfParams: RPCParams, BudgetLimits, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, usersX, interactionsX, latencyX, maxLength
        case maxParams, maxFlops, maxMemoryBytes, maxLatencySeconds, maxTrainSeconds, metric, loss, force, law
        case layers, dims
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    /// Factors of the number of users and of the interactions of each.
    package var usersX: Double?
    package var interactionsX: Double?
    /// Factor of the latency that the best configuration has now.
    package var latencyX: Double?
    /// Another maximum length L; there must be a law of it.
    package var maxLength: Int?
    package var maxParams: Double?
    package var maxFlops: Double?
    package var maxMemoryBytes: Double?
    package var maxLatencySeconds: Double?
    package var maxTrainSeconds: Double?
    package var metric: Metric?
    package var loss: Loss?
    /// Answers also more than 2 e-folds outside the observations.
    package var force: Bool?
    /// The number of a law whose key alone is asked; the best supported keys by default.
    package var law: Int64?
    /// Numbers of layers and dimensions that alone are considered; all of the search space by default.
    package var layers: [Int]?
    package var dims: [Int]?
}

extension AdvisorWhatIfParams {
    package init(name: String) { self.name = name }
}

/// The best before and after.
package struct AdvisorWhatIfResult: Codable, Sendable, Hashable {
    package var dataset: String
    package var metric: Metric
    package var before: Candidate
    package var after: Candidate
    /// How far each lies outside the observations, data included.
    package var beforeGrade: ExtrapolationGrade
    package var grade: ExtrapolationGrade
    /// Training positions of an epoch; absent where the data stays.
    package var tokensBefore: Int?
    package var tokensAfter: Int?
    /// Expected change of the metric, and its 90 % interval; none where nothing tells how much a training varies.
    package var gain: Double
    package var interval: Interval?
    package var warnings: [Warning]
    package var laws: [String: Int64]

    package init(
        dataset: String, metric: Metric, before: Candidate, after: Candidate, beforeGrade: ExtrapolationGrade,
        grade: ExtrapolationGrade, tokensBefore: Int?, tokensAfter: Int?, gain: Double, interval: Interval?,
        warnings: [Warning], laws: [String: Int64]
    ) {
        self.beforeGrade = beforeGrade
        self.grade = grade
        self.tokensBefore = tokensBefore
        self.tokensAfter = tokensAfter
        self.dataset = dataset
        self.metric = metric
        self.before = before
        self.after = after
        self.gain = gain
        self.interval = interval
        self.warnings = warnings
        self.laws = laws
    }
}
