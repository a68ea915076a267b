package import Domain

/// An answer whose configurations are those remembered by the advisor: naming one again copies nothing.
package struct Finding: Sendable {
    /// What the laws and the cost model say of a configuration.
    package final class Evaluated: Sendable {
        /// Its own among all of an advisor.
        package let number: Int
        package let candidate: Candidate

        init(number: Int, _ candidate: Candidate) { (self.number, self.candidate) = (number, candidate) }
    }

    package struct Named: Sendable {
        package let said: Evaluated
        package let expectedRegret: Double

        var candidate: Candidate {
            var candidate = said.candidate
            candidate.expectedRegret = expectedRegret
            return candidate
        }
    }

    /// As in `Recommendation`.
    package let dataset: String
    package let metric: Metric
    package let best: Evaluated
    package let expectedRegret: Double
    package let regretBeyond: Double?
    package let grade: ExtrapolationGrade
    package let reasons: [String]
    package let cheapest: Named
    package let indistinguishable: [Named]
    package let runnersUp: [Named]
    package let bestTrained: Named?
    package var warnings: [Warning]
    package let laws: [String: Int64]

    package var recommendation: Recommendation {
        Recommendation(
            dataset: dataset, metric: metric, best: best.candidate, expectedRegret: expectedRegret,
            regretBeyond: regretBeyond, grade: grade, reasons: reasons, cheapest: cheapest.candidate,
            indistinguishable: indistinguishable.map(\.candidate), runnersUp: runnersUp.map(\.candidate),
            bestTrained: bestTrained?.candidate, warnings: warnings, laws: laws)
    }
}
