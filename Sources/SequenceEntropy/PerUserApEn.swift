internal import Glibc

/// Approximate Entropy of one sequence [Pincus 1991], as the Performance Law's code computes it for each user.
///
/// With T templates of length m of which c_i lie within r of template i, Phi^m = (1/T) Σ ln c_i - ln T. Where only equality counts
/// (0 <= r < 1), templates are sorted into classes that are refined item by item; those alone in their class add ln 1 = 0 and are
/// not looked at again, so a sequence without repeats costs one look at each item. Other r count near pairs along the diagonals
/// of the distance matrix, where the length of a run of near items says for both m and m + 1 what matches: O(n²), whatever m is.
package struct ApEn {
    package let m: Int
    package let r: Double
    private var classes: TemplateClasses
    private var pairs = NearPairs()
    private var logs = LogTable()

    /// - Parameters:
    ///   - m: template length.
    ///   - r: tolerance between items.
    ///   - itemCount: for 0 <= r < 1 the items are numbers below it.
    package init(m: Int, r: Double, itemCount: Int) {
        precondition(m >= 1)
        self.m = m
        self.r = r
        classes = TemplateClasses(itemCount: itemCount)
    }

    /// |Phi^m - Phi^(m+1)| where templates match when equal; nil for a sequence with no template of length m + 1.
    package mutating func equal(_ items: UnsafeBufferPointer<Int32>) -> Double? {
        let n = items.count
        guard n >= m + 1 else { return nil }
        logs.reach(n)
        let (shorter, longer) = classes.sums(items, m: m, logs)
        return difference(n, shorter, longer)
    }

    /// The same for r >= 1, where items are compared as numbers; r < 0 lets nothing match, and with the published code's 1e-10
    /// for C = 0 the result is 0.
    package mutating func near(_ numbers: UnsafeBufferPointer<Int64>) -> Double? {
        let n = numbers.count
        guard n >= m + 1 else { return nil }
        guard r >= 0 else { return 0 }
        logs.reach(n)
        let (shorter, longer) = pairs.sums(numbers, m: m, within: r, logs)
        return difference(n, shorter, longer)
    }

    /// From the sums of ln c over the templates of length m and m + 1.
    private func difference(_ n: Int, _ shorter: Double, _ longer: Double) -> Double {
        let (few, many) = (n - m, n - m + 1)
        return abs(shorter / Double(many) - logs[many] - longer / Double(few) + logs[few])
    }
}

/// Natural logarithms of 1, 2, ...
private struct LogTable {
    private var values: [Double] = [0, 0]

    subscript(_ count: Int) -> Double { values[count] }

    mutating func reach(_ largest: Int) {
        while values.count <= largest { values.append(log(Double(values.count))) }
    }
}

/// Templates of one sequence in classes of equal ones.
private struct TemplateClasses {
    /// For each item `base` + the place where the present sequence has it first; less than `base` where it has not.
    private var firsts: [Int]
    private var base = 1
    /// Items as the places of their first occurrence.
    private var names: [Int32] = []
    /// Templates that share their class with another: where they begin, and the number of the class.
    private var starts: [Int32] = []
    private var members: [Int32] = []
    private var counts: [Int32] = []
    /// For each pair of class and item after it `base` + the class they make, as `firsts`; for sequences up to `direct` long.
    private var pairs: [Int] = []
    private var table = PairTable(capacity: 32)

    /// Pairs of 64 classes and items have their places in 32 KB; longer sequences are hashed.
    private static let direct = 64

    init(itemCount: Int) { firsts = [Int](repeating: 0, count: itemCount) }

