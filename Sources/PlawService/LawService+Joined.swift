internal import Domain

extension LawService {
    /// Says of trainings that joined plawd's own by a bridge whose they are; nil where there are none.
    static func joined(_ observations: [Observation]) -> Warning? {
        // Of those of an import the file says where they come from.
        let sources = observations.filter { $0.trial != nil }.compactMap(\.source)
        guard !sources.isEmpty else { return nil }
        let each = Dictionary(grouping: sources) { $0 }.mapValues(\.count).sorted { $0.key < $1.key }
        return Warning(
            code: "joined-trainer",
            message: "of \(observations.count) trainings "
                + each.map { "\($0.value) \($0.value == 1 ? "is" : "are") by \($0.key)" }.joined(separator: ", "))
    }
}
