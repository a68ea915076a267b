package import Domain
package import Interactions

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#endif
internal import Glibc

/// Pooled ApEn: templates of all users together, exact equality, never crossing from one user to the next.
///
/// It is the plug-in conditional entropy of the next item given the last m, in nats:
/// (1/n) (Σ_context c ln c - Σ_(context, next) c ln c), over the n positions that have both.
/// The bias-corrected value adds the Miller-Madow term (K_joint - K_context) / 2n of both entropies.
package struct PooledApEn {
    /// Computes it for one m in O(interactions) time. m = 0 gives the entropy of the items that follow nothing.
    ///
    /// - Parameter sequences: calls its argument with each user's items; called m + 1 times.
    package static func compute(
        m: Int, interactions: Int, itemCount: Int, sequences: ((UnsafeBufferPointer<Int32>) -> Void) -> Void
    ) -> EntropyReport.Pooled {
        // contexts[p] numbers the template of length m that ends before position p; positions run over all users.
        var contexts = [Int32](repeating: 0, count: interactions)
        var contextCount = 1
        for length in 0..<m {
            var table = PairTable(capacity: min(interactions, 1 << 20))
            var start = 0
            var previous = contexts
            sequences { items in
                for place in items.indices where place > length {
                    // The template of length + 1 before `place` is that of `length` before `place - 1`, then an item.
                    contexts[start + place] = table.number(previous[start + place - 1], items[place - 1]).number
                }
                start += items.count
            }
            previous = []
            contextCount = table.count
        }
        var contextCounts = [Int32](repeating: 0, count: max(1, contextCount))
        var jointCounts: [Int32] = []
        var joint = PairTable(capacity: min(interactions, 1 << 20))
        var total = 0
        var start = 0
        sequences { items in
            for place in items.indices where place >= m {
                let context = contexts[start + place]
                contextCounts[Int(context)] += 1
                let (number, isNew) = joint.number(context, items[place])
                if isNew { jointCounts.append(1) } else { jointCounts[Int(number)] += 1 }
                total += 1
            }
            start += items.count
        }
        let used = contextCounts.filter { $0 > 0 }
        guard total > 0 else {
            return EntropyReport.Pooled(m: m, value: 0, biasCorrected: 0, singletonShare: 0)
        }
        let n = Double(total)
        let value = max(0, (weightedLogSum(used) - weightedLogSum(jointCounts)) / n)
        return EntropyReport.Pooled(
            m: m, value: value, biasCorrected: value + Double(jointCounts.count - used.count) / (2 * n),
            singletonShare: Double(used.filter { $0 == 1 }.count) / Double(used.count))
    }

    /// Of a corpus; with `includes`, of the users it holds for.
    package static func compute(
        m: Int, corpus: Corpus, includes: (Int) -> Bool = { _ in true }
    ) -> EntropyReport.Pooled {
        compute(m: m, interactions: corpus.interactionCount, itemCount: corpus.itemCount) { visit in
            for user in 0..<corpus.userCount where includes(user) { visit(corpus.items(of: user)) }
        }
    }

    /// Σ c ln c, summed by value of c so that the order of the counts does not matter.
    private static func weightedLogSum(_ counts: [Int32]) -> Double {
        var frequency: [Int32: Int] = [:]
        for count in counts { frequency[count, default: 0] += 1 }
        return frequency.sorted { $0.key < $1.key }.reduce(0) { sum, entry in
            let c = Double(entry.key)
            return sum + Double(entry.value) * c * log(c)
        }
    }
}
