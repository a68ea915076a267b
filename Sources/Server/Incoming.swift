internal import Wire
internal import StrictJSON
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A message with what decides its order.
struct Incoming: Sendable {
    let data: Data
    let arrival = ContinuousClock.now
    /// True for an array of requests.
    let isBatch: Bool
    /// Heads of the requests that could be read; of a batch, of those that are requests at all.
    let heads: [Head]
    /// The message, read; nil where it is refused as a whole.
    private let root: JSONNode?
    /// What the frame holds of the memory for frames.
    var share: (any Sendable)?
    /// Why the message is refused as a whole.
    private(set) var fault: RPCError?

    /// Objects and arrays within each other; a decoder's stack and time grow with them.
    static let maximumDepth = JSONText.usualDepth
    static let maximumBatch = 100
    /// As deep is looked for the id of a message that is too deep.
    private static let mostDepthLookedAt = 512

    init(_ data: Data) {
        self.data = data
        let shape = MessageShape(data)
        isBatch = shape.isArray
        if let fault = shape.fault {
            self.fault = fault
            root = nil
            heads = isBatch ? [] : Self.head((try? JSONText(data, mostDepth: Self.mostDepthLookedAt))?.root)
            return
        }
        let read: JSONText
        do {
            read = try JSONText(data, values: shape.values)
        } catch {
            fault = RPCError(.parseError, error.description, ["offset": .integer(Int64(error.offset))])
            (root, heads) = (nil, [])
            return
        }
        guard let duplicate = read.duplicate else {
            root = read.root
            heads = isBatch ? read.root.elements.compactMap { Head($0) } : Self.head(read.root)
            return
        }
        fault = RPCError(
            .invalidRequest, duplicate.description + " (byte \(duplicate.offset))",
            ["offset": .integer(Int64(duplicate.offset)), "field": .string(shortened(duplicate.name))])
        root = nil
        heads = isBatch || duplicate.isOutermost && duplicate.name == "id" ? [] : Self.head(read.root)
    }

    private static func head(_ root: JSONNode?) -> [Head] { root.flatMap { Head($0) }.map { [$0] } ?? [] }

    /// The message as it was read.
    ///
    /// - Throws: the fault.
    func read() throws(RPCError) -> JSONNode {
        if let root { return root }
        throw fault ?? RPCError(.internalError, "a message that was not read has no fault")
    }

    var ids: [RequestID] {
        heads.compactMap { head in
            if case .present(let id) = head.id { return id }
            return nil
        }
    }

    var methods: [String] { heads.compactMap(\.method) }
    var isCancellation: Bool { !isBatch && fault == nil && heads.first?.method == Catalog.cancelRequest }
}

/// What one pass over a message's text tells, without decoding it: a short text can be costly to decode.
struct MessageShape {
    private(set) var isArray = false
    /// Most objects and arrays within each other.
    private(set) var depth = 0
    /// Elements of the outermost array.
    private(set) var elements = 0
    /// At least as many as there are values and names.
    private(set) var values = 1

    init(_ data: Data) {
        data.withUnsafeBytes { bytes in
            var (level, isText, isEscaped, isBlank) = (0, false, false, true)
            for byte in bytes {
                if isText {
                    if isEscaped {
                        isEscaped = false
                    } else if byte == UInt8(ascii: "\\") {
                        isEscaped = true
                    } else if byte == UInt8(ascii: "\"") {
                        isText = false
                    }
                    continue
                }
                switch byte {
                case 0x20, 0x09, 0x0a, 0x0d: continue
                case UInt8(ascii: "\""): isText = true
                case UInt8(ascii: "["), UInt8(ascii: "{"):
                    if isBlank { isArray = byte == UInt8(ascii: "[") }
                    if level == 1, elements == 0 { elements = 1 }
                    level += 1
                    values += 1
                    depth = max(depth, level)
                    isBlank = false
                    continue
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    level -= 1
                    continue
                case UInt8(ascii: ":"): values += 1
                case UInt8(ascii: ","):
                    values += 1
                    guard level == 1 else { break }
                    elements += 1
                    continue
                default: break
                }
                if level == 1, elements == 0 { elements = 1 }
                isBlank = false
            }
        }
    }

    /// Why such a message is not decoded; nil for one that may be.
    var fault: RPCError? {
        if depth > Incoming.maximumDepth {
            return RPCError(
                .invalidRequest, "found JSON nested \(depth) deep, expected at most \(Incoming.maximumDepth)",
                ["limit": .integer(Int64(Incoming.maximumDepth))])
        }
        if isArray, !(1...Incoming.maximumBatch).contains(elements) {
            return RPCError(
                .invalidRequest, "found a batch of \(elements) requests, expected 1 to \(Incoming.maximumBatch)",
                ["limit": .integer(Int64(Incoming.maximumBatch))])
        }
        return nil
    }
}

/// Requests that wait or are in progress, by id, and how to stop each.
final class Cancellations: Sendable {
    private struct Table {
        var running: [RequestID: AsyncStream<Void>.Continuation] = [:]
        var waiting: Set<RequestID> = []
        /// Cancelled before their turn came.
        var given: Set<RequestID> = []
    }

    private let table = Mutex(Table())

    /// Requests that have been read; a cancellation from now on concerns them.
    func expect(_ ids: [RequestID]) { table.withLock { $0.waiting.formUnion(ids) } }

    /// Requests that have been answered, whether they began or not.
    func forget(_ ids: [RequestID]) {
        table.withLock { table in
            table.waiting.subtract(ids)
            table.given.subtract(ids)
        }
    }

    /// A stream that speaks when the request is to stop; nil when the id is in use.
    func begin(_ id: RequestID) -> AsyncStream<Void>? {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        return table.withLock { table in
            guard table.running[id] == nil else { return nil }
            table.running[id] = continuation
            table.waiting.remove(id)
            if table.given.remove(id) != nil { continuation.yield() }
            return stream
        }
    }

    func cancel(_ id: RequestID) {
        table.withLock { table in
            if table.waiting.contains(id) { table.given.insert(id) }
            return table.running[id]
        }?.yield()
    }

    func end(_ id: RequestID) { table.withLock { $0.running.removeValue(forKey: id) }?.finish() }
}
