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

    /// Resident bytes of the program itself and its libraries, measured on an empty training.
    package static let programBytes = 14 << 20

    /// Predicted peak bytes of a training.
    ///
    /// program + corpus + 4 bytes x (5 P: parameters, gradient, two moments, best copy) + activations of the largest batch +
    /// what the loss holds (for cce a chunk of probabilities) + for losses over sampled items three words an item.
    package static func predictedBytes(_ configuration: Configuration, data: TrainingData, options: TrainingOptions)
        -> Int
    {
        let items = data.corpus.itemCount
        let parameters = ParameterTable(configuration, items: items).count
        // The largest batch is taken as the mean batch and four standard deviations of its sum.
        let lengths = data.trainingUsers.map { Double(min(data.trainingItems($0).count - 1, data.maxLength)) }
        let users = Double(min(options.batchUsers, lengths.count))
        func largest(_ values: [Double]) -> Int {
            let n = Double(max(1, values.count))
            let mean = values.reduce(0, +) / n
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
            return Int(min(values.reduce(0, +), users * mean + 4 * (users * variance).squareRoot()))
        }
        let positions = max(largest(lengths), min(2_048 + data.maxLength, data.tokens))
        let attention = largest(lengths.map { $0 * $0 })
        let activations = configuration.backbone.model.workspace(configuration)
            .bytes(positions: positions, attention: attention)
        let d = configuration.dim
        let head = configuration.loss.headFloats(
            dim: d, items: items, positions: positions, negatives: options.negatives)
        // The step of each row, the mark of the batch, and the mark of the sampler.
        let rows = configuration.loss.scoresCatalogue ? 0 : 3 * items
        let corpus = 4 * data.corpus.interactionCount
        return programBytes + corpus + 4 * (5 * parameters + head + rows + positions * d) + activations
    }
}
