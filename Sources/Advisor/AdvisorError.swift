/// Why no answer can be given.
package struct AdvisorError: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// No configuration keeps the budget.
        case infeasible
        /// The configuration asked about lies too far outside the observations.
        case outsideDomain
        /// There is no law for what was asked.
        case noLaw
    }

    package var kind: Kind
    package var description: String
    /// The currency that was exceeded, its limit, and what the cheapest configuration costs in it.
    package var currency: String?
    package var limit: Double?
    package var cheapest: Double?
}
