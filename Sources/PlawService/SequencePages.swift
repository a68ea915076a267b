internal import Domain
internal import Calibration
internal import Interactions
internal import Wire
internal import Store
internal import Synchronization

/// Pages of what was read of a dataset: users sorted by the bytes of their names.
final class SequencePages: Sendable {
    /// Users in the order of pages, and the interactions before each of them.
    private struct Order: Sendable {
        var users: [Int32]
        var starts: [Int]

        init(_ corpus: Corpus, _ users: [Int32]) {
            self.users = users
            starts = [0]
            for user in users { starts.append((starts.last ?? 0) + corpus.length(of: Int(user))) }
        }
    }

    /// Bytes of names of a page: an answer has its limit, and a peer may leave it unread.
    private static let pageBytes = 4 << 20
    static let mostInteractions = 200_000
    private static let remembered = 4

    private let corpora: Corpora
    /// Of the datasets asked for last, oldest first.
    private let orders = Mutex<[(corpusFile: String, order: Order)]>([])

    init(_ corpora: Corpora) { self.corpora = corpora }

    /// - Throws: `invalidParams` for a user that is not there and a place beyond the end; as those of `Corpora.open`.
    func page(
        _ dataset: StoredDataset, _ params: DatasetSequencesParams, shouldStop: () -> Bool
    ) throws -> DatasetSequencesResult {
        let corpus = try corpora.open(dataset, shouldStop: shouldStop)
        let order = try params.user.map { try Self.order(of: $0, corpus) } ?? order(of: dataset, corpus)
        let total = order.starts.last ?? 0
        var place = params.after ?? 0
        guard (0..<total).contains(place) else {
            throw RPCError.parameter("after", found: "\(place)", expected: "0 to \(total - 1)")
        }
        var (low, high) = (0, order.users.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if order.starts[middle] <= place { low = middle } else { high = middle }
        }
        let end = min(total, place + (params.limit ?? Self.mostInteractions))
        var bytes = 0
        var sequences: [DatasetSequencesResult.Sequence] = []
        while place < end, bytes < Self.pageBytes {
            if shouldStop() { throw CancellationError() }
            let user = Int(order.users[low])
            var sequence = DatasetSequencesResult.Sequence(user: corpus.userName(user), items: [])
            bytes += sequence.user.utf8.count
            for item in corpus.items(of: user)[(place - order.starts[low])...]
            where place < end && bytes < Self.pageBytes {
                let name = corpus.itemName(Int(item))
                bytes += name.utf8.count + 3
                sequence.items.append(name)
                place += 1
            }
            sequences.append(sequence)
            low += 1
        }
        return DatasetSequencesResult(
            version: dataset.info.version, sequences: sequences, next: place < total ? place : nil)
    }

    private static func order(of name: String, _ corpus: Corpus) throws -> Order {
        guard let user = (0..<corpus.userCount).first(where: { corpus.userName($0) == name }) else {
            let some = (0..<min(3, corpus.userCount)).map { "\"\(corpus.userName($0))\"" }.joined(separator: ", ")
            throw RPCError.parameter("user", foundText: name, expected: "a user of the dataset, such as \(some)")
        }
        return Order(corpus, [Int32(user)])
    }

    private func order(of dataset: StoredDataset, _ corpus: Corpus) -> Order {
        let known = orders.withLock { orders in orders.first { $0.corpusFile == dataset.corpusFile }?.order }
        if let known { return known }
        let names = (0..<corpus.userCount).map { corpus.userName($0) }
        let users = (0..<Int32(corpus.userCount)).sorted {
            names[Int($0)].utf8.lexicographicallyPrecedes(names[Int($1)].utf8)
        }
        let order = Order(corpus, users)
        orders.withLock { $0 = $0.suffix(Self.remembered - 1) + [(dataset.corpusFile, order)] }
        return order
    }
}
