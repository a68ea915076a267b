internal import NIOCore
internal import Synchronization

/// Answers by the exact text of their parameters, as long as what they rest on has not changed.
///
/// An answer is kept with the dataset it is about and the version of that, which was read before the answer was worked out, and given only
/// while that is the version still: a change that has been acknowledged is seen by every request after it.
package final class ResponseCache: Sendable {
    struct Question: Hashable {
        var method: String
        var params: [UInt8]
    }

    private struct Answer {
        var text: ByteBuffer
        var basis: Basis
    }

    /// What an answer rests on, and how it was when the answer was worked out.
    struct Basis: Sendable {
        /// Nil for an answer about all datasets.
        var dataset: String?
        var version: UInt64
    }

    private struct Table {
        var answers: [Question: Answer] = [:]
        var bytes = 0
    }

    private let table = Mutex(Table())
    private let count = Atomic<Int>(0)
    /// Counts the changes of everything that answers about a dataset rest on; of nil, about all of them.
    private let version: @Sendable (_ dataset: String?) -> UInt64

    /// When more is kept, all is dropped and what is still asked for comes again.
    static let mostBytes = 16 << 20
    /// A longer answer is not kept: it would drive out all others.
    static let longest = mostBytes / 64

    package init(version: @escaping @Sendable (_ dataset: String?) -> UInt64) { self.version = version }

    /// How many answers were given again.
    package var given: Int { count.load(ordering: .relaxed) }

    /// To be taken before anything is read that an answer rests on.
    func basis(_ dataset: String?) -> Basis { Basis(dataset: dataset, version: version(dataset)) }

    private func holds(_ basis: Basis) -> Bool { version(basis.dataset) == basis.version }

    func find(_ question: Question) -> ByteBuffer? {
        guard let answer = table.withLock({ $0.answers[question] }), holds(answer.basis) else { return nil }
        count.add(1, ordering: .relaxed)
        return answer.text
    }

    func keep(_ text: ByteBuffer, _ question: Question, _ basis: Basis) {
        let size = text.readableBytes + question.params.count
        guard holds(basis), size <= Self.longest else { return }
        let answer = Answer(text: text, basis: basis)
        table.withLock { table in
            if table.bytes + size > Self.mostBytes { table = Table() }
            let old = table.answers.updateValue(answer, forKey: question)
            // The answer it takes the place of is an old one.
            table.bytes += size - (old.map { $0.text.readableBytes + question.params.count } ?? 0)
        }
    }
}
