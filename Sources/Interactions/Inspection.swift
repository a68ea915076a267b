/// A column of a file with some of its values.
package struct SampledColumn: Sendable, Hashable {
    /// Its name in the header, or its number.
    package var name: String
    /// How `--columns` and `--where` take it.
    package var word: String
    /// Up to three different values.
    package var values: [String]
}

/// An interaction as it was understood.
package struct ReadInteraction: Sendable, Hashable {
    package var user: String
    package var item: String
    /// In words; nil in file order.
    package var time: String?
}
