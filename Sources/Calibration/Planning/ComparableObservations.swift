package import Domain

extension [Observation] {
    /// The observations that a law of the key is fitted to.
    ///
    /// Training is deterministic: a trial that was repeated measured the same thing, and counts once.
    package func comparable(_ key: LawKey) -> [Observation] {
        let known = filter { $0.key == key }
        var seen: Set<Identity> = []
        // What was trained to the end comes before what a budget cut short.
        return (known.filter(\.isComplete) + known.filter { !$0.isComplete }).filter {
            seen.insert(
                Identity(configuration: $0.configuration, userFraction: $0.userFraction, seed: $0.seed)
            ).inserted
        }
    }
}

private struct Identity: Hashable {
    var configuration: DeclaredConfiguration
    var userFraction: Double
    var seed: UInt64
}
