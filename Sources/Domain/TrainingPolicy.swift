/// Optimiser, schedule, dropout and stopping rule of trainings. It is written in words, which are those of a column `policy`; what is
/// computed with is read from them once, here, and is nil where they do not say it.
package struct TrainingPolicy: Sendable, Hashable {
    /// Heads of a training: a number, or the most of at most so many that fit the dimension.
    package enum Heads: Sendable, Hashable {
        case exactly(Int)
        case atMost(Int)
    }

    /// Two policies are the same where their words are.
    package let text: String
    /// Whether anybody said it; else there are at most heads and a feed-forward factor.
    package let isSaid: Bool

    package init(_ text: String, isSaid: Bool = true) { (self.text, self.isSaid) = (text, isSaid) }

    package var words: [Substring] { text.split(separator: " ") }

    private func value(_ name: String) -> Substring? {
        words.first { $0.hasPrefix(name) }?.dropFirst(name.count)
    }

    /// Whose trainings they are; nil for plawd's own.
    package var trainer: String? { value("trainer=").map(String.init) }

    /// Users of a batch.
    package var batchUsers: Int? { value("batch=").flatMap { Int($0) } }

    /// Epochs after which a training ends in any case.
    package var mostEpochs: Int? { value("epochs<=").flatMap { Int($0) } }

    package var heads: Heads? {
        if let most = value("heads<=") { return Int(most).map(Heads.atMost) }
        return value("heads=").flatMap { Int($0) }.map(Heads.exactly)
    }

    /// Decay of the average of the parameters that is kept; 0 where none is.
    package var averaging: Double? { value("average=").flatMap { Double($0) } }

    /// Of trainings by plawd, of any version.
    package var recipe: Recipe? {
        guard let named = value("recipe=") else { return words.first == "adamw" ? .published : nil }
        return Recipe.allCases.first { named.hasPrefix($0.rawValue) }
    }

    /// The loss of a key with it: one of the core, else the name that its words have for another.
    package func loss(core: Loss?) -> Declared<LossName> {
        Declared(core.map(LossName.core) ?? value("loss=").map { .elsewhere(String($0)) })
    }

    /// Whether it says a setting, as a value or as a bound.
    package func says(_ name: String) -> Bool { value(name + "=") != nil || value(name + "<=") != nil }
}
