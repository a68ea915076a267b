internal import Domain
internal import Synchronization

/// What an advisor has worked out for one question and uses for the next: it changes no answer.
final class AdvisorMemory: Sendable {
    /// A shape, with a metric or with the place of a number of heads.
    struct Place: Hashable, Sendable {
        var shape: Int
        var metric = ""
        var block = 0
    }

    /// Joint draws by metric, and those of further shapes given them.
    let draws = Memo<String, RivalDraws>(most: 8)
    let furtherDraws = Memo<Place, [Float]?>(most: 256)
    /// What the best is expected to have without limits, by metric.
    let unlimited = Memo<String, Double?>(most: 8)
    /// What the laws and the cost model say of a shape.
    let candidates = Memo<Place, Candidate>(most: 2_000)

    /// About what it takes.
    var bytes: Int {
        draws.values.reduce(0) { $0 + $1.bytes } + furtherDraws.values.count * 4 * RivalDraws.count
            + candidates.values.count * 1_000
    }
}

/// Values by key, worked out where they are asked for first.
final class Memo<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let known = Mutex<[Key: Value]>([:])
    /// When there are more, all are forgotten, and those that are still asked for come again.
    private let most: Int

    init(most: Int) { self.most = most }

    var values: [Value] { known.withLock { Array($0.values) } }

    func holds(_ key: Key) -> Bool { known.withLock { $0[key] != nil } }

    /// Worked out outside the lock: of two that ask at once both work, and find the same.
    func callAsFunction(_ key: Key, _ make: () -> Value) -> Value {
        if let value = known.withLock({ $0[key] }) { return value }
        let value = make()
        known.withLock { known in
            if known.count >= most { known.removeAll() }
            known[key] = value
        }
        return value
    }
}