    /// Σ ln c over the templates of length m and of length m + 1.
    mutating func sums(_ items: UnsafeBufferPointer<Int32>, m: Int, _ logs: LogTable) -> (Double, Double) {
        let n = items.count
        names.removeAll(keepingCapacity: true)
        var repeats = false
        for place in 0..<n {
            let item = Int(items[place])
            if firsts[item] < base { firsts[item] = base + place } else { repeats = true }
            names.append(Int32(truncatingIfNeeded: firsts[item] - base))
        }
        base += n
        guard repeats else { return (0, 0) }
        starts.removeAll(keepingCapacity: true)
        members.removeAll(keepingCapacity: true)
        for place in 0..<n {
            starts.append(Int32(truncatingIfNeeded: place))
            members.append(names[place])
        }
        counts.removeAll(keepingCapacity: true)
        counts.append(contentsOf: repeatElement(0, count: n))
        for member in members { counts[Int(member)] += 1 }
        var shorter = m == 1 ? sum(logs) : 0
        keepShared()
        // Of two equal templates of length k those that go on are cut by the item after them.
        for k in 1...m {
            lengthen(by: k, n)
            if k == m - 1 { shorter = sum(logs) }
            if k == m { return (shorter, sum(logs)) }
            keepShared()
            if starts.isEmpty { break }
        }
        return (shorter, 0)
    }

    /// Templates of length k become templates of length k + 1, in new classes; the last one has no item after it.
    private mutating func lengthen(by k: Int, _ n: Int) {
        counts.removeAll(keepingCapacity: true)
        let isDirect = n <= Self.direct
        if isDirect {
            if pairs.isEmpty { pairs = [Int](repeating: 0, count: Self.direct * Self.direct) }
        } else {
            table.removeAll()
        }
        var kept = 0
        for index in starts.indices where Int(starts[index]) + k < n {
            let (member, name) = (members[index], names[Int(starts[index]) + k])
            let number: Int32
            if isDirect {
                let place = Int(member) * Self.direct + Int(name)
                if pairs[place] < base { pairs[place] = base + counts.count }
                number = Int32(truncatingIfNeeded: pairs[place] - base)
            } else {
                number = table.number(member, name).number
            }
            if number == counts.count { counts.append(1) } else { counts[Int(number)] += 1 }
            starts[kept] = starts[index]
            members[kept] = number
            kept += 1
        }
        base += n
        starts.removeLast(starts.count - kept)
        members.removeLast(members.count - kept)
    }

    private mutating func keepShared() {
        var kept = 0
        for index in starts.indices where counts[Int(members[index])] > 1 {
            starts[kept] = starts[index]
            members[kept] = members[index]
            kept += 1
        }
        starts.removeLast(starts.count - kept)
        members.removeLast(members.count - kept)
    }

    private func sum(_ logs: LogTable) -> Double {
        counts.reduce(0) { $1 > 1 ? $0 + Double($1) * logs[Int($1)] : $0 }
    }
}

/// Templates of one sequence that lie within a distance of each other, every pair looked at once.
private struct NearPairs {
    private var shorter: [Int32] = []
    private var longer: [Int32] = []

    /// Σ ln c over the templates of length m and of length m + 1.
    mutating func sums(
        _ numbers: UnsafeBufferPointer<Int64>, m: Int, within r: Double, _ logs: LogTable
    ) -> (Double, Double) {
        let n = numbers.count
        // Distances of integers are integers, and those of 64 bits need 64 bits without a sign.
        let reach = r < 0x1p64 ? UInt64(r) : .max
        if shorter.count < n {
            shorter = [Int32](repeating: 1, count: n)
            longer = shorter
        }
        shorter.withUnsafeMutableBufferPointer { shorter in
            longer.withUnsafeMutableBufferPointer { longer in
                for place in 0..<n { (shorter[place], longer[place]) = (1, 1) }
                for gap in 1..<n {
                    var run = 0
                    var place = n - gap
                    while place > 0 {
                        place -= 1
                        let (a, b) = (numbers[place], numbers[place + gap])
                        guard UInt64(bitPattern: a > b ? a &- b : b &- a) <= reach else {
                            run = 0
                            continue
                        }
                        run += 1
                        guard run >= m else { continue }
                        shorter[place] += 1
                        shorter[place + gap] += 1
                        guard run > m else { continue }
                        longer[place] += 1
                        longer[place + gap] += 1
                    }
                }
            }
        }
        func sum(_ counts: [Int32], _ templates: Int) -> Double {
            var sum = 0.0
            for template in 0..<templates where counts[template] > 1 { sum += logs[Int(counts[template])] }
            return sum
        }
        return (sum(shorter, n - m + 1), sum(longer, n - m))
    }
}
