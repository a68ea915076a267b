/// A stored law.
package struct Law: Codable, Sendable, Hashable {
    package var id: Int64
    package var dataset: String
    package var key: LawKey
    package var createdAt: String
    package var fit: LawFit

    package init(id: Int64, dataset: String, key: LawKey, createdAt: String, fit: LawFit) {
        (self.id, self.dataset, self.key, self.createdAt, self.fit) = (id, dataset, key, createdAt, fit)
    }
}
