/// How long requests of one method and outcome took, counted in classes.
package struct RequestTimes: Sendable, Hashable {
    /// Upper ends of the classes in seconds; what took longer is in one more.
    package static let bounds = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30,
    ]

    /// Requests of each class, not of those below it.
    package private(set) var counts = [Int](repeating: 0, count: bounds.count + 1)
    /// Seconds of all of them.
    package private(set) var seconds = 0.0

    mutating func add(_ taken: Double) {
        counts[Self.bounds.firstIndex { taken <= $0 } ?? Self.bounds.count] += 1
        seconds += taken
    }
}

/// What requests are told apart by.
package struct RequestKind: Sendable, Hashable, Comparable {
    package var method: String
    /// `ok`, or the word of the error.
    package var outcome: String

    package static func < (a: RequestKind, b: RequestKind) -> Bool { (a.method, a.outcome) < (b.method, b.outcome) }
}
