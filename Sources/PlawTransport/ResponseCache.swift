internal import NIOCore
internal import StrictJSON
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Answers by the exact text of their parameters, as long as what they rest on has not changed.
///
/// An answer is kept with the dataset it is about and the version of that, which was read before the answer was worked out, and given only
/// while that is the version still: a change that has been acknowledged is seen by every request after it.
package final class ResponseCache: Sendable {
    private struct Question: Hashable {
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

    func find(_ method: String, _ params: [UInt8]) -> ByteBuffer? {
        let question = Question(method: method, params: params)
        guard let answer = table.withLock({ $0.answers[question] }), holds(answer.basis) else { return nil }
        count.add(1, ordering: .relaxed)
        return answer.text
    }

    /// Copies what is short enough to be kept.
    func keep(_ text: Data, _ method: String, _ params: [UInt8], _ basis: Basis) {
        guard text.count <= Self.longest else { return }
        keep(ByteBuffer(bytes: text), method, params, basis)
    }

    func keep(_ text: ByteBuffer, _ method: String, _ params: [UInt8], _ basis: Basis) {
        let size = text.readableBytes + params.count
        guard holds(basis), size <= Self.longest else { return }
        let answer = Answer(text: text, basis: basis)
        table.withLock { table in
            if table.bytes + size > Self.mostBytes { table = Table() }
            let old = table.answers.updateValue(answer, forKey: Question(method: method, params: params))
            // The answer it takes the place of is an old one.
            table.bytes += size - (old.map { $0.text.readableBytes + params.count } ?? 0)
        }
    }
}

/// The text around a result, as the encoder writes it with sorted members.
enum ResultText {
    static func start(_ id: RequestID) -> String {
        switch id {
        case .integer(let value): return "{\"id\":\(value),\"jsonrpc\":\"2.0\",\"result\":"
        case .string(let value):
            // Encoding a string does not fail.
            let text = (try? encodeMessage(value)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
            return "{\"id\":\(text),\"jsonrpc\":\"2.0\",\"result\":"
        }
    }

    static let end = "}"
}

/// A request in its usual form: short, with `jsonrpc`, `id`, `method` and `params`, each once and nothing else. Such a one may be answered
/// where it arrives, by what was kept for the text of its parameters.
struct Envelope: Sendable {
    let id: RequestID
    let method: String
    let request: JSONNode

    /// Longest message that is read on the event loop.
    static let mostBytes = 4_096

    init?(_ message: Data) {
        guard message.count <= Self.mostBytes, let request = try? JSONText.root(of: message) else { return nil }
        self.init(request)
    }

    /// - Parameter request: of a text in which no object has a member twice.
    init?(_ request: JSONNode) {
        guard let head = Head(request), head.version == "2.0", case .present(let id) = head.id,
            let method = head.method, request.memberCount == 4, request.member("params")?.isObject == true,
            request.source.count <= Self.mostBytes
        else { return nil }
        (self.id, self.method, self.request) = (id, method, request)
    }

    /// The text of the parameters.
    var params: [UInt8] { request.member("params").map { Array($0.source) } ?? [] }
}
