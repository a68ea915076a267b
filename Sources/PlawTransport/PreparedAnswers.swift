internal import NIOCore
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
package final class PreparedAnswers: Sendable {
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
    static let longest = mostBytes / 8

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

    /// The whole response.
    static func around(_ result: Data, _ id: RequestID) -> Data {
        let start = start(id)
        var response = Data(capacity: start.utf8.count + result.count + end.utf8.count)
        response.append(contentsOf: start.utf8)
        response.append(result)
        response.append(contentsOf: end.utf8)
        return response
    }
}

/// A request in its usual form, found without decoding it: an object with `jsonrpc`, `id`, `method` and `params`, each once and nothing
/// else, the id a whole number or plain text. Whether `params` is well-formed is not looked at.
struct Envelope: Sendable {
    let id: RequestID
    let method: String
    /// The text of the parameters.
    let params: [UInt8]

    init?(_ data: Data) {
        let found = data.withUnsafeBytes { bytes -> (RequestID, String, [UInt8])? in
            var scanner = Scanner(bytes)
            var (id, method, params): (RequestID?, String?, [UInt8]?)
            var hasVersion = false
            guard scanner.take("{") else { return nil }
            repeat {
                guard let name = scanner.text(), scanner.take(":") else { return nil }
                switch name {
                case "jsonrpc":
                    guard !hasVersion, scanner.text() == "2.0" else { return nil }
                    hasVersion = true
                case "id":
                    guard id == nil, let found = scanner.identity(), found.isShort else { return nil }
                    id = found
                case "method":
                    guard method == nil, let found = scanner.text() else { return nil }
                    method = found
                case "params":
                    guard params == nil, let found = scanner.object() else { return nil }
                    params = found
                default: return nil
                }
            } while scanner.take(",")
            guard scanner.take("}"), scanner.isAtEnd, hasVersion, let id, let method, let params else { return nil }
            return (id, method, params)
        }
        guard let found else { return nil }
        (id, method, params) = found
    }

    private struct Scanner {
        private let bytes: UnsafeRawBufferPointer
        private var place = 0

        init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        private mutating func skipSpace() {
            while place < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[place]) { place += 1 }
        }

        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return place == bytes.count
            }
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            skipSpace()
            guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
            place += 1
            return true
        }

        /// A string of printable ASCII without escapes.
        mutating func text() -> String? {
            guard take("\"") else { return nil }
            let start = place
            while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
                guard (0x20..<0x7f).contains(bytes[place]), bytes[place] != UInt8(ascii: "\\") else { return nil }
                place += 1
            }
            guard place < bytes.count else { return nil }
            defer { place += 1 }
            return String(decoding: bytes[start..<place], as: UTF8.self)
        }

        mutating func identity() -> RequestID? {
            skipSpace()
            guard place < bytes.count else { return nil }
            if bytes[place] == UInt8(ascii: "\"") { return text().map { .string($0) } }
            let start = place
            while place < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[place]) { place += 1 }
            // No leading zero, which JSON does not know, and no more than fits.
            guard (1...18).contains(place - start), bytes[start] != UInt8(ascii: "0") || place - start == 1 else {
                return nil
            }
            return .integer(bytes[start..<place].reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) })
        }

        /// The text of an object up to the brace that closes it.
        mutating func object() -> [UInt8]? {
            skipSpace()
            let start = place
            guard take("{") else { return nil }
            var depth = 1
            var isText = false
            while place < bytes.count, depth > 0 {
                switch bytes[place] {
                case UInt8(ascii: "\\") where isText: place += 1
                case UInt8(ascii: "\""): isText.toggle()
                case UInt8(ascii: "{") where !isText: depth += 1
                case UInt8(ascii: "}") where !isText: depth -= 1
                default: break
                }
                place += 1
            }
            return depth == 0 && place <= bytes.count ? [UInt8](bytes[start..<place]) : nil
        }
    }
}
