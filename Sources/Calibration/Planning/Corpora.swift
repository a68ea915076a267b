package import Costs
package import Domain
internal import Glibc
package import Interactions
package import Store
internal import Wire
internal import Synchronization

/// Opens the corpora of datasets for the daemon: copied, so that what happens to a file while it is read ends no more than a request, and
/// held against the hash that the dataset was registered with, once a start and again where the file is another one since.
///
/// What questions need of a corpus is kept, since a corpus never changes.
package final class Corpora: Sendable {
    /// What tells that a file is the one that was verified.
    private struct Identity: Hashable {
        var inode: UInt64
        var size: Int64
        var changed: timespec

        static func == (a: Identity, b: Identity) -> Bool {
            (a.inode, a.size, a.changed.tv_sec, a.changed.tv_nsec) == (
                b.inode, b.size, b.changed.tv_sec, b.changed.tv_nsec
            )
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(inode)
            hasher.combine(changed.tv_nsec)
        }
    }

    private struct Question: Hashable {
        var corpusFile: String
        var maxLength: Int
        var batchUsers: Int
    }

    private struct Table {
        var verified: [String: Identity] = [:]
        var histories: [Question: (histories: Histories, items: Int)] = [:]
        var recipes: [Question: Recipe.Facts] = [:]
    }

    private let folder: String
    private let table = Mutex(Table())

    /// Answers kept beside each other; when there are more, all are dropped and what is still asked for comes again.
    private static let remembered = 256

    package init(folder: String) { self.folder = folder }

    /// Reads and verifies a dataset's corpus.
    ///
    /// - Throws: `InteractionError` with reason `corpus` for one that is not the one that was
    ///   registered, `CancellationError`.
    package func open(_ dataset: StoredDataset, shouldStop: () -> Bool) throws -> Corpus {
        let path = folder + "/" + dataset.corpusFile
        // Before it is read: a file that is replaced meanwhile is verified the next time.
        let identity = Self.identity(path)
        let corpus = try Corpus(path: path, access: .copied)
        if let identity, table.withLock({ $0.verified[dataset.corpusFile] }) == identity { return corpus }
        try corpus.verify(dataset.info.version, shouldStop: shouldStop)
        table.withLock { table in
            if table.verified.count > 4_096 { table.verified = [:] }
            table.verified[dataset.corpusFile] = identity
        }
        return corpus
    }

    /// Whether the file is the one that was verified, or is verified now.
    ///
    /// - Throws: as `open`.
    private func check(_ dataset: StoredDataset, shouldStop: () -> Bool) throws {
        let identity = Self.identity(folder + "/" + dataset.corpusFile)
        if let identity, table.withLock({ $0.verified[dataset.corpusFile] }) == identity { return }
        _ = try open(dataset, shouldStop: shouldStop)
    }

    /// Counts of a dataset as training with this maximum length and these batches sees it.
    package func facts(_ dataset: StoredDataset, maxLength: Int, batchUsers: Int, shouldStop: () -> Bool) throws
        -> DatasetFacts
    {
        let question = Question(corpusFile: dataset.corpusFile, maxLength: maxLength, batchUsers: batchUsers)
        let found = try kept(\.histories, question, dataset, shouldStop) { corpus in
            (
                Histories(
                    lengths: (0..<corpus.userCount).lazy.map { corpus.length(of: $0) }, maxLength: maxLength,
                    batchUsers: batchUsers), corpus.itemCount
            )
        }
        return DatasetFacts(found.histories, items: found.items, apen: dataset.info.entropy?.dataApEn ?? 1)
    }

    /// What a recipe looks at.
    package func recipeFacts(_ dataset: StoredDataset, maxLength: Int, shouldStop: () -> Bool) throws -> Recipe.Facts {
        let question = Question(corpusFile: dataset.corpusFile, maxLength: maxLength, batchUsers: 0)
        return try kept(\.recipes, question, dataset, shouldStop) { Recipe.Facts($0, maxLength: maxLength) }
    }

    private func kept<Value: Sendable>(
        _ values: sending WritableKeyPath<Table, [Question: Value]>, _ question: Question, _ dataset: StoredDataset,
        _ shouldStop: () -> Bool, _ count: (Corpus) -> Value
    ) throws -> Value {
        if let known = table.withLock({ $0[keyPath: values][question] }) {
            try check(dataset, shouldStop: shouldStop)
            return known
        }
        let value = count(try open(dataset, shouldStop: shouldStop))
        table.withLock { table in
            if table[keyPath: values].count >= Self.remembered { table[keyPath: values] = [:] }
            table[keyPath: values][question] = value
        }
        return value
    }

    private static func identity(_ path: String) -> Identity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Identity(inode: UInt64(status.st_ino), size: Int64(status.st_size), changed: status.st_ctim)
    }
}
