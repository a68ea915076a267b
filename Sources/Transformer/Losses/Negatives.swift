package import Domain
internal import Interactions

/// A distribution over the items to draw shared negatives from, by Walker's alias method: one draw costs the same for every
/// catalogue.
package struct ItemProposal: Sendable {
    private let items: Int
    /// Weights, their sum, and the alias table; empty when uniform.
    private var weights: [Float] = []
    private var sum = 0.0
    private var keep: [Float] = []
    private var alias: [Int32] = []

    /// Every item alike.
    package init(uniform items: Int) { self.items = items }

    /// In proportion to the weights, which are positive.
    package init(weights: [Float]) {
        items = weights.count
        self.weights = weights
        sum = weights.reduce(0) { $0 + Double($1) }
        var share = weights.map { Double($0) * Double(weights.count) / sum }
        keep = [Float](repeating: 1, count: items)
        alias = (0..<Int32(items)).map { $0 }
        var small = share.indices.filter { share[$0] < 1 }
        var large = share.indices.filter { share[$0] >= 1 }
        while let low = small.popLast(), let high = large.last {
            keep[low] = Float(share[low])
            alias[low] = Int32(high)
            share[high] -= 1 - share[low]
            if share[high] < 1 { small.append(large.removeLast()) }
        }
    }

    /// As `sampling` says: for popularity, 1 and how often each item is a training target. The 1 keeps every item in reach, as
    /// an unbiased estimate demands.
    package init(_ data: TrainingData, _ sampling: NegativeSampling) {
        guard sampling == .popularity else {
            self.init(uniform: data.corpus.itemCount)
            return
        }
        var weights = [Float](repeating: 1, count: data.corpus.itemCount)
        for user in data.trainingUsers {
            for item in data.trainingItems(user).dropFirst().suffix(data.maxLength) { weights[Int(item)] += 1 }
        }
        self.init(weights: weights)
    }

    static func floats(items: Int) -> Int { 3 * items }

    package func probability(_ item: Int32) -> Double {
        weights.isEmpty ? 1 / Double(items) : Double(weights[Int(item)]) / sum
    }

    package func draw(_ random: inout RandomStream) -> Int32 {
        let item = random.below(items)
        if keep.isEmpty || random.uniform() < Double(keep[item]) { return Int32(item) }
        return alias[item]
    }
}

/// Draws negatives of positions: uniform over the items, drawn again while in the user's whole history.
struct NegativeSampler {
    private let corpus: Corpus
    /// The last user in whose history an item was marked.
    private var mark: [Int32]

    /// A history may hold nearly every item; then the last draw stands.
    private static let attempts = 100

    init(_ corpus: Corpus) {
        self.corpus = corpus
        mark = [Int32](repeating: -1, count: corpus.itemCount)
    }

    mutating func draw(_ count: Int, for user: Int32, _ random: inout RandomStream, into negatives: inout [Int32]) {
        for item in corpus.items(of: Int(user)) { mark[Int(item)] = user }
        for _ in 0..<count {
            var item = random.below(corpus.itemCount)
            var attempt = 1
            while mark[item] == user, attempt < Self.attempts {
                item = random.below(corpus.itemCount)
                attempt += 1
            }
            negatives.append(Int32(item))
        }
    }
}

/// Makes batches with the negatives that a loss wants.
struct BatchMaker {
    private let data: TrainingData
    private let loss: Loss
    private let count: Int
    let proposal: ItemProposal
    private var sampler: NegativeSampler?

    init(_ data: TrainingData, loss: Loss, options: TrainingOptions) {
        self.data = data
        self.loss = loss
        count = options.negatives
        proposal =
            loss == .sampledSoftmax
            ? ItemProposal(data, options.sampling) : ItemProposal(uniform: data.corpus.itemCount)
        if loss.drawsForPositions { sampler = NegativeSampler(data.corpus) }
    }

    /// Replaces batch and negatives by those of `users`, drawing from `random`.
    mutating func fill(
        _ users: some Sequence<Int32>, _ random: inout RandomStream, _ batch: inout JaggedBatch,
        _ negatives: inout [Int32]
    ) {
        batch.removeAll()
        negatives.removeAll(keepingCapacity: true)
        for user in users {
            let before = batch.count
            batch.addTraining(data.trainingItems(user), times: data.times(user), maxLength: data.maxLength)
            sampler?.draw((batch.count - before) * count, for: user, &random, into: &negatives)
        }
        if loss == .sampledSoftmax {
            for _ in 0..<count { negatives.append(proposal.draw(&random)) }
        }
    }
}
