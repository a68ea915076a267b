package import Domain
package import Interactions
internal import Glibc
internal import Kernels
package import Trials

/// Measures what a training would cost before it is started.
package enum SpeedProbe {
    /// Trains for about `seconds` after a warm-up step, then ranks some users.
    package static func measure(
        _ configuration: Configuration, options: TrainingOptions, corpus: Corpus, seconds: Double
    ) throws -> ThroughputProbe {
        let data = TrainingData(corpus, maxLength: configuration.maxLength)
        guard !data.trainingUsers.isEmpty, !data.evaluatedUsers.isEmpty else {
            throw TrialFileError(file: corpus.path, "has no user with 4 or more interactions to train on")
        }
        var batches = BatchMaker(data, loss: configuration.loss, options: options)
        let kernels = Kernels.best
        let step = TrainingStep(
            configuration, items: corpus.itemCount, options: options, proposal: batches.proposal, kernels: kernels)
        step.initialise(seed: 1)
        let ranking = FullRanking(data, mask: .none, dim: configuration.dim, kernels: kernels)
        return ThroughputProbe(
            layers: configuration.layers, dim: configuration.dim, heads: configuration.heads,
            tokensPerSecond: trainingSpeed(step, data, &batches, seconds: seconds),
            evaluatedUsersPerSecond: try rankingSpeed(step, ranking, data, seconds: seconds / 2),
            latencySeconds: try latency(step, ranking, data),
            memoryBytes: Double(MemoryUse.predictedBytes(configuration, data: data, options: options)),
            parameters: step.model.table.count, bytesPerParameter: options.bytesPerParameter)
    }

    private static func trainingSpeed(
        _ step: TrainingStep, _ data: TrainingData, _ batches: inout BatchMaker, seconds: Double
    ) -> Double {
        var random = RandomStream(seed: 1, .order)
        var batch = JaggedBatch()
        var negatives: [Int32] = []
        var tokens = 0
        var number = 0
        var start = SpeedClock.seconds
        let users = data.trainingUsers
        while true {
            let chosen = (0..<min(step.options.batchUsers, users.count)).map { _ in users[random.below(users.count)] }
            batches.fill(chosen, &random, &batch, &negatives)
            _ = step.lossAndGradient(batch, negatives: negatives, dropoutKey: UInt64(number))
            number += 1
            step.update(step: number)
            // The first step touches all memory for the first time.
            if number == 1 {
                start = SpeedClock.seconds
                continue
            }
            tokens += batch.count
            let elapsed = SpeedClock.seconds - start
            if elapsed >= seconds { return Double(tokens) / elapsed }
        }
    }

    private static func rankingSpeed(
        _ step: TrainingStep, _ ranking: FullRanking, _ data: TrainingData, seconds: Double
    ) throws -> Double {
        let users = Array(data.evaluatedUsers.prefix(2_000))
        step.settle()
        var ranked = 0
        let start = SpeedClock.seconds
        while true {
            _ = try ranking.ranks(step.model, test: false, users: users)
            ranked += users.count
            let elapsed = SpeedClock.seconds - start
            if elapsed >= seconds { return Double(ranked) / elapsed }
        }
    }

    /// Median seconds to rank all items for one user: the evaluated user with the longest history in view.
    private static func latency(
        _ step: TrainingStep, _ ranking: FullRanking, _ data: TrainingData
    ) throws -> Double {
        let user = data.evaluatedUsers.max { data.corpus.length(of: Int($0)) < data.corpus.length(of: Int($1)) }
        let users = user.map { [$0] } ?? []
        let times = try (0..<9).map { _ in
            let start = SpeedClock.seconds
            _ = try ranking.ranks(step.model, test: true, users: users)
            return SpeedClock.seconds - start
        }
        return times.sorted()[times.count / 2]
    }
}

/// Seconds that speeds are measured in: those in which the thread ran, since what others take of the core meanwhile is not its speed.
private enum SpeedClock {
    static var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }
}
