/// Where the costs of each row of a table rise and where they fall. A limit cuts each such run at one place, which halving finds: no cost
/// but those that are compared on the way is looked at.
final class Runs: Sendable {
    /// Ends of the runs in their row, row by row.
    private let ends: [UInt16]
    /// Number of each row's first run, and of all.
    private let first: [UInt32]

    var bytes: Int { ends.count * 2 + first.count * 4 }

    /// - Parameter width: costs of a row, at most 65,535.
    init(_ costs: [Double], width: Int) {
        var (ends, first) = ([UInt16](), [UInt32(0)])
        // Safe: they are whole rows of `width`, and live as long as the closure.
        costs.withUnsafeBufferPointer { costs in
            for row in stride(from: 0, to: costs.count, by: max(1, width)) {
                var isRising: Bool?
                for i in 1..<max(1, width) {
                    let (last, next) = (costs[row + i - 1], costs[row + i])
                    if last == next { continue }
                    if let rising = isRising, rising != (next > last) {
                        ends.append(UInt16(i))
                        isRising = nil
                    } else {
                        isRising = next > last
                    }
                }
                ends.append(UInt16(width))
                first.append(UInt32(ends.count))
            }
        }
        (self.ends, self.first) = (ends, first)
    }

    /// Calls `over` with the places of a row whose costs are surely above a limit, and `close` with those within rounding of it.
    ///
    /// - Parameters:
    ///   - costs: of the row. Safe where they are as many as the width: runs end there, and no place beyond them is looked at.
    ///   - near: where the limit was met last, and is now; neighbouring rows meet it at places close to each other.
    func cut(
        _ row: Int, _ costs: UnsafePointer<Double>, limit: Double, near: inout Int, over: (Range<Int>) -> Void,
        close: (Int) -> Void
    ) {
        let (low, high) = (limit * (1 - 1e-9), limit * (1 + 1e-9))
        var start = 0
        for run in Int(first[row])..<Int(first[row + 1]) {
            let end = Int(ends[run])
            let (left, right) = (costs[start], costs[end - 1])
            if left > high, right > high {
                over(start..<end)
            } else if left > low || right > low {
                let isRising = left <= right
                /// The first place of the run, or the first after them, whose costs are on the dear side of a value.
                func place(_ value: Double) -> Int {
                    var (from, to, step) = (start, end, 1)
                    let guess = min(max(near, start), end)
                    if guess == end || (costs[guess] > value) == isRising {
                        to = guess
                        while to - step >= start, (costs[to - step] > value) == isRising {
                            (to, step) = (to - step, 2 * step)
                        }
                        from = max(start, to - step + 1)
                    } else {
                        from = guess + 1
                        while from + step <= end, (costs[from + step - 1] > value) != isRising {
                            (from, step) = (from + step, 2 * step)
                        }
                        to = min(end, from + step - 1)
                    }
                    while from < to {
                        let middle = (from + to) / 2
                        if (costs[middle] > value) == isRising { to = middle } else { from = middle + 1 }
                    }
                    return from
                }
                near = place(low)
                let a = near
                let b = place(high)
                if isRising {
                    if b < end { over(b..<end) }
                } else if start < b {
                    over(start..<b)
                }
                for i in min(a, b)..<max(a, b) { close(i) }
            }
            start = end
        }
    }
}
