package import Domain
internal import Glibc
internal import Kernels
package import Trials

/// Measures how long one user waits for ten items, on one core, with a model of random weights: its values do not matter.
package enum LatencyMeasurement {
    /// Requests with histories that differ, after some to warm up, for about `seconds`; at least 21.
    package static func measure(
        _ configuration: Configuration, items: Int, length: Int, seconds: Double
    ) throws -> LatencyProbe {
        var c = configuration
        c.maxLength = max(c.maxLength, length)
        let parameters = FloatBuffer(ParameterTable(c, items: items).count)
        var random = RandomStream(seed: 1, .weights)
        // A short cycle of small numbers is enough, and quick to write into a large catalogue.
        let values = (0..<1_021).map { _ in Float(0.04 * (random.uniform() - 0.5)) }
        values.withUnsafeBufferPointer { values in
            var start = 0
            while start < parameters.count {
                let count = min(values.count, parameters.count - start)
                if let base = values.baseAddress { (parameters.p + start).update(from: base, count: count) }
                start += count
            }
        }
        let model = c.model.init(c, items: items, parameters: parameters, dropout: 0, kernels: .best)
        let ranking = TopItems(model)
        let histories = (0..<16).map { _ in (0..<length).map { _ in Int32(random.below(items)) } }
        // Of times only hstu takes notice, and they cost it something.
        let times = c.backbone == .hstu ? (0..<length).map { Int64($0) * 86_400 } : nil
        var (body, head, whole): ([Double], [Double], [Double]) = ([], [], [])
        var number = 0
        let begin = ContinuousClock.now
        while true {
            let history = histories[number % histories.count]
            let start = processorSeconds()
            let hidden = ranking.hidden(after: history, times: times)
            let middle = processorSeconds()
            let found = try ranking.best(10, hidden, excluding: history)
            let end = processorSeconds()
            precondition(!found.isEmpty || items <= length, "a request found nothing")
            number += 1
            // The first ones touch all memory for the first time.
            guard number > 3 else { continue }
            body.append(middle - start)
            head.append(end - middle)
            whole.append(end - start)
            if whole.count >= 21, begin.duration(to: .now).inSeconds >= seconds { break }
        }
        return LatencyProbe(
            backbone: c.backbone, layers: c.layers, dim: c.dim, heads: c.heads, items: items, length: length,
            requests: whole.count, bodySeconds: quantile(body, 0.5), headSeconds: quantile(head, 0.5),
            p50Seconds: quantile(whole, 0.5), p95Seconds: quantile(whole, 0.95))
    }

    /// Of this thread: what others take of the core meanwhile is not the model's latency.
    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }

    private static func quantile(_ values: [Double], _ share: Double) -> Double {
        let sorted = values.sorted()
        return sorted[min(sorted.count - 1, Int(up: share * Double(sorted.count)) - 1)]
    }
}
