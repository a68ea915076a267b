/// Sequences of different length laid end to end: padding is neither stored nor computed.
package struct JaggedBatch: Sendable {
    /// Item at each position, all sequences concatenated.
    package private(set) var inputs: [Int32] = []
    /// Item to predict at each position; empty for ranking.
    package private(set) var targets: [Int32] = []
    /// Time at each position; empty where the corpus has none.
    package private(set) var times: [Int64] = []
    /// First position of each sequence, and the end of the last.
    package private(set) var offsets: [Int] = [0]

    package init() {}

    package var count: Int { inputs.count }
    package var sequences: Int { offsets.count - 1 }

    package mutating func removeAll() {
        inputs.removeAll(keepingCapacity: true)
        targets.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        offsets.append(0)
    }

    /// Adds a training sequence: position i of the items predicts item i + 1; the most recent `maxLength` positions stay.
    package mutating func addTraining(
        _ items: UnsafeBufferPointer<Int32>, times: UnsafeBufferPointer<Int64>? = nil, maxLength: Int
    ) {
        guard items.count >= 2 else { return }
        let positions = min(items.count - 1, maxLength)
        let start = items.count - 1 - positions
        for i in start..<start + positions {
            inputs.append(items[i])
            targets.append(items[i + 1])
        }
        if let times { self.times.append(contentsOf: times[start..<start + positions]) }
        offsets.append(inputs.count)
    }

    /// Adds a context to be continued: its most recent `maxLength` items.
    package mutating func addContext(
        _ items: UnsafeBufferPointer<Int32>, times: UnsafeBufferPointer<Int64>? = nil, maxLength: Int
    ) {
        inputs.append(contentsOf: items.suffix(maxLength))
        if let times { self.times.append(contentsOf: times[..<items.count].suffix(maxLength)) }
        offsets.append(inputs.count)
    }

    /// Whether every position has its time.
    var hasTimes: Bool { !times.isEmpty && times.count == inputs.count }

    /// Distance in time of two positions.
    func distance(_ i: Int, _ j: Int) -> UInt64 {
        UInt64(bitPattern: times[i] >= times[j] ? times[i] &- times[j] : times[j] &- times[i])
    }

    func length(_ sequence: Int) -> Int { offsets[sequence + 1] - offsets[sequence] }

    /// Floats that the attention weights of one head take.
    var attentionFloats: Int { (0..<sequences).reduce(0) { $0 + length($1) * length($1) } }
    var longest: Int { (0..<sequences).reduce(0) { max($0, length($1)) } }
}
