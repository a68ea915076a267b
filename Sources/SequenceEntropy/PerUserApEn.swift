internal import Glibc

/// Approximate Entropy of one sequence [Pincus 1991], as the Performance Law's code computes it for each user.
package struct ApEn {
    package let m: Int
    package let r: Double
    private var table = PairTable(capacity: 64)
    private var windows: [Int32] = []
    private var counts: [Int] = []

    package init(m: Int, r: Double) {
        self.m = m
        self.r = r
    }

    /// |Phi^m - Phi^(m+1)|; nil for a sequence with no template of length m + 1.
    ///
    /// Items are compared as numbers where r >= 1; for 0 <= r < 1 only equality counts and the work is O(n).
    /// For r < 0 no template matches, C = 0 is put to 1e-10 as published, and the result is 0.
    package mutating func callAsFunction(_ sequence: UnsafeBufferPointer<Int64>) -> Double? {
        guard sequence.count >= m + 1 else { return nil }
        if r < 0 { return 0 }
        if r < 1 {
            return abs(exactPhi(sequence, m) - exactPhi(sequence, m + 1))
        }
        return abs(phi(sequence, m) - phi(sequence, m + 1))
    }

    /// Mean of ln C where templates match when equal: windows are numbered by (window one shorter, next item).
    private mutating func exactPhi(_ sequence: UnsafeBufferPointer<Int64>, _ m: Int) -> Double {
        let n = sequence.count
        windows.removeAll(keepingCapacity: true)
        windows.append(contentsOf: repeatElement(0, count: n - m + 1))
        for offset in 0..<m {
            table.removeAll()
            for place in windows.indices {
                windows[place] =
                    table.number(windows[place], Int32(truncatingIfNeeded: sequence[place + offset])).number
            }
        }
        counts.removeAll(keepingCapacity: true)
        counts.append(contentsOf: repeatElement(0, count: max(1, m == 0 ? 1 : table.count)))
        for window in windows { counts[Int(window)] += 1 }
        let total = Double(windows.count)
        return counts.reduce(0) { $0 + Double($1) * log(Double($1) / total) } / total
    }

    /// Mean of ln C by comparing all pairs of templates.
    private func phi(_ sequence: UnsafeBufferPointer<Int64>, _ m: Int) -> Double {
        let templates = sequence.count - m + 1
        var sum = 0.0
        for i in 0..<templates {
            var matches = 0
            for j in 0..<templates {
                var near = true
                for k in 0..<m where near {
                    near = Double(abs(sequence[i + k] - sequence[j + k])) <= r
                }
                if near { matches += 1 }
            }
            sum += log(Double(matches) / Double(templates))
        }
        return sum / Double(templates)
    }
}
