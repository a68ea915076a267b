package import Domain
internal import Glibc
internal import Interactions
internal import Kernels

/// Memory of a training: measured, and predicted from the shape.
package enum MemoryUse {
    /// Largest resident size of this process so far, in bytes.
    package static func peakBytes() -> Int {
        // Not getrusage: what it calls the peak survives exec, so a worker would report its daemon's.
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("VmHWM:") { return (Int(text.filter(\.isNumber)) ?? 0) * 1024 }
        }
        return 0
    }

    /// Resident bytes of the program itself and its libraries, with the scratch of kernels: measured on a training of almost
    /// nothing.
    package static let programBytes = 18_000_000

    /// Predicted peak bytes of a training on one thread; the formula and its terms are in docs/users/costs.md.
    package static func predictedBytes(_ configuration: Configuration, data: TrainingData, options: TrainingOptions)
        -> Int
    {
        let items = data.corpus.itemCount
        let parameters = ParameterTable(configuration, items: items).count
        let lengths = data.trainingUsers.map { min(data.trainingItems($0).count - 1, data.maxLength) }
        let contexts = data.evaluatedUsers.map { min(data.corpus.length(of: Int($0)) - 1, data.maxLength) }
        let shape = configuration.model.workspace(configuration)
        let positions = largest(lengths, users: options.batchUsers)
        let training = shape.bytes(
            positions: positions, attention: largest(lengths.map { $0 * $0 }, users: options.batchUsers),
            blocks: configuration.layers)
        // Rankings between them use the buffers of one block.
        let ranked = min(largest(contexts, users: FullRanking.rows), FullRanking.batchPositions + data.maxLength)
        let ranking = shape.bytes(
            positions: ranked,
            attention: min(
                largest(contexts.map { $0 * $0 }, users: FullRanking.rows), ranked * (contexts.max() ?? 0)),
            blocks: 1)
        let head = configuration.loss.headFloats(
            dim: configuration.dim, items: items, positions: positions, negatives: options.negatives)
        // For each row its step, its marks, and the five factors by which it catches up before a ranking.
        let rows = configuration.loss.scoresCatalogue ? 0 : 10 * items
        // Of the corpus its numbers and times; order, ranks and popularity beside it.
        let corpus =
            (data.times(0) == nil ? 4 : 12) * data.corpus.interactionCount + 40 * data.corpus.userCount + 24 * items
        return programBytes + corpus + options.bytesPerParameter * parameters
            + 4 * (head + rows + positions * (configuration.dim + 4)) + max(training, ranking)
    }

    /// The largest sum over a batch of so many users: that of a mean batch and four standard deviations, at most everything.
    private static func largest(_ values: [Int], users: Int) -> Int {
        let count = Double(max(1, values.count))
        let users = min(Double(users), count)
        let total = values.reduce(0.0) { $0 + Double($1) }
        let mean = total / count
        let variance = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
        // Users are drawn without repetition, so that the sum over all of them varies no more.
        let deviation = (users * variance * (1 - users / count)).squareRoot()
        return Int(towardZero: min(total, users * mean + 4 * deviation))
    }
}
