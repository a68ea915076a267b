internal import Domain
internal import Synchronization

/// What an advisor has worked out for one question and uses for the next: it changes no answer.
final class AdvisorMemory: Sendable {
    /// A shape with a metric.
    struct Asked: Hashable, Sendable {
        var shape: Int
        var metric: String
    }

    /// A shape with the place of a number of heads.
    struct Priced: Hashable, Sendable {
        var shape: Int
        var block: Int
    }

    /// Two shapes with a metric.
    struct Step: Hashable, Sendable {
        var from: Int
        var to: Int
        var metric: String
    }

    /// Joint draws by metric, and what they say of a shape against all others.
    let draws = Memo<String, RivalDraws>(most: 8)
    let rivalries = Memo<Asked, RivalDraws.Rivalry?>(most: 500)
    /// What a metric changes by from a shape to another.
    let changes = Memo<Step, (mean: Double, deviation: Double)?>(most: 4_000)
    /// What an answer says of its place among the observations.
    let standings = Memo<Asked, Advisor.Standing>(most: 2_000)
    /// What the best is expected to have without limits, by metric.
    let unlimited = Memo<String, Double?>(most: 8)
    /// What the laws and the cost model say of a shape.
    let candidates = Memo<Priced, Candidate>(most: 2_000)

    /// About what it takes.
    var bytes: Int {
        draws.values.reduce(0) { $0 + $1.bytes } + rivalries.count * 4_000
            + changes.count * 100 + standings.count * 500 + candidates.count * 1_000
    }
}

/// Values by key, worked out where they are asked for first.
package final class Memo<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let known = Mutex<[Key: Value]>([:])
    /// When there are more, all are forgotten, and those that are still asked for come again.
    private let most: Int

    package init(most: Int) { self.most = most }

    package var count: Int { known.withLock { $0.count } }
    package var values: [Value] { known.withLock { Array($0.values) } }

    /// Worked out outside the lock: of two that ask at once both work, and find the same.
    package func callAsFunction(_ key: Key, _ make: () throws -> Value) rethrows -> Value {
        if let value = known.withLock({ $0[key] }) { return value }
        let value = try make()
        known.withLock { known in
            if known.count >= most { known.removeAll() }
            known[key] = value
        }
        return value
    }
}
