/// What the interactions of a dataset say besides user, item and time; nil for what its file does not have.
package struct EventFacts: Codable, Sendable, Hashable {
    /// Interactions of one kind, such as a behavior or a domain.
    package struct Group: Codable, Sendable, Hashable {
        /// As the file writes it; empty for interactions that do not say.
        package var name: String
        package var interactions: Int
        package var users: Int
        package var items: Int
        /// Users who have interactions of other kinds too.
        package var sharedUsers: Int

        package init(name: String, interactions: Int, users: Int, items: Int, sharedUsers: Int) {
            (self.name, self.interactions, self.users) = (name, interactions, users)
            (self.items, self.sharedUsers) = (items, sharedUsers)
        }
    }

    /// Values of the interactions, such as ratings.
    package struct Values: Codable, Sendable, Hashable {
        package var least: Double
        package var most: Double
        package var mean: Double
        /// Different values; nil where there are more than 65,535.
        package var distinct: Int?
        /// Interactions without one.
        package var missing: Int

        package init(least: Double, most: Double, mean: Double, distinct: Int?, missing: Int) {
            (self.least, self.most, self.mean) = (least, most, mean)
            (self.distinct, self.missing) = (distinct, missing)
        }
    }

    /// As a funnel: those with most interactions first. At most 1,000.
    package var behaviors: [Group]?
    package var values: Values?
    /// Those with most interactions first. At most 1,000.
    package var domains: [Group]?

    package init() {}
}
